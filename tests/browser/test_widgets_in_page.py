"""The page side of scrub, live and guess, with real keys, in the smallest host: no kernel."""

import pytest

from diffusion_lessons import widgets
from tests.browser.bare_host import asks, hear, pixels, put, sent
from tests.browser.driving import stand_still
from tests.every_widget import FRAMES, STOPS, live, live_of_three, scrubber
from tests.typed_numbers import TYPED

COLOURS = ((FRAMES + 1) * 127.5).round().byte().permute(0, 1, 3, 4, 2).numpy()


def _place(page) -> int:
    return int(page.locator("input[type=range]").first.input_value())


def _labels(page) -> list[str]:
    return page.eval_on_selector_all("[role=img]", "all => all.map(n => n.ariaLabel)")


# --- scrub ---


def test_every_stop_shows_its_picture_its_bars_and_its_numbers_together(page):
    put(page, scrubber())
    slider, bars = page.get_by_role("slider", name="level"), set()
    slider.focus()
    sentence = page.locator(f"#{slider.get_attribute('aria-describedby')}")
    for stop in range(STOPS):
        assert _place(page) == stop
        assert (pixels(page) == COLOURS[0, stop]).all()
        words = f"linear, stop 0.{stop}"
        assert slider.get_attribute("aria-valuetext") == f"stop 0.{stop}"
        picture, histogram, curve = _labels(page)
        assert picture == f"noise. At {words}." and histogram == f"five bars. At {words}."
        assert curve.startswith(f"a line. At {words}: SNR ")
        assert sentence.inner_text() == f"It is stop 0.{stop}!"
        bars.add(page.locator("path.dl-bars").get_attribute("d"))
        page.keyboard.press("ArrowRight")
    assert len(bars) == STOPS


@pytest.mark.parametrize(
    ("key", "start", "end"),
    [("ArrowRight", 3, 4), ("ArrowUp", 3, 4), ("ArrowLeft", 3, 2), ("ArrowDown", 3, 2),
     ("Home", 3, 0), ("End", 3, STOPS - 1), ("PageUp", 3, 4), ("PageDown", 3, 2)],
)  # fmt: skip
def test_keys_move_the_slider(page, key, start, end):
    put(page, scrubber(start))
    page.locator("input[type=range]").focus()
    page.keyboard.press(key)
    assert _place(page) == end
    assert _labels(page)[0] == f"noise. At linear, stop 0.{end}."


def test_the_choice_moves_everything(page):
    put(page, scrubber(5))
    page.get_by_role("radio", name="linear").focus()
    page.keyboard.press("ArrowRight")
    assert (pixels(page) == COLOURS[1, 5]).all()
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "stop 1.5"
    assert page.get_by_role("group", name="schedule").count() == 1
    faint = page.eval_on_selector_all(
        "svg.dl-plot > path.dl-line", "all => all.map(n => n.classList.contains('dl-faint'))"
    )
    assert faint == [True, False]


def test_each_choice_has_its_own_colour_in_line_marker_and_key(page):
    put(page, scrubber(5))
    linear = page.evaluate(asks("coloursOfLines"))
    page.get_by_role("radio", name="cosine").check()
    cosine = page.evaluate(asks("coloursOfLines"))
    for colours in (linear, cosine):  # one of each in sight, all in one colour
        assert [len(some) for some in colours] == [1, 1, 1]
        assert len({some[0] for some in colours}) == 1
    assert linear != cosine


def test_numbers_that_have_no_place_on_the_scale_are_said_in_words(page):
    put(page, scrubber())
    assert "SNR 0." in _labels(page)[2]  # zero on a logarithmic scale
    page.get_by_role("radio", name="cosine").check()
    assert "SNR infinite." in _labels(page)[2]
    page.get_by_role("slider").press("End")
    assert "SNR 1.0 × 10⁻⁷." in _labels(page)[2]


def test_python_hears_the_last_place_once(page):
    put(page, scrubber())
    page.evaluate(asks("scrubToNine"))
    assert sent(page) == []  # scrubbing does not wait for Python
    page.wait_for_function("() => host.sent.length > 0")
    page.wait_for_timeout(400)
    assert sent(page) == [{"index": 9, "choice": 0}]


def test_play_goes_stop_by_stop_pauses_ends_and_gives_way_to_a_hand(moving_page):
    page = moving_page
    stand_still(page)
    put(page, scrubber())
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(1000)
    assert 2 <= _place(page) <= 5  # a few changes a second, no flashing
    page.get_by_role("button", name="Pause").click()
    here = _place(page)
    page.clock.run_for(5000)
    assert _place(page) == here
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(20_000)
    assert _place(page) == STOPS - 1
    assert page.get_by_role("button", name="Play").count() == 1
    page.get_by_role("button", name="Play").click()
    assert _place(page) == 0
    page.get_by_role("slider").press("End")  # a hand on the slider stops the play
    page.get_by_role("slider").press("Home")
    page.clock.run_for(5000)
    assert _place(page) == 0


def test_with_less_motion_nothing_moves_by_itself(page):
    stand_still(page)
    put(page, scrubber())
    assert page.get_by_role("button", name="Play").count() == 0
    page.get_by_role("button", name="Next stop").click()
    page.clock.run_for(5000)
    assert _place(page) == 1


def test_start_again_goes_back_to_the_first_stop_and_choice(page):
    put(page, scrubber(5, 1))
    page.get_by_role("button", name="Start again").click()
    assert _labels(page)[0] == "noise. At linear, stop 0.0."


# --- live ---


def _answer(number: int, seed: int) -> dict:
    return {**live(seed).answer, "id": number}


def _press(page, times: int) -> None:
    page.get_by_role("slider").focus()
    for _ in range(times):
        page.keyboard.press("ArrowRight")


