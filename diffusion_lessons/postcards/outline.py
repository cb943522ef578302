"""Outlines: the layout of a postcard as the lines that somebody would draw of it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .drawing import thing_masks
from .layout import horizon
from .scenes import Scenes

_CROSS = ((3, 1), (1, 3))  # the neighbours above and below, left and right
_SHAKY = 0.2  # of the sketches are drawn by a hand that strays from the true line
_STRAY = 0.9  # pixels, the standard deviation of that at eight by eight points of the picture


def outline(scenes: Scenes) -> Tensor:
    """Draw the outlines of the things and the horizon, a pixel wide: bool (N, 1, 64, 64)."""
    masks = thing_masks(scenes)
    return trace(masks) | horizon_line(scenes, masks)


def trace(masks: Tensor) -> Tensor:
    """Draw a line a pixel wide along the inside of masks bool (N, K, H, W): bool (N, 1, H, W)."""
    outside = (~masks).float()
    near = [functional.max_pool2d(outside, side, 1, [n // 2 for n in side]) for side in _CROSS]
    return (masks & (near[0] + near[1] > 0)).any(dim=1, keepdim=True)


def horizon_line(scenes: Scenes, masks: Tensor) -> Tensor:
    """Draw the horizon where no thing hides it: bool (N, 1, H, W), from masks (N, K, H, W)."""
    height, line = masks.shape[-2], torch.zeros_like(masks[:, :1])
    rows = (horizon(scenes) * height).long()
    line[torch.arange(len(rows)), 0, rows] = True
    return line & ~masks.any(dim=1, keepdim=True)


def sketch(masks: Tensor, line: Tensor, dice: torch.Generator) -> Tensor:
    """Draw outlines as hands do: lines of 1 to 3 pixels, some shaky, half without the horizon.

    masks: bool (N, K, H, W). line: of the horizon, bool (N, 1, H, W). Returns bool (N, 1, H, W).
    """
    count, _, height, width = masks.shape
    stray = torch.randn(count, 2, 8, 8, generator=dice) * 2 * _STRAY / height
    shaky, horizons, wide = torch.rand(3, count, 1, 1, 1, generator=dice)
    stray = functional.interpolate(stray * (shaky < _SHAKY), (height, width), mode="bicubic")
    still = torch.eye(2, 3).expand(count, 2, 3)
    grid = functional.affine_grid(still, list(masks.shape), align_corners=False)
    moved = functional.grid_sample(masks.float(), grid + stray.movedim(1, 3), align_corners=False)
    drawn = (trace(moved > 0.5) | line & (horizons < 0.5)).float()
    two = functional.max_pool2d(drawn, 2, 1, 1)[..., 1:, 1:]
    three = functional.max_pool2d(drawn, 3, 1, 1)
    return torch.where(wide < 0.5, drawn, torch.where(wide < 0.75, two, three)) > 0
