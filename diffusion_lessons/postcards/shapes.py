"""Signed distances and the brush that turns them into smooth-edged colour.

A signed distance is negative inside a shape, positive outside, and measured in the units of the
coordinates it was made from. (The formulas are the standard ones for exact 2-D distances.)
Coordinates are a pair of tensors (x, y), any shape that broadcasts; y points up.
"""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor

Point = tuple[Tensor, Tensor]

both = torch.maximum
"""From the distances to two shapes to the distance to what they have in common."""


def circle(p: Point, x: float, y: float, radius: float) -> Tensor:
    """Return the distance to a disc."""
    return torch.hypot(p[0] - x, p[1] - y) - radius


def ellipse(p: Point, x: float, y: float, rx: float, ry: float) -> Tensor:
    """Return the distance to an axis-aligned ellipse, exact on its edge and close to it."""
    dx, dy = (p[0] - x) / rx, (p[1] - y) / ry
    k = torch.hypot(dx, dy)
    gradient = torch.hypot(dx / rx, dy / ry).clamp_min(1e-6)
    return k * (k - 1) / gradient


def box(p: Point, x: float, y: float, half_w: float, half_h: float, r: float = 0.0) -> Tensor:
    """Return the distance to an upright rectangle with corners rounded by `r`."""
    dx = (p[0] - x).abs() - (half_w - r)
    dy = (p[1] - y).abs() - (half_h - r)
    outside = torch.hypot(dx.clamp_min(0), dy.clamp_min(0))
    return outside + torch.maximum(dx, dy).clamp_max(0) - r


def segment(p: Point, a: tuple[float, float], b: tuple[float, float], radius: float) -> Tensor:
    """Return the distance to a line from a to b with round ends and the given half thickness."""
    ax, ay = p[0] - a[0], p[1] - a[1]
    bx, by = b[0] - a[0], b[1] - a[1]
    h = ((ax * bx + ay * by) / (bx * bx + by * by)).clamp(0, 1)
    return torch.hypot(ax - bx * h, ay - by * h) - radius


def polygon(p: Point, corners: list[tuple[float, float]], r: float = 0.0) -> Tensor:
    """Return the distance to a polygon, its corners rounded outwards by `r`."""
    squared = torch.full_like(p[0] + p[1], math.inf)
    sign = torch.ones_like(squared)
    for (ax, ay), (bx, by) in zip(corners, corners[-1:] + corners[:-1], strict=True):
        ex, ey = bx - ax, by - ay
        wx, wy = p[0] - ax, p[1] - ay
        h = ((wx * ex + wy * ey) / (ex * ex + ey * ey)).clamp(0, 1)
        squared = torch.minimum(squared, (wx - ex * h) ** 2 + (wy - ey * h) ** 2)
        above, below, left = p[1] >= ay, p[1] < by, ex * wy > ey * wx
        crossing = (above & below & left) | (~above & ~below & ~left)
        sign = torch.where(crossing, -sign, sign)
    return sign * squared.sqrt() - r


def union(*distances: Tensor) -> Tensor:
    """Return the distance to whatever is nearest."""
    return reduce(torch.minimum, distances)


def coverage(distance: Tensor, pixel: Tensor | float) -> Tensor:
    """Return how much of a pixel lies inside, 0 to 1; `pixel` in the units of the distance."""
    return (0.5 - distance / pixel).clamp(0, 1)


class Brush:
    """Paints shapes onto a sheet that starts transparent: `rgb` (premultiplied) and `alpha`.

    Attributes:
        p: local coordinates, each (M, H, W). pixel: (M, 1, 1), one pixel in local units.
        light: (M, 3, 1, 1), what every colour that does not glow is multiplied by.
        rgb: (M, 3, H, W). alpha: (M, 1, H, W).
    """

    def __init__(self, p: Point, pixel: Tensor, light: Tensor):
        self.p, self.pixel, self.light = p, pixel, light
        self.rgb = p[0].new_zeros(p[0].shape[0], 3, *p[0].shape[1:])
        self.alpha = self.rgb[:, :1].clone()

    def fill(
        self, distance: Tensor, colour: Tensor, opacity: float = 1.0, glows: bool = False
    ) -> None:
        """Lay `colour` ((3,), (M, 3, 1, 1) or (M, 3, H, W)) over what is there."""
        cover = (coverage(distance, self.pixel) * opacity).unsqueeze(1)
        colour = colour if colour.dim() == 4 else colour.view(1, 3, 1, 1)
        self.rgb.addcmul_((colour if glows else colour * self.light) - self.rgb, cover)
        self.alpha.addcmul_(1 - self.alpha, cover)
