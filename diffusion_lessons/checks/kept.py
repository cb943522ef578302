"""The learner's own functions: one that passed its check takes the place of the course's.

It is kept for this kernel and, as text, in the learner's own folder, so that later lessons take it
too. A kept text is run for nothing but to be checked again.
"""

import html
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path

from diffusion_lessons.workspace import user_path, write_whole

from .exercises import EXERCISES
from .report import Report

FOLDER = "my_code"
_passed: dict[str, tuple[Callable, str]] = {}  # in this kernel, by exercise: function and source


def check(name: str, function: Callable) -> Report:
    """Check the learner's function for an exercise, and keep it where it is right."""
    report = EXERCISES[name](function)
    if report.passed:
        _passed[name] = function, ""
        try:
            source = textwrap.dedent(inspect.getsource(function))
            _passed[name] = function, source
            write_whole(_file(name), source.encode())
        except (OSError, TypeError):  # no source, or nowhere to write: this kernel has it
            pass
    return report


def yours(name: str) -> Callable:
    """Return the learner's function for an exercise, or the course's where none has passed yet.

    Prints whose it is. Raises ValueError where no exercise has this name.
    """
    mine = _mine(name)
    print(f"{name}: {'yours' if mine else 'the course’s, until yours passes its check'}")
    return mine[0] if mine else EXERCISES[name].function


class MadeByYou:
    """A table, displayed by Jupyter: which parts are the learner's, and the source of each."""

    def __init__(self, parts: dict[str, str]):
        """`parts` maps what a part does, in words, to the name of its exercise."""
        self.rows = [
            (what, *(("yours", mine[1]) if mine else ("the course’s", EXERCISES[name].source)))
            for what, name in parts.items()
            for mine in [_mine(name)]
        ]

    def __repr__(self) -> str:
        return "\n".join(f"{what}: {whose}" for what, whose, _ in self.rows)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'>{html.escape(what)}</th><td>{whose}</td><td><details><summary>"
            f"show the code</summary><pre>{html.escape(source)}</pre></details></td></tr>"
            for what, whose, source in self.rows
        )
        mine = sum(whose == "yours" for _, whose, _ in self.rows)
        return (
            "<table><thead><tr><th>part</th><th>written by</th><th>code</th></tr></thead><tbody>"
            f"{rows}</tbody></table><p>{mine} of {len(self.rows)} parts are yours. What you wrote "
            f"is kept in <code>{html.escape(str(user_path(FOLDER)))}</code>. "
            "<code>checks.forget()</code> deletes it.</p>"
        )


def forget(*names: str) -> None:
    """Delete what the learner wrote for these exercises, or for all of them where none is named.

    Raises ValueError where no exercise has such a name.
    """
    for name in [_known(name) for name in names] or EXERCISES:
        _passed.pop(name, None)
        _file(name).unlink(missing_ok=True)


def _known(name: str) -> str:
    if name not in EXERCISES:
        raise ValueError(f"no exercise {name!r}: choose one of {', '.join(EXERCISES)}")
    return name


def _file(name: str) -> Path:
    return user_path(FOLDER, f"{name}.py")


def _mine(name: str) -> tuple[Callable, str] | None:
    """Return function and source of what passed in this kernel, or of what is kept and passes."""
    exercise, file = EXERCISES[_known(name)], _file(name)
    if name not in _passed and file.is_file():
        try:  # annotations may name what only the lesson imports
            source = file.read_text("utf-8")
            function = exercise.compiled(f"from __future__ import annotations\n{source}")
        except Exception:  # somebody changed the text
            return None
        if exercise(function).passed:
            _passed[name] = function, source
    return _passed.get(name)
