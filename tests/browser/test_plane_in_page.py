"""The page side of drawing, of points to scrub, of a watched training: no JupyterLab, no kernel."""

import re

import numpy as np

from diffusion_lessons import widgets
from tests.browser.bare_host import hear, put, sent
from tests.every_widget import PATHS, STOPS, TITLE, N, moving_points, watched


def _numbers(page, path) -> np.ndarray:
    """The numbers in an SVG path."""
    text = page.locator(path).first.get_attribute("d")
    return np.array([float(one) for one in re.findall(r"-?\d+(?:\.\d+)?", text)])


# --- points to scrub ---


def test_points_ways_and_arrows_follow_slider_and_choice(page):
    for choice in (0, 1):
        put(page, moving_points(choice))
        page.get_by_role("slider").focus()
        for stop in range(STOPS):
            dots = _numbers(page, ".dl-plane .dl-dots").reshape(N, 3)[:, :2]  # the third is h0
            wanted = PATHS[choice, stop].numpy() * [100, -100]
            assert np.allclose(dots, wanted, atol=0.06)
            assert len(_numbers(page, ".dl-plane .dl-ways")) == 4 * 3 * stop
            page.keyboard.press("ArrowRight")
    name = page.locator(".dl-plane").get_attribute("aria-label")
    assert name == f"points that move. At straight, stop {STOPS - 1}."


def test_an_arrow_goes_from_its_place_along_its_vector_and_the_key_names_each_sign(page):
    put(page, moving_points())
    x, y, to_x, to_y = _numbers(page, ".dl-plane .dl-arrows")[:4]
    assert (x, y) == (-100, 100) and to_x > x and to_y < y  # up in the plane is down in SVG
    assert page.locator(".dl-key > span").all_inner_texts() == [
        "points", "ways of some", "data", "score"
    ]  # fmt: skip


# --- the square to draw in ---


def _drawn(page) -> np.ndarray:
    return np.array(sent(page)[-1]["drawn"]).reshape(-1, 2)


def _status(page) -> str:
    return page.get_by_role("status").inner_text()


def test_keys_move_the_cross_add_a_point_and_take_it_back(page):
    put(page, widgets.plane(TITLE))
    page.get_by_role("application", name=TITLE).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
    page.keyboard.press("ArrowDown")
    assert _status(page) == "cross at x 0.2, y −0.1; 240 points"
    assert sent(page) == []
    page.keyboard.press("Space")
    assert _status(page) == "241 points" and _drawn(page)[-1].tolist() == [0.2, -0.1]
    page.keyboard.press("Enter")
    page.keyboard.press("Backspace")
    page.keyboard.press("Delete")
    page.keyboard.press("Delete")
    assert _status(page) == "239 points" and len(_drawn(page)) == 239


def test_the_cross_stays_in_the_square_and_tab_leaves_it(page):
    put(page, widgets.plane(TITLE))
    page.get_by_role("application").focus()
    for _ in range(20):
        page.keyboard.press("ArrowUp")
    assert _status(page).startswith("cross at x 0, y 1.5;")
    page.keyboard.press("Tab")
    assert page.locator("button:focus").inner_text() == "Take one back"


def test_a_stroke_adds_points_along_it_and_python_hears_once(page):
    put(page, widgets.plane(TITLE))
    page.get_by_role("button", name="Clear").click()
    assert _status(page) == "0 points" and sent(page) == [{"drawn": []}]
    box = page.locator(".dl-plane").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + box["width"] / 3, middle[1], steps=30)
    assert len(sent(page)) == 1
    page.mouse.up()
    page.mouse.move(*middle, steps=5)  # the pen is up
    points = _drawn(page)
    assert len(sent(page)) == 2 and 15 <= len(points) <= 21
    assert np.allclose(points[0], 0, atol=0.02) and np.allclose(points[:, 1], 0, atol=0.02)
    assert 0.9 < points[-1, 0] <= 1.01 and (np.diff(points[:, 0]) >= 0.045).all()


def test_a_click_adds_a_point_and_shapes_are_a_press_away_the_same_as_in_python(page):
    put(page, widgets.plane(TITLE))
    size = page.locator(".dl-plane").bounding_box()["width"]
    page.locator(".dl-plane").click(position={"x": size * 0.75, "y": size * 0.25})
    assert np.allclose(_drawn(page)[-1], [0.75, 0.75], atol=0.02) and _status(page) == "241 points"
    page.get_by_role("button", name="heart").press("Enter")
    assert sent(page)[1:] == [{"drawn": widgets.plane(TITLE, "heart").drawn}]


def test_a_full_square_takes_no_more_and_says_so(page):
    plane = widgets.plane(TITLE)
    plane.drawn = [0.5] * 998
    put(page, plane)
    page.get_by_role("application").focus()
    page.keyboard.press("Enter")
    assert _status(page) == "500 points, the most that fit"
    page.keyboard.press("Enter")
    assert len(_drawn(page)) == 500


# --- a watched training ---


def test_the_bar_says_how_far_it_is(page):
    put(page, watched())
    bar = page.get_by_role("progressbar", name="training")
    values = [bar.get_attribute(f"aria-value{one}") for one in ("min", "now", "max")]
    assert values == ["0", "30", "40"]
    assert bar.get_attribute("aria-valuetext").startswith("Ended at step 30 of 40.")
    assert page.locator(".dl-fill").evaluate("n => n.style.width") == "75%"
    hear(page, "progress", {"step": 40, "words": "all of it", "spoken": "Done"})
    assert bar.get_attribute("aria-valuenow") == "40" and _status(page) == "Done"


def test_a_new_stage_leaves_those_before_as_they_are(page):
    view = watched()
    put(page, view)
    page.evaluate("() => { window.kept = [...document.querySelectorAll('.dl-stage')]; }")
    third = view.stages[0] | {"number": 3, "caption": "after 40 steps"}
    hear(page, "stages", [view.stages[1], third, {}, {}])
    shown = page.locator(".dl-stage figcaption").all_inner_texts()
    assert shown == ["after 31 steps", "after 40 steps"]
    assert page.evaluate("() => document.querySelector('.dl-stage') === kept[1]")
    labels = page.eval_on_selector_all(".dl-stage [role=img]", "all => all.map(n => n.ariaLabel)")
    assert labels[1] == "sprites the network draws, after 40 steps"


def test_a_training_without_a_step_or_with_a_lost_loss_is_drawn(page):
    put(page, widgets.watch(total=10, alt="sprites"))
    assert "waiting" in page.locator(".dl-now").inner_text()
    with widgets.watch(total=3, alt="sprites") as view:
        for step, loss in enumerate((1.0, float("nan"), 0.5), start=1):
            view.step(step, loss)
    hear(page, "curve", view.curve)
    path = page.locator(".dl-plot .dl-line").get_attribute("d")
    assert path.count("M") == 2 and "NaN" not in page.content()
