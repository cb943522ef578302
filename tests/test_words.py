"""Captions: natural, varied, deterministic, and never untrue."""

import re

import pytest
import torch

from diffusion_lessons.postcards.lexicon import MEANING_OF, PHRASES, SMALL_WORDS, vocabulary
from diffusion_lessons.postcards.reading import parse
from diffusion_lessons.postcards.scenes import KINDS, VALUES, Scenes, sample_scenes
from diffusion_lessons.postcards.words import captions, describe

TRAITS = ("object", "colour", "size", "position", "count")


def every_single() -> Scenes:
    """One scene for each of the 5 * 4 * 8 * 7 * 2 * 3 * 3 things that can stand alone."""
    names = list(VALUES)
    grid = torch.cartesian_prod(*(torch.arange(len(VALUES[name])) for name in names))
    columns = dict(zip(names, grid.unbind(1), strict=True))
    nobody = torch.full((len(grid),), -1)
    attributes = {name: columns[name] for name in ("sky", "ground")}
    attributes |= {name: torch.stack([columns[name], nobody], 1) for name in TRAITS}
    return Scenes(attributes, sample_scenes(len(grid), seed=0).dice)


def test_describe_says_what_the_indices_say():
    scenes = sample_scenes(200, seed=3)
    for i, said in enumerate(describe(scenes)):
        indices = {name: values[i].tolist() for name, values in scenes.attributes.items()}
        assert said["sky"] == VALUES["sky"][indices["sky"]]
        assert said["ground"] == VALUES["ground"][indices["ground"]]
        assert len(said["things"]) == sum(value >= 0 for value in indices["object"])
        for slot, thing in enumerate(said["things"]):
            assert thing == {name: VALUES[name][indices[name][slot]] for name in TRAITS}


@pytest.mark.parametrize("seed", [0, 1])
def test_full_captions_of_every_scene_of_one_thing_are_read_back_exactly(seed):
    scenes = every_single()
    for caption, said in zip(captions(scenes, seed, full=True), describe(scenes), strict=True):
        assert parse(caption) == said, caption


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", ["train", "held_out"])
def test_full_captions_are_read_back_exactly(kind, split):
    scenes = sample_scenes(4000, seed=5, split=split, kind=kind)
    for caption, said in zip(captions(scenes, 7, full=True), describe(scenes), strict=True):
        assert parse(caption) == said, caption


@pytest.mark.parametrize("kind", KINDS)
def test_short_captions_say_nothing_untrue_and_always_the_object(kind):
    scenes = sample_scenes(4000, seed=6, kind=kind)
    for caption, said in zip(captions(scenes, 8), describe(scenes), strict=True):
        read = parse(caption)
        for name in ("sky", "ground"):
            assert read[name] in (None, said[name]), caption
        assert len(read["things"]) == len(said["things"]), caption
        for heard, true in zip(read["things"], said["things"], strict=True):
            assert heard["object"] == true["object"], caption
            assert all(heard[name] in (None, true[name]) for name in TRAITS), caption
            assert true["count"] == "one" or heard["count"] == true["count"], caption


def test_about_half_of_what_may_be_omitted_is_omitted():
    scenes = sample_scenes(6000, seed=9)
    read = [parse(caption) for caption in captions(scenes, 10)]
    things = [thing for said in read for thing in said["things"]]
    for name in ("sky", "ground"):
        assert 0.47 < sum(said[name] is None for said in read) / len(read) < 0.53
    for name in ("colour", "size", "position"):
        assert 0.47 < sum(thing[name] is None for thing in things) / len(things) < 0.53
    alone = [said["things"][0] for said in read if len(said["things"]) == 1]
    assert 0.1 < sum(thing["count"] is None for thing in alone) / len(alone) < 0.25


def test_the_seed_decides_the_captions_and_other_scenes_do_not():
    scenes = sample_scenes(300, seed=11)
    whole = captions(scenes, 12)
    assert captions(scenes, 12) == whole
    assert captions(scenes[:100], 12) == whole[:100]
    assert sum(a != b for a, b in zip(captions(scenes, -12), whole, strict=True)) > 200


def test_captions_leave_torchs_and_pythons_random_numbers_alone():
    import random

    before = torch.get_rng_state(), random.getstate()
    captions(sample_scenes(10, seed=1), 1)
    assert torch.equal(torch.get_rng_state(), before[0]) and random.getstate() == before[1]


def test_no_scenes_no_captions():
    assert captions(sample_scenes(0, seed=0), 0) == [] == describe(sample_scenes(0, seed=0))


def test_captions_vary():
    scene = sample_scenes(1, seed=4, kind="single")
    many = Scenes({name: v.repeat_interleave(300, 0) for name, v in scene.attributes.items()},
                  scene.dice.repeat(300, 1))  # fmt: skip
    assert len(set(captions(many, 0, full=True))) > 150


def test_captions_use_all_of_the_vocabulary_and_nothing_else():
    written = set()
    for kind in KINDS:
        for full in (False, True):
            text = " ".join(captions(sample_scenes(6000, seed=2, kind=kind), 3, full=full))
            written.update(re.findall("[a-z]+", text.lower()))
    assert written == set(vocabulary())
    assert len(vocabulary()) < 110


def test_captions_are_short_and_tidy():
    for kind in KINDS:
        for caption in captions(sample_scenes(4000, seed=13, kind=kind), 14, full=True):
            assert len(re.findall("[a-z]+", caption.lower())) <= 30, caption
            assert "  " not in caption and " ," not in caption and caption == caption.strip()
            assert not caption.startswith((",", ":")) and not caption.endswith((",", ":"))


def test_articles_and_plurals():
    for kind in KINDS:
        for caption in captions(sample_scenes(4000, seed=15, kind=kind), 16):
            assert not re.search(r"\ba [aeio]", caption, re.IGNORECASE), caption
            assert not re.search(r"\ban [^aeio]", caption, re.IGNORECASE), caption
            assert not re.search(r"\b(two|three|of) (\w+ )*(house|cat|boat|cactus)\b", caption) or (
                kind == "pair"
            ), caption


def test_every_phrase_of_the_captions_means_its_value():
    for attribute, values in PHRASES.items():
        for value, phrases in values.items():
            for phrase in phrases:
                if attribute != "count":
                    words = re.findall("[a-z]+", phrase)
                    known = {MEANING_OF[word] for word in words if word in MEANING_OF}
                    assert known == {(attribute, value)}, phrase
                    assert all(w in MEANING_OF or w in SMALL_WORDS or w == "a" for w in words)


def test_every_value_of_the_world_has_phrases():
    assert {name: tuple(values) for name, values in PHRASES.items()} == VALUES
