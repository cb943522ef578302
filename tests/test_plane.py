"""Points in the plane: the panel of the scrubber and the square to draw in, Python side."""

import numpy as np
import pytest
import torch

from diffusion_lessons import widgets
from diffusion_lessons.widgets import Points
from diffusion_lessons.widgets.plane import REACH, SHAPES

STOPS, N = 4, 6
PATHS = torch.linspace(-1, 1, STOPS * N * 2).reshape(STOPS, N, 2)
PLACES = torch.cartesian_prod(torch.linspace(-1, 1, 3), torch.linspace(-1, 1, 3))
WORDS = [f"stop {i}" for i in range(STOPS)]


def _scrub(choose=None, **given):
    panel = Points("paths", **{"positions": PATHS, "alt": "points that move"} | given)
    words = WORDS if choose is None else [WORDS] * len(choose[1])
    return widgets.scrub(("t", WORDS), [panel], words, choose=choose)


# --- the panel ---


def test_positions_reach_the_page_unchanged():
    panel = _scrub().panels[0]
    sent = np.frombuffer(panel["data"], np.float32).reshape(STOPS, N, 2)
    assert np.array_equal(sent, PATHS.numpy())
    assert panel["behind"] is None and panel["arrows"] is None


def test_a_choice_is_the_first_axis_of_positions_and_may_be_of_arrows():
    both = torch.stack((PATHS, PATHS.flip(0)))
    vectors = torch.rand(STOPS, 9, 2, generator=torch.Generator().manual_seed(0))
    choose = ("sampler", ["stochastic", "deterministic"])
    shared = _scrub(choose, positions=both, arrows=("score", PLACES, vectors)).panels[0]
    own = torch.stack((vectors, vectors))
    given = _scrub(choose, positions=both, arrows=("score", PLACES, own)).panels[0]
    assert shared["arrows"] == given["arrows"]
    assert len(shared["arrows"]["data"]) == 2 * STOPS * 9 * 2 * 4


def test_arrows_keep_their_direction_and_none_is_longer_than_the_way_to_the_next():
    vectors = torch.randn(STOPS, 9, 2, generator=torch.Generator().manual_seed(0)) * 50
    vectors[0, 0] = 0
    panel = Points("score", PATHS, "arrows", arrows=("score", PLACES, vectors))
    drawn = panel.content(1, STOPS)["arrows"]["data"]
    lengths = np.linalg.norm(drawn[0], axis=-1)
    assert lengths.max() == pytest.approx(1.0) and lengths[0, 0] == 0  # the places are 1.0 apart
    cross = drawn[0, ..., 0] * vectors[..., 1].numpy() - drawn[0, ..., 1] * vectors[..., 0].numpy()
    assert np.abs(cross).max() < 1e-4
    assert ((drawn[0] * vectors.numpy()).sum(-1) >= 0).all()


def test_the_axes_hold_nearly_all_points_of_all_stops_and_those_behind():
    assert Points("p", PATHS, "a").content(1, STOPS)["reach"] == 1.0
    behind = ("data", torch.tensor([[2.3, 0.0], [0.0, -2.3]] * 20))
    assert Points("p", PATHS, "a", behind=behind).content(1, STOPS)["reach"] == 2.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"positions": PATHS[:3]}, r"panel 'paths': positions has shape \(3, 6, 2\)"),
        ({"positions": torch.zeros(STOPS, N, 3)}, "two numbers"),
        ({"positions": PATHS / 0}, "nan or inf"),
        ({"behind": ("data", torch.zeros(5))}, "behind have shape"),
        ({"arrows": ("score", PLACES, torch.zeros(STOPS, 8, 2))}, r"expected \(4, 9, 2\)"),
        ({"alt": ""}, "alt is"),
    ],
)
def test_what_does_not_fit_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        _scrub(**given)


def test_size_counts_the_arrows_too():
    places = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="fewer stops"):
        _scrub(arrows=("score", places, torch.zeros(STOPS, 2000, 2)),
               positions=torch.zeros(STOPS, 123_000, 2))  # fmt: skip


def test_the_still_strip_holds_the_points_and_is_the_same_each_time():
    given = {"arrows": ("score", PLACES, torch.ones(STOPS, 9, 2)), "trails": 2}
    page, picture = _scrub(**given).still()
    assert picture == _scrub(**given).still()[1] and picture != _scrub().still()[1]
    assert 'alt="points that move. A strip of 4 stops' in page


def test_two_samplers_with_arrows_stay_small():
    paths, grid = torch.zeros(2, 41, 300, 2), torch.cartesian_prod(*[torch.linspace(-2, 2, 15)] * 2)
    words = [f"{i}" for i in range(41)]
    panel = Points("p", paths, "a", arrows=("score", grid, torch.ones(41, 225, 2)), trails=20)
    scrubber = widgets.scrub(("t", words), [panel], [words] * 2, ("sampler", ["a", "b"]))
    sent = scrubber.panels[0]
    assert len(sent["data"]) + len(sent["arrows"]["data"]) < 500_000


# --- the square to draw in ---


@pytest.mark.parametrize("name", list(SHAPES))
def test_each_ready_made_shape_lies_in_the_square_and_is_the_same_each_time(name):
    points = widgets.plane("Draw.", name).points
    assert points.shape == (240, 2) and points.dtype == torch.float32
    assert points.abs().max() <= REACH
    assert points.std(0).min() > 0.4 and points.mean(0).abs().max() < 0.35
    assert torch.equal(points, widgets.plane("Draw.", name).points)


def test_points_are_those_on_show():
    plane = widgets.plane("Draw.")
    plane.drawn = [0.1, -0.2, 1.5, 0]
    assert torch.equal(plane.points, torch.tensor([[0.1, -0.2], [1.5, 0.0]]))


@pytest.mark.parametrize("drawn", [[], [0.5, 0.5]])
def test_too_few_points_are_refused_with_a_way_out(drawn):
    plane = widgets.plane("Draw.")
    plane.drawn = drawn
    with pytest.raises(ValueError, match="press one of the shapes"):
        _ = plane.points
    assert f"{len(drawn) // 2} points in the plane" in plane.still()[0]


def test_another_start_is_refused():
    with pytest.raises(ValueError, match="start is 'moon', expected one of"):
        widgets.plane("Draw.", "moon")


def test_a_reader_on_the_web_sees_the_points():
    data, _ = widgets.plane("Draw <b>it</b>.", "heart")._repr_mimebundle_()
    assert 'alt="Draw &lt;b&gt;it&lt;/b&gt;: 240 points in the plane, heart"' in data["text/html"]
    assert data["image/png"]
