"""How pictures as codes are learned: the tokeniser, then the network that writes codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import latents, models, postcards, scoring
from diffusion_lessons.data import Batch
from diffusion_lessons.models import CodeWriter, Tokeniser
from diffusion_lessons.pipeline import PatchByPatch, load_autoencoder
from diffusion_lessons.training import fit_seeded
from diffusion_lessons.training.fit import Fit

from .latent import CaptionedRecipe, EncodedRecipe
from .recipe import FRESH_SEED, SCORED, SHEET, save_sheet


@dataclass(frozen=True, kw_only=True)
class TokeniserRecipe(EncodedRecipe):
    """How the tokeniser is trained, see `latents.train_tokeniser`."""

    width: int
    blocks: int
    codes: int
    code_channels: int
    restarts: float
    ema_decay: float
    built = Tokeniser
    built_with: ClassVar[tuple[str, ...]] = ("width", "blocks", "codes", "code_channels")

    def _fit(self, model: Tokeniser, device: torch.device) -> Fit:
        _, z = self.latents(device)
        return self.fit(model, z)

    def fit(self, model: Tokeniser, z: Tensor) -> Fit:
        """Return the training of a tokeniser on scaled latents (N, 4, 8, 8)."""

        def batch(step: int) -> Tensor:
            dice = torch.Generator().manual_seed(self.step_seed(step))
            return z[torch.randint(len(z), (self.batch,), generator=dice)]

        return latents.train_tokeniser(
            model, batch, self.steps, self.learning_rate, self.seed, self.ema_decay, self.restarts
        )

    def _describe(self, name: str, model: Tokeniser) -> dict:
        autoencoder, card = load_autoencoder(self.autoencoder)
        both = models.TokenisedAutoencoder(autoencoder, model.cpu(), card["scaling_factor"])
        first = postcards.draw(postcards.sample_scenes(SHEET // 2, 0))
        pairs = torch.stack([first, scoring.there_and_back(both, first)], dim=1).flatten(0, 1)
        numbers = both.numbers(postcards.draw(postcards.sample_scenes(SCORED, FRESH_SEED)))
        return {
            "tokeniser": self.network(),
            "parts": {"autoencoder": self.autoencoder},
            "data": f"the latents of {self.pictures} postcards ({self.mix})",
            "first seeds": {"file": save_sheet(name, pairs, ["real", "back"] * len(first))},
            "scores": {
                "perplexity": round(models.perplexity(numbers, self.codes), 1),
                **scoring.round_trips(both, SCORED, FRESH_SEED),
            },
        }


@dataclass(frozen=True, kw_only=True)
class WriterRecipe(CaptionedRecipe):
    """How the network that writes codes is trained: to say each code, given those before."""

    tokeniser: str
    width: int
    depth: int
    temperature: float  # the pipeline's defaults
    guidance_scale: float
    built = CodeWriter
    built_with: ClassVar[tuple[str, ...]] = ("width", "depth")
    card_key = "code_writer"

    def network(self) -> dict:
        """Return the settings of the network, by name."""
        _, card = models.load_tokeniser(self.tokeniser)
        return super().network() | {"codes": card["tokeniser"]["codes"]}

    def _fit(self, model: CodeWriter, device: torch.device) -> Fit:
        tokeniser, _ = models.load_tokeniser(self.tokeniser)
        scenes, z = self.latents(device)
        with torch.inference_mode():
            codes = torch.cat([tokeniser.to(device).encode(part) for part in z.split(1024)])
        return self.fit(model, scenes, codes.flatten(1).clone(), device)

    def fit(
        self, model: CodeWriter, scenes: postcards.Scenes, codes: Tensor, device: torch.device
    ) -> Fit:
        """Return the training on scenes and their codes (N, 64)."""

        def loss(batch: Batch, dice: torch.Generator) -> Tensor:
            logits = model(batch.x_0, batch.given)
            return functional.cross_entropy(logits.flatten(0, 1), batch.x_0.flatten())

        return fit_seeded(
            model, self.batches(scenes, codes, device), loss, self.steps, self.learning_rate,
            self.seed, self.ema_decay, self.half,
        )  # fmt: skip

    def pipeline(self, network: CodeWriter) -> PatchByPatch:
        """Return the whole model around a network that this recipe trained."""
        reader, _ = models.load_caption_reader(self.captions)
        autoencoder, card = load_autoencoder(self.autoencoder)
        tokeniser, _ = models.load_tokeniser(self.tokeniser)
        parts = ("captions", "autoencoder", "tokeniser")
        return PatchByPatch(reader, network, tokeniser, autoencoder, {
            "parts": {part: getattr(self, part) for part in parts},
            "scaling_factor": card["scaling_factor"],
            "temperature": self.temperature,
            "guidance_scale": self.guidance_scale,
        })  # fmt: skip

    def _draw(self, model: PatchByPatch, asked: list[str], dice: list[torch.Generator]) -> Tensor:
        *_, codes = model.steps(asked, generator=dice)
        return model.to_pictures(codes)
