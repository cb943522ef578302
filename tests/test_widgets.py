"""The Python side of scrub, live, guess, plane and canvas; tests/browser sees the page's side."""

import html
import io
import re
import sys
import threading
from functools import partial

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from diffusion_lessons import pictures, widgets
from diffusion_lessons.postcards import PromptError
from diffusion_lessons.widgets import Bars, Choice, Curve, Pictures, Points, Slider, Text, still
from diffusion_lessons.widgets.plane import REACH, SHAPES
from diffusion_lessons.widgets.scrub import LARGEST
from diffusion_lessons.widgets.still import spread
from diffusion_lessons.workspace import DamagedFile
from tests.every_widget import PAIRS, PROMPTS, REGION, SEEN, choosing, marking, painted
from tests.small_pipe import small_pipe

STOPS = ["none", "some", "all"]
WORDS = ["nothing yet", "half of it", "everything"]
CHOOSE = ("schedule", ["linear", "cosine"])
EDGES = np.linspace(-1, 1, 5)
LIVE_MIME = "application/vnd.jupyter.widget-view+json"
PATHS = torch.linspace(-1, 1, 3 * 6 * 2).reshape(3, 6, 2)
PLACES = torch.cartesian_prod(torch.linspace(-1, 1, 3), torch.linspace(-1, 1, 3))
SIDE = int((LARGEST / 9) ** 0.5) + 1


def _panels(*lead: int):
    frames = torch.linspace(-1, 1, int(np.prod(lead)) * 48).reshape(*lead, 3, 4, 4)
    heights = np.arange(np.prod(lead) * 4, dtype=float).reshape(*lead, 4)
    lines = {"signal": np.arange(np.prod(lead), dtype=float).reshape(lead)}
    return [
        Pictures("picture", frames, "a ramp <b>of</b> colours"),
        Bars("pixels", heights, EDGES, ("flat", np.ones(4)), "four bars"),
        Curve("rate", np.arange(3.0), lines, "a line that rises"),
    ]


def _scrub(*panels, **changes):
    given = {"slider": ("level", STOPS), "panels": panels or _panels(3), "words": WORDS} | changes
    return widgets.scrub(**given)


def _points(**given):
    return Points("paths", **{"positions": PATHS, "alt": "points that move"} | given)


def _floats(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.float32)


# --- scrub ---


def test_frames_and_positions_reach_the_page_unchanged():
    picture = _scrub().panels[0]
    assert (picture["height"], picture["width"]) == (4, 4)
    states = np.frombuffer(picture["data"], np.uint8).reshape(3, 4, 4, 3)
    assert states[0, 0, 0].tolist() == [0, 29, 57] and states[2, 3, 3, 2] == 255
    points = _scrub(_points()).panels[0]
    assert np.array_equal(_floats(points["data"]), PATHS.numpy().ravel())
    assert points["behind"] is None and points["arrows"] is None


def test_a_choice_is_the_first_axis_of_everything_and_may_be_of_arrows():
    vectors = torch.rand(3, 9, 2, generator=torch.Generator().manual_seed(0))
    shared, own = (
        _points(positions=torch.stack((PATHS, PATHS.flip(0))), arrows=("score", PLACES, given))
        for given in (vectors, torch.stack((vectors, vectors)))
    )
    panels = [*_panels(2, 3), shared, own]
    scrubber = _scrub(*panels, words=[WORDS, WORDS[::-1]], choose=CHOOSE)
    assert scrubber.words[1][0] == "everything" and scrubber.stops == [STOPS, STOPS]
    _, bars, curve, shared, own = scrubber.panels
    assert _floats(curve["lines"][0]["data"]).tolist() == [0, 1, 2, 3, 4, 5]
    assert len(_floats(bars["overlay"]["data"])) == 2 * 3 * 4
    assert shared["arrows"] == own["arrows"]
    assert len(_floats(shared["arrows"]["data"])) == 2 * 3 * 9 * 2


def test_the_scale_of_bars_is_not_ruled_by_one_spike_and_the_strip_says_which_are_cut():
    heights = np.ones((11, 4))
    heights[0, 0] = 100
    panel = Bars("pixels", heights, EDGES, ("bell", np.full(4, 2.0)), "bars").content(1, 11)
    assert panel["top"] == pytest.approx(2.3)
    axes = [Figure().add_subplot() for _ in range(2)]
    for stop, ax in enumerate(axes):
        still._draw_bars(ax, panel, 0, stop)
    assert [[text.get_text() for text in ax.texts] for ax in axes] == [["tallest bar 100, cut"], []]


