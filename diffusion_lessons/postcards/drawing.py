"""Drawing scenes: sky, ground, shadows, then every thing from far to near."""

from __future__ import annotations

import torch
from torch import Tensor

from .layout import FLYING, WIDTH, Placed, place
from .lexicon import VALUES
from .scenery import Canvas, blank, paint_ground, paint_sky, sun_place, thing_light
from .scenes import Scenes
from .shapes import Brush, coverage
from .sprites import COLOURS, PAINTERS, coat

_BATCH = 256  # scenes painted at a time: keeps the memory small
_SEA = VALUES["ground"].index("sea")
_BOAT = VALUES["object"].index("boat")
_LIFT = torch.tensor([FLYING.get(name, 0.0) for name in VALUES["object"]])
_HALF_WIDTH = torch.tensor([WIDTH[name] / 2 for name in VALUES["object"]])


def draw(scenes: Scenes, size: int = 64) -> Tensor:
    """Draw the scenes: float32 (N, 3, size, size) in [-1, 1].

    The same scenes give the same bytes on the same machine. Edges are smooth at every size.

    Raises:
        ValueError: `size` is not between 8 and 1024.
    """
    _check_size(size)
    parts = [_paint(scenes[i : i + _BATCH], size) for i in range(0, len(scenes), _BATCH)]
    return torch.cat(parts) if parts else torch.zeros(0, 3, size, size)


def object_mask(scenes: Scenes, size: int = 64) -> Tensor:
    """Return a mask of the things, bool (N, 1, size, size). Shadows and islets do not count.

    Raises:
        ValueError: `size` is not between 8 and 1024.
    """
    return thing_masks(scenes, size).any(dim=1, keepdim=True)


def thing_masks(scenes: Scenes, size: int = 64) -> Tensor:
    """Return where each thing can be seen, bool (N, 2, size, size): not where another hides it."""
    _check_size(size)
    seen = torch.zeros(len(scenes), 2, size, size, dtype=torch.bool)
    for start in range(0, len(scenes), _BATCH):
        part = scenes[start : start + _BATCH]
        placed = place(part)
        _, alpha = _sprites(part, placed, size)
        for rows in _far_to_near(placed):
            inside = alpha[rows, 0] > 0.5
            scene = start + placed.scene[rows]
            seen[scene] &= ~inside.unsqueeze(1)
            seen[scene, placed.slot[rows]] |= inside
    return seen


def _check_size(size: int) -> None:
    if not 8 <= size <= 1024:
        raise ValueError(f"size is {size}: a postcard is 8 to 1024 pixels wide, usually 64 or 32")


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
    tinted = (COLOURS[placed.colour] * (1 + 0.10 * _hue(scenes, placed))).clamp(0, 1)
    light = thing_light(scenes.attributes["sky"][placed.scene])[:, :, None, None]
    side = (4 * (lamp - placed.x)).clamp(-1, 1)
    for index, paint in enumerate(PAINTERS.values()):
        for tall in (False, True):
            rows = ((placed.object == index) & ((placed.height > 0.3) == tall)).nonzero()[:, 0]
            if len(rows):
                window = _Window(placed[rows], size)
                brush = Brush(window.p, window.pixel, light[rows])
                paint(brush, coat(tinted[rows], window.p, side[rows]))
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
        extent = (
            1.14
            * float(placed.height.max())
            * max(1.0, 2 * float(_HALF_WIDTH[placed.object].max()))
        )
        side = min(size, int(extent * size) + 5)
        x, height = placed.x[:, None], placed.height[:, None]
        foot = (placed.base - _LIFT[placed.object])[:, None]
        self.columns = _inside(x * size - side / 2, side, size)
        self.lines = _inside((foot - 0.5 * height) * size - side / 2, side, size)
        right = ((self.columns + 0.5) / size - x)[:, None, :] / height[:, None]
        up = (foot - (self.lines + 0.5) / size)[:, :, None] / height[:, None]
        cos, sin = torch.cos(placed.tilt)[:, None, None], torch.sin(placed.tilt)[:, None, None]
        self.p = (right * cos + up * sin, up * cos - right * sin)
        self.pixel = 1 / (size * height[:, None])

    def paste(self, patch: Tensor, sheet: Tensor, rows: Tensor) -> None:
        """Put each patch (M, C, side, side) into its place on sheet `rows` of (K, C, H, W)."""
        where = (rows[:, None, None], slice(None), self.lines[:, :, None], self.columns[:, None, :])
        sheet[where] = patch.permute(0, 2, 3, 1)


def _inside(start: Tensor, side: int, size: int) -> Tensor:
    """Return pixel numbers from about `start` (M, 1) on, int64 (M, side), within 0..size-1."""
    return start.long().clamp(0, size - side) + torch.arange(side)


def _hue(scenes: Scenes, placed: Placed) -> Tensor:
    """Return a small change of shade for every thing, (M, 3) in [-0.5, 0.5]."""
    dice = scenes.roll("hue")[placed.scene, placed.slot]
    return torch.stack([dice, (dice * 7) % 1, (dice * 13) % 1], dim=1) - 0.5


def _paint_footing(canvas: Canvas, placed: Placed) -> None:
    """Paint shadows under things; on the sea, foam round boats and islets under the rest."""
    canvas = canvas.strip(0.58, 1.0)
    wet = canvas.ground()[placed.scene] == _SEA
    flying = _LIFT[placed.object] > 0
    islet = wet & ~flying & (placed.object != _BOAT)
    wide = placed.height * _HALF_WIDTH[placed.object]
    for rows in _far_to_near(placed):
        scene = placed.scene[rows]
        part = Canvas(canvas.scenes[scene], canvas.rgb[scene], canvas.x, canvas.y, canvas.pixel)
        x, base, half = (v[rows][:, None, None] for v in (placed.x, placed.base, wide))

        def lay(
            width: Tensor | float,
            height: float,
            drop: float,
            where: Tensor,
            colour: Tensor,
            opacity: float,
            part: Canvas = part,
            x: Tensor = x,
            base: Tensor = base,
            half: Tensor = half,
        ) -> None:
            dx = (canvas.x - x) / (half * width)
            dy = (canvas.y - base - drop * half) / (half * height)
            soft = (1.5 * canvas.pixel / (half * height)).clamp_min(0.25)
            cover = coverage(torch.hypot(dx, dy) - 1, soft) * where.float()[:, None, None] * opacity
            part.cover(cover, colour)

        light = thing_light(part.sky())[:, :, None, None]
        rim, sand = torch.tensor([0.90, 0.97, 1.0]), torch.tensor([0.93, 0.80, 0.52])
        foam = (wet & ~flying)[rows]
        lay(1.32, 0.34, 0.06, foam, rim.view(1, 3, 1, 1) * light, 0.55)
        lay(1.22, 0.30, 0.03, islet[rows], sand.view(1, 3, 1, 1) * light, 1.0)
        shadow = torch.where(flying[rows], 0.75, 1.05)[:, None, None]
        lay(shadow, 0.19, 0.0, ~foam | islet[rows], part.rgb * 0.45, 0.62)
        canvas.rgb[scene] = part.rgb
