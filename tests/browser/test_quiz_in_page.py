"""The quiz's page side in an empty page: keys, screen reader, feedback, result. No kernel."""

import re

import pytest

from diffusion_lessons import quiz
from diffusion_lessons.quiz import questions
from diffusion_lessons.widgets.page import module
from tests.browser.bare_host import hear, put, sent
from tests.browser.driving import load_axe

FIFTEEN = questions.fifteen()
NASTY = "<img src=x onerror=\"document.title='caught'\"> does NOT <b>belong</b>"


@pytest.fixture
def widget(tmp_path):
    return quiz.start(tmp_path)


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1000, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


def serve(page, widget):
    """Let the kernel answer what the page asks, until it asks no more."""
    while page.evaluate("() => host.model.get('request').id") > widget.request["id"]:
        widget.request = page.evaluate("() => host.model.get('request')")
        hear(page, "state", widget.state)


def press(page, widget, *keys):
    for key in keys:
        page.keyboard.press(key)
        serve(page, widget)


def focused(page):
    return page.evaluate("() => document.activeElement.textContent || document.activeElement.type")


def choose(page, widget, place):
    """Choose the option at `place`, by keys, from the first one."""
    press(page, widget, *(["ArrowDown"] * place or ["Space"]))


def answer(page, widget, rightly=True, sure=True):
    """Answer the question on show by keys alone; the focus is on its first option."""
    shown = widget.state["question"]
    question = widget.deck.questions[shown["id"]]
    keys = [one["key"] for one in shown["options"]]
    place = next(i for i, key in enumerate(keys) if question.is_right(key) == rightly)
    choose(page, widget, place)
    press(page, widget, "Tab", *([] if sure else ["Tab"]), "Enter")
    return question, keys[place]


def test_all_fifteen_by_keyboard_alone_to_the_result(page, widget):
    put(page, widget)
    press(page, widget, "Tab")  # the first thing to reach is the first option
    for place, question in enumerate(FIFTEEN):
        assert page.get_by_role("group", name=question.stem).count() == 1
        assert focused(page) == "radio"
        rightly = place % 4 != 0
        asked, key = answer(page, widget, rightly, sure=place % 8 == 0)
        said = page.locator(".dl-feedback").inner_text()
        assert asked is question and question.options[key].why in said
        assert ("✓ " if rightly else "✗ ") in said and question.section.words in said
        assert focused(page) == ("See your result" if place == 14 else "Next")
        press(page, widget, "Enter")
    assert "11 of 15 right" in focused(page)
    assert page.get_by_role("region", name="Your result: 11 of 15 right").count() == 1
    assert page.locator(".dl-result ol > li").count() == 15
    press(page, widget, "Tab")
    assert page.evaluate("() => document.activeElement.href").endswith(FIFTEEN[4].section.href)


def test_a_missed_round_begins_with_confident_mistakes_in_another_order(page, widget):
    put(page, widget)
    press(page, widget, "Tab")
    for place in range(15):
        answer(page, widget, rightly=place not in (2, 6), sure=place == 6)
        press(page, widget, "Enter")
    page.get_by_role("button", name="Retry the missed ones").press("Enter")
    serve(page, widget)
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
    put(page, widget)
    question = FIFTEEN[0]
    press(page, widget, "Tab")
    answer(page, widget, rightly=False)
    page.locator(".dl-question input").first.focus()
    for option in [*question.options.values()][1:]:
        press(page, widget, "ArrowDown")
        said = page.locator(".dl-feedback").inner_text()
        assert option.why in said and "Your first answer counts" in said
    marks = page.locator(".dl-question label").all_inner_texts()
    assert [mark[0] if mark[0] in "✓✗" else "" for mark in marks] == ["✗", "✗", "✓", "✗"]
    assert page.locator(".dl-count").inner_text() == "Question 1 of 15 · 1 answered, 0 right"


def test_without_a_choice_nothing_is_checked_and_that_is_said(page, widget):
    put(page, widget)
    page.get_by_role("button", name="I am sure", exact=True).press("Enter")
    assert page.get_by_text("Choose one of the answers first.").is_visible() and sent(page) == []
    page.locator(".dl-question input").first.press("Space")
    assert not page.locator(".dl-hint").is_visible()


def test_the_two_stems_with_a_not_show_it_as_such(page, widget):
    put(page, widget)
    shouts = []
    for place, question in enumerate(FIFTEEN):
        hear(page, "state", widget.state | {"question": widget._question(question.id)})
        shouts += [place] * page.locator("legend strong.dl-not").count()
        assert page.locator("legend").inner_text() == question.stem
    assert shouts == [5, 7]
    border = page.locator(".dl-not").evaluate_all("all => all.map(n => getComputedStyle(n).border)")
    assert all(one.startswith("2px solid") for one in border)


def test_show_me_shows_a_picture_with_words(page, widget):
    put(page, widget)
    assert not page.get_by_role("button", name="Show me").is_visible()
    press(page, widget, "Tab")
    answer(page, widget)
    page.get_by_role("button", name="Show me").press("Enter")
    serve(page, widget)
    image = page.locator(".dl-shown img")
    assert len(image.get_attribute("alt")) > 30
    assert image.evaluate("n => n.decode().then(() => n.naturalWidth > 100)")
    assert re.search(r"\d\.\d\d", page.locator(".dl-shown p").inner_text())
    page.get_by_role("button", name="Next").press("Enter")
    serve(page, widget)
    assert page.locator(".dl-shown img").count() == 0


def test_closed_and_opened_again_it_goes_on(page, widget, tmp_path):
    put(page, widget)
    press(page, widget, "Tab")
    for _ in range(4):
        answer(page, widget)
        press(page, widget, "Enter")
    put(page, quiz.start(tmp_path))
    assert page.locator(".dl-count").inner_text() == "Question 5 of 15 · 4 answered, 4 right"


