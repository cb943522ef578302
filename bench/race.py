"""One contestant, one budget: train for some CPU-seconds, draw pictures, score them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from diffusion_lessons.scoring.clothes import FrechetMetric
from diffusion_lessons.scoring.statistics import nearest


class NotInstalled(RuntimeError):
    """A library that only `make bench` needs is not there; the message says how to get it."""

    def __init__(self, package: str):
        super().__init__(
            f"{package} is not installed. `make bench` installs what it compares with; by hand: "
            "pip install -c constraints.txt -e '.[bench]'"
        )


class Clock:
    """Counts the CPU-seconds of this process from when it is made, up to a budget."""

    def __init__(self, budget: float):
        self.budget, self._start = budget, time.process_time()

    def spent(self) -> float:
        """CPU-seconds since the clock was made."""
        return time.process_time() - self._start

    def runs(self) -> bool:
        """Whether some of the budget is left."""
        return self.spent() < self.budget


class Contestant(Protocol):
    """A network with its training and its sampling.

    Attributes:
        name: what it is called in the table.
        packages: the installed packages it consists of.
    """

    name: str
    packages: tuple[str, ...]

    @property
    def settings(self) -> dict[str, Any]:
        """All that was chosen, in words and numbers that JSON can hold."""

    @property
    def model(self) -> torch.nn.Module:
        """The network that is trained."""

    def train(self, images: Tensor, labels: Tensor, clock: Clock, seed: int) -> int:
        """Train until the clock's budget is used up; returns how many steps were made.

        Args:
            images: float32 (N, 1, 28, 28) in [-1, 1].
            labels: int64 (N,), the classes 0 to 9; a contestant may ignore them.
        """
        ...

    def sample(self, count: int, seed: int) -> Tensor:
        """`count` pictures, (count, 1, 28, 28) or (count, 1, 32, 32) in [-1, 1]."""
        ...


@dataclass(frozen=True)
class Track:
    """What all contestants have in common: the data, the metric, how many pictures are scored."""

    images: Tensor
    labels: Tensor
    metric: FrechetMetric
    pictures: int


def run(contestant: Contestant, track: Track, budget: float, seed: int) -> dict[str, float]:
    """Train `contestant` for `budget` CPU-seconds, draw and score; returns a row of the table.

    torch's global generator is seeded before training and again before sampling.
    """
    torch.manual_seed(seed)
    clock = Clock(budget)
    steps = contestant.train(track.images, track.labels, clock, seed)
    trained = clock.spent()
    torch.manual_seed(seed + 1)
    clock = Clock(float("inf"))
    pictures = contestant.sample(track.pictures, seed + 1)
    drawn = clock.spent() / track.pictures
    score, error = track.metric.score(pictures)
    return {
        "budget": budget,
        "cpu_seconds_of_training": round(trained, 1),
        "steps": steps,
        "score": round(score, 4),
        "standard_error": round(error, 4),
        "cpu_seconds_per_picture": round(drawn, 4),
        "distance_to_nearest_training_picture": round(copying(pictures, track.images), 4),
    }


def copying(pictures: Tensor, training: Tensor) -> float:
    """Median distance of `pictures` to the nearest of `training`; a border of 32x32 is cut off."""
    border = (pictures.shape[-1] - training.shape[-1]) // 2
    inner = slice(border, border + training.shape[-1])
    return float(nearest(pictures[:, :, inner, inner], training)[0].median())
