"""What every recipe has in common."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import torch

from diffusion_lessons.training.fit import Fit

FRESH_SEED = 1_000_000_000  # scores use this and the two after it; no training seed is among them
SCORED = 1024  # pictures that a generator's scores are taken from
SHEET = 64  # first seeds that its card shows


class Recipe(Protocol):
    """What settles how a network is made, besides the code: a frozen dataclass of these two."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def steps(self) -> int:
        """How many steps the training takes."""

    @property
    def batch(self) -> int:
        """How many examples a step sees."""

    def begin(self, name: str, device: torch.device) -> Fit:
        """The training of the weights `name`, before its first step."""

    def tell(self, name: str, model: Any) -> dict:
        """What the card says of the network when it is made: purpose, data, scores."""
