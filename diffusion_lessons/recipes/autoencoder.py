"""How the autoencoder is trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion_lessons import latents, postcards, scoring
from diffusion_lessons.models import Autoencoder
from diffusion_lessons.pipeline import Cascade
from diffusion_lessons.postcards.styles import styled
from diffusion_lessons.scoring import recognition
from diffusion_lessons.training.fit import Fit

from .recipe import FRESH_SEED, SCORED, SHEET, Recipe, save_sheet


@dataclass(frozen=True, kw_only=True)
class AutoencoderRecipe(Recipe):
    """How the autoencoder is trained, see `latents.train_autoencoder`."""

    encoder: tuple[int, ...]
    encoder_blocks: tuple[int, ...]
    decoder: tuple[int, ...]
    decoder_blocks: tuple[int, ...]
    kl_weight: float
    styled: float  # the share of the pictures that are in one of `postcards.styles`
    watched: bool  # whether the recogniser's view of the pictures is part of the loss
    ema_decay: float
    half: bool
    built = Autoencoder
    built_with = ("encoder", "encoder_blocks", "decoder", "decoder_blocks")

    def batches(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the pictures of a step, of the training mix, and the mask of their things."""
        scenes = postcards.sample_scenes(self.batch, self.step_seed(step))
        dice = torch.Generator().manual_seed(2**30 + self.step_seed(step))
        return styled(postcards.draw(scenes), self.styled, dice), postcards.object_mask(scenes)

    def _fit(self, model: Autoencoder, device: torch.device) -> Fit:
        features = None
        if self.watched:
            reader = recognition.load("recogniser").network.to(device)
            features = reader.to(memory_format=torch.channels_last).body
        return latents.train_autoencoder(
            model, self.batches, self.steps, self.learning_rate, self.kl_weight, self.seed,
            features, self.ema_decay, self.half,
        )  # fmt: skip

    def _describe(self, name: str, model: Autoencoder) -> dict:
        return {
            "autoencoder": self.network(),
            "data": f"postcards of the training mix, {self.styled:.0%} of them in a style, drawn "
            "afresh for every step",
            **there_and_back(name, model.cpu(), self.step_seed(0)),
        }


def there_and_back(name: str, model: Autoencoder | Cascade, seed: int) -> dict:
    """Return what the card says of pictures that were encoded and decoded, and write its sheet.
    seed: of the scenes whose latents are to have a standard deviation of 1."""
    scenes = postcards.sample_scenes(SCORED, seed)
    with torch.inference_mode():
        means = torch.cat([model.encode(x)[0] for x in postcards.draw(scenes).split(128)])
    first = postcards.draw(postcards.sample_scenes(SHEET // 2, 0))
    pairs = torch.stack([first, scoring.there_and_back(model, first)], dim=1).flatten(0, 1)
    return {
        "scaling_factor": round(1 / float(means.std()), 4),
        "first seeds": {"file": save_sheet(name, pairs, ["real", "back"] * len(first))},
        "scores": scoring.round_trips(model, SCORED, FRESH_SEED),
    }
