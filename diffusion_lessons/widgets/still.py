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
from matplotlib.ticker import AutoLocator, LogLocator, NullLocator

from diffusion_lessons import pictures

_TEAL, _PLUM, _INK = (pictures.PALETTE[name] for name in ("teal", "plum", "ink"))
_BEHIND = pictures.GREYS["behind"]
# All lengths in pixels, so that every pixel of a picture becomes a whole number of pixels.
SIDE, _GAP, _LEFT, _LINE = 128, 10, 44, 15
_HEIGHTS = {"pictures": SIDE, "points": SIDE, "bars": 100}
_CURVE = 170
STRIP = 5
"""Stops of a scrubber in its strip."""
STAGE_WIDTH = round(pictures.WIDE[0] * pictures.DPI)
"""Width of the picture of a training in pixels."""
_LOOK = {
    "font.size": pictures.SMALL,
    "axes.titlesize": pictures.SMALL,
    "axes.labelsize": pictures.SMALL,
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
    with mpl.rc_context(pictures.look() | _LOOK):
        fig = bare_figure(width, height)
        for c, option in enumerate(options):
            top = c * block + head
            for row, panel in enumerate(moving):
                for i, stop in enumerate(shown):
                    ax = axes_at(fig, _LEFT + i * (SIDE + _GAP), top, SIDE, heights[row])
                    ax.set(title="" if row else captions[c][i])
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
    with mpl.rc_context(pictures.look() | {"axes.labelsize": pictures.SMALL}):
        fig = bare_figure(STAGE_WIDTH, below + math.ceil(len(stages) / columns) * height)
        _draw_loss(axes_at(fig, 58, 16, STAGE_WIDTH - 58 - 2 * _GAP, 180), curve, total)
        for i, stage in enumerate(stages):
            row, column = divmod(i, columns)
            ax = axes_at(fig, _GAP + column * (SIDE + _GAP), below + row * height, SIDE, SIDE)
            ax.set_xlabel(textwrap.fill(stage["caption"], 20))
            _STAGES[stage["kind"]](ax, stage)
        return _finished(fig, stages)


def bare_figure(width: float, height: float) -> Figure:
    """Return a figure of that many pixels in which axes stay where they are put.

    pyplot does not know it, so a cell that runs meanwhile keeps its own current figure.
    """
    size = width / pictures.DPI, height / pictures.DPI
    return Figure(size, layout="none")  # type: ignore[arg-type]  # it is there, unlisted


def axes_at(fig: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes at a place counted in pixels from the upper left corner."""
    across, down = fig.get_size_inches() * pictures.DPI
    return fig.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def scatter(ax: Axes, points: np.ndarray, size: float, reach: float) -> None:
    """Draw points (N, 2) in a framed square from -reach to reach."""
    ax.scatter(points[:, 0], points[:, 1], s=size, color=_TEAL, linewidths=0)
    ax.set(xticks=[], yticks=[], xlim=(-reach, reach), ylim=(-reach, reach))
    ax.spines[:].set_visible(True)


def draw_lines(ax: Axes, panel: dict, options: list, shown: list, name: str) -> None:
    """Draw the lines of a curve, one for each choice, in the colours and dashes of `look`."""
    for i, line in enumerate(panel["lines"]):
        y = line["data"]
        if panel["log_y"]:  # what lies below is drawn on the edge; zero has no place at all
            y = np.where(y > 0, np.maximum(y, panel["low"]), np.nan)
        for choice, option in enumerate(options):
            label = f"{line['name']}, {option}" if option else line["name"]
            marks: dict = {"marker": "osD^"[i % 4], "markevery": shown, "markersize": 4}
            ax.plot(panel["x"][choice], y[choice], label=label, linewidth=1.4, **marks)
    ax.set_title(panel["title"], weight="bold")
    ax.set_xlabel(name)
    if panel["log_y"]:
        ax.set_yscale("log")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)


def _finished(fig: Figure, parts: Sequence[dict]) -> bytes:
    data = pictures.figure_png(fig)
    return data if any(part["kind"] == "pictures" for part in parts) else pictures.few_colours(data)


def _paint(ax: Axes, picture: np.ndarray) -> None:
    """Fill axes with a picture, each pixel a square of whole pixels."""
    zoom = max(1, SIDE // picture.shape[1])
    ax.imshow(picture.repeat(zoom, axis=0).repeat(zoom, axis=1), aspect="auto")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def _draw_picture(ax: Axes, panel: dict, choice: int, stop: int) -> None:
    _paint(ax, panel["data"][choice, stop])


def _draw_bars(ax: Axes, panel: dict, choice: int, stop: int) -> None:
    edges, heights, top = np.array(panel["edges"]), panel["data"][choice, stop], panel["top"]
    ax.stairs(np.minimum(heights, top), edges, fill=True, color=_TEAL, alpha=0.5)
    if panel["overlay"]:
        middle = (edges[1:] + edges[:-1]) / 2
        curve = np.minimum(panel["overlay"]["data"][choice, stop], top)
        ax.plot(middle, curve, color=_PLUM, lw=1.4, ls="-")
    ax.set(xticks=[], yticks=[], ylim=(0, 1.2 * top))  # room above the bars for the note
    if heights.max() > top:
        note = f"tallest bar {heights.max():.3g}, cut"
        ax.text(1, 1, note, transform=ax.transAxes, ha="right", va="top", fontsize=pictures.TINY)


def _draw_points(ax: Axes, panel: dict, choice: int, stop: int) -> None:
    positions, arrows = panel["data"][choice], panel["arrows"]
    if panel["behind"]:
        _draw_behind(ax, panel["behind"]["data"], 3)
    ways = positions[: stop + 1, : panel["trails"]].swapaxes(0, 1)  # one line per point
    ax.add_collection(LineCollection(ways, colors=_INK, linewidths=0.4, alpha=0.45))
    if arrows:
        ax.quiver(
            *arrows["places"].T, *arrows["data"][choice, stop].T, angles="xy", scale_units="xy",
            scale=1, width=0.007, color=_PLUM,
        )  # fmt: skip
    scatter(ax, positions[stop], 4, panel["reach"])


def _draw_behind(ax: Axes, points: np.ndarray, size: float) -> None:
    ax.scatter(points[:, 0], points[:, 1], size, _BEHIND, marker="s", linewidths=0)


def _draw_loss(ax: Axes, curve: dict[str, np.ndarray], total: int) -> None:
    drawn = {name: np.where(y > 0, y, np.nan) for name, y in curve.items()}
    ax.fill_between(drawn["steps"], drawn["low"], drawn["high"], color=_TEAL, alpha=0.25)
    ax.plot(drawn["steps"], drawn["mean"], color=_TEAL)
    ax.set(xlim=(0, total), yscale="log", xlabel="steps", ylabel="loss")
    low, high = (np.nanmin(drawn["low"], initial=np.inf), np.nanmax(drawn["high"], initial=0))
    wide = high > 5 * low  # else too few marks fall in
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if wide else AutoLocator())
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(NullLocator())


def _draw_tiles(ax: Axes, stage: dict) -> None:
    columns = math.ceil(math.sqrt(stage["count"]))
    rows = math.ceil(stage["count"] / columns)
    height, width = stage["height"] + 1, stage["width"] + 1
    paper = np.full((rows * height - 1, columns * width - 1, 3), 255, np.uint8)
    for i, tile in enumerate(stage["data"]):
        top, left = i // columns * height, i % columns * width
        paper[top : top + height - 1, left : left + width - 1] = tile
    zoom = max(1, round(SIDE / paper.shape[1]))  # whole pixels, as on the page; the rest is paper
    paper = paper.repeat(zoom, axis=0).repeat(zoom, axis=1)[:SIDE, :SIDE]
    room = [SIDE - side for side in paper.shape[:2]]
    edges = [*((less // 2, less - less // 2) for less in room), (0, 0)]
    _paint(ax, np.pad(paper, edges, constant_values=255))


def _draw_cloud(ax: Axes, stage: dict) -> None:
    ax.grid(False)
    _draw_behind(ax, stage["behind"], 4)
    scatter(ax, stage["data"], 5, 2)


_DRAW = {"pictures": _draw_picture, "points": _draw_points, "bars": _draw_bars}
_STAGES = {"pictures": _draw_tiles, "points": _draw_cloud}
