"""The canvas in an empty page: marks by key, mouse and finger, and what is asked. No kernel."""

import re

import numpy as np
import pytest
import torch

from diffusion_lessons import widgets
from diffusion_lessons.pipeline import repaint
from diffusion_lessons.widgets.canvas import bits_of, marks_in
from tests.browser.bare_host import answer_all, pixels, put, sent, use_dark_theme
from tests.browser.conftest import empty_page
from tests.browser.driving import axe_faults
from tests.every_widget import REGION, marking, painted

NOTHING = torch.zeros_like(REGION)


def _sketch(marked=None):
    return widgets.sketch(painted, "a cat", marked)


def _marks(page) -> torch.Tensor:
    """The marks that Python heard of last, bool (64, 64)."""
    return marks_in(page.evaluate("() => host.model.get('bits')"))[0, 0]


def _box(page) -> dict:
    return page.locator(".dl-board svg").bounding_box()


def _drag(page, *pixels_on_the_way) -> None:
    """Draw with the mouse through the middle of pixels, (column, row) each."""
    box = _box(page)
    side = box["width"] / 64
    for number, (column, row) in enumerate(pixels_on_the_way):
        at = box["x"] + (column + 0.5) * side, box["y"] + (row + 0.5) * side
        page.mouse.move(*at, steps=5)
        if number == 0:
            page.mouse.down()
    page.mouse.up()


def _press(page, *keys) -> str:
    """Press keys on the canvas, and return what is said then."""
    page.get_by_role("application").focus()
    for key in keys:
        page.keyboard.press(key)
    return page.get_by_role("status").inner_text()


# --- marks ---


def test_keys_move_and_size_a_rectangle_mark_what_it_holds_take_back_and_clear(page):
    put(page, marking(None))
    assert page.get_by_role("status").inner_text() == "Nothing is marked yet."
    assert not page.locator(".dl-reach").is_visible()
    words = _press(page, "ArrowLeft", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown")
    assert words == "Rectangle of 18 x 18 pixels, columns 22 to 39, rows 22 to 39."
    assert page.locator(".dl-reach").is_visible() and sent(page) == []
    assert _press(page, "Shift+ArrowUp", "Space") == (
        "18 x 16 pixels are marked, columns 22 to 39, rows 22 to 37. "
        "Repainted: 9 of 64 places of the latents, and 16 beside them until t = 0.5."
    )
    assert torch.equal(_marks(page).nonzero().aminmax(dim=0).min, torch.tensor([22, 22]))
    assert int(_marks(page).sum()) == 18 * 16 and len(sent(page)) == 1
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    assert _press(page, "Enter").startswith("576 pixels are marked, columns 22 to 63,")
    assert _press(page, "Delete") == "Nothing is marked yet." and not _marks(page).any()
    assert _press(page, "Backspace", "Backspace").startswith("18 x 16")
    _press(page, "Escape", "Tab")
    assert page.locator("button:focus").inner_text() == "Erase"


def test_the_places_shown_are_those_that_the_pipeline_repaints(page):
    dice = torch.Generator().manual_seed(0)
    for share in (0.0003, 0.001, 0.004):
        marked = torch.rand(REGION.shape, generator=dice) < share
        put(page, marking(marked))
        until = torch.ones(8, 8)
        for path, value in zip(
            page.locator(".dl-board svg > path").all()[-2:], (0, 0.5), strict=True
        ):
            for x, y in re.findall(r"M(\d+) (\d+)h8v8h-8z", path.get_attribute("d")):
                until[int(y) // 8, int(x) // 8] = value
        assert torch.equal(until, repaint.latent_mask(marked)[0, 0]) and (until == 0.5).any()


def test_the_mouse_paints_with_a_round_brush_and_the_eraser_takes_away(page):
    put(page, marking(None))
    _drag(page, (10, 32), (50, 32))
    rows, columns = np.mgrid[:64, :64]
    ends = np.maximum(np.maximum(10 - columns, columns - 50), 0)
    wanted = torch.from_numpy(np.hypot(ends, rows - 32) <= 3.5)
    assert torch.equal(_marks(page), wanted) and len(sent(page)) == 1
    eraser = page.get_by_role("button", name="Erase")
    eraser.press("Space")
    assert eraser.get_attribute("aria-pressed") == "true"
    _drag(page, (30, 10), (30, 60))
    left = wanted & torch.from_numpy(np.abs(columns - 30) > 3.5)
    assert torch.equal(_marks(page), left)
    page.get_by_role("button", name="Undo").press("Enter")
    assert torch.equal(_marks(page), wanted)
    page.get_by_role("button", name="Clear").press("Enter")
    assert not _marks(page).any()
    for name, words in (("Clear", "nothing to clear"), ("Undo", "no change to take back")):
        for _ in range(3):
            page.get_by_role("button", name=name).press("Enter")
        assert words in page.get_by_role("status").inner_text()


def test_a_finger_paints_and_the_page_stays_where_it_is(browser):
    with empty_page(browser, has_touch=True) as page:
        page.set_viewport_size({"width": 390, "height": 300})
        put(page, marking(None))
        box, touch = _box(page), page.context.new_cdp_session(page)
        for kind, part in (
            ("touchStart", 0.6),
            ("touchMove", 0.4),
            ("touchMove", 0.2),
            ("touchEnd", 0),
        ):
            at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] * part}
            points = [at] if part else []
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        rows, columns = _marks(page).nonzero().T
        assert rows.min() < 14 and rows.max() > 36 and columns.max() - columns.min() == 6
        assert page.evaluate("() => scrollY") == 0


