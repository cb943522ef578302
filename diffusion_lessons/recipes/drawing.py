"""How the networks that draw are trained: by labels, or on latents, by captions."""

from __future__ import annotations

import statistics
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from diffusion_lessons import conditioning, data, models, postcards, sampling, schedule, scoring
from diffusion_lessons.data import Batch, PictureSet
from diffusion_lessons.models import TextUNet, Transformer, UNet
from diffusion_lessons.pipeline import TextToImage, load_autoencoder
from diffusion_lessons.prediction import as_denoiser
from diffusion_lessons.training import Batches, train
from diffusion_lessons.training.fit import Fit, in_half

from .recipe import FRESH_SEED, SCORED, SHEET, Recipe, save_sheet

_DRAWN = 64  # pictures that a network draws together
_ENCODED = 128  # pictures to learn from that are drawn and encoded together


@dataclass(frozen=True, kw_only=True)
class DrawingRecipe(Recipe):
    """How a network that draws what it is asked for is trained."""

    schedule: str  # of the noise
    kind: str  # of what is predicted, one of `prediction.KINDS`
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

    def _denoise(self, model: nn.Module, batches: Batches, half: bool = False) -> Fit:
        return train(
            model, batches, getattr(schedule, self.schedule), self.kind, self.steps,
            self.learning_rate, self.seed, self.ema_decay, half,
        )  # fmt: skip

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
class GeneratorRecipe(DrawingRecipe):
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


@dataclass(frozen=True, kw_only=True)
class LatentRecipe(DrawingRecipe):
    """How the network of a text-to-image model is trained, on latents."""

    captions: str  # the names of the weights it works with, which stay as they are
    autoencoder: str
    pictures: int  # are drawn and encoded once; each step takes some, with new captions
    kinds: dict[str, float]  # the share of each kind of scene, see `postcards.sample_scenes`
    p_uncond: float  # the share of the captions that are dropped
    full: float  # the share of the captions that mention everything
    half: bool  # see `training.train`
    num_inference_steps: int  # the pipeline's defaults
    guidance_scale: float
    sampler: ClassVar[str] = "dpm_solver"  # a function of `sampling`
    card_key: ClassVar[str]  # under which the card has the settings of the network

    def network(self) -> dict:
        """Return the settings of the network, by name."""
        _, card = models.load_caption_reader(self.captions)
        return super().network() | {"context_channels": card["caption_reader"]["width"]}

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

    def _fit(self, model: nn.Module, device: torch.device) -> Fit:
        return self._denoise(model, self.batches(*self.latents(device), device), self.half)

    def pipeline(self, unet: Any) -> TextToImage:
        """Return the whole model around a network that this recipe trained."""
        reader, _ = models.load_caption_reader(self.captions)
        autoencoder, card = load_autoencoder(self.autoencoder)
        kept = ("schedule", "kind", "sampler", "num_inference_steps", "guidance_scale")
        return TextToImage(reader, unet, autoencoder, {
            "parts": {"captions": self.captions, "autoencoder": self.autoencoder},
            "sample_size": 8,  # height and width of a postcard's latents
            "scaling_factor": card["scaling_factor"],
            **{key: getattr(self, key) for key in kept},
        })  # fmt: skip

    def _draw(self, model: TextToImage, asked: list[str], dice: list[torch.Generator]) -> Tensor:
        *_, last = model.steps(asked, latents=model.noise(len(asked), dice))
        return model.decode(last.x_next)

    def _describe(self, name: str, model: nn.Module) -> dict:
        pipe = self.pipeline(model.cpu())
        first = postcards.captions(postcards.sample_scenes(SHEET, 0), 0)
        mix = ", ".join(f"{share:.0%} of kind {kind!r}" for kind, share in self.kinds.items())
        return {
            self.card_key: self.network(),
            **pipe.card,
            "data": f"postcards ({mix}), encoded, with captions written anew each time",
            **self._measure(
                name, pipe, first, first, lambda draw: scoring.follows(draw, SCORED, FRESH_SEED)
            ),
        }


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
