"""How the caption encoder is trained: it learns to name the attributes that captions mention."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from diffusion_lessons import conditioning, postcards
from diffusion_lessons.models import CaptionReader
from diffusion_lessons.postcards import Caption
from diffusion_lessons.scoring.statistics import shares
from diffusion_lessons.training.fit import Fit, inner_weights

from .recipe import FRESH_SEED, SCORED, Recipe

_FULL = 0.35  # of the captions say everything, and
_EMPTY = 0.03  # nothing at all
_NOT_ASKED = -100  # what torch's cross entropy passes over


@dataclass(frozen=True, kw_only=True)
class CaptionsRecipe(Recipe):
    """How the caption encoder is trained; `width` and `layers` are of the `CaptionEncoder`."""

    width: int
    layers: int

    def network(self) -> dict:
        """Return the settings of the `CaptionReader`, by name."""
        return {
            "words": len(conditioning.WORDS),
            "width": self.width,
            "layers": self.layers,
            "length": conditioning.LENGTH,
            **conditioning.attribute_classes(),
        }

    def untrained(self, name: str) -> CaptionReader:
        """Return an untrained caption reader."""
        return CaptionReader(**self.network())

    def fit(self, model: CaptionReader, device: torch.device) -> Fit:
        """Return the training of `model`."""

        def loss(step: int) -> torch.Tensor:
            batch = captions(self.batch, self.step_seed(step))
            tokens = word_numbers(batch)
            logits = model(tokens.to(device), conditioning.noun_places(tokens).to(device))
            truth = targets(batch).to(device).unbind(dim=1)
            return functools.reduce(torch.add, map(_wrong, logits, truth))

        inner = inner_weights(model)
        return Fit(model, self.steps, self.learning_rate, loss, inner=inner, ema_decay=0.995)

    def describe(self, name: str, model: nn.Module) -> dict:
        """Return settings, words and the share of fresh captions of which all is named right."""
        model, scores = model.cpu(), {}
        for kind, split in (("captions", "train"), ("captions of held-out pairs", "held_out")):
            scenes = postcards.sample_scenes(SCORED, FRESH_SEED, split)
            fresh = postcards.described_captions(scenes, FRESH_SEED)
            tokens, truth = word_numbers(fresh), targets(fresh)
            with torch.inference_mode():
                logits = model(tokens, conditioning.noun_places(tokens))
            guesses = torch.stack([part.argmax(dim=1) for part in logits], dim=1)
            right = ((guesses == truth) | (truth == _NOT_ASKED)).all(dim=1)
            scores[kind] = {"captions": SCORED} | shares(
                {"everything right": right}, "everything right"
            )
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


def word_numbers(batch: list[Caption]) -> torch.Tensor:
    """Turn captions into numbers of words, (N, 32)."""
    return conditioning.word_numbers([caption.text for caption in batch])


def _wrong(logits: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """The mean cross entropy of what was asked; 0 where nothing was."""
    errors = functional.cross_entropy(logits, right, ignore_index=_NOT_ASKED, reduction="sum")
    return errors / (right != _NOT_ASKED).sum().clamp(min=1)


def targets(batch: list[Caption]) -> torch.Tensor:
    """Return `conditioning.attribute_targets` (N, 12); those of things that a caption does not name
    are passed over."""
    truth = conditioning.attribute_targets([caption.description for caption in batch])
    missing = conditioning.noun_places(word_numbers(batch)) < 0
    truth[:, 2:] = truth[:, 2:].masked_fill(missing.repeat_interleave(5, dim=1), _NOT_ASKED)
    return truth
