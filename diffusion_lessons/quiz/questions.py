"""The questions, as data/quiz holds them: what is asked, what is right, why, and where to look."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from diffusion_lessons import workspace


@dataclass(frozen=True)
class Section:
    """A heading in a lesson: `lesson` is a notebook's name without its ending, `cell` the id of the
    cell that holds it, which JupyterLab finds even in a notebook that it opens for the link."""

    lesson: str
    heading: str
    cell: str

    @property
    def href(self) -> str:
        """The link to it from another notebook of the course."""
        return f"{self.lesson}.ipynb#cell-id={self.cell}"

    @property
    def words(self) -> str:
        """Its name for a reader: "lesson 03, “4. Pictures”"."""
        return f"lesson {self.lesson[:2]}, “{self.heading}”"


@dataclass(frozen=True)
class Option:
    """An answer to choose. `misconception` is why somebody would, None for the right answer; `why`
    speaks to whoever did."""

    text: str
    misconception: str | None
    why: str


@dataclass(frozen=True)
class Question:
    """A question with its options by key ("a" to "d"), in the order of the file; `demonstration`
    are the arguments of `demonstrations.run`, `again` is a second form for a later round."""

    id: str
    intent: str
    stem: str
    options: dict[str, Option]
    right: str
    section: Section
    demonstration: dict | None
    again: Question | None = None

    def is_right(self, key: str) -> bool:
        """Return whether the option `key` is the right one: the only place that decides this.

        Raises ValueError for a key that the question does not have.
        """
        if key not in self.options:
            raise ValueError(f"option {key!r} of question {self.id!r}: one of {[*self.options]}")
        return key == self.right


@cache
def fifteen() -> tuple[Question, ...]:
    """Return the questions of the quiz, in their order. Raises workspace.DamagedFile."""
    return tuple(map(_question, _read("questions")["questions"]))


@cache
def places() -> dict[str, tuple[Question, ...]]:
    """Return the questions within the lessons by place ("warm_up 03"), else as `fifteen`."""
    return {
        place: tuple(map(_question, rows)) for place, rows in _read("practice")["places"].items()
    }


def practice(kind: str, lesson: str) -> tuple[Question, ...]:
    """Return the questions of one place. Raises ValueError where there are none."""
    known = {place.partition(" ")[2] for place in places() if place.startswith(f"{kind} ")}
    if lesson not in known:
        raise ValueError(f"lesson {lesson!r} has no such questions: choose one of {sorted(known)}")
    return places()[f"{kind} {lesson}"]


def _read(name: str) -> dict:
    return json.loads(workspace.verify(f"quiz/{name}.json").read_text(encoding="utf-8"))


def _question(row: dict) -> Question:
    options = {key: Option(**option) for key, option in row["options"].items()}
    again = row.get("again")
    if again is not None:
        again = _question({"id": f"{row['id']}-again", "intent": row["intent"]} | again)
    section = Section(**row["section"])
    return Question(**row | {"options": options, "section": section, "again": again})
