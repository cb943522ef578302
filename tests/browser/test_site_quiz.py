"""The quiz of the site: it says what Python's says at each step; progress is kept."""

from __future__ import annotations

import base64
import http.server
import itertools
import json
import random
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache, partial
from itertools import pairwise, product
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from diffusion_lessons import quiz
from diffusion_lessons.quiz import answers, demonstrations, questions, view
from diffusion_lessons.widgets.page import module, static
from tests.browser.conftest import empty_page
from tests.browser.driving import axe_faults
from web import quiz as built

pytestmark = pytest.mark.both_browsers
KEY = "diffusion-lessons/quiz-progress"
WEEK = 7 * 24 * 3600
FIFTEEN = questions.fifteen()
FORMS = [form for one in FIFTEEN for form in (one, one.again)]
SHOWN = FIFTEEN[2]
RUN = demonstrations.run
HOST = """
export function modelOf(state) {
  const [heard, sent] = [{}, {}];
  const model = {
    get: (name) => state[name],
    set: (name, value) => void (state[name] = sent[name] = value),
    on: (event, act) => (heard[event] = act),
    off: (event) => delete heard[event],
    save_changes: () => model.kernel({ ...sent }),
    say(name, value) {
      state[name] = value;
      heard[`change:${name}`]?.();
    },
  };
  return model;
}
export const opened = (name) => modelOf({ answer: { id: 0, name }, request: { id: 0 } });
"""
SMALL = """<!doctype html><html lang="en"><title>quiz</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="view.css"><main></main><script type="module">
import { opened } from "./host.js";
import { grade } from "./quiz.js";
import view from "./view.js";
const model = opened("The quiz");
grade(model, await (await fetch("quiz.json")).json(), "09", localStorage);
view.render({ model, el: document.querySelector("main") });
</script></html>"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@cache
def thirty() -> dict:
    """What the demonstration of the third question shows."""
    return RUN(**SHOWN.demonstration)


def quick(name: str, words: str, **asked: object) -> dict:
    """What a demonstration shows; but for one, without its run, for all take most of a minute."""
    if words == SHOWN.demonstration["words"]:
        return thirty()
    return {"words": words, "picture": "", "alt": "", "width": 0, "found": {"name": name}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a small page with the fifteen."""
    folder = tmp_path_factory.mktemp("quiz") / "site"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(built, "shown", lambda asked: quick(**json.loads(asked)))
        built.write_quiz(folder)
    shutil.copy(Path(built.__file__).with_name("page") / "quiz.js", folder)
    css = "".join(static(name) for name in ("widgets.css", "quiz.css"))
    texts = {"host.js": HOST, "view.js": module("quiz"), "view.css": css, "index.html": SMALL}
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    serve = partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


# --- step by step as in Python

REPLAY = """async (runs) => {
    const [{ opened }, { grade }, data] = [await import("./host.js"), await import("./quiz.js"),
        await (await fetch("quiz.json")).json()];
    let [now, dice] = [0, 0];
    Date.now = () => now;
    Math.random = () => (dice += 1) / 2 ** 20;
    return JSON.stringify(runs.map(({ lesson, name, steps }) => {
        localStorage.clear();
        dice = 0;
        const tabs = [];
        const said = steps.map(({ tab, at, request }) => {
            now = 1000 * at;
            if (request === null) {
                tabs[tab] = opened(name);
                grade(tabs[tab], data, lesson, localStorage);
            } else {
                tabs[tab].set("request", request);
                tabs[tab].save_changes();
            }
            return tabs[tab].get("answer");
        });
        return { said, kept: localStorage.length > 0 };
    }));
}"""


