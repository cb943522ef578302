"""The race of straight and curved paths: equal cost, the figures by hand, runs that are kept."""

import dataclasses

import pytest
import torch
from pytest import approx

from bench import flow
from diffusion_lessons import sampling
from tests.small_pipe import normal


def test_a_straight_way_has_no_detour_and_half_a_circle_has_its_own():
    straight = torch.linspace(0, 1, 5)[:, None, None] * normal(1, 3, 2)
    assert flow.detour(straight).tolist() == approx([0] * 3, abs=1e-6)
    turn = torch.linspace(0, torch.pi, 2001)
    circle = torch.stack([turn.cos(), turn.sin()], dim=1)[:, None]  # (2001, 1, 2)
    assert flow.detour(circle).item() == approx(torch.pi / 2 - 1, abs=1e-4)
    there_and_back = torch.tensor([0.0, 3.0, 1.0])[:, None, None]
    assert flow.detour(there_and_back).item() == approx(4)


def test_the_distance_is_that_of_the_pictures_whose_end_is_known():
    ends, goal = torch.zeros(4, 2), torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert flow.root_mean_square(ends, goal) == approx((25 / 4) ** 0.5)


def test_both_sides_differ_in_path_and_target_alone():
    sides = [dataclasses.asdict(flow.recipe(side, 1)) for side in flow.SIDES]
    unlike = {name for name in sides[0] if sides[0][name] != sides[1][name]}
    assert unlike == {"schedule", "kind"}
    assert sides[0]["widths"] == tuple(flow.recipes.RECIPES["postcards"].widths)
    assert {sampler for _, _, sampler in flow.SIDES.values()} <= {"ddim", "euler"}  # first order


def test_an_interval_counts_seeds_as_well_as_pictures():
    """Three seeds that disagree leave more doubt than their pictures do."""
    dice = torch.Generator().manual_seed(0)
    alike = (torch.rand(3, 400, generator=dice) < 0.5).float()
    unlike = torch.tensor([[0.2], [0.5], [0.8]]) > torch.rand(3, 400, generator=dice)
    (low, high), (lower, higher) = flow.interval(alike), flow.interval(unlike.float())
    assert low < 0.5 < high and lower < 0.5 < higher
    assert 0.04 < high - low < 0.12 and higher - lower > 2 * (high - low)
    assert flow.interval(torch.ones(3, 5)) == [1, 1]


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A race of two steps, over four pictures."""
    for name, value in {
        "KEPT": tmp_path, "STEPS": 2, "SEEDS": (0, 1), "LATENTS": 64, "PICTURES": 4,
        "CALLS": (1, 2), "FINE": 3, "FOLLOWED": 2, "AT_ONCE": 2, "AGAIN": 20,
    }.items():  # fmt: skip
        monkeypatch.setattr(flow, name, value)


def test_a_network_is_trained_and_measured(small):
    found = flow.run("flow", 0, *flow.latents())
    assert found["right"].shape == (2, 4) and found["right"].dtype == torch.bool
    assert found["FLOPs of training"] > 5e10 and found["CPU seconds of training"] > 0
    one_call, two_calls = found[flow.OFF]
    assert one_call > two_calls > 0 and found[flow.DETOUR] > 0


def test_runs_are_kept_so_that_an_interrupted_race_goes_on_where_it_was(small, monkeypatch):
    made = []

    def run(side, seed, *data):
        made.append((side, seed))
        dice = torch.Generator().manual_seed(seed)
        return {
            "CPU seconds of training": 10.0, "FLOPs of training": 2e12, flow.DETOUR: 0.25,
            "right": torch.rand(2, 4, generator=dice) < (0.9 if side == "flow" else 0.4),
            flow.OFF: [0.5, 0.25],
        }  # fmt: skip

    monkeypatch.setattr(flow, "run", run)
    monkeypatch.setattr(flow, "latents", lambda: (None, None))
    whole = flow.race(flow.runs())
    assert made == [(side, seed) for seed in (0, 1) for side in ("cosine", "flow")]
    (last,) = flow.KEPT.glob("flow-1-*.pt")
    last.unlink()
    assert flow.race(flow.runs()) == whole and made[4:] == [("flow", 1)]
    row = whole["rows"][0]
    each = [row[side][flow.RIGHT] for side in ("flow", "cosine")]
    assert row["flow less cosine"][flow.RIGHT] == approx(each[0] - each[1], abs=1e-4)
    assert row["flow"]["by seed"] == approx([each[0] * 2 - row["flow"]["by seed"][1],
                                             row["flow"]["by seed"][1]])  # fmt: skip
    assert whole["sides"]["flow"]["TFLOPs of training"] == [2, 2]
    assert "flow less cosine" in flow.table(whole, [])


def test_a_walk_of_as_many_steps_ends_where_the_fine_walk_does(small):
    walker = flow.Walker(flow.TextToImage.from_pretrained("postcards"), 4)
    goal, longer = walker.followed("ddim", 3)
    ends = walker.ends("ddim", sampling.times(flow.FINE))
    assert flow.root_mean_square(ends, goal) == approx(0, abs=1e-5) and longer > 0
    assert flow.root_mean_square(walker.ends("ddim", sampling.times(1)), goal) > 0.05
    assert walker.right(ends).shape == (4,)
