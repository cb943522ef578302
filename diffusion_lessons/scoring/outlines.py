"""The reader of outlines: says which pixels of a postcard belong to things. It only measures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import postcards
from diffusion_lessons.models import UNet

from . import recognition
from .networks import Evaluator
from .statistics import shares

NAME = "outline-judge"


class OutlineEvaluator(Evaluator):
    """A small U-Net, asked at time 0: a pixel belongs to a thing where its output is above 0."""

    networks: ClassVar = {NAME: partial(UNet, 3, (24, 48, 64), (1, 1, 2))}
    at_once = 64

    def _prepare(self, images: Tensor) -> Tensor:
        return images

    def _logits(self, images: Tensor) -> Tensor:
        return self.network(images, torch.zeros(len(images))).mean(dim=1, keepdim=True)

    def read(self, images: Tensor) -> Tensor:
        """Find the things in pictures (N, 3, 64, 64) in [-1, 1]: bool (N, 1, 64, 64)."""
        return self._apply(self._logits, images) > 0

    def loss(self, step: int, batch: int, seed: int, data: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the cross-entropy of the pixels of freshly drawn scenes, some of them spoiled."""
        seed = seed * 1_000_003 + step
        scenes, dice = recognition.every_pair(batch, seed), torch.Generator()
        images = recognition.imperfect(postcards.draw(scenes), dice.manual_seed(2**31 + seed))
        truth = postcards.object_mask(scenes).float()
        return functional.binary_cross_entropy_with_logits(self._logits(images), truth)

    def report(self, count: int, seed: int) -> dict[str, dict]:
        """Measure the `overlap` with the things of fresh pictures, `count` of each kind."""
        return {
            name: overlap(self.read(postcards.draw(scenes)), scenes)
            for name, scenes in recognition.of_kinds(recognition.SCENE_KINDS, count, seed)
        }


load = partial(OutlineEvaluator.load, NAME)


def follows(draw: Callable[[postcards.Scenes], Tensor], count: int, seed: int) -> dict:
    """Measure how well a model follows outlines and captions, with 95 % intervals.

    draw: scenes, of which it gets outline and full caption, to pictures (N, 3, 64, 64) in [-1, 1].
    count: scenes of each kind. seed: of these; training must not have used it.
    """
    judge, rows = recognition.load("judge"), {}
    for name, scenes in recognition.of_kinds(recognition.SCENE_KINDS, count, seed):
        images = draw(scenes)
        obeyed = shares({"caption obeyed": judge.agrees(images, scenes)["all"]}, "caption obeyed")
        rows[name] = obeyed | overlap(load().read(images), scenes)
    return rows


def iou(found: Tensor, truth: Tensor) -> Tensor:
    """Return intersection over union of masks bool (N, 1, H, W), (N,); 1 where both are empty."""
    both, either = (mask.flatten(1).sum(1) for mask in (found & truth, found | truth))
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def overlap(found: Tensor, scenes: postcards.Scenes) -> dict:
    """Return the median `iou` of masks with the things of scenes, as on a card, four decimals.

    The ends of its 95 % interval are values as well: how many lie below the median is binomial."""
    values = iou(found, postcards.object_mask(scenes)).sort().values
    count, reach = len(values), 0.98 * len(values) ** 0.5
    ends = [max(0, int(count / 2 - reach)), min(count - 1, int(count / 2 + reach))]
    name = "median overlap"
    return {
        "pictures": count,
        name: round(float(values.quantile(0.5)), 4),
        f"{name}, 95 % interval": [round(float(values[end]), 4) for end in ends],
    }
