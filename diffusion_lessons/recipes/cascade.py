"""How the two networks of a cascade are trained: one paints small pictures, one enlarges them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from diffusion_lessons import models, postcards, schedule
from diffusion_lessons.data import Batch
from diffusion_lessons.models import Upsampler
from diffusion_lessons.pipeline import Cascade, load_autoencoder
from diffusion_lessons.training import train
from diffusion_lessons.training.fit import Fit

from .autoencoder import there_and_back
from .latent import FlowRecipe
from .recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class CascadeRecipe(FlowRecipe):
    """How the first network is trained, on small pictures, folded. The second stands in the place
    of the `autoencoder`.

    In its loss things weigh more than what is around them, as in the autoencoder's: they are a
    twentieth of the pixels, and nearly all that a caption speaks of.
    """

    channels: int
    things: float  # is added to the weight of pixels inside things, which is 1
    built_with = ("channels", "widths", "blocks")

    def _fit(self, model: nn.Module, device: torch.device) -> Fit:
        scenes, z = self.latents(device)
        whole, _ = load_autoencoder(self.autoencoder)
        parts = (scenes[start : start + 128] for start in range(0, len(scenes), 128))
        masks = (postcards.object_mask(part).float().expand(-1, 3, -1, -1) for part in parts)
        inside = [whole.encode(mask)[0] for mask in masks]
        weights = 1 + self.things * torch.cat(inside).to(device)
        both = self.batches(scenes, torch.cat([z, weights], dim=1), device)

        def batch(step: int) -> Batch:
            found = both(step)
            x_0, weight = found.x_0.chunk(2, dim=1)
            return replace(found, x_0=x_0, weight=weight)

        return self._denoise(model, batch, self.half)


@dataclass(frozen=True, kw_only=True)
class UpsamplerRecipe(Recipe):
    """How the second network is trained: on large pictures and the same small, without captions.

    schedule, kind, steps_in_use, level: of what `pipeline.Cascade` does with it.
    """

    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    schedule: str
    kind: str
    ema_decay: float
    augment: float  # in training, small pictures are noised to times from 0 to this
    level: float
    steps_in_use: int
    built = Upsampler
    built_with = ("widths", "blocks")

    def _fit(self, model: Upsampler, device: torch.device) -> Fit:
        rates = getattr(schedule, self.schedule)

        def batch(step: int) -> Batch:
            seed = self.step_seed(step)
            images = postcards.draw(postcards.sample_scenes(self.batch, seed))
            small, dice = models.shrink(images), torch.Generator().manual_seed(2**30 + seed)
            level = self.augment * torch.rand(self.batch, generator=dice)
            eps = torch.randn(small.shape, generator=dice)
            given = models.augment(small, eps, level, rates)
            return Batch(models.details(images, given), given, [])

        return train(
            model, batch, rates, self.kind, self.steps, self.learning_rate, self.seed,
            self.ema_decay,
        )  # fmt: skip

    def card(self) -> dict:
        """Return how `pipeline.Cascade` uses the network."""
        how = {"schedule": self.schedule, "kind": self.kind, "level": self.level}
        return how | {"steps": self.steps_in_use}

    def _describe(self, name: str, model: Upsampler) -> dict:
        return {
            "upsampler": self.network(),
            **self.card(),
            "data": "postcards of the training mix, also small, drawn afresh for every step",
            **there_and_back(name, Cascade(model.cpu(), self.card()), self.step_seed(0)),
        }
