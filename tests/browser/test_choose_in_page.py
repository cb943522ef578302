"""Choosing between two pictures in an empty page: keys, mouse, finger, undo, a rule. No kernel."""

import pytest

from diffusion_lessons import widgets
from diffusion_lessons.pictures import to_uint8
from diffusion_lessons.widgets.choose import ALIKE, LEFT, RIGHT
from tests.browser.bare_host import hear, pixels, put, sent
from tests.browser.conftest import empty_page
from tests.every_widget import PAIRS, PROMPTS, RULE, SEEN, choosing


def _chosen(page) -> list[int]:
    """The choices that Python heard of last."""
    return page.evaluate("() => host.model.get('chosen')")


def _says(page) -> str:
    return page.get_by_role("status").inner_text()


def _press(page, *keys) -> str:
    """Press keys with the focus on the left picture, and return what is said then."""
    page.get_by_role("button", name="Left:").focus()
    for key in keys:
        page.keyboard.press(key)
    return _says(page)


def test_two_keys_choose_and_the_next_pair_comes(page):
    put(page, choosing())
    assert _says(page) == "0 of 3 chosen. Left: left picture 0; Right: right picture 0"
    for number, (key, which, side) in enumerate(
        [("ArrowLeft", LEFT, "Left"), ("ArrowRight", RIGHT, "Right"), ("1", LEFT, "Left")]
    ):
        assert page.get_by_text(PROMPTS[number]).is_visible()
        for place, canvas in enumerate(page.locator("canvas").all()):
            shown = to_uint8(PAIRS[number, place][None])[0]
            canvas.evaluate("(node, id) => { node.id = id; }", f"side{place}")
            assert (pixels(page, f"#side{place}") == shown).all()
        said = _press(page, key)
        assert _chosen(page)[number] == which
        assert said.startswith(f"{side} it is. {number + 1} of 3 chosen.")
    assert said.endswith("Go on in the notebook.") and len(sent(page)) == 3
    assert _press(page, "2").startswith("All 3 pairs are through") and len(sent(page)) == 3


@pytest.mark.parametrize(
    ("key", "which"),
    [("1", LEFT), ("2", RIGHT), ("3", ALIKE), ("ArrowLeft", LEFT), ("ArrowRight", RIGHT)],
)
def test_each_key_means_what_stands_below(page, key, which):
    put(page, choosing())
    _press(page, key)
    assert _chosen(page) == [which]
    _press(page, f"Control+{key}", f"Alt+{key}")
    assert _chosen(page) == [which]  # those are the browser's


def test_undo_takes_back_one_choice_and_all_that_the_rule_chose(page):
    put(page, choosing())
    assert "no choice to take back" in _press(page, "Backspace")
    _press(page, "2")
    page.get_by_role("button", name=f"Let the rule choose: {RULE[0]}").press("Enter")
    assert _says(page).startswith(
        "The rule has chosen in 2 pairs. 3 of 3 chosen, 1 of them without a difference."
    )
    assert _chosen(page) == [RIGHT, *RULE[1][1:]]
    page.get_by_role("button", name="Let the rule choose").press("Enter")
    assert "nothing left for the rule" in _says(page)
    page.get_by_role("button", name="Undo").press("Enter")
    assert _chosen(page) == [RIGHT]
    assert _press(page, "Backspace").startswith("Taken back. 0 of 3 chosen.")


def test_a_mouse_chooses_and_the_focus_stays_for_the_keys(page):
    put(page, choosing())
    page.get_by_role("button", name="Right:").click()
    page.get_by_role("button", name="No difference").click()
    page.keyboard.press("ArrowLeft")
    assert _chosen(page) == [RIGHT, ALIKE, LEFT]


def test_a_finger_chooses_and_both_pictures_are_on_a_telephone_side_by_side(browser):
    with empty_page(browser, has_touch=True) as page:
        page.set_viewport_size({"width": 390, "height": 700})
        put(page, choosing())
        boxes = [page.get_by_role("button", name=side).bounding_box() for side in SIDES]
        assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["width"] > 140
        assert boxes[1]["x"] + boxes[1]["width"] <= 390
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
        page.get_by_role("button", name="Right:").tap()
        assert _chosen(page) == [RIGHT]


SIDES = ("Left:", "Right:")


def test_what_python_or_another_view_chose_is_shown(page):
    put(page, choosing())
    hear(page, "chosen", [LEFT, LEFT])
    assert _says(page).startswith("2 of 3 chosen.") and page.get_by_text(PROMPTS[2]).is_visible()
    assert _press(page, "Backspace").startswith("Taken back. 1 of 3 chosen.")


def test_without_a_rule_there_is_no_button_for_it(page, tmp_path):
    put(page, widgets.choose(PAIRS, PROMPTS, SEEN, folder=tmp_path))
    assert page.get_by_role("button").count() == 4
