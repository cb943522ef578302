"""The studio's page side in an empty page: keys, wrong entries, the way, the gallery. No kernel."""

import re

import numpy as np
import pytest

from diffusion_lessons import widgets
from diffusion_lessons.workspace import DamagedFile
from tests.browser.bare_host import answer_all, hear, pixels, put, sent, use_dark_theme
from tests.browser.driving import STUDIO_PARTS, axe_faults, off_the_screen
from tests.every_widget import HOUSE
from tests.small_pipe import small_pipe
from tests.typed_numbers import TYPED

PROMPT, NEGATIVE = "What is the picture to show?", "negative prompt"
NASTY = "<img src=x onerror=\"document.title='caught'\">"


@pytest.fixture(scope="module")
def pipe():
    return small_pipe()


@pytest.fixture
def studio(pipe, tmp_path):
    return widgets.studio(lambda: pipe, prompt=HOUSE, folder=tmp_path)


def _big(page) -> np.ndarray:
    """The pixels of the large picture."""
    return pixels(page, ".dl-big canvas")


def _shows(page, studio, place: int = -1) -> bool:
    """Whether the large picture is what was in the model's hands at a place of the newest way."""
    return bool((_big(page) == studio.way.frames[0, place]).all())


def _prompt(page):
    return page.get_by_role("textbox", name=PROMPT)


def _say(page, text) -> None:
    _prompt(page).fill(text)
    page.keyboard.press("Enter")


# --- asking ---


def test_typing_asks_for_nothing_and_enter_asks_once(page, studio):
    put(page, studio)
    assert sent(page) == [] and _shows(page, studio)
    _prompt(page).focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("a blue cat")
    assert sent(page) == []
    page.keyboard.press("Enter")
    places = ["a blue cat", "", "0", "3", "2.5"]
    assert sent(page) == [{"request": {"id": 1, "places": places}}]
    answer_all(page, studio)
    assert len(sent(page)) == 1 and _shows(page, studio)
    assert page.get_by_role("status").last.inner_text().startswith("“a blue cat” · seed 0")
    assert re.search(r"Drawn in \d+\.\d\d seconds\.", page.locator(".dl-took").inner_text())


def test_one_request_at_a_time_and_the_newest_follows(page, studio):
    put(page, studio)
    seed = page.get_by_role("spinbutton", name="seed")
    seed.focus()
    for _ in range(6):
        page.keyboard.press("ArrowUp")
    asked = [one["request"]["places"][2] for one in sent(page)]
    assert asked == ["1"]
    answer_all(page, studio)
    asked = [one["request"]["places"][2] for one in sent(page)]
    assert asked == ["1", "6"] and studio.way.settings.seed == 6
    assert _shows(page, studio)


@pytest.mark.parametrize("name", ["seed", "steps", "guidance"])
def test_numbers_go_up_and_down_by_arrow_and_stay_in_their_range(page, studio, name):
    put(page, studio)
    field = page.get_by_role("spinbutton", name=name)
    low, high = (float(field.get_attribute(f"aria-value{end}")) for end in ("min", "max"))
    before = float(field.input_value())
    field.press("ArrowUp")
    step = float(field.input_value()) - before
    assert step == (0.5 if name == "guidance" else 1)
    assert float(field.get_attribute("aria-valuenow")) == before + step
    field.press("ArrowDown")
    assert float(field.input_value()) == before
    field.fill(str(low))
    field.press("PageDown")
    assert float(field.input_value()) == low
    field.fill(str(high))
    field.press("PageUp")
    assert float(field.input_value()) == high
    field.fill("much")
    assert field.get_attribute("aria-valuenow") is None


def test_the_mouse_has_buttons_for_numbers_that_the_tab_key_passes_by(page, studio):
    put(page, studio)
    page.locator(".dl-number", has_text="seed").get_by_text("+").click()
    assert sent(page)[-1]["request"]["places"][2] == "1"
    page.get_by_role("spinbutton", name="seed").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.getAttribute('role')") == "spinbutton"


