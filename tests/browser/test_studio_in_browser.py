"""The studio in JupyterLab with a kernel behind it, on small networks that have learned nothing."""

import os
from pathlib import Path

import numpy as np
import pytest

from diffusion_lessons.widgets import gallery
from tests.browser.bare_host import pixels
from tests.browser.driving import CONTENT, STUDIO_PARTS, faults_of, off_the_screen
from tests.browser.lab import PANEL

SETUP = """
import time, torch
from diffusion_lessons import widgets
from tests.small_pipe import small_pipe
pipe = small_pipe()
"""
STUDIO = """
studio = widgets.studio(lambda: pipe, prompt="a red house on snow", folder=FOLDER)
studio
"""


@pytest.fixture
def studio_cell(tmp_path):
    """The cell that shows a studio, which keeps its pictures in tmp_path."""
    return STUDIO.replace("FOLDER", repr(str(tmp_path / "gallery")))


def _big(page) -> np.ndarray:
    return pixels(page, ".dl-big canvas")


def _say(page, text) -> None:
    page.get_by_role("textbox", name="What is the picture to show?").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def test_every_control_passes_the_checks(open_cells, studio_cell):
    with open_cells(SETUP, studio_cell) as notebook:
        notebook.run_all()
        if folder := os.environ.get("COURSE_PHOTOS"):
            notebook.photograph(Path(folder) / "studio.png")
        assert faults_of(notebook) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_words_picture_and_all_that_moves_it_are_on_one_screen(open_cells, studio_cell, width):
    with open_cells(SETUP, studio_cell) as notebook:
        page, before = notebook.page, notebook.page.viewport_size
        notebook.run_all()
        page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(500)  # until JupyterLab has laid out its bars
        shown = page.locator(f"{PANEL} .jp-WindowedPanel-outer").bounding_box()
        missing = off_the_screen(page, STUDIO_PARTS, shown["y"] + shown["height"])
        page.set_viewport_size(before)
    assert missing == []


def test_from_words_to_a_kept_picture_by_keyboard(open_cells, studio_cell, tmp_path):
    with open_cells(SETUP, studio_cell) as notebook:
        page = notebook.page
        notebook.run_all()
        before = _big(page)
        _say(page, "a blue cat")
        page.locator(".dl-words", has_text="“a blue cat”").wait_for()
        after = _big(page)
        assert not (after == before).all()
        _say(page, "a blue <b>dragon</b>")
        page.get_by_role("alert").get_by_text("This could not be drawn.").wait_for()
        assert (_big(page) == after).all()
        _say(page, "a blue cat")
        page.wait_for_function("() => !document.querySelector('[role=alert]').textContent")
        page.get_by_role("slider", name="the way from noise").press("Home")
        assert not (_big(page) == after).all()
        page.keyboard.press("End")
        assert (_big(page) == after).all()
        page.locator(".dl-studio").get_by_role("button", name="Save").press("Enter")
        page.get_by_text("gallery/0001-a-blue-cat.png").wait_for()
        assert page.locator(".dl-shelf button").count() == 1
        assert notebook.faults + notebook.cell_errors() == []
    (kept,) = gallery.Gallery(tmp_path / "gallery").pictures()
    assert kept.settings == gallery.Settings("a blue cat", "", 0, 3, 2.5)
    assert (kept.pixels == after).all()


BUSY = """
torch.manual_seed(0)
expected = torch.rand(40)
torch.manual_seed(0)
got = []
for _ in range(40):
    got.append(torch.rand(()))
    time.sleep(0.2)
print("the cell's own numbers are untouched:", torch.equal(torch.stack(got), expected))
"""
REPORT = "print(studio.way.settings, studio.way.frames[0, -1].sum())"


def test_a_seed_moved_while_a_cell_runs_ends_on_the_last_one(open_cells, studio_cell):
    with open_cells(SETUP, studio_cell, BUSY, REPORT) as notebook:
        page = notebook.page
        notebook.run_up_to(2)
        page.get_by_role("spinbutton", name="seed").focus()
        for _ in range(15):
            page.keyboard.press("ArrowUp")
            page.wait_for_timeout(100)
        page.locator(".dl-words", has_text="seed 15").wait_for()
        notebook.wait_idle()
        notebook.start_cell(3)
        notebook.wait_idle()
        outputs = [one.inner_text() for one in page.query_selector_all(CONTENT[0])]
        assert notebook.cell_errors() == []
        assert "the cell's own numbers are untouched: True" in outputs[-2]
        assert "seed=15" in outputs[-1]
        assert outputs[-1].split()[-1] == str(_big(page).sum(dtype=np.int64))
