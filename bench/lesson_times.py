"""How long a lesson takes: `python -m bench.lesson_times` measures what can be measured.

Measured are the seconds that each cell runs, with one thread. The minutes of a lesson add to them:
reading at a stated pace, the exercises' own minutes, the questions, the controls to play with. No
learner was timed. What stands under a heading with the word "deeper" is not in the core path.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from bench import results
from tools import notebooks as tool

WORDS_A_MINUTE = 130
"""Of text with formulas, read in a second language and thought about."""
LINES_A_MINUTE = 15
"""Of code, to follow and not to learn by heart; lines that may be run unread count too."""
FIGURE_MINUTES = 0.25
"""To look at a stored picture."""
EXERCISE_TIMES = 2
"""An exercise takes a newcomer twice as long as its own stated minutes."""
QUESTION_MINUTES = 0.5
"""To commit a guess, or to answer one of the questions before a lesson."""
QUIZ_MINUTES = 15 * 1.0
"""Lesson 09: fifteen questions, with the reason and the demonstration of each."""
CONTROL_MINUTES = 1.0
"""To move a slider, draw, or type."""
SHORT = 0.5  # seconds; cells that run for less are not kept
DEEPER = re.compile(r"\bdeeper\b", re.IGNORECASE)
UNREAD = re.compile(r"```.*?```|<details>.*?</details>|\*\*Papers\.\*\*.*", re.DOTALL)
EXERCISE = re.compile(r"Difficulty \d of 5 .*?(\d+) minutes?")
CONTROL = re.compile(r"widgets\.(?:scrub|live|mark|plane|sketch|studio)\(")
FIGURE = re.compile(r"!\[|<img|<svg")
QUESTION = re.compile(r"widgets\.guess\(|quiz\.before\(")


@dataclass(frozen=True)
class Minutes:
    """Of the core path, and of the whole lesson."""

    core: float
    whole: float


def minutes_of(path: Path) -> Minutes:
    """How long a lesson takes; what its cells ran for is read from data/bench/lesson_times.json."""
    spent = {False: 0.0, True: 0.0}
    for _, deeper, minutes in _timed(path):
        spent[deeper] += minutes
    return Minutes(core=spent[False], whole=spent[False] + spent[True])


def minutes_before(path: Path, mark: re.Pattern[str]) -> float:
    """How long the core takes up to the text that `mark` is found in; 0 if there is none."""
    spent = 0.0
    for part, deeper, minutes in _timed(path):
        if not deeper and isinstance(part, str) and mark.search(part):
            return spent
        spent += 0 if deeper else minutes
    return 0.0


def _timed(path: Path) -> Iterator[tuple[str | NotebookNode, bool, float]]:
    ran = results.read("lesson_times")["seconds"][path.stem]["cells"]
    for part, deeper in parts(nbformat.read(path, as_version=4).cells):
        if isinstance(part, str):
            yield part, deeper, text_minutes(part)
        else:
            yield part, deeper, code_minutes(part) + ran.get(part.id, 0.0) / 60


def parts(cells: list[NotebookNode]) -> list[tuple[str | NotebookNode, bool]]:
    """Texts, cut at their headings, and code cells; each with whether it is deeper.

    A deeper part ends at the next heading of its own level or above.
    """
    found: list[tuple[str | NotebookNode, bool]] = []
    below = 0  # the level of the heading that says deeper, 0 for none
    for cell in cells:
        if cell.cell_type == "code":
            found.append((cell, below > 0))
            continue
        for text in filter(None, re.split(r"(?m)^(?=#{2,6} )", cell.source)):
            level = len(text) - len(text.lstrip("#"))
            if 0 < level <= (below or level):
                below = level if DEEPER.search(text.splitlines()[0]) else 0
            found.append((text, below > 0))
    return found


def text_minutes(text: str) -> float:
    """To read a text, without what is folded, and to do its exercise."""
    exercises = sum(int(minutes) for minutes in EXERCISE.findall(text))
    read = UNREAD.sub(" ", text)
    figures = FIGURE_MINUTES * len(FIGURE.findall(read))
    return len(read.split()) / WORDS_A_MINUTE + figures + EXERCISE_TIMES * exercises


def code_minutes(cell: NotebookNode) -> float:
    """To look at a code cell and to use what it shows; exercises have minutes of their own."""
    source = cell.source
    lines = 0 if "exercise" in tool.tags(cell) else sum(map(bool, source.splitlines()))
    questions = len(QUESTION.findall(source)) + 3 * source.count("quiz.warm_up(")
    play = CONTROL_MINUTES * len(CONTROL.findall(source))
    quiz = QUIZ_MINUTES * source.count("quiz.start(")
    shown = [output.get("data", {}) for output in cell.outputs]
    figures = FIGURE_MINUTES * sum(
        "image/png" in s or "<svg" in s.get("text/html", "") for s in shown
    )
    return lines / LINES_A_MINUTE + questions * QUESTION_MINUTES + play + quiz + figures


def seconds_of(path: Path) -> dict:
    """Seconds of a notebook from the start of its kernel, and of each cell that takes a while."""
    cells, began = {}, {}

    def before(cell: NotebookNode, **_: object) -> None:
        began[cell.id] = time.perf_counter()

    def after(cell: NotebookNode, **_: object) -> None:
        cells[cell.id] = round(time.perf_counter() - began[cell.id], 1)

    notebook, start = nbformat.read(path, as_version=4), time.perf_counter()
    hooks = {"on_cell_execute": before, "on_cell_executed": after}
    tool.execute(notebook, path.parent, {"OMP_NUM_THREADS": "1"}, **hooks)
    whole = round(time.perf_counter() - start, 1)
    return {"whole": whole, "cells": {name: s for name, s in cells.items() if s >= SHORT}}


def main() -> None:
    """Run every lesson, print its minutes and write data/bench/lesson_times.json."""
    seconds = {}
    for path in tool.lessons():
        print(f"running {path.name} ...", flush=True)
        seconds[path.stem] = seconds_of(path)
    what = "seconds that a lesson runs from top to bottom, and those of its longer cells"
    figures = {"threads": 1, "seconds": seconds}
    results.write(Path(__file__).stem, what, figures, packages=("ipykernel", "matplotlib"))
    for path in tool.lessons():
        took = minutes_of(path)
        print(f"{path.stem:30} core {took.core:5.1f} minutes, all {took.whole:5.1f}")


if __name__ == "__main__":
    main()
