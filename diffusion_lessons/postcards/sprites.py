"""The eight objects, each painted by one function in its own coordinates.

Local coordinates: x from minus to plus half the object's width, y from 0 at the foot to 1 at the
top. A painter is given `Brush.fill`, the coordinates and a `Coat` (the object's own colour in a few
shades), and paints from back to front.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .lexicon import VALUES
from .shapes import Point, both, box, circle, ellipse, polygon, segment, union

# The seven colours, as (red, green, blue) in 0 to 1.
COLOURS = torch.tensor([
    [0.86, 0.13, 0.13], [0.96, 0.51, 0.07], [0.98, 0.83, 0.16], [0.19, 0.62, 0.22],
    [0.15, 0.36, 0.88], [0.52, 0.21, 0.72], [0.97, 0.52, 0.73],
])  # fmt: skip
_CREAM = torch.tensor([0.98, 0.94, 0.84])
_WHITE = torch.tensor([1.0, 1.0, 1.0])
_WOOD = torch.tensor([0.45, 0.29, 0.17])
_INK = torch.tensor([0.13, 0.11, 0.16])
_GLOW = torch.tensor([1.0, 0.86, 0.42])
_SLATE = torch.tensor([0.30, 0.27, 0.36])
_GLASS = torch.tensor([0.67, 0.87, 0.98])
_FLAME = torch.tensor([1.0, 0.56, 0.12])
_BLOSSOM = torch.tensor([0.99, 0.86, 0.92])

_EDGE = 0.018
"""Width of the dark edge round an object, so that it does not melt into what is behind it."""

Fill = Callable[..., None]


@dataclass(frozen=True)
class Coat:
    """An object's own colour: `main` (M, 3, H, W) shaded by the light, and three fixed shades.

    `dark`, `deep` and `pale` are (M, 3, 1, 1): for shadows, outlines and highlights.
    """

    main: Tensor
    dark: Tensor
    deep: Tensor
    pale: Tensor


def coat(colour: Tensor, p: tuple[Tensor, Tensor], light: Tensor) -> Coat:
    """Return the shades of `colour` (M, 3), lit from the side `light` (M,): -1 left, 1 right."""
    base = colour[:, :, None, None]
    slope = 0.26 * light[:, None, None] * p[0] + 0.16 * (p[1] - 0.5)
    shade = (1 + slope.clamp(-0.22, 0.22)).unsqueeze(1)
    main = torch.where(shade < 1, base * shade, base + (1 - base) * (shade - 1))
    return Coat(main, base * 0.62, base * 0.34, base + (1 - base) * 0.45)


def _house(fill: Fill, p: Point, c: Coat) -> None:
    walls = box(p, 0, 0.28, 0.40, 0.28, 0.015)
    roof = polygon(p, [(-0.485, 0.54), (0.0, 0.97), (0.485, 0.54)], 0.02)
    chimney = box(p, 0.25, 0.80, 0.062, 0.15, 0.01)
    fill(union(walls, roof, chimney) - _EDGE, c.deep)
    fill(chimney, _SLATE)
    fill(box(p, 0.25, 0.94, 0.085, 0.03, 0.01), _CREAM)
    fill(walls, c.main)
    fill(roof, c.dark)
    fill(both(roof, box(p, 0, 0.55, 0.6, 0.028)), c.deep, 0.7)
    fill(circle(p, 0, 0.69, 0.075), _CREAM)
    fill(circle(p, 0, 0.69, 0.048), _GLOW, glows=True)
    door = union(box(p, -0.19, 0.14, 0.088, 0.15), circle(p, -0.19, 0.29, 0.088))
    fill(door - 0.022, _CREAM)
    fill(door, _WOOD)
    fill(circle(p, -0.14, 0.15, 0.018), _GLOW, glows=True)
    fill(box(p, 0.17, 0.30, 0.135, 0.125, 0.02), _CREAM)
    fill(box(p, 0.17, 0.30, 0.11, 0.10), _GLOW, glows=True)
    fill(union(box(p, 0.17, 0.30, 0.011, 0.11), box(p, 0.17, 0.30, 0.11, 0.011)), _CREAM)


def _tree(fill: Fill, p: Point, c: Coat) -> None:
    trunk = polygon(p, [(-0.10, 0.0), (-0.05, 0.45), (0.05, 0.45), (0.10, 0.0)], 0.012)
    branch = segment(p, (0.0, 0.28), (0.15, 0.44), 0.03)
    crown = union(
        circle(p, -0.19, 0.52, 0.19), circle(p, 0.19, 0.53, 0.19), circle(p, 0, 0.76, 0.215),
        circle(p, -0.13, 0.66, 0.18), circle(p, 0.14, 0.66, 0.18), circle(p, 0, 0.55, 0.20),
    )  # fmt: skip
    fill(union(trunk, crown) - _EDGE, c.deep)
    fill(union(trunk, branch), _WOOD)
    fill(crown, c.main)
    shade = union(
        circle(p, -0.17, 0.44, 0.12), circle(p, 0.02, 0.42, 0.12), circle(p, 0.2, 0.45, 0.12)
    )
    fill(both(crown, shade), c.dark, 0.55)
    for x, y, r in ((-0.09, 0.82, 0.085), (-0.24, 0.60, 0.06), (0.13, 0.69, 0.055)):
        fill(circle(p, x, y, r), c.pale, 0.75)


def _boat(fill: Fill, p: Point, c: Coat) -> None:
    hull = polygon(
        p, [(-0.47, 0.25), (-0.34, 0.03), (0.30, 0.03), (0.50, 0.28), (0.30, 0.25)], 0.012
    )
    mast = segment(p, (0.0, 0.2), (0.0, 0.97), 0.02)
    sail = polygon(p, [(0.05, 0.34), (0.05, 0.92), (0.43, 0.34)], 0.008)
    jib = polygon(p, [(-0.05, 0.34), (-0.05, 0.78), (-0.36, 0.34)], 0.008)
    fill(union(hull, mast, sail, jib) - _EDGE, c.deep)
    fill(mast, _WOOD)
    fill(sail, _CREAM)
    fill(both(sail, union(box(p, 0.2, 0.44, 0.4, 0.055), box(p, 0.2, 0.66, 0.4, 0.05))), c.main)
    fill(jib, c.main)
    fill(hull, c.main)
    fill(both(hull, box(p, 0, 0.215, 0.6, 0.026)), _CREAM)
    fill(both(hull, box(p, 0, 0.04, 0.6, 0.045)), c.deep, 0.8)
    for x in (-0.18, 0.0, 0.18):
        fill(circle(p, x, 0.135, 0.03), _GLOW, glows=True)
    fill(polygon(p, [(0.0, 0.99), (0.0, 0.89), (0.17, 0.94)]), c.dark)


def _balloon(fill: Fill, p: Point, c: Coat) -> None:
    bag = union(
        circle(p, 0, 0.66, 0.335),
        polygon(p, [(-0.27, 0.46), (0.27, 0.46), (0.09, 0.26), (-0.09, 0.26)]),
    )
    basket = box(p, 0, 0.08, 0.095, 0.08, 0.02)
    ropes = union(
        segment(p, (-0.08, 0.14), (-0.16, 0.36), 0.009),
        segment(p, (0.08, 0.14), (0.16, 0.36), 0.009),
    )
    fill(union(bag, basket) - _EDGE, c.deep)
    fill(ropes, _WOOD)
    fill(bag, c.main)
    stripes = union(
        ellipse(p, 0, 0.62, 0.065, 0.36), ellipse(p, 0, 0.63, 0.235, 0.37).abs() - 0.033
    )
    fill(both(bag, stripes), _CREAM)
    fill(both(bag, box(p, 0, 0.275, 0.2, 0.03)), c.dark)
    fill(basket, _WOOD)
    fill(box(p, 0, 0.145, 0.105, 0.02, 0.01), _CREAM)
    fill(ellipse(p, -0.17, 0.80, 0.05, 0.085), c.pale, 0.8)


def _rocket(fill: Fill, p: Point, c: Coat) -> None:
    body = both(ellipse(p, 0, 0.50, 0.205, 0.50), box(p, 0, 0.60, 0.3, 0.40))
    fins = union(
        polygon(p, [(-0.15, 0.42), (-0.30, 0.12), (-0.29, 0.09), (-0.10, 0.20)], 0.01),
        polygon(p, [(0.15, 0.42), (0.10, 0.20), (0.29, 0.09), (0.30, 0.12)], 0.01),
    )
    flame = polygon(
        p, [(-0.105, 0.19), (0.105, 0.19), (0.06, 0.09), (0.0, 0.0), (-0.06, 0.09)], 0.008
    )
    fill(flame, _FLAME, glows=True)
    fill(polygon(p, [(-0.05, 0.19), (0.05, 0.19), (0.0, 0.07)]), _GLOW, glows=True)
    fill(union(body, fins) - _EDGE, c.deep)
    fill(fins, c.dark)
    fill(body, c.main)
    fill(both(body, box(p, 0, 0.93, 0.3, 0.13)), _CREAM)
    fill(both(body, box(p, 0, 0.235, 0.3, 0.035)), _CREAM)
    fill(circle(p, 0, 0.58, 0.108), _CREAM)
    fill(circle(p, 0, 0.58, 0.078), _GLASS)
    fill(circle(p, -0.025, 0.605, 0.026), _WHITE)
    fill(polygon(p, [(-0.025, 0.40), (0.025, 0.40), (0.02, 0.14), (-0.02, 0.14)]), c.dark)


def _mushroom(fill: Fill, p: Point, c: Coat) -> None:
    stem = polygon(p, [(-0.20, 0.03), (-0.15, 0.50), (0.15, 0.50), (0.20, 0.03)], 0.03)
    cap = both(ellipse(p, 0, 0.47, 0.49, 0.51), box(p, 0, 0.75, 0.6, 0.335, 0.0))
    cap = union(cap, ellipse(p, 0, 0.43, 0.475, 0.085))
    fill(union(stem, cap) - _EDGE, c.deep)
    fill(stem, _CREAM)
    fill(both(stem, box(p, 0, 0.40, 0.3, 0.06)), _WOOD, 0.35)
    fill(cap, c.main)
    fill(both(cap, ellipse(p, 0, 0.36, 0.5, 0.06)), c.dark, 0.8)
    for x, y, rx, ry in (
        (0.0, 0.80, 0.115, 0.085), (-0.27, 0.63, 0.085, 0.075),
        (0.28, 0.63, 0.085, 0.075), (0.02, 0.555, 0.06, 0.045),
    ):  # fmt: skip
        fill(ellipse(p, x, y, rx, ry), _WHITE)
    fill(union(circle(p, -0.075, 0.22, 0.026), circle(p, 0.075, 0.22, 0.026)), _INK)
    smile = circle(p, 0, 0.20, 0.05625).abs() - 0.014
    fill(both(smile, box(p, 0, 0.14, 0.2, 0.05)), _INK)


def _cactus(fill: Fill, p: Point, c: Coat) -> None:
    body = segment(p, (0, 0.0), (0, 0.72), 0.155)
    body = both(body, -(p[1] - 0.015))
    left = union(
        segment(p, (-0.05, 0.34), (-0.27, 0.34), 0.075),
        segment(p, (-0.27, 0.34), (-0.27, 0.58), 0.075),
    )
    right = union(
        segment(p, (0.05, 0.46), (0.27, 0.46), 0.075), segment(p, (0.27, 0.46), (0.27, 0.72), 0.075)
    )
    fill(union(body, left, right) - _EDGE, c.deep)
    fill(union(left, right), c.main)
    fill(body, c.main)
    ribs = [segment(p, (x, 0.03), (x, 0.74 - abs(x)), 0.012) for x in (-0.075, 0.0, 0.075)]
    ribs += [
        segment(p, (-0.27, 0.34), (-0.27, 0.58), 0.011),
        segment(p, (0.27, 0.46), (0.27, 0.72), 0.011),
    ]
    fill(union(*ribs), c.deep, 0.6)
    for angle in range(0, 360, 72):
        x, y = (
            0.062 * math.cos(math.radians(angle + 18)),
            0.062 * math.sin(math.radians(angle + 18)),
        )
        fill(circle(p, x, 0.905 + y, 0.052), _BLOSSOM)
    fill(circle(p, 0, 0.905, 0.042), _GLOW, glows=True)


def _cat(fill: Fill, p: Point, c: Coat) -> None:
    tail = union(
        segment(p, (0.16, 0.07), (0.33, 0.10), 0.052), segment(p, (0.33, 0.10), (0.36, 0.36), 0.052)
    )
    body = union(ellipse(p, 0, 0.22, 0.235, 0.235), box(p, 0, 0.08, 0.215, 0.075, 0.06))
    head = ellipse(p, 0, 0.62, 0.285, 0.235)
    ears = union(
        polygon(p, [(-0.265, 0.70), (-0.245, 0.97), (-0.05, 0.82)], 0.015),
        polygon(p, [(0.265, 0.70), (0.05, 0.82), (0.245, 0.97)], 0.015),
    )
    fill(union(tail, body, head, ears) - _EDGE, c.deep)
    fill(tail, c.main)
    fill(circle(p, 0.36, 0.38, 0.05), _CREAM)
    fill(body, c.main)
    fill(ellipse(p, 0, 0.19, 0.125, 0.165), _CREAM)
    fill(union(head, ears), c.main)
    fill(polygon(p, [(-0.215, 0.78), (-0.205, 0.90), (-0.11, 0.83)]), _BLOSSOM)
    fill(polygon(p, [(0.215, 0.78), (0.11, 0.83), (0.205, 0.90)]), _BLOSSOM)
    fill(both(head, union(*[box(p, x, 0.83, 0.018, 0.075) for x in (-0.075, 0.0, 0.075)])), c.dark)
    fill(ellipse(p, 0, 0.525, 0.125, 0.09), _CREAM)
    for x in (-0.125, 0.125):
        fill(ellipse(p, x, 0.655, 0.062, 0.072), _WHITE)
        fill(ellipse(p, x, 0.65, 0.036, 0.058), _INK)
    fill(polygon(p, [(-0.04, 0.575), (0.04, 0.575), (0.0, 0.53)], 0.008), _INK)


PAINTERS: dict[str, Callable[[Fill, Point, Coat], None]] = {
    "house": _house, "tree": _tree, "boat": _boat, "balloon": _balloon,
    "rocket": _rocket, "mushroom": _mushroom, "cactus": _cactus, "cat": _cat,
}  # fmt: skip
assert tuple(PAINTERS) == VALUES["object"]
