"""Every widget in a bare page: axe, two views of one widget, what it asks of its host, its end."""

import re

import pytest

from diffusion_lessons.widgets.page import module
from tests.browser.bare_host import put, sent, use_dark_theme
from tests.browser.driving import axe_faults
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
    page.clock.install()
    put(page, EVERY[name]())
    for play in page.get_by_role("button", name="Play").all():
        play.click()
    page.evaluate("() => host.leave[0]()")
    page.clock.run_for(5000)
    left = page.evaluate("() => [host.listeners.length, document.querySelector('main').innerHTML]")
    assert left == [0, ""] and sent(page) == []


@pytest.mark.parametrize("name", MODULES)
def test_a_module_asks_its_host_for_little_and_writes_no_html(name):
    text = module(name)
    asked = set(re.findall(r"\bmodel\??\.(\w+)", text))
    assert asked <= {"get", "set", "on", "off", "save_changes"}
    assert "model.off(" not in text  # only where the host has it
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
    assert not re.search(r"^import |https?://(?!www\.w3\.org)", text, re.MULTILINE)
