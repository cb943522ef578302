"""The still versions of a scrubber and of a watched training, on white paper.

A scrubber leaves five of its stops side by side, a training its curve above its strip of samples.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from diffusion_lessons.pictures import (
    DPI,
    GREYS,
    PALETTE,
    SMALL,
    TINY,
    WIDE,
    few_colours,
    figure_png,
    look,
)

# All lengths in pixels, so that every pixel of a picture becomes a whole number of pixels.
SIDE, _GAP, _LEFT, _LINE = 128, 10, 44, 15
_HEIGHTS = {"pictures": SIDE, "points": SIDE, "bars": 100}
_CURVE = 170
STRIP = 5
"""Stops of a scrubber in its strip."""
STAGE_WIDTH = round(WIDE[0] * DPI)
"""Width of the picture of a training in pixels."""
_LOOK = {
    "figure.constrained_layout.use": False,
    "font.size": SMALL,
    "axes.titlesize": SMALL,
    "axes.labelsize": SMALL,
    "axes.titleweight": "normal",
    "axes.titlepad": 3,
    "axes.grid": False,
}


def spread(count: int, most: int) -> list[int]:
    """Return up to `most` of the places 0 to count - 1, evenly spread, both ends among them."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def draw_strip(
    panels: Sequence[dict], stops: list[list[str]], options: list[str], name: str
) -> tuple[bytes, int]:
    """Return PNG bytes and their width: a column per stop, a row for the content of each panel,
    block by block for each of the options, and the curves below."""
    shown = spread(len(stops[0]), STRIP)
    moving = [panel for panel in panels if panel["kind"] != "curve"]
    curves = [panel for panel in panels if panel["kind"] == "curve"]
    captions = [[textwrap.fill(words[i], 18) for i in shown] for words in stops]
    head = 8 + _LINE * max(c.count("\n") + 1 for words in captions for c in words)
    heights = [_HEIGHTS[panel["kind"]] for panel in moving]
    block = head + sum(heights) + _GAP * len(heights)
    width = _LEFT + max(len(shown), 4) * (SIDE + _GAP)
    curves_top = block * len(options) if moving else 0
    height = curves_top + (_CURVE + 96 if curves else _GAP)
    with mpl.rc_context(look() | _LOOK):
        fig = bare_figure(width / DPI, height / DPI)
        for c, option in enumerate(options):
            top = c * block + head
            for row, panel in enumerate(moving):
                for i, stop in enumerate(shown):
                    ax = axes_at(fig, _LEFT + i * (SIDE + _GAP), top, SIDE, heights[row])
                    ax.set(xticks=[], yticks=[], title="" if row else captions[c][i])
                    _DRAW[panel["kind"]](ax, panel, c, stop)
                    if i == 0:
                        title = textwrap.fill(panel["title"], heights[row] // 7)
                        ax.set_ylabel(f"{option}\n{title}" if option and row == 0 else title)
                top += heights[row] + _GAP
        for i, curve in enumerate(curves):
            cell = (width - _GAP) // len(curves)
            box = (_LEFT + i * cell, curves_top + 26, cell - _LEFT - _GAP, _CURVE)
            draw_lines(axes_at(fig, *box), curve, options, shown, name)
        return _finished(fig, panels), width


def draw_training(curve: dict[str, np.ndarray], total: int, stages: Sequence[dict]) -> bytes:
    """Return PNG bytes: the loss (as `Watch` bins it) over `total` steps, a picture per stage."""
    columns = (STAGE_WIDTH - _GAP) // (SIDE + _GAP)
    below, height = 248, SIDE + 22 + _GAP  # of the curve with its words, of a row of stages
    settings = {"figure.constrained_layout.use": False, "axes.labelsize": SMALL}
    with mpl.rc_context(look() | settings):
        rows = math.ceil(len(stages) / columns)
        fig = bare_figure(STAGE_WIDTH / DPI, (below + rows * height) / DPI)
        _draw_loss(axes_at(fig, 58, 16, STAGE_WIDTH - 58 - 2 * _GAP, 180), curve, total)
        for i, stage in enumerate(stages):
            row, column = divmod(i, columns)
            ax = axes_at(fig, _GAP + column * (SIDE + _GAP), below + row * height, SIDE, SIDE)
            ax.set(xticks=[], yticks=[], xlabel=textwrap.fill(stage["caption"], 20))
            ax.grid(False)
            _STAGES[stage["kind"]](ax, stage)
        return _finished(fig, stages)


def bare_figure(width: float, height: float) -> Figure:
    """Return a figure of that many inches in which axes stay where they are put.

    pyplot does not know it, so a cell that runs meanwhile keeps its own current figure.
    """
    fig = Figure(figsize=(width, height))
    fig.set_layout_engine("none")
    return fig


def axes_at(fig: Figure, left: int, top: int, width: int, height: int) -> Axes:
    """Return axes at a place counted in pixels from the upper left corner."""
    across, down = fig.get_size_inches() * DPI
    return fig.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def scatter(ax: Axes, points: np.ndarray, size: float, reach: float) -> None:
    """Draw points (N, 2) in a framed square from -reach to reach."""
    ax.scatter(points[:, 0], points[:, 1], s=size, color=PALETTE["teal"], linewidths=0)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
    ax.spines[:].set_visible(True)


def _scatter_behind(ax: Axes, points: np.ndarray, size: float) -> None:
    ax.scatter(points[:, 0], points[:, 1], s=size, marker="s", color=GREYS["behind"], linewidths=0)


def _finished(fig: Figure, parts: Sequence[dict]) -> bytes:
    data = figure_png(fig)
    return data if any(part["kind"] == "pictures" for part in parts) else few_colours(data)


# --- a scrubber ---


def _draw_picture(ax: Axes, panel: dict, choice: int, stop: int) -> None:
    zoom = max(1, SIDE // panel["height"])
    picture = panel["data"][choice, stop]
    ax.imshow(picture.repeat(zoom, axis=0).repeat(zoom, axis=1), aspect="auto")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def _draw_bars(ax: Axes, panel: dict, choice: int, stop: int) -> None:
    edges, heights, top = np.array(panel["edges"]), panel["data"][choice, stop], panel["top"]
    ax.stairs(np.minimum(heights, top), edges, fill=True, color=PALETTE["teal"], alpha=0.5)
    if panel["overlay"]:
        middle = (edges[1:] + edges[:-1]) / 2
        curve = np.minimum(panel["overlay"]["data"][choice, stop], top)
        ax.plot(middle, curve, color=PALETTE["plum"], lw=1.4, ls="-")
    ax.set_ylim(0, 1.2 * top)  # room above the bars for the note
    if heights.max() > top:
        note = f"tallest bar {heights.max():.3g}, cut"
        ax.text(1, 1, note, transform=ax.transAxes, ha="right", va="top", fontsize=TINY)


def _draw_points(ax: Axes, panel: dict, choice: int, stop: int) -> None:
    positions, arrows = panel["data"][choice], panel["arrows"]
    if panel["behind"]:
        _scatter_behind(ax, panel["behind"]["data"], 3)
    ways = positions[: stop + 1, : panel["trails"]].swapaxes(0, 1)  # one line per point
    ax.add_collection(LineCollection(ways, colors=PALETTE["ink"], linewidths=0.4, alpha=0.45))
    if arrows:
        ax.quiver(
            *arrows["places"].T, *arrows["data"][choice, stop].T, angles="xy", scale_units="xy",
            scale=1, width=0.007, color=PALETTE["plum"],
        )  # fmt: skip
    scatter(ax, positions[stop], 4, panel["reach"])


_DRAW = {"pictures": _draw_picture, "bars": _draw_bars, "points": _draw_points}


def draw_lines(ax: Axes, panel: dict, options: list, shown: list, name: str) -> None:
    """Draw the lines of a curve, each choice in its own colour and dashes, over the axis `name`."""
    colours, dashes = ("teal", "orange", "plum", "ink"), ("-", "--", "-.", ":")
    for i, line in enumerate(panel["lines"]):
        y = line["data"]
        if panel["log_y"]:  # what lies below is drawn on the edge; zero has no place at all
            y = np.where(y > 0, np.maximum(y, panel["low"]), np.nan)
        for choice, option in enumerate(options):
            style = (i * len(options) + choice) % 4
            ax.plot(
                panel["x"][choice],
                y[choice],
                "osD^"[i % 4],
                markevery=shown,
                markersize=4,
                color=PALETTE[colours[style]],
                linestyle=dashes[style],
                linewidth=1.4,
                label=f"{line['name']}, {option}" if option else line["name"],
            )
    ax.set_title(panel["title"], weight="bold")
    ax.set_xlabel(name)
    if panel["log_y"]:
        ax.set_yscale("log")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)


# --- a training ---


def _draw_loss(ax: Axes, curve: dict[str, np.ndarray], total: int) -> None:
    drawn = {name: np.where(y > 0, y, np.nan) for name, y in curve.items()}
    ax.fill_between(drawn["steps"], drawn["low"], drawn["high"], color=PALETTE["teal"], alpha=0.25)
    ax.plot(drawn["steps"], drawn["mean"], color=PALETTE["teal"])
    ax.set(xlim=(0, total), yscale="log", xlabel="steps", ylabel="loss")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(NullLocator())


def _draw_tiles(ax: Axes, stage: dict) -> None:
    shape = (stage["count"], stage["height"], stage["width"], 3)
    tiles = np.frombuffer(stage["data"], np.uint8).reshape(shape)
    columns = math.ceil(math.sqrt(stage["count"]))
    rows = math.ceil(stage["count"] / columns)
    height, width = stage["height"] + 1, stage["width"] + 1
    paper = np.full((rows * height - 1, columns * width - 1, 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * height, i % columns * width
        paper[top : top + height - 1, left : left + width - 1] = tile
    zoom = max(1, SIDE // paper.shape[1])  # whole pixels; what is left of the square is paper
    paper = paper.repeat(zoom, axis=0).repeat(zoom, axis=1)[:SIDE, :SIDE]
    down, right = (SIDE - paper.shape[0]) // 2, (SIDE - paper.shape[1]) // 2
    square = np.full((SIDE, SIDE, 3), 255, np.uint8)
    square[down : down + paper.shape[0], right : right + paper.shape[1]] = paper
    ax.imshow(square, aspect="auto")
    ax.spines[:].set_visible(False)


def _draw_cloud(ax: Axes, stage: dict) -> None:
    behind, points = (
        np.frombuffer(stage[name], np.float32).reshape(-1, 2) for name in ("behind", "data")
    )
    _scatter_behind(ax, behind, 4)
    scatter(ax, points, 5, 2)


_STAGES = {"pictures": _draw_tiles, "points": _draw_cloud}
