"""How the networks that draw are trained: what they share, and those that draw by labels."""

from __future__ import annotations

import statistics
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from diffusion_lessons import data, sampling, schedule, scoring
from diffusion_lessons.data import PictureSet
from diffusion_lessons.models import UNet
from diffusion_lessons.prediction import as_denoiser
from diffusion_lessons.training import Batches, train
from diffusion_lessons.training.fit import Fit

from .recipe import FRESH_SEED, SCORED, SHEET, Recipe, save_sheet

_DRAWN = 64  # pictures that a network draws together


@dataclass(frozen=True, kw_only=True)
class DrawingRecipe(Recipe):
    """How a network that draws what it is asked for is trained."""

    ema_decay: float  # of the running average of the weights, which is what is kept

    def make(self, model: Any, asked: Any, seeds: range) -> Tensor:
        """Draw what is asked for (N labels, or captions), each picture from its seed's noise, as
        (N, C, size, size) in [-1, 1], on the CPU."""
        dice = [torch.Generator().manual_seed(seed) for seed in seeds]
        parts = [slice(start, start + _DRAWN) for start in range(0, len(dice), _DRAWN)]
        return torch.cat([self._draw(model, asked[part], dice[part]) for part in parts])

    @abstractmethod
    def _draw(self, model: Any, asked: Any, dice: list[torch.Generator]) -> Tensor:
        """A few pictures."""

    def _measure(
        self, name: str, model: Any, first: Any, words: list[str], score: Callable[[Callable], dict]
    ) -> dict:
        """First seeds, which show `first` or in words `words`, and seconds and scores of others."""
        file, seconds = save_sheet(name, self.make(model, first, range(len(words))), words), []

        def draw(asked: Any) -> Tensor:
            started = time.monotonic()
            images = self.make(model, asked, range(FRESH_SEED, FRESH_SEED + len(asked)))
            seconds.append((time.monotonic() - started) / len(asked))
            return images

        scores, mean = score(draw), round(statistics.mean(seconds), 4)
        first_seeds = {"file": file, "asked for": words}
        return {"first seeds": first_seeds, "seconds per picture": mean, "scores": scores}


@dataclass(frozen=True, kw_only=True)
class DenoisingRecipe(DrawingRecipe):
    """How a network that draws by removing noise is trained."""

    schedule: str  # of the noise
    kind: str  # of what is predicted, one of `prediction.KINDS`

    def _denoise(self, model: nn.Module, batches: Batches, half: bool = False) -> Fit:
        return train(
            model, batches, getattr(schedule, self.schedule), self.kind, self.steps,
            self.learning_rate, self.seed, self.ema_decay, half,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class GeneratorRecipe(DenoisingRecipe):
    """How a U-Net that draws by labels is trained.

    `data`, `size` and `channels` are as `data.load` takes them; its factors are the labels.
    """

    data: str
    size: int
    channels: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    patch: int
    sampler: str  # of the pictures that the scores are taken from
    sampling_steps: int
    built = UNet
    built_with = ("channels", "widths", "blocks", "patch")

    def source(self) -> PictureSet:
        """Return the pictures to learn from."""
        return data.load(self.data, self.size, self.channels)

    def network(self) -> dict:
        """Return the settings of the `UNet`, by name."""
        factors = tuple(len(words) for words in self.source().factors.values())
        return super().network() | {"factors": factors}

    def _fit(self, model: UNet, device: torch.device) -> Fit:
        return self._denoise(model, self.source().batches(self.batch, self.seed))

    def _draw(self, model: nn.Module, asked: Tensor, dice: list[torch.Generator]) -> Tensor:
        shape, device = (self.channels, self.size, self.size), next(model.parameters()).device
        x_t = torch.stack([torch.randn(shape, generator=each) for each in dice]).to(device)
        rates, times = getattr(schedule, self.schedule), sampling.times(self.sampling_steps)
        denoiser = as_denoiser(model, rates, self.kind, asked.to(device))
        walk = sampling.SAMPLERS[self.sampler](denoiser, rates, x_t, times)
        return sampling.finish(walk).cpu().clamp(-1, 1)

    def _describe(self, name: str, model: nn.Module) -> dict:
        factors, first = self.source().factors, scoring.asked(self.data, SHEET, 0)
        words = [" ".join(map(tuple.__getitem__, factors.values(), row)) for row in first.tolist()]
        fresh = scoring.asked(self.data, SCORED, FRESH_SEED)
        return {
            "unet": self.network(),
            **{key: getattr(self, key) for key in ("data", "size", "channels", "schedule", "kind")},
            "factors": {factor: list(each) for factor, each in factors.items()},
            **self._measure(
                name, model, first, words,
                lambda draw: scoring.score(self.data, draw(fresh), FRESH_SEED),
            ),
        }  # fmt: skip
