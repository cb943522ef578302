"""Factors that no caption names, estimated from a picture: the horizon's height, the sun's place.

Pictures of one prompt that differ in such factors are diverse; pictures that differ only in
contrast are not, though every pixel of them does. So the reading is fitted to fresh postcards, of
which the program knows the truth, shown as drawn and with other contrasts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import postcards
from diffusion_lessons.postcards import VALUES
from diffusion_lessons.postcards.layout import horizon
from diffusion_lessons.postcards.scenery import sun_place

from . import recognition

NAMES = ("horizon", "sun x")
AURORA = VALUES["sky"].index("aurora")  # the one sky with neither sun nor moon
_SEED, _COUNT, _RIDGE = 51_000_000, 2000, 0.03


def read(images: Tensor) -> dict[str, Tensor]:
    """Estimate the factors of pictures (N, 3, 64, 64) in [-1, 1], in picture widths, each (N,).

    "horizon" is from the top, "sun x" from the left; nan under an aurora, which has neither sun nor
    moon. The recogniser says which sky it is.
    """
    sky = recognition.load("recogniser").read(images)["sky"]
    found = torch.full((len(images), len(NAMES)), torch.nan)
    for value in sky.unique().tolist():
        found[sky == value] = _readers()[value](_features(images[sky == value]))
    found[sky == AURORA, NAMES.index("sun x")] = torch.nan
    return dict(zip(NAMES, found.unbind(1), strict=True))


def truth(scenes: postcards.Scenes) -> Tensor:
    """Return the true factors of scenes, (N, 2) as in `NAMES`, the sun's place under any sky."""
    return torch.stack([horizon(scenes), sun_place(scenes)[0]], dim=1)


def _features(images: Tensor) -> Tensor:
    """Return features (N, 768): the sky coarsely, the band around the horizon line by line."""
    parts = (
        functional.adaptive_avg_pool2d(images[:, :, :40], (10, 16)).flatten(1),
        functional.adaptive_avg_pool2d(images[:, :, 24:48], (24, 4)).flatten(1),
    )
    return torch.cat([(x - x.mean(1, True)) / (x.std(1, keepdim=True) + 1e-3) for x in parts], 1)


@functools.cache
def _readers() -> list[Callable[[Tensor], Tensor]]:
    """Fit a regression for each sky to fresh postcards, as they are and with another contrast."""
    scenes = postcards.sample_scenes(_COUNT, _SEED, kind="single")
    generator = torch.Generator().manual_seed(_SEED)
    contrast = 0.8 + torch.rand(_COUNT, 1, 1, 1, generator=generator)
    tint = 0.3 * (torch.rand(_COUNT, 3, 1, 1, generator=generator) - 0.5)
    plain, changed = [], []
    for part in torch.arange(_COUNT).split(100):  # drawn together
        images = postcards.draw(scenes[part])
        mean = images.mean((2, 3), keepdim=True)
        other = (mean + contrast[part] * (images - mean) + tint[part]).clamp(-1, 1)
        plain.append(_features(images))
        changed.append(_features(other))
    sky, features, factors = scenes.attributes["sky"], torch.cat(plain + changed), truth(scenes)
    parts = [sky.repeat(2) == value for value in range(len(VALUES["sky"]))]
    return [_regression(features[part], factors.repeat(2, 1)[part]) for part in parts]


def _regression(x: Tensor, y: Tensor) -> Callable[[Tensor], Tensor]:
    """Fit a ridge regression of features (N, 768) to factors (N, 2), with a Gaussian kernel as wide
    as the features' usual distance (Saunders et al. 1998)."""

    def alike(other: Tensor) -> Tensor:
        return (-torch.cdist(other, x).square() / x.shape[1]).exp().double()

    mean = y.mean(0)
    weights = torch.linalg.solve(alike(x) + _RIDGE * torch.eye(len(x)), (y - mean).double())
    return lambda other: (alike(other) @ weights).float() + mean
