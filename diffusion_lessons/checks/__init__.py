"""Checks for the exercises: each takes the learner's function and returns a kind report.

An exercise NAME of `lesson_01` to `lesson_08` is called as ``checks.check_NAME(function)``. Where
the function is right, `yours` hands it to later cells and lessons.
"""

from functools import partial

from .exercises import EXERCISES
from .kept import MadeByYou, check, forget, yours
from .report import Report

globals().update({f"check_{name}": partial(check, name) for name in EXERCISES})

__all__ = ["EXERCISES", "MadeByYou", "Report", "forget", "yours"]
__all__ += [f"check_{name}" for name in EXERCISES]
