"""The quiz without a page: whose turn it is, in which order, what was right, what to look at again.

A deck puts questions and a progress together. A round is the quiz taken once. The first asks all
questions, options in the order of the file; in later rounds options stand in another order.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Sequence

from .progress import Answer, Progress, Round
from .questions import Question, Section

FIRST = "first"
"""The id of the first round, the same in every tab."""


class Deck:
    """Questions, and what has been answered of them. `progress` may be replaced by a merged one."""

    def __init__(
        self,
        questions: Sequence[Question],
        progress: Progress = Progress(),  # noqa: B008, it cannot be changed
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.questions = {question.id: question for question in questions}
        self.progress, self._clock = progress, clock

    @property
    def round(self) -> Round:
        """The newest round that asks something which this deck still has."""
        first = Round(FIRST, 1, 0.0, tuple(self.questions))
        known = [one for one in self.progress.rounds if set(one.questions) & set(self.questions)]
        return max([first, *known], key=lambda one: (one.number, one.at, one.id))

    @property
    def order(self) -> list[str]:
        """The ids that this round asks, in its order."""
        return [name for name in dict.fromkeys(self.round.questions) if name in self.questions]

    def options(self, question: str) -> list[str]:
        """The keys of a question's options, in the order in which this round shows them."""
        return shuffled([*self.questions[question].options], question, self.round.number)

    def answers(self) -> dict[str, Answer]:
        """The answers given in this round by question: the first one counts."""
        found: dict[str, Answer] = {}
        for answer in self._known():
            if answer.round == self.round.id and answer.question in self.order:
                found.setdefault(answer.question, answer)
        return found

    def answer(self, question: str, option: str, sure: bool) -> None:
        """Note an answer; one that was given before in this round stays.

        Raises ValueError for a question that this round does not ask, or an option it does not
        have.
        """
        if question not in self.order:
            raise ValueError(f"question {question!r} is not asked in this round: {self.order}")
        self.questions[question].is_right(option)  # refuses an unknown option
        if question not in self.answers():
            new = Answer(_new_id(), self._clock(), self.round.id, question, option, sure)
            self.progress = self.progress.merged(Progress(answers=(new,)))

    def right(self) -> int:
        """How many of this round's questions were answered rightly."""
        return sum(map(self.is_right, self.answers().values()))

    def done(self) -> bool:
        """Whether this round has an answer to each of its questions."""
        return len(self.answers()) == len(self.order)

    def is_right(self, answer: Answer) -> bool:
        """Whether an answer is right."""
        return self.questions[answer.question].is_right(answer.option)

    def latest(self) -> dict[str, Answer]:
        """What was said last about each question, in whichever round."""
        counted: dict[tuple[str, str], Answer] = {}
        for answer in self._known():
            counted.setdefault((answer.round, answer.question), answer)
        return {answer.question: answer for answer in sorted(counted.values(), key=_when)}

    def missed(self) -> list[str]:
        """The ids last answered wrongly: those of which one was sure come first."""
        wrong = {name: one for name, one in self.latest().items() if not self.is_right(one)}
        return [name for name in self._by_need() if name in wrong]

    def visit_again(self) -> list[Section]:
        """The sections that the missed questions link to, in the order of the lessons."""
        sections = {self.questions[name].section for name in self.missed()}
        return sorted(sections, key=lambda one: (one.lesson, one.heading))

    def begin(self, missed_only: bool) -> None:
        """Begin another round, of the missed questions or of all; confident mistakes come first.

        Without a missed question, a round of the missed ones does not begin.
        """
        asked = tuple(self.missed() if missed_only else self._by_need())
        if asked:
            new = Round(_new_id(), self.round.number + 1, self._clock(), asked)
            self.progress = self.progress.merged(Progress(rounds=(new,)))

    def _by_need(self) -> list[str]:
        """All ids: confident mistakes, other mistakes, the rest; each in the order of the file."""
        latest = self.latest()

        def need(name: str) -> int:
            if name not in latest or self.is_right(latest[name]):
                return 2
            return 0 if latest[name].sure else 1

        return sorted(self.questions, key=need)

    def _known(self) -> list[Answer]:
        """Answers to questions and with options that this deck has."""
        return [
            one
            for one in self.progress.answers
            if one.question in self.questions and one.option in self.questions[one.question].options
        ]


def shuffled(keys: list[str], question: str, number: int) -> list[str]:
    """`keys` in the order of round `number`: as they are in round 1, then never as just before.

    The same in every tab: it depends on nothing but its arguments.
    """
    order = keys
    for passed in range(2, number + 1):
        before, dice = order, random.Random(f"{question} {passed}")
        while order == before:
            order = dice.sample(keys, len(keys))
    return order


def _when(answer: Answer) -> tuple[float, str]:
    return answer.at, answer.id


def _new_id() -> str:
    return uuid.uuid4().hex
