"""The eight objects, each painted by one function in its own coordinates.

Local coordinates: x from minus to plus half the object's width, y from 0 at the foot to 1 at the
top. A painter receives a `Brush` and a `Coat` (the object's own colour in a few shades) and paints
from back to front.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .lexicon import VALUES
from .shapes import Brush, both, box, circle, ellipse, polygon, segment, union

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


def _outline(brush: Brush, body: Tensor, colour: Tensor, width: float = 0.018) -> None:
    """Paint a thin dark edge around `body`, so that no object melts into what is behind it."""
    brush.fill(body - width, colour)


def _house(brush: Brush, c: Coat) -> None:
    p = brush.p
    walls = box(p, 0, 0.28, 0.40, 0.28, 0.015)
    roof = polygon(p, [(-0.485, 0.54), (0.0, 0.97), (0.485, 0.54)], 0.02)
    chimney = box(p, 0.25, 0.80, 0.062, 0.15, 0.01)
    _outline(brush, union(walls, roof, chimney), c.deep)
    brush.fill(chimney, _SLATE)
    brush.fill(box(p, 0.25, 0.94, 0.085, 0.03, 0.01), _CREAM)
    brush.fill(walls, c.main)
    brush.fill(roof, c.dark)
    brush.fill(both(roof, box(p, 0, 0.55, 0.6, 0.028)), c.deep, 0.7)
    brush.fill(circle(p, 0, 0.69, 0.075), _CREAM)
    brush.fill(circle(p, 0, 0.69, 0.048), _GLOW, glows=True)
    door = union(box(p, -0.19, 0.14, 0.088, 0.15), circle(p, -0.19, 0.29, 0.088))
    brush.fill(door - 0.022, _CREAM)
    brush.fill(door, _WOOD)
    brush.fill(circle(p, -0.14, 0.15, 0.018), _GLOW, glows=True)
    brush.fill(box(p, 0.17, 0.30, 0.135, 0.125, 0.02), _CREAM)
    brush.fill(box(p, 0.17, 0.30, 0.11, 0.10), _GLOW, glows=True)
    brush.fill(union(box(p, 0.17, 0.30, 0.011, 0.11), box(p, 0.17, 0.30, 0.11, 0.011)), _CREAM)


def _tree(brush: Brush, c: Coat) -> None:
    p = brush.p
    trunk = polygon(p, [(-0.10, 0.0), (-0.05, 0.45), (0.05, 0.45), (0.10, 0.0)], 0.012)
    branch = segment(p, (0.0, 0.28), (0.15, 0.44), 0.03)
    crown = union(
        circle(p, -0.19, 0.52, 0.19), circle(p, 0.19, 0.53, 0.19), circle(p, 0, 0.76, 0.215),
        circle(p, -0.13, 0.66, 0.18), circle(p, 0.14, 0.66, 0.18), circle(p, 0, 0.55, 0.20),
    )  # fmt: skip
    _outline(brush, union(trunk, crown), c.deep)
    brush.fill(union(trunk, branch), _WOOD)
    brush.fill(crown, c.main)
    shade = union(
        circle(p, -0.17, 0.44, 0.12), circle(p, 0.02, 0.42, 0.12), circle(p, 0.2, 0.45, 0.12)
    )
    brush.fill(both(crown, shade), c.dark, 0.55)
    for x, y, r in ((-0.09, 0.82, 0.085), (-0.24, 0.60, 0.06), (0.13, 0.69, 0.055)):
        brush.fill(circle(p, x, y, r), c.pale, 0.75)


def _boat(brush: Brush, c: Coat) -> None:
    p = brush.p
    hull = polygon(
        p, [(-0.47, 0.25), (-0.34, 0.03), (0.30, 0.03), (0.50, 0.28), (0.30, 0.25)], 0.012
    )
    mast = segment(p, (0.0, 0.2), (0.0, 0.97), 0.02)
    sail = polygon(p, [(0.05, 0.34), (0.05, 0.92), (0.43, 0.34)], 0.008)
    jib = polygon(p, [(-0.05, 0.34), (-0.05, 0.78), (-0.36, 0.34)], 0.008)
    _outline(brush, union(hull, mast, sail, jib), c.deep)
    brush.fill(mast, _WOOD)
    brush.fill(sail, _CREAM)
    brush.fill(
        both(sail, union(box(p, 0.2, 0.44, 0.4, 0.055), box(p, 0.2, 0.66, 0.4, 0.05))), c.main
    )
    brush.fill(jib, c.main)
    brush.fill(hull, c.main)
    brush.fill(both(hull, box(p, 0, 0.215, 0.6, 0.026)), _CREAM)
    brush.fill(both(hull, box(p, 0, 0.04, 0.6, 0.045)), c.deep, 0.8)
    for x in (-0.18, 0.0, 0.18):
        brush.fill(circle(p, x, 0.135, 0.03), _GLOW, glows=True)
    brush.fill(polygon(p, [(0.0, 0.99), (0.0, 0.89), (0.17, 0.94)]), c.dark)


def _balloon(brush: Brush, c: Coat) -> None:
    p = brush.p
    bag = union(
        circle(p, 0, 0.66, 0.335),
        polygon(p, [(-0.27, 0.46), (0.27, 0.46), (0.09, 0.26), (-0.09, 0.26)]),
    )
    basket = box(p, 0, 0.08, 0.095, 0.08, 0.02)
    ropes = union(
        segment(p, (-0.08, 0.14), (-0.16, 0.36), 0.009),
        segment(p, (0.08, 0.14), (0.16, 0.36), 0.009),
    )
    _outline(brush, union(bag, basket), c.deep)
    brush.fill(ropes, _WOOD)
    brush.fill(bag, c.main)
    stripes = union(
        ellipse(p, 0, 0.62, 0.065, 0.36), _ring(ellipse(p, 0, 0.63, 0.235, 0.37), 0.033)
    )
    brush.fill(both(bag, stripes), _CREAM)
    brush.fill(both(bag, box(p, 0, 0.275, 0.2, 0.03)), c.dark)
    brush.fill(basket, _WOOD)
    brush.fill(box(p, 0, 0.145, 0.105, 0.02, 0.01), _CREAM)
    brush.fill(ellipse(p, -0.17, 0.80, 0.05, 0.085), c.pale, 0.8)


def _ring(distance: Tensor, half_width: float) -> Tensor:
    """Return the edge of a shape as a band."""
    return distance.abs() - half_width


def _rocket(brush: Brush, c: Coat) -> None:
    p = brush.p
    body = both(ellipse(p, 0, 0.50, 0.205, 0.50), box(p, 0, 0.60, 0.3, 0.40))
    fins = union(
        polygon(p, [(-0.15, 0.42), (-0.30, 0.12), (-0.29, 0.09), (-0.10, 0.20)], 0.01),
        polygon(p, [(0.15, 0.42), (0.10, 0.20), (0.29, 0.09), (0.30, 0.12)], 0.01),
    )
    flame = polygon(
        p, [(-0.105, 0.19), (0.105, 0.19), (0.06, 0.09), (0.0, 0.0), (-0.06, 0.09)], 0.008
    )
    brush.fill(flame, _FLAME, glows=True)
    brush.fill(polygon(p, [(-0.05, 0.19), (0.05, 0.19), (0.0, 0.07)]), _GLOW, glows=True)
    _outline(brush, union(body, fins), c.deep)
    brush.fill(fins, c.dark)
    brush.fill(body, c.main)
    brush.fill(both(body, box(p, 0, 0.93, 0.3, 0.13)), _CREAM)
    brush.fill(both(body, box(p, 0, 0.235, 0.3, 0.035)), _CREAM)
    brush.fill(circle(p, 0, 0.58, 0.108), _CREAM)
    brush.fill(circle(p, 0, 0.58, 0.078), _GLASS)
    brush.fill(circle(p, -0.025, 0.605, 0.026), _WHITE)
    brush.fill(polygon(p, [(-0.025, 0.40), (0.025, 0.40), (0.02, 0.14), (-0.02, 0.14)]), c.dark)


def _mushroom(brush: Brush, c: Coat) -> None:
    p = brush.p
    stem = polygon(p, [(-0.20, 0.03), (-0.15, 0.50), (0.15, 0.50), (0.20, 0.03)], 0.03)
    cap = both(ellipse(p, 0, 0.47, 0.49, 0.51), box(p, 0, 0.75, 0.6, 0.335, 0.0))
    cap = union(cap, ellipse(p, 0, 0.43, 0.475, 0.085))
    _outline(brush, union(stem, cap), c.deep)
    brush.fill(stem, _CREAM)
    brush.fill(both(stem, box(p, 0, 0.40, 0.3, 0.06)), _WOOD, 0.35)
    brush.fill(cap, c.main)
    brush.fill(both(cap, ellipse(p, 0, 0.36, 0.5, 0.06)), c.dark, 0.8)
    for x, y, rx, ry in (
        (0.0, 0.80, 0.115, 0.085), (-0.27, 0.63, 0.085, 0.075),
        (0.28, 0.63, 0.085, 0.075), (0.02, 0.555, 0.06, 0.045),
    ):  # fmt: skip
        brush.fill(ellipse(p, x, y, rx, ry), _WHITE)
    _face(brush, 0.22, 0.075, 0.026)


def _face(brush: Brush, y: float, spread: float, eye: float) -> None:
    """Paint two eyes and a smile around the height y."""
    p = brush.p
    brush.fill(union(circle(p, -spread, y, eye), circle(p, spread, y, eye)), _INK)
    smile = both(
        _ring(circle(p, 0, y - 0.02, spread * 0.75), 0.014), box(p, 0, y - 0.08, 0.2, 0.05)
    )
    brush.fill(smile, _INK)


def _cactus(brush: Brush, c: Coat) -> None:
    p = brush.p
    body = segment(p, (0, 0.0), (0, 0.72), 0.155)
    body = both(body, -(p[1] - 0.015))
    left = union(
        segment(p, (-0.05, 0.34), (-0.27, 0.34), 0.075),
        segment(p, (-0.27, 0.34), (-0.27, 0.58), 0.075),
    )
    right = union(
        segment(p, (0.05, 0.46), (0.27, 0.46), 0.075), segment(p, (0.27, 0.46), (0.27, 0.72), 0.075)
    )
    _outline(brush, union(body, left, right), c.deep)
    brush.fill(union(left, right), c.main)
    brush.fill(body, c.main)
    ribs = [segment(p, (x, 0.03), (x, 0.74 - abs(x)), 0.012) for x in (-0.075, 0.0, 0.075)]
    ribs += [
        segment(p, (-0.27, 0.34), (-0.27, 0.58), 0.011),
        segment(p, (0.27, 0.46), (0.27, 0.72), 0.011),
    ]
    brush.fill(union(*ribs), c.deep, 0.6)
    for angle in range(0, 360, 72):
        x, y = (
            0.062 * math.cos(math.radians(angle + 18)),
            0.062 * math.sin(math.radians(angle + 18)),
        )
        brush.fill(circle(p, x, 0.905 + y, 0.052), _BLOSSOM)
    brush.fill(circle(p, 0, 0.905, 0.042), _GLOW, glows=True)


def _cat(brush: Brush, c: Coat) -> None:
    p = brush.p
    tail = union(
        segment(p, (0.16, 0.07), (0.33, 0.10), 0.052), segment(p, (0.33, 0.10), (0.36, 0.36), 0.052)
    )
    body = union(ellipse(p, 0, 0.22, 0.235, 0.235), box(p, 0, 0.08, 0.215, 0.075, 0.06))
    head = ellipse(p, 0, 0.62, 0.285, 0.235)
    ears = union(
        polygon(p, [(-0.265, 0.70), (-0.245, 0.97), (-0.05, 0.82)], 0.015),
        polygon(p, [(0.265, 0.70), (0.05, 0.82), (0.245, 0.97)], 0.015),
    )
    _outline(brush, union(tail, body, head, ears), c.deep)
    brush.fill(tail, c.main)
    brush.fill(circle(p, 0.36, 0.38, 0.05), _CREAM)
    brush.fill(body, c.main)
    brush.fill(ellipse(p, 0, 0.19, 0.125, 0.165), _CREAM)
    brush.fill(union(head, ears), c.main)
    brush.fill(polygon(p, [(-0.215, 0.78), (-0.205, 0.90), (-0.11, 0.83)]), _BLOSSOM)
    brush.fill(polygon(p, [(0.215, 0.78), (0.11, 0.83), (0.205, 0.90)]), _BLOSSOM)
    brush.fill(
        both(head, union(*[box(p, x, 0.83, 0.018, 0.075) for x in (-0.075, 0.0, 0.075)])), c.dark
    )
    brush.fill(ellipse(p, 0, 0.525, 0.125, 0.09), _CREAM)
    for x in (-0.125, 0.125):
        brush.fill(ellipse(p, x, 0.655, 0.062, 0.072), _WHITE)
        brush.fill(ellipse(p, x, 0.65, 0.036, 0.058), _INK)
    brush.fill(polygon(p, [(-0.04, 0.575), (0.04, 0.575), (0.0, 0.53)], 0.008), _INK)


PAINTERS: dict[str, Callable[[Brush, Coat], None]] = {
    "house": _house, "tree": _tree, "boat": _boat, "balloon": _balloon,
    "rocket": _rocket, "mushroom": _mushroom, "cactus": _cactus, "cat": _cat,
}  # fmt: skip
assert tuple(PAINTERS) == VALUES["object"]
