"""The quiz in the page: it shows, and asks Python what is right (static/quiz.js)."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from diffusion_lessons.widgets.asking import Asking, one_at_a_time
from diffusion_lessons.widgets.page import module, static

from . import demonstrations
from .answers import Answer, Answers
from .questions import Question, Section

RIGHT, WRONG, OPEN = "✓", "✗", "·"

SAID = {
    "answered": "{given} answered, {right} right",
    "place": "Question {here} of {total} · {count}",
    "all answered": "All {total} answered",
    "new round": "In another tab you began a new round. Here it is.",
    "title": "{right} of {asked} right",
    "taken": "{name}, round {round}, {day}.",
    "by now": " Of all {total}, {now} are right by now.",
    "in a week": " Come back in a week: a retry then asks other questions on the same ideas.",
    "one sure": " You were sure of 1 that was not right.",
    "many sure": " You were sure of {sure} that were not right.",
    "right, sure": "Right.",
    "right, not sure": "Right. Next time you can be sure.",
    "wrong, sure": "Not right. You were sure, so it comes back first when you retry.",
    "wrong, not sure": "Not right.",
    "right, not chosen": "This is the right one. Your first answer counts.",
    "wrong, not chosen": "Not this one. Your first answer counts.",
    "sure": "sure",
    "not sure": "not sure",
}
"""The quiz's sentences; a page without Python has them from here."""


class Quiz(Asking):
    """The widget of `start`, `warm_up` and `before`; `answers` holds questions and answers.

    Where in the quiz a view is, and which option it looks at, is its own: each request names the
    round and the place it was made in.
    """

    _esm = module("quiz")
    _css = static("widgets.css") + static("quiz.css")

    def __init__(self, name: str, questions: Sequence[Question], path: Path | None) -> None:
        """`path` is a file that keeps the answers; None: they are forgotten with this object."""
        self._name, self.answers = name, Answers(questions, path)
        super().__init__({}, self._seen(None))

    def still(self) -> tuple[str, None]:
        """Return the questions, each with its answer folded."""
        return "".join(map(_still, self.answers.questions.values())), None

    def _reply(self, request: dict) -> dict:
        with one_at_a_time:
            self.answers.refresh()
            if request.get("round") != self.answers.round.id:
                seen = self._seen(None)
                return seen | {"notice": f"{SAID['new round']} {seen['notice']}".strip()}
            done = self._attempt(self._act, request)
            return self._seen(request.get("here")) | done

    def _act(self, request: dict) -> dict:
        """Do what the page asks; whatever it did, the page then sees the place it names."""
        if request["do"] == "retry":
            self.answers.begin(request["missed"])
        elif request["do"] != "go":
            question = self.answers.forms[self.answers.order[request["here"]]]
            if request["do"] == "show":
                return {"demonstration": demonstrations.run(**(question.demonstration or {}))}
            self.answers.answer(question.id, request["option"], request["sure"])
        return {}

    def _seen(self, here: object) -> dict:
        """All that the page shows at the place `here`. Where there is none, that is the first open
        question, or else the result; a single question has none."""
        answers, order, given = self.answers, self.answers.order, self.answers.given()
        total, done = len(order), len(given) == len(order) > 1
        if not (isinstance(here, int) and 0 <= here < total):
            open_ones = [place for place, name in enumerate(order) if name not in given]
            here = open_ones[0] if open_ones else total - (not done)
        count = SAID["answered"].format(given=len(given), right=answers.right())
        if here == total:
            count = SAID["all answered"].format(total=total)
        elif total > 1:
            count = SAID["place"].format(here=here + 1, total=total, count=count)
        return {
            "name": self._name,
            "notice": answers.notice,
            "count": count,
            "signs": [
                _sign(answers.is_right(given[name])) if name in given else OPEN for name in order
            ],
            "here": here,
            "round": answers.round.id,
            "done": done,
            "question": self._question(order[here], given) if here < total else None,
            "demonstration": None,
            "result": self._result() if here == total else None,
        }

    def _question(self, name: str, given: dict[str, Answer]) -> dict:
        """A question; once it is answered, with the feedback to every option."""
        question, answer = self.answers.forms[name], given.get(name)
        options = [
            {
                "key": key,
                "text": question.options[key].text,
                "feedback": _feedback(question, key, answer) if answer else None,
            }
            for key in self.answers.options(name)
        ]
        return {
            "id": name,
            "stem": question.stem,
            "options": options,
            "chosen": answer.option if answer else "",
            "link": _link(question.section),
            "can show": bool(answer and question.demonstration),
        }

    def _result(self) -> dict:
        """The score of this round and of all, and what to look at again."""
        answers, latest = self.answers, self.answers.latest()
        missed, asked, total = answers.by_need(True), len(answers.order), len(answers.questions)
        day = date.fromtimestamp(max(answer.at for answer in latest.values()))
        words = SAID["taken"].format(name=self._name, round=answers.round.number, day=day)
        if asked < total:
            now = sum(map(answers.is_right, latest.values()))
            words += SAID["by now"].format(total=total, now=now)
        if len(answers.forms) > total:
            words += SAID["in a week"]
        if sure := sum(latest[name].sure for name in missed):
            words += SAID["one sure" if sure == 1 else "many sure"].format(sure=sure)
        return {
            "title": SAID["title"].format(right=answers.right(), asked=asked),
            "words": words,
            "missed": len(missed),
            "visit": [_link(section) for section in answers.visit_again()],
            "lines": [
                self._line(place, latest[name])
                for place, name in enumerate(answers.questions, 1)
                if name in latest
            ],
        }

    def _line(self, place: int, answer: Answer) -> dict:
        """A question of the result, in the form that was asked, and its latest answer."""
        asked = self.answers.forms[answer.question]
        return {
            "place": place,
            "sign": _sign(self.answers.is_right(answer)),
            "stem": asked.stem,
            "chosen": asked.options[answer.option].text,
            "sure": SAID[_how_sure(answer)],
        }


def _sign(right: bool) -> str:
    return RIGHT if right else WRONG


def _how_sure(answer: Answer) -> str:
    return "sure" if answer.sure else "not sure"


def _link(section: Section) -> dict:
    return {"words": section.words, "href": section.href}


def _feedback(question: Question, key: str, answer: Answer) -> dict:
    """The words for whoever looks at the option `key`, after the answer that counts."""
    right = question.is_right(key)
    how = _how_sure(answer) if key == answer.option else "not chosen"
    verdict = SAID[f"{'right' if right else 'wrong'}, {how}"]
    return {"sign": _sign(right), "verdict": verdict, "why": question.options[key].why}


def _still(question: Question) -> str:
    """A question as HTML text, its answer folded."""
    items = "".join(f"<li>{html.escape(option.text)}</li>" for option in question.options.values())
    right = question.options[question.right]
    return (
        f"<p><b>{html.escape(question.stem)}</b></p><ul>{items}</ul><details><summary>Answer"
        f"</summary><p><b>{html.escape(right.text)}</b><br>{html.escape(right.why)} See "
        f'<a href="{html.escape(question.section.href)}">{html.escape(question.section.words)}</a>.'
        "</p></details>"
    )
