"""What a learner answered: rounds, scores, what to look at again, and the file that keeps it all.

A round is the quiz taken once. The first asks all questions, options in the order of data/quiz; in
later rounds options stand in another order, and a question whose last answer is a week old comes in
its other form, which has an id of its own. Rounds and answers are rows of one dict, and a row
never changes: several tabs may write to the file, since each takes in under a lock what is there.
Whatever is wrong with disk or file, the quiz goes on, in memory if need be.
"""

import json
import random
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from diffusion_lessons.workspace import only_one, write_whole

from .questions import Question, Section

FILE = "quiz-progress.json"
VERSION = 1
FIRST = "first"
"""The id of the first round, the same in every tab; the file has no row for it."""

_WEEK_S = 7 * 24 * 3600
_PATIENCE_S = 3  # for another tab that is writing just now
_MILLISECONDS = 1e11  # a larger time is in these; in seconds it would be of the year 5138
_LATEST = 32_503_680_000  # the year 3000


@dataclass(frozen=True)
class Round:
    """The quiz taken once: `questions` are ids as they are asked, `at` is in seconds since 1970."""

    id: str
    number: int
    at: float
    questions: list


@dataclass(frozen=True)
class Answer:
    """What was chosen, in the round with the id `round`; whether the learner was `sure`."""

    id: str
    at: float
    round: str
    question: str
    option: str
    sure: bool


_Rows = dict[str, Round | Answer]
_KINDS: dict[str, type[Round | Answer]] = {"rounds": Round, "answers": Answer}
_when = attrgetter("at")


class NewerFile(Exception):
    """A file that a newer version of the course wrote."""


