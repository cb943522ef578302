"""The drawn world: what is sampled, what is drawn, and what may never change."""

import pytest
import torch

from diffusion_lessons import postcards
from diffusion_lessons.postcards import HELD_OUT, KINDS, VALUES

SPLITS = ("train", "held_out")


def pairs(scenes):
    """For each scene the (object, colour) words of its things."""
    a = scenes.attributes
    return [
        [
            (VALUES["object"][o], VALUES["colour"][c])
            for o, c in zip(objects, colours, strict=True)
            if o >= 0
        ]
        for objects, colours in zip(a["object"].tolist(), a["colour"].tolist(), strict=True)
    ]


def test_the_world_is_as_rich_as_promised():
    least = {"sky": 4, "ground": 4, "object": 8, "colour": 6, "size": 2, "position": 3, "count": 3}
    assert {name: len(words) >= least[name] for name, words in VALUES.items()} == dict.fromkeys(
        least, True
    )


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_training_scenes_never_hold_a_held_out_pair(kind):
    assert not HELD_OUT & {
        pair for scene in pairs(postcards.sample_scenes(4000, 3, "train", kind)) for pair in scene
    }


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_every_held_out_scene_holds_at_least_one_held_out_pair(kind):
    scenes = pairs(postcards.sample_scenes(4000, 4, "held_out", kind))
    assert all(HELD_OUT & set(scene) for scene in scenes)


def test_held_out_pairs_leave_every_word_in_training():
    seen = {pair for scene in pairs(postcards.sample_scenes(8000, 5)) for pair in scene}
    every = {(o, c) for o in VALUES["object"] for c in VALUES["colour"]}
    assert seen == every - HELD_OUT
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
    first, again, other = (postcards.draw(postcards.sample_scenes(40, s)) for s in (1, 1, 2))
    assert first.numpy().tobytes() == again.numpy().tobytes()
    assert not torch.equal(first, other)


def test_a_scene_looks_the_same_alone_and_in_a_crowd():
    many = postcards.sample_scenes(300, 11)
    few = postcards.sample_scenes(3, 11)
    assert torch.equal(postcards.draw(many)[:3], postcards.draw(few))
    assert torch.allclose(postcards.draw(many[299]), postcards.draw(many)[299:], atol=1e-6)


def test_sampling_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    postcards.draw(postcards.sample_scenes(4, 1))
    assert torch.equal(before, torch.random.get_rng_state())


def test_no_two_pictures_are_alike():
    images = postcards.draw(postcards.sample_scenes(400, 12), 32).flatten(1)
    distance = torch.cdist(images, images) + 1e9 * torch.eye(400)
    assert distance.min() > 0.5


def test_everything_else_varies_when_all_attributes_are_fixed():
    said = {
        "sky": "day",
        "ground": "sea",
        "things": [dict(object="boat", colour="red", size="large", position="left", count="one")],
    }
    images = postcards.draw(postcards.concatenate([postcards.compose(said, s) for s in range(24)]))
    distance = torch.cdist(images.flatten(1), images.flatten(1)) + 1e9 * torch.eye(24)
    assert distance.min() > 1.0


def test_masks_cover_the_things_and_nothing_much_else():
    scenes = postcards.sample_scenes(500, 13, kind="single")
    a, share = scenes.attributes, postcards.object_mask(scenes).float().mean((1, 2, 3))
    small = a["size"][:, 0] == 0
    assert share[small].min() > 0.015 and share[small].max() < 0.07
    assert share[~small].min() > 0.06 and share[~small].max() < 0.25
    middle = (postcards.object_mask(scenes)[:, 0].float() * torch.arange(64)).sum((1, 2)) / (
        share * 64 * 64
    )
    for index, low, high in ((0, 0, 26), (1, 26, 38), (2, 38, 64)):
        chosen = middle[a["position"][:, 0] == index]
        assert chosen.min() > low and chosen.max() < high


@pytest.mark.parametrize("kind", ["group", "pair"])
def test_nothing_is_hidden_so_far_that_it_cannot_be_named(kind):
    scenes = postcards.sample_scenes(1500, 14, kind=kind)
    from diffusion_lessons.postcards import drawing, layout

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


def test_compose_shows_what_was_said_and_keeps_to_the_split():
    words = {
        "sky": "aurora",
        "ground": None,
        "things": [{"object": "cat"}, {"colour": "blue", "position": "left"}],
    }
    for seed in range(40):
        scene = postcards.compose(words, seed)
        a = scene.attributes
        assert len(scene) == 1 and VALUES["sky"][a["sky"]] == "aurora"
        assert VALUES["object"][a["object"][0, 0]] == "cat"
        assert VALUES["colour"][a["colour"][0, 1]] == "blue"
        assert a["position"][0].tolist() in ([1, 0], [2, 0])
        assert not HELD_OUT & set(pairs(scene)[0])
    assert pairs(postcards.compose({"things": [{"object": "cat", "colour": "red"}]}, 0))[0] == [
        ("cat", "red")
    ]
    assert set(pairs(postcards.compose({"things": []}, 0, "held_out"))[0]) <= HELD_OUT


@pytest.mark.parametrize(
    "prompt",
    [
        "a large red house on the left and a small blue boat on the sea at night",
        "a cat and a large red house on the left on the sea at night",
        "a small cat and something large and red on the right, on grass at dawn",
    ],
)
def test_compose_keeps_two_things_apart_and_what_it_chooses_in_the_split(prompt):
    said = postcards.parse(prompt)
    half_said = [
        (thing.get("object") is None) != (thing.get("colour") is None) for thing in said["things"]
    ]
    for seed in range(100):
        scene = postcards.compose(said, seed)
        left, right = scene.attributes["position"][0].tolist()
        assert left != right
        chosen = [pair for pair, half in zip(pairs(scene)[0], half_said, strict=True) if half]
        assert not HELD_OUT & set(chosen)


def test_compose_accepts_every_combination_that_can_be_said():
    for seed, count in enumerate(("one", "two", "three")):
        said = {
            "sky": "night",
            "ground": "snow",
            "things": [
                dict(object="house", colour="red", size="small", position="right", count=count)
            ],
        }
        a = postcards.compose(said, seed).attributes
        got = {name: VALUES[name][int(a[name].flatten()[0])] for name in VALUES}
        assert got == {"sky": "night", "ground": "snow", **said["things"][0]}


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
