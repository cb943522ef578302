"""A diagram of a U-Net, drawn from the network itself: what it runs, in which order, on which maps.

Nothing in it is drawn by hand. One picture goes through the network, each part is noted when it
returns, and a skip is found where a part receives what an earlier part had returned.
"""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from . import arguments
from .models import Attention, Down, ResBlock, UNet, Up
from .pictures import PALETTE, SMALL, TINTS, TINY, look

_PARTS = (ResBlock, Attention, Down, Up)
_COLOURS = {"Attention": "plum", "Down": "orange", "Up": "orange", "ResBlock": "teal"}
_HEAD = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0}
_WIDE, _HIGH, _STEP, _ROW = 0.86, 0.56, 1.0, 1.15  # of a box; from one to the next


@dataclass(frozen=True)
class Box:
    """One part of a network as it ran.

    `name` is that of its class, "ResBlock", "Down", ... or "x_t", "stem", "head", "output"; `shape`
    that of its result, (C, h, w). `skip_from` is the place in the list of the part whose result
    reached it by a skip, `takes_emb` whether it takes the embedding of time and labels.
    """

    name: str
    shape: tuple[int, ...]
    skip_from: int | None = None
    takes_emb: bool = False


def trace(model: UNet, size: int) -> list[Box]:
    """Run one picture (1, C, size, size) through the network, and list its parts as they ran.

    Raises ValueError where the network does not take pictures of that size.
    """
    size = arguments.number("size", size, 1, 1024, ", a side in pixels")
    boxes = [Box("x_t", (model.channels, size, size))]
    results: dict[int, int] = {}  # id of a result: the place of its box

    def note(part: torch.nn.Module, inputs: tuple, result: Tensor) -> None:
        name = names.get(part, type(part).__name__)
        skips = [results[id(tensor)] for tensor in inputs[1:] if id(tensor) in results]
        takes_emb = any(tensor.ndim == 2 for tensor in inputs[1:])
        results[id(result)] = len(boxes)
        kept.append(result)  # so that no later tensor gets its id
        boxes.append(Box(name, tuple(result.shape[1:]), skips[0] if skips else None, takes_emb))

    kept: list[Tensor] = []
    names: dict[torch.nn.Module, str] = {model.stem: "stem", model.head: "head"}
    parts = [part for part in model.modules() if isinstance(part, _PARTS) or part in names]
    hooks = [part.register_forward_hook(note) for part in parts]
    try:
        with torch.no_grad():
            x_t = torch.zeros(1, model.channels, size, size)
            result = model(x_t, torch.zeros(1))
    finally:
        for hook in hooks:
            hook.remove()
    return [*boxes, Box("output", tuple(result.shape[1:]))]


def describe(boxes: list[Box]) -> str:
    """Return the diagram in words, for those who do not see it."""
    parts = [f"{box.name} {_size(box)}" for box in boxes]
    kept = [boxes[box.skip_from] for box in boxes if box.skip_from is not None]
    skips = [f"{_size(box)} is kept for the way up" for box in kept]
    return f"A U-Net, part by part: {', then '.join(parts)}. Skips: {'; '.join(skips) or 'none'}."


def draw(boxes: list[Box]) -> Figure:
    """Draw the parts from left to right in the order they ran, one row for each size of map.

    Solid arrows lead from part to part, dashed ones are skips; the bar at the bottom is the
    embedding of time and labels, with a line to each part that takes it.
    """
    sides = sorted({box.shape[1] for box in boxes}, reverse=True)
    rows = {side: -_ROW * row for row, side in enumerate(sides)}
    places = [(_STEP * i, rows[box.shape[1]]) for i, box in enumerate(boxes)]
    with mpl.rc_context(look() | {"axes.grid": False}):
        fig = Figure(figsize=(max(7.6, 0.8 * len(boxes)), 0.95 * len(sides) + 0.8))
        ax = fig.add_subplot()
        ax.set_axis_off()
        bar = rows[sides[-1]] - 0.85
        _draw_bar(ax, bar, places, [box.takes_emb for box in boxes])
        for before, after in zip(places, places[1:], strict=False):
            _arrow(ax, before, after)
        for place, box in zip(places, boxes, strict=True):
            if box.skip_from is not None:
                _skip(ax, places[box.skip_from], place)
            _draw_box(ax, place, box)
        for side, y in rows.items():
            ax.text(-0.62, y, f"{side} × {side}", ha="right", va="center", fontsize=SMALL)
        ax.set(xlim=(-1.5, places[-1][0] + 0.5), ylim=(bar - 0.3, 0.75))
    return fig


def _size(box: Box) -> str:
    channels, height, width = box.shape
    return f"{channels} × {height} × {width}"


def _draw_box(ax: Axes, place: tuple[float, float], box: Box) -> None:
    x, y = place
    corner, shape = (x - _WIDE / 2, y - _HIGH / 2), "round,pad=0,rounding_size=0.08"
    fill, edge = TINTS.get(_COLOURS.get(box.name, ""), "white"), PALETTE["ink"]
    patch = mpl.patches.FancyBboxPatch(corner, _WIDE, _HIGH, shape, fc=fill, ec=edge, zorder=3)
    ax.add_patch(patch)
    for rise, text, weight in ((0.11, box.name, "bold"), (-0.13, f"{box.shape[0]} ch.", "normal")):
        ax.text(x, y + rise, text, ha="center", va="center", size=TINY, weight=weight, zorder=4)


def _draw_bar(ax: Axes, y: float, places: list, takes_emb: list[bool]) -> None:
    left, right = places[0][0], places[-1][0]
    for (x, top), reached in zip(places, takes_emb, strict=True):
        if reached:
            ax.plot([x, x], [y, top], ls=":", lw=1.2, color=PALETTE["teal"], zorder=1)
    ax.plot([left, right], [y, y], ls="-", lw=5, color=PALETTE["teal"], solid_capstyle="round")
    words = "time t and labels: told to each block that a dotted line reaches"
    ax.text((left + right) / 2, y - 0.12, words, ha="center", va="top", fontsize=SMALL)


def _arrow(ax: Axes, start: tuple, end: tuple) -> None:
    """Draw an arrow to the side of a box in the same row, to the top or bottom in another."""
    level, above = start[1] == end[1], start[1] > end[1]
    edge = _HIGH / 2 if above else -_HIGH / 2
    to = (end[0] - _WIDE / 2, end[1]) if level else (end[0], end[1] + edge)
    path = "arc3,rad=0.0" if level else "angle,angleA=0,angleB=90,rad=4"
    line = {"ls": "-", "color": PALETTE["ink"], "lw": 1.3, "connectionstyle": path}
    away = (start[0] + _WIDE / 2, start[1])
    ax.annotate("", to, away, arrowprops=_HEAD | line, zorder=2)


def _skip(ax: Axes, start: tuple, end: tuple) -> None:
    """Draw a dashed line over the boxes of a row, from the top of one to the top of another."""
    top = start[1] + _HIGH / 2
    over = top + 0.2
    points = [(start[0], top), (start[0], over), (end[0], over), (end[0], top)]
    xs, ys = zip(*points, strict=True)
    ax.plot(xs, ys, ls="--", lw=1.3, color=PALETTE["plum"], zorder=2)
    ax.annotate("", (end[0], top), (end[0], over), arrowprops=_HEAD | {"color": PALETTE["plum"]})
    ax.text((start[0] + end[0]) / 2, over + 0.02, "skip", ha="center", va="bottom", fontsize=SMALL)
