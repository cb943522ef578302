"""How the autoencoder is made."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion_lessons import latents, pictures, postcards, scoring, workspace
from diffusion_lessons.models import Autoencoder, count_parameters
from diffusion_lessons.postcards.styles import styled
from diffusion_lessons.scoring import recognition
from diffusion_lessons.training.fit import Fit

from .recipe import FRESH_SEED, SCORED, SHEET


@dataclass(frozen=True)
class AutoencoderRecipe:
    """How the autoencoder is made.

    Attributes:
        seed: for the first weights and, with the step's number, for pictures and noise.
        encoder, encoder_blocks, decoder, decoder_blocks: of the `Autoencoder`.
        kl_weight: see `latents.train_autoencoder`.
        styled: the share of the pictures that are in one of `postcards.styles`.
        watched: whether the recogniser's view of the pictures is part of the loss.
        steps, batch, learning_rate, ema_decay, half: see `latents.train_autoencoder`.
    """

    seed: int
    encoder: tuple[int, ...]
    encoder_blocks: tuple[int, ...]
    decoder: tuple[int, ...]
    decoder_blocks: tuple[int, ...]
    kl_weight: float
    styled: float
    watched: bool
    steps: int
    batch: int
    learning_rate: float
    ema_decay: float
    half: bool

    def network(self) -> dict:
        """The settings of the `Autoencoder`, by name."""
        names = ("encoder", "encoder_blocks", "decoder", "decoder_blocks")
        return {name: getattr(self, name) for name in names}

    def batches(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the pictures of a step, of the training mix, and the mask of their things."""
        own_seed = self.seed * 1_000_003 + step
        shown = postcards.sample_scenes(self.batch, own_seed)
        dice = torch.Generator().manual_seed(2**30 + own_seed)
        images = styled(postcards.draw(shown), self.styled, dice)
        return images, postcards.object_mask(shown)

    def begin(self, name: str, device: torch.device) -> Fit:
        """See `Recipe.begin`."""
        torch.manual_seed(self.seed)
        features = None
        if self.watched:
            reader = recognition.load("recogniser").network.to(device)
            features = reader.to(memory_format=torch.channels_last).body
        return latents.train_autoencoder(
            Autoencoder(**self.network()).to(device),
            self.batches,
            self.steps,
            self.learning_rate,
            self.kl_weight,
            seed=self.seed,
            features=features,
            ema_decay=self.ema_decay,
            half=self.half,
        )

    def tell(self, name: str, model: Autoencoder) -> dict:
        """See `Recipe.tell`."""
        model = model.cpu()
        shown = postcards.sample_scenes(SCORED, self.seed * 1_000_003)
        with torch.inference_mode():
            means = torch.cat([model.encode(x)[0] for x in postcards.draw(shown).split(128)])
        first = postcards.draw(postcards.sample_scenes(SHEET // 2, 0))
        pairs = torch.stack([first, scoring.there_and_back(model, first)], dim=1).flatten(0, 1)
        path = workspace.own_path(f"{name}.png")
        sheet = pictures.grid(pairs, ["real", "back"] * len(first), columns=8, zoom=2)
        workspace.write_whole(path, pictures.png(sheet))
        return {
            "network": f"Autoencoder, {count_parameters(model)} parameters",
            "autoencoder": self.network(),
            "data": f"postcards of the training mix, {self.styled:.0%} of them in a style, drawn "
            "afresh for every step",
            "scaling_factor": round(1 / float(means.std()), 4),
            "first seeds": {"file": path.name},
            "scores": scoring.round_trips(model, SCORED, FRESH_SEED),
        }
