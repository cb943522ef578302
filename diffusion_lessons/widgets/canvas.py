"""A canvas: the part of a picture to repaint, or an outline for a new one to follow."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import traitlets
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import arguments, data
from diffusion_lessons.pictures import img_tag, on_page, to_uint8

from .asking import Asking, drawing, returned
from .page import captioned, framed, module, packed

SIDE = 64
"""Pixels of a canvas each way, as many as the pictures of the course have."""
Answer = tuple[Tensor, str, Sequence[str]]


class Canvas(Asking):
    """The widget of `mark` and of `sketch`; `marked` is what is on show."""

    _esm = module("canvas")

    spoken = (*Asking.spoken, ValueError, TypeError, OSError)

    picture = traitlets.Dict().tag(sync=True)  # to be marked; none where an outline is drawn
    note = traitlets.Unicode().tag(sync=True)  # what became of a picture of another size
    bits = traitlets.Unicode().tag(sync=True)  # of the marks, row by row, in base64

    def __init__(
        self,
        act: Callable[[Tensor, str], Answer],
        prompt: str,
        marked: Tensor | None,
        image: Tensor | None = None,
        note: str = "",
    ) -> None:
        marked = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.bool) if marked is None else marked
        sizes, hint = (1, 1, SIDE, SIDE), ", True where a pixel is marked"
        arguments.shape("marked", marked, sizes, hint, arguments.MARKS)
        self._act, self._image = act, image
        self._shown: Answer = torch.empty(0, 3, SIDE, SIDE), "nothing is drawn yet", []
        bits = bits_of(marked)
        request = {"bits": bits, "prompt": prompt}
        super().__init__(
            request,
            self._reply(request) if marked.any() else {},
            picture={} if image is None else packed(framed(to_uint8(image))),
            note=note,
            bits=bits,
        )

    @property
    def marked(self) -> Tensor:
        """What is marked at the moment, bool (1, 1, 64, 64)."""
        return marks_in(self.bits)

    def still(self) -> tuple[str, bytes]:
        """Return the picture with the edge of the marks, or the outline, and the answer to it."""
        marked, (images, seen, captions) = self.marked, self._shown
        if self._image is None:
            first, what = torch.where(marked, -1.0, 1.0).expand(1, 3, SIDE, SIDE), "drawn"
        else:
            inside = 1 - functional.max_pool2d(1 - marked.float(), 3, stride=1, padding=1)
            ants = (torch.arange(SIDE)[:, None] + torch.arange(SIDE)) % 4 // 2 * 2.0 - 1
            first, what = torch.where(marked & (inside == 0), ants, self._image), "marked"
        picture, width = on_page(torch.cat((first, images)), [what, *captions])
        alt = f"A picture with {int(marked.sum())} of its pixels {what}; then {seen}"
        return img_tag(picture, alt, width), picture

    def _reply(self, request: dict) -> dict:
        marked = marks_in(request["bits"])
        if not marked.any():
            raise ValueError("There is nothing on the canvas yet: paint on it first.")
        if marked.all():
            raise ValueError("Everything is marked: erase some of it, for the rest to stay.")
        with drawing():
            drawn = self._act(marked, request["prompt"])
        images, alt, captions = returned("act", drawn, "captions")
        captions = arguments.texts("captions", captions, "pasted")
        arguments.shape("what act drew", images, (len(captions), 3, SIDE, SIDE), ", a caption each")
        answer = captioned(images, alt, captions)
        self._shown = drawn
        return answer


def mark(
    image: Any,
    act: Callable[[Tensor, Tensor, str], Answer],
    prompt: str = "",
    marked: Tensor | None = None,
) -> Canvas:
    """Show a picture to mark what is to be repainted, and the pictures that come of it.

    image: as `data.read_image` takes it; what that does to one of another size stands beside it.
    prompt: the words at first. marked: what is marked at first, bool (1, 1, 64, 64).

    `act(image, marked, prompt)` gets the picture (1, 3, 64, 64) in [-1, 1]. It returns (images,
    alt, captions): pictures (N, 3, 64, 64) in [-1, 1], what is to be seen in them, and a line for
    under each. Where something is marked at first, it is called at once, and an error in it is
    raised. A later error becomes a sentence in the widget while the pictures before stay, and so
    does nothing marked, or everything.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read = data.read_image(image, SIDE)[None]
    note = " ".join(f"Note: {warning.message}." for warning in caught)
    return Canvas(partial(act, read), prompt, marked, read, note)


def sketch(
    act: Callable[[Tensor, str], Answer], prompt: str = "", marked: Tensor | None = None
) -> Canvas:
    """Show a sheet to draw an outline on, a pixel wide, and the pictures that follow it.

    `act(outline, prompt)` gets it as bool (1, 1, 64, 64), True on the line. What it returns, and
    the rest: as in `mark`.
    """
    return Canvas(act, prompt, marked)


def bits_of(marked: Tensor) -> str:
    """Return marks as the page and the kernel exchange them."""
    return base64.b64encode(np.packbits(marked.bool().numpy()).tobytes()).decode("ascii")


def marks_in(bits: str) -> Tensor:
    """Return marks, bool (1, 1, 64, 64)."""
    flat = np.unpackbits(np.frombuffer(base64.b64decode(bits), np.uint8))
    return torch.from_numpy(flat).bool().reshape(1, 1, SIDE, SIDE)
