"""The Python side of the widgets. What the page does is tested in tests/browser."""

import html
import re
import sys
import threading

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from diffusion_lessons import widgets
from diffusion_lessons.postcards import PromptError
from diffusion_lessons.widgets import Bars, Choice, Curve, Pictures, Slider, Text, still
from diffusion_lessons.widgets.page import static
from diffusion_lessons.widgets.scrub import LARGEST
from diffusion_lessons.widgets.still import spread
from diffusion_lessons.workspace import DamagedFile
from tests.colours import contrast, lightness

STOPS = ["none", "some", "all"]
WORDS = ["nothing yet", "half of it", "everything"]
EDGES = np.linspace(-1, 1, 5)
LIVE_MIME = "application/vnd.jupyter.widget-view+json"


def _panels(*lead: int):
    frames = torch.linspace(-1, 1, int(np.prod(lead)) * 48).reshape(*lead, 3, 4, 4)
    heights = np.arange(np.prod(lead) * 4, dtype=float).reshape(*lead, 4)
    lines = {"signal": np.arange(np.prod(lead), dtype=float).reshape(lead)}
    return [
        Pictures("picture", frames, "a ramp <b>of</b> colours"),
        Bars("pixels", heights, EDGES, ("flat", np.ones(4)), "four bars"),
        Curve("rate", np.arange(3.0), lines, "a line that rises"),
    ]


def _scrub(**changes):
    given = {"slider": ("level", STOPS), "panels": _panels(3), "words": WORDS} | changes
    return widgets.scrub(**given)


# --- scrub ---


def test_frames_reach_the_page_unchanged():
    scrubber = _scrub()
    picture = scrubber.panels[0]
    assert (picture["height"], picture["width"]) == (4, 4)
    states = np.frombuffer(picture["data"], np.uint8).reshape(3, 4, 4, 3)
    assert states[0, 0, 0].tolist() == [0, 29, 57] and states[2, 3, 3, 2] == 255


def test_a_choice_is_the_first_axis_of_everything():
    options = ("schedule", ["linear", "cosine"])
    scrubber = _scrub(panels=_panels(2, 3), words=[WORDS, WORDS[::-1]], choose=options)
    assert scrubber.words[1][0] == "everything"
    assert scrubber.stops == [STOPS, STOPS]
    signal = np.frombuffer(scrubber.panels[2]["lines"][0]["data"], np.float32)
    assert signal.tolist() == [0, 1, 2, 3, 4, 5]
    assert len(np.frombuffer(scrubber.panels[1]["overlay"]["data"], np.float32)) == 2 * 3 * 4


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_panel_with_other_stops_is_refused_by_name(place):
    panels = _panels(3)
    panels[place] = _panels(4)[place]
    with pytest.raises(ValueError, match=rf"panel '{panels[place].title}'.*4.*expected \(3"):
        _scrub(panels=panels)


SIDE = int((LARGEST / 9) ** 0.5) + 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": WORDS[:2]}, r"words has lists of \[2\], expected 1 of 3"),
        ({"words": "nothing"}, "words is one text"),
        ({"slider": ("level", ["one"])}, "1 stops"),
        ({"choose": ("schedule", ["linear"])}, "two options or more"),
        ({"words": [WORDS] * 2, "choose": ("schedule", ["linear", "cosine"])}, "choices, stops"),
        ({"panels": [Pictures("p", torch.zeros(3, 3, 4, 4), "")]}, "panel 'p': alt is ''"),
        ({"panels": [Pictures("p", torch.zeros(3, 1, SIDE, SIDE), "large")]}, "fewer stops"),
    ],
)
def test_parts_that_do_not_fit_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        _scrub(**changes)


def test_the_scale_of_bars_is_not_ruled_by_one_spike():
    heights = np.ones((11, 4))
    heights[0, 0] = 100
    panel = Bars("pixels", heights, EDGES, ("bell", np.full(4, 2.0)), "bars")
    assert panel.content(1, 11)["top"] == pytest.approx(2.3)


def test_five_stops_of_the_strip_hold_both_ends():
    assert spread(41, 5) == [0, 10, 20, 30, 40] and spread(2, 5) == [0, 1]


def test_the_still_strip_stands_beside_the_widget_with_all_its_words():
    data, _ = _scrub()._repr_mimebundle_()
    assert LIVE_MIME in data and data["image/png"]
    page = data["text/html"]
    assert re.search(r'<img alt="a ramp &lt;b&gt;of&lt;/b&gt; colours; four bars; ', page)
    assert all(html.escape(f"{word}") in page for word in STOPS + WORDS)


def test_the_still_strip_is_the_same_each_time():
    choose = ("schedule", ["linear", "cosine"])
    first, second = (
        _scrub(panels=_panels(2, 3), words=[WORDS, WORDS], choose=choose).still() for _ in range(2)
    )
    assert first == second


