"""What a learner has answered: a growing set of events, so that two tabs can be put together.

Nothing in it is ever changed. A tab adds an answer, or a round (the quiz taken once more), and two
progresses merge into the events of both. Whichever way and however often they are merged, the
same comes out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import jsonschema

VERSION = 1


@dataclass(frozen=True)
class Round:
    """The quiz taken once: `questions` are ids in the order in which they are asked, `at` is when
    it began, in seconds since 1970."""

    id: str
    number: int
    at: float
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What was chosen at `at`, in the round with the id `round`; `sure` is what was said of it."""

    id: str
    at: float
    round: str
    question: str
    option: str
    sure: bool


@dataclass(frozen=True)
class Progress:
    """All rounds but the first, which needs no record, and all answers, in order of time."""

    rounds: tuple[Round, ...] = ()
    answers: tuple[Answer, ...] = ()

    def merged(self, other: Progress) -> Progress:
        """The events of both."""
        return Progress(
            _together(self.rounds, other.rounds), _together(self.answers, other.answers)
        )

    def to_json(self) -> str:
        """The text of a progress file."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1) + "\n"


class NewerProgress(ValueError):
    """A progress file written by a newer version of the course."""


def from_json(text: str) -> Progress:
    """The progress in the text of a file, which `to_json` wrote.

    Raises NewerProgress for a newer version, ValueError with a reason for whatever else it cannot
    read: an older version, a damaged or foreign file.
    """
    data = json.loads(text, parse_constant=_refuse)
    version = data.get("version") if isinstance(data, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise NewerProgress(f"it is of version {version}, and this course reads version {VERSION}")
    if version != VERSION:
        raise ValueError(f"it is of version {version}, and this course reads version {VERSION}")
    try:
        jsonschema.validate(data, _SCHEMA)
    except jsonschema.ValidationError as error:
        raise ValueError(error.message) from error
    rounds = (Round(**row | {"questions": tuple(row["questions"])}) for row in data["rounds"])
    return Progress(_together(rounds), _together(Answer(**row) for row in data["answers"]))


def _together(*groups: Iterable) -> tuple:
    """Events without doubles, in order of time."""
    by_id = {one.id: one for group in groups for one in group}
    return tuple(sorted(by_id.values(), key=lambda one: (one.at, one.id)))


def _refuse(constant: str) -> float:
    raise ValueError(f"it holds {constant}, which is no number")


def _rows(**properties: dict) -> dict:
    """The schema of a list of objects that have these properties and no others."""
    row = {"type": "object", "required": [*properties], "properties": properties}
    return {"type": "array", "items": row | {"additionalProperties": False}}


_TEXT = {"type": "string"}
_TIME = {"type": "number", "minimum": 0, "maximum": 32_503_680_000}  # to the year 3000
_SCHEMA = {
    "type": "object",
    "required": ["version", "rounds", "answers"],
    "properties": {
        "rounds": _rows(
            id=_TEXT,
            number={"type": "integer", "minimum": 2},
            at=_TIME,
            questions={"type": "array", "items": _TEXT},
        ),
        "answers": _rows(
            id=_TEXT,
            at=_TIME,
            round=_TEXT,
            question=_TEXT,
            option=_TEXT,
            sure={"type": "boolean"},
        ),
    },
}