def test_one_value_near_zero_does_not_press_the_others_together():
    y = np.append(np.geomspace(1e3, 1e-4, 99), 1e-15).astype(np.float32)
    curve = Curve("SNR", np.arange(100), {"SNR": y}, "falls", log_y=True).content(1, 100)
    assert 1e-5 < curve["low"] < 1e-4 and curve["high"] == pytest.approx(1e3)
    plain = Curve("loss", np.arange(3), {"loss": [1.0, -2.0, np.nan]}, "falls")
    assert [plain.content(1, 3)[end] for end in ("low", "high")] == [-2.0, 1.0]


def test_lines_of_the_strip_differ_by_choice_and_zero_has_no_place_on_a_log_axis():
    y = np.array([[0.0, 10, 1], [5, 4, 3]])
    panel = Curve("SNR", np.arange(3), {"SNR": y}, "falls", log_y=True)
    with mpl.rc_context(pictures.look()):
        ax = Figure().add_subplot()
        still.draw_lines(ax, panel.content(2, 3), CHOOSE[1], [0, 2], "t")
    first, second = ax.lines
    assert np.isnan(first.get_ydata()[0]) and first.get_ydata()[1:].tolist() == [10, 1]
    assert first.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()


def test_arrows_keep_their_direction_and_none_is_longer_than_the_way_to_the_next():
    vectors = torch.randn(3, 9, 2, generator=torch.Generator().manual_seed(0)) * 50
    vectors[0, 0] = 0
    drawn = _points(arrows=("score", PLACES, vectors)).content(1, 3)["arrows"]["data"][0]
    lengths, vectors = np.linalg.norm(drawn, axis=-1), vectors.numpy()
    assert lengths.max() == pytest.approx(1.0) and lengths[0, 0] == 0  # the places are 1.0 apart
    assert np.abs(drawn[..., 0] * vectors[..., 1] - drawn[..., 1] * vectors[..., 0]).max() < 1e-4
    assert ((drawn * vectors).sum(-1) >= 0).all()


def test_the_axes_hold_nearly_all_points_of_all_stops_and_those_behind():
    assert _points().content(1, 3)["reach"] == 1.0
    behind = ("data", torch.tensor([[2.3, 0.0], [0.0, -2.3]] * 20))
    assert _points(behind=behind).content(1, 3)["reach"] == 2.5


def test_two_samplers_with_arrows_stay_small():
    paths, grid = torch.zeros(2, 41, 300, 2), torch.cartesian_prod(*[torch.linspace(-2, 2, 15)] * 2)
    panel = Points("p", paths, "a", arrows=("score", grid, torch.ones(41, 225, 2)), trails=20)
    words = [f"{i}" for i in range(41)]
    sent = _scrub(panel, slider=("t", words), words=[words] * 2, choose=CHOOSE).panels[0]
    assert len(sent["data"]) + len(sent["arrows"]["data"]) < 500_000


def test_the_still_strip_stands_beside_the_widget_with_all_its_words():
    assert spread(41, 5) == [0, 10, 20, 30, 40] and spread(2, 5) == [0, 1]
    data, _ = _scrub()._repr_mimebundle_()
    assert LIVE_MIME in data and data["image/png"]
    page = data["text/html"]
    assert re.search(r'<img alt="a ramp &lt;b&gt;of&lt;/b&gt; colours; four bars; ', page)
    assert all(html.escape(f"{word}") in page for word in STOPS + WORDS)


def test_the_still_strip_holds_points_and_arrows():
    page, picture = _scrub(_points(arrows=("score", PLACES, torch.ones(3, 9, 2)))).still()
    assert picture != _scrub(_points()).still()[1]
    assert 'alt="points that move. A strip of 3 stops' in page


# --- live ---


def _noise(values, generator):
    images = torch.rand(1, 3, 4, 4, generator=generator) * 2 - 1
    return images, "noise", f"seed {values['seed']}, {torch.is_inference_mode_enabled()}"


def _live(draw=_noise, *controls):
    return widgets.live(draw, [Slider("seed", 0, 9), *controls])


def _ask(widget, number, *places):
    widget.request = {"id": number, "places": list(places)}


def test_stops_of_sliders_and_where_controls_start():
    assert Slider("seed", 2, 5).values() == [2, 3, 4, 5]
    assert Slider("t", 0.0, 0.3, 0.1).values() == [0.0, 0.1, 0.2, 0.3]
    kinds = [Choice("kind", ["a", "b"]), Choice("other", ["a", "b"], start="b")]
    live = widgets.live(_noise, [Slider("seed", 0, 9, start=4), *kinds])
    assert live.values == {"seed": 4, "kind": "a", "other": "b"}
    assert live.answer["words"] == "seed 4, True" and live.answer["id"] == 0
    assert [control["start"] for control in live.controls] == [4, 0, 1]


