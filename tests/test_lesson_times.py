"""The minutes that lessons and README state are those that are added up and measured."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from bench import lesson_times, results
from tools import notebooks as tool

LESSONS = [path for path in tool.lessons() if path.name[:2] not in ("00", "09")]
STATED = re.compile(r'Core path: about (\d+) minutes\. Parts marked "deeper": about (\d+) more')
RUNS = {
    "runs in less than a minute": (0, 60),
    "runs in about a minute": (45, 90),
    "runs in about two minutes": (75, 150),
    "runs in about three minutes": (135, 240),
}
"""What a lesson says of its run, and which seconds that may be."""
ROUNDED = 2.6  # minutes: everything is stated to five minutes
NOT_YET_SHORT: dict[str, int] = {}
"""Minutes of cores above 60, or without a place to stop; they may only fall, and rows only go."""
STOP = re.compile(r"\bgood place to stop\b", re.IGNORECASE)
"""The mark itself: the opening only mentions that there is "a place to stop"."""


def opening(path) -> str:
    return nbformat.read(path, as_version=4).cells[0].source


def stated(path) -> tuple[int, int]:
    said = STATED.search(opening(path))
    assert said, "the opening does not state its minutes as the other lessons do"
    return int(said[1]), int(said[2])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_for_as_long_as_it_says_takes_an_hour_at_most_and_can_be_halved(path):
    minutes, (core, more) = lesson_times.minutes_of(path), stated(path)
    assert minutes.core <= NOT_YET_SHORT.get(path.name[:2], 60), minutes
    assert abs(core - minutes.core) <= ROUNDED, minutes
    assert abs(more - (minutes.whole - minutes.core)) <= ROUNDED, minutes
    half = lesson_times.minutes_before(path, STOP) / minutes.core
    assert path.name[:2] in NOT_YET_SHORT or 0.35 <= half <= 0.65, "a good place to stop"
    ((shortest, longest),) = (seconds for words, seconds in RUNS.items() if words in opening(path))
    assert shortest <= results.read("lesson_times")["seconds"][path.stem]["whole"] <= longest


def test_the_first_and_the_last_lesson_take_what_they_state():
    for place, words, minutes in ((0, "15 minutes", 15), (-1, "20 minutes", 20)):
        assert f"*About {words}." in opening(tool.lessons()[place])
        assert abs(lesson_times.minutes_of(tool.lessons()[place]).whole - minutes) <= ROUNDED


def test_every_lesson_was_measured_and_its_long_cells_are_still_there():
    measured = results.read("lesson_times")["seconds"]
    assert set(measured) == {path.stem for path in tool.lessons()}, "python -m bench.lesson_times"
    for path in tool.lessons():
        ids = {cell.id for cell in nbformat.read(path, as_version=4).cells}
        assert set(measured[path.stem]["cells"]) <= ids, "python -m bench.lesson_times"


def test_readme_states_the_same_minutes_and_the_memory(project):
    text = (project / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| lesson (0[1-8]) \| (\d+ \+ \d+) \|", text, re.MULTILINE))
    assert rows == {path.name[:2]: "{} + {}".format(*stated(path)) for path in LESSONS}
    peaks = results.read("memory")["peaks"]
    most = peaks["importing_torch"] + max(peaks["beyond_importing_torch"].values())
    assert "A lesson takes up to 1.2 GB of memory" in text and most <= 1200
    assert "\n| lesson 00 | 15 |" in text and "\n| lesson 09 | 20 |" in text


def test_a_deeper_part_ends_at_the_next_heading_of_its_level():
    cells = [
        new_markdown_cell("# Title\n\ncore"),
        new_markdown_cell("## Deeper: one\n\n### below it"),
        new_code_cell("still_deeper"),
        new_markdown_cell("more\n\n## Core again\n\n### Exercise 1, deeper: two"),
        new_code_cell("deeper"),
        new_markdown_cell("### Core"),
    ]
    told = [deeper for _, deeper in lesson_times.parts(cells)]
    assert told == [False, True, True, True, True, False, True, True, False]


def test_what_the_minutes_are_made_of():
    text = "word " * 130 + "\n\n*Difficulty 2 of 5 (●●○○○) · 6 minutes*\n\n"
    folded = "<details>\n" + "word " * 999 + "</details>"
    assert 13 < lesson_times.text_minutes(text + folded) < 13.1
    assert lesson_times.text_minutes("![a b](c.png)") == pytest.approx(0.25 + 2 / 130)
    drawn = [new_output("display_data", {"image/png": ""}), new_output("stream", text="1")]
    code = new_code_cell("x = 1\n" * 15, outputs=drawn)
    assert lesson_times.code_minutes(code) == pytest.approx(1.25)
    asked = new_code_cell('a = widgets.guess("?")')
    assert lesson_times.code_minutes(asked) == pytest.approx(0.5 + 1 / 15)


def test_the_minutes_before_a_place_to_stop(tmp_path):
    texts = ("word " * 130, "## Deeper: a\n\n" + "word " * 130, "## B\n\nA good place to stop.")
    cells = [new_markdown_cell(text) for text in texts]
    for start, minutes in ((0, 1), (2, 0)):
        nbformat.write(new_notebook(cells=cells[start:]), tmp_path / "02_tiny_unet.ipynb")
        found = lesson_times.minutes_before(tmp_path / "02_tiny_unet.ipynb", STOP)
        assert found == pytest.approx(minutes)
    nbformat.write(new_notebook(cells=cells[:2]), tmp_path / "02_tiny_unet.ipynb")
    assert lesson_times.minutes_before(tmp_path / "02_tiny_unet.ipynb", STOP) == 0


def test_the_seconds_of_a_notebook_and_of_its_longer_cells(tmp_path):
    cells = [new_code_cell("import time"), new_code_cell("time.sleep(0.7)")]
    nbformat.write(new_notebook(cells=cells), tmp_path / "short.ipynb")
    seconds = lesson_times.seconds_of(tmp_path / "short.ipynb")
    assert list(seconds["cells"]) == [cells[1].id] and seconds["cells"][cells[1].id] >= 0.7
    assert seconds["whole"] > seconds["cells"][cells[1].id]
