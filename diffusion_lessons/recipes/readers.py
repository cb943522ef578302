"""How the networks that read are trained: the recogniser, the two judges, the caption encoder."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import conditioning, data, postcards
from diffusion_lessons.models import CaptionReader
from diffusion_lessons.postcards import Caption
from diffusion_lessons.scoring import clothes, outlines, recognition
from diffusion_lessons.scoring.networks import Classifier, Evaluator
from diffusion_lessons.scoring.statistics import shares
from diffusion_lessons.training.fit import Fit

from .recipe import FRESH_SEED, SCORED, Recipe


@dataclass(frozen=True, kw_only=True)
class RecogniserRecipe(Recipe):
    """How a recogniser of postcards is trained, on scenes drawn afresh for every step."""

    evaluator: ClassVar[type[Evaluator]] = recognition.PostcardEvaluator
    fitting: ClassVar[dict] = {"weight_decay": 0.02, "betas": (0.9, 0.999), "fused": False}
    about: ClassVar[str] = (
        "postcards of both splits, so that every pair is seen equally often, in the "
        "training mix, drawn afresh for every step; some blurred, noisy or coarse"
    )

    def _untrained(self, name: str) -> Classifier:
        return self.evaluator.networks[name]()

    def _stored(self, split: str) -> tuple[Tensor, ...]:
        """The pictures and classes of a split, where they are not drawn afresh."""
        return ()

    def _fit(self, model: Classifier, device: torch.device) -> Fit:
        stored = tuple(part.to(device) for part in self._stored("train"))
        loss = functools.partial(
            self.evaluator(model).loss, batch=self.batch, seed=self.seed, data=stored
        )
        return Fit(model, self.steps, self.learning_rate, loss, **self.fitting)

    def _describe(self, name: str, model: Classifier) -> dict:
        fresh = self._stored("test") or (4096, FRESH_SEED)
        return {"data": self.about, "scores": self.evaluator(model.cpu()).report(*fresh)}


@dataclass(frozen=True, kw_only=True)
class FashionJudgeRecipe(RecogniserRecipe):
    """How the judge of Fashion-MNIST is trained, on all training pictures."""

    evaluator = clothes.ClothesEvaluator
    fitting = {"weight_decay": 0.02, "warm_up": 0.2}
    about = "the 60,000 training pictures of Fashion-MNIST, half of them mirrored"

    def _stored(self, split: str) -> tuple[Tensor, ...]:
        real = data.load("fashion-mnist", clothes.SIZE, 1, split).all()
        return real.x_0, real.given[:, 0]


@dataclass(frozen=True, kw_only=True)
class OutlineJudgeRecipe(RecogniserRecipe):
    """How the reader of outlines is trained, on scenes drawn afresh for every step."""

    evaluator = outlines.OutlineEvaluator


_FULL = 0.35  # of the captions say everything, and
_EMPTY = 0.03  # nothing at all
_NOT_ASKED = -100  # what torch's cross entropy passes over


@dataclass(frozen=True, kw_only=True)
class CaptionsRecipe(Recipe):
    """How the caption encoder is trained: it learns to name what captions mention."""

    width: int
    layers: int
    built = CaptionReader
    built_with = ("width", "layers")

    def network(self) -> dict:
        """Return the settings of the `CaptionReader`, by name."""
        known = {"words": len(conditioning.WORDS), "length": conditioning.LENGTH}
        return super().network() | known | conditioning.attribute_classes()

    def _fit(self, model: CaptionReader, device: torch.device) -> Fit:
        def loss(step: int) -> Tensor:
            *words, truth = examples(captions(self.batch, self.step_seed(step)), device)
            return functools.reduce(torch.add, map(_wrong, model(*words), truth.unbind(dim=1)))

        return Fit(model, self.steps, self.learning_rate, loss, ema_decay=0.995)

    def _describe(self, name: str, model: CaptionReader) -> dict:
        model, scores = model.cpu(), {}
        for kind, split in (("captions", "train"), ("captions of held-out pairs", "held_out")):
            scenes = postcards.sample_scenes(SCORED, FRESH_SEED, split)
            *words, truth = examples(postcards.described_captions(scenes, FRESH_SEED))
            with torch.inference_mode():
                guesses = torch.stack([part.argmax(dim=1) for part in model(*words)], dim=1)
            right = {"everything right": ((guesses == truth) | (truth == _NOT_ASKED)).all(dim=1)}
            scores[kind] = shares(right, *right, of="captions")
        return {
            "caption_reader": self.network(),
            "words": list(conditioning.WORDS),
            "data": "captions of the training split, no pictures",
            "scores": scores,
        }


def captions(count: int, seed: int) -> list[Caption]:
    """Write captions of the training split: some say everything, a few say nothing."""
    scenes = postcards.sample_scenes(count, seed)
    full, empty = round(count * _FULL), round(count * _EMPTY)
    batch = postcards.described_captions(scenes[: count - full], seed)
    batch += postcards.described_captions(scenes[count - full :], seed, full=True)
    return [Caption("", postcards.parse(""))] * empty + batch[empty:]


def examples(batch: list[Caption], device: torch.device | str = "cpu") -> tuple[Tensor, ...]:
    """Return the numbers of the words (N, 32), the places of the nouns (N, 2), and
    `conditioning.attribute_targets` (N, 12), which pass over things that no noun names."""
    tokens = conditioning.word_numbers([caption.text for caption in batch])
    truth = conditioning.attribute_targets([caption.description for caption in batch])
    nouns = conditioning.noun_places(tokens)
    missing = (nouns < 0).repeat_interleave(5, dim=1)
    truth[:, 2:] = truth[:, 2:].masked_fill(missing, _NOT_ASKED)
    return tokens.to(device), nouns.to(device), truth.to(device)


def _wrong(logits: Tensor, right: Tensor) -> Tensor:
    """The mean cross entropy of what was asked; 0 where nothing was."""
    errors = functional.cross_entropy(logits, right, ignore_index=_NOT_ASKED, reduction="sum")
    return errors / (right != _NOT_ASKED).sum().clamp(min=1)
