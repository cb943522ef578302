"""The quiz: fifteen questions with feedback to every option, and a few more within the lessons.

start()          the fifteen questions; the answers are kept in the user's data folder
warm_up("03")    three questions on earlier lessons, for the start of a lesson
before("03")     one question to think about before a lesson's main idea

questions        data/quiz as objects; the one place that says what is right
progress, store  what was answered, and the file that it is kept in
deck             order, score, what to look at again, another round
demonstrations   what "Show me" runs
view             the widget; its page code is static/quiz.js
"""

from __future__ import annotations

from pathlib import Path

from . import questions
from .store import Store
from .view import Quiz

__all__ = ["before", "start", "warm_up"]


def start(folder: Path | str | None = None) -> Quiz:
    """The fifteen questions. Answers are kept in `folder` (None: the user's own, see `store`), and
    found there again after the notebook was closed. Raises workspace.DamagedFile."""
    return Quiz("The quiz", questions.fifteen(), Store(folder))


def warm_up(lesson: str) -> Quiz:
    """Three questions on what earlier lessons were about, for the start of `lesson` ("02").

    They are no part of the fifteen, and nothing is kept. Raises ValueError for a lesson that has
    none, workspace.DamagedFile.
    """
    return Quiz("Warm-up", questions.practice("warm_up", lesson), None)


def before(lesson: str) -> Quiz:
    """One question to ask just before the main idea of `lesson` ("02"); else as `warm_up`."""
    return Quiz("Before you read on", questions.practice("before", lesson), None)
