"""The drawn world: what is sampled, what is drawn, and what may never change."""

from itertools import product

import pytest
import torch

from diffusion_lessons import postcards
from diffusion_lessons.postcards import HELD_OUT, KINDS, VALUES, drawing, layout
from diffusion_lessons.postcards.scenes import SPLITS


def pairs(scenes):
    """For each scene the (object, colour) words of its things."""
    things = [description["things"] for description in postcards.describe(scenes)]
    return [{(thing["object"], thing["colour"]) for thing in of_one} for of_one in things]


def nearest(images):
    """The smallest distance between two of the pictures."""
    distance = torch.cdist(images.flatten(1), images.flatten(1))
    return (distance + 1e9 * torch.eye(len(images))).min()


def test_the_world_is_as_rich_as_promised():
    least = {"sky": 4, "ground": 4, "object": 8, "colour": 6, "size": 2, "position": 3, "count": 3}
    assert VALUES.keys() == least.keys()
    assert all(len(words) >= least[name] for name, words in VALUES.items())


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_held_out_pairs_are_in_every_held_out_scene_and_never_in_training(kind):
    train, held_out = (pairs(postcards.sample_scenes(4000, 3, split, kind)) for split in SPLITS)
    assert not HELD_OUT & set().union(*train)
    assert all(HELD_OUT & scene for scene in held_out)


def test_held_out_pairs_leave_every_word_in_training():
    seen = set().union(*pairs(postcards.sample_scenes(8000, 5)))
    assert seen == set(product(VALUES["object"], VALUES["colour"])) - HELD_OUT
    assert {o for o, _ in HELD_OUT} == set(VALUES["object"])


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_are_what_they_say(split, kind):
    a = postcards.sample_scenes(3000, 6, split, kind).attributes
    things = (a["object"] >= 0).sum(1)
    assert bool((things == (2 if kind == "pair" else 1)).all())
    count = a["count"][:, 0]
    assert set(count.tolist()) == ({1, 2} if kind == "group" else {0})
    for name in ("colour", "size", "position", "count"):
        assert torch.equal(a[name] >= 0, a["object"] >= 0)
    if kind == "pair":
        assert bool((a["position"][:, 0] != a["position"][:, 1]).all())
        same = (a["object"][:, 0] == a["object"][:, 1]) & (a["colour"][:, 0] == a["colour"][:, 1])
        assert not bool(same.any())


def test_every_value_is_sampled_about_as_often_as_the_next():
    a = postcards.sample_scenes(20000, 7, "train", "single").attributes
    for name in VALUES.keys() - {"count"}:
        values = a[name] if a[name].dim() == 1 else a[name][:, 0]
        share = values.bincount(minlength=len(VALUES[name])) / 20000 * len(VALUES[name])
        assert share.min() > 0.80 and share.max() < 1.15, (name, share)


def test_the_mix_is_mostly_single():
    share = postcards.kinds(postcards.sample_scenes(20000, 8)).bincount() / 20000
    assert torch.allclose(share, torch.tensor([0.70, 0.15, 0.15]), atol=0.02)


def test_shapes_types_and_range():
    scenes = postcards.sample_scenes(7, 0)
    for size in (32, 64):
        images = postcards.draw(scenes, size)
        assert images.shape == (7, 3, size, size) and images.dtype == torch.float32
        assert images.min() >= -1 and images.max() <= 1
        mask = postcards.object_mask(scenes, size)
        assert mask.shape == (7, 1, size, size) and mask.dtype == torch.bool
    for name, value in scenes.attributes.items():
        assert value.dtype == torch.int64
        assert value.shape == ((7,) if name in ("sky", "ground") else (7, 2))
    assert postcards.draw(scenes[:0]).shape == (0, 3, 64, 64)


def test_the_same_seed_draws_the_same_bytes_and_another_seed_others():
    before = torch.get_rng_state()
    first, again, other = (postcards.draw(postcards.sample_scenes(40, s)) for s in (1, 1, 2))
    assert first.numpy().tobytes() == again.numpy().tobytes()
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state()), "torch's own generator is not touched"


def test_a_scene_looks_the_same_alone_and_in_a_crowd():
    many = postcards.sample_scenes(300, 11)
    few = postcards.sample_scenes(3, 11)
    drawn = postcards.draw(many)
    assert torch.equal(drawn[:3], postcards.draw(few))
    assert torch.allclose(postcards.draw(many[299]), drawn[299:], atol=1e-6)


