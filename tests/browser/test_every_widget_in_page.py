"""Every widget in a bare page: axe, two views of one widget, what it asks of its host, its end."""

import copy
import re

import comm
import pytest
from comm import DummyComm
from ipywidgets.widgets.widget import _put_buffers

from diffusion_lessons.widgets.page import module
from tests.browser import driving
from tests.browser.bare_host import hear, put, put_state, sent, use_dark_theme
from tests.browser.driving import axe_faults, stand_still
from tests.every_widget import EVERY

ALL = pytest.mark.parametrize("name", EVERY)
MODULES = ["scrub", "live", "guess", "plane", "canvas", "choose", "watch", "studio", "quiz"]


@ALL
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(page, name, theme):
    put(page, EVERY[name]())
    if theme == "dark":
        use_dark_theme(page)
    assert axe_faults(page) == []


@ALL
def test_a_second_view_works_too_and_disturbs_nothing(page, name):
    """Both are whole, no id is there twice, and one lives on when the other closes."""
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    put(page, EVERY[name]())
    page.evaluate("() => host.show()")
    first, second = page.locator("main").all()
    assert first.inner_text() == second.inner_text() != ""
    ids = page.eval_on_selector_all("[id]", "all => all.map(n => n.id)")
    assert len(set(ids)) == len(ids)
    page.evaluate("() => host.leave[0]()")
    assert first.inner_html() == ""
    for key in ("Tab", "ArrowRight", "Space", "Enter"):
        page.keyboard.press(key)
    assert second.inner_text() != "" and errors == []


@ALL
def test_no_key_gets_out_of_a_control(page, name):
    put(page, EVERY[name]())
    page.evaluate("() => { window.out = []; addEventListener('keydown', e => out.push(e.key)); }")
    for control in page.locator("input, button:not([aria-hidden]), summary, [tabindex='0']").all():
        if control.is_visible():
            control.focus()
            for key in ("x", "d", "ArrowUp", "Backspace", "Escape"):
                page.keyboard.press(key)
    assert page.evaluate("() => out") == []


@ALL
def test_a_view_that_closes_leaves_nothing_behind(moving_page, name):
    page = moving_page
    stand_still(page)
    put(page, EVERY[name]())
    for play in page.get_by_role("button", name="Play").all():
        play.click()
    page.evaluate("() => host.leave[0]()")
    page.clock.run_for(5000)
    left = page.evaluate("() => [host.listeners.length, document.querySelector('main').innerHTML]")
    assert left == [0, ""] and sent(page) == []


LOOK = """() => [document.querySelector('main').innerText,
  ...[...document.querySelectorAll('main canvas')].map((one) => one.toDataURL()),
  ...[...document.querySelectorAll('main svg')].map((n) => n.innerHTML.replace(/dl-\\w{6}-/g, '')),
  ...[...document.querySelectorAll('main input')].map((one) => [one.value, one.checked].join())]"""


FAIL = """() => {
  host.model.get = () => { throw new Error("no value"); };
  setTimeout(host.show);
}"""


@ALL
@pytest.mark.both_browsers
def test_a_widget_that_throws_before_it_listens_is_found_dead(page, name, monkeypatch):
    monkeypatch.setattr(driving, "ALIVE_LIMIT_S", 0.2)
    put(page, EVERY[name]())
    assert driving.dead_widgets(page, "main") == []
    page.evaluate(FAIL)
    page.locator("main").nth(1).wait_for(state="attached")
    dead = ["a widget is dead: <main></main>", "an error: no value"]
    assert driving.dead_widgets(page, "main") == dead


@pytest.mark.both_browsers
def test_a_widget_that_throws_when_it_is_already_drawn_is_found_by_its_error(page):
    page.set_content("<main></main>")
    page.evaluate("""() => setTimeout(() => {
      document.querySelector("main").innerHTML = "<p class=dl-widget><input></p>";
      throw new Error("deaf");
    })""")
    page.locator("input").wait_for()
    assert driving.dead_widgets(page, "main") == ["an error: deaf"]


@pytest.mark.both_browsers
def test_a_place_in_which_nothing_comes_alive_is_found(page, monkeypatch):
    monkeypatch.setattr(driving, "ALIVE_LIMIT_S", 0.2)
    page.set_content(
        "<p id=a><b class=dl-widget></b></p><p id=b>A still copy.</p><p id=c class=dl-widget></p>"
        "<p id=d class=dl-widget><b></b></p><p id=e><b class=dl-widget><i></i></b></p>"
    )
    found = driving.dead_widgets(page, "p")
    assert [re.findall('id="(.)"', one) for one in found] == [["a"], ["b"], ["c"]]


@ALL
@pytest.mark.both_browsers
def test_a_page_drawn_before_later_messages_comes_alive_and_shows_the_same(page, name, monkeypatch):
    """The page may be faster than the cell, which still tells the widget what to show."""
    lines = []

    def create_comm(**message):
        lines.append(RecordedComm(**message))
        return lines[-1]

    monkeypatch.setattr(comm, "create_comm", create_comm)
    widget = EVERY[name]()
    (line,) = [line for line in lines if "_esm" in line.states[0]]
    put_state(page, line.states[0])
    for state in line.states[1:]:
        for trait, value in state.items():
            hear(page, trait, value)
    early = page.evaluate(LOOK)
    for key in ("Tab", "ArrowRight", "Space", "Enter", "Tab", "Space", "Enter"):
        page.keyboard.press(key)
    assert (
        page.evaluate(LOOK) != early or sent(page) or name.startswith("watch")
    )  # it has no control
    put(page, widget)
    assert page.evaluate(LOOK) == early


class RecordedComm(DummyComm):
    """Keeps the states that go to the page."""

    def publish_msg(self, msg_type, data=None, buffers=None, **rest):
        if data:
            states = self.__dict__.setdefault("states", [])
            states.append(copy.deepcopy(data["state"]))
            _put_buffers(states[-1], data["buffer_paths"], buffers)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_asks_its_host_for_little_and_writes_no_html(name):
    text = module(name)
    asked = set(re.findall(r"\bmodel\??\.(\w+)", text))
    assert asked <= {"get", "set", "on", "off", "save_changes"}
    assert "model.off(" not in text  # only where the host has it
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
    assert not re.search(r"^import |https?://(?!www\.w3\.org)", text, re.MULTILINE)