# --- live ---


def _noise(values, generator):
    images = torch.rand(1, 3, 4, 4, generator=generator) * 2 - 1
    return images, "noise", f"seed {values['seed']}, {torch.is_inference_mode_enabled()}"


def _ask(widget, number, *places):
    widget.request = {"id": number, "places": list(places)}


def test_the_first_picture_is_drawn_from_the_start_values():
    live = widgets.live(_noise, [Slider("seed", 0, 9, start=4), Choice("kind", ["a", "b"])])
    assert live.values == {"seed": 4, "kind": "a"}
    assert live.answer["words"] == "seed 4, True" and live.answer["id"] == 0


def test_a_request_is_answered_with_its_number_and_the_same_seed_gives_the_same_picture():
    live = widgets.live(_noise, [Slider("seed", 0, 9)])
    first = live.answer["data"]
    _ask(live, 1, 7)
    assert live.answer["id"] == 1 and live.answer["data"] != first and live.values == {"seed": 7}
    _ask(live, 2, 0)
    assert live.answer["data"] == first


def test_drawing_leaves_the_global_generator_and_gradients_of_the_cell_alone():
    live = widgets.live(_noise, [Slider("seed", 0, 9)])
    before = torch.get_rng_state()
    thread = threading.Thread(target=_ask, args=(live, 1, 3))
    thread.start()
    thread.join()
    assert live.answer["words"] == "seed 3, True"
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_one_drawing_at_a_time():
    inside, most = [], []

    def draw(values, generator):
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.02)
        inside.pop()
        return _noise(values, generator)

    live = widgets.live(draw, [Slider("seed", 0, 9)])
    threads = [threading.Thread(target=live._picture, args=({"seed": i},)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and len(most) == 6


@pytest.mark.parametrize(
    ("drawn", "problem"),
    [
        (KeyError("no <b>three</b>"), "KeyError: 'no <b>three</b>'"),
        (PromptError("a prompt is one sentence"), "a prompt is one sentence"),  # as it is
        (DamagedFile("a file"), "a file"),
        (torch.zeros(1, 3, 4, 4), "expected three things"),
        ((torch.zeros(3, 4, 4), "alt", "words"), "expected (N, C, H, W)"),
        ((torch.zeros(1, 3, 4, 4), "", "words"), "alt is"),
    ],
    ids=["error", "prompt", "file", "one thing", "shape", "alt"],
)
def test_an_error_in_draw_is_an_answer_and_the_next_request_works(drawn, problem):
    def draw(values, generator):
        if values["seed"] != 3:
            return _noise(values, generator)
        if isinstance(drawn, Exception):
            raise drawn
        return drawn

    live = widgets.live(draw, [Slider("seed", 0, 9)])
    _ask(live, 1, 3)
    assert set(live.answer) == {"id", "problem"} and live.values == {"seed": 0}
    words = live.answer["problem"]
    assert words == problem if isinstance(drawn, Exception) else problem in words
    _ask(live, 2, 4)
    assert live.answer["id"] == 2 and "problem" not in live.answer


def test_an_error_in_the_first_drawing_is_raised():
    with pytest.raises(ZeroDivisionError):
        widgets.live(lambda values, generator: 1 / 0, [Slider("seed", 0, 9)])


def test_stops_of_sliders():
    assert Slider("seed", 2, 5).values() == [2, 3, 4, 5]
    assert Slider("t", 0.0, 0.3, 0.1).values() == [0.0, 0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ([Slider("seed", 5, 5)], "high must be above low"),
        ([Slider("seed", 0, 9, start=11)], "slider 'seed' starts at 11"),
        ([Choice("kind", ["a", "b"], start="c")], "choice 'kind' starts at 'c'"),
        ([Choice("kind", ["a"])], "two or more"),
        ([Slider("seed", 0, 9), Text("seed")], "none twice"),
        ([], "one name each"),
    ],
)
def test_controls_that_make_no_sense_are_named(controls, message):
    with pytest.raises(ValueError, match=message):
        widgets.live(_noise, controls)


def test_a_choice_may_start_anywhere():
    live = widgets.live(_noise, [Slider("seed", 0, 9), Choice("kind", ["a", "b"], start="b")])
    assert live.values["kind"] == "b" and live.controls[1]["start"] == 1


def test_the_still_picture_of_live_is_the_one_on_show():
    live = widgets.live(_noise, [Slider("seed", 0, 9)])
    before = live.still()
    _ask(live, 1, 5)
    assert "seed 5" in live.still()[0] and live.still()[1] != before[1]


# --- guess ---


@pytest.fixture
def displayed(monkeypatch):
    """The HTML that compare displays."""
    pages = []
    module = "diffusion_lessons.widgets.guess"  # the name `widgets.guess` is the function
    monkeypatch.setattr(sys.modules[module], "display", lambda page: pages.append(page.data))
    return pages


def test_a_guess_is_compared_with_the_truth(displayed):
    guess = widgets.guess("How much?", ["a half", "a <third>"])
    guess.committed = "a <third>"
    guess.compare("a half", "the rates are 0.7 & 0.7.")
    assert displayed == [
        "<p>You said <b>a &lt;third&gt;</b>. Not this time. It is <b>a half</b>, because "
        "the rates are 0.7 &amp; 0.7.</p>"
    ]
    guess.committed = "a half"
    guess.compare("a half", "so.")
    assert "✓ Right." in displayed[1]


def test_without_a_guess_the_answer_stays_folded(displayed):
    widgets.guess("How much?", ["a half", "a third"]).compare("a half", "so.")
    assert "No guess is committed yet" in displayed[0]
    assert "a half" in displayed[0].split("<summary>")[1]
    assert "a half" not in displayed[0].split("<summary>")[0]


@pytest.mark.parametrize(("number", "verdict"), [("105", "Close"), ("200", "100 away")])
def test_a_number_is_compared_by_distance(displayed, number, verdict):
    guess = widgets.guess("How many?")
    guess.committed = number
    guess.compare(100, "so it is.")
    assert verdict in displayed[0]


def test_the_truth_is_one_of_the_options():
    with pytest.raises(ValueError, match="expected one of the options"):
        widgets.guess("How much?", ["a", "b"]).compare("c", "so.")


@pytest.mark.parametrize("options", [["a"], ["a", "a"], []])
def test_options_differ_and_are_two_or_more(options):
    with pytest.raises(ValueError, match="all different"):
        widgets.guess("How much?", options)


def test_a_reader_on_the_web_sees_the_question():
    data, _ = widgets.guess("How <b>much</b>?", ["a half", "a third"])._repr_mimebundle_()
    assert "How &lt;b&gt;much&lt;/b&gt;?" in data["text/html"] and "a third" in data["text/html"]


# --- the look ---


def _variables(block: str) -> dict[str, str]:
    return dict(re.findall(r"--dl-(\w+): (#\w{6});", block))


@pytest.mark.parametrize(("theme", "paper"), [("light", "#ffffff"), ("dark", "#212121")])
def test_line_colours_stay_apart_in_grey_and_from_the_paper(theme, paper):
    light, dark = static("widgets.css").split('[data-jp-theme-light="false"]')[:2]
    colours = _variables(light if theme == "light" else dark)
    shades = sorted(lightness(colours[name]) for name in ("teal", "orange", "plum", "night"))
    assert np.diff(shades).min() > 8
    for name in ("teal", "orange", "plum", "night", "over", "alarm"):
        assert contrast(colours[name], paper) > 3, name


@pytest.mark.parametrize("name", ["widgets.css", "studio.css"])
def test_the_css_touches_nothing_but_the_widgets(name):
    rules = re.sub(r"/\*.*?\*/", "", static(name), flags=re.DOTALL)
    selectors = [part for rule in re.findall(r"([^{}]+)\{", rules) for part in rule.split(",\n")]
    assert len(selectors) > 20 and all(".dl-" in selector for selector in selectors)


def test_one_value_near_zero_does_not_press_the_others_together():
    y = np.append(np.geomspace(1e3, 1e-4, 99), 1e-15).astype(np.float32)
    curve = Curve("SNR", np.arange(100), {"SNR": y}, "falls", log_y=True).content(1, 100)
    assert 1e-5 < curve["low"] < 1e-4 and curve["high"] == pytest.approx(1e3)
    plain = Curve("loss", np.arange(3), {"loss": [1.0, -2.0, np.nan]}, "falls")
    assert [plain.content(1, 3)[end] for end in ("low", "high")] == [-2.0, 1.0]


def test_the_strip_says_which_bars_are_cut():
    heights = np.ones((11, 4))
    heights[0, 0] = 1.214
    panel = Bars("pixels", heights, EDGES, alt="bars")
    notes = []
    for stop in (0, 1):
        ax = Figure().add_subplot()
        still._draw_bars(ax, panel.content(1, 11), 0, stop)
        notes.append([text.get_text() for text in ax.texts])
    assert notes == [["tallest bar 1.21, cut"], []]


def test_lines_of_the_strip_differ_by_choice_and_zero_has_no_place_on_a_log_axis():
    y = np.array([[0.0, 10, 1], [5, 4, 3]])
    panel = Curve("SNR", np.arange(3), {"SNR": y}, "falls", log_y=True)
    ax = Figure().add_subplot()
    still.draw_lines(ax, panel.content(2, 3), ["linear", "cosine"], [0, 2], "t")
    first, second = ax.lines
    assert np.isnan(first.get_ydata()[0]) and first.get_ydata()[1:].tolist() == [10, 1]
    assert first.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()
