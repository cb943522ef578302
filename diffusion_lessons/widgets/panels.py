"""The panels of a scrubber: pictures, bars, curves, points, one state for each stop of the slider.

With a second axis (`choose` of `scrub`), every array below has the choices as an extra first axis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from diffusion_lessons import arguments
from diffusion_lessons.pictures import checked_alt, to_uint8

from .page import as_float32, framed


class Panel:
    """What the page and the still strip draw for one panel; a subclass defines `_content`."""

    title: str
    alt: str

    def content(self, choices: int, stops: int) -> dict:
        """Return kind, title and alt of the panel, and its arrays with axes (choices, stops, ...).

        Raises ValueError, with the title, on arrays of another shape and on an empty alt.
        """
        try:
            content = {"alt": checked_alt(self.alt), **self._content((choices, stops))}
        except ValueError as error:
            raise ValueError(f"panel {self.title!r}: {error}") from None
        return {"kind": type(self).__name__.lower(), "title": self.title, **content}

    def _content(self, lead: tuple[int, int]) -> dict:
        """Return what is special to the kind; `lead` is (choices, stops)."""
        raise NotImplementedError

    def _fitted(
        self, name: str, given: object, sizes: tuple, shared: bool = False, gaps: bool = False
    ) -> np.ndarray:
        """Return an array as float32 of `sizes` (choices, stops, ...), all finite unless `gaps`.

        The axis of the choices is left out where there is one; `shared`: first axes may be anyway.
        """
        values, absent = as_float32(given), int(sizes[0] == 1)
        if shared:
            absent = max(absent, min(len(sizes) - values.ndim, len(sizes) - 1))
        hint = ". What moves has the stops as first axis, and before them the choices, if any"
        arguments.shape(name, values, sizes[absent:], hint)
        if not (gaps or np.isfinite(values).all()):
            raise ValueError(f"{name} hold nan or inf, which have no place")
        return np.broadcast_to(values, (*sizes[:absent], *values.shape))


@dataclass(frozen=True)
class Pictures(Panel):
    """One picture per stop: `frames` float (stops, C, H, W) in [-1, 1]."""

    title: str
    frames: torch.Tensor
    alt: str

    def _content(self, lead: tuple[int, int]) -> dict:
        frames = torch.tensor(self._fitted("frames", self.frames, (*lead, "C", "H", "W")))
        data = to_uint8(frames.flatten(0, 1))
        return framed(data.reshape(*lead, *data.shape[1:]))


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

    def _content(self, lead: tuple[int, int]) -> dict:
        arguments.shape("edges", edges := as_float32(self.edges), ("N",))
        edges = edges.tolist()
        sizes = (*lead, len(edges) - 1)
        heights, overlay = self._fitted("heights", self.heights, sizes), None
        tallest = np.median(heights.max(axis=-1))
        if self.overlay:
            curves = self._fitted("overlay", self.overlay[1], sizes, shared=True)
            overlay = {"name": self.overlay[0], "data": curves}
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

    def _content(self, lead: tuple[int, int]) -> dict:
        x = self._fitted("x", self.x, lead, shared=True)
        lines: list[dict[str, Any]] = [
            {"name": name, "data": self._fitted(f"y_lines[{name!r}]", y, lead, gaps=True)}
            for name, y in self.y_lines.items()
        ]
        values = np.concatenate([line["data"].ravel() for line in lines])
        values = values[np.isfinite(values) & ((values > 0) | (not self.log_y))].astype(float)
        low, high = (values.min(), values.max()) if len(values) else (1, 10)
        if self.log_y and len(values):
            # A single value near zero would press all others together. Those of the lowest fiftieth
            # that fall below the axis are drawn on its edge, and said in full.
            low = max(low, np.quantile(values, 0.02) / 3)
        ends = {"low": float(low), "high": float(high)}
        return {"x": x, "lines": lines, "log_y": self.log_y, **ends}


@dataclass(frozen=True)
class Points(Panel):
    """N points in the plane per stop: `positions` (stops, N, 2), on axes that rest.

    `behind` is a pair (name, points): (K, 2), drawn faint under the others at every stop. `arrows`
    is a triple (name, places, vectors): (M, 2) and (stops, M, 2), vectors that may also differ by
    choice. They are drawn to one scale for all stops, at which most of them reach about to the next
    arrow at half of the stops; longer ones are cut to that. The first `trails` points draw the way
    they have come, up to the stop. The axes hold 98 % of the coordinates: the data fills them.
    """

    title: str
    positions: torch.Tensor
    alt: str
    behind: tuple[str, torch.Tensor] | None = None
    arrows: tuple[str, torch.Tensor, torch.Tensor] | None = None
    trails: int = 0

    def _content(self, lead: tuple[int, int]) -> dict:
        positions = self._fitted("positions", self.positions, (*lead, "N", 2))
        sizes, behind, arrows = positions.ravel(), None, None
        if self.behind:
            (points,) = self._fitted("behind", self.behind[1], (1, "K", 2))
            behind = {"name": self.behind[0], "data": points}
            sizes = np.concatenate([sizes, points.ravel()])
        if self.arrows:
            (places,) = self._fitted("arrows, places", self.arrows[1], (1, "M", 2))
            wanted = (*lead, *places.shape)
            vectors = self._fitted("arrows, vectors", self.arrows[2], wanted, shared=True)
            arrows = {"name": self.arrows[0], "places": places, "data": _scaled(places, vectors)}
        reach = max(0.5, math.ceil(2 * np.quantile(np.abs(sizes), 0.98)) / 2)
        moving = {"data": positions, "behind": behind, "arrows": arrows}
        trails = arguments.number("trails", self.trails, 0, positions.shape[2])
        return moving | {"trails": trails, "reach": reach}


def _scaled(places: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return vectors (choices, stops, M, 2) on the scale of the arrows, see `Points`."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    spacing = np.ptp(places, axis=0).max() / max(len(places) ** 0.5 - 1, 1)
    unit = np.median(np.quantile(lengths, 0.9, axis=(0, 2, 3))) or 1.0
    scaled = vectors * np.minimum(1 / unit, 1 / np.maximum(lengths, 1e-12)) * spacing
    return scaled.astype(np.float32)