def test_no_two_pictures_are_alike_not_even_where_all_attributes_are_fixed():
    assert nearest(postcards.draw(postcards.sample_scenes(400, 12), 32)) > 0.5
    said = postcards.parse("a large red boat on the left, on the sea by day")
    same = postcards.concatenate([postcards.compose(said, seed) for seed in range(24)])
    assert all(len(values.unique(dim=0)) == 1 for values in same.attributes.values())
    assert nearest(postcards.draw(same)) > 1.0


def test_masks_cover_the_things_and_nothing_much_else():
    scenes = postcards.sample_scenes(500, 13, kind="single")
    a, share = scenes.attributes, postcards.object_mask(scenes).float().mean((1, 2, 3))
    small = a["size"][:, 0] == 0
    assert share[small].min() > 0.015 and share[small].max() < 0.07
    assert share[~small].min() > 0.06 and share[~small].max() < 0.25
    columns = postcards.object_mask(scenes)[:, 0].float().mean(1)
    middle = (columns * torch.arange(64)).sum(1) / columns.sum(1)
    for index, low, high in ((0, 0, 26), (1, 26, 38), (2, 38, 64)):
        chosen = middle[a["position"][:, 0] == index]
        assert chosen.min() > low and chosen.max() < high


@pytest.mark.parametrize("kind", ["group", "pair"])
def test_nothing_is_hidden_so_far_that_it_cannot_be_named(kind):
    scenes = postcards.sample_scenes(1500, 14, kind=kind)
    placed = layout.place(scenes)
    _, alpha = drawing._sprites(scenes, placed, 64)
    whole = alpha[:, 0] > 0.5
    seen = whole.clone()
    for rank in range(1, 3):
        for row in (placed.depth == rank).nonzero()[:, 0].tolist():
            behind = (placed.scene == placed.scene[row]) & (placed.depth < rank)
            seen[behind] &= ~whole[row]
    share = seen.sum((1, 2)) / whole.sum((1, 2))
    assert share.min() > (0.9 if kind == "pair" else 0.6)


def test_every_object_stays_inside_the_picture():
    mask = postcards.object_mask(postcards.sample_scenes(3000, 15))[:, 0]
    edge = torch.cat([mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1]], dim=1)
    assert not bool(edge.any())


def test_small_pictures_are_the_large_ones_seen_from_afar():
    scenes = postcards.sample_scenes(64, 16)
    large = torch.nn.functional.avg_pool2d(postcards.draw(scenes, 64), 2)
    assert (postcards.draw(scenes, 32) - large).abs().mean() < 0.035


@pytest.mark.parametrize(
    "prompt",
    [
        "a large red house on the left and a small blue boat on the sea at night",
        "a cat and a large red house on the left on the sea at night",
        "a small cat and something large and red on the right, on grass at dawn",
        "a cat and something blue on the left under the aurora",
        "something on the right and a house, in the snow",
        *(f"{count} small red house on the right, on snow at night" for count in (1, 2, 3)),
        "a red cat",
        "",
    ],
)
def test_compose_shows_what_was_said_and_keeps_the_rest_in_the_split_and_things_apart(prompt):
    said = postcards.parse(prompt)
    for seed in range(100):
        scene = postcards.compose(said, seed)
        (shown,) = postcards.describe(scene)
        assert len(scene) == 1 and len(shown["things"]) == max(1, len(said["things"]))
        for wanted, part in zip((said, *said["things"]), (shown, *shown["things"]), strict=False):
            for name in wanted.keys() - {"things"}:
                assert wanted[name] in (None, part[name]), name
            if not (wanted.get("object") and wanted.get("colour")):
                assert (part.get("object"), part.get("colour")) not in HELD_OUT
        assert len({thing["position"] for thing in shown["things"]}) == len(shown["things"])
    if not said["things"]:
        assert pairs(postcards.compose({}, 0, "held_out"))[0] <= HELD_OUT


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: postcards.sample_scenes(-1, 0), "-1"),
        (lambda: postcards.sample_scenes(1, 2**32), "4294967296"),
        (lambda: postcards.sample_scenes(1, 0, split="test"), "held_out"),
        (lambda: postcards.sample_scenes(1, 0, kind="triple"), "'single', 'group', 'pair', None"),
        (lambda: postcards.draw(postcards.sample_scenes(1, 0), 4), "size is 4"),
        (lambda: postcards.object_mask(postcards.sample_scenes(1, 0), 5000), "5000"),
        (lambda: postcards.compose({"things": [{"position": "left"}] * 2}, 0), "left"),
        (lambda: postcards.compose({"things": [{"count": "two"}, {}]}, 0), "one of each"),
    ],
)
def test_bad_input_gets_a_sentence_that_names_it(call, part):
    with pytest.raises(ValueError, match=part):
        call()
