"""A ruler for pictures of clothes: a classifier of Fashion-MNIST, and distances in its features.

It only measures: no loss and no choice of weights uses it. `Ruler` gives the Frechet distance of
a set of pictures to the 10,000 test pictures as a ratio to what a 3x3 box blur costs, so that
scores in the features of any classifier can be held beside each other.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import workspace
from diffusion_lessons.training.fit import Fit

from .networks import FashionJudge
from .statistics import frechet_distance, frechet_error, wilson

NAME = "fashion-judge"
SIZE = 28


@functools.cache
def load_judge() -> FashionJudge:
    """The shipped classifier, ready to look at pictures on the CPU.

    Raises:
        workspace.DamagedFile: its weights are missing or not whole.
    """
    model = FashionJudge()
    workspace.fit_weights(model, workspace.load_weights(NAME)[0], NAME)
    return model.eval().requires_grad_(False)


def train(
    model: FashionJudge,
    images: Tensor,
    labels: Tensor,
    steps: int,
    batch: int,
    learning_rate: float,
    seed: int,
) -> Fit:
    """Fits the classifier to pictures, half of them mirrored; the labels are smoothed by 0.05.

    Every picture is seen once before any is seen again. Smoothing after Szegedy et al. 2016,
    "Rethinking the Inception architecture", section 7.

    Args:
        images: float32 (N, 1, 28, 28) in [-1, 1], N at least `batch`.
        labels: int64 (N,), the classes 0 to 9.
        steps, batch, learning_rate: as `training.fit.Fit` takes them.
        seed: for the order of the pictures and which of them are mirrored.
    """
    a_round = len(images) // batch

    def loss(step: int) -> Tensor:
        order = _random(2 * (seed * 1_000_003 + step // a_round))
        start = step % a_round * batch
        chosen = torch.randperm(len(images), generator=order)[start : start + batch]
        coins = torch.rand(batch, generator=_random(2 * (seed * 1_000_003 + step) + 1))
        shown, coins = images[chosen], coins.to(images.device)
        shown = torch.where(coins.view(-1, 1, 1, 1) < 0.5, shown.flip(3), shown)
        return functional.cross_entropy(model(shown), labels[chosen], label_smoothing=0.05)

    return Fit(model, steps, learning_rate, loss, weight_decay=0.02, warm_up=0.2)


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def report(model: FashionJudge, images: Tensor, labels: Tensor) -> dict:
    """How often `model` names the class of pictures new to it: the scores of its card."""
    with torch.inference_mode():
        said = torch.cat([model(part).argmax(1) for part in images.split(500)])
    right = said == labels
    low, high = wilson(int(right.sum()), len(right))
    return {
        "test pictures": len(right),
        "right": round(float(right.float().mean()), 4),
        "right, 95 % interval": [round(low, 4), round(high, 4)],
        "right by class": [round(float(right[labels == i].float().mean()), 3) for i in range(10)],
    }


def features(images: Tensor, model: FashionJudge) -> Tensor:
    """What the classifier's last layer sees: (N, 128).

    Args:
        images: (N, 1 or 3, 28, 28) in [-1, 1], or with the black border of two pixels that makes
            them 32x32 and is cut off; colour becomes its mean.
        model: as `load_judge` gives it.

    Raises:
        ValueError: another shape.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.shape[2:] not in _SIDES:
        raise ValueError(
            f"pictures of the shape {tuple(images.shape)}: give (N, 1 or 3, 28, 28) or 32x32"
        )
    border = (images.shape[-1] - SIZE) // 2
    images = images[:, :, border : border + SIZE, border : border + SIZE].mean(1, keepdim=True)
    with torch.inference_mode():
        return torch.cat([model.features(part) for part in images.split(500)])


_SIDES = ((28, 28), (32, 32))


def box_blurred(images: Tensor) -> Tensor:
    """Each pixel becomes the mean of the 3x3 pixels around it; the edge is repeated outwards."""
    return functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)


class Ruler:
    """Scores sets of pictures against real ones that no model was trained on.

    Args:
        real: the real pictures, as `features` takes them: the 10,000 test pictures.
        model: as `load_judge` gives it.

    Attributes:
        blur: the Frechet distance of `real`, box-blurred, to `real`: the unit of every score.
    """

    def __init__(self, real: Tensor, model: FashionJudge):
        self._model, self._real = model, features(real, model)
        self.blur = frechet_distance(features(box_blurred(real), model), self._real)

    def score(self, images: Tensor) -> tuple[float, float]:
        """The distance of `images` to the real pictures and its standard error, both over `blur`.

        Scores are comparable only between sets of the same size: see `frechet_distance`.
        """
        seen = features(images, self._model)
        distance, error = frechet_distance(seen, self._real), frechet_error(seen, self._real)
        return distance / self.blur, error / self.blur
