"""How the networks that paint by captions are trained, on latents that are made beforehand."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from diffusion_lessons import conditioning, models, postcards, scoring
from diffusion_lessons.data import Batch
from diffusion_lessons.models import TextUNet, Transformer
from diffusion_lessons.pipeline import PatchByPatch, TextToImage, load_autoencoder
from diffusion_lessons.training import Batches
from diffusion_lessons.training.fit import Fit, in_half

from .drawing import DenoisingRecipe, DrawingRecipe
from .recipe import FRESH_SEED, SCORED, SHEET, Recipe

_ENCODED = 128  # pictures to learn from that are drawn and encoded together


@dataclass(frozen=True, kw_only=True)
class EncodedRecipe(Recipe):
    """How a network is trained on the latents of postcards."""

    autoencoder: str  # the name of the weights that encode, which stay as they are
    pictures: int  # are drawn and encoded once; each step takes some
    kinds: dict[str, float]  # the share of each kind of scene, see `postcards.sample_scenes`
    half: bool  # see `training.train`

    def scenes(self) -> postcards.Scenes:
        """Return the scenes to learn from."""
        return postcards.concatenate([
            postcards.sample_scenes(round(self.pictures * share), self.seed + number, kind=kind)
            for number, (kind, share) in enumerate(self.kinds.items())
        ])  # fmt: skip

    def draw(self, scenes: postcards.Scenes) -> Tensor:
        """Draw scenes to learn from."""
        return postcards.draw(scenes)

    def latents(self, device: torch.device) -> tuple[postcards.Scenes, Tensor]:
        """Return the scenes to learn from and their scaled latents (N, C, 8, 8)."""
        autoencoder, card = load_autoencoder(self.autoencoder)
        autoencoder, scenes, parts = autoencoder.to(device), self.scenes(), []
        for start in tqdm(range(0, len(scenes), _ENCODED), desc="drawing and encoding"):
            images = self.draw(scenes[start : start + _ENCODED]).to(device)
            with torch.inference_mode(), in_half(self.half, device):
                mean, _ = autoencoder.encode(images)
            parts.append(mean.float() * card["scaling_factor"])
        return scenes, torch.cat(parts)

    @property
    def mix(self) -> str:
        """The shares of the kinds of scenes, in words."""
        return ", ".join(f"{share:.0%} of kind {kind!r}" for kind, share in self.kinds.items())


@dataclass(frozen=True, kw_only=True)
class CaptionedRecipe(EncodedRecipe, DrawingRecipe):
    """How a network that paints by captions is trained."""

    captions: str  # the name of the weights that read them, which stay as they are
    p_uncond: float  # the share of the captions that are dropped
    full: float  # the share of the captions that mention everything
    card_key: ClassVar[str]  # under which the card has the settings of the network

    def network(self) -> dict:
        """Return the settings of the network, by name."""
        _, card = models.load_caption_reader(self.captions)
        return super().network() | {"context_channels": card["caption_reader"]["width"]}

    def batches(
        self, scenes: postcards.Scenes, latents: Tensor, device: torch.device,
        drop: Callable[..., Tensor] = conditioning.drop_captions,
    ) -> Batches:  # fmt: skip
        """Return a function from a step's number to latents, context and captions.

        `drop` leaves captions out, and is called as `conditioning.drop_captions`.
        """
        encoder = models.load_caption_reader(self.captions)[0].encoder.to(device)

        @torch.no_grad()
        def encode(captions: list[str]) -> Tensor:
            return encoder(conditioning.word_numbers(captions).to(device))

        null_context, full = encode([""]), round(self.batch * self.full)

        def batch(step: int) -> Batch:
            seed = self.step_seed(step)
            dice = torch.Generator().manual_seed(2**30 + seed)
            rows = torch.randint(len(latents), (self.batch,), generator=dice)
            captions = postcards.captions(scenes[rows[:full]], seed, full=True)
            captions += postcards.captions(scenes[rows[full:]], seed)
            thrown = torch.rand(self.batch, generator=dice).to(device)
            given = drop(encode(captions), null_context, self.p_uncond, thrown)
            return Batch(latents[rows], given, captions)

        return batch

    @abstractmethod
    def pipeline(self, network: Any) -> TextToImage | PatchByPatch:
        """Return the whole model around a network that this recipe trained."""

    def _describe(self, name: str, model: nn.Module) -> dict:
        pipe = self.pipeline(model.cpu())
        first = postcards.captions(postcards.sample_scenes(SHEET, 0), 0)
        return {
            self.card_key: self.network(),
            **pipe.card,
            "data": f"postcards ({self.mix}), encoded, with captions written anew each time",
            **self._measure(
                name, pipe, first, first, lambda draw: scoring.follows(draw, SCORED, FRESH_SEED)
            ),
        }


@dataclass(frozen=True, kw_only=True)
class LatentRecipe(CaptionedRecipe, DenoisingRecipe):
    """How the denoiser of a text-to-image model is trained."""

    num_inference_steps: int  # the pipeline's defaults
    guidance_scale: float
    sampler: ClassVar[str] = "dpm_solver"  # a function of `sampling`

    def _fit(self, model: nn.Module, device: torch.device) -> Fit:
        return self._denoise(model, self.batches(*self.latents(device), device), self.half)

    def pipeline(self, network: Any) -> TextToImage:
        """Return the whole model around a network that this recipe trained."""
        reader, _ = models.load_caption_reader(self.captions)
        autoencoder, card = load_autoencoder(self.autoencoder)
        kept = ("schedule", "kind", "sampler", "num_inference_steps", "guidance_scale")
        return TextToImage(reader, network, autoencoder, {
            "parts": {"captions": self.captions, "autoencoder": self.autoencoder},
            "sample_size": 8,  # height and width of a postcard's latents
            "scaling_factor": card["scaling_factor"],
            **{key: getattr(self, key) for key in kept},
        })  # fmt: skip

    def _draw(self, model: TextToImage, asked: list[str], dice: list[torch.Generator]) -> Tensor:
        *_, last = model.steps(asked, latents=model.noise(len(asked), dice))
        return model.decode(last.x_next)


@dataclass(frozen=True, kw_only=True)
class TextToImageRecipe(LatentRecipe):
    """How the U-Net of the text-to-image model is trained."""

    widths: tuple[int, int]
    blocks: tuple[int, int]
    built = TextUNet
    built_with: ClassVar[tuple[str, ...]] = ("widths", "blocks")
    card_key = "text_unet"


@dataclass(frozen=True, kw_only=True)
class FlowRecipe(TextToImageRecipe):
    """How such a U-Net is trained on straight paths, which it walks with the simplest sampler."""

    sampler = "euler"


@dataclass(frozen=True, kw_only=True)
class TransformerRecipe(LatentRecipe):
    """How a transformer in the place of that U-Net is trained, on straight paths."""

    width: int
    depth: int
    patch: int
    built = Transformer
    built_with = ("width", "depth", "patch")
    card_key = "transformer"
    sampler = "euler"
