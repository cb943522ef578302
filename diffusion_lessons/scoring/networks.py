"""The networks of the evaluators: two that recognise postcards, and the judge of clothes.

The first two are built differently on purpose, and trained from different seeds: the recogniser may
serve in losses and lessons, the judge only measures, and the two should not make the same mistakes.
Both take pictures (B, 3, 64, 64) in [-1, 1] and give one row of logits per picture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

FEATURES = 192


class Classifier(nn.Module, ABC):
    """A network whose last layer, `head`, is linear; distances are taken in its inputs."""

    head: nn.Linear

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Return the inputs of the last layer, (B, D)."""

    def forward(self, images: Tensor) -> Tensor:
        """Turn pictures into logits, (B, outputs)."""
        return self.head(self.features(images))


class Reader(Classifier):
    """The base of both recognisers: a body that ends in (B, 24 * 8 * 8), then two linear layers.

    Args:
        body: pictures (B, 3, 64, 64) to (B, 24 * 8 * 8).
        bend: the nonlinear function between the two layers.
        outputs: how many logits it returns for each picture.
    """

    def __init__(self, body: nn.Module, bend: Callable[[Tensor], Tensor], outputs: int):
        super().__init__()
        self.body, self.bend = body, bend
        self.squeeze = nn.Linear(24 * 8 * 8, FEATURES)
        self.head = nn.Linear(FEATURES, outputs)

    def features(self, images: Tensor) -> Tensor:
        """Return the inputs of the last layer for pictures (B, 3, 64, 64): (B, 192)."""
        return self.bend(self.squeeze(self.body(images)))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al. 2016, "Identity mappings", figure 1b)."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm_1, self.norm_2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, C, h, w) of the same shape."""
        h = self.conv_1(functional.relu(self.norm_1(x)))
        return x + self.conv_2(functional.relu(self.norm_2(h)))


class Recogniser(Reader):
    """A residual network: strided convolutions halve the picture, shortcuts keep it trainable.

    Args:
        outputs: how many logits it returns for each picture.
    """

    def __init__(self, outputs: int):
        body = nn.Sequential(
            nn.Conv2d(3, 32, 5, stride=2, padding=2),  # (B, 32, 32, 32)
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),  # (B, 64, 16, 16)
            ResidualBlock(64),
            ResidualBlock(64),
            nn.Conv2d(64, 128, 3, stride=2, padding=1),  # (B, 128, 8, 8)
            ResidualBlock(128),
            ResidualBlock(128),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 24, 1),  # (B, 24, 8, 8): few channels, every place kept
            nn.Flatten(),
        )
        super().__init__(body, functional.relu, outputs)


class PatchBlock(nn.Module):
    """A depthwise 5x5 convolution, then a small MLP across channels, around a shortcut.

    After Liu et al. 2022, "A ConvNet for the 2020s" (figure 4), with one norm over all channels.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.look = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.norm = nn.GroupNorm(1, channels)
        self.widen, self.narrow = (
            nn.Conv2d(channels, 3 * channels, 1),
            nn.Conv2d(3 * channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, C, h, w) of the same shape."""
        return x + self.narrow(functional.gelu(self.widen(self.norm(self.look(x)))))


class Judge(Reader):
    """A patch network: 4x4 patches of the picture become a 16x16 map.

    Args:
        outputs: how many logits it returns for each picture.
    """

    def __init__(self, outputs: int):
        body = nn.Sequential(
            nn.Conv2d(3, 72, 6, stride=4, padding=1),  # (B, 72, 16, 16), patches overlap by a pixel
            PatchBlock(72),
            PatchBlock(72),
            nn.Conv2d(72, 144, 2, stride=2),  # (B, 144, 8, 8)
            PatchBlock(144),
            PatchBlock(144),
            PatchBlock(144),
            nn.GroupNorm(1, 144),
            nn.Conv2d(144, 24, 1),  # (B, 24, 8, 8)
            nn.Flatten(),
        )
        super().__init__(body, functional.gelu, outputs)


def convolution(channels: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution, a batch norm and a ReLU; a stride of 2 halves the picture."""
    return nn.Sequential(
        nn.Conv2d(channels, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class FashionJudge(Classifier):
    """A plain CNN: pictures (B, 1, 28, 28) in [-1, 1] to logits (B, 10), one for each class."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(1, 32),  # (B, 32, 28, 28)
            convolution(32, 32, stride=2),  # (B, 32, 14, 14)
            convolution(32, 64),
            convolution(64, 64, stride=2),  # (B, 64, 7, 7)
            convolution(64, 96),
            nn.AdaptiveAvgPool2d(3),  # (B, 96, 3, 3)
            nn.Flatten(),
            nn.Linear(96 * 3 * 3, 128),
            nn.ReLU(),
        )
        self.head = nn.Linear(128, 10)

    def features(self, images: Tensor) -> Tensor:
        """Return the inputs of the last layer for pictures (B, 1, 28, 28): (B, 128)."""
        return self.body(images)
