"""Pictures the kernel draws anew whenever a control moves."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import traitlets

from diffusion_lessons.pictures import checked_alt, img_tag, on_page, to_uint8

from .asking import Asking, drawing
from .page import module

Draw = Callable[[dict, torch.Generator], tuple[torch.Tensor, str, str]]


@dataclass(frozen=True)
class Slider:
    """Stops from `low` to `high`, `step` apart; whole numbers when all three are whole."""

    name: str
    low: float
    high: float
    step: float = 1
    start: float | None = None

    def values(self) -> list:
        """The value at each stop. Raises ValueError when the range or the step makes no sense."""
        if not (self.step > 0 and self.high > self.low):
            raise ValueError(
                f"slider {self.name!r} goes from {self.low} to {self.high} by {self.step}: "
                "high must be above low, and step above 0"
            )
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        if all(isinstance(number, int) for number in (self.low, self.high, self.step)):
            return [self.low + i * self.step for i in range(count)]
        return [round(self.low + i * self.step, 10) for i in range(count)]

    def payload(self) -> dict:
        """What the page needs to draw this control."""
        values = self.values()
        words = [str(value) for value in values]
        start = _start("slider", self.name, values, self.start)
        return {"kind": "slider", "name": self.name, "words": words, "start": start}


@dataclass(frozen=True)
class Choice:
    """One of a few options; `start` is chosen at the start, or the first."""

    name: str
    options: Sequence[str]
    start: str | None = None

    def values(self) -> list[str]:
        """The options. Raises ValueError when there are fewer than two."""
        if len(self.options) < 2:
            raise ValueError(
                f"choice {self.name!r} offers {list(self.options)}, expected two or more"
            )
        return list(self.options)

    def payload(self) -> dict:
        """What the page needs to draw this control."""
        values = self.values()
        start = _start("choice", self.name, values, self.start)
        return {"kind": "choice", "name": self.name, "words": values, "start": start}


@dataclass(frozen=True)
class Text:
    """A line of text, such as a prompt."""

    name: str
    start: str = ""

    def values(self) -> None:
        """A text has no fixed values."""
        return

    def payload(self) -> dict:
        """What the page needs to draw this control."""
        return {"kind": "text", "name": self.name, "words": None, "start": self.start}


Control = Slider | Choice | Text


class Live(Asking):
    """What `live` returns. `values` is what the picture on show was drawn from."""

    _esm = module("live")

    controls: traitlets.List = traitlets.List().tag(sync=True)

    def __init__(self, draw: Draw, controls: Sequence[Control]) -> None:
        self._draw, self._controls = draw, list(controls)
        payloads = [control.payload() for control in controls]
        request = {"places": [payload["start"] for payload in payloads]}
        super().__init__(request, self._reply(request), controls=payloads)

    def still(self) -> tuple[str, bytes]:
        """The picture on show, with its words."""
        images, alt, words = self._shown
        picture, width = on_page(images)
        return img_tag(picture, alt, width) + f"<p>{html.escape(words)}</p>", picture

    def _reply(self, request: dict) -> dict:
        values = self._read(request["places"])
        shown = self._picture(values)
        answer = _packed(*shown)
        self.values, self._shown = values, shown
        return answer

    def _read(self, places: Sequence) -> dict:
        """Control name to value, from the places in the page (stop numbers, or a text)."""
        read = {}
        for control, place in zip(self._controls, places, strict=True):
            values = control.values()
            read[control.name] = str(place) if values is None else values[int(place)]
        return read

    def _picture(self, values: dict) -> tuple[torch.Tensor, str, str]:
        generator = torch.Generator().manual_seed(int(values.get("seed", 0)))
        with drawing():
            drawn = self._draw(dict(values), generator)
        if not (isinstance(drawn, tuple) and len(drawn) == 3):
            raise TypeError(
                f"draw returned {type(drawn).__name__}, expected three things: (images, alt, words)"
            )
        return drawn


def live(draw: Draw, controls: Sequence[Control]) -> Live:
    """A picture that the kernel draws anew whenever a control moves.

    `draw(values, generator)` returns (images, alt, words): pictures (N, C, H, W) in [-1, 1], what
    is to be seen in them, and a sentence to stand below them. `values` maps each control's name to
    its value. `generator` is seeded with `values["seed"]`, or 0 without such a control: use it for
    all randomness, so that the same values give the same picture. A network in training is drawn
    from a copy of it.

    The first picture is drawn at once, and an error in it is raised. A later error is shown in the
    widget as a sentence while the picture before stays.
    """
    names = [control.name for control in controls]
    if len(set(names)) != len(names) or not names:
        raise ValueError(f"the controls are named {names}, expected one name each, none twice")
    return Live(draw, controls)


def _packed(images: torch.Tensor, alt: str, words: str) -> dict:
    frames = to_uint8(images)
    return {
        "count": frames.shape[0],
        "height": frames.shape[1],
        "width": frames.shape[2],
        "data": frames.tobytes(),
        "alt": checked_alt(alt),
        "words": words,
    }


def _start(kind: str, name: str, values: list, start: object) -> int:
    """The place of `start` among the values, 0 where it is None."""
    if start is None:
        return 0
    if start not in values:
        raise ValueError(f"{kind} {name!r} starts at {start!r}, which is not one of {values}")
    return values.index(start)
