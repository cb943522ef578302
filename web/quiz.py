"""The quizzes as data: questions, feedback and links, and what "Show me" finds, run beforehand."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path

from diffusion_lessons import quiz
from diffusion_lessons.quiz import demonstrations, questions
from diffusion_lessons.quiz.answers import shuffled
from diffusion_lessons.quiz.questions import Question
from diffusion_lessons.quiz.view import SAID

ROUNDS = 20


def write_quiz(folder: Path) -> None:
    """Write quiz.json into a folder, and the pictures of "Show me", which a page loads when asked.

    "quizzes" has, by lesson and by the name on the widget, the ids of the questions and whether
    progress is kept; "forms" has both forms of each question; "links" is in the lessons' order.
    """
    (folder / "quiz").mkdir()
    widgets = [("09", quiz.start(folder))]
    for place in questions.places():
        kind, lesson = place.split()
        widgets.append((lesson, getattr(quiz, kind)(lesson)))
    quizzes: dict[str, dict] = {lesson: {} for lesson, _ in widgets}
    forms: list[tuple[str, Question]] = []
    for lesson, widget in widgets:
        asked = widget.answers.questions
        entry = {"questions": [*asked], "kept": widget.answers.path is not None}
        quizzes[lesson][widget.answer["name"]] = entry
        forms += [(one.id, form) for one in asked.values() for form in (one, one.again) if form]
    known = {form.section for _, form in forms}
    sections = sorted(known, key=lambda one: (one.lesson, one.heading))
    links = [{"words": one.words, "href": one.href.replace(".ipynb", ".html")} for one in sections]
    parts = {
        form.id: _form(form, folder) | {"first": first, "link": sections.index(form.section)}
        for first, form in forms
    }
    about = {"said": SAID, "quizzes": quizzes, "forms": parts, "links": links}
    (folder / "quiz.json").write_text(json.dumps(about, ensure_ascii=False), "utf-8")


def _form(form: Question, folder: Path) -> dict:
    """Return a form of a question as the page needs it."""
    found = shown(json.dumps(form.demonstration)) if form.demonstration else None
    if found and found["picture"]:
        picture = f"quiz/{form.id}.png"
        (folder / picture).write_bytes(base64.b64decode(found["picture"].partition(",")[2]))
        found = found | {"picture": picture}
    return {
        "stem": form.stem,
        "options": {key: {"text": one.text, "why": one.why} for key, one in form.options.items()},
        "right": form.right,
        "again": form.again and form.again.id,
        "orders": _orders([*form.options], form.id),
        "demonstration": found,
    }


@cache
def shown(asked: str) -> dict:
    """Return what a demonstration shows; run once, since all together take most of a minute."""
    return demonstrations.run(**json.loads(asked))


def _orders(keys: list[str], name: str) -> list[str]:
    """Return the order of the options in each round, as Python's dice have it. After the last one
    the page begins again, so that one must not be like the first."""
    orders = ["".join(shuffled(keys, name, number)) for number in range(1, ROUNDS + 1)]
    return orders if orders[-1] != orders[0] else orders[:-1]