class Answers:
    """Questions, and what has been answered of them; kept at `path`, None: in memory alone.

    `questions` has them by id, `forms` both forms of each.
    """

    def __init__(self, questions: Sequence[Question], path: Path | None) -> None:
        self.questions = {question.id: question for question in questions}
        again = {one.again.id: one for one in questions if one.again}
        self.forms = self.questions | {name: one.again for name, one in again.items() if one.again}
        self._first = self.questions | again  # of each form, the question in its first one
        self.path = path
        self._rows: _Rows = {}
        self._notes: dict[str, str] = {}
        self.refresh()

    @property
    def notice(self) -> str:
        """What the learner should know about the file, in sentences, or ""."""
        return " ".join(self._notes.values())

    @property
    def round(self) -> Round:
        """The newest round that asks something which the course still has."""
        rounds = [row for row in self._rows.values() if isinstance(row, Round)]
        known = [row for row in rounds if set(row.questions) & set(self.forms)]
        first = Round(FIRST, 1, 0.0, [*self.questions])
        return max([first, *known], key=lambda row: (row.number, row.at, row.id))

    @property
    def order(self) -> list[str]:
        """The ids that this round asks, in its order."""
        return [name for name in dict.fromkeys(self.round.questions) if name in self.forms]

    def options(self, question: str) -> list[str]:
        """Return the keys of a question's options, in the order in which this round shows them."""
        return shuffled([*self.forms[question].options], question, self.round.number)

    def given(self) -> dict[str, Answer]:
        """Return the answers of this round by question."""
        now = self.round.id
        return {row.question: row for row in self._known() if row.round == now}

    def latest(self) -> dict[str, Answer]:
        """Return the last answer to each question by its first form's id, in whichever round."""
        return {self._first[row.question].id: row for row in self._known()}

    def right(self) -> int:
        """Return how many of this round's questions were answered rightly."""
        return sum(map(self.is_right, self.given().values()))

    def is_right(self, answer: Answer) -> bool:
        """Return whether an answer is right."""
        return self.forms[answer.question].is_right(answer.option)

    def by_need(self, missed_only: bool) -> list[str]:
        """Return ids: confident mistakes, other mistakes, then the rest unless `missed_only`."""
        wrong = {name: row.sure for name, row in self.latest().items() if not self.is_right(row)}
        asked = [name for name in self.questions if name in wrong or not missed_only]
        return sorted(asked, key=lambda name: (name not in wrong, not wrong.get(name)))

    def visit_again(self) -> list[Section]:
        """Return the sections that missed questions link to, in the order of the lessons."""
        latest, missed = self.latest(), self.by_need(missed_only=True)
        sections = {self.forms[latest[name].question].section for name in missed}
        return sorted(sections, key=lambda section: (section.lesson, section.heading))

    def answer(self, question: str, option: str, sure: bool) -> None:
        """Keep an answer; one that was given before in this round stays. Raises ValueError for a
        question that this round does not ask, or an option that it does not have."""
        if question not in self.order:
            raise ValueError(f"question {question!r} is not asked in this round: {self.order}")
        self.forms[question].is_right(option)  # refuses an unknown option
        now = self.round.id
        self._add(Answer(f"{now} {question}", time.time(), now, question, option, sure))

    def begin(self, missed_only: bool) -> None:
        """Begin another round, in the order of need; without a missed question none of those."""
        if asked := list(map(self._due, self.by_need(missed_only))):
            self._add(Round(uuid.uuid4().hex, self.round.number + 1, time.time(), asked))

    def _due(self, name: str) -> str:
        """Return the form in which to ask a question: as last time, after a week the other one."""
        last, other = self.latest().get(name), self.questions[name].again
        if last is None or other is None:
            return name
        if time.time() - last.at < _WEEK_S:
            return last.question
        return other.id if last.question == name else name

    def refresh(self) -> None:
        """Take in what the file holds, for another tab may have written. A file that cannot be read
        is kept aside under another name, a newer one stays as it is. Never raises."""
        with self._noting(f"Earlier answers in {self.path} could not be read", "They stay there."):
            self._rows |= self._read()

    def _add(self, row: Round | Answer) -> None:
        """Keep a row unless there is one of its id; on disk or, with a notice, in memory."""
        self._rows.setdefault(row.id, row)
        if self.path is None:
            return
        later = "The quiz goes on, and forgets them when the kernel of this notebook stops."
        trouble = "Your answers cannot be kept on disk"
        with self._noting(trouble, later), only_one(self.path, _PATIENCE_S):
            self._rows |= self._read()
            write_whole(self.path, _text(self._rows).encode())

    @contextmanager
    def _noting(self, trouble: str, outlook: str) -> Iterator[None]:
        """Let the notice say what goes wrong, until it works again, instead of raising it."""
        try:
            yield
            self._notes.pop(trouble, None)
        except (OSError, NewerFile) as error:
            reason = getattr(error, "strerror", None) or error
            self._notes[trouble] = f"{trouble}: {reason}. {outlook}"

    def _read(self) -> _Rows:
        """The rows of the file. Raises OSError where it may not be read or moved, NewerFile."""
        if self.path is None:
            return {}
        try:
            return _rows(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            number = 1
            while (aside := self.path.with_stem(f"{self.path.stem}.unread-{number}")).exists():
                number += 1
            self.path.replace(aside)
            self._notes["lost"] = (
                f"Earlier answers could not be read ({type(error).__name__}: {error}). Their file "
                f"is kept as {aside}, and the quiz starts again."
            )
            return {}

    def _known(self) -> list[Answer]:
        """Answers that the course still has a question and an option for, in order of time."""
        known = {(name, key) for name, asked in self.forms.items() for key in asked.options}
        rows = (row for row in self._rows.values() if isinstance(row, Answer))
        return sorted((row for row in rows if (row.question, row.option) in known), key=_when)


def shuffled(keys: list[str], question: str, number: int) -> list[str]:
    """Return `keys` in the order of round `number`, the same in every tab: as they are in round 1,
    then never as just before."""
    order = keys
    for passed in range(2, number + 1):
        before, dice = order, random.Random(f"{question} {passed}")
        while order == before:
            order = dice.sample(keys, len(keys))
    return order


def _text(rows: _Rows) -> str:
    """The content of the file."""
    listed = {
        name: [asdict(row) for row in rows.values() if isinstance(row, kind)]
        for name, kind in _KINDS.items()
    }
    return json.dumps({"version": VERSION, **listed}, indent=1) + "\n"


def _rows(data: Any) -> _Rows:
    """The rows in the content of a file; of two answers to a question in one round, the earlier.

    Raises NewerFile, and ValueError, TypeError or KeyError for whatever else is not of ours.
    """
    version = data.get("version") if isinstance(data, dict) else None
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        reason = f"it is of version {version}, and this course reads version {VERSION}"
        raise (NewerFile if newer else ValueError)(reason)
    rows = [_row(kind, values) for name, kind in _KINDS.items() for values in data[name]]
    return {row.id: row for row in sorted(rows, key=_when, reverse=True)}


def _row(kind: type[Round | Answer], values: dict) -> Round | Answer:
    at = float(values["at"])
    values = values | {"at": at / 1000 if at > _MILLISECONDS else at}
    if kind is Answer:
        values["id"] = f"{values['round']} {values['question']}"
    for name, wanted in kind.__annotations__.items():
        if type(values[name]) is not wanted:
            raise ValueError(f"{name} is {values[name]!r}, expected {wanted.__name__}")
    if not 0 <= values["at"] <= _LATEST:
        raise ValueError(f"{at} is no time")
    " ".join(values.get("questions", []))  # raises TypeError unless all are texts
    return kind(**values)
