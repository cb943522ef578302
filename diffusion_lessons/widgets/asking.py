"""Requests of the page and answers of the kernel: the one place for callbacks of widgets.

JupyterLab runs a widget's callback in a second thread while a cell is running. Settings of the main
thread (no gradients, the global seed) do not hold in that thread, and changes made there would race
the cell. So every callback of the course goes through `Asking`, and every drawing through
`drawing`: in inference mode, one at a time, on one core. The page keeps at most one request on its
way, and sends the newest one when the answer comes (static/asking.js).
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import traitlets

from diffusion_lessons.postcards import PromptError
from diffusion_lessons.workspace import DamagedFile

from .page import PageWidget, packed

one_at_a_time = threading.RLock()  # for threads that use a network


@contextmanager
def drawing() -> Iterator[None]:
    """Draw without gradients, on one core, one thread at a time.

    A small network on one picture is no faster on two cores, and much slower where a cell that
    trains, or the browser, has one of them: at each layer one half then waits for the other.
    """
    with one_at_a_time, torch.inference_mode():
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class Asking(PageWidget):
    """A widget whose page asks and whose kernel answers.

    A subclass defines `_reply`. Whatever it raises becomes the last good answer with a "problem",
    a sentence for the page; the message of an error in `spoken` is one already.
    """

    spoken: tuple[type[Exception], ...] = (PromptError, DamagedFile)

    # page: {"id": n, ...}; no page waits for its own request to come back, as ipywidgets send it
    request = traitlets.Dict().tag(sync=True, echo_update=False)
    answer = traitlets.Dict().tag(sync=True)  # kernel: {"id": n, ...}, maybe "problem"

    def __init__(self, request: dict, answer: dict, **traits: object) -> None:
        """`request` and `answer` are the first ones, already exchanged when the page opens."""
        answer = packed({"id": 0, **answer})
        super().__init__(request={"id": 0, **request}, answer=answer, **traits)
        self._answer_in("answer", self._reply, "request")

    def _answer_in(self, answer: str, reply: Callable[[dict], dict], request: str) -> None:
        """Set the trait `answer` to what `reply` returns for each new value of trait `request`."""

        def respond(change: dict) -> None:
            before, number = getattr(self, answer), {"id": change["new"]["id"]}
            try:
                setattr(self, answer, packed(reply(change["new"])) | number)
            except BaseException as error:  # it would reach nobody; SystemExit would end the kernel
                setattr(self, answer, before | self._problem(error) | number)

        self.observe(respond, names=request)

    def _reply(self, request: dict) -> dict:
        """Return the answer to a request; its arrays go to the page as bytes."""
        raise NotImplementedError

    def _attempt(self, reply: Callable[[dict], dict], request: dict) -> dict:
        try:
            return reply(request)
        except Exception as error:
            return self._problem(error)

    def _problem(self, error: BaseException) -> dict:
        if isinstance(error, KeyboardInterrupt):
            return {"problem": "The kernel was interrupted. Try again."}
        if isinstance(error, self.spoken):
            return {"problem": getattr(error, "strerror", None) or str(error)}
        return {"problem": "".join(traceback.format_exception_only(error)).strip()}


def returned(name: str, drawn: object, last: str) -> tuple:
    """Return what the function `name` returned: images, alt, `last`. Raises TypeError else."""
    if isinstance(drawn, tuple) and len(drawn) == 3:
        return drawn
    raise TypeError(f"{name} returned {type(drawn).__name__}: give (images, alt, {last})")
