"""What every recipe has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from diffusion_lessons import pictures, workspace
from diffusion_lessons.training.fit import Fit

FRESH_SEED = 1_000_000_000  # scores use this and the two after it; no training seed is among them
SCORED = 1024  # pictures that a generator's scores are taken from
SHEET = 64  # first seeds that its card shows


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """All that determines how a network is trained, besides the code.

    Attributes:
        seed: of the first weights and, with the number of the step, of its data and noise.
        steps, batch, learning_rate: of the training, see `training.fit.Fit`.
    """

    seed: int
    steps: int
    batch: int
    learning_rate: float

    def begin(self, name: str, device: torch.device) -> Fit:
        """Return the training of the weights `name`, before its first step."""
        torch.manual_seed(self.seed)
        return self.fit(self.untrained(name).to(device), device)

    @abstractmethod
    def untrained(self, name: str) -> nn.Module:
        """Return the network of the weights `name`, untrained."""

    @abstractmethod
    def fit(self, model: Any, device: torch.device) -> Fit:
        """Return the training of `model`, which is on `device`, before its first step."""

    @abstractmethod
    def describe(self, name: str, model: Any) -> dict:
        """Return what the card records of the trained network: data, settings, scores."""

    def step_seed(self, step: int) -> int:
        """Return the seed of what is drawn for a step."""
        return self.seed * 1_000_003 + step


def save_sheet(name: str, images: Tensor, words: list[str], zoom: int = 2) -> str:
    """Write pictures (N, C, H, W), eight in a row, beside the weights; return the file's name."""
    path = workspace.own_path(f"{name}.png")
    workspace.write_whole(path, pictures.png(pictures.grid(images, words, columns=8, zoom=zoom)))
    return path.name
