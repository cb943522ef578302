"""The site's lessons: their widgets live without Python, and answer what Python answers."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from diffusion_lessons import pictures, pipeline, postcards, sampling
from diffusion_lessons.widgets import guess as ask
from diffusion_lessons.widgets.studio import described, make, read
from tests.browser.driving import faults_of_page
from web import lessons
from web.widgets import STATE, VIEW

pytestmark = pytest.mark.both_browsers

RGB = """(canvas) => { const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width,
    canvas.height); return Array.from(data).filter((_, i) => i % 4 < 3); }"""


SECTION = re.compile(r'<section [^>]*cell-id=([\w-]+)"(.*?)</section>', re.S)


def opened(page: Page, site: str, name: str) -> list[str]:
    """Open a lesson, wait for its widgets, and return what fails, from now on as well."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{site}{name}.html")
    page.wait_for_function("document.body.dataset.alive", timeout=60_000)
    return wrong


def pixels(page: Page, canvas: str) -> np.ndarray:
    """The pixels (64, 64, 3) of a canvas."""
    return np.array(page.locator(canvas).evaluate(RGB)).reshape(64, 64, 3)


def test_the_studio_draws_and_refuses_as_python_does(page, site):
    wrong = opened(page, site, "00_start_here")
    pipe = pipeline.TextToImage.from_pretrained()
    for places in (
        ["a blue boat", "", "7", "5", "3"],
        ["a house", "", "1,000", "30", "2.5"],
        ["a cat", "night", "3", "4", "4"],
    ):
        said = fill(page, places)
        way = make(pipe, read(places))
        assert said == described(way.settings)
        off = np.abs(pixels(page, ".dl-big canvas") - way.frames[0, -1].astype(int))
        assert off.max() <= 1, places
        assert page.locator(".dl-film canvas").count() == len(way.words)
    for places in (
        ["", "", "7", "5", "3"], ["a huose", "", "7", "5", "3"], ["a house", "", "x", "5", "3"],
        ["a house", "", "-1", "5", "3"], ["a house", "", "1", "5.5", "3"],
        ["a house", "", "1", "1001", "3"], ["a house", "", "1", "5", "it's"],
    ):  # fmt: skip
        fill(page, places)
        with pytest.raises(ValueError) as refused:
            make(pipe, read(places))
        sentence = f"This could not be drawn. {refused.value}"
        page.wait_for_function(
            "text => document.querySelector('.dl-studio .dl-problem').textContent === text",
            arg=sentence.replace('"it\'s"', "'it's'"),
        )
    assert wrong == []


def fill(page: Page, places: list[str]) -> str:
    """Fill the studio's fields in, press Draw, wait for the answer, and return its words."""
    before = page.inner_text(".dl-studio .dl-took")
    page.locator(".dl-studio details").evaluate("node => node.open = true")
    fields = page.locator(".dl-studio input[type=text]")
    prompt, *numbers, negative = range(5)
    for field, text in zip((prompt, negative, *numbers), places, strict=True):
        fields.nth(field).evaluate("(node, text) => node.value = text", text)
    page.get_by_role("button", name="Draw").click()
    page.wait_for_function(
        """before => !document.querySelector('.dl-studio [aria-busy]')
            && (document.querySelector('.dl-took').textContent !== before
            || document.querySelector('.dl-studio .dl-problem').textContent)""",
        arg=before,
    )
    return page.inner_text(".dl-studio .dl-words >> nth=0")


def test_the_gallery_is_kept_in_the_browser(page, site):
    opened(page, site, "00_start_here")
    first = pixels(page, ".dl-big canvas")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector(".dl-shelf button")
    assert page.inner_text(".dl-saved") == "Saved in this browser."
    page.reload()
    page.wait_for_selector(".dl-shelf button")
    assert (pixels(page, ".dl-shelf canvas") == first).all()
    assert "a red house on snow at night" in page.inner_text(".dl-shelf button")
    page.evaluate("localStorage.setItem('diffusion-lessons-gallery', '{')")
    page.reload()
    page.wait_for_function("document.body.dataset.alive")
    assert page.locator(".dl-shelf button").count() == 0


def test_lesson_05s_slider_is_answered_by_the_page(page, site):
    wrong = opened(page, site, "05_classifier_free_guidance")
    slider = page.locator(".dl-live input[type=range]").first
    before = pixels(page, ".dl-live .dl-gallery canvas")
    slider.press("End")
    page.wait_for_function("document.querySelector('.dl-live .dl-words').textContent === 's = 10'")
    pipe = pipeline.TextToImage.from_pretrained()
    noise = pipe.noise(1, torch.Generator().manual_seed(0))
    walk = pipe.steps("a red house on snow at night", None, 6, 10, noise)
    wanted = pictures.to_uint8(pipe.decode(sampling.finish(walk)))[0].astype(int)
    found = pixels(page, ".dl-live .dl-gallery canvas")
    assert np.abs(found - wanted).max() <= 1 and (found != before).any()
    page.locator(".dl-live").get_by_label("prompt", exact=True).fill("a dragon")
    page.wait_for_function(
        "/'dragon'/.test(document.querySelector('.dl-live .dl-problem').textContent)"
    )
    assert (pixels(page, ".dl-live .dl-gallery canvas") == found).all() and wrong == []


def test_lesson_07s_student_paints_while_one_types(page, site):
    wrong = opened(page, site, "07_todays_models")
    place = "[data-kernel=typing]"
    page.locator(f"{place} input[type=text]").fill("a blue boat at nig")
    said = postcards.readable("a blue boat at nig")
    page.wait_for_function(
        "([place, words]) => document.querySelector(`${place} .dl-words`).textContent === words",
        arg=[place, f"{said}: 2 calls"],
    )
    student = pipeline.TextToImage.from_pretrained("postcards-turbo")
    made = student(
        said, num_inference_steps=2, generator=torch.Generator().manual_seed(3),
        output_type="pt",
    ).images  # fmt: skip
    wanted = pictures.to_uint8(2 * made - 1)[0].astype(int)
    assert np.abs(pixels(page, f"{place} .dl-gallery canvas") - wanted).max() <= 1
    assert wrong == []


