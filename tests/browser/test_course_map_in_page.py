"""The map of the whole model: each lesson lights its own parts, and each part opens its lesson."""

import re

import nbformat
import pytest

from diffusion_lessons.pictures import PALETTE
from diffusion_lessons.widgets import course_map as show
from diffusion_lessons.widgets.course_map import LESSONS, PARTS, ROADS
from tests.browser.bare_host import asks, use_dark_theme
from tests.browser.driving import axe_faults
from tests.colours import contrast
from tools import notebooks as tool

WITH_MAP = [path for path in tool.lessons() if path.stem in LESSONS or path.stem == "09_quiz"]
BOX = re.compile(
    r'<li><a class="dl-part" href="(\d\d)_\w+\.ipynb"( aria-current="page")?>'
    r"<b>(.*?)</b> <small>(.*?)</small></a></li>"
)


@pytest.mark.parametrize("path", WITH_MAP, ids=lambda path: path.stem)
def test_a_lesson_shows_the_map_with_its_own_parts_lit(path):
    number = int(path.name[:2])
    (cell,) = [
        cell for cell in nbformat.read(path, as_version=4).cells
        if f"widgets.course_map({number})" in cell.source
    ]  # fmt: skip
    stored = cell.outputs[-1].data["text/html"]
    assert stored == show(number).data, "the stored map is not the one drawn now"
    boxes = BOX.findall(stored)
    assert [name for _, _, name, _ in boxes] == list(PARTS)
    for lesson, current, name, below in boxes:
        here = PARTS[name][0] == number
        assert bool(current) == here and below == ("you are here" if here else f"lesson {lesson}")
    assert any(current for _, current, _, _ in boxes) or number == 9


def test_every_part_leads_to_a_lesson_and_every_arrow_joins_two_parts():
    stems = {path.stem for path in tool.lessons()}
    assert all(LESSONS[number] in stems for number, _ in PARTS.values())
    assert {number for number, _ in PARTS.values()} == set(range(len(LESSONS)))
    joined = {name for roads in ROADS.values() for road in roads for name in road}
    assert joined == set(PARTS)
    html = show(1).data
    assert html.count("<desc>painting: words to tokens, ") == html.count("<title>") == 2


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [254, 760])
def test_the_map_can_be_read_at_any_width_and_by_everyone(page, width, dark):
    page.set_viewport_size({"width": width, "height": 800})
    page.set_content(
        "<!doctype html><html lang='en'><title>map</title><body style='margin: 0; font-family: "
        f"DejaVu Sans; color: var(--jp-ui-font-color1)'><main>{show(5).data}</main></body></html>"
    )
    if dark:
        use_dark_theme(page)
    assert axe_faults(page) == [] and page.evaluate(asks("crossed")) == []
    page.keyboard.press("Tab")
    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate("() => document.activeElement.innerText").startswith("words")
    assert page.evaluate(outline) == "solid"


def test_words_on_a_lit_part_stand_out():
    assert contrast(PALETTE["teal"], "#ffffff") >= 4.5
