"""Evaluators: networks that look at pictures, with how they are loaded, asked and trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
from torch import Tensor

from diffusion_lessons import workspace
from diffusion_lessons.training.fit import Fit

from .networks import Classifier

Network = TypeVar("Network", bound=Classifier)


class Evaluator(ABC, Generic[Network]):
    """A network that looks at pictures in [-1, 1], whatever their size.

    Attributes:
        network: pictures as `prepare` returns them to logits.
        at_once: how many pictures it looks at together.
        fitting: how `training.fit.Fit` is set to train it.
    """

    at_once: ClassVar[int]
    fitting: ClassVar[dict[str, Any]]

    def __init__(self, network: Network):
        self.network = network

    @abstractmethod
    def prepare(self, images: Tensor) -> Tensor:
        """Return the pictures as the network takes them."""

    @abstractmethod
    def loss(self, step: int, batch: int, seed: int, *examples: Tensor) -> Tensor:
        """Return the loss of one training step; its number and `seed` decide what it sees."""

    def load(self, name: str) -> Self:
        """Load the shipped weights `name`, and be ready to look at pictures on the CPU.

        Raises:
            workspace.DamagedFile: the weights are missing or not whole.
        """
        workspace.fit_weights(self.network, workspace.load_weights(name)[0], name)
        self.network.eval().requires_grad_(False)
        return self

    def features(self, images: Tensor) -> Tensor:
        """Return the inputs of the network's last layer (N, D): where distances are taken."""
        return self._apply(self.network.features, images)

    def logits(self, images: Tensor) -> Tensor:
        """Return the outputs of the network, (N, outputs)."""
        return self._apply(self.network, images)

    def _apply(self, function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        with torch.inference_mode():
            parts = self.prepare(images).split(self.at_once)
            return torch.cat([function(part) for part in parts])

    def train(
        self, steps: int, batch: int, learning_rate: float, seed: int, *examples: Tensor
    ) -> Fit:
        """Train the network on the device where it is; iterate over what is returned to train.

        Args:
            steps, batch, learning_rate: see `training.fit.Fit`.
            seed: decides, with the number of the step, what the step sees.
            examples: what `loss` of the evaluator takes, if anything.
        """

        def loss(step: int) -> Tensor:
            return self.loss(step, batch, seed, *examples)

        return Fit(self.network, steps, learning_rate, loss, **self.fitting)
