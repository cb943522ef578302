"""The judge of pictures of clothes, a classifier of Fashion-MNIST: distances in its features."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from .networks import Evaluator, FashionJudge
from .statistics import frechet, frechet_distance, shares

NAME = "fashion-judge"
SIZE = 28


class ClothesEvaluator(Evaluator):
    """The classifier of Fashion-MNIST, for pictures (N, 1 or 3, 28, 28), or 32x32 with a border."""

    networks: ClassVar = {NAME: FashionJudge}
    at_once = 500

    def _prepare(self, images: Tensor) -> Tensor:
        """Pictures (N, 1, 28, 28): a border of 32x32 is cut off, colour becomes its mean."""
        sides = ((SIZE, SIZE), (32, 32))
        if images.ndim != 4 or images.shape[1] not in (1, 3) or images.shape[2:] not in sides:
            raise ValueError(f"pictures {tuple(images.shape)}: give (N, 1 or 3, 28, 28) or 32x32")
        border = (images.shape[-1] - SIZE) // 2
        inside = slice(border, border + SIZE)
        return images[:, :, inside, inside].mean(1, keepdim=True)

    def loss(self, step: int, batch: int, seed: int, data: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the cross-entropy on pictures, half of them mirrored; every picture is seen once
        before any is seen again. Labels are smoothed by 0.05: Szegedy et al. 2016, section 7.

        data: float32 (N, 1, 28, 28) in [-1, 1], N at least `batch`; classes int64 (N,).
        """
        images, labels = data
        epoch, step_of_epoch = divmod(step, len(images) // batch)
        dice = torch.Generator().manual_seed(2 * (seed * 1_000_003 + epoch))
        chosen = torch.randperm(len(images), generator=dice)[step_of_epoch * batch :][:batch]
        dice.manual_seed(2 * (seed * 1_000_003 + step) + 1)
        x, coins = images[chosen], torch.rand(batch, 1, 1, 1, generator=dice)
        x = torch.where(coins.to(x.device) < 0.5, x.flip(3), x)
        return functional.cross_entropy(self.network(x), labels[chosen], label_smoothing=0.05)

    def read(self, images: Tensor) -> Tensor:
        """Return the most probable class of each picture, int64 (N,)."""
        return self._apply(self.network, images).argmax(1)

    def report(self, images: Tensor, labels: Tensor) -> dict:
        """Measure how often the class of pictures new to it is right: the scores of its card."""
        right = self.read(images) == labels
        by_class = [round(float(right[labels == i].float().mean()), 3) for i in range(10)]
        row = shares({"right": right}, "right", of="test pictures")
        return row | {"right by class": by_class}


def load() -> ClothesEvaluator:
    """Return the shipped classifier, see `Evaluator.load`."""
    return ClothesEvaluator.load(NAME)


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
        distance, error = frechet(self._evaluator.features(images), self._real)
        return distance / self.scale, error / self.scale
