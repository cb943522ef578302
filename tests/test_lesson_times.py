"""The minutes that lessons and README state are those that are added up and measured."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from bench import lesson_times, results
from tools import notebooks as tool

LESSONS = [path for path in tool.lessons() if path.name[:2] not in ("00", "09")]
STATED = re.compile(r'Core path: about (\d+) minutes\. Parts marked "deeper": about (\d+) more')
RUNS = {
    "runs in less than a minute": (0, 60),
    "runs in about two minutes": (75, 150),
}
"""What a lesson says of its run, and which seconds that may be."""
ROUNDED = 2.6  # minutes: everything is stated to five minutes


def opening(path) -> str:
    return nbformat.read(path, as_version=4).cells[0].source


def stated(path) -> tuple[int, int]:
    said = STATED.search(opening(path))
    assert said, "the opening does not state its minutes as the other lessons do"
    return int(said[1]), int(said[2])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_takes_and_runs_for_as_long_as_it_says_and_40_minutes_at_most(path):
    minutes, (core, more) = lesson_times.minutes_of(path), stated(path)
    assert minutes.core <= 40
    assert abs(minutes.core - core) <= ROUNDED, minutes
    assert abs(minutes.whole - minutes.core - more) <= ROUNDED, minutes
    ((shortest, longest),) = (seconds for words, seconds in RUNS.items() if words in opening(path))
    assert shortest <= results.read("lesson_times")["seconds"][path.stem]["whole"] <= longest


def test_the_first_and_the_last_lesson_take_what_they_state():
    for place, words, minutes in ((0, "10 minutes", 10), (-1, "a quarter of an hour", 15)):
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
    rows = dict(re.findall(r"^\| lesson (0[1-5]) \| (\d+ \+ \d+) \|", text, re.MULTILINE))
    assert rows == {path.name[:2]: "{} + {}".format(*stated(path)) for path in LESSONS}
    peaks = results.read("memory")["peaks"]
    most = peaks["importing_torch"] + max(peaks["beyond_importing_torch"].values())
    assert "A lesson takes up to 1.2 GB of memory" in text and most <= 1200
    assert "\n| lesson 00 | 10 |" in text and "\n| lesson 09 | 15 |" in text


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
    text = "word " * 200 + "\n\n*Difficulty 2 of 5 (●●○○○) · 6 minutes*\n\n"
    folded = "<details>\n" + "word " * 999 + "</details>"
    assert 7 < lesson_times.text_minutes(text + folded) < 7.1
    assert lesson_times.code_minutes(new_code_cell("x = 1\n" * 30)) == pytest.approx(1)
    asked = new_code_cell('a = widgets.guess("?")')
    assert lesson_times.code_minutes(asked) == pytest.approx(0.5 + 1 / 30)


def test_the_seconds_of_a_notebook_and_of_its_longer_cells(tmp_path):
    cells = [new_code_cell("import time"), new_code_cell("time.sleep(0.7)")]
    nbformat.write(new_notebook(cells=cells), tmp_path / "short.ipynb")
    seconds = lesson_times.seconds_of(tmp_path / "short.ipynb")
    assert list(seconds["cells"]) == [cells[1].id] and seconds["cells"][cells[1].id] >= 0.7
    assert seconds["whole"] > seconds["cells"][cells[1].id]