def test_suggestions_and_surprises_are_drawn(page, studio):
    put(page, studio)
    page.get_by_role("button", name=studio.suggestions[2]).press("Enter")
    assert _prompt(page).input_value() == studio.suggestions[2]
    answer_all(page, studio)
    seen = set()
    for _ in range(4):
        page.get_by_role("button", name="Surprise me").press("Enter")
        answer_all(page, studio)
        seen.add(studio.way.settings)
        assert studio.way.settings.prompt in studio.surprises
        assert _shows(page, studio)
    assert len(seen) == 4


@pytest.mark.parametrize("name", ["seed", "steps", "guidance"])
def test_a_number_is_read_however_it_is_typed(page, studio, name):
    put(page, studio)
    page.locator("summary").press("Enter")
    field = page.get_by_label(name)
    for typed, number in TYPED.items():
        field.fill(typed)
        found = field.get_attribute("aria-valuenow")
        assert (found is None) if number is None else float(found) == number, typed


# --- what makes no sense ---


@pytest.mark.parametrize(
    ("name", "text", "part", "right"),
    [
        (PROMPT, NASTY, "<", "a blue cat"),
        (PROMPT, "a red dragon", "dragon", "a blue cat"),
        (PROMPT, "", "no words yet", "a blue cat"),
        (PROMPT, "a house " * 1250, "characters", "a blue cat"),
        (NEGATIVE, NASTY, "<", "night"),
        ("guidance", "high", "guidance is 'high'", "2"),
        ("steps", "0", "steps is 0", "2"),
        ("steps", "100000", "steps is 100000", "2"),
        ("seed", "<b>7</b>", "seed is '<b>7</b>'", "2"),
    ],
)
def test_a_wrong_entry_is_a_sentence_and_the_picture_before_stays(
    page, studio, name, text, part, right
):
    put(page, studio)
    page.locator("summary").press("Enter")
    before, field, alert = _big(page), page.get_by_label(name), page.get_by_role("alert")
    field.fill(text)
    field.press("Enter" if name in (PROMPT, NEGATIVE) else "Tab")
    answer_all(page, studio)
    assert alert.inner_text().startswith("This could not be drawn. ") and part in alert.inner_text()
    assert (_big(page) == before).all() and page.locator("main img").count() == 0
    assert page.get_by_role("status").last.inner_text().startswith(f"“{HOUSE}”")
    field.fill(right)
    field.press("Enter")
    answer_all(page, studio)
    assert alert.inner_text() == "" and not (_big(page) == before).all()


def test_without_a_first_picture_there_is_a_sentence_and_the_next_try_works(page, pipe, tmp_path):
    there = []

    def load():
        if not there:
            raise DamagedFile("The weights are missing. Fix: get the course again.")
        return pipe

    studio = widgets.studio(load, prompt=HOUSE, folder=tmp_path)
    put(page, studio)
    assert "The weights are missing. Fix: get" in page.get_by_role("alert").inner_text()
    assert not page.locator(".dl-big").is_visible()
    assert not page.get_by_role("button", name="Save").is_visible()
    there.append(True)
    page.get_by_role("button", name="Draw").press("Enter")  # the same words again
    answer_all(page, studio)
    assert page.locator(".dl-big").is_visible() and page.get_by_role("alert").inner_text() == ""


# --- the way ---


def test_the_slider_shows_every_place_of_the_way_and_its_guess(page, studio):
    put(page, studio)
    page.get_by_role("slider", name="the way from noise").focus()
    page.keyboard.press("Home")
    for place, words in enumerate(studio.answer["places"]):
        assert _shows(page, studio, place)
        labels = page.eval_on_selector_all("figure canvas", "all => all.map(n => n.ariaLabel)")
        assert all(words in label for label in labels)
        assert page.get_by_role("slider").get_attribute("aria-valuetext") == words
        here = page.eval_on_selector_all(
            ".dl-film canvas", "all => all.map(n => n.matches('.dl-here'))"
        )
        assert here.index(True) == place and here.count(True) == 1
        page.keyboard.press("ArrowRight")
    assert sent(page) == []


def test_another_seed_is_seen_at_the_place_where_one_looks(page, studio):
    put(page, studio)
    page.get_by_role("slider").press("ArrowLeft")
    seed = page.get_by_role("spinbutton", name="seed")
    seed.press("ArrowUp")
    answer_all(page, studio)
    assert _shows(page, studio, 2)
    page.get_by_role("spinbutton", name="steps").press("ArrowUp")  # a way of other places
    answer_all(page, studio)
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "after step 4 of 4"
    assert page.get_by_role("slider").get_attribute("max") == "4"


