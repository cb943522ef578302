"""Pictures the kernel draws on request: the one place for callbacks that need the kernel.

JupyterLab runs a widget's callback in a second thread while a cell is running. Whatever the main
thread has set there (no gradients, the global seed) does not hold in it, and what the callback
changes would race the cell. So every callback of the course goes through `Asking`: it enters
inference mode itself and lets one drawing run at a time, on one core. The page keeps at most one
request on its way and sends the newest places of its controls when the answer comes
(static/asking.js).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import traitlets

from diffusion_lessons.postcards import PromptError
from diffusion_lessons.workspace import DamagedFile

from .page import PageWidget

_LOCK = threading.RLock()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Whatever two threads want to do with a network, they do one after the other."""
    with _LOCK:
        yield


@contextmanager
def drawing() -> Iterator[None]:
    """One drawing at a time, whichever thread it runs in, without gradients and on one core.

    A small network on one picture is no faster on two cores, and much slower where a cell that
    trains, or the browser, has one of them: at each layer one half then waits for the other.
    """
    with one_at_a_time(), torch.inference_mode():
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class Asking(PageWidget):
    """A widget whose page asks and whose kernel answers.

    A subclass says in `_reply` what a request is answered with. Whatever that raises is said in the
    page as a sentence, while the picture before stays; the message of an error in `spoken` is one
    already.
    """

    spoken: tuple[type[Exception], ...] = (PromptError, DamagedFile)

    request = traitlets.Dict().tag(sync=True)  # page: {"id": n, "places": one per control}
    answer = traitlets.Dict().tag(sync=True)  # kernel: the picture, or the problem, for that id

    def __init__(self, places: Sequence, answer: dict, **traits: object) -> None:
        request = {"id": 0, "places": list(places)}
        super().__init__(request=request, answer={"id": 0, **answer}, **traits)
        self.observe(self._on_request, names="request")

    def _reply(self, places: list) -> dict:
        """The answer to a request, as the page needs it."""
        raise NotImplementedError

    def _on_request(self, change: dict) -> None:
        request = change["new"]
        self.answer = {"id": request["id"], **self._tried(request["places"])}

    def _tried(self, places: list) -> dict:
        try:
            return self._reply(places)
        except Exception as error:  # what is drawn may raise anything: say it in the page
            return {"problem": self._sentence(error)}

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, self.spoken):
            return getattr(error, "strerror", None) or str(error)
        return f"{type(error).__name__}: {error}"
