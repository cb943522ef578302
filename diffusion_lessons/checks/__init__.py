"""Checks for the exercises: each takes the learner's function and returns a kind report.

An exercise NAME of `lesson_01` to `lesson_05` is called as ``checks.check_NAME(function)``.
"""

from . import lesson_01, lesson_02, lesson_03, lesson_04, lesson_05
from .exercise import Exercise
from .report import Report

EXERCISES = {
    name: exercise
    for lesson in (lesson_01, lesson_02, lesson_03, lesson_04, lesson_05)
    for name, exercise in vars(lesson).items()
    if isinstance(exercise, Exercise)
}

globals().update({f"check_{name}": exercise for name, exercise in EXERCISES.items()})

__all__ = ["EXERCISES", "Report", *(f"check_{name}" for name in EXERCISES)]  # noqa: PLE0604
