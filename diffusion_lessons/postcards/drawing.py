"""Drawing scenes: sky, ground, shadows, then every thing from far to near."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from diffusion_lessons import arguments

from .layout import LIFT, WIDTH, Placed, place
from .lexicon import VALUES
from .scenery import THING_LIGHT, Canvas, blank, paint_ground, paint_sky, sun_place
from .scenes import Scenes
from .shapes import Brush, coverage
from .sprites import COLOURS, PAINTERS, coat

_BATCH = 256  # scenes painted at a time: keeps the memory small
_SEA = VALUES["ground"].index("sea")
_BOAT = VALUES["object"].index("boat")
_FOAM = torch.tensor([0.90, 0.97, 1.0]).view(1, 3, 1, 1)
_ISLET = torch.tensor([0.93, 0.80, 0.52]).view(1, 3, 1, 1)


def draw(scenes: Scenes, size: int = 64) -> Tensor:
    """Draw the scenes: float32 (N, 3, size, size) in [-1, 1].

    The same scenes give the same bytes on the same machine. Edges are smooth at every size. Raises
    ValueError where `size` is not between 8 and 1024.
    """
    return torch.cat([_paint(part, size) for part in _parts(scenes, size)])


def object_mask(scenes: Scenes, size: int = 64) -> Tensor:
    """Return a mask of the things, bool (N, 1, size, size). Shadows and islets do not count."""
    return thing_masks(scenes, size).any(dim=1, keepdim=True)


def thing_masks(scenes: Scenes, size: int = 64) -> Tensor:
    """Return where each thing can be seen, bool (N, 2, size, size): not where another hides it.

    size: as in `draw`.
    """
    seen = []
    for part in _parts(scenes, size):
        placed = place(part)
        _, alpha = _sprites(part, placed, size)
        mask = torch.zeros(len(part), 2, size, size, dtype=torch.bool)
        for rows in _far_to_near(placed):
            inside, scene = alpha[rows, 0] > 0.5, placed.scene[rows]
            mask[scene] &= ~inside.unsqueeze(1)
            mask[scene, placed.slot[rows]] |= inside
        seen.append(mask)
    return torch.cat(seen)


def _parts(scenes: Scenes, size: int) -> Iterator[Scenes]:
    """Give the scenes a batch at a time; one empty batch if there are none."""
    arguments.number("size", size, 8, 1024, " (pixels; 64 or 32 is usual)")
    for start in range(0, max(1, len(scenes)), _BATCH):
        yield scenes[start : start + _BATCH]


def _paint(scenes: Scenes, size: int) -> Tensor:
    canvas = blank(scenes, size)
    paint_sky(canvas)
    paint_ground(canvas)
    placed = place(scenes)
    _paint_footing(canvas, placed)
    rgb, alpha = _sprites(scenes, placed, size)
    for rows in _far_to_near(placed):
        scene = placed.scene[rows]
        canvas.rgb[scene] = canvas.rgb[scene] * (1 - alpha[rows]) + rgb[rows]
    return canvas.rgb.clamp_(0, 1).mul_(2).sub_(1)


def _far_to_near(placed: Placed) -> list[Tensor]:
    """Return row numbers in the order of painting; no scene appears twice in one entry."""
    ranks = range(int(placed.depth.max()) + 1 if len(placed.depth) else 0)
    return [(placed.depth == rank).nonzero()[:, 0] for rank in ranks]


def _sprites(scenes: Scenes, placed: Placed, size: int) -> tuple[Tensor, Tensor]:
    """Paint each object: premultiplied colour (M, 3, size, size), alpha (M, 1, size, size)."""
    m = len(placed.scene)
    rgb, alpha = torch.zeros(m, 3, size, size), torch.zeros(m, 1, size, size)
    lamp = sun_place(scenes)[0][placed.scene]
    dice = scenes.roll("hue")[placed.scene, placed.slot]
    hue = torch.stack([dice, (dice * 7) % 1, (dice * 13) % 1], dim=1) - 0.5
    tinted = (COLOURS[placed.colour] * (1 + 0.10 * hue)).clamp(0, 1)
    light = THING_LIGHT[scenes.attributes["sky"][placed.scene]][:, :, None, None]
    side = (4 * (lamp - placed.x)).clamp(-1, 1)
    for index, paint in enumerate(PAINTERS.values()):
        for tall in (False, True):
            rows = ((placed.object == index) & ((placed.height > 0.3) == tall)).nonzero()[:, 0]
            if len(rows):
                window = _Window(placed[rows], size)
                brush = Brush(window.p, window.pixel, light[rows])
                paint(brush.fill, window.p, coat(tinted[rows], window.p, side[rows]))
                window.paste(brush.rgb, rgb, rows)
                window.paste(brush.alpha, alpha, rows)
    return rgb, alpha


class _Window:
    """A square of pixels around each object, just large enough for the tallest: cheaper to paint.

    Attributes:
        p: pixel centres in each object's own coordinates, each (M, side, side).
        pixel: (M, 1, 1), a pixel's width in those coordinates.
    """

    def __init__(self, placed: Placed, size: int):
        widest = max(1.0, float(WIDTH[placed.object].max()))
        side = min(size, int(1.14 * float(placed.height.max()) * widest * size) + 5)
        x, height = placed.x[:, None], placed.height[:, None]
        foot = (placed.base - LIFT[placed.object])[:, None]

        def pixels(middle: Tensor) -> Tensor:  # numbers of lines or columns, (M, side)
            start = (middle * size - side / 2).long().clamp(0, size - side)
            return start + torch.arange(side)

        self.columns, self.lines = pixels(x), pixels(foot - 0.5 * height)
        right = ((self.columns + 0.5) / size - x)[:, None, :] / height[:, None]
        up = (foot - (self.lines + 0.5) / size)[:, :, None] / height[:, None]
        cos, sin = torch.cos(placed.tilt)[:, None, None], torch.sin(placed.tilt)[:, None, None]
        self.p = (right * cos + up * sin, up * cos - right * sin)
        self.pixel = 1 / (size * height[:, None])

    def paste(self, patch: Tensor, sheet: Tensor, rows: Tensor) -> None:
        """Put each patch (M, C, side, side) into its place on sheet `rows` of (K, C, H, W)."""
        where = (rows[:, None, None], slice(None), self.lines[:, :, None], self.columns[:, None, :])
        sheet[where] = patch.permute(0, 2, 3, 1)


def _paint_footing(canvas: Canvas, placed: Placed) -> None:
    """Paint shadows under things; on the sea, foam round boats and islets under the rest."""
    canvas = canvas.strip(0.58, 1.0)
    wet = canvas.ground[placed.scene] == _SEA
    flying = LIFT[placed.object] > 0
    foam, islet = wet & ~flying, wet & ~flying & (placed.object != _BOAT)
    for rows in _far_to_near(placed):
        part, shown = canvas.of(placed.scene[rows]), placed[rows]
        x, base, height, width = (
            v[:, None, None] for v in (shown.x, shown.base, shown.height, WIDTH[shown.object])
        )
        half, light = height * width / 2, THING_LIGHT[part.sky][:, :, None, None]
        shadow = torch.where(flying[rows], 0.75, 1.05)[:, None, None]
        for wide, high, drop, where, colour, opacity in (
            (1.32, 0.34, 0.06, foam, _FOAM * light, 0.55),
            (1.22, 0.30, 0.03, islet, _ISLET * light, 1.0),
            (shadow, 0.19, 0.0, ~foam | islet, None, 0.62),
        ):
            dx, dy = (canvas.x - x) / (half * wide), (canvas.y - base - drop * half) / (half * high)
            soft = (1.5 * canvas.pixel / (half * high)).clamp_min(0.25)
            cover = coverage(torch.hypot(dx, dy) - 1, soft) * where[rows].float()[:, None, None]
            part.cover(cover * opacity, part.rgb * 0.45 if colour is None else colour)
        canvas.rgb[placed.scene[rows]] = part.rgb
