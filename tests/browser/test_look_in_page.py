"""One look in the page: questions alike, and words of one size at any width of the page."""

import io

import pytest
import torch
from PIL import Image, ImageColor

from diffusion_lessons import pictures, quiz, widgets
from diffusion_lessons.widgets import Slider, Text
from diffusion_lessons.widgets.page import static
from tests.browser.bare_host import asks, put, use_dark_theme
from tests.browser.driving import off_the_screen
from tests.colours import contrast, luminance
from tests.every_widget import draw, live, scrubber


def test_a_guess_looks_like_a_question_whichever_style_sheet_came_last(page, tmp_path):
    looks = []
    for make in (lambda: quiz.start(tmp_path), lambda: widgets.guess("How much?", ["a", "b"])):
        put(page, make())
        for name in ("quiz.css", "studio.css", "widgets.css"):  # of other widgets in the page
            page.add_style_tag(content=static(name))
        looks.append(page.evaluate(asks("questionLook")))
    assert looks[0] == looks[1] and looks[0]["width"] == 736


@pytest.mark.parametrize("width", [1000, 620, 360])
def test_words_in_a_plot_keep_their_size(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    put(page, scrubber())
    sizes = page.evaluate(asks("typeSizes"))
    assert len(sizes) == 2 and all(10.5 <= size <= 13.5 for size in sizes), sizes


def test_what_stands_below_a_picture_stays_there_while_the_next_one_is_drawn(page):
    put(page, live())
    before = page.locator(".dl-widget").bounding_box()["height"]
    page.locator("input").press("ArrowRight")
    page.wait_for_selector("[aria-busy=true]")
    assert page.locator(".dl-wait").inner_text() == "drawing …"
    assert page.locator(".dl-widget").bounding_box()["height"] == before


def test_sliders_of_a_widget_are_of_one_length_and_stand_in_columns(page):
    controls = [Slider("s", 0, 9), Text("prompt"), Text("not"), Slider("seed", 0, 9)]
    put(page, widgets.live(draw, controls))
    boxes = [one.bounding_box() for one in page.locator(".dl-controls > *").all()]
    assert len({round(box["width"]) for box in boxes}) == 1
    assert boxes[0]["x"] == boxes[3]["x"] and boxes[0]["y"] == boxes[1]["y"] == boxes[2]["y"]


@pytest.mark.parametrize("width", [1280, 390])
def test_pictures_and_the_slider_that_moves_them_are_on_one_screen(page, width):
    noise = torch.rand(2, 3, 32, 32)
    panels = [widgets.Pictures(f"number {i}", noise, alt="noise") for i in range(3)]
    page.set_viewport_size({"width": width, "height": 800})
    put(page, widgets.scrub(("noise level t", ["0", "1"]), panels, ["no noise", "noise"]))
    assert off_the_screen(page, (".dl-controls", ".dl-pictures"), bottom=800) == []


@pytest.mark.parametrize("dark", [False, True])
def test_what_stands_in_a_figure_can_be_read_in_both_themes(page, dark):
    words = [pictures.PALETTE["ink"], pictures.GREYS["text"]]
    lines = [pictures.PALETTE[name] for name in ("teal", "orange", "plum")]
    paper = Image.new("RGB", (7, 1), "white")
    for place, colour in enumerate([*words, *lines], 1):
        paper.putpixel((place, 0), ImageColor.getrgb(colour))
    figure = pictures.img_tag(pictures.png(paper), "seven dots", 7, 'class="dl-figure" ')
    page.set_content(widgets.course_map(1).data + figure)
    if dark:
        use_dark_theme(page)
    shot = Image.open(io.BytesIO(page.locator("img").screenshot())).convert("RGB")
    at = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in (shot.getpixel((i, 0)) for i in range(7))]
    assert luminance(at[0]) < 0.01 if dark else at[0] == "#ffffff"
    assert min(contrast(colour, at[0]) for colour in at[1:3]) >= 4.5, at
    assert min(contrast(colour, at[0]) for colour in at[3:6]) >= 3, at
