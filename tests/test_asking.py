"""What holds for every drawing the kernel does on request, whichever widget asks."""

import threading
from collections.abc import Iterator

import pytest
import torch

from diffusion_lessons import widgets
from diffusion_lessons.widgets import Slider


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("fails", [False, True])
def test_a_drawing_keeps_to_one_core_and_gives_the_others_back(three_threads, fails):
    counts, drawing, seen = [], threading.Event(), threading.Event()

    def draw(values, generator):
        counts.append(torch.get_num_threads())
        if values["seed"]:
            drawing.set()
            assert seen.wait(10)
        if values["seed"] and fails:
            raise ValueError("no")
        return torch.zeros(1, 3, 4, 4), "grey", "grey"

    def ask():
        live.request = {"id": 1, "places": [1]}
        counts.append(torch.get_num_threads())

    live = widgets.live(draw, [Slider("seed", 0, 9)])
    assert torch.get_num_threads() == 3
    thread = threading.Thread(target=ask)
    thread.start()
    assert drawing.wait(10)
    assert torch.get_num_threads() == 3  # a cell that runs meanwhile keeps its own
    seen.set()
    thread.join()
    assert counts == [1, 1, 3] and torch.get_num_threads() == 3
    assert ("problem" in live.answer) is fails
