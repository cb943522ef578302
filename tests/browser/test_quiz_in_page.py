"""The quiz's page side in an empty page: keys, screen reader, feedback, result. No kernel."""

import re

import pytest

from diffusion_lessons import quiz
from diffusion_lessons.quiz import questions
from tests.browser.bare_host import asks, hear, put, sent, use_dark_theme
from tests.browser.driving import axe_faults, stand_still

FIFTEEN = questions.fifteen()
NASTY = "<img src=x onerror=\"document.title='caught'\"> does NOT <b>belong</b>"


@pytest.fixture
def widget(tmp_path, page):
    """A new quiz on show."""
    widget = quiz.start(tmp_path)
    put(page, widget)
    return widget


def serve(page, widget):
    """Let the kernel answer what the page asks."""
    if page.evaluate("() => host.model.get('request').id") > widget.request["id"]:
        widget.request = page.evaluate("() => host.model.get('request')")
        hear(page, "answer", widget.answer)


def press(page, widget, *keys):
    for key in keys:
        page.keyboard.press(key)
        serve(page, widget)


def push(page, widget, name):
    page.get_by_role("button", name=name, exact=True).press("Enter")
    serve(page, widget)


def focused(page):
    return page.evaluate("() => document.activeElement.textContent || document.activeElement.type")


def answer(page, widget, rightly=True, sure=True):
    """Answer the question on show by keys alone; the focus is on its first option."""
    shown = widget.answer["question"]
    question = widget.answers.forms[shown["id"]]
    keys = [one["key"] for one in shown["options"]]
    place = next(i for i, key in enumerate(keys) if question.is_right(key) == rightly)
    press(page, widget, *(["ArrowDown"] * place or ["Space"]))
    press(page, widget, "Tab", *([] if sure else ["Tab"]), "Enter")
    return question, keys[place]


def test_all_fifteen_by_keyboard_alone_to_the_result_and_a_round_of_the_missed(page, widget):
    press(page, widget, "Tab")  # the first thing to reach is the first option
    for place, question in enumerate(FIFTEEN):
        assert page.get_by_role("group", name=question.stem).count() == 1
        assert focused(page) == "radio"
        rightly = place not in (2, 6)
        asked, key = answer(page, widget, rightly, sure=place % 3 == 0)
        said = page.locator(".dl-feedback").inner_text()
        assert asked is question and question.options[key].why in said
        assert ("✓ " if rightly else "✗ ") in said and question.section.words in said
        assert focused(page) == ("See your result" if place == 14 else "Next")
        press(page, widget, "Enter")
    assert "13 of 15 right" in focused(page)
    assert page.get_by_role("region", name="Your result: 13 of 15 right").count() == 1
    assert page.locator(".dl-result ol > li").count() == 15
    press(page, widget, "Tab")
    first = min((FIFTEEN[place] for place in (2, 6)), key=lambda one: one.section.lesson)
    assert page.evaluate("() => document.activeElement.href").endswith(first.section.href)

    push(page, widget, "Retry the missed ones")  # the confident mistake first, in another order
    assert focused(page) == "radio" and page.locator("legend").inner_text() == FIFTEEN[6].stem
    before = [option.text for option in FIFTEEN[6].options.values()]
    shown = page.locator(".dl-question label").all_inner_texts()
    assert sorted(shown) == sorted(before) and shown != before
    for _ in range(2):
        answer(page, widget)
        press(page, widget, "Enter")
    assert "2 of 2 right" in focused(page)
    assert not page.get_by_role("button", name="Retry the missed ones").is_visible()


def test_every_option_has_its_feedback_and_only_the_first_answer_counts(page, widget):
    press(page, widget, "Tab")
    answer(page, widget, rightly=False)
    page.locator(".dl-question input").first.focus()
    for option in [*FIFTEEN[0].options.values()][1:]:
        press(page, widget, "ArrowDown")
        said = page.locator(".dl-feedback").inner_text()
        assert option.why in said and "Your first answer counts" in said
    push(page, widget, "Next")
    push(page, widget, "Previous")  # what was looked at is remembered
    assert option.why in page.locator(".dl-feedback").inner_text()
    marks = page.locator(".dl-question label").all_inner_texts()
    assert [mark[0] if mark[0] in "✓✗" else "" for mark in marks] == [
        "✓" if FIFTEEN[0].is_right(key) else "✗" for key in FIFTEEN[0].options
    ]
    assert page.locator(".dl-count").inner_text() == "Question 1 of 15 · 1 answered, 0 right"


def test_without_a_choice_nothing_is_checked_and_that_is_said(page, widget):
    push(page, widget, "I am sure")
    assert page.get_by_text("Choose one of the answers first.").is_visible() and sent(page) == []
    page.locator(".dl-question input").first.press("Space")
    assert not page.locator(".dl-hint").is_visible()


def test_the_two_stems_with_a_not_show_it_as_such(page, widget):
    shouts = []
    for place, question in enumerate(FIFTEEN):
        hear(page, "answer", widget.answer | {"question": widget._question(question.id, {})})
        shouts += [place] * page.locator("legend strong.dl-not").count()
        assert page.locator("legend").inner_text() == question.stem
    assert shouts == [5, 7]
    border = page.locator(".dl-not").evaluate_all("all => all.map(n => getComputedStyle(n).border)")
    assert all(one.startswith("2px solid") for one in border)