def test_one_request_at_a_time_and_the_newest_follows(page):
    put(page, live())
    _press(page, 5)
    assert sent(page) == [{"request": {"id": 1, "places": [1]}}]
    hear(page, "answer", _answer(1, 1))
    assert page.get_by_role("status").inner_text() == "drawn from seed 1"
    assert sent(page)[1:] == [{"request": {"id": 2, "places": [5]}}]
    hear(page, "answer", _answer(2, 5))
    assert page.get_by_role("status").inner_text() == "drawn from seed 5"
    assert len(sent(page)) == 2
    assert _labels(page) == ["noise of {'seed': 5}"]


def test_a_problem_is_said_and_the_picture_before_stays(page):
    put(page, live())
    before = pixels(page)
    _press(page, 1)
    hear(page, "answer", {"id": 1, "problem": "KeyError: <img src=x onerror=alert(1)>"})
    alert = page.get_by_role("alert")
    assert alert.inner_text().endswith("KeyError: <img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0
    assert (pixels(page) == before).all()
    _press(page, 1)
    hear(page, "answer", _answer(2, 2))
    assert alert.inner_text() == "" and not (pixels(page) == before).all()


def test_a_silent_kernel_is_mentioned_and_nothing_hangs(page):
    stand_still(page)
    put(page, live())
    _press(page, 1)
    assert page.locator("[aria-busy]").count() == 0
    page.clock.run_for(1000)
    assert page.locator("[aria-busy=true]").count() == 1
    page.clock.run_for(15_000)
    assert "Still waiting" in page.locator(".dl-wait").inner_text()
    _press(page, 2)  # the page still answers the keys
    hear(page, "answer", _answer(1, 1))
    assert page.locator(".dl-wait").inner_text() == "" and page.locator("[aria-busy]").count() == 0
    assert sent(page)[-1] == {"request": {"id": 2, "places": [3]}}


def test_text_is_sent_when_the_typing_pauses_or_ends(page):
    stand_still(page)
    put(page, live_of_three())
    page.get_by_role("textbox", name="prompt").fill("a red")
    assert sent(page) == []
    page.clock.run_for(1000)
    assert sent(page) == [{"request": {"id": 1, "places": [0, "a red", 0]}}]
    hear(page, "answer", live_of_three().answer | {"id": 1})
    page.get_by_role("textbox", name="prompt").press_sequentially(" house")
    page.keyboard.press("Enter")
    assert sent(page)[-1] == {"request": {"id": 2, "places": [0, "a red house", 0]}}


def test_a_text_that_counts_letter_by_letter_is_sent_at_each(page):
    stand_still(page)
    shown = widgets.live(
        lambda values, _: (FRAMES[0, :1], "noise", values["prompt"]),
        [widgets.Text("prompt", at_once=True)],
    )
    put(page, shown)
    page.get_by_role("textbox", name="prompt").press_sequentially("a")
    page.clock.run_for(1)
    assert sent(page) == [{"request": {"id": 1, "places": ["a"]}}]


def test_each_of_two_pictures_has_its_caption(page):
    put(page, live_of_three())
    assert page.locator("figcaption").all_inner_texts() == ["before", "after"]
    assert [label.split(": ")[-1] for label in _labels(page)] == ["before", "after"]


def test_each_of_two_views_asks_for_itself_and_shows_its_own_answer(page):
    put(page, live())
    page.evaluate("() => host.show()")
    page.get_by_role("slider").last.press("End")
    page.get_by_role("slider").first.press("ArrowRight")
    for number, seed in ((1, 9), (2, 1)):
        assert sent(page)[number - 1] == {"request": {"id": number, "places": [seed]}}
        hear(page, "answer", _answer(number, seed))
    seen = page.get_by_role("status").all_inner_texts()
    assert seen == ["drawn from seed 1", "drawn from seed 9"]
    assert len(sent(page)) == 2 and page.locator(".dl-wait").all_inner_texts() == ["", ""]


# --- guess ---


def test_a_guess_is_committed_and_may_be_changed(page):
    put(page, widgets.guess("How much is left?", ["a half", "a third", "nothing"]))
    commit, status = page.get_by_role("button", name="Commit"), page.get_by_role("status")
    commit.click()
    assert status.inner_text() == "Choose one of the options first." and sent(page) == []
    page.get_by_role("radio", name="a half").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    commit.press("Enter")
    assert sent(page) == [{"committed": "a third"}]
    assert status.inner_text() == "Committed: a third. Go on, and compare."
    page.get_by_role("radio", name="nothing").check()
    assert "Press Commit again" in status.inner_text()
    commit.press("Space")
    assert sent(page)[-1] == {"committed": "nothing"}


@pytest.mark.parametrize("typed", ["250", "0,5", "1 000"])
def test_a_number_is_committed_after_it_was_typed_key_by_key(page, typed):
    put(page, widgets.guess("How many steps?"))
    commit, status = page.get_by_role("button", name="Commit"), page.get_by_role("status")
    page.get_by_role("textbox", name="How many steps?").press_sequentially(typed)
    commit.click()
    assert [float(one["committed"]) for one in sent(page)] == [TYPED[typed]]
    assert status.inner_text().startswith("Committed: ")


def test_a_number_is_committed_however_it_is_typed(page):
    guess = widgets.guess("How many steps?")
    put(page, guess)
    commit, status = page.get_by_role("button", name="Commit"), page.get_by_role("status")
    for typed, number in TYPED.items():
        before = len(sent(page))
        page.get_by_role("textbox", name="How many steps?").fill(typed)
        commit.click()
        found = [float(one["committed"]) for one in sent(page)[before:]]
        assert found == ([] if number is None else [number]), typed
        if number is None:
            assert status.inner_text() == "Write a number first, such as 0.5.", typed
