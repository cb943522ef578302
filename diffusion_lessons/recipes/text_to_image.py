"""How the U-Net of the text-to-image model is trained: on latents, with captions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from diffusion_lessons import conditioning, models, postcards, schedule, scoring, training
from diffusion_lessons.data import Batch
from diffusion_lessons.models import TextUNet
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.training.fit import Fit

from .recipe import FRESH_SEED, SCORED, SHEET, Recipe, save_sheet

_SAMPLE_SIZE = 8  # height and width of a postcard's latents
_AT_A_TIME = 256  # pictures drawn and encoded at a time


@dataclass(frozen=True, kw_only=True)
class TextToImageRecipe(Recipe):
    """How the U-Net of the text-to-image model is trained.

    Attributes:
        captions, autoencoder: the names of the weights it works with, which stay as they are.
        pictures: how many are drawn and encoded once; each step takes some of them, with new
            captions.
        kinds: which share of them is of each kind of scene, see `postcards.sample_scenes`.
        widths, blocks: of the `TextUNet`.
        schedule, kind: of the noise, and what is predicted (see `prediction.KINDS`).
        p_uncond: the share of the captions that are dropped.
        full: the share of the captions that mention everything.
        ema_decay, half: see `training.train`.
        num_inference_steps, guidance_scale: the pipeline's defaults.
    """

    captions: str
    autoencoder: str
    pictures: int
    kinds: dict[str, float]
    widths: tuple[int, int]
    blocks: tuple[int, int]
    schedule: str
    kind: str
    p_uncond: float
    full: float
    ema_decay: float
    half: bool
    num_inference_steps: int
    guidance_scale: float

    def network(self) -> dict:
        """Return the settings of the `TextUNet`, by name."""
        _, card = models.load_caption_reader(self.captions)
        context = card["caption_reader"]["width"]
        return {"widths": self.widths, "blocks": self.blocks, "context_channels": context}

    def untrained(self, name: str) -> TextUNet:
        """Return an untrained U-Net."""
        return TextUNet(**self.network())

    def scenes(self) -> postcards.Scenes:
        """Return the scenes to learn from."""
        return postcards.concatenate([
            postcards.sample_scenes(round(self.pictures * share), self.seed + number, kind=kind)
            for number, (kind, share) in enumerate(self.kinds.items())
        ])  # fmt: skip

    def latents(self, device: torch.device) -> tuple[postcards.Scenes, Tensor]:
        """Return the scenes to learn from and their scaled latents (N, 4, 8, 8)."""
        autoencoder, card = models.load_autoencoder(self.autoencoder)
        autoencoder = autoencoder.to(device)
        scenes = self.scenes()
        parts, half = [], torch.autocast(device.type, torch.bfloat16, enabled=self.half)
        for start in tqdm(range(0, len(scenes), _AT_A_TIME), desc="drawing and encoding"):
            images = postcards.draw(scenes[start : start + _AT_A_TIME]).to(device)
            with torch.inference_mode(), half:
                mean, _ = autoencoder.encode(images)
            parts.append(mean.float() * card["scaling_factor"])
        return scenes, torch.cat(parts)

    def batches(
        self, scenes: postcards.Scenes, latents: Tensor, device: torch.device
    ) -> Callable[[int], Batch]:
        """Return a function from a step's number to latents, context and captions."""
        encoder = models.load_caption_reader(self.captions)[0].encoder.to(device)
        with torch.no_grad():
            null_context = encoder(conditioning.word_numbers([""]).to(device))
        full = round(self.batch * self.full)

        def batch(step: int) -> Batch:
            seed = self.step_seed(step)
            dice = torch.Generator().manual_seed(2**30 + seed)
            rows = torch.randint(len(latents), (self.batch,), generator=dice)
            captions = postcards.captions(scenes[rows[:full]], seed, full=True)
            captions += postcards.captions(scenes[rows[full:]], seed)
            with torch.no_grad():
                context = encoder(conditioning.word_numbers(captions).to(device))
            context = conditioning.drop_captions(context, null_context, self.p_uncond, dice)
            return Batch(latents[rows], context, captions)

        return batch

    def fit(self, model: TextUNet, device: torch.device) -> Fit:
        """Return the training of `model`."""
        batches, noise = self.batches(*self.latents(device), device), self.schedule
        return training.train(
            model, batches, getattr(schedule, noise), self.kind, self.steps, self.learning_rate,
            self.seed, self.ema_decay, self.half,
        )  # fmt: skip

    def pipeline(self, unet: TextUNet) -> TextToImage:
        """Return the whole model around a U-Net that this recipe trained."""
        reader, _ = models.load_caption_reader(self.captions)
        autoencoder, card = models.load_autoencoder(self.autoencoder)
        return TextToImage(reader, unet, autoencoder, self.card(card["scaling_factor"]))

    def card(self, scaling_factor: float) -> dict:
        """Return what a pipeline has to know."""
        return {
            "parts": {"captions": self.captions, "autoencoder": self.autoencoder},
            "schedule": self.schedule,
            "kind": self.kind,
            "sample_size": _SAMPLE_SIZE,
            "scaling_factor": scaling_factor,
            "num_inference_steps": self.num_inference_steps,
            "guidance_scale": self.guidance_scale,
        }

    def describe(self, name: str, model: TextUNet) -> dict:
        """Return settings, first seeds, seconds per picture and how captions are followed."""
        pipe = self.pipeline(model.cpu())
        first = postcards.captions(postcards.sample_scenes(SHEET, 0), 0)
        file = save_sheet(name, draw(pipe, first, 0), first)
        mix = ", ".join(f"{share:.0%} of kind {kind!r}" for kind, share in self.kinds.items())
        started = time.monotonic()
        scores = scoring.follows(lambda texts: draw(pipe, texts, FRESH_SEED), SCORED, FRESH_SEED)
        count = sum(row["pictures"] for row in scores.values())
        return {
            "text_unet": self.network(),
            **self.card(pipe.scaling_factor),
            "data": f"postcards ({mix}), encoded, with captions written anew each time",
            "first seeds": {"file": file, "asked for": first},
            "seconds per picture": round((time.monotonic() - started) / count, 4),
            "scores": scores,
        }


def draw(pipe: TextToImage, prompts: list[str], seed: int) -> Tensor:
    """Draw one picture (N, 3, 64, 64) in [-1, 1] for each prompt, of the seeds from `seed` on."""
    images = []
    for start in range(0, len(prompts), 64):
        part = prompts[start : start + 64]
        seeds = range(seed + start, seed + start + len(part))
        noise = pipe.noise(len(part), [torch.Generator().manual_seed(s) for s in seeds])
        *_, last = pipe.steps(part, latents=noise)
        images.append(pipe.decode(last.x_next))
    return torch.cat(images)