def test_a_request_is_answered_with_its_number_and_the_same_seed_gives_the_same_picture():
    live = _live()
    first, still = live.answer["data"], live.still()
    _ask(live, 1, 7)
    assert live.answer["id"] == 1 and live.answer["data"] != first and live.values == {"seed": 7}
    assert "seed 7" in live.still()[0] and live.still()[1] != still[1]
    _ask(live, 2, 0)
    assert live.answer["data"] == first


def test_one_drawing_at_a_time():
    inside, most = [], []

    def draw(values, generator):
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.02)
        inside.pop()
        return _noise(values, generator)

    live = _live(draw)
    threads = [threading.Thread(target=_ask, args=(live, i, i)) for i in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and len(most) == 6


@pytest.mark.parametrize("fails", [False, True])
def test_a_drawing_leaves_the_cell_its_cores_its_generator_and_its_gradients(request, fails):
    counts, drawing, seen = [], threading.Event(), threading.Event()

    def draw(values, generator):
        counts.append(torch.get_num_threads())
        if values["seed"]:
            drawing.set()
            assert seen.wait(10)
        if values["seed"] and fails:
            raise ValueError("no")
        return _noise(values, generator)

    def ask():
        _ask(live, 1, 3)
        counts.append(torch.get_num_threads())

    request.addfinalizer(partial(torch.set_num_threads, torch.get_num_threads()))
    torch.set_num_threads(3)
    before, live = torch.get_rng_state(), _live(draw)
    thread = threading.Thread(target=ask)
    thread.start()
    assert drawing.wait(10)
    assert torch.get_num_threads() == 3  # a cell that runs meanwhile keeps its own
    seen.set()
    thread.join()
    assert counts == [1, 1, 3] and torch.get_num_threads() == 3
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    words = live.answer["words"], live.answer.get("problem")
    assert words == (("seed 0, True", "ValueError: no") if fails else ("seed 3, True", None))


@pytest.mark.parametrize(
    ("drawn", "problem"),
    [
        (KeyError("no <b>three</b>"), "KeyError: 'no <b>three</b>'"),
        (PromptError("a prompt is one sentence"), "a prompt is one sentence"),  # as it is
        (DamagedFile("a file"), "a file"),
        (torch.zeros(1, 3, 4, 4), "give (images, alt, words)"),
        ((torch.zeros(3, 4, 4), "alt", "words"), "give (N, 3, H, W), or (N, 1, H, W)"),
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

    live = _live(draw)
    _ask(live, 1, 3)
    assert live.answer["words"] == "seed 0, True" and live.values == {"seed": 0}
    words = live.answer["problem"]
    assert words == problem if isinstance(drawn, Exception) else problem in words
    _ask(live, 2, 4)
    assert live.answer["id"] == 2 and "problem" not in live.answer


def test_an_error_in_the_first_drawing_is_raised():
    with pytest.raises(ZeroDivisionError):
        _live(lambda values, generator: 1 / 0)


# --- guess ---


@pytest.mark.parametrize(
    ("options", "committed", "truth", "words"),
    [
        (["a half", "a <third>"], "a <third>", "a half",
         "<p>You said <b>a &lt;third&gt;</b>. Not this time. It is <b>a half</b>, because "
         "0.7 &amp; 0.7.</p>"),
        (["a half", "a third"], "a half", "a half", "✓ Right."),
        (["a half", "a third"], "", "a half", "No guess is committed yet"),
        (None, "105", 100, "✓ Close."),
        (None, "200", 100, "That is 100 away."),
    ],
)  # fmt: skip
def test_a_guess_is_compared_with_the_truth(monkeypatch, options, committed, truth, words):
    pages = []
    module = sys.modules["diffusion_lessons.widgets.guess"]  # `widgets.guess` is the function
    monkeypatch.setattr(module, "display", lambda page: pages.append(page.data))
    guess = widgets.guess("How much?", options)
    guess.committed = committed
    guess.compare(truth, "0.7 & 0.7.")
    assert words in pages[0]
    if not committed:  # the answer stays folded
        before, after = pages[0].split("<summary>")
        assert truth not in before and truth in after


# --- plane ---


@pytest.mark.parametrize("name", list(SHAPES))
def test_each_ready_made_shape_lies_in_the_square_and_is_the_same_each_time(name):
    points = widgets.plane("Draw.", name).points
    assert points.shape == (240, 2) and points.dtype == torch.float32
    assert points.abs().max() <= REACH
    assert points.std(0).min() > 0.4 and points.mean(0).abs().max() < 0.35
    assert torch.equal(points, widgets.plane("Draw.", name).points)


def test_points_are_those_on_show_and_too_few_are_refused_with_a_way_out():
    plane = widgets.plane("Draw.")
    plane.drawn = [0.1, -0.2, 1.5, 0]
    assert torch.equal(plane.points, torch.tensor([[0.1, -0.2], [1.5, 0.0]]))
    for drawn in ([], [0.5, 0.5]):
        plane.drawn = drawn
        with pytest.raises(ValueError, match="press one of the shapes"):
            _ = plane.points
        assert f"{len(drawn) // 2} points in the plane" in plane.still()[0]


# --- canvas ---


def test_the_callback_gets_the_picture_the_marks_and_the_words_as_the_pipeline_takes_them():
    pipe, asked = small_pipe(), []

    def repaint(image, marked, prompt):
        asked.append((image.shape, prompt))
        drawn = pipe(prompt, image=(image + 1) / 2, mask_image=marked, output_type="pt").images
        return drawn * 2 - 1, "a house", ["pasted"]

    levels = torch.arange(64 * 64 * 3) % 256
    picture = Image.fromarray(levels.byte().reshape(64, 64, 3).numpy())
    canvas = widgets.mark(picture, repaint, "a red house", REGION)
    assert asked == [((1, 3, 64, 64), "a red house")] and torch.equal(canvas.marked, REGION)
    before, after = canvas.picture["data"], canvas.answer["data"]
    changed = (_levels(before) != _levels(after)).any(-1)
    assert changed.any() and not changed[~REGION[0, 0].numpy()].any()


def test_a_picture_of_another_size_is_cut_and_the_widget_says_so():
    canvas = widgets.mark(Image.new("L", (200, 100), "white"), lambda *_: None)
    assert canvas.note.startswith("Note: the picture has 200 x 100 pixels: its middle square was")
    assert canvas.answer == {"id": 0} and not canvas.marked.any()


def test_the_still_picture_has_an_edge_around_the_marks_and_an_outline_is_black_on_white():
    for canvas in (marking(), widgets.sketch(painted, "a cat", REGION)):
        with Image.open(io.BytesIO(canvas.still()[1])) as image:
            first = np.asarray(image.convert("RGB"))[16:400:6, 16:400:6]  # a pixel is 6 wide
        inside, edge = first[21:43, 17:37], first[20, 16:38]
        if canvas.picture:
            assert (inside == _levels(canvas.picture["data"])[21:43, 17:37]).all()
            assert set(edge.flatten().tolist()) == {0, 255}
        else:
            assert (inside == 0).all() and (edge == 0).all() and (first[:20] == 255).all()


def _levels(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8).reshape(64, 64, 3)


# --- all ---


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: widgets.guess("How <b>much</b>?", ["a half", "a third"]),
         ["How &lt;b&gt;much&lt;/b&gt;?", "a third"]),
        (lambda: widgets.plane("Draw <b>it</b>.", "heart"),
         ['alt="Draw &lt;b&gt;it&lt;/b&gt;: 240 points in the plane, heart"']),
        (marking, ["528 of its pixels marked; then what was made of &#x27;a cat&#x27;"]),
    ],
)  # fmt: skip
def test_a_reader_on_the_web_sees_the_question_or_the_points(make, words):
    data, _ = make()._repr_mimebundle_()
    assert all(word in data["text/html"] for word in words)
    assert ("image/png" in data) == ("<img" in data["text/html"])


