"""The panels of a scrubber: pictures, bars, curves, points, one state for each stop of the slider.

With a second axis (`choose` of `scrub`), every array below has the choices as an extra first axis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from diffusion_lessons.pictures import checked_alt, to_uint8


@dataclass(frozen=True)
class Pictures:
    """One picture per stop: `frames` float (stops, C, H, W) in [-1, 1]."""

    title: str
    frames: torch.Tensor
    alt: str

    def states(self, choices: int, stops: int) -> np.ndarray:
        """The frames as uint8 (choices, stops, H, W, 3)."""
        frames = _with_choices(
            self.title, "frames", self.frames, choices, (stops,), ("C", "H", "W")
        )
        return to_uint8(torch.as_tensor(frames).flatten(0, 1)).reshape(
            choices, stops, *frames.shape[-2:], 3
        )

    def payload(self, choices: int, stops: int) -> dict:
        """What the page needs to draw this panel."""
        states = self.states(choices, stops)
        return _described(self, "pictures", height=states.shape[2], width=states.shape[3]) | {
            "data": states.tobytes()
        }


@dataclass(frozen=True)
class Bars:
    """A histogram per stop: `heights` (stops, B) over `edges` (B + 1,), which rise.

    `overlay` is a pair (name, curve) drawn over the bars: curve (B,) at the middle of each bar, or
    one per stop (stops, B). The scale is the same at all stops; bars above it are marked as cut.
    """

    title: str
    heights: np.ndarray
    edges: np.ndarray
    overlay: tuple[str, np.ndarray] | None = None
    alt: str = ""

    def states(self, choices: int, stops: int) -> np.ndarray:
        """The heights as float32 (choices, stops, B)."""
        bins = len(np.asarray(self.edges)) - 1
        return _with_choices(self.title, "heights", self.heights, choices, (stops, bins))

    def overlay_states(self, choices: int, stops: int) -> np.ndarray | None:
        """The overlay as float32 (choices, stops, B), or None."""
        if self.overlay is None:
            return None
        bins, curve = len(np.asarray(self.edges)) - 1, _array(self.overlay[1])
        if curve.shape == (bins,):
            return np.broadcast_to(curve, (choices, stops, bins)).copy()
        return _with_choices(self.title, "overlay", curve, choices, (stops, bins))

    def top(self, choices: int, stops: int) -> float:
        """The upper end of the scale: what half of the stops need, or the overlay if taller."""
        tallest = np.median(self.states(choices, stops).max(axis=-1))
        overlay = self.overlay_states(choices, stops)
        drawn = 0.0 if overlay is None else np.median(overlay.max(axis=-1))
        return float(1.15 * max(tallest, drawn)) or 1.0

    def payload(self, choices: int, stops: int) -> dict:
        """What the page needs to draw this panel."""
        overlay = self.overlay_states(choices, stops)
        return _described(self, "bars", edges=_array(self.edges).tolist()) | {
            "data": self.states(choices, stops).tobytes(),
            "top": self.top(choices, stops),
            "overlay": {"name": self.overlay[0], "data": overlay.tobytes()}
            if self.overlay and overlay is not None
            else None,
        }


@dataclass(frozen=True)
class Curve:
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

    def x_states(self, choices: int, stops: int) -> np.ndarray:
        """The places on the axis as float32 (choices, stops)."""
        x = _array(self.x)
        if x.shape == (stops,):  # the same axis for every choice
            return np.broadcast_to(x, (choices, stops)).copy()
        return _with_choices(self.title, "x", x, choices, (stops,))

    def states(self, choices: int, stops: int) -> dict[str, np.ndarray]:
        """Name to float32 (choices, stops)."""
        return {
            name: _with_choices(self.title, f"y_lines[{name!r}]", y, choices, (stops,))
            for name, y in self.y_lines.items()
        }

    def payload(self, choices: int, stops: int) -> dict:
        """What the page needs to draw this panel."""
        lines = [
            {"name": name, "data": y.tobytes()} for name, y in self.states(choices, stops).items()
        ]
        x = self.x_states(choices, stops).tobytes()
        low, high = self.reach(choices, stops)
        return _described(self, "curve", x=x, lines=lines, log_y=self.log_y, low=low, high=high)

    def reach(self, choices: int, stops: int) -> tuple[float, float]:
        """Lowest and highest value on the axis.

        When `log_y`, the lowest fiftieth of the values may fall below it: a single value near zero
        would press all others together. They are drawn on the edge, and said in full.
        """
        values = np.concatenate([y.ravel() for y in self.states(choices, stops).values()])
        values = values[np.isfinite(values) & ((values > 0) | (not self.log_y))].astype(float)
        if not len(values):
            return 1.0, 10.0
        low = max(values.min(), np.quantile(values, 0.02) / 3) if self.log_y else values.min()
        return float(low), float(values.max())


@dataclass(frozen=True)
class Points:
    """N points in the plane per stop: `positions` (stops, N, 2), on axes that rest.

    `behind` is a pair (name, points): (K, 2), drawn faint under the others at every stop. `arrows`
    is a triple (name, places, vectors): (M, 2) and (stops, M, 2), vectors that may also differ by
    choice. They are drawn to one scale for all stops, at which most of them reach about to the next
    arrow at half of the stops; longer ones are cut to that. The first `trails` points draw the way
    they have come, up to the stop.
    """

    title: str
    positions: torch.Tensor
    alt: str
    behind: tuple[str, torch.Tensor] | None = None
    arrows: tuple[str, torch.Tensor, torch.Tensor] | None = None
    trails: int = 0

    def states(self, choices: int, stops: int) -> np.ndarray:
        """The positions as float32 (choices, stops, N, 2)."""
        values = _with_choices(
            self.title, "positions", self.positions, choices, (stops,), ("N", "2")
        )
        return self._checked("positions", values)

    def behind_points(self) -> np.ndarray:
        """The faint points as float32 (K, 2), K = 0 where there are none."""
        if self.behind is None:
            return np.zeros((0, 2), np.float32)
        return self._checked("behind", _array(self.behind[1]), axes=2)

    def arrow_states(self, choices: int, stops: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Places (M, 2) and vectors as drawn (choices, stops, M, 2), float32, or None."""
        if self.arrows is None:
            return None
        places = self._checked("arrows, places", _array(self.arrows[1]), axes=2)
        vectors, wanted = _array(self.arrows[2]), (stops, *places.shape)
        if vectors.shape == wanted:  # the same arrows for every choice
            vectors = np.broadcast_to(vectors, (choices, *wanted))
        elif choices == 1 or vectors.shape != (choices, *wanted):
            raise ValueError(
                f"panel {self.title!r}: arrows have vectors of shape {vectors.shape}, expected "
                f"{wanted}: one for each stop and place"
            )
        vectors = self._checked("arrows, vectors", vectors)
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
        spacing = np.ptp(places, axis=0).max() / max(len(places) ** 0.5 - 1, 1)
        unit = np.median(np.quantile(lengths, 0.9, axis=(0, 2, 3))) or 1.0
        return places, vectors * np.minimum(1 / unit, 1 / np.maximum(lengths, 1e-12)) * spacing

    def reach(self, choices: int, stops: int) -> float:
        """The axes go from minus this to this: nearly all points at all stops lie within."""
        sizes = [np.abs(self.states(choices, stops)).ravel(), np.abs(self.behind_points()).ravel()]
        return max(0.5, math.ceil(2 * np.quantile(np.concatenate(sizes), 0.998)) / 2)

    def payload(self, choices: int, stops: int) -> dict:
        """What the page needs to draw this panel."""
        states, arrows = self.arrow_states(choices, stops), None
        if self.arrows and states is not None:
            places, vectors = (one.astype(np.float32).tobytes() for one in states)
            arrows = {"name": self.arrows[0], "places": places, "data": vectors}
        behind = (
            {"name": self.behind[0], "data": self.behind_points().tobytes()}
            if self.behind
            else None
        )
        return _described(self, "points", behind=behind, arrows=arrows, trails=self.trails) | {
            "data": self.states(choices, stops).tobytes(),
            "reach": self.reach(choices, stops),
        }

    def _checked(self, name: str, values: np.ndarray, axes: int = 4) -> np.ndarray:
        if values.ndim != axes or values.shape[-1] != 2:
            raise ValueError(
                f"panel {self.title!r}: {name} have shape {values.shape}; expected two numbers, "
                "x and y, along the last axis: (N, 2) for points that rest"
            )
        if not np.isfinite(values).all():
            raise ValueError(f"panel {self.title!r}: {name} hold nan or inf, which have no place")
        return values


Panel = Pictures | Bars | Curve | Points


def _described(panel: Panel, kind: str, **more: object) -> dict:
    try:
        alt = checked_alt(panel.alt)
    except ValueError as error:
        raise ValueError(f"panel {panel.title!r}: {error}") from None
    return {"kind": kind, "title": panel.title, "alt": alt, **more}


def _array(values: object) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=np.float32)


def _with_choices(
    title: str,
    name: str,
    values: object,
    choices: int,
    wanted: tuple[int, ...],
    rest: tuple[str, ...] = (),
) -> np.ndarray:
    """`values` as float32, an axis of choices in front; axes of any size (`rest`) may follow."""
    values = _array(values)
    if choices > 1:
        wanted = (choices, *wanted)
    if values.ndim != len(wanted) + len(rest) or values.shape[: len(wanted)] != wanted:
        expected = ", ".join(map(str, (*wanted, *rest)))
        axes = "choices, stops" if choices > 1 else "stops"
        raise ValueError(
            f"panel {title!r}: {name} has shape {values.shape}, expected ({expected}); "
            f"the first axes are {axes}, as many as the slider has words"
        )
    return np.ascontiguousarray(values if choices > 1 else values[None])
