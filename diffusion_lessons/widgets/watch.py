"""A training that is watched while it runs: progress, the loss so far, a strip of samples.

The cell that trains keeps the kernel busy, yet what it sends reaches the page at once. So the loop
itself says how far it is, and the view changes in place: never cleared, never drawn again.
"""

from __future__ import annotations

import html
import math
import time
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import traitlets
from IPython.display import display
from torch import Tensor

from diffusion_lessons import arguments
from diffusion_lessons.pictures import checked_alt, img_tag, to_uint8

from .page import PageWidget, as_float32, framed, module, packed, slots
from .still import STAGE_WIDTH, draw_training

BINS = 120
"""Most places on the loss curve: many steps share one, and their mean is drawn."""
MOST_STAGES = 8
"""Most stages in the strip. When one more comes, every second one makes room."""
SEND_S = 0.2
"""Seconds between two messages to the page."""


class Watch(PageWidget):
    """The view of a training, to be entered with `with` and given each step.

    Leaving the block by an interrupt (the stop button of JupyterLab, or Ctrl-C) is no error: the
    view says at which step it was, and the cell goes on after the block. Any other error is raised
    as usual. After the block a still version stays in the stored notebook.
    """

    _esm = module("watch")

    total = traitlets.Int().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)  # {"step", "words", "spoken"}
    curve = traitlets.Dict().tag(sync=True)  # {"steps", "mean", "low", "high"}: float32 bytes
    stages: traitlets.List = traitlets.List().tag(sync=True)  # as many as MOST_STAGES

    def __init__(self, total: int, alt: str) -> None:
        self._losses: dict[int, float] = {}  # by step
        self._step, self._added, self._quarter = 0, 0, 0
        self._strip: list[dict] = []
        self._start, self._sent_at, self._ended = time.monotonic(), -math.inf, ""
        self._first: tuple[int, float] | None = None  # step and time: it is slow, so left out
        super().__init__(  # what is set later is not in the message that opens the widget
            total=total,
            alt=alt,
            progress={"step": 0, "words": "waiting for the first step", "spoken": ""},
            curve=packed(_curve(self._losses, total)),
            stages=slots([], MOST_STAGES),
        )

    def step(self, step: int, loss: float | Tensor) -> None:
        """Record that `step` steps are done (1 to total), the last one with this loss.

        Cheap enough for every step. Raises ValueError on a step outside 1 to total.
        """
        hint = ": watch(total=...) says how many steps there will be, and the first one is 1"
        step = arguments.number("step", step, 1, self.total, hint)
        value: Any = loss.item() if isinstance(loss, Tensor) and loss.numel() == 1 else loss
        if not isinstance(value, float) or math.isfinite(value):  # nan and inf are losses, too
            value = arguments.number("loss", value, -1e30, 1e30, real=True)
        self._step = step
        self._losses[self._step] = value
        self._first = self._first or (self._step, time.monotonic())
        if time.monotonic() - self._sent_at >= SEND_S:
            self._send_progress()

    def pictures(self, images: Tensor, caption: str) -> None:
        """Add a stage to the strip: pictures (N, C, H, W) in [-1, 1] as a square of small tiles."""
        self._add("pictures", caption, framed(to_uint8(images)))

    def points(self, points: Tensor, caption: str, behind: Tensor | None = None) -> None:
        """Add a stage to the strip: points (N, 2) in the plane, over faint ones (K, 2) `behind`."""
        given = as_float32(points), as_float32(np.empty((0, 2)) if behind is None else behind)
        for name, array in zip(("points", "behind"), given, strict=True):
            arguments.shape(name, array, ("N", 2))
        self._add("points", caption, {"data": given[0], "behind": given[1]})

    def still(self) -> tuple[str, bytes | None]:
        """Return the loss curve and the strip; before the first step, a sentence."""
        if not self._losses:
            return f"<p>{html.escape(self._ended or 'The training has not begun.')}</p>", None
        curve = _curve(self._losses, self.total)
        picture = draw_training(curve, self.total, self._strip)
        first, last = curve["mean"][0], curve["mean"][-1]
        alt = f"The loss over {self._step} steps: {first:.2g} at first, {last:.2g} at last."
        if self._strip:
            captions = "; ".join(stage["caption"] for stage in self._strip)
            alt += f" Below it: {self.alt.rstrip('.')}, {captions}."
        words = f"<p>{html.escape(self._ended)} Loss {last:.2g}.</p>"
        return img_tag(picture, alt, STAGE_WIDTH) + words, picture

    def __enter__(self) -> Self:
        self._handle = display(self, display_id=True)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> bool:
        interrupted = isinstance(error, KeyboardInterrupt)
        place = f"at step {self._step:,} of {self.total:,}"
        if interrupted:
            self._ended = f"Interrupted {place}. What was learned so far is kept."
        elif error is not None:
            self._ended = f"Stopped by an error {place}."
        else:
            done = self._step == self.total
            self._ended = f"Done: {self.total:,} steps." if done else f"Ended {place}."
        self._send_progress()
        self.send_state(["progress", "curve", "stages"])  # an interrupt may have cut one off
        if self._handle is not None:  # None outside of notebooks
            self._handle.update(self)
        return interrupted

    def _add(self, kind: str, caption: str, drawn: dict) -> None:
        arguments.texts("caption", [caption], "after 100 steps")
        self._added += 1
        self._strip.append({"number": self._added, "kind": kind, "caption": caption, **drawn})
        if len(self._strip) > MOST_STAGES:
            self._strip = self._strip[::2]
        self.stages = slots(self._strip, MOST_STAGES)
        self._send_progress()

    def _send_progress(self) -> None:
        """Send where the training is, in one message."""
        quarter, spoken = 4 * self._step // self.total, self.progress["spoken"]
        if self._ended:
            words = spoken = f"{self._ended} It took {_about(time.monotonic() - self._start)}."
        else:
            words = f"step {self._step:,} of {self.total:,}{self._seconds_left()}"
            if self._quarter < quarter < 4 or not spoken:
                spoken = f"{25 * quarter} % done{self._seconds_left()}"
        self._quarter = quarter
        with self.hold_sync():
            self.progress = {"step": self._step, "words": words, "spoken": spoken}
            self.curve = packed(_curve(self._losses, self.total))
        self._sent_at = time.monotonic()

    def _seconds_left(self) -> str:
        """Return ", about 55 s in all, 40 s left", or nothing while too little is known."""
        now = time.monotonic()
        first, began = self._first or (0, now)
        steps, left = self._step - first, self.total - self._step
        if steps < 3 or now - began < 1 or not left:
            return ""
        seconds = (now - began) / steps * left
        return f", about {_about(now - self._start + seconds)} in all, {_about(seconds)} left"


