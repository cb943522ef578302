"""What every recipe has in common."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from ..fitting import Fit

FRESH_SEED = 1_000_000_000  # scores use this and the two after it; no training seed is among them
SCORED = 1024  # pictures that a generator's scores are taken from
SHEET = 64  # first seeds that its card shows


class Recipe(Protocol):
    """What settles how a network is made, besides the code: a frozen dataclass of these two."""

    steps: int
    batch: int

    def begin(self, name: str, device: torch.device) -> Fit:
        """The training of the weights `name`, before its first step."""

    def tell(self, name: str, model: nn.Module) -> dict:
        """What the card says of the network when it is made: purpose, data, scores."""