def _sketch(count, alt):
    drawn = torch.zeros(count, 3, 64, 64), alt, ["one"]
    return widgets.sketch(lambda *_: drawn, "a cat", REGION)


def _guess(*options):
    return widgets.guess("How much?", options)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: _scrub(_panels(4)[0]), r"panel 'picture': frames has shape \(4, .*give \(3, C"),
        (lambda: _scrub(_panels(4)[1]), r"panel 'pixels': heights has .*\(4, 4\): give \(3, 4\)"),
        (lambda: _scrub(_panels(4)[2]), r"panel 'rate': y_lines.*\(4,\): give \(3,\)"),
        (lambda: _scrub(words=WORDS[:2]), r"words has lists of \[2\]: give 1 of 3 stops"),
        (lambda: _scrub(words="nothing"), "words is one text"),
        (lambda: _scrub(slider=("level", ["one"])), "1 stops"),
        (lambda: _scrub(choose=("schedule", ["linear"])), "two options or more"),
        (lambda: _scrub(words=[WORDS] * 2, choose=CHOOSE), "stops as first axis, and before"),
        (lambda: _scrub(Pictures("p", torch.zeros(3, 3, 4, 4), "")), "panel 'p': alt is ''"),
        (lambda: _scrub(Pictures("p", torch.zeros(3, 1, SIDE, SIDE), "large")), "fewer stops"),
        (lambda: _scrub(_points(positions=PATHS[:2])), r"panel 'paths': positions has .*\(2, 6, 2"),
        (lambda: _scrub(_points(positions=torch.zeros(3, 6, 3))), r"give \(3, N, 2\)"),
        (lambda: _scrub(_points(positions=PATHS / 0)), "positions hold nan or inf"),
        (lambda: _scrub(_points(behind=("data", torch.zeros(5)))), r"behind has .*give \(K, 2\)"),
        (lambda: _scrub(_points(arrows=("s", PLACES, torch.zeros(3, 8, 2)))), r"give \(3, 9, 2\)"),
        (lambda: _scrub(_points(arrows=("s", PLACES.repeat(9000, 1), torch.zeros(3, 81_000, 2)),
                                positions=torch.zeros(3, 82_000, 2))), "fewer stops"),
        (lambda: _scrub(_points(alt="")), "alt is"),
        (lambda: _live(_noise, Slider("low", 5, 5)), "give high above low"),
        (lambda: _live(_noise, Slider("low", 0, 9, 1, 11)), "'low' is 11: choose one of 0, 1"),
        (lambda: _live(_noise, Choice("k", ["a", "b"], "c")), "'k' is 'c': choose one of 'a', 'b'"),
        (lambda: _live(_noise, Choice("kind", ["a"])), "two or more"),
        (lambda: _live(_noise, Text("seed")), "none twice"),
        (lambda: widgets.live(_noise, []), "one name each"),
        (lambda: widgets.live(_noise, [Slider("seed", 0, 9)], ["a", "b", "c"]), "3 captions for "),
        (lambda: _guess("a"), "all different"),
        (lambda: _guess("a", "a"), "all different"),
        (lambda: _guess(), "options is "),
        (lambda: _guess("a", "b").compare("c", "so."), "truth is 'c': choose one of 'a', 'b'"),
        (lambda: widgets.plane("Draw.", "moon"), "start is 'moon': choose one of 'two moons'"),
        (lambda: marking(REGION[0]), r"marked has .*\(1, 64, 64\): give \(1, 1, 64, 64\), True"),
        (lambda: widgets.sketch(painted, "a dragon", REGION), "there are no dragons here"),
        (lambda: _sketch(2, "grey"), r"what act drew has .*give \(1, 3, 64, 64\), a caption each"),
        (lambda: _sketch(1, ""), "alt is ''"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_sentence(use, message):
    with pytest.raises(ValueError, match=message):
        use()


# --- choosing between two pictures ---


def test_choices_are_kept_and_gone_on_with_for_the_same_pictures_alone(tmp_path):
    choosing(tmp_path).chosen = [1, -1]
    assert choosing(tmp_path).chosen == [1, -1]
    others = widgets.choose(-PAIRS, PROMPTS, SEEN, folder=tmp_path)
    assert others.chosen == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"chosen": [0]}', '{"pictures": 3}', "null", "{"],
    ids=["empty", "a list", "of no pictures", "of others", "null", "cut off"],
)
def test_a_file_of_choices_that_cannot_be_read_stops_nothing(tmp_path, text):
    (tmp_path / "taste.json").write_text(text)
    assert choosing(tmp_path).chosen == []


def test_choices_live_in_the_widget_where_nothing_can_be_written(read_only_folder):
    widget = choosing(read_only_folder)
    widget.chosen = [0, 1]
    assert widget.chosen == [0, 1] and choosing(read_only_folder).chosen == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": PAIRS[:, 0]}, "images has shape .*: give .* N pairs"),
        ({"prompts": PROMPTS[:2]}, r"images has shape .*: give \(2, 2, 3, B, B\)"),
        ({"seen": SEEN[:2]}, "2 pairs of texts and 3 choices"),
        ({"seen": [("one",)] * 3}, "give one of each for a pair"),
        ({"rule": ("likes it", [0, 1])}, "2 choices of the rule"),
        ({"rule": ("likes it", [0, 1, 2])}, "the rule chose 2: it may choose"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(tmp_path, changes, words):
    given = {"images": PAIRS, "prompts": PROMPTS, "seen": SEEN, "folder": tmp_path} | changes
    with pytest.raises(ValueError, match=words):
        widgets.choose(**given)
