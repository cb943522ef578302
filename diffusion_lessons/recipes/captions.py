"""How the caption encoder is made: it learns to say back what captions say."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from diffusion_lessons import conditioning, postcards
from diffusion_lessons.models import CaptionReader, count_parameters
from diffusion_lessons.postcards import Caption
from diffusion_lessons.scoring.statistics import wilson
from diffusion_lessons.training.fit import Fit, inner_weights

from .recipe import FRESH_SEED, SCORED

_FULL = 0.35  # of the captions say everything, and
_EMPTY = 0.03  # nothing at all
_NOT_ASKED = -100  # what torch's cross entropy passes over


@dataclass(frozen=True)
class CaptionsRecipe:
    """How the caption encoder is made.

    Attributes:
        seed: for the first weights and, with the step's number, for the captions.
        width, layers: of the `CaptionEncoder`.
        steps, batch, learning_rate: see `training.fit.Fit`.
    """

    seed: int
    width: int
    layers: int
    steps: int
    batch: int
    learning_rate: float

    def network(self) -> dict:
        """The settings of the `CaptionReader`, by name."""
        return {
            "words": len(conditioning.WORDS),
            "width": self.width,
            "layers": self.layers,
            "length": conditioning.LENGTH,
            **conditioning.attribute_classes(),
        }

    def begin(self, name: str, device: torch.device) -> Fit:
        """See `Recipe.begin`."""
        torch.manual_seed(self.seed)
        model = CaptionReader(**self.network()).to(device)

        def loss(step: int) -> torch.Tensor:
            written = captions(self.batch, self.seed * 1_000_003 + step)
            tokens = word_numbers(written).to(device)
            answers = model(tokens, conditioning.noun_places(tokens.cpu()).to(device))
            truth = targets(written).to(device).unbind(dim=1)
            return functools.reduce(torch.add, map(_wrong, answers, truth))

        inner = inner_weights(model)
        return Fit(model, self.steps, self.learning_rate, loss, inner=inner, ema_decay=0.995)

    def tell(self, name: str, model: nn.Module) -> dict:
        """See `Recipe.tell`."""
        model, scores = model.cpu(), {}
        for split in ("train", "held_out"):
            shown = postcards.sample_scenes(SCORED, FRESH_SEED, split)
            written = postcards.described_captions(shown, FRESH_SEED)
            tokens, truth = word_numbers(written), targets(written)
            with torch.inference_mode():
                answers = model(tokens, conditioning.noun_places(tokens))
            said = torch.stack([logits.argmax(dim=1) for logits in answers], dim=1)
            right = int(((said == truth) | (truth == _NOT_ASKED)).all(dim=1).sum())
            low, high = wilson(right, SCORED)
            scores["captions" if split == "train" else "captions of held-out pairs"] = {
                "captions": SCORED,
                "everything right": round(right / SCORED, 4),
                "everything right, 95 % interval": [round(low, 4), round(high, 4)],
            }
        return {
            "network": f"CaptionReader, {count_parameters(model)} parameters",
            "caption_reader": self.network(),
            "words": list(conditioning.WORDS),
            "data": "captions of the training split, no pictures",
            "scores": scores,
        }


def captions(count: int, seed: int) -> list[Caption]:
    """Write captions of the training split: some say everything, a few say nothing."""
    shown = postcards.sample_scenes(count, seed)
    full, empty = round(count * _FULL), round(count * _EMPTY)
    written = postcards.described_captions(shown[: count - full], seed)
    written += postcards.described_captions(shown[count - full :], seed, full=True)
    return [Caption("", postcards.parse(""))] * empty + written[empty:]


def word_numbers(written: list[Caption]) -> torch.Tensor:
    """Turn captions into numbers of words, (N, 32)."""
    return conditioning.word_numbers([caption.text for caption in written])


def _wrong(logits: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """The mean cross entropy of what was asked; 0 where nothing was."""
    errors = functional.cross_entropy(logits, right, ignore_index=_NOT_ASKED, reduction="sum")
    return errors / (right != _NOT_ASKED).sum().clamp(min=1)


def targets(written: list[Caption]) -> torch.Tensor:
    """Return `conditioning.attribute_targets` (N, 12); those of things that a caption does not name
    are passed over."""
    truth = conditioning.attribute_targets([caption.description for caption in written])
    missing = conditioning.noun_places(word_numbers(written)) < 0
    truth[:, 2:] = truth[:, 2:].masked_fill(missing.repeat_interleave(5, dim=1), _NOT_ASKED)
    return truth
