"""The scrubber: pictures, histograms and numbers computed ahead and moved without the kernel."""

from __future__ import annotations

import html
from collections.abc import Sequence

import traitlets

from diffusion_lessons.pictures import img_tag

from .page import PageWidget, module, packed
from .panels import Panel
from .still import STRIP, draw_strip, spread

LARGEST = 4_000_000
"""Most bytes of frames a page gets in one widget, so that it opens at once."""
Named = tuple[str, Sequence]


class Scrubber(PageWidget):
    """The widget of `scrub`; `index` (stop) and `choice` follow the page when it rests."""

    _esm = module("scrub")

    name = traitlets.Unicode().tag(sync=True)
    stops: traitlets.List = traitlets.List().tag(sync=True)  # words per stop, per choice
    words: traitlets.List = traitlets.List().tag(sync=True)  # a sentence per stop, per choice
    choose = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    panels: traitlets.List = traitlets.List().tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)
    choice = traitlets.Int(0).tag(sync=True)

    def __init__(self, contents: list[dict], **traits: object) -> None:
        self._contents = contents  # what `panels` says in bytes, as arrays
        super().__init__(panels=packed(contents), **traits)

    def still(self) -> tuple[str, bytes]:
        """Return a strip of five stops with their words, as HTML and as PNG."""
        options = self.choose["options"] if self.choose else [""]
        picture, width = draw_strip(self._contents, self.stops, options, self.name)
        shown = spread(len(self.stops[0]), STRIP)
        items = ""
        for option, stops, words in zip(options, self.stops, self.words, strict=True):
            for i in shown:
                place = f"{option}, {stops[i]}" if option else stops[i]
                items += f"<li><b>{html.escape(place)}</b>: {html.escape(words[i])}</li>"
        seen = "; ".join(panel["alt"].rstrip(".") for panel in self._contents)
        alt = f"{seen}. A strip of {len(shown)} stops, described below."
        return f"{img_tag(picture, alt, width)}<ul>{items}</ul>", picture


def scrub(
    slider: Named, panels: Sequence[Panel], words: Sequence, choose: Named | None = None
) -> Scrubber:
    """Show states computed ahead over a slider: the page moves them together, without the kernel.

    `slider` is its name and the value at each stop in words, as a screen reader says it
    ("noise level 0.42, signal-to-noise 1.6"); `words` has one sentence per stop, shown beside the
    panels. `choose` adds a second axis, its name and its options; then `words` and the arrays of
    all panels get the options as a first axis, and the slider's words may.

    Raises ValueError when the parts do not have one state per stop, or when the frames are larger
    than 4 MB together.
    """
    name, stop_words = slider
    options = list(choose[1]) if choose else [""]
    if choose and len(options) < 2:
        raise ValueError(f"choose offers {options}: give two options or more")
    stops = _nested("the slider's words", stop_words, len(options), None)
    count = len(stops[0])
    if count < 2:
        raise ValueError(f"the slider has {count} stops: give two or more")
    contents = [panel.content(len(options), count) for panel in panels]
    if (size := _bytes_in(contents)) > LARGEST:
        raise ValueError(
            f"the frames are {size / 1e6:.1f} MB, at most {LARGEST / 1e6:.0f} MB open at once: "
            "take fewer stops, smaller pictures or fewer choices"
        )
    return Scrubber(
        contents,
        name=name,
        stops=stops,
        words=_nested("words", words, len(options), count),
        choose={"name": choose[0], "options": options} if choose else None,
    )


def _nested(what: str, words: Sequence, choices: int, count: int | None) -> list[list[str]]:
    """Return `words` as one list per choice; a flat list holds for every choice."""
    if isinstance(words, str):
        raise ValueError(f"{what} is one text, {words!r}: give a list with one per stop")
    flat = all(isinstance(word, str) for word in words)
    lists = [list(words)] * choices if flat else [list(some) for some in words]
    lengths = [len(some) for some in lists]
    if lengths != [count or lengths[0]] * choices:
        raise ValueError(f"{what} has lists of {lengths}: give {choices} of {count} stops")
    return lists


def _bytes_in(value: object) -> int:
    """Return the bytes of all arrays in nested dicts and lists."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return sum(map(_bytes_in, parts)) + getattr(value, "nbytes", 0)
