"""The judge of pictures of clothes: a classifier of Fashion-MNIST, and distances in its features.

It only measures: no loss and no choice of weights uses it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from .networks import Evaluator, FashionJudge
from .statistics import frechet_distance, frechet_error, shares

NAME = "fashion-judge"
SIZE = 28


class ClothesEvaluator(Evaluator):
    """The classifier of Fashion-MNIST."""

    at_once = 500
    fitting: ClassVar = {"weight_decay": 0.02, "warm_up": 0.2}

    def prepare(self, images: Tensor) -> Tensor:
        """Return pictures (N, 1, 28, 28).

        images: (N, 1 or 3, 28, 28) in [-1, 1], or with the black border of two pixels that makes
        them 32x32 and is cut off; colour becomes its mean. Raises ValueError for another shape.
        """
        sides = ((SIZE, SIZE), (32, 32))
        if images.ndim != 4 or images.shape[1] not in (1, 3) or images.shape[2:] not in sides:
            raise ValueError(
                f"pictures of the shape {tuple(images.shape)}: give (N, 1 or 3, 28, 28) or 32x32"
            )
        border = (images.shape[-1] - SIZE) // 2
        inside = slice(border, border + SIZE)
        return images[:, :, inside, inside].mean(1, keepdim=True)

    def loss(self, step: int, batch: int, seed: int, data: Sequence[Tensor] = ()) -> Tensor:
        """Return the cross-entropy on pictures, half of them mirrored; labels smoothed by 0.05.

        Every picture is seen once before any is seen again. Smoothing: Szegedy et al. 2016, sec. 7.

        data: float32 (N, 1, 28, 28) in [-1, 1], N at least `batch`; classes int64 (N,).
        """
        images, labels = data
        epoch, step_of_epoch = divmod(step, len(images) // batch)
        order = torch.randperm(len(images), generator=_random(2 * (seed * 1_000_003 + epoch)))
        chosen = order[step_of_epoch * batch :][:batch]
        coins = torch.rand(batch, 1, 1, 1, generator=_random(2 * (seed * 1_000_003 + step) + 1))
        x = images[chosen]
        x = torch.where(coins.to(x.device) < 0.5, x.flip(3), x)
        return functional.cross_entropy(self.network(x), labels[chosen], label_smoothing=0.05)

    def read(self, images: Tensor) -> Tensor:
        """Return the most probable class of each picture, int64 (N,)."""
        return self._apply(self.network, images).argmax(1)

    def report(self, images: Tensor, labels: Tensor) -> dict:
        """Measure how often the class of pictures new to it is right: the scores of its card."""
        right = self.read(images) == labels
        by_class = [round(float(right[labels == i].float().mean()), 3) for i in range(10)]
        row = {"test pictures": len(right), **shares({"right": right}, "right")}
        return row | {"right by class": by_class}


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@functools.cache
def load() -> ClothesEvaluator:
    """Return the shipped classifier, see `Evaluator.load`."""
    return ClothesEvaluator(FashionJudge()).load(NAME)


def box_blurred(images: Tensor) -> Tensor:
    """Replace each pixel by the mean of the 3x3 pixels around it; the edge is repeated outwards."""
    return functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)


class FrechetMetric:
    """The Frechet distance of sets of pictures to real ones, as a ratio to that of a 3x3 box blur.

    The ratio lets scores in the features of any classifier be compared. `real`: pictures that no
    model was trained on, such as the 10,000 test pictures. `evaluator`: as `load` returns it.
    `scale`: the distance of `real`, box-blurred, to `real`, which is the unit of every score.
    """

    def __init__(self, real: Tensor, evaluator: ClothesEvaluator):
        self._evaluator, self._real = evaluator, evaluator.features(real)
        self.scale = frechet_distance(evaluator.features(box_blurred(real)), self._real)

    def score(self, images: Tensor) -> tuple[float, float]:
        """Return the distance of `images` to the real pictures and its standard error, in `scale`.

        Scores are comparable only between sets of the same size: see `frechet_distance`.
        """
        features = self._evaluator.features(images)
        distance, error = (of(features, self._real) for of in (frechet_distance, frechet_error))
        return distance / self.scale, error / self.scale
