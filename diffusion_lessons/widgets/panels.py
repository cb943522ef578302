"""The panels of a scrubber: pictures, bars, curves, points, one state for each stop of the slider.

With a second axis (`choose` of `scrub`), every array below has the choices as an extra first axis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from diffusion_lessons.pictures import checked_alt, to_uint8


class Panel:
    """What the page and the still strip draw for one panel; a subclass defines `_content`."""

    title: str
    alt: str

    def content(self, choices: int, stops: int) -> dict:
        """Return kind, title and alt of the panel, and its arrays with axes (choices, stops, ...).

        Raises ValueError, with the title, on arrays of another shape and on an empty alt.
        """
        try:
            alt = checked_alt(self.alt)
        except ValueError as error:
            raise ValueError(f"panel {self.title!r}: {error}") from None
        described = {"kind": type(self).__name__.lower(), "title": self.title, "alt": alt}
        return described | self._content(choices, stops)

    def _content(self, choices: int, stops: int) -> dict:
        raise NotImplementedError

    def _fitted(
        self, name: str, given: object, shape: Sequence[int], rest: str = "", shared: bool = False
    ) -> np.ndarray:
        """Return an array as float32 of `shape` (choices, stops, ...), then the axes `rest`.

        The axis of the choices is left out where there is one, and may be where it is `shared`.
        """
        values, (choices, *each) = as_float32(given), shape
        if shared and values.shape == tuple(each):
            return np.broadcast_to(values, shape).copy()
        wanted = list(shape) if choices > 1 else each
        if values.ndim != len(wanted) + len(rest) or list(values.shape[: len(wanted)]) != wanted:
            expected = ", ".join(map(str, (*wanted, *rest)))
            axes = "choices, stops" if choices > 1 else "stops"
            raise ValueError(
                f"panel {self.title!r}: {name} has shape {values.shape}, expected ({expected}); "
                f"the first axes are {axes}, as many as the slider has words"
            )
        return np.ascontiguousarray(values if choices > 1 else values[None])


@dataclass(frozen=True)
class Pictures(Panel):
    """One picture per stop: `frames` float (stops, C, H, W) in [-1, 1]."""

    title: str
    frames: torch.Tensor
    alt: str

    def _content(self, choices: int, stops: int) -> dict:
        frames = torch.from_numpy(self._fitted("frames", self.frames, (choices, stops), "CHW"))
        height, width = frames.shape[-2:]
        data = to_uint8(frames.flatten(0, 1)).reshape(choices, stops, height, width, 3)
        return {"height": height, "width": width, "data": data}


@dataclass(frozen=True)
class Bars(Panel):
    """A histogram per stop: `heights` (stops, B) over `edges` (B + 1,), which rise.

    `overlay` is a pair (name, curve) drawn over the bars: curve (B,) at the middle of each bar, or
    one per stop (stops, B). The scale is the same at all stops, what half of them need; bars above
    it are marked as cut.
    """

    title: str
    heights: np.ndarray
    edges: np.ndarray
    overlay: tuple[str, np.ndarray] | None = None
    alt: str = ""

    def _content(self, choices: int, stops: int) -> dict:
        edges = as_float32(self.edges).tolist()
        shape = (choices, stops, len(edges) - 1)
        heights, overlay = self._fitted("heights", self.heights, shape), None
        tallest = np.median(heights.max(axis=-1))
        if self.overlay:
            name, curve = self.overlay[0], as_float32(self.overlay[1])
            if curve.ndim == 1:  # the same at every stop
                curve = np.broadcast_to(curve, (stops, len(curve)))
            curves = self._fitted("overlay", curve, shape, shared=True)
            overlay = {"name": name, "data": curves}
            tallest = max(tallest, np.median(curves.max(axis=-1)))
        top = float(1.15 * tallest) or 1.0
        return {"edges": edges, "data": heights, "top": top, "overlay": overlay}


@dataclass(frozen=True)
class Curve(Panel):
    """Lines that stand still, with a marker and a number that move with the slider.

    `x` (stops,) is where each stop stands on the axis; `y_lines` maps a name to (stops,). A value
    that is not finite (or not above zero, when `log_y`) leaves a gap in the line. With choices, the
    lines of the others stay in sight, faint.
    """

    title: str
    x: np.ndarray
    y_lines: Mapping[str, np.ndarray]
    alt: str
    log_y: bool = False

    def _content(self, choices: int, stops: int) -> dict:
        shape = (choices, stops)
        x = self._fitted("x", self.x, shape, shared=True)
        fitted = {
            name: self._fitted(f"y_lines[{name!r}]", y, shape) for name, y in self.y_lines.items()
        }
        lines = [{"name": name, "data": y} for name, y in fitted.items()]
        low, high = self._reach(np.concatenate([y.ravel() for y in fitted.values()]))
        return {"x": x, "lines": lines, "log_y": self.log_y, "low": low, "high": high}

    def _reach(self, values: np.ndarray) -> tuple[float, float]:
        """Return the lowest and the highest value on the axis.

        When `log_y`, the lowest fiftieth of the values may fall below it: a single value near zero
        would press all others together. They are drawn on the edge, and said in full.
        """
        values = values[np.isfinite(values) & ((values > 0) | (not self.log_y))].astype(float)
        if not len(values):
            return 1.0, 10.0
        low = max(values.min(), np.quantile(values, 0.02) / 3) if self.log_y else values.min()
        return float(low), float(values.max())


@dataclass(frozen=True)
class Points(Panel):
    """N points in the plane per stop: `positions` (stops, N, 2), on axes that rest.

    `behind` is a pair (name, points): (K, 2), drawn faint under the others at every stop. `arrows`
    is a triple (name, places, vectors): (M, 2) and (stops, M, 2), vectors that may also differ by
    choice. They are drawn to one scale for all stops, at which most of them reach about to the next
    arrow at half of the stops; longer ones are cut to that. The first `trails` points draw the way
    they have come, up to the stop. The axes hold nearly all points of all stops.
    """

    title: str
    positions: torch.Tensor
    alt: str
    behind: tuple[str, torch.Tensor] | None = None
    arrows: tuple[str, torch.Tensor, torch.Tensor] | None = None
    trails: int = 0

    def _content(self, choices: int, stops: int) -> dict:
        fitted = self._fitted("positions", self.positions, (choices, stops), "N2")
        positions, behind, arrows = self._checked("positions", fitted, 4), None, None
        sizes = positions.ravel()
        if self.behind:
            points = self._checked("behind", as_float32(self.behind[1]), 2)
            behind = {"name": self.behind[0], "data": points}
            sizes = np.concatenate([sizes, points.ravel()])
        if self.arrows:
            places = self._checked("arrows, places", as_float32(self.arrows[1]), 2)
            shape = (choices, stops, *places.shape)
            vectors = self._fitted("arrows, vectors", self.arrows[2], shape, shared=True)
            scaled = _scaled(places, self._checked("arrows, vectors", vectors, 4))
            arrows = {"name": self.arrows[0], "places": places, "data": scaled}
        reach = max(0.5, math.ceil(2 * np.quantile(np.abs(sizes), 0.998)) / 2)
        described = {"data": positions, "behind": behind, "arrows": arrows}
        return described | {"trails": self.trails, "reach": reach}

    def _checked(self, name: str, values: np.ndarray, axes: int) -> np.ndarray:
        if values.ndim != axes or values.shape[-1] != 2:
            raise ValueError(
                f"panel {self.title!r}: {name} have shape {values.shape}; expected two numbers, "
                "x and y, along the last axis: (N, 2) for points that rest"
            )
        if not np.isfinite(values).all():
            raise ValueError(f"panel {self.title!r}: {name} hold nan or inf, which have no place")
        return values


def _scaled(places: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return vectors (choices, stops, M, 2) on the scale of the arrows, see `Points`."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    spacing = np.ptp(places, axis=0).max() / max(len(places) ** 0.5 - 1, 1)
    unit = np.median(np.quantile(lengths, 0.9, axis=(0, 2, 3))) or 1.0
    scaled = vectors * np.minimum(1 / unit, 1 / np.maximum(lengths, 1e-12)) * spacing
    return scaled.astype(np.float32)


def as_float32(values: object) -> np.ndarray:
    """Return a tensor, an array or a list as a float32 array on the CPU."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=np.float32)
