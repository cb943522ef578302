"""A widget's drawing may raise, be interrupted or return anything: the next good move works."""

import itertools
import json
import math
import signal
import threading
from collections.abc import Callable
from functools import partial

import pytest
import torch
from comm import get_comm_manager
from ipywidgets.widgets.widget import _remove_buffers

from diffusion_lessons import quiz, widgets
from diffusion_lessons.quiz import demonstrations
from diffusion_lessons.widgets import Slider, gallery
from diffusion_lessons.widgets.canvas import bits_of
from tests.every_widget import REGION
from tests.small_pipe import small_pipe

GOOD = torch.zeros(1, 3, 64, 64)


class Unspeakable(Exception):
    """An error that cannot say what it is."""

    def __str__(self):
        raise RuntimeError("not even this")


def raising(error: BaseException) -> Callable:
    def fault():
        raise error

    return fault


def returning(*drawn) -> Callable:
    return lambda: drawn if len(drawn) > 1 else drawn[0]


RAISED = {
    "an error": raising(ValueError("no <b>three</b>")),
    "an error without words": raising(ZeroDivisionError()),
    "an error that cannot be told": raising(Unspeakable()),
    "memory": raising(MemoryError()),
    "recursion": raising(RecursionError("too deep")),
    "the end of a generator": raising(StopIteration()),
    "sys.exit": raising(SystemExit(1)),
    "exit in a generator": raising(GeneratorExit()),
    "an interrupt that is raised": raising(KeyboardInterrupt()),
}
RETURNED = {
    "nothing": returning(None),
    "a whole number": returning(3),
    "a number": returning(math.nan),
    "pictures alone": returning(GOOD),
    "two of three": returning(GOOD, "grey"),
    "a picture without N": returning(GOOD[0], "grey", ["one"]),
    "four channels": returning(torch.zeros(1, 4, 64, 64), "grey", ["one"]),
    "no picture": returning(GOOD[:0], "grey", []),
    "a picture of no size": returning(GOOD[..., :0], "grey", ["one"]),
    "nan": returning(GOOD * math.nan, "grey", ["one"]),
    "levels": returning(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "grey", ["one"]),
    "images that are None": returning(None, "grey", ["one"]),
    "images that are a number": returning(7, "grey", ["one"]),
    "no alt": returning(GOOD, None, ["one"]),
    "words that are None": returning(GOOD, "grey", None),
    "words that are a number": returning(GOOD, "grey", math.nan),
    "words that are a tensor": returning(GOOD, "grey", torch.zeros(3)),
    "words that no page can show": returning(GOOD, "grey", [object()]),
}
"""What a drawing may do instead of returning pictures, their alt, and words or captions."""


class Drawing:
    """What is drawn; where `fault` is set, that happens instead."""

    fault: Callable | None = None

    def __call__(self, drawn: Callable, *given: object, **named: object) -> object:
        return self.fault() if self.fault else drawn(*given, **named)


def live(drawing, folder, monkeypatch):
    def draw(values, generator):
        return drawing(lambda: (GOOD + values["seed"] / 9, "grey", f"{values['seed']}"))

    return widgets.live(draw, [Slider("seed", 0, 9)]), ASKED, lambda move: {"places": [move]}


def _grey(prompt):
    return GOOD + int(prompt) / 9, "grey", [prompt]


def _marks(move):
    return {"bits": bits_of(REGION), "prompt": str(move)}


def sketch(drawing, folder, monkeypatch):
    widget = widgets.sketch(lambda _, prompt: drawing(_grey, prompt), "0", REGION)
    return widget, ASKED, _marks


def mark(drawing, folder, monkeypatch):
    widget = widgets.mark(GOOD[0], lambda *given: drawing(_grey, given[-1]), "0", REGION)
    return widget, ASKED, _marks


def studio(drawing, folder, monkeypatch):
    pipe = small_pipe()
    monkeypatch.setattr(pipe, "steps", partial(drawing, pipe.steps))
    widget = widgets.studio(lambda: pipe, "a red house", folder)
    return widget, ASKED, lambda move: {"places": ["a cat", "", str(move), "2", "3"]}


def saving(drawing, folder, monkeypatch):
    monkeypatch.setattr(gallery, "as_png", partial(drawing, gallery.as_png))
    pipe = small_pipe()
    widget = widgets.studio(lambda: pipe, "a red house", folder)
    _tell(widget, "request", {"id": 1, "places": ["a cat", "", "0", "2", "3"]})
    return widget, ("keep", "kept"), lambda move: {"of": 1 + move % 2}  # one kept already is found


def showing(drawing, folder, monkeypatch):
    widget = quiz.start(folder)
    _tell(widget, "request", _quiz(widget, 1) | {"do": "answer", "option": "a", "sure": True})
    first = next(iter(widget.answers.forms.values())).demonstration["name"]
    found = demonstrations.DEMONSTRATIONS[first]
    monkeypatch.setitem(demonstrations.DEMONSTRATIONS, first, partial(drawing, found))
    return widget, ASKED, lambda move: _quiz(widget, move) | {"do": "show"}


def _quiz(widget, number):
    return {"id": number, "round": widget.answer["round"], "here": 0}


ASKED = "request", "answer"
DRAWS = {one.__name__: one for one in (live, sketch, mark)}
EVERY = DRAWS | {one.__name__: one for one in (studio, saving, showing)}


def _tell(widget, trait: str, value: dict) -> None:
    """Hand the kernel's list of widgets the message that a page sends."""
    data = {"method": "update", "state": {trait: value}, "buffer_paths": []}
    content = {"comm_id": widget.model_id, "data": data}
    get_comm_manager().comm_msg(None, "", {"content": content, "buffers": []})


def _in_main(call: Callable) -> None:
    call()


def _in_second(call: Callable) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


THREADS = {"in the main thread": _in_main, "in a second thread": _in_second}
CASES = [
    *itertools.product(EVERY, RAISED, THREADS),
    *itertools.product(EVERY, ["an interrupt"], ["in the main thread"]),
    *itertools.product(DRAWS, RETURNED, THREADS),
]
FAULTS = RAISED | RETURNED | {"an interrupt": lambda: signal.raise_signal(signal.SIGINT)}


@pytest.mark.parametrize(("name", "fault", "thread"), CASES)
def test_after_each_failure_the_picture_stays_a_sentence_says_why_and_the_next_move_works(
    tmp_path, monkeypatch, name, fault, thread
):
    drawing = Drawing()
    widget, (request, answer), asks = EVERY[name](drawing, tmp_path, monkeypatch)

    def move(number):
        THREADS[thread](partial(_tell, widget, request, {**asks(number), "id": 10 + number}))
        told, paths, _ = _remove_buffers(getattr(widget, answer))
        assert told["id"] == 10 + number
        json.dumps(told, allow_nan=False)  # else it never reaches the page
        return told, {tuple(path) for path in paths}

    good, paths = move(1)
    assert "problem" not in good
    shown = {key: value for key, value in getattr(widget, answer).items() if key != "id"}
    drawing.fault = FAULTS[fault]
    failed, kept = move(2)
    assert kept >= paths and ("interrupt" in fault) == ("was interrupted" in failed["problem"])
    if name in DRAWS:
        after = dict(getattr(widget, answer))
        assert after.pop("problem") == failed["problem"] and after | shown == after
    drawing.fault = None
    assert "problem" not in move(3)[0] and widget.still()[0]
