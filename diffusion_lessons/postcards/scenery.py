"""Sky and ground: everything on a postcard that is not one of its things.

All colours here are (red, green, blue) in 0 to 1; x and y are in picture widths, y points down.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .layout import horizon
from .lexicon import VALUES
from .scenes import SCENE_ATTRIBUTES, Scenes
from .shapes import both, circle, coverage, union

# Three stops of each sky: zenith, half-way, horizon.
_SKY = torch.tensor([
    [[0.16, 0.47, 0.90], [0.42, 0.72, 0.98], [0.80, 0.93, 1.00]],  # day
    [[0.45, 0.55, 0.86], [0.86, 0.72, 0.88], [1.00, 0.88, 0.74]],  # dawn
    [[0.24, 0.13, 0.42], [0.80, 0.28, 0.38], [1.00, 0.64, 0.24]],  # sunset
    [[0.03, 0.05, 0.19], [0.07, 0.11, 0.33], [0.17, 0.23, 0.50]],  # night
    [[0.02, 0.06, 0.14], [0.03, 0.14, 0.24], [0.07, 0.27, 0.33]],  # aurora
])  # fmt: skip
# The light of each sky that falls on the ground, and that a thing is seen in.
_LIGHT = torch.tensor([
    [1.0, 1.0, 1.0], [1.0, 0.93, 0.94], [0.94, 0.74, 0.74], [0.40, 0.46, 0.74], [0.38, 0.60, 0.66],
])  # fmt: skip
THING_LIGHT = torch.tensor([
    [1.0, 1.0, 1.0], [1.0, 0.97, 0.97], [1.0, 0.91, 0.88], [0.90, 0.90, 0.98], [0.92, 0.95, 0.95],
])  # fmt: skip
# Each ground near and far.
_GROUND = torch.tensor([
    [[0.32, 0.66, 0.24], [0.55, 0.80, 0.38]],  # grass
    [[0.90, 0.69, 0.40], [0.97, 0.84, 0.58]],  # sand
    [[0.93, 0.96, 1.00], [0.84, 0.91, 0.98]],  # snow
    [[0.08, 0.36, 0.60], [0.32, 0.64, 0.80]],  # sea
])  # fmt: skip
# Sun or moon: colour; how far its glow reaches and how strong; lowest, highest above the horizon.
_SUN = torch.tensor(
    [[1.0, 0.95, 0.62], [1.0, 0.95, 0.80], [1.0, 0.84, 0.42], [0.96, 0.95, 0.84], [0, 0, 0]]
)
_GLOW = torch.tensor([[0.16, 0.5], [0.22, 0.55], [0.30, 0.75], [0.13, 0.30], [0.1, 0.0]])
_SUN_RISE = torch.tensor([[0.28, 0.42], [0.03, 0.16], [0.00, 0.08], [0.28, 0.42], [0.3, 0.3]])
_CLOUD = torch.tensor([
    [1.0, 1.0, 1.0], [1.0, 0.90, 0.90], [0.98, 0.62, 0.50], [0.24, 0.29, 0.50], [0.10, 0.25, 0.33],
])  # fmt: skip
_CLOUD_OPACITY = torch.tensor([0.92, 0.85, 0.75, 0.55, 0.0])
# The round heaps of a cloud: middle and radius.
_HEAPS = ((-1.05, 0.05, 0.52), (-0.35, -0.28, 0.72), (0.45, -0.12, 0.62), (1.10, 0.10, 0.45))
_SUNSET, _NIGHT, _AURORA = map(VALUES["sky"].index, ("sunset", "night", "aurora"))
_SEA = VALUES["ground"].index("sea")


class Canvas:
    """A batch being painted.

    Attributes:
        rgb: (N, 3, H, W). x: (1, 1, W). y: (1, H, 1). pixel: a pixel's width.
        sky, ground: (N,), indices into `VALUES`. horizon: (N, 1, 1).
    """

    def __init__(self, scenes: Scenes, rgb: Tensor, x: Tensor, y: Tensor, pixel: float):
        self.scenes, self.rgb, self.x, self.y, self.pixel = scenes, rgb, x, y, pixel
        self.sky, self.ground = (scenes.attributes[name] for name in SCENE_ATTRIBUTES)
        self.horizon = horizon(scenes)[:, None, None]

    def dice(self, name: str) -> tuple[Tensor, ...]:
        """Return the dice called `name`, each (N, 1, 1), to broadcast over pixels."""
        return self.scenes.roll(name)[:, :, None, None].unbind(1)

    def of(self, rows: Tensor) -> Canvas:
        """Return a canvas of its own for the chosen scenes."""
        return Canvas(self.scenes[rows], self.rgb[rows], self.x, self.y, self.pixel)

    def strip(self, top: float, bottom: float) -> Canvas:
        """Return the part of the canvas between two heights (0 to 1): painting there costs less."""
        size = self.rgb.shape[2]
        lines = slice(int(top * size), int(bottom * size) + 1)
        return Canvas(self.scenes, self.rgb[:, :, lines], self.x, self.y[:, lines], self.pixel)

    def cover(self, opacity: Tensor, colour: Tensor) -> None:
        """Lay colour ((N, 3, 1, 1) or (N, 3, H, W)) over the picture, by `opacity` (N, H, W)."""
        self.rgb.addcmul_(colour - self.rgb, opacity.unsqueeze(1))


def blank(scenes: Scenes, size: int) -> Canvas:
    """Return an empty canvas for the scenes, `size` pixels wide and high."""
    centres = (torch.arange(size) + 0.5) / size
    rgb = torch.zeros(len(scenes), 3, size, size)
    return Canvas(scenes, rgb, centres.view(1, 1, size), centres.view(1, size, 1), 1 / size)


def sun_place(scenes: Scenes) -> tuple[Tensor, Tensor, Tensor]:
    """Return middle x, middle y and radius of sun or moon, each (N,)."""
    dice = scenes.roll("sun")
    sky = scenes.attributes["sky"]
    low, high = _SUN_RISE[sky].unbind(1)
    x = 0.12 + 0.76 * dice[:, 0]
    y = horizon(scenes) - low - (high - low) * dice[:, 1]
    radius = torch.where(sky == _SUNSET, 0.085, 0.062) + 0.016 * dice[:, 2]
    return x, y.clamp_min(0.09), radius


def paint_sky(canvas: Canvas) -> None:
    """Paint gradient, stars, northern lights, sun or moon, clouds."""
    stops = _SKY[canvas.sky] + 0.05 * (canvas.scenes.roll("tint")[:, None] - 0.5)
    zenith, middle, low = stops[..., None, None].unbind(1)
    u = (canvas.y / canvas.horizon).clamp(0, 1).unsqueeze(1)
    upper, lower = (2 * u).clamp(0, 1), (2 * u - 1).clamp(0, 1)
    canvas.rgb.copy_(zenith + upper * (middle - zenith) + lower * (low - middle))
    aurora = canvas.sky == _AURORA
    _on(canvas, (canvas.sky == _NIGHT) | aurora, _stars)
    _on(canvas, aurora, _northern_lights)
    _on(canvas, ~aurora, _sun)
    _on(canvas, ~aurora, _clouds)


def paint_ground(canvas: Canvas) -> None:
    """Paint far hills (or the sea's far edge), then the near ground with its texture."""
    h = canvas.horizon
    tint = 0.05 * (canvas.scenes.roll("tint") - 0.5)
    colours = _GROUND[canvas.ground] * _LIGHT[canvas.sky][:, None] + tint[:, None]
    near, far = colours[..., None, None].unbind(1)
    air = _SKY[canvas.sky][:, 2][:, :, None, None]
    back, front = _hills(canvas)
    canvas.cover(coverage(back - canvas.y, canvas.pixel), far + 0.45 * (air - far))
    depth = ((canvas.y - h) / (1 - h)).clamp(0, 1).unsqueeze(1)
    canvas.cover(coverage(front - canvas.y, canvas.pixel), far + depth.sqrt() * (near - far))
    for ground, texture in enumerate((_blades, _ripples, _drifts, _waves)):
        _on(canvas, canvas.ground == ground, texture)


def _on(canvas: Canvas, rows: Tensor, paint: Callable[[Canvas], None]) -> None:
    """Run `paint` on the chosen scenes only, and put the result back."""
    if bool(rows.any()):
        part = canvas.of(rows)
        paint(part)
        canvas.rgb[rows] = part.rgb


def _stars(canvas: Canvas) -> None:
    """Paint a dozen small bright points; each is a product of two bumps, one in x and one in y."""
    canvas = canvas.strip(0.0, 0.62)
    x, y, shine = canvas.scenes.roll("stars").view(-1, 12, 3, 1).unbind(2)  # (N, 12, 1)
    sharp = 0.5 / (0.5 * max(canvas.pixel, 1 / 96)) ** 2
    across = torch.exp(-sharp * (canvas.x - x) ** 2)
    down = torch.exp(-sharp * (canvas.y.mT - (0.02 + 0.88 * canvas.horizon * y)) ** 2)
    light = torch.einsum("nkh,nkw->nhw", down * (0.45 + 0.55 * shine), across)
    canvas.cover(light.clamp(0, 1), torch.tensor([1.0, 0.98, 0.90]).view(1, 3, 1, 1))


def _northern_lights(canvas: Canvas) -> None:
    """Paint two soft curtains of green and violet, bright at the lower edge and fading upwards."""
    canvas = canvas.strip(0.0, 0.66)
    dice, x = canvas.dice("aurora"), canvas.x
    for fold, (colour, place, strength) in enumerate((
        ([0.62, 0.35, 0.90], 0.40, 0.55), ([0.25, 0.95, 0.60], 0.66, 0.80),
    )):  # fmt: skip
        phase = 6.283 * dice[fold]
        edge = canvas.horizon * (place + 0.10 * (dice[2 + fold] - 0.5))
        edge = edge + 0.055 * torch.sin(5.0 * x + phase) + 0.022 * torch.sin(11 * x + 2 * phase)
        above = edge - canvas.y
        below = torch.exp(-((above.clamp_max(0) / 0.025) ** 2))
        curtain = torch.exp(-above.clamp_min(0) / 0.14) * below
        rays = 0.80 + 0.20 * torch.sin(34 * x + 3 * phase + 4 * torch.sin(6 * x + phase))
        canvas.cover(strength * curtain * rays, torch.tensor(colour).view(1, 3, 1, 1))


def _sun(canvas: Canvas) -> None:
    x, y, radius = (value[:, None, None] for value in sun_place(canvas.scenes))
    colour = _SUN[canvas.sky][:, :, None, None]
    reach, strength = _GLOW[canvas.sky][:, :, None, None].unbind(1)
    distance = torch.hypot(canvas.x - x, canvas.y - y)
    canvas.cover(strength * torch.exp(-((distance / reach) ** 2)), colour)
    disc = coverage(distance - radius, canvas.pixel)
    bite = torch.hypot(canvas.x - x - 0.45 * radius, canvas.y - y + 0.18 * radius) - 0.86 * radius
    moon = (canvas.sky == _NIGHT)[:, None, None]
    canvas.cover(disc * torch.where(moon, 1 - coverage(bite, canvas.pixel), 1.0), colour)


def _clouds(canvas: Canvas) -> None:
    """Paint up to three clouds: four round heaps on a flat base, white above and shaded below."""
    canvas = canvas.strip(0.0, 0.66)
    dice = canvas.dice("clouds")
    colour = _CLOUD[canvas.sky][:, :, None, None]
    opacity = _CLOUD_OPACITY[canvas.sky][:, None, None]
    for k in range(3):
        x, y, s = dice[3 * k : 3 * k + 3]
        size = 0.065 + 0.055 * s
        p = (canvas.x - x) / size, (canvas.y - canvas.horizon * (0.10 + 0.52 * y)) / size
        heaps = union(*(circle(p, *heap) for heap in _HEAPS))
        heaps = both(heaps, p[1] - 0.35)
        there = (s < (0.85 if k else 1.1)).float()
        cover = coverage(heaps * size, 1.5 * canvas.pixel) * opacity * there
        shade = (0.90 + 0.10 * (-p[1]).clamp(-1, 1)).unsqueeze(1)
        canvas.cover(cover, (colour * shade).clamp(0, 1))


def _hills(canvas: Canvas) -> tuple[Tensor, Tensor]:
    """Return heights (N, 1, W) of the far ridge and the near ground's edge; the sea has neither."""
    a, b, c, d = canvas.dice("hills")
    h, hilly = canvas.horizon, (canvas.ground != _SEA).float()[:, None, None]
    far = 0.030 + 0.030 * a
    ridge = h - hilly * far * (1 + torch.sin(6.283 * (canvas.x * (0.8 + 0.7 * b) + c)))
    ridge = ridge - hilly * 0.010 * torch.sin(6.283 * (2.3 * canvas.x + d))
    edge = h + hilly * (0.018 + 0.020 * torch.sin(6.283 * (canvas.x * (0.6 + 0.6 * c) + d)))
    return ridge, edge


def _below(canvas: Canvas, fade: float = 0.05) -> Tensor:
    """Return 0 at the horizon, rising to 1 a little below it."""
    return ((canvas.y - canvas.horizon - 0.03) / fade).clamp(0, 1)


def _blades(canvas: Canvas) -> None:
    a, b = (6.283 * value for value in canvas.dice("waves"))
    rows = torch.sin(17 * canvas.x + 9 * torch.sin(5 * canvas.y + a) + b)
    light = rows * torch.sin(44 * canvas.y + 3 * canvas.x + a)
    canvas.rgb.mul_((1 + 0.055 * light * _below(canvas)).unsqueeze(1))


def _ripples(canvas: Canvas) -> None:
    a, b = (6.283 * value for value in canvas.dice("waves"))
    depth = canvas.y * 60 - 14 * canvas.y**2
    light = torch.sin(depth + 2.2 * torch.sin(4.5 * canvas.x + a) + b)
    canvas.rgb.mul_((1 + 0.05 * light * _below(canvas)).unsqueeze(1))


def _drifts(canvas: Canvas) -> None:
    a, b = (6.283 * value for value in canvas.dice("waves"))
    light = torch.sin(9 * canvas.y + 3 * torch.sin(3.5 * canvas.x + a) + b)
    shadow = (0.13 * light.clamp(0, 1) * _below(canvas, 0.2)).unsqueeze(1)
    canvas.rgb.mul_(1 - shadow * torch.tensor([1.0, 0.72, 0.35]).view(1, 3, 1, 1))


def _waves(canvas: Canvas) -> None:
    """Paint rows of small crests, and the light of the sky's lamp lying on the water."""
    a, b = (6.283 * value for value in canvas.dice("waves"))
    h = canvas.horizon
    depth = ((canvas.y - h) / (1 - h)).clamp(1e-3, 1)
    swell = 1.3 * torch.sin(10 * canvas.x / (0.3 + depth) * 0.5 + a)
    crest = torch.sin(30 * depth.sqrt() + swell + b).clamp(0, 1)
    below = coverage(h - canvas.y, canvas.pixel)
    canvas.cover(0.20 * crest * below, _SKY[canvas.sky][:, 2][:, :, None, None])
    x = sun_place(canvas.scenes)[0][:, None, None]
    strength = _GLOW[canvas.sky][:, 1][:, None, None]
    lane = torch.exp(-(((canvas.x - x) / (0.05 + 0.09 * depth)) ** 2)) * (0.35 + 0.65 * crest)
    colour = _SUN[canvas.sky][:, :, None, None]
    canvas.cover(0.9 * strength * lane * below * (1 - 0.6 * depth), colour)
