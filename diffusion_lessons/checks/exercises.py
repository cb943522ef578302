"""Every exercise of the course, by name."""

from . import lesson_01, lesson_02, lesson_03, lesson_04, lesson_05, lesson_06, lesson_07, lesson_08
from .exercise import Exercise

LESSONS = (lesson_01, lesson_02, lesson_03, lesson_04, lesson_05, lesson_06, lesson_07, lesson_08)
EXERCISES = {
    name: exercise
    for lesson in LESSONS
    for name, exercise in vars(lesson).items()
    if isinstance(exercise, Exercise)
}