def watch(total: int, alt: str) -> Watch:
    """Watch a training of `total` steps: a bar with the seconds left, the loss, a strip of samples.

    `alt` says in words what the strip shows ("pictures the network draws as it learns"), for those
    who cannot see it. Enter it with `with`, call `step` after every step, and `pictures` or
    `points` now and then:

        with watch(total=500, alt="sprites the network draws as it learns") as view:
            for done in train(...):
                view.step(done.step, done.loss)
                if done.step % 100 == 0:
                    view.pictures(sample(), f"after {done.step} steps")

    Raises TypeError or ValueError when `total` is not a whole number above zero, ValueError when
    `alt` is empty.
    """
    total = arguments.number("total", total, 1, 10**9, ", as many as there will be steps")
    return Watch(total, checked_alt(alt))


def _curve(losses: Mapping[int, float], total: int) -> dict[str, np.ndarray]:
    """Return the middle step, mean, lowest and highest loss of each of at most BINS places.

    A place covers the same steps from beginning to end, so that the curve only grows.
    """
    steps, values = np.array([*losses], int), np.array([*losses.values()], float)
    places, which = np.unique((steps - 1) // math.ceil(total / BINS), return_inverse=True)
    low, high = np.full(len(places), np.nan), np.full(len(places), np.nan)
    np.fmin.at(low, which, values)
    np.fmax.at(high, which, values)
    counts = np.bincount(which, minlength=len(places))
    mean, middle = (np.bincount(which, sums, len(places)) / counts for sums in (values, steps))
    curve = {"steps": middle, "mean": mean, "low": low, "high": high}
    return {name: numbers.astype(np.float32) for name, numbers in curve.items()}


def _about(seconds: float) -> str:
    """Return seconds rounded as in speech: 7 s, 45 s, 3 min."""
    if seconds < 20:
        return f"{round(seconds)} s"
    return f"{5 * round(seconds / 5)} s" if seconds < 120 else f"{round(seconds / 60)} min"