def test_the_result_can_be_printed_and_the_paper_holds_all_of_it(page, widget):
    for question in FIFTEEN:
        widget.deck.answer(question.id, question.right, True)
    widget.request = {"id": 1, "do": "go", "to": 15}
    put(page, widget)
    page.evaluate(
        """() => { window.papers = []; const add = document.body.append.bind(document.body);
        document.body.append = (node) => { add(node); node.contentWindow.print = () => {
          papers.push(node.contentDocument.body.innerText);
          node.contentWindow.dispatchEvent(new Event('afterprint')); }; }; }"""
    )
    page.get_by_role("button", name="Print").press("Enter")
    (paper,) = page.evaluate("() => papers")
    assert "15 of 15 right" in paper and all(question.stem in paper for question in FIFTEEN)
    assert page.locator("iframe").count() == 0


def test_a_notice_is_said(page, widget):
    put(page, widget)
    hear(page, "state", widget.state | {"notice": "Your answers cannot be kept on disk: full."})
    assert page.get_by_role("status").first.inner_text().startswith("Your answers cannot be kept")


def test_html_in_the_data_is_shown_as_text(page, widget):
    put(page, widget)
    state = widget.state
    question = state["question"] | {
        "id": "other",
        "stem": NASTY,
        "chosen": "a",
        "options": [one | {"text": NASTY} for one in state["question"]["options"]],
        "feedback": {"sign": "✗", "verdict": NASTY, "why": NASTY,
                     "link": {"words": NASTY, "href": "01.ipynb"}},
    }  # fmt: skip
    shown = {"words": NASTY, "picture": "", "alt": "", "width": 0}
    hear(page, "state", state | {"question": question, "notice": NASTY, "shown": shown})
    page.wait_for_timeout(200)
    assert page.locator("main img, main b").count() == 0 and page.title() == "widget"
    assert page.locator("legend").inner_text() == NASTY


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1000, 320])
def test_axe_finds_nothing_and_nothing_hangs_over_the_edge(page, widget, width, dark):
    page.set_viewport_size({"width": width, "height": 900})
    put(page, widget)
    if dark:
        page.evaluate("() => { document.body.dataset.jpThemeLight = 'false'; }")
        page.add_style_tag(content="body { background: #111; --jp-layout-color1: #212121; "
                           "--jp-layout-color2: #424242; --jp-ui-font-color1: #fff; "
                           "--jp-ui-font-color2: #bbb; }")  # fmt: skip
    load_axe(page)

    def faults():
        found = page.evaluate("() => axe.run('main')")["violations"]
        wide = page.evaluate("() => document.documentElement.scrollWidth") > width
        return [(one["id"], one["nodes"][0]["html"]) for one in found] + ["too wide"] * wide

    assert faults() == []
    for place, question in enumerate(FIFTEEN):
        widget.deck.answer(question.id, "a", place % 2 == 0)
    for request in ({"do": "go", "to": 5}, {"do": "show", "question": FIFTEEN[0].id},
                    {"do": "go", "to": 15}):  # fmt: skip
        widget.request = {"id": widget.request["id"] + 1, **request}
        hear(page, "state", widget.state)
        assert faults() == []


def test_no_key_gets_out_of_a_control(page, widget):
    put(page, widget)
    press(page, widget, "Tab")
    answer(page, widget)
    page.evaluate("() => { window.out = []; addEventListener('keydown', e => out.push(e.key)); }")
    for control in page.locator("input, button").all():
        if control.is_visible():
            control.focus()
            for key in ("x", "d", "ArrowUp", "Escape"):
                page.keyboard.press(key)
    assert page.evaluate("() => out") == []


def test_two_views_follow_each_other_and_only_one_takes_the_focus(page, widget):
    put(page, widget)
    page.evaluate("() => host.show()")
    press(page, widget, "Tab")
    answer(page, widget)
    assert page.locator(".dl-verdict").all_inner_texts()[0][:1] == "✓"
    assert len(set(page.locator(".dl-feedback").all_inner_texts())) == 1
    assert page.evaluate("() => document.querySelector('main').contains(document.activeElement)")
    ids = page.eval_on_selector_all("[id]", "all => all.map(n => n.id)")
    assert len(set(ids)) == len(ids)


def test_impatient_presses_ask_one_thing_at_a_time(page, widget):
    put(page, widget)
    for _ in range(5):
        page.get_by_role("button", name="Skip").press("Enter")
    assert len(sent(page)) == 1
    serve(page, widget)
    assert len(sent(page)) == 2 and widget.state["here"] == 1  # the newest wish waited: on to 2


def test_a_view_that_closes_leaves_nothing_behind(page, widget):
    put(page, widget)
    page.evaluate("() => host.leave[0]()")
    assert page.evaluate(
        "() => [host.listeners.length, document.querySelector('main').innerHTML]"
    ) == [0, ""]


def test_one_question_before_an_idea_has_no_turns(page):
    widget = quiz.before("02")
    put(page, widget)
    press(page, widget, "Tab")
    answer(page, widget)
    assert page.locator(".dl-verdict").text_content() == "✓ Right."
    for name in ("Next", "Skip", "Previous", "Show me", "See your result"):
        assert not page.get_by_role("button", name=name).is_visible()


def test_the_module_asks_its_host_for_nothing_else_and_writes_no_html():
    text = module("quiz")
    asked = set(re.findall(r"\bmodel\??\.(\w+)", text))
    assert asked <= {"get", "set", "on", "off", "save_changes"}
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
    assert not re.search(r"^import |https?://(?!www\.w3\.org)", text, re.MULTILINE)
