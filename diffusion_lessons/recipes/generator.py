"""How a U-Net is trained that draws pictures by their labels."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from diffusion_lessons import data, sampling, schedule, scoring, training
from diffusion_lessons.data import PictureSet
from diffusion_lessons.models import UNet
from diffusion_lessons.prediction import as_denoiser
from diffusion_lessons.training.fit import Fit

from .recipe import FRESH_SEED, SCORED, SHEET, Recipe, save_sheet


@dataclass(frozen=True, kw_only=True)
class GeneratorRecipe(Recipe):
    """How a U-Net that draws by labels is trained.

    Attributes:
        data, size, channels: the pictures, as `data.load` takes them; its factors are the labels.
        widths, blocks, patch: of the `UNet`.
        schedule, kind: of the noise, and what is predicted (see `prediction.KINDS`).
        ema_decay: of the running average of the weights, which is what is kept.
        sampler, sampling_steps: of the pictures that the scores are taken from.
    """

    data: str
    size: int
    channels: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    patch: int
    schedule: str
    kind: str
    ema_decay: float
    sampler: str
    sampling_steps: int

    def source(self) -> PictureSet:
        """Return the pictures to learn from."""
        return data.load(self.data, self.size, self.channels)

    def network(self) -> dict:
        """Return the settings of the `UNet`, by name."""
        return {
            "channels": self.channels,
            "widths": self.widths,
            "blocks": self.blocks,
            "patch": self.patch,
            "factors": tuple(len(words) for words in self.source().factors.values()),
        }

    def untrained(self, name: str) -> UNet:
        """Return an untrained U-Net."""
        return UNet(**self.network())

    def fit(self, model: UNet, device: torch.device) -> Fit:
        """Return the training of `model`."""
        batches, noise = self.source().batches(self.batch, self.seed), self.schedule
        return training.train(
            model, batches, getattr(schedule, noise), self.kind, self.steps, self.learning_rate,
            self.seed, self.ema_decay,
        )  # fmt: skip

    def make(self, model: nn.Module, labels: Tensor, seeds: range) -> Tensor:
        """Draw one picture for each row of labels (N, K), from the noise of its seed.

        Returns (N, C, size, size) in [-1, 1], on the CPU.
        """
        device, shape = next(model.parameters()).device, (self.channels, self.size, self.size)
        noise = torch.stack([
            torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds
        ])  # fmt: skip
        rates, times = getattr(schedule, self.schedule), sampling.times(self.sampling_steps)
        images = []
        for x_t, part in zip(noise.split(128), labels.split(128), strict=True):
            denoiser = as_denoiser(model, rates, self.kind, part.to(device))
            walk = sampling.SAMPLERS[self.sampler](denoiser, rates, x_t.to(device), times)
            images.append(sampling.finish(walk).cpu().clamp(-1, 1))
        return torch.cat(images)

    def describe(self, name: str, model: nn.Module) -> dict:
        """Return settings, first seeds, seconds per picture and the scores of fresh pictures."""
        factors, first = self.source().factors, scoring.asked(self.data, SHEET, 0)
        words = [
            " ".join(word[i] for i, word in zip(row, factors.values(), strict=True))
            for row in first.tolist()
        ]
        file = save_sheet(name, self.make(model, first, range(SHEET)), words, zoom=3)
        labels = scoring.asked(self.data, SCORED, FRESH_SEED)
        started = time.monotonic()
        images = self.make(model, labels, range(FRESH_SEED, FRESH_SEED + SCORED))
        return {
            "unet": self.network(),
            "data": self.data,
            "size": self.size,
            "channels": self.channels,
            "factors": {factor: list(word) for factor, word in factors.items()},
            "schedule": self.schedule,
            "kind": self.kind,
            "first seeds": {"file": file, "asked for": words},
            "seconds per picture": round((time.monotonic() - started) / SCORED, 4),
            "scores": scoring.score(self.data, images, FRESH_SEED),
        }
