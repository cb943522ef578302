"""Pictures that the kernel draws again whenever a control moves."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import torch
import traitlets

from diffusion_lessons import arguments
from diffusion_lessons.pictures import img_tag, on_page

from .asking import Asking, drawing, returned
from .page import captioned, module

MOST_STOPS = 10_000
Draw = Callable[[dict, torch.Generator], tuple[torch.Tensor, str, str]]


class Control:
    """A slider, a choice or a text; a subclass defines the values that it can have."""

    name: str
    start: Any

    def values(self) -> list:
        """Return the value at each place of the control; empty where any text goes."""
        return []

    def payload(self) -> dict:
        """Return kind, name, words and first place, as the page needs them."""
        kind, values, start = type(self).__name__.lower(), self.values(), self.start
        if values:
            start = values[0] if start is None else start
            if isinstance(start, Real) and isinstance(values[0], Real):  # such as .1 + .2 for .3
                start = next((stop for stop in values if math.isclose(stop, start)), start)
            arguments.choice(f"the start of {self.name!r}", start, values)
            start = values.index(start)
        return {"kind": kind, "name": self.name, "words": [*map(str, values)], "start": start}

    def read(self, place: Any) -> Any:
        """Return the value at a place: the number of a stop, or a text."""
        values = self.values()
        return values[int(place)] if values else str(place)


@dataclass(frozen=True)
class Slider(Control):
    """Stops from `low` to `high`, `step` apart; whole numbers when `low` and `step` are whole."""

    name: str
    low: float
    high: float
    step: float = 1
    start: float | None = None

    def values(self) -> list:
        """Return the value at each stop. Raises ValueError on an empty range or no step."""
        low, high, step = (
            arguments.number(self.name, one, -1e9, 1e9, real=not isinstance(one, Integral))
            for one in (self.low, self.high, self.step)
        )
        if not (step > 0 and high > low and (high - low) / step < MOST_STOPS):
            way = f"from {low} to {high} by {step}, 1 to {MOST_STOPS} stops are allowed"
            raise ValueError(f"slider {self.name!r} goes {way}: give high above low, step above 0")
        count = math.floor((high - low) / step + 1e-9) + 1
        return [round(low + i * step, 10) for i in range(count)]


@dataclass(frozen=True)
class Choice(Control):
    """One of a few options; `start` is chosen at the start, or the first."""

    name: str
    options: Sequence[str]
    start: str | None = None

    def values(self) -> list[str]:
        """Return the options. Raises ValueError when there are fewer than two."""
        if len(self.options) < 2:
            raise ValueError(f"choice {self.name!r} offers {self.options}: give two or more")
        return list(self.options)


@dataclass(frozen=True)
class Text(Control):
    """A line of text, such as a prompt; drawn when the typing pauses, or `at_once` at each letter,
    for a draw that knows what to do with half a word."""

    name: str
    start: str = ""
    at_once: bool = False

    def payload(self) -> dict:
        """Return what every control does, and whether each letter counts."""
        return super().payload() | {"at_once": self.at_once}


class Live(Asking):
    """The widget of `live`; `values` are those of the picture on show."""

    _esm = module("live")

    controls: traitlets.List = traitlets.List().tag(sync=True)

    def __init__(self, draw: Draw, controls: Sequence[Control], captions: Sequence[str]) -> None:
        self._draw, self._controls, self._captions = draw, list(controls), captions
        payloads = [control.payload() for control in controls]
        request = {"places": [payload["start"] for payload in payloads]}
        super().__init__(request, self._reply(request), controls=payloads)

    def still(self) -> tuple[str, bytes]:
        """Return the picture on show, with its words."""
        images, alt, words = self._shown
        picture, width = on_page(images, self._captions or None)
        return img_tag(picture, alt, width) + f"<p>{html.escape(words)}</p>", picture

    def _reply(self, request: dict) -> dict:
        places = zip(self._controls, request["places"], strict=True)
        values = {control.name: control.read(place) for control, place in places}
        generator = torch.Generator().manual_seed(int(values.get("seed", 0)))
        with drawing():
            drawn = self._draw(dict(values), generator)
        images, alt, words = returned("draw", drawn, "words")
        arguments.texts("words", [words], "drawn from seed 3")
        answer = captioned(images, alt, self._captions) | {"words": words}
        self.values, self._shown = values, drawn
        return answer


def live(draw: Draw, controls: Sequence[Control], captions: Sequence[str] = ()) -> Live:
    """Show a picture that the kernel draws again whenever a control moves.

    `draw(values, generator)` returns (images, alt, words): pictures (N, C, H, W) in [-1, 1], what
    is to be seen in them, and a sentence to stand below them. `values` maps each control's name to
    its value. `generator` is seeded with `values["seed"]`, or 0 without such a control: use it for
    all randomness, so that the same values give the same picture. A network in training is drawn
    from a copy of it. `captions` has a line for under each picture, where they need one.

    The first picture is drawn at once, and an error in it is raised. A later error is shown in the
    widget as a sentence while the picture before stays.
    """
    names = [control.name for control in controls]
    if len(set(names)) != len(names) or not names:
        raise ValueError(f"the controls are named {names}: give one name each, none twice")
    return Live(draw, controls, captions)
