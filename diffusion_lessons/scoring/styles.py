"""Which style a picture is painted in: none, or one of `postcards.styles.STYLES`."""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import models, postcards
from diffusion_lessons.postcards.styles import STYLES

from .tables import there_and_back

NAMES = ("none", *STYLES)
_SEED, _COUNT, _RIDGE = 52_000_000, 96, 3.0


def read(images: Tensor) -> Tensor:
    """Say which of `NAMES` each picture (N, 3, 64, 64) in [-1, 1] is painted in, int64 (N,).

    By ridge regression on which colours there are, how neighbours differ, and where it is light;
    fitted to fresh styled postcards, as they are and through the autoencoder.
    """
    mean, std, weights = _fitted()
    return ((_features(images) - mean) / std @ weights).argmax(1)


def shown(images: Tensor) -> dict[str, Tensor]:
    """Return pictures plain and in each style, as they are and through the autoencoder."""
    painted = {"none": images} | {name: paint(images) for name, paint in STYLES.items()}
    autoencoder, _ = models.load_autoencoder()
    back = {name: there_and_back(autoencoder, each) for name, each in painted.items()}
    return painted | {f"{name}, through the autoencoder": each for name, each in back.items()}


def _features(images: Tensor) -> Tensor:
    """Return (N, 280): how much there is of each of 216 colours, how often neighbours differ by
    how much, downwards and to the right, and the mean colours of 4 x 4 parts."""
    red, green, blue = _bins((images + 1) / 2, 6).unbind(1)
    counted = [_shares((6 * red + green) * 6 + blue, 216).sqrt()]
    for axis in (2, 3):
        counted.append(_shares(_bins(images.diff(dim=axis).abs().mean(1).sqrt(), 8), 8))
    return torch.cat([*counted, functional.adaptive_avg_pool2d(images, 4).flatten(1)], 1)


def _bins(values: Tensor, count: int) -> Tensor:
    return (count * values).long().clamp(0, count - 1)


def _shares(bins: Tensor, count: int) -> Tensor:
    """Return how often each of `count` bins comes in each row, (N, count)."""
    rows = count * torch.arange(len(bins))[:, None] + bins.flatten(1)
    found = torch.bincount(rows.flatten(), minlength=count * len(bins))
    return found.view(-1, count) / bins[0].numel()


@functools.cache
def _fitted() -> tuple[Tensor, Tensor, Tensor]:
    sets = shown(postcards.draw(postcards.sample_scenes(_COUNT, _SEED)))
    x = torch.cat([_features(images) for images in sets.values()])
    mean, std = x.mean(0), x.std(0) + 1e-4
    x = (x - mean) / std
    y = functional.one_hot(torch.arange(len(NAMES)).repeat_interleave(_COUNT).repeat(2)).float()
    weights = torch.linalg.solve(x.T @ x + _RIDGE * torch.eye(x.shape[1]), x.T @ (y - y.mean(0)))
    return mean, std, weights