def test_a_picture_asked_for_is_seen_coming_out_of_noise(moving_page, studio):
    page = moving_page
    page.clock.install(time=0)
    put(page, studio)
    page.clock.pause_at(1000)
    _say(page, "a blue cat")
    answer_all(page, studio)
    assert _shows(page, studio, 0)  # noise at first
    page.clock.run_for(10_000)
    assert _shows(page, studio)
    page.get_by_role("spinbutton", name="seed").press("ArrowUp")
    answer_all(page, studio)
    assert _shows(page, studio)  # a setting: at once
    page.get_by_role("button", name="Draw").click()  # nothing new: the same way again
    assert _shows(page, studio, 0) and len(sent(page)) == 2
    said = page.get_by_role("status").last.inner_text()
    assert "The same words and the same numbers give the same picture" in said


# --- the gallery ---


def _save(page, studio) -> None:
    page.get_by_role("button", name="Save").press("Enter")
    studio.keep = page.evaluate("() => host.model.get('keep')")
    hear(page, "kept", studio.kept)


def test_a_kept_picture_is_on_the_shelf_and_comes_back_with_its_settings(page, studio):
    put(page, studio)
    assert page.get_by_text("Your gallery is empty so far").count() == 1
    page.get_by_role("spinbutton", name="seed").press("ArrowUp")
    answer_all(page, studio)
    _save(page, studio)
    assert page.locator(".dl-saved").inner_text().endswith("/0001-a-red-house-on-snow.png")
    before = _big(page)
    _say(page, "a blue cat")
    answer_all(page, studio)
    page.locator(".dl-shelf").get_by_role("button", name=HOUSE).press("Enter")
    answer_all(page, studio)
    assert (_big(page) == before).all() and studio.way.settings.seed == 1
    assert _prompt(page).input_value() == HOUSE


def test_a_picture_that_could_not_be_saved_is_said(page, pipe, tmp_path):
    (tmp_path / "file").write_text("where a folder is needed")
    studio = widgets.studio(lambda: pipe, prompt=HOUSE, folder=tmp_path / "file" / "gallery")
    put(page, studio)
    _save(page, studio)
    assert "could not be written" in page.locator(".dl-saved.dl-problem").inner_text()
    assert page.locator(".dl-shelf button").count() == 1


def test_html_in_the_words_of_the_gallery_is_shown_as_text(page, studio):
    put(page, studio)
    _save(page, studio)
    one = studio.kept["pictures"][0] | {"prompt": NASTY, "words": NASTY}
    hear(page, "kept", {"id": 1, "words": NASTY, "pictures": [one]})
    hear(page, "answer", studio.answer | {"number": 9, "id": 0, "words": NASTY, "alt": NASTY})
    assert page.locator(".dl-shelf span").inner_text() == NASTY
    page.wait_for_timeout(200)
    assert page.locator("main img").count() == 0 and page.title() == "widget"


# --- all ---


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1000, 736, 380])
def test_axe_finds_nothing_and_nothing_hangs_over_the_edge(page, studio, width, dark):
    page.set_viewport_size({"width": width, "height": 900})
    put(page, studio)
    _save(page, studio)
    page.locator("summary").press("Enter")
    assert page.get_by_role("textbox", name="negative prompt").is_visible()
    _say(page, "a red dragon")
    answer_all(page, studio)
    if dark:
        use_dark_theme(page)
    assert axe_faults(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    numbers = page.locator(".dl-spin")
    inside = [one.evaluate("n => n.scrollWidth <= n.clientWidth") for one in numbers.all()]
    assert len(inside) == 3 and all(inside), "a number's buttons are cut off"


@pytest.mark.parametrize("width", [1280, 640, 390])
def test_words_picture_and_all_that_moves_it_are_on_one_screen(page, studio, width):
    page.set_viewport_size({"width": width, "height": 800})
    put(page, studio)
    assert off_the_screen(page, STUDIO_PARTS, bottom=800) == []
    page.set_viewport_size({"width": 280, "height": 500})  # where they cannot be
    assert off_the_screen(page, STUDIO_PARTS, bottom=500) == [".dl-side", ".dl-way"]
