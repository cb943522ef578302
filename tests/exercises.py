"""The exercises of the lessons: their cells, their solutions, their checks."""

import ast
import re
from functools import cache
from pathlib import Path

import nbformat

from tools import notebooks as tool

PYTHON = re.compile(r"```python\n(.*?)```", flags=re.DOTALL)


@cache
def read(path: Path) -> nbformat.NotebookNode:
    """A notebook, read once."""
    return nbformat.read(path, as_version=4)


def exercises(path: Path) -> list[tuple]:
    """Pairs: a cell tagged `exercise` and the text cell with its folded hint and solution."""
    cells = read(path).cells
    return [(c, cells[i + 1]) for i, c in enumerate(cells) if "exercise" in tool.tags(c)]


def solution_of(answer) -> str:
    """The code of the folded solution in a text cell."""
    found = tool.SOLUTION.search(answer.source)
    assert found, f"{answer.id} has no folded solution"
    return PYTHON.search(found.group()).group(1)


def check_line(cell) -> str:
    """The last line of an exercise's cell: the call of its check."""
    last = ast.parse(cell.source).body[-1]
    assert isinstance(last, ast.Expr), f"{cell.id} does not end with its check"
    return ast.unparse(last)


def name_of(cell) -> str:
    """The name of the exercise in a cell."""
    return check_line(cell).removeprefix("checks.check_").partition("(")[0]


FOUND = {
    name_of(cell): (path, cell, answer)
    for path in tool.all_notebooks()
    for cell, answer in exercises(path)
}
"""Exercise, by the name of its check: the lesson, its cell, the text cell with the solution."""


@cache
def _after_setup(path: Path) -> dict:
    namespace: dict = {}
    setup = next(cell for cell in read(path).cells if "setup" in tool.tags(cell))
    exec(setup.source, namespace)
    return namespace


def after(path: Path, code: str) -> dict:
    """The names of a notebook after its setup cell and `code` have run."""
    namespace = dict(_after_setup(path))
    exec(code, namespace)
    return namespace


def report_of(path: Path, code: str, check: str):
    """What the check says after the notebook's setup cell and `code` have run."""
    return eval(check, after(path, code))
