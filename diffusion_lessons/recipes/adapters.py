"""How the adapters of the text-to-image model are trained, which itself stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from diffusion_lessons import conditioning, models, postcards, schedule, scoring
from diffusion_lessons.data import Batch
from diffusion_lessons.models import ControlNet, IPAdapter
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards import Scenes
from diffusion_lessons.postcards.outline import horizon_line, outline, sketch
from diffusion_lessons.scoring import outlines, recognition
from diffusion_lessons.training import diffusion_loss, fit_seeded, spread_times
from diffusion_lessons.training.fit import Fit

from .drawing import DenoisingRecipe
from .latent import TextToImageRecipe
from .recipe import FRESH_SEED, SCORED, SHEET

_READ = 256  # pictures to learn from that are drawn and read together


@dataclass(frozen=True, kw_only=True)
class IPAdapterRecipe(DenoisingRecipe):
    """How an IP-Adapter is trained: by pairs of pictures of the same thing, one to look at and one
    to draw. All else differs in these, so that copying does not pay."""

    unet: str  # the name of the weights it works with, which stay as they are
    pairs: int  # are drawn and read once; each step takes some, with new captions
    p_uncond: float  # the share of the captions that are dropped, so that the picture says all
    features: int  # see `IPAdapter`
    width: int
    channels: tuple[int, ...]
    built = IPAdapter
    built_with = ("features", "width", "channels")

    def scenes(self) -> tuple[Scenes, Scenes]:
        """Return scenes to look at and to draw: things of the same objects and colours."""
        seeds = self.step_seed(0), self.step_seed(100)
        seen, drawn = (postcards.sample_scenes(self.pairs, seed, kind="single") for seed in seeds)
        same = {name: seen.attributes[name] for name in ("object", "colour")}
        return seen, Scenes(drawn.attributes | same, drawn.dice)

    def _fit(self, model: IPAdapter, device: torch.device) -> Fit:
        pipe, (seen, drawn) = TextToImage.from_pretrained(self.unet).to(device), self.scenes()
        looks, parts = recognition.load("recogniser").features, range(0, len(seen), _READ)
        latents = torch.cat([pipe.encode(postcards.draw(drawn[i : i + _READ])) for i in parts])
        features = torch.cat([looks(postcards.draw(seen[i : i + _READ])) for i in parts])
        features, rates = features.clone().to(device), getattr(schedule, self.schedule)
        unet = model.attached(pipe.unet)

        def batch(step: int) -> tuple[Tensor, ...]:
            seed = self.step_seed(step)
            dice = torch.Generator().manual_seed(2**30 + seed)
            rows = torch.randint(len(latents), (self.batch,), generator=dice)
            words = conditioning.word_numbers(postcards.captions(drawn[rows], seed))
            thrown = torch.rand(self.batch, generator=dice) < self.p_uncond
            with torch.no_grad():
                context = pipe.encoder(words.masked_fill(thrown[:, None], 0).to(device))
            return latents[rows], context, features[rows]

        def loss(batch: tuple[Tensor, ...], dice: torch.Generator) -> Tensor:
            x_0, context, features = batch
            t = spread_times(
                len(x_0), dice
            ).sqrt()  # often much noise: little tells the colour then
            eps = torch.randn(x_0.shape, generator=dice)
            given = torch.cat([context, model(features)], dim=1)
            return diffusion_loss(unet, x_0, t.to(device), eps.to(device), rates, self.kind, given)

        settled = self.steps, self.learning_rate, self.seed, self.ema_decay
        return fit_seeded(model, batch, loss, *settled)

    def _draw(self, model: TextToImage, asked: Tensor, dice: list[torch.Generator]) -> Tensor:
        noise = model.noise(len(asked), dice)
        *_, last = model.steps([""] * len(asked), latents=noise, ip_adapter_image=(asked + 1) / 2)
        return model.decode(last.x_next)

    def _describe(self, name: str, model: IPAdapter) -> dict:
        pipe, first = TextToImage.from_pretrained(self.unet), postcards.sample_scenes(SHEET, 0)
        pipe.ip_adapter, words = model.cpu(), postcards.captions(first, 0, full=True)
        return {
            "ip_adapter": self.network(),
            "data": "pairs of postcards of the same thing; all else differs",
            **self._measure(
                name, pipe, postcards.draw(first), words,
                lambda draw: scoring.takes_over(draw, SCORED, FRESH_SEED),
            ),
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ControlNetRecipe(TextToImageRecipe):
    """How a branch is trained that lets an outline lay out what a frozen model draws."""

    model: str  # the frozen one; `widths` are its own
    built = ControlNet

    def _untrained(self, name: str) -> ControlNet:
        return ControlNet.from_unet(models.load_text_unet(self.model)[0], self.blocks)

    def _fit(self, model: ControlNet, device: torch.device) -> Fit:  # type: ignore[override]
        scenes, latents = self.latents(device)
        masks = postcards.thing_masks(scenes)
        lines, unet = horizon_line(scenes, masks), models.load_text_unet(self.model)[0].to(device)

        def loss(batch: Batch, dice: torch.Generator) -> Tensor:
            rows = batch.x_0
            drawn = sketch(masks[rows], lines[rows], dice).float().to(device)
            # The layout is settled while there is much noise. Mou et al. 2023, section 3.3.
            x_0, t = latents[rows], 1 - spread_times(len(rows), dice).to(device) ** 2
            eps = torch.randn(x_0.shape, generator=dice).to(device)

            def output(x_t: Tensor, t: Tensor, context: Tensor) -> Tensor:
                return unet(x_t, t, context, model(x_t, t, context, drawn))

            rates: Any = getattr(schedule, self.schedule)
            return diffusion_loss(output, x_0, t, eps, rates, self.kind, batch.given)

        return fit_seeded(
            model, self.batches(scenes, torch.arange(len(scenes)), device), loss,
            self.steps, self.learning_rate, self.seed, self.ema_decay, self.half,
        )  # fmt: skip

    def _draw(self, model: TextToImage, asked: Any, dice: list[torch.Generator]) -> Tensor:
        said, lines = postcards.captions(asked, FRESH_SEED, full=True), list(outline(asked))
        noise = model.noise(len(asked), dice)
        *_, last = model.steps(said, latents=noise, control_image=lines)
        return model.decode(last.x_next)

    def _describe(self, name: str, model: ControlNet) -> dict:  # type: ignore[override]
        pipe, first = TextToImage.from_pretrained(self.model), postcards.sample_scenes(SHEET, 0)
        pipe.controlnet, said = model.cpu(), postcards.captions(first, FRESH_SEED, full=True)
        return {
            "controlnet": self.network(),
            "parts": {"unet": self.model},
            "data": "postcards, encoded, with captions and outlines drawn anew each time",
            **self._measure(
                name, pipe, first, said,
                lambda draw: outlines.follows(draw, SCORED // 2, FRESH_SEED),
            ),
        }  # fmt: skip
