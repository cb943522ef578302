"""Steering measured: the scenes that are asked for, regions and seams by hand, and the walk."""

import pytest
import torch

from bench import steering
from diffusion_lessons import postcards
from diffusion_lessons.postcards import HELD_OUT, VALUES
from tests.small_pipe import normal, small_pipe

SCENES = postcards.sample_scenes(60, 5, kind="single")


def test_one_thing_changes_and_the_rest_of_a_scene_stays():
    for changed, names in (
        (steering.under_another_sky(SCENES), {"sky"}),
        (steering.with_another_thing(SCENES), {"object", "colour"}),
    ):
        assert torch.equal(changed.dice, SCENES.dice)
        for name in VALUES:
            one, other = (s.attributes[name].view(60, -1)[:, 0] for s in (SCENES, changed))
            assert (one == other).all() if name not in names else (one != other).all(), name
        things = (thing for said in postcards.describe(changed) for thing in said["things"])
        assert not {(thing["object"], thing["colour"]) for thing in things} & HELD_OUT


def test_a_region_its_edges_and_the_gradient_across_them_by_hand():
    things = torch.zeros(2, 1, 1, 64, 64, dtype=torch.bool)
    things[0, 0, 0, 20, 30] = things[1, 0, 0, 25, 40] = True
    mask, room = steering.region(*things), steering.ROOM
    wanted = torch.zeros(64, 64, dtype=torch.bool)
    wanted[20 - room : 26 + room, 30 - room : 41 + room] = True
    assert torch.equal(mask[0, 0], wanted)
    images = 0.25 * mask.expand(1, 3, 64, 64)
    for depth, step in ((0, 0.25), (1, 0.0)):
        assert steering.gradient(images, mask, range(depth, depth + 1)).tolist() == [step]
    assert steering.gradient(images, mask, range(2)).item() == pytest.approx(0.125, rel=0.1)
    twice = steering.ratio(torch.full((9,), 0.5), torch.full((9,), 0.25))
    assert twice == {"ratio": 2.0, "95 % interval": [2.0, 2.0]}


def test_a_regression_finds_what_is_there_and_nothing_where_nothing_is():
    x, y = normal(4000, 3).double(), normal(4000, seed=1).double()
    assert steering.regression_error(x, 5 * x[:, 0] + 0.1 * y).std() < 0.4
    assert steering.regression_error(x, y).std() == pytest.approx(1, abs=0.1)


def test_each_picture_keeps_its_noise_and_strength_1_is_text_to_image():
    pipe = small_pipe()
    walk = steering.Repainter(pipe, SCENES[:3], steering.under_another_sky(SCENES[:3]))
    *_, last = pipe.steps(walk.said, latents=walk.noise)
    assert torch.equal(walk.paint(1.0), pipe.decode(last.x_next))
    assert torch.equal(walk.paint(0.0), pipe.decode(walk.x_0))
    assert torch.equal(
        walk.noise[2:], pipe.noise(1, torch.Generator().manual_seed(steering.SEED + 2))
    )
