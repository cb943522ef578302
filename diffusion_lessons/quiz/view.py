"""The quiz in the page: it shows, and asks Python what is right (static/quiz.js)."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import date

import traitlets

from diffusion_lessons.widgets.asking import one_at_a_time
from diffusion_lessons.widgets.page import PageWidget, module, static

from . import demonstrations
from .deck import Deck
from .progress import Answer, Progress
from .questions import Question, Section
from .shown import Shown
from .store import Store

RIGHT, WRONG, OPEN = "✓", "✗", "·"


class Quiz(PageWidget):
    """What `start`, `warm_up` and `before` return. `deck` holds the questions and the answers."""

    _esm = module("quiz")
    _css = static("widgets.css") + static("quiz.css")

    request = traitlets.Dict({"id": 0}).tag(sync=True)  # page: {"id": n, "do": ..., ...}
    state = traitlets.Dict().tag(sync=True)  # kernel: all that is to be seen, for that id

    def __init__(self, name: str, questions: Sequence[Question], store: Store | None) -> None:
        """`store` keeps the answers; None: they are forgotten with this object."""
        self._name, self._store = name, store
        self.deck = Deck(questions, store.load() if store else Progress())
        self._said = ""
        self._shown: Shown | None = None
        self._looked: dict[tuple[str, str], list[str]] = {}  # options looked at after the answer
        self._here = self._first_open()
        super().__init__(state=self._seen(0))  # the page may open before a later message arrives
        self.observe(self._on_request, names="request")

    def still(self) -> tuple[str, None]:
        """The questions, each with its answer folded."""
        return "".join(map(_still, self.deck.questions.values())), None

    # --- what the page asks for ---

    def _on_request(self, change: dict) -> None:
        request = change["new"]
        with one_at_a_time():
            self._said = ""
            try:
                self._act(request)
            except Exception as error:  # a callback that raises would say it to nobody
                self._said = f"{type(error).__name__}: {error}"
            self.state = self._seen(request["id"])

    def _act(self, request: dict) -> None:
        before = self.deck.round.id
        if self._store:
            self.deck.progress = self.deck.progress.merged(self._store.load())
        if self.deck.round.id != before:
            self._here = self._first_open()
            self._said = "In another tab you began a new round. Here it is."
            return
        actions = {
            "answer": self._answer,
            "look": self._look,
            "show": self._show,
            "go": self._go,
            "retry": self._retry,
        }
        actions[request["do"]](request)

    def _answer(self, request: dict) -> None:
        self.deck.answer(request["question"], request["option"], request["sure"])
        self._look(request)
        self._save()

    def _look(self, request: dict) -> None:
        looked = self._looked.setdefault((self.deck.round.id, request["question"]), [])
        if request["option"] in looked:
            looked.remove(request["option"])
        looked.append(request["option"])  # the last one is on show

    def _show(self, request: dict) -> None:
        name = self.deck.questions[request["question"]].demonstration
        try:
            self._shown = demonstrations.run(name or "")
        except Exception as error:  # weights that are missing, for one
            self._shown = Shown(f"This cannot be shown here. {error}", {})

    def _go(self, request: dict) -> None:
        wanted, end = max(request["to"], 0), len(self.deck.order)
        self._here = wanted if wanted < end else self._first_open()
        self._shown = None

    def _retry(self, request: dict) -> None:
        self.deck.begin(request["missed"])
        self._here, self._shown = self._first_open(), None
        self._save()

    def _save(self) -> None:
        if self._store:
            self.deck.progress = self._store.save(self.deck.progress)

    # --- what is to be seen ---

    def _seen(self, reply: int) -> dict:
        """All that the page shows, as it needs it."""
        order, answers = self.deck.order, self.deck.answers()
        notice = " ".join(filter(None, [self._said, self._store.notice if self._store else ""]))
        on_result = self._here == len(order)
        return {
            "id": reply,
            "name": self._name,
            "notice": notice,
            "count": self._count(),
            "signs": [self._sign(answers.get(name)) for name in order],
            "here": self._here,
            "round": self.deck.round.id,
            "done": self._has_result(),
            "question": None if on_result else self._question(order[self._here]),
            "shown": self._shown.for_page() if self._shown else None,
            "result": self._result() if on_result else None,
        }

    def _count(self) -> str:
        total, answered = len(self.deck.order), len(self.deck.answers())
        if self._here == total:
            return f"All {total} answered"
        place = f"Question {self._here + 1} of {total} · " if total > 1 else ""
        return f"{place}{answered} answered, {self.deck.right()} right"

    def _question(self, name: str) -> dict:
        """A question, with the feedback to the option looked at last."""
        question, answer = self.deck.questions[name], self.deck.answers().get(name)
        looked = self._looked.get((self.deck.round.id, name), [])
        if answer and answer.option not in looked:
            looked = [answer.option, *looked]
        options = [
            {
                "key": key,
                "text": question.options[key].text,
                "sign": _sign(question.is_right(key)) if answer and key in looked else "",
            }
            for key in self.deck.options(name)
        ]
        return {
            "id": name,
            "stem": question.stem,
            "options": options,
            "chosen": looked[-1] if answer else "",
            "feedback": _feedback(question, looked[-1], answer) if answer else None,
            "can show": bool(answer and question.demonstration),
        }

    def _result(self) -> dict:
        """The score of this round and of all, and what to look at again."""
        deck, latest = self.deck, self.deck.latest()
        right, asked = deck.right(), len(deck.order)
        now = sum(map(deck.is_right, latest.values()))
        sure = sum(latest[name].sure for name in deck.missed())
        day = date.fromtimestamp(max(answer.at for answer in latest.values()))
        whole = f" Of all {len(deck.questions)}, {now} are right by now."
        return {
            "title": f"{right} of {asked} right",
            "words": f"{self._name}, round {deck.round.number}, {day.isoformat()}."
            + (whole if asked < len(deck.questions) else ""),
            "missed": len(deck.missed()),
            "sure": _of_which_sure(sure),
            "visit": [_link(section) for section in deck.visit_again()],
            "lines": [self._line(name, latest[name]) for name in deck.questions if name in latest],
        }

    def _line(self, name: str, answer: Answer) -> dict:
        question = self.deck.questions[name]
        right = self.deck.is_right(answer)
        return {
            "place": 1 + [*self.deck.questions].index(name),
            "sign": _sign(right),
            "verdict": "right" if right else "not right",
            "stem": question.stem,
            "chosen": question.options[answer.option].text,
            "sure": "sure" if answer.sure else "not sure",
        }

    def _sign(self, answer: Answer | None) -> str:
        return _sign(self.deck.is_right(answer)) if answer else OPEN

    def _first_open(self) -> int:
        """The place of the first question without an answer; behind the last, the result. A single
        question has no result."""
        answers = self.deck.answers()
        open_ones = [i for i, name in enumerate(self.deck.order) if name not in answers]
        return open_ones[0] if open_ones else len(self.deck.order) - (not self._has_result())

    def _has_result(self) -> bool:
        return self.deck.done() and len(self.deck.order) > 1


def _sign(right: bool) -> str:
    return RIGHT if right else WRONG


def _link(section: Section) -> dict:
    return {"words": section.words, "href": section.href}


def _feedback(question: Question, key: str, answer: Answer) -> dict:
    """What is said to whoever looks at the option `key`, after the answer that counts."""
    right = question.is_right(key)
    if key != answer.option:
        verdict = "This is the right one." if right else "Not this one."
        verdict += " Your first answer counts."
    elif right:
        verdict = "Right." if answer.sure else "Right. Next time you can be sure."
    else:
        verdict = "Not right."
        verdict += " You were sure, so it comes back first when you retry." if answer.sure else ""
    return {
        "sign": _sign(right),
        "verdict": verdict,
        "why": question.options[key].why,
        "link": _link(question.section),
    }


def _of_which_sure(count: int) -> str:
    if not count:
        return ""
    return f"You were sure of {count} that {'was' if count == 1 else 'were'} not right."


def _still(question: Question) -> str:
    """A question as HTML text, its answer folded."""
    items = "".join(f"<li>{html.escape(one.text)}</li>" for one in question.options.values())
    right = question.options[question.right]
    return (
        f"<p><b>{html.escape(question.stem)}</b></p><ul>{items}</ul><details><summary>Answer"
        f"</summary><p><b>{html.escape(right.text)}</b><br>{html.escape(right.why)} See "
        f'<a href="{html.escape(question.section.href)}">{html.escape(question.section.words)}</a>.'
        "</p></details>"
    )
