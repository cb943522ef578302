"""The still version of a scrubber: about six of its stops side by side, on white paper."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diffusion_lessons.pictures import DPI, PALETTE, figure_png, look

from .panels import Bars, Curve, Panel, Pictures

_COLUMN, _PICTURE_ROW, _BARS_ROW, _CURVE_ROW = 1.3, 1.3, 0.95, 2.3  # inches


def strip_stops(count: int) -> list[int]:
    """About six stops, first and last among them, spread evenly over `count`."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, 6))})


def strip_width(columns: int) -> int:
    """Width of the strip in pixels."""
    return round(DPI * max(columns, 4) * _COLUMN)


def draw_strip(
    panels: Sequence[Panel], stops: list[list[str]], options: list[str], name: str
) -> bytes:
    """PNG bytes: a column per stop, a row per panel and choice, the curves below."""
    shown, shape = strip_stops(len(stops[0])), (len(options), len(stops[0]))
    moving = [(c, p) for c in range(len(options)) for p in panels if not isinstance(p, Curve)]
    curves = [p for p in panels if isinstance(p, Curve)]
    heights = [_PICTURE_ROW if isinstance(p, Pictures) else _BARS_ROW for _, p in moving]
    words_row = 0.4
    total = sum(heights) + words_row * len(options) + _CURVE_ROW * bool(curves)
    with mpl.rc_context(look() | {"font.size": 8.5, "axes.titlesize": 8.5, "axes.grid": False}):
        fig = Figure(figsize=(strip_width(len(shown)) / DPI, total))
        parts = fig.subfigures(
            1 + bool(curves), 1, squeeze=False,
            height_ratios=[total - _CURVE_ROW * bool(curves)] + [_CURVE_ROW] * bool(curves),
        )[:, 0]
        if moving:
            axes = parts[0].subplots(len(moving), len(shown), squeeze=False, height_ratios=heights)
            for row, (choice, panel) in zip(axes, moving, strict=True):
                first = panel is moving[0][1]
                _row(row, panel, choice, shape, shown)
                label = f"{options[choice]}\n{panel.title}" if options[choice] else panel.title
                row[0].set_ylabel(textwrap.fill(label, 18))
                for ax, stop in zip(row, shown, strict=True):
                    ax.set_title(textwrap.fill(stops[choice][stop], 18) if first else "")
        if curves:
            for ax, curve in zip(np.ravel(parts[-1].subplots(1, len(curves))), curves, strict=True):
                _curve(ax, curve, shape, options, shown, name)
        return figure_png(fig)


def _row(row: np.ndarray, panel: Panel, choice: int, shape: tuple[int, int], shown: list) -> None:
    states = panel.states(*shape)[choice]
    for ax, stop in zip(row, shown, strict=True):
        ax.set(xticks=[], yticks=[])
        if isinstance(panel, Pictures):
            ax.imshow(states[stop])
            ax.spines[:].set_visible(False)
        else:
            _bars(ax, panel, choice, shape, stop)


def _bars(ax: Axes, panel: Bars, choice: int, shape: tuple[int, int], stop: int) -> None:
    edges, overlay = np.asarray(panel.edges), panel.overlay_states(*shape)
    ax.stairs(panel.states(*shape)[choice, stop], edges, fill=True, color=PALETTE["teal"])
    if overlay is not None:
        middle = (edges[1:] + edges[:-1]) / 2
        ax.plot(middle, overlay[choice, stop], color=PALETTE["orange"], lw=1.4, ls="-")
    ax.set_ylim(0, panel.top(*shape))


def _curve(
    ax: Axes, panel: Curve, shape: tuple[int, int], options: list, shown: list, name: str
) -> None:
    x = panel.x_states(*shape)
    marks = "osD^"
    for line, (label, y) in enumerate(panel.states(*shape).items()):
        for choice, option in enumerate(options):
            said = f"{label}, {option}" if option else label
            ax.plot(x[choice], y[choice], marks[line % 4], ls=("-", "--", "-.", ":")[choice % 4],
                    color=list(PALETTE.values())[(2, 3, 1, 0)[line % 4]], markevery=shown,
                    ms=4, lw=1.4, label=said)
    ax.set_title(panel.title)
    ax.set_xlabel(name)
    if panel.log_y:
        ax.set_yscale("log")
    ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)
