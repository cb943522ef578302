"""How a student of the text-to-image network is trained, which paints in a few calls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from diffusion_lessons import conditioning, models, postcards, sampling, schedule, scoring
from diffusion_lessons.models import TextUNet
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.prediction import as_denoiser
from diffusion_lessons.training import fit_seeded
from diffusion_lessons.training.fit import Fit

from .latent import TextToImageRecipe
from .recipe import FRESH_SEED, SCORED

_TOGETHER = 64  # pictures that the teacher paints together


@dataclass(frozen=True, kw_only=True)
class DistillRecipe(TextToImageRecipe):
    """How a student learns to paint in a few calls what its teacher paints in many.

    It begins as a copy of the teacher. Whatever its call, its target is the end of the teacher's
    guided walk from the same noise, and what it is given there is where its own calls before have
    led: so it learns to mend its own mistakes, not those of the teacher.
    """

    teacher: str  # its weights' name; `widths` and `blocks` are its own
    teacher_steps: int
    teacher_scale: float  # of the guidance, which the student then has built in
    visits: tuple[tuple[int, int, int], ...]  # calls in all, calls before, pictures of a batch
    sampler: ClassVar[str] = "ddim"

    def _untrained(self, name: str) -> TextUNet:
        return models.load_text_unet(self.teacher)[0].requires_grad_(True)

    def said(self, seed: int) -> list[str]:
        """Write some captions of the training mix, in random order."""
        scenes = postcards.concatenate([
            postcards.sample_scenes(round(_TOGETHER * share), seed, kind=kind)
            for kind, share in self.kinds.items()
        ])  # fmt: skip
        scenes = scenes[torch.randperm(len(scenes), generator=torch.Generator().manual_seed(seed))]
        full, empty = round(_TOGETHER * self.full), round(_TOGETHER * self.p_uncond)
        captions = postcards.captions(scenes[:full], seed, full=True)
        captions += postcards.captions(scenes[full:], seed)
        return captions[: len(captions) - empty] + [""] * empty

    def walks(self, device: torch.device) -> tuple[Tensor, ...]:
        """Return the words (N, 32) of captions, noise (N, 4, 8, 8), and where the teacher's guided
        walks from there end, alike."""
        teacher, parts = TextToImage.from_pretrained(self.teacher).to(device), []
        for number in tqdm(range(self.pictures // _TOGETHER), desc="the teacher paints"):
            captions = self.said(seed := self.step_seed(number))
            noise = teacher.noise(_TOGETHER, torch.Generator().manual_seed(2**30 + seed))
            walk = teacher.steps(captions, None, self.teacher_steps, self.teacher_scale, noise)
            words = conditioning.word_numbers(captions).to(device)
            parts.append((words, noise, sampling.finish(walk)))
        return tuple(map(torch.cat, zip(*parts, strict=True)))

    def practise(self, model: nn.Module, noise: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Walk from noise as far as `visits` wants; return x_t (B, 4, 8, 8) and t (B,)."""
        rates, arrived, counts = getattr(schedule, self.schedule), [], [n for *_, n in self.visits]
        parts = zip(self.visits, noise.split(counts), context.split(counts), strict=True)
        for (calls, before, count), x_t, given in parts:
            times = sampling.times(calls)[: before + 1]
            if before:
                denoiser = as_denoiser(model, rates, self.kind, given)
                x_t = sampling.finish(sampling.ddim(denoiser, rates, x_t, times))
            arrived.append((x_t, times[-1:].expand(count).to(x_t)))
        x_t, t = map(torch.cat, zip(*arrived, strict=True))
        return x_t, t

    def _fit(self, model: nn.Module, device: torch.device) -> Fit:
        walks = self.walks(device)
        encoder = models.load_caption_reader(self.captions)[0].encoder.to(device)

        def batch(step: int) -> tuple[Tensor, ...]:
            dice = torch.Generator().manual_seed(2**30 + self.step_seed(step))
            rows = torch.randint(len(walks[0]), (self.batch,), generator=dice)
            words, noise, ends = (part[rows] for part in walks)
            with torch.no_grad():
                return encoder(words), noise, ends

        def loss(batch: tuple[Tensor, ...], dice: torch.Generator) -> Tensor:
            context, noise, ends = batch
            return functional.mse_loss(model(*self.practise(model, noise, context), context), ends)

        settled = self.steps, self.learning_rate, self.seed, self.ema_decay, self.half
        return fit_seeded(model, batch, loss, *settled)

    def _describe(self, name: str, model: nn.Module) -> dict:
        described, usual = super()._describe(name, model), self.num_inference_steps
        scores = {usual: described["scores"]}
        for calls in {calls for calls, *_ in self.visits} - {usual}:
            pipe = replace(self, num_inference_steps=calls).pipeline(model)

            def draw(said: list[str], pipe: TextToImage = pipe) -> Tensor:
                return self.make(pipe, said, range(FRESH_SEED, FRESH_SEED + len(said)))

            scores[calls] = scoring.follows(draw, SCORED, FRESH_SEED)
        return described | {
            "data": f"{self.pictures} guided walks of {self.teacher}, no postcards",
            "scores": {f"{n} call{'s' * (n > 1)}": scores[n] for n in sorted(scores)},
        }
