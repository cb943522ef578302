"""Tensors become pictures here: grids, filmstrips and figures, each with a text alternative.

Only this file and the room `data` know that a picture outside is uint8 in [0, 255]; inside the
package it is float32 in [-1, 1]. Every picture carries an `alt` text, since JupyterLab drops that
of a bare PNG: the text travels in `text/html` beside the `image/png`.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from IPython.display import display
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from . import arguments

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Labels = Sequence[str] | None
PALETTE = {
    "ink": "#1d1d3b",
    "plum": "#8f1d4f",
    "teal": "#0e7c86",
    "orange": "#e0762d",
    "gold": "#e3a72f",
}
"""The course's colours, dark to light in even steps (L* 12, 32, 47, 61, 72), so they stay apart in
grey print and for colour-blind readers. All but gold have a contrast above 3:1 on white; use gold
for areas, not for thin lines."""

GREYS = {"text": "#4a4d5c", "edge": "#6d7080", "behind": "#b4b9c6", "grid": "#e4e6ec"}
"""What is not the point of a figure: ticks, frames, points in the background, grid lines."""

TINTS = {"teal": "#dceff0", "orange": "#fbe9d8", "plum": "#f3dfe8"}
"""Three colours of the palette so light that dark words can stand on them."""

DPI = 100
"""Pixels of the page to an inch of a figure."""
SHARP = 2
"""A picture has this many pixels to one of the page: sharp on fine screens and on paper."""
FIGURE, WIDE = (7.0, 3.2), (8.6, 3.2)
"""The two sizes of a figure, in inches: with one panel, and with several side by side."""
TEXT, SMALL, TINY = 10.5, 9.4, 7.2
"""The sizes of type, in points: axes; ticks, keys and captions; words inside a drawing. Titles
are one point above TEXT. SMALL is as large as the labels of a `grid`."""
SIDES = (192, 128, 96, 64)
"""How wide a picture may be, in pixels of the page: the largest with which its row fits."""
_PAPER, _INK, _GAP, _WIDEST = (255, 255, 255), (29, 29, 59), 8, 900
_LINE = 17  # from one line of a label to the next, in pixels of the page


def to_uint8(images: Tensor) -> np.ndarray:
    """Return pictures (N, C, H, W) in [-1, 1] as uint8 (N, H, W, 3); C is 1 (grey) or 3 (RGB).

    Values outside [-1, 1] are clipped, as a screen does. Raises ValueError on another shape
    and on values that are not finite, TypeError on whole numbers.
    """
    channels, hint = getattr(images, "shape", ())[1:2], ", or (N, 1, H, W); of one picture[None]"
    arguments.shape("images", images, ("N", 1 if channels == (1,) else 3, "H", "W"), hint)
    images = torch.as_tensor(images).detach().cpu()
    arguments.tensor("images", images)
    if not torch.isfinite(images).all():
        raise ValueError(
            "images hold values that are not finite (nan or inf): look at their source"
        )
    levels = ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return levels.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()


def grid(
    images: Tensor, labels: Labels = None, columns: int = 8, zoom: int = 0, sharp: int = 1
) -> Image.Image:
    """Lay out pictures (N, C, H, W) in [-1, 1] on white paper, a label under each.

    Up to `columns` pictures stand in a row. Each pixel becomes a square of `zoom` by `zoom` (0: so
    large that a picture is as wide as the largest of SIDES with which the row fits), never blurred.
    Everything is drawn `sharp` times as large. Raises ValueError when there is no picture, and
    when the labels are not as many.
    """
    frames = to_uint8(images)
    count, height, width = frames.shape[:3]
    if count == 0:
        raise ValueError("there is no picture to show: images has N = 0")
    if labels is not None and len(labels) != count:
        raise ValueError(f"{len(labels)} labels for {count} pictures: give one for each")
    columns = min(arguments.number("columns", columns, 1, 1000), count)
    zoom = arguments.number("zoom", zoom, 0, 1024, " (0 chooses)")
    sharp = arguments.number("sharp", sharp, 1, 16)
    room = _WIDEST // columns - _GAP
    side = next((side for side in SIDES if side <= room), room)
    zoom = sharp * (zoom or max(1, side // width))
    gap, line = sharp * _GAP, sharp * _LINE
    lines = [_wrap(label, zoom * width, sharp) for label in labels or [""] * count]
    cell_w = zoom * width + gap
    cell_h = zoom * height + gap + (line * max(map(len, lines)) + gap // 2 if labels else 0)
    rows = -(-count // columns)
    paper = Image.new("RGB", (columns * cell_w + gap, rows * cell_h + gap), _PAPER)
    for i, frame in enumerate(frames.repeat(zoom, axis=1).repeat(zoom, axis=2)):
        left, top = gap + i % columns * cell_w, gap + i // columns * cell_h
        paper.paste(Image.fromarray(frame), (left, top))
        _write(paper, lines[i], left + zoom * width // 2, top + zoom * height + gap // 2, sharp)
    return paper


def on_page(
    images: Tensor, labels: Labels = None, columns: int = 8, zoom: int = 0
) -> tuple[bytes, int]:
    """Return a `grid` for a page: PNG bytes, SHARP times as fine, and its width in page pixels."""
    image = grid(images, labels, columns, zoom, SHARP)
    return png(image), image.width // SHARP


def show(images: Tensor, alt: str, labels: Labels = None, columns: int = 8, zoom: int = 0) -> None:
    """Display a `grid` of pictures; `alt` says in words what is to be seen, or ValueError."""
    _display(*on_page(images, labels, columns, zoom), alt)


def figure(fig: Figure, alt: str) -> None:
    """Display a matplotlib figure once and close it; `alt` is as in `show`."""
    import matplotlib.pyplot as plt

    _display(
        few_colours(figure_png(fig)), round(fig.get_figwidth() * DPI), alt, 'class="dl-figure" '
    )
    plt.close(fig)


def style() -> None:
    """Give matplotlib the look of the course, for every figure made after this call."""
    import matplotlib as mpl

    mpl.rcParams.update(look())


def look() -> dict:
    """Return matplotlib's settings for the look of the course, as `style` sets them.

    Lines differ by colour and by dashes, so that a curve is recognised without its colour.
    """
    import matplotlib as mpl
    from matplotlib import cycler  # type: ignore[attr-defined]  # it is there, unlisted

    colours = [PALETTE[name] for name in ("teal", "orange", "plum", "ink")]
    default = mpl.rcParamsDefault  # a learner's own settings may draw white on black
    return {name: value for name, value in default.items() if "color" in name} | {
        "figure.figsize": FIGURE,
        "figure.dpi": DPI,
        "figure.facecolor": "white",
        "figure.constrained_layout.use": True,
        "font.family": "DejaVu Sans",
        "font.size": TEXT,
        "figure.labelsize": TEXT,
        "axes.titlesize": TEXT + 1,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.edgecolor": GREYS["edge"],
        "axes.labelcolor": PALETTE["ink"],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=colours) + cycler(linestyle=["-", "--", "-.", ":"]),
        "grid.color": GREYS["grid"],
        "grid.linewidth": 0.8,
        "lines.linewidth": 2.0,
        "legend.fontsize": SMALL,
        "legend.frameon": False,
        "text.color": PALETTE["ink"],
        "xtick.color": GREYS["text"],
        "xtick.labelsize": SMALL,
        "ytick.color": GREYS["text"],
        "ytick.labelsize": SMALL,
        "image.interpolation": "nearest",
        "savefig.facecolor": "white",
    }


def figure_png(fig: Figure) -> bytes:
    """Return a matplotlib figure as PNG on opaque white paper, readable in a dark theme too.

    The same figure gives the same bytes: they name no program, version or date.
    """
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi=SHARP * DPI, facecolor="white")
    return png(Image.open(file).convert("RGB"))


def png(image: Image.Image) -> bytes:
    """Return a PIL picture as PNG bytes, the same for the same picture."""
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return file.getvalue()


def few_colours(data: bytes) -> bytes:
    """Reduce a PNG to 256 colours, about a third as large: enough for lines and areas."""
    return png(_in_256(Image.open(io.BytesIO(data)).convert("RGB")))


def at_page_size(data: bytes) -> bytes:
    """Reduce a PNG drawn SHARP times as fine to its size on the page."""
    return png(Image.open(io.BytesIO(data)).convert("RGB").reduce(SHARP))


def second_copy(data: bytes) -> bytes:
    """Return a small copy of a PNG drawn SHARP times as fine, for pages that show no HTML."""
    return png(_in_256(Image.open(io.BytesIO(at_page_size(data))), rounds=1))


def img_tag(data: bytes, alt: str, width: int, kind: str = "") -> str:
    """Return an `<img>` of PNG bytes with its text alternative, escaped; `width` in pixels.

    `kind` is "" or an attribute: in a dark theme, 'class="dl-figure" ' turns white paper dark.
    """
    source = base64.b64encode(data).decode("ascii")
    return (
        f'<img {kind}alt="{html.escape(checked_alt(alt))}" width="{width}" '
        f'style="max-width: 100%; border-radius: 6px" src="data:image/png;base64,{source}">'
    )


def checked_alt(alt: str) -> str:
    """Return `alt` without surrounding blanks; ValueError unless it says something."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(
            f"alt is {alt!r}, expected a sentence that says what is to be seen, for readers who "
            'cannot see the picture: alt="a red house, then the same house under more noise"'
        )
    return alt.strip()