def test_the_pen_draws_a_line_of_one_pixel_by_key_and_by_mouse(page):
    put(page, _sketch())
    assert _press(page, "ArrowUp") == "The pen is up at column 32, row 31." and sent(page) == []
    words = _press(page, "Space", "ArrowRight", "ArrowDown", "Enter", "ArrowDown")
    assert words == "The pen is up at column 33, row 33."
    assert _marks(page).nonzero().tolist() == [[31, 32], [31, 33], [32, 33]]
    page.get_by_role("button", name="Undo").press("Enter")
    assert not _marks(page).any()
    _drag(page, (5, 60), (25, 40), (60, 40))
    line = {(5 + i, 60 - i) for i in range(21)} | {(x, 40) for x in range(25, 61)}
    drawn = {(x, y) for y, x in _marks(page).nonzero().tolist()}
    assert line <= drawn and len(drawn) <= 1.3 * len(line)
    assert page.locator(".dl-outline").get_attribute("d").count("M") == len(drawn)


def test_what_was_marked_is_there_when_the_notebook_is_opened_again(page):
    canvas = marking(NOTHING)
    canvas.bits = bits_of(REGION)
    put(page, canvas)
    assert (
        page.get_by_role("status").inner_text().startswith("22 x 24 pixels are marked, columns 16")
    )
    page.get_by_role("button", name="Undo").press("Enter")
    assert torch.equal(_marks(page), REGION[0, 0])


# --- what is asked ---


def test_enter_and_the_button_ask_and_the_pictures_stand_under_their_captions(page):
    canvas = marking(None)
    put(page, canvas)
    _press(page, "Space")
    prompt, button = page.get_by_role("textbox"), page.get_by_role("button", name="Repaint")
    prompt.fill("a blue cat")
    assert [list(one) for one in sent(page)] == [["bits"]]
    prompt.press("Enter")
    bits = page.evaluate("() => host.model.get('bits')")
    assert sent(page)[-1] == {"request": {"id": 1, "bits": bits, "prompt": "a blue cat"}}
    answer_all(page, canvas)
    assert page.locator("figcaption").all_inner_texts() == ["plain", "pasted, seam 1.2"]
    labels = page.eval_on_selector_all("figure canvas", "all => all.map(n => n.ariaLabel)")
    assert labels[1] == "what was made of 'a blue cat': pasted, seam 1.2"
    second = np.frombuffer(canvas.answer["data"], np.uint8).reshape(2, 64, 64, 3)[1]
    assert (pixels(page, "figure:nth-of-type(2) canvas") == second).all() and second[
        30, 30, 0
    ] == 255
    assert "plain; pasted, seam 1.2" in page.get_by_role("status").inner_text()
    button.press("Space")
    assert len(sent(page)) == 2
    assert "give the same pictures" in page.get_by_role("status").inner_text()


@pytest.mark.parametrize(
    ("make", "keys", "prompt", "problem"),
    [
        (marking, ["Delete"], "a cat", "There is nothing on the canvas yet"),
        (marking, [], "a dragon", "there are no dragons here"),
        (lambda: _sketch(REGION), ["Delete"], "a cat", "There is nothing on the canvas yet"),
    ],
)
def test_what_cannot_be_done_is_said_and_the_pictures_before_stay(
    page, make, keys, prompt, problem
):
    canvas = make()
    put(page, canvas)
    before, alert = pixels(page, "figure canvas"), page.get_by_role("alert")
    _press(page, *keys)
    page.get_by_role("textbox").fill(prompt)
    page.get_by_role("textbox").press("Enter")
    answer_all(page, canvas)
    assert alert.inner_text().startswith(f"This could not be drawn. {problem}")
    assert (pixels(page, "figure canvas") == before).all()
    _press(page, "Enter")
    page.get_by_role("textbox").fill("a cat")
    page.get_by_role("textbox").press("Enter")
    answer_all(page, canvas)
    assert alert.inner_text() == ""


# --- how it looks ---


@pytest.mark.parametrize("make", [marking, lambda: _sketch(REGION)], ids=["mark", "sketch"])
@pytest.mark.parametrize(("width", "large"), [(1000, 514), (390, 342)])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_and_the_picture_is_as_large_as_there_is_room(
    page, make, width, large, dark
):
    page.set_viewport_size({"width": width, "height": 900})
    put(page, make())
    if dark:
        use_dark_theme(page)
    _press(page, "ArrowRight")
    assert axe_faults(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert abs(_box(page)["width"] - large) < 6