GUESSES = [  # two of options, one of a number
    ("01_forward_noising", "half_way"), ("05_classifier_free_guidance", "first"),
    ("08_versus_autoregressive", "in_use"),
]  # fmt: skip


@pytest.mark.parametrize(("lesson", "name"), GUESSES)
def test_a_committed_guess_is_compared_as_python_does(page, site, lesson, name):
    """Each option, or a number near the truth and one far away."""
    opened(page, site, lesson)
    place, told = f"[data-guess='{name}']", f"[data-truth='{name}'] .output"
    assert "No guess is committed yet" in page.inner_text(told)
    code = page.locator(f"[data-truth='{name}'] .highlight")
    assert code.count() == 1 and not code.is_visible(), "the code has the answer in it"
    truth, because = (page.locator(f"{told} details {part}").text_content() for part in "bp")
    options = page.locator(f"{place} input[type=radio]")
    for at in range(options.count() or 2):
        if options.count():
            said = page.locator(f"{place} label span").nth(at).inner_text()
            options.nth(at).check()
        else:
            said = truth if at else f"{3 * float(truth):g}"
            page.locator(f"{place} input[type=text]").fill(said)
        page.locator(f"{place} button").click()
        widget = ask("?", ["one", "another"] if options.count() else None)
        widget.committed = said
        verdict = widget._verdict(truth if options.count() else float(truth))
        assert page.inner_text(told) == f"You said {said}. {verdict} {because}"


def test_a_lesson_that_was_changed_since_it_ran_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "EXECUTED", tmp_path)
    with pytest.raises(ValueError, match="00_start_here has not run since it was changed: `make"):
        lessons.write_lessons(tmp_path / "site", "")


@pytest.mark.parametrize("name", list(lessons.titles()))
def test_every_living_widget_is_moved_by_keys(page, site, name):
    page.add_init_script(path=Path(__file__).with_name("probe.js"))
    opened(page, site, name)
    assert faults_of_page(page, ".widget") == []


def test_a_widget_that_fails_leaves_the_others_alive(page, site):
    page.route("**/widgets/guess.js", lambda route: route.fulfill(status=503))
    wrong = opened(page, site, "01_forward_noising")
    assert wrong and "could not be shown" in page.inner_text("[data-widget=guess] >> nth=0")
    assert page.locator("[data-widget=scrub] .dl-widget").count() == 2


def test_points_are_trained_in_the_page_by_a_press(page, site):
    wrong = opened(page, site, "03_reverse_sampler")
    way = "#cell-id\\=learned-show"
    before = page.inner_text(f"{way} .dl-sentence")
    train = page.get_by_role("button", name="Train on these points")
    page.get_by_role("button", name="Clear").click()
    train.click()
    page.wait_for_function(
        "/has 0 points: draw two or more/.test(document.querySelector('.train').textContent)"
    )
    page.get_by_role("button", name="ring").click()
    train.click()
    page.wait_for_function(
        "/has learned/.test(document.querySelector('.train').textContent)", timeout=120_000
    )
    assert "Done: 1,000 steps." in page.inner_text("#cell-id\\=watch .dl-watch")
    page.locator(f"{way} input[type=range]").press("End")
    assert page.inner_text(f"{way} .dl-sentence") != before and wrong == []
    assert page.locator(f"{way} .dl-widget").count() == 1


def test_every_widget_of_a_lesson_lives_or_leaves_a_still_copy(site_folder):
    """What cannot live without Python is named here; nothing else may stay behind."""
    still, living = [], {}
    for name in list(lessons.titles()):
        page = (site_folder / f"{name}.html").read_text("utf-8")
        for kind in re.findall(r'data-widget="(\w+)"', page):
            living[kind] = living.get(kind, 0) + 1
        for cell, section in SECTION.findall(page):
            still += [f"{name[:2]} {cell}"] * ("A still copy" in section)
    assert still == [
        "01 live", "03 live", "06 mine-show", "06 canvas", "06 weight", "06 sketch", "06 scale",
        "06 alike", "07 cascade-slider", "07 shipped-expand", "07 taste-slider", "08 race",
    ]  # fmt: skip
    assert living.keys() == {"choose", "guess", "live", "plane", "quiz", "scrub", "studio", "watch"}


def test_the_pictures_of_a_page_are_those_of_the_lesson(page, site):
    """Lesson 04's walk, whose pictures are packed as differences of neighbours."""
    opened(page, site, "04_latent_autoencoder")
    ran = nbformat.read(lessons.EXECUTED / "04_latent_autoencoder.ipynb", as_version=4)
    (cell,) = [cell for cell in ran.cells if cell.id == "walk-show"]
    (model,) = [ran.metadata["widgets"][STATE]["state"][output.data[VIEW]["model_id"]]
                for output in cell.outputs]  # fmt: skip
    slider = page.get_by_label("share w of the second picture")
    for key, stop in (("Home", 0), ("ArrowRight", 1), ("End", -1)):
        slider.press(key)
        for panel in (0, 1):
            frames = base64.b64decode(model["buffers"][panel]["data"])
            wanted = np.frombuffer(frames, np.uint8).reshape(-1, 64, 64, 3)[stop]
            canvas = f"#cell-id\\=walk-show .dl-picture >> nth={panel} >> canvas"
            assert (pixels(page, canvas) == wanted).all()
