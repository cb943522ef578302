"""A training that is watched while it runs: progress, the loss so far, a strip of samples.

The cell that trains keeps the kernel busy, yet what it sends reaches the page at once. So the loop
itself says how far it is, and the view changes in place: never cleared, never drawn again.
"""

from __future__ import annotations

import html
import math
import time
from types import TracebackType
from typing import Self

import numpy as np
import torch
import traitlets
from IPython.display import display

from diffusion_lessons.pictures import checked_alt, img_tag, to_uint8

from .page import PageWidget, module, packed, slots
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
        self._losses = _Losses(total)
        self._clock = _Clock(total)
        self._sent_at, self._quarter, self._ended = -math.inf, 0, ""
        self._strip: list[dict] = []
        self._added = 0
        super().__init__(  # what is set later is not in the message that opens the widget
            total=total,
            alt=alt,
            progress={"step": 0, "words": "waiting for the first step", "spoken": ""},
            curve=packed(self._losses.curve()),
            stages=slots([], MOST_STAGES),
        )

    def step(self, step: int, loss: float | torch.Tensor) -> None:
        """Record that `step` steps are done (1 to total), the last one with this loss.

        Cheap enough for every step. Raises ValueError on a step outside 1 to total.
        """
        if not 1 <= step <= self.total:
            raise ValueError(
                f"step is {step}, expected 1 to {self.total}: watch(total=...) says how many steps "
                "there will be, and the first one is 1"
            )
        self._losses.add(int(step), float(loss))
        self._clock.tick(step)
        if time.monotonic() - self._sent_at >= SEND_S:
            self._send_progress()

    def pictures(self, images: torch.Tensor, caption: str) -> None:
        """Add a stage to the strip: pictures (N, C, H, W) in [-1, 1] as a square of small tiles."""
        frames = to_uint8(images)
        count, height, width = frames.shape[:3]
        size = {"count": count, "height": height, "width": width}
        self._add({"kind": "pictures", "caption": caption, **size, "data": frames.tobytes()})

    def points(
        self, points: torch.Tensor, caption: str, behind: torch.Tensor | None = None
    ) -> None:
        """Add a stage to the strip: points (N, 2) in the plane, over faint ones (K, 2) `behind`."""
        behind = torch.empty(0, 2) if behind is None else behind
        data = {"data": _pairs("points", points), "behind": _pairs("behind", behind)}
        self._add({"kind": "points", "caption": caption, **data})

    def still(self) -> tuple[str, bytes | None]:
        """Return the loss curve and the strip; before the first step, a sentence."""
        if not self._losses.step:
            return f"<p>{html.escape(self._ended or 'The training has not begun.')}</p>", None
        curve = self._losses.curve()
        picture = draw_training(curve, self.total, self._strip)
        first, last = curve["mean"][0], curve["mean"][-1]
        alt = f"The loss over {self._losses.step} steps: {first:.2g} at first, {last:.2g} at last."
        if self._strip:
            captions = "; ".join(stage["caption"] for stage in self._strip)
            alt += f" Below it: {self.alt.rstrip('.')}, {captions}."
        words = f"<p>{html.escape(self._ended)} Loss {last:.2g}.</p>"
        return img_tag(picture, alt, STAGE_WIDTH) + words, picture

    def __enter__(self) -> Self:
        self._handle = display(self, display_id=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        step = self._losses.step
        place = f"at step {step:,} of {self.total:,}"
        if interrupted:
            self._ended = f"Interrupted {place}. What was learned so far is kept."
        elif kind is not None:
            self._ended = f"Stopped by an error {place}."
        else:
            self._ended = f"Done: {step:,} steps." if step == self.total else f"Ended {place}."
        self._send_progress()
        self.send_state(["progress", "curve", "stages"])  # an interrupt may have cut one off
        if self._handle is not None:  # None outside of notebooks
            self._handle.update(self)
        return interrupted

    def _add(self, stage: dict) -> None:
        self._added += 1
        self._strip.append({"number": self._added, **stage})
        if len(self._strip) > MOST_STAGES:
            self._strip = self._strip[::2]
        self.stages = slots(self._strip, MOST_STAGES)
        self._send_progress()

    def _send_progress(self) -> None:
        """Send where the training is, in one message."""
        step = self._losses.step
        now = f"step {step:,} of {self.total:,}{self._clock.words(step)}"
        quarter = 4 * step // self.total
        spoken = self.progress["spoken"]
        if self._ended:
            now = spoken = f"{self._ended} It took {_about(self._clock.elapsed())}."
        elif self._quarter < quarter < 4 or not spoken:
            spoken = f"{25 * quarter} % done{self._clock.words(step)}"
        self._quarter = quarter
        with self.hold_sync():
            self.progress = {"step": step, "words": now, "spoken": spoken}
            self.curve = packed(self._losses.curve())
        self._sent_at = time.monotonic()


class _Losses:
    """The losses of a training, and their curve in at most BINS places."""

    def __init__(self, total: int) -> None:
        self._width = math.ceil(total / BINS)
        self._steps: list[int] = []
        self._losses: list[float] = []

    @property
    def step(self) -> int:
        """The number of steps done."""
        return self._steps[-1] if self._steps else 0

    def add(self, step: int, loss: float) -> None:
        self._steps.append(step)
        self._losses.append(loss)

    def curve(self) -> dict[str, np.ndarray]:
        """Return the middle step, mean, lowest and highest loss of each place, float32.

        A place covers the same steps from beginning to end, so that the curve only grows.
        """
        steps, losses = np.array(self._steps, int), np.array(self._losses, float)
        places, which = np.unique((steps - 1) // self._width, return_inverse=True)
        low, high = np.full(len(places), np.nan), np.full(len(places), np.nan)
        np.fmin.at(low, which, losses)
        np.fmax.at(high, which, losses)
        counts = np.bincount(which, minlength=len(places))
        mean = np.bincount(which, losses, len(places)) / counts
        middle = np.bincount(which, steps, len(places)) / counts
        curve = {"steps": middle, "mean": mean, "low": low, "high": high}
        return {name: values.astype(np.float32) for name, values in curve.items()}


class _Clock:
    """Seconds since the start, and an estimate of those to come from the steps so far."""

    def __init__(self, total: int) -> None:
        self._total, self._start = total, time.monotonic()
        self._first: tuple[int, float] | None = None  # the first step is slow, so it is left out

    def tick(self, step: int) -> None:
        if self._first is None:
            self._first = (step, time.monotonic())

    def elapsed(self) -> float:
        return time.monotonic() - self._start

    def words(self, step: int) -> str:
        """Return ", about 55 s in all, 40 s left", or nothing while too little is known."""
        if self._first is None or step == self._total:
            return ""
        steps, seconds = step - self._first[0], time.monotonic() - self._first[1]
        if steps < 3 or seconds < 1:
            return ""
        left = seconds / steps * (self._total - step)
        return f", about {_about(self.elapsed() + left)} in all, {_about(left)} left"


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

    Raises ValueError when `total` is not a whole number above zero, or `alt` is empty.
    """
    if not isinstance(total, int) or total < 1:
        raise ValueError(
            f"total is {total!r}, expected the number of steps: a whole number above 0"
        )
    return Watch(total, checked_alt(alt))


def _about(seconds: float) -> str:
    """Return seconds rounded as in speech: 7 s, 45 s, 3 min."""
    if seconds < 20:
        return f"{round(seconds)} s"
    return f"{5 * round(seconds / 5)} s" if seconds < 120 else f"{round(seconds / 60)} min"


def _pairs(name: str, points: torch.Tensor) -> bytes:
    points = torch.as_tensor(points).detach().to("cpu", torch.float32)
    if points.dim() != 2 or points.shape[1] != 2:
        raise ValueError(f"{name} has shape {tuple(points.shape)}, expected (N, 2)")
    return points.contiguous().numpy().tobytes()
