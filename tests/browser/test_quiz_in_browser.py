"""The quiz in JupyterLab: fifteen answers by keyboard, closed half-way, opened again."""

import json

from diffusion_lessons.quiz import questions
from diffusion_lessons.quiz.answers import FILE
from tests.browser.lab import PANEL, opened

FIFTEEN = questions.fifteen()
HALF = 7
MISSED = (2, 9)
ON_SHOW = f"""id => {{ const heading = [...document.querySelectorAll(`{PANEL} [data-jupyter-id]`)]
  .find(n => n.dataset.jupyterId === id);
  const top = heading?.getBoundingClientRect().top; return top > 0 && top < 500; }}"""


def _answer(page, place):
    """Answer question `place` by keys; the focus is on its first option, which is option a."""
    page.wait_for_function(
        "n => document.querySelector('.dl-count').textContent.startsWith(`Question ${n} `)"
        " && document.activeElement.type === 'radio'",
        arg=place + 1,
    )
    right = "abcd".index(FIFTEEN[place].right)
    chosen = (right + 1) % 4 if place in MISSED else right
    for key in ["ArrowDown"] * chosen or ["Space"]:
        page.keyboard.press(key)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # "I am sure"
    page.wait_for_function("() => /Next|See/.test(document.activeElement.textContent)")
    option = FIFTEEN[place].options["abcd"[chosen]]
    assert option.why in page.locator(".dl-feedback").inner_text()
    page.keyboard.press("Enter")


def test_fifteen_answers_by_keyboard_closed_half_way_and_gone_on_with(browser, lab):
    kept = lab.log.parent / "data" / "diffusion-lessons" / FILE
    kept.unlink(missing_ok=True)
    with opened(browser, lab, "09_quiz.ipynb") as notebook:
        notebook.run_all()
        cells = notebook.cell_count()
        notebook.page.locator(".dl-question input").first.focus()
        for place in range(HALF):
            _answer(notebook.page, place)
        notebook.wait_idle()
        assert notebook.cell_count() == cells and notebook.cell_errors() == []
    assert len(json.loads(kept.read_text())["answers"]) == HALF
    with opened(browser, lab, "09_quiz.ipynb") as notebook:
        notebook.run_all()
        page = notebook.page
        assert page.locator(".dl-count").inner_text() == "Question 8 of 15 · 7 answered, 6 right"
        page.locator(".dl-question input").first.focus()
        for place in range(HALF, 15):
            _answer(page, place)
        page.wait_for_selector(".dl-score")
        assert page.locator(".dl-score").inner_text() == "13 of 15 right"
        links = page.locator(".dl-result ul a")
        wanted = sorted(FIFTEEN[place].section.href for place in MISSED)
        assert sorted(link.get_attribute("href") for link in links.all()) == wanted
        links.first.press("Enter")
        first = min((FIFTEEN[place].section for place in MISSED), key=lambda one: one.lesson)
        page.wait_for_function(ON_SHOW, arg=first.heading.replace(" ", "-"))
        assert len(page.context.pages) == 1 and notebook.faults == []
        page.evaluate("() => window.jupyterapp.commands.execute('application:close')")