def test_show_me_shows_a_picture_with_words(page, widget):
    assert not page.get_by_role("button", name="Show me").is_visible()
    press(page, widget, "Tab")
    answer(page, widget)
    push(page, widget, "Show me")
    image = page.locator(".dl-shown img")
    assert len(image.get_attribute("alt")) > 30
    assert image.evaluate("n => n.decode().then(() => n.naturalWidth > 100)")
    assert re.search(r"\d\.\d", page.locator(".dl-shown p").inner_text())
    push(page, widget, "Next")
    assert page.locator(".dl-shown img").count() == 0


def test_the_result_can_be_printed_and_the_paper_holds_all_of_it(page, widget):
    for question in FIFTEEN:
        widget.answers.answer(question.id, question.right, True)
    widget.request = {"id": 1, "do": "go", "round": "first"}
    put(page, widget)
    page.evaluate(asks("keepPapers"))
    push(page, widget, "Print")
    (paper,) = page.evaluate("() => papers")
    assert "15 of 15 right" in paper and all(question.stem in paper for question in FIFTEEN)
    assert page.locator("iframe").count() == 0


def test_notices_and_problems_are_said_and_html_in_the_data_is_shown_as_text(page, widget):
    feedback = {"sign": "✗", "verdict": NASTY, "why": NASTY}
    question = widget.answer["question"]
    options = [one | {"text": NASTY, "feedback": feedback} for one in question["options"]]
    link = {"words": NASTY, "href": "01.ipynb"}
    nasty = {"id": "other", "stem": NASTY, "chosen": "a", "options": options, "link": link}
    shown = {"words": NASTY, "picture": "", "alt": "", "width": 0}
    all_of_it = {
        "question": question | nasty,
        "notice": NASTY,
        "demonstration": shown,
        "problem": NASTY,
    }
    hear(page, "answer", widget.answer | all_of_it)
    page.wait_for_timeout(200)
    assert page.locator("main img, main b").count() == 0 and page.title() == "widget"
    assert page.locator("legend").inner_text() == NASTY
    assert page.get_by_role("status").first.inner_text() == NASTY
    assert page.get_by_role("alert").inner_text() == f"That did not work. {NASTY}"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1000, 320])
def test_axe_finds_nothing_and_nothing_hangs_over_the_edge(page, widget, width, dark):
    page.set_viewport_size({"width": width, "height": 900})
    for place, question in enumerate(FIFTEEN):
        widget.answers.answer(question.id, "a", place % 2 == 0)
    for what in ({"do": "go", "here": 5}, {"do": "show", "here": 0}, {"do": "go"}, None):
        if what:
            widget.request = {"id": widget.request["id"] + 1, "round": "first", **what}
        put(page, widget if what else quiz.before("02"))
        if dark:
            use_dark_theme(page)
        assert axe_faults(page) == []
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_no_key_gets_out_of_a_control(page, widget):
    press(page, widget, "Tab")
    answer(page, widget)
    page.evaluate("() => { window.out = []; addEventListener('keydown', e => out.push(e.key)); }")
    for control in page.locator(":is(input, button):visible").all():
        for key in ("x", "d", "ArrowUp", "Escape"):
            control.press(key)
    assert page.evaluate("() => out") == []


def test_a_second_view_asks_and_answers_for_itself(page, widget):
    page.evaluate("() => host.show()")
    first, second = page.locator("main").all()
    for place, view in ((1, first), (0, second)):
        if place:
            view.get_by_role("button", name="Skip").press("Enter")
            serve(page, widget)
        view.locator("input").first.press("Space")
        view.get_by_role("button", name="I am sure").press("Enter")
        serve(page, widget)
        assert FIFTEEN[place].options["a"].why in view.locator(".dl-feedback").inner_text()
        assert view.evaluate("n => n.contains(document.activeElement)")


def test_while_an_answer_is_on_its_way_nothing_else_is_asked_and_a_dead_kernel_shows(page, widget):
    stand_still(page)
    for _ in range(5):
        page.get_by_role("button", name="Skip").press("Enter")
    assert len(sent(page)) == 1
    page.clock.run_for(500)
    assert page.locator(".dl-wait").inner_text() == "one moment …"
    page.clock.run_for(10_000)
    assert "the kernel is busy with a cell, or has stopped" in page.locator(".dl-wait").inner_text()
    assert page.locator("button[aria-disabled=true]:visible").count() == 3
    serve(page, widget)
    assert page.locator(".dl-wait").inner_text() == "" and widget.answer["here"] == 1
    assert page.locator("button[aria-disabled=true]").count() == 0


def test_one_question_before_an_idea_has_no_turns(page):
    widget = quiz.before("02")
    put(page, widget)
    press(page, widget, "Tab")
    answer(page, widget)
    assert page.locator(".dl-verdict").text_content() == "✓ Right."
    for name in ("Next", "Skip", "Previous", "Show me", "See your result"):
        assert not page.get_by_role("button", name=name).is_visible()