def _display(data: bytes, width: int, alt: str, kind: str = "") -> None:
    bundle = {
        "text/html": img_tag(data, alt, width, kind),
        "image/png": base64.b64encode(second_copy(data)).decode("ascii"),
        "text/plain": checked_alt(alt),
    }
    display(bundle, raw=True)


def _in_256(image: Image.Image, rounds: int = 0) -> Image.Image:
    """Reduce a picture to 256 colours; each further round brings them closer, and takes longer."""
    return image.quantize(256, Image.Quantize.MAXCOVERAGE, rounds, dither=Image.Dither.NONE)


def _font(sharp: int) -> ImageFont.FreeTypeFont:
    from matplotlib import font_manager

    path, size = font_manager.findfont("DejaVu Sans"), round(SMALL * DPI / 72)
    return ImageFont.truetype(path, sharp * size, layout_engine=ImageFont.Layout.BASIC)


def _wrap(label: str, width: int, sharp: int) -> list[str]:
    """Break a label into lines that fit `width` pixels; a single word may be wider."""
    font, lines = _font(sharp), [""]
    for word in label.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _write(paper: Image.Image, lines: list[str], middle: int, top: int, sharp: int) -> None:
    pen, font = ImageDraw.Draw(paper), _font(sharp)
    for row, line in enumerate(lines):
        left = middle - font.getlength(line) / 2
        pen.text((left, top + sharp * _LINE * row), line, fill=_INK, font=font)
