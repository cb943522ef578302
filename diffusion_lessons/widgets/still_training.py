"""The still version of a watched training: its loss curve, and the strip of samples below."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from diffusion_lessons.pictures import (
    DPI,
    GREYS,
    PALETTE,
    SMALL,
    WIDE,
    few_colours,
    figure_png,
    look,
)

from .strip import axes_at, bare_figure

STAGE_WIDTH = round(WIDE[0] * DPI)
"""Width of the picture in pixels."""
_CURVE, _SIDE, _GAP, _LEFT = 180, 128, 10, 58


def draw_training(curve: dict[str, np.ndarray], total: int, stages: Sequence[dict]) -> bytes:
    """PNG bytes: the loss (as `Watch` bins it) over `total` steps, and a picture per stage."""
    columns = (STAGE_WIDTH - _GAP) // (_SIDE + _GAP)
    rows = math.ceil(len(stages) / columns)
    below = 16 + _CURVE + 52
    height = below + rows * (_SIDE + 22 + _GAP)
    settings = {"figure.constrained_layout.use": False, "axes.labelsize": SMALL}
    with mpl.rc_context(look() | settings):
        fig = bare_figure(STAGE_WIDTH / DPI, height / DPI)
        box = (_LEFT, 16, STAGE_WIDTH - _LEFT - 2 * _GAP, _CURVE)
        _draw_curve(axes_at(fig, *box), curve, total)
        for i, stage in enumerate(stages):
            left = _GAP + i % columns * (_SIDE + _GAP)
            top = below + i // columns * (_SIDE + 22 + _GAP)
            ax = axes_at(fig, left, top, _SIDE, _SIDE)
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            ax.set_xlabel(textwrap.fill(stage["caption"], 20))
            _STAGES[stage["kind"]](ax, stage)
        data = figure_png(fig)
    has_pictures = any(stage["kind"] == "pictures" for stage in stages)
    return data if has_pictures else few_colours(data)


def _draw_curve(ax: Axes, curve: dict[str, np.ndarray], total: int) -> None:
    drawn = {name: np.where(one > 0, one, np.nan) for name, one in curve.items()}
    ax.fill_between(drawn["steps"], drawn["low"], drawn["high"], color=PALETTE["teal"], alpha=0.25)
    ax.plot(drawn["steps"], drawn["mean"], color=PALETTE["teal"])
    ax.set(xlim=(0, total), yscale="log", xlabel="steps", ylabel="loss")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(NullLocator())


def _draw_pictures(ax: Axes, stage: dict) -> None:
    shape = (stage["count"], stage["height"], stage["width"], 3)
    tiles = np.frombuffer(stage["data"], np.uint8).reshape(shape)
    columns = math.ceil(math.sqrt(stage["count"]))
    rows = math.ceil(stage["count"] / columns)
    height, width = stage["height"] + 1, stage["width"] + 1
    paper = np.full((rows * height - 1, columns * width - 1, 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * height, i % columns * width
        paper[top : top + height - 1, left : left + width - 1] = tile
    zoom = max(1, _SIDE // paper.shape[1])  # whole pixels; what is left of the square is paper
    paper = paper.repeat(zoom, axis=0).repeat(zoom, axis=1)[:_SIDE, :_SIDE]
    down, right = (_SIDE - paper.shape[0]) // 2, (_SIDE - paper.shape[1]) // 2
    square = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    square[down : down + paper.shape[0], right : right + paper.shape[1]] = paper
    ax.imshow(square, aspect="auto")
    ax.spines[:].set_visible(False)


def _draw_points(ax: Axes, stage: dict) -> None:
    behind, points = (
        np.frombuffer(stage[name], np.float32).reshape(-1, 2) for name in ("behind", "data")
    )
    ax.scatter(behind[:, 0], behind[:, 1], s=4, marker="s", color=GREYS["behind"], linewidths=0)
    ax.scatter(points[:, 0], points[:, 1], s=5, color=PALETTE["teal"], linewidths=0)
    ax.set(xlim=(-2, 2), ylim=(-2, 2))
    ax.spines[:].set_visible(True)


_STAGES = {"pictures": _draw_pictures, "points": _draw_points}
