"""The still version of a scrubber: five of its stops side by side, on white paper."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from diffusion_lessons.pictures import (
    DPI,
    GREYS,
    PALETTE,
    SMALL,
    TINY,
    few_colours,
    figure_png,
    look,
)

from .panels import Bars, Curve, Panel, Pictures, Points

# All lengths in pixels, so that every pixel of a picture becomes a whole number of pixels.
_SIDE, _GAP, _LEFT, _LINE = 128, 10, 44, 15
_BARS, _CURVE = 100, 170
_LOOK = {
    "figure.constrained_layout.use": False,
    "font.size": SMALL,
    "axes.titlesize": SMALL,
    "axes.labelsize": SMALL,
    "axes.titleweight": "normal",
    "axes.titlepad": 3,
    "axes.grid": False,
}


def strip_stops(count: int) -> list[int]:
    """Five stops, first and last among them, spread evenly over `count`."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, 5))})


def draw_strip(
    panels: Sequence[Panel], stops: list[list[str]], options: list[str], name: str
) -> tuple[bytes, int]:
    """PNG bytes and their width: a column per stop, a row per panel, block by block for each
    of the options, and the curves below."""
    shown, shape = strip_stops(len(stops[0])), (len(options), len(stops[0]))
    moving = [panel for panel in panels if not isinstance(panel, Curve)]
    curves = [panel for panel in panels if isinstance(panel, Curve)]
    captions = [[textwrap.fill(some[i], 18) for i in shown] for some in stops]
    head = 8 + _LINE * max(c.count("\n") + 1 for some in captions for c in some)
    heights = [_BARS if isinstance(panel, Bars) else _SIDE for panel in moving]
    block = head + sum(heights) + _GAP * len(heights)
    width = _LEFT + max(len(shown), 4) * (_SIDE + _GAP)
    curves_top = block * len(options) if moving else 0
    height = curves_top + (_CURVE + 96 if curves else _GAP)
    with mpl.rc_context(look() | _LOOK):
        fig = bare_figure(width / DPI, height / DPI)
        for c, option in enumerate(options):
            top = c * block + head
            for row, panel in enumerate(moving):
                axes = _row_axes(fig, top, heights[row], len(shown))
                _draw_row(axes, panel, c, shape, shown)
                axes[0].set_ylabel(_label(option, panel, row, heights[row]))
                for ax, caption in zip(axes, captions[c], strict=True):
                    ax.set_title(caption if row == 0 else "")
                top += heights[row] + _GAP
        for i, curve in enumerate(curves):
            cell = (width - _GAP) // len(curves)
            box = (_LEFT + i * cell, curves_top + 26, cell - _LEFT - _GAP, _CURVE)
            _draw_curve(axes_at(fig, *box), curve, shape, options, shown, name)
        data = figure_png(fig)
    has_pictures = any(isinstance(panel, Pictures) for panel in panels)
    return data if has_pictures else few_colours(data), width


def bare_figure(width: float, height: float) -> Figure:
    """A figure of that many inches in which axes stay where they are put."""
    fig = Figure(figsize=(width, height))
    fig.set_layout_engine("none")
    return fig


def axes_at(fig: Figure, left: int, top: int, width: int, height: int) -> Axes:
    """Axes at a place counted in pixels from the upper left corner."""
    across, down = fig.get_size_inches() * DPI
    return fig.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def _row_axes(fig: Figure, top: int, height: int, count: int) -> list[Axes]:
    lefts = [_LEFT + i * (_SIDE + _GAP) for i in range(count)]
    return [axes_at(fig, left, top, _SIDE, height) for left in lefts]


def _label(option: str, panel: Panel, row: int, height: int) -> str:
    title = textwrap.fill(panel.title, height // 7)
    return f"{option}\n{title}" if option and row == 0 else title


def _draw_row(
    axes: list[Axes],
    panel: Pictures | Points | Bars,
    choice: int,
    shape: tuple[int, int],
    shown: list[int],
) -> None:
    states = panel.states(*shape)[choice]
    for ax, stop in zip(axes, shown, strict=True):
        ax.set(xticks=[], yticks=[])
        if isinstance(panel, Pictures):
            zoom = max(1, _SIDE // states.shape[2])
            ax.imshow(states[stop].repeat(zoom, axis=0).repeat(zoom, axis=1), aspect="auto")
            ax.spines[:].set_visible(False)
        elif isinstance(panel, Points):
            _draw_points(ax, panel, choice, shape, stop)
        else:
            _draw_bars(ax, panel, choice, shape, stop)


def _draw_bars(ax: Axes, panel: Bars, choice: int, shape: tuple[int, int], stop: int) -> None:
    edges, overlay = np.asarray(panel.edges), panel.overlay_states(*shape)
    heights, top = panel.states(*shape)[choice, stop], panel.top(*shape)
    ax.stairs(np.minimum(heights, top), edges, fill=True, color=PALETTE["teal"], alpha=0.5)
    if overlay is not None:
        middle = (edges[1:] + edges[:-1]) / 2
        curve = np.minimum(overlay[choice, stop], top)
        ax.plot(middle, curve, color=PALETTE["plum"], lw=1.4, ls="-")
    ax.set_ylim(0, 1.2 * top)  # room above the bars for the note
    if heights.max() > top:
        note = f"tallest bar {heights.max():.3g}, cut"
        ax.text(1, 1, note, transform=ax.transAxes, ha="right", va="top", fontsize=TINY)


def _draw_points(ax: Axes, panel: Points, choice: int, shape: tuple[int, int], stop: int) -> None:
    states, arrows, reach = (
        panel.states(*shape)[choice],
        panel.arrow_states(*shape),
        panel.reach(*shape),
    )
    x, y = panel.behind_points().T
    ax.scatter(x, y, s=3, marker="s", color=GREYS["behind"], linewidths=0)
    ways = states[: stop + 1, : panel.trails].swapaxes(0, 1)  # one line per point
    ax.add_collection(LineCollection(ways, colors=PALETTE["ink"], linewidths=0.4, alpha=0.45))
    if arrows is not None:
        places, vectors = arrows[0], arrows[1][choice, stop]
        ax.quiver(
            *places.T, *vectors.T, angles="xy", scale_units="xy", scale=1, width=0.007,
            color=PALETTE["plum"],
        )  # fmt: skip
    x, y = states[stop].T
    ax.scatter(x, y, s=4, color=PALETTE["teal"], linewidths=0)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
    ax.spines[:].set_visible(True)


def _draw_curve(
    ax: Axes, panel: Curve, shape: tuple[int, int], options: list, shown: list, name: str
) -> None:
    x, colours = panel.x_states(*shape), [PALETTE[c] for c in ("teal", "orange", "plum", "ink")]
    low, _ = panel.reach(*shape)
    dashes = ("-", "--", "-.", ":")
    for line, (label, y) in enumerate(panel.states(*shape).items()):
        if panel.log_y:  # what lies below is drawn on the edge; zero has no place at all
            y = np.where(y > 0, np.maximum(y, low), np.nan)
        for choice, option in enumerate(options):
            style = (line * len(options) + choice) % 4
            ax.plot(
                x[choice],
                y[choice],
                "osD^"[line % 4],
                markevery=shown,
                markersize=4,
                color=colours[style],
                linestyle=dashes[style],
                linewidth=1.4,
                label=f"{label}, {option}" if option else label,
            )
    ax.set_title(panel.title, weight="bold")
    ax.set_xlabel(name)
    if panel.log_y:
        ax.set_yscale("log")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
