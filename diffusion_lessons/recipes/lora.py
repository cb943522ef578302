"""How a LoRA of the text-to-image model is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from diffusion_lessons import arguments, models, postcards, schedule
from diffusion_lessons.models import LoRA, TextUNet
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards.styles import STYLES
from diffusion_lessons.scoring import styles
from diffusion_lessons.scoring.statistics import shares
from diffusion_lessons.training import train
from diffusion_lessons.training.fit import Fit

from .latent import TextToImageRecipe
from .recipe import FRESH_SEED, SCORED, SHEET


@dataclass(frozen=True, kw_only=True)
class LoRARecipe(TextToImageRecipe):
    """How a LoRA learns a style: as the frozen model was trained, on a few styled postcards."""

    model: str  # the frozen one; `widths` and `blocks` are its own
    style: str  # one of `postcards.styles.STYLES`
    rank: int | None  # None: all weights are trained, and there is no LoRA
    alpha: float
    built = LoRA  # type: ignore[assignment]

    def draw(self, scenes: postcards.Scenes) -> Tensor:
        """Draw scenes to learn from, in the style. Raises ValueError for one that is not there."""
        arguments.choice("style", self.style, [*STYLES])
        return STYLES[self.style](super().draw(scenes))

    def _untrained(self, name: str) -> LoRA | TextUNet:
        unet, _ = models.load_text_unet(self.model)
        return LoRA.of(unet, self.rank, self.alpha) if self.rank else unet.requires_grad_(True)

    def _fit(self, model: Any, device: torch.device) -> Fit:
        unet = models.load_text_unet(self.model)[0].to(device)
        return train(
            model, self.batches(*self.latents(device), device), getattr(schedule, self.schedule),
            self.kind, self.steps, self.learning_rate, self.seed, self.ema_decay, self.half,
            partial(model, unet) if self.rank else model,
        )  # fmt: skip

    def _describe(self, name: str, model: LoRA) -> dict:  # type: ignore[override]
        pipe = TextToImage.from_pretrained(self.model)
        pipe.load_lora_weights(model)
        pipe.fuse_lora()
        first = postcards.captions(postcards.sample_scenes(SHEET // 4, 0), 0)
        return {
            "lora": model.settings,
            "model": self.model,
            "style": self.style,
            "data": f"{self.pictures} postcards in {self.style}, encoded, with changing captions",
            **self._measure(name, pipe, first, first, self._score),
        }

    def _score(self, draw: Callable[[list[str]], Tensor]) -> dict:
        scenes = postcards.sample_scenes(SCORED // 8, FRESH_SEED, kind="single")
        read = styles.read(draw(postcards.captions(scenes, FRESH_SEED, full=True)))
        right = {"in the style": read == styles.NAMES.index(self.style)}
        return shares(right, *right)