class Run:
    """Some minutes or months in two tabs with Python's quiz: what is asked, and what it answers."""

    def __init__(self, seed: int, lesson: str, name: str, start: Callable[[], view.Quiz]) -> None:
        self.lesson, self.name, self.start = lesson, name, start
        self.dice, self.now = random.Random(seed), 1_800_068_400.0  # late in the evening
        self.ids = (f"{count:05x}".rstrip("0") for count in itertools.count(1))  # REPLAY's too
        self.tabs: dict[int, view.Quiz] = {}
        self.steps: list[dict] = []
        self.said: list[dict] = []

    def step(self, tab: int, request: dict | None) -> None:
        """Ask in a tab; None opens it (again)."""
        if request is None:
            self.tabs[tab] = self.start()
        else:
            request = {"id": self.tabs[tab].request["id"] + 1} | request
            self.tabs[tab].request = request
        self.steps.append({"tab": tab, "at": self.now, "request": request})
        said = json.dumps(self.tabs[tab].answer).replace(".ipynb#", ".html#")
        self.said.append(json.loads(said.replace(thirty()["picture"], f"quiz/{SHOWN.id}.png")))

    def asked(self, tab: int) -> list[dict]:
        """Return what a reader may ask next, given what this tab shows."""
        shown, dice = self.tabs[tab].answer, self.dice
        now = {"round": shown["round"], "here": shown["here"]}
        if (question := shown["question"]) is None:
            retry = {"do": "retry", "here": None, "missed": dice.random() < 0.6}
            return [now | retry, now | {"do": "go", "here": 3}]
        if question["chosen"]:
            turns = [now | {"do": "go", "here": now["here"] + by} for by in (1, 1, 1, -1, 30)]
            return turns + [now | {"do": "show"}] * question["can show"]
        form = self.tabs[tab].answers.forms[question["id"]]
        option = form.right if dice.random() < 0.7 else dice.choice([*form.options])
        answer = now | {"do": "answer", "option": option, "sure": dice.random() < 0.6}
        return [answer] * 9 + [now | {"do": "go", "here": now["here"] + 1}]

    def go(self, steps: int, tabs: int) -> Run:
        """Take so many steps, in one tab for most of the time."""
        for tab in range(tabs):
            self.step(tab, None)
        for _ in range(steps):
            self.now += self.dice.choice([0, 0, 0, 1, 20] * 8 + [WEEK - 1, WEEK, WEEK])
            tab = self.dice.choice([0] * 8 + [tabs - 1])
            again = self.dice.random() < 0.02
            self.step(tab, None if again else self.dice.choice(self.asked(tab)))
        return self


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Runs of the fifteen in two tabs, and of each quiz within the lessons, in New York."""
    runs: list[Run] = []
    some_id = SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=next(runs[-1].ids)))
    monkeypatch.setattr(answers, "uuid", some_id)
    monkeypatch.setattr(answers, "time", SimpleNamespace(time=lambda: runs[-1].now))
    monkeypatch.setattr(answers, "write_whole", write_soon)
    monkeypatch.setattr(answers, "only_one", lambda *_: nullcontext())
    monkeypatch.setattr(demonstrations, "run", quick)
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    for seed in range(200):
        runs.append(Run(seed, "09", "The quiz", partial(quiz.start, tmp_path / str(seed))))
        runs[-1].go(30 if seed < 194 else 300, tabs=2)
    runs.append(Run(0, "09", "The quiz", partial(quiz.start, tmp_path / "a week")))
    runs[-1].step(0, None)
    first = {"round": "first", "sure": True, "option": "a"}
    for here in range(15):
        runs[-1].step(0, first | {"do": "answer", "here": here})
    runs[-1].now += WEEK  # to the second
    runs[-1].step(0, first | {"do": "retry", "here": None, "missed": False})
    for seed, place in enumerate(questions.places()):
        kind, lesson = place.split()
        start = partial(getattr(quiz, kind), lesson)
        runs.append(Run(seed, lesson, start().answer["name"], start))
        runs[-1].go(60, tabs=1)
    monkeypatch.undo()
    time.tzset()
    return runs


def write_soon(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def test_it_answers_as_python_step_by_step(browser, site, runs):
    asked = [{"lesson": run.lesson, "name": run.name, "steps": run.steps} for run in runs]
    with empty_page(browser, timezone_id="America/New_York") as page:
        page.goto(f"{site}quiz.json")
        replayed = json.loads(page.evaluate(REPLAY, asked))
    seen: Counter[str] = Counter()
    for run, again in zip(runs, replayed, strict=True):
        for step, wanted, found in zip(run.steps, run.said, again["said"], strict=True):
            assert found == wanted, (run.lesson, run.name, step)
            seen.update(what_it_shows(wanted))
        assert again["kept"] == (run.lesson == "09" and any(one["request"] for one in run.steps))
    assert min(seen[one] for one in EVENTS) > 5, seen


EVENTS = (
    "result", "a new round", "second form", "show", "by now", "sure of 1 ", "sure of 2 ", "retry 3",
)  # fmt: skip


def what_it_shows(answer: dict) -> list[str]:
    """Return what of all that can happen this answer is an example of."""
    words = (answer["result"] or {"words": ""})["words"]
    signs = {
        "result": answer["result"],
        "a new round": "In another tab" in answer["notice"],
        "second form": (answer["question"] or {"id": ""})["id"].endswith("-again"),
        "show": answer["demonstration"],
        "retry 3": "round 4" in words,
    }
    said = [one for one in ("by now", "sure of 1 ", "sure of 2 ") if one in words]
    return [*(name for name, there in signs.items() if there), *said]


def test_orders_begin_again_without_one_twice_in_a_row(page, site):
    forms = page.goto(f"{site}quiz.json").json()["forms"]
    assert len(forms) == 59
    for name, form in forms.items():
        orders = form["orders"]
        rounds = [answers.shuffled([*form["options"]], name, n + 1) for n in range(len(orders))]
        assert [*map(list, orders)] == rounds and len(orders) >= 19
        assert all(a != b for a, b in pairwise([*orders, orders[0]]))


# --- what the browser keeps


def page_with(context: BrowserContext, site: str, script: str = "") -> tuple[Page, list[str]]:
    """Open the small page after a script, and return it with what it asks for and what fails."""
    page, heard = context.new_page(), []
    page.set_default_timeout(15_000)
    page.on("request", lambda request: heard.append(request.url))
    page.on("pageerror", lambda error: heard.append(f"error: {error}"))
    page.add_init_script(script)
    page.goto(site)
    page.wait_for_selector(".dl-count")
    return page, heard


def answer(page: Page, rightly: bool, sure: bool = True) -> None:
    """Answer the question on show by keys alone; the focus is on its first option."""
    stem = page.locator("legend").inner_text()
    form = next(one for one in FORMS if one.stem == stem)
    texts = page.locator(".dl-question label").all_inner_texts()
    right = form.options[form.right].text
    place = next(i for i, text in enumerate(texts) if (text == right) == rightly)
    for key in [*["ArrowDown"] * place] or ["Space"]:
        page.keyboard.press(key)
    for key in ("Tab", "Enter") if sure else ("Tab", "Tab", "Enter"):
        page.keyboard.press(key)


def test_fifteen_by_keys_a_reload_and_a_round_of_the_missed(browser, site):
    with empty_page(browser, reduced_motion="reduce") as first:
        page, heard = page_with(first.context, site)
        page.keyboard.press("Tab")
        for place in range(7):
            answer(page, rightly=place not in (2, 4), sure=place != 2)
            page.keyboard.press("Enter")
        assert page.locator(".dl-count").inner_text() == "Question 8 of 15 · 7 answered, 5 right"
        page.reload()
        page.wait_for_selector(".dl-count")
        assert page.locator(".dl-count").inner_text() == "Question 8 of 15 · 7 answered, 5 right"
        page.keyboard.press("Tab")
        for _ in range(8):
            answer(page, rightly=True)
            page.keyboard.press("Enter")
        assert "13 of 15 right" in page.locator(".dl-result").inner_text()
        assert page.locator(".dl-notice").inner_text() == ""
        link = page.locator(".dl-result a").first
        assert re.fullmatch(r"\d\d_\w+\.html#cell-id=[\w-]+", link.get_attribute("href"))
        assert axe_faults(page) == []
        page.get_by_role("button", name="Retry the missed ones").press("Enter")
        assert page.locator("legend").inner_text() == FIFTEEN[4].stem, "the confident mistake first"
        answer(page, rightly=True)
        other, heard_too = page_with(first.context, site)  # another tab
        assert other.locator("legend").inner_text() == FIFTEEN[2].stem
        other.keyboard.press("Tab")
        answer(other, rightly=True)
        page.bring_to_front()  # Firefox gives keys to the tab in front alone
        page.get_by_role("button", name="Next").press("Enter")
        count = page.locator(".dl-count")
        expect(count).to_have_text("Question 2 of 2 · 2 answered, 2 right")
        page.get_by_role("button", name="See your result").press("Enter")
        assert "2 of 2 right" in page.locator(".dl-result").inner_text()
        asked = [*heard, *heard_too]
        assert asked and all(one.startswith((site, "data:")) for one in asked), asked


def test_show_me_shows_the_picture_that_python_makes(browser, site):
    wanted = thirty()
    with empty_page(browser, reduced_motion="reduce") as first:
        page, heard = page_with(first.context, site)
        for _ in range(2):
            page.get_by_role("button", name="Skip").press("Enter")
        assert not any(one.endswith(".png") for one in heard)
        answer(page, rightly=True)
        page.get_by_role("button", name="Show me").press("Enter")
        image = page.locator(".dl-shown img")
        assert image.evaluate("n => n.decode().then(() => n.naturalWidth)") == 2 * wanted["width"]
        assert image.get_attribute("alt") == wanted["alt"]
        assert page.locator(".dl-shown p").inner_text() == wanted["words"]
        data = page.request.get(site + image.get_attribute("src")).body()
        assert data == base64.b64decode(wanted["picture"].partition(",")[2])


GIVEN = {"at": 1e9, "round": "first", "option": "a", "sure": True}
ROWS = [
    {"id": "r2", "number": 2, "at": 1e9, "questions": [FIFTEEN[3].id]},
    {"id": f"first {FIFTEEN[0].id}", "question": FIFTEEN[0].id} | GIVEN,
]
TEXT = json.dumps({"version": 1, "rows": ROWS})
DAMAGED = {
    "empty": "",
    "cut": TEXT[:90],
    "other json": "[1, 2]",
    "null": "null",
    "no rows": '{"version": 1}',
    "a newer version": TEXT.replace('"version": 1', '"version": 2'),
    "sure in words": TEXT.replace("true", '"yes"'),
    "a row that is none": '{"version": 1, "rows": [null]}',
    "questions are a text": TEXT.replace(f'["{FIFTEEN[3].id}"]', '"all"'),
    "a question is a number": TEXT.replace(f'["{FIFTEEN[3].id}"]', "[3]"),
    "no number": TEXT.replace('"number": 2', '"number": "two"'),
    "the year 5000": TEXT.replace("1000000000.0", "96000000000"),
    "time in words": TEXT.replace("1000000000.0", '"100"'),
    "an option that is none": TEXT.replace('"a"', "{}"),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_what_cannot_be_read_is_put_aside_and_said(browser, site, text):
    with empty_page(browser) as first:
        first.goto(f"{site}quiz.json")
        first.evaluate("([key, text]) => { localStorage[key] = text; }", [KEY, text])
        first.evaluate("(key) => { localStorage[`${key}.unread-1`] = 'of old'; }", KEY)
        page, heard = page_with(first.context, site)
        notice = page.locator(".dl-notice").inner_text()
        assert "Earlier answers could not be read (" in notice
        assert f"{KEY}.unread-2, and the quiz starts again." in notice
        assert page.evaluate("(key) => localStorage[`${key}.unread-2`]", KEY) == text
        page.keyboard.press("Tab")
        answer(page, rightly=True)
        page.reload()
        assert "1 answered, 1 right" in page.locator(".dl-count").inner_text()
        assert page.locator(".dl-notice").inner_text() == ""
        assert not any(one.startswith("error") for one in heard)


def test_rows_of_another_course_do_no_harm(browser, site):
    """What this version no longer asks, or names that an object has by itself."""
    rows = [*ROWS, {"id": "r9", "number": 9, "at": 1e9, "questions": ["gone", "constructor"]}]
    for name, key in product(("gone", "constructor", FIFTEEN[1].id), ("z", "constructor")):
        rows.append(GIVEN | {"id": f"{name} {key}", "question": name, "option": key})
    text = json.dumps({"version": 1, "rows": rows})
    with empty_page(browser) as first:
        first.goto(f"{site}quiz.json")
        first.evaluate("([key, text]) => { localStorage[key] = text; }", [KEY, text])
        page, heard = page_with(first.context, site)
        assert page.locator(".dl-notice").inner_text() == ""
        assert page.locator("legend").inner_text() == FIFTEEN[3].stem
        page.keyboard.press("Tab")
        answer(page, rightly=True)
        stored = json.loads(page.evaluate("(key) => localStorage[key]", KEY))["rows"]
        assert stored[:-1] == rows
        assert not any(one.startswith("error") for one in heard)


REFUSALS = {
    "no store": "Object.defineProperty(window, 'localStorage', { value: null });",
    "no reading": "Storage.prototype.getItem = () => { throw new Error('no reading'); };",
    "no writing": "Storage.prototype.setItem = () => { throw new Error('no room'); };",
}


@pytest.mark.parametrize("script", REFUSALS.values(), ids=REFUSALS)
def test_where_nothing_can_be_kept_the_quiz_goes_on_and_says_so(browser, site, script):
    with empty_page(browser) as first:
        page, heard = page_with(first.context, site, script)
        page.keyboard.press("Tab")
        for _ in range(3):
            answer(page, rightly=True)
            page.keyboard.press("Enter")
        assert page.locator(".dl-count").inner_text() == "Question 4 of 15 · 3 answered, 3 right"
        notice = page.locator(".dl-notice").inner_text()
        assert "Your answers cannot be kept in this browser" in notice and "goes on" in notice
        assert not any(one.startswith("error") for one in heard)


def test_answers_are_kept_as_soon_as_there_is_room(browser, site):
    full = """const keep = Storage.prototype.setItem;
        Storage.prototype.setItem = function (...row) {
            if (window.full) throw new Error("no room");
            keep.apply(this, row);
        };
        window.full = true;"""
    with empty_page(browser) as first:
        page, _ = page_with(first.context, site, full)
        page.keyboard.press("Tab")
        answer(page, rightly=True)
        assert "(no room)" in page.locator(".dl-notice").inner_text()
        page.evaluate("() => { window.full = false; }")
        page.keyboard.press("Enter")
        answer(page, rightly=True)
        assert page.locator(".dl-notice").inner_text() == ""
        page.reload()
        assert "2 answered, 2 right" in page.locator(".dl-count").inner_text()
