"""Evaluators, which look at pictures, and their networks: two for postcards, one for clothes.

The recogniser of postcards may serve in losses and lessons, their judge only measures. So that
both do not make the same mistakes, they are built differently and trained from different seeds.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion_lessons import workspace


class Classifier(nn.Module):
    """A network whose last layer, `head`, is linear; distances are taken in its inputs."""

    body: nn.Module
    head: nn.Linear

    def features(self, images: Tensor) -> Tensor:
        """Return the inputs of the last layer for pictures (B, C, H, W), (B, D)."""
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        """Turn pictures into logits, (B, outputs)."""
        return self.head(self.features(images))


class Evaluator(ABC):
    """A network that looks at pictures in [-1, 1]."""

    networks: ClassVar[dict[str, Callable[[], Any]]]  # by the name of their weights
    at_once: ClassVar[int]  # pictures that it looks at together

    def __init__(self, network: Classifier):
        self.network = network

    @classmethod
    @functools.cache
    def load(cls, name: str) -> Self:
        """Return the shipped network `name`, ready to look at pictures on the CPU.

        Raises ValueError for an unknown name, workspace.DamagedFile for weights that are not whole.
        """
        if name not in cls.networks:
            raise ValueError(f"no network {name!r}: choose one of {', '.join(cls.networks)}")
        network = cls.networks[name]()
        workspace.fit_weights(network, workspace.load_weights(name)[0], name)
        return cls(network.eval().requires_grad_(False))

    @abstractmethod
    def _prepare(self, images: Tensor) -> Tensor:
        """The pictures as the network takes them."""

    @abstractmethod
    def loss(self, step: int, batch: int, seed: int, data: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the loss of one training step, which sees what its number and `seed` decide."""

    @abstractmethod
    def report(self, *fresh: Any) -> dict:
        """Measure how often fresh pictures are read right: the scores of a card."""

    def features(self, images: Tensor) -> Tensor:
        """Return the inputs of the network's last layer for any number of pictures, (N, D)."""
        return self._apply(self.network.features, images)

    @torch.inference_mode()
    def _apply(self, function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        parts = self._prepare(images.float()).split(self.at_once)
        return torch.cat([function(part) for part in parts])


class Reader(Classifier):
    """The base of both recognisers: a body from (B, 3, 64, 64) to (B, 24 * 8 * 8), then two linear
    layers with `bend` between them."""

    def __init__(self, body: nn.Module, bend: Callable[[Tensor], Tensor], outputs: int):
        super().__init__()
        self.body, self.bend = body, bend
        self.squeeze = nn.Linear(24 * 8 * 8, 192)
        self.head = nn.Linear(192, outputs)

    def features(self, images: Tensor) -> Tensor:
        """Return the inputs of the last layer, (B, 192)."""
        return self.bend(self.squeeze(super().features(images)))


class _ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al. 2016, "Identity mappings", figure 1b)."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm_1, self.norm_2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv_1(functional.relu(self.norm_1(x)))
        return x + self.conv_2(functional.relu(self.norm_2(h)))


class Recogniser(Reader):
    """A residual network: strided convolutions halve the picture, shortcuts keep it trainable."""

    def __init__(self, outputs: int):
        body = nn.Sequential(
            nn.Conv2d(3, 32, 5, stride=2, padding=2),  # (B, 32, 32, 32)
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),  # (B, 64, 16, 16)
            *(_ResidualBlock(64) for _ in range(2)),
            nn.Conv2d(64, 128, 3, stride=2, padding=1),  # (B, 128, 8, 8)
            *(_ResidualBlock(128) for _ in range(2)),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 24, 1),  # (B, 24, 8, 8): few channels, every place kept
            nn.Flatten(),
        )
        super().__init__(body, functional.relu, outputs)


class _PatchBlock(nn.Module):
    """A depthwise 5x5 convolution, then a small MLP across channels, around a shortcut, after Liu
    et al. 2022, "A ConvNet for the 2020s" (figure 4), with one norm over all channels."""

    def __init__(self, channels: int):
        super().__init__()
        self.look = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.norm = nn.GroupNorm(1, channels)
        self.widen = nn.Conv2d(channels, 3 * channels, 1)
        self.narrow = nn.Conv2d(3 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(functional.gelu(self.widen(self.norm(self.look(x)))))


class Judge(Reader):
    """A patch network: 4x4 patches of the picture become a 16x16 map."""

    def __init__(self, outputs: int):
        body = nn.Sequential(
            nn.Conv2d(3, 72, 6, stride=4, padding=1),  # (B, 72, 16, 16), patches overlap by a pixel
            *(_PatchBlock(72) for _ in range(2)),
            nn.Conv2d(72, 144, 2, stride=2),  # (B, 144, 8, 8)
            *(_PatchBlock(144) for _ in range(3)),
            nn.GroupNorm(1, 144),
            nn.Conv2d(144, 24, 1),  # (B, 24, 8, 8)
            nn.Flatten(),
        )
        super().__init__(body, functional.gelu, outputs)


class FashionJudge(Classifier):
    """A plain CNN: pictures (B, 1, 28, 28) in [-1, 1] to logits (B, 10), one for each class."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, stride in (
            (1, 32, 1), (32, 32, 2), (32, 64, 1), (64, 64, 2), (64, 96, 1),  # ends at (B, 96, 7, 7)
        ):  # fmt: skip
            convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
            layers.append(nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU()))
        pool = nn.AdaptiveAvgPool2d(3)  # (B, 96, 3, 3)
        self.body = nn.Sequential(*layers, pool, nn.Flatten(), nn.Linear(96 * 9, 128), nn.ReLU())
        self.head = nn.Linear(128, 10)
