"""The quiz: fifteen questions with feedback to every option, and a few more within the lessons.

questions        data/quiz as objects; the one place that says what is right
answers          what was answered, the file it is kept in, rounds, what to look at again
demonstrations   what "Show me" runs; the functions are in about_*
view             the widget; its page code is static/quiz.js
"""

from __future__ import annotations

from pathlib import Path

from diffusion_lessons.workspace import user_path

from . import questions
from .answers import FILE
from .view import Quiz

__all__ = ["before", "start", "warm_up"]


def start(folder: Path | str | None = None) -> Quiz:
    """Ask the fifteen questions. Answers are kept in `folder` (None: the user's own), and found
    there again after the notebook was closed. Raises workspace.DamagedFile."""
    path = (user_path() if folder is None else Path(folder)) / FILE
    return Quiz("The quiz", questions.fifteen(), path)


def warm_up(lesson: str) -> Quiz:
    """Ask three questions on what earlier lessons were about, for the start of `lesson` ("02").

    They are no part of the fifteen, and nothing is kept. Raises ValueError for a lesson that has
    none, workspace.DamagedFile.
    """
    return Quiz("Warm-up", questions.practice("warm_up", lesson), None)


def before(lesson: str) -> Quiz:
    """Ask one question just before the main idea of `lesson` ("02"); else as `warm_up`."""
    return Quiz("Before you read on", questions.practice("before", lesson), None)
