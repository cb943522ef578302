"""How the U-Net of the text-to-image model is made: on latents, with captions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from diffusion_lessons import (
    conditioning,
    models,
    pictures,
    postcards,
    schedule,
    scoring,
    training,
    workspace,
)
from diffusion_lessons.data import Batch
from diffusion_lessons.models import TextUNet, count_parameters
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.training.fit import Fit

from .recipe import FRESH_SEED, SCORED, SHEET

_SAMPLE_SIZE = 8  # height and width of a postcard's latents
_AT_A_TIME = 256  # pictures drawn and encoded at a time


@dataclass(frozen=True)
class TextToImageRecipe:
    """How the U-Net that listens is made.

    Attributes:
        seed: for the first weights, the pictures, their order, captions and noise.
        captions, autoencoder: the names of the weights it works with, which stay as they are.
        pictures: how many are drawn and encoded once; each step takes some of them, with captions
            written anew.
        kinds: which share of them is of each kind of scene, see `postcards.sample_scenes`.
        widths, blocks: of the `TextUNet`.
        schedule, kind: of the noise, and what the network says (see `prediction.KINDS`).
        p_uncond: the share of the captions that are left out.
        full: the share of the captions that say everything.
        steps, batch, learning_rate, ema_decay, half: see `training.train`.
        num_inference_steps, guidance_scale: what the pipeline does when a call does not say.
    """

    seed: int
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
    steps: int
    batch: int
    learning_rate: float
    ema_decay: float
    half: bool
    num_inference_steps: int
    guidance_scale: float

    def network(self) -> dict:
        """The settings of the `TextUNet`, by name."""
        _, card = models.load_caption_reader(self.captions)
        context = card["caption_reader"]["width"]
        return {"widths": self.widths, "blocks": self.blocks, "context_channels": context}

    def scenes(self) -> postcards.Scenes:
        """The scenes to learn from."""
        return postcards.concatenate([
            postcards.sample_scenes(round(self.pictures * share), self.seed + number, kind=kind)
            for number, (kind, share) in enumerate(self.kinds.items())
        ])  # fmt: skip

    def latents(self, device: torch.device) -> tuple[postcards.Scenes, Tensor]:
        """The scenes to learn from and their scaled latents (N, 4, 8, 8), drawn and encoded."""
        autoencoder, card = models.load_autoencoder(self.autoencoder)
        autoencoder = autoencoder.to(device)
        shown = self.scenes()
        parts, half = [], torch.autocast(device.type, torch.bfloat16, enabled=self.half)
        for start in tqdm(range(0, len(shown), _AT_A_TIME), desc="drawing and encoding"):
            images = postcards.draw(shown[start : start + _AT_A_TIME]).to(device)
            with torch.inference_mode(), half:
                mean, _ = autoencoder.encode(images)
            parts.append(mean.float() * card["scaling_factor"])
        return shown, torch.cat(parts)

    def batches(
        self, shown: postcards.Scenes, latents: Tensor, device: torch.device
    ) -> Callable[[int], Batch]:
        """A step's number to latents with their context, and the captions it comes from."""
        encoder = models.load_caption_reader(self.captions)[0].encoder.to(device)
        with torch.no_grad():
            null_context = encoder(conditioning.word_numbers([""]).to(device))
        full = round(self.batch * self.full)

        def batch(step: int) -> Batch:
            own_seed = self.seed * 1_000_003 + step
            dice = torch.Generator().manual_seed(2**30 + own_seed)
            rows = torch.randint(len(latents), (self.batch,), generator=dice)
            written = postcards.captions(shown[rows[:full]], own_seed, full=True)
            written += postcards.captions(shown[rows[full:]], own_seed)
            with torch.no_grad():
                context = encoder(conditioning.word_numbers(written).to(device))
            context = conditioning.drop_captions(context, null_context, self.p_uncond, dice)
            return Batch(latents[rows], context, written)

        return batch

    def begin(self, name: str, device: torch.device) -> Fit:
        """See `Recipe.begin`."""
        torch.manual_seed(self.seed)
        model = TextUNet(**self.network()).to(device)
        return training.train(
            model,
            self.batches(*self.latents(device), device),
            getattr(schedule, self.schedule),
            self.kind,
            steps=self.steps,
            learning_rate=self.learning_rate,
            seed=self.seed,
            ema_decay=self.ema_decay,
            half=self.half,
        )

    def pipeline(self, unet: TextUNet) -> TextToImage:
        """The whole model around a U-Net that this recipe made."""
        reader, _ = models.load_caption_reader(self.captions)
        autoencoder, card = models.load_autoencoder(self.autoencoder)
        return TextToImage(reader, unet, autoencoder, self.card(card["scaling_factor"]))

    def card(self, scaling_factor: float) -> dict:
        """What a pipeline has to know."""
        return {
            "parts": {"captions": self.captions, "autoencoder": self.autoencoder},
            "schedule": self.schedule,
            "kind": self.kind,
            "sample_size": _SAMPLE_SIZE,
            "scaling_factor": scaling_factor,
            "num_inference_steps": self.num_inference_steps,
            "guidance_scale": self.guidance_scale,
        }

    def tell(self, name: str, model: TextUNet) -> dict:
        """See `Recipe.tell`."""
        pipe = self.pipeline(model.cpu())
        first = postcards.captions(postcards.sample_scenes(SHEET, 0), 0)
        sheet = pictures.grid(draw(pipe, first, 0), first, columns=8, zoom=2)
        path = workspace.own_path(f"{name}.png")
        workspace.write_whole(path, pictures.png(sheet))
        told = ", ".join(f"{share:.0%} of kind {kind!r}" for kind, share in self.kinds.items())
        started = time.monotonic()
        scores = scoring.follows(lambda said: draw(pipe, said, FRESH_SEED), SCORED, FRESH_SEED)
        pictures_made = sum(row["pictures"] for row in scores.values())
        return {
            "network": f"TextUNet, {count_parameters(model)} parameters",
            "text_unet": self.network(),
            **self.card(pipe.scaling_factor),
            "data": f"postcards ({told}), encoded, with captions written anew each time",
            "first seeds": {"file": path.name, "asked for": first},
            "seconds per picture": round((time.monotonic() - started) / pictures_made, 4),
            "scores": scores,
        }


def draw(pipe: TextToImage, prompts: list[str], seed: int) -> Tensor:
    """One picture (N, 3, 64, 64) in [-1, 1] for each prompt, of the seeds from `seed` on, at the
    steps and the guidance scale of the pipeline."""
    made = []
    for start in range(0, len(prompts), 64):
        said = prompts[start : start + 64]
        seeds = range(seed + start, seed + start + len(said))
        noise = pipe.noise(len(said), [torch.Generator().manual_seed(one) for one in seeds])
        *_, last = pipe.steps(said, latents=noise)
        made.append(pipe.decode(last.x_next))
    return torch.cat(made)
