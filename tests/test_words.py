"""Captions: natural, varied, deterministic, and never untrue."""

import random
import re
from itertools import product

import pytest
import torch

from diffusion_lessons.postcards.lexicon import MEANING_OF, PHRASES, SMALL_WORDS, VALUES, vocabulary
from diffusion_lessons.postcards.reading import parse
from diffusion_lessons.postcards.scenes import (
    KINDS,
    THING_ATTRIBUTES,
    Scenes,
    concatenate,
    sample_scenes,
)
from diffusion_lessons.postcards.words import captions, describe, described_captions


def every_single() -> Scenes:
    """One scene for each of the 5 * 4 * 8 * 7 * 2 * 3 * 3 things that can stand alone."""
    names = list(VALUES)
    grid = torch.cartesian_prod(*(torch.arange(len(VALUES[name])) for name in names))
    columns = dict(zip(names, grid.unbind(1), strict=True))
    nobody = torch.full((len(grid),), -1)
    attributes = {name: columns[name] for name in ("sky", "ground")}
    attributes |= {name: torch.stack([columns[name], nobody], 1) for name in THING_ATTRIBUTES}
    return Scenes(attributes, sample_scenes(len(grid), seed=0).dice)


def test_describe_says_what_the_indices_say():
    scenes = sample_scenes(200, seed=3)
    for i, description in enumerate(describe(scenes)):
        indices = {name: values[i] for name, values in scenes.attributes.items()}
        assert len(description["things"]) == (indices["object"] >= 0).sum()
        for name in ("sky", "ground"):
            assert description[name] == VALUES[name][indices[name]]
        for slot, thing in enumerate(description["things"]):
            assert thing == {name: VALUES[name][indices[name][slot]] for name in THING_ATTRIBUTES}


@pytest.mark.parametrize("seed", [0, 1])
def test_full_captions_of_every_scene_of_one_thing_are_read_back_exactly(seed):
    scenes = every_single()
    for caption, truth in zip(captions(scenes, seed, full=True), describe(scenes), strict=True):
        assert parse(caption) == truth, caption


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", ["train", "held_out"])
def test_a_caption_says_what_it_carries_and_nothing_untrue(kind, split, full):
    """So nobody has to parse a caption that was written here; and the object is never left out."""
    scenes = sample_scenes(2000, seed=5, split=split, kind=kind)
    written = described_captions(scenes, 7, full)
    assert [caption.text for caption in written] == captions(scenes, 7, full)
    for (text, description), truth in zip(written, describe(scenes), strict=True):
        assert parse(text) == description, text
        if full:
            assert description == truth, text
        pairs = zip((description, *description["things"]), (truth, *truth["things"]), strict=True)
        for named, true in pairs:
            for name in named.keys() - {"things"}:
                assert named[name] in (None, true[name]), text
            assert named.get("object") == true.get("object"), text
            assert true.get("count") == "one" or named.get("count") == true.get("count"), text


def test_about_half_of_what_may_be_omitted_is_omitted():
    written = [caption.description for caption in described_captions(sample_scenes(6000, 9), 10)]
    things = [thing for description in written for thing in description["things"]]
    alone = [row["things"][0] for row in written if len(row["things"]) == 1]
    for rows, names, low, high in (
        (written, ("sky", "ground"), 0.47, 0.53),
        (things, ("colour", "size", "position"), 0.47, 0.53),
        (alone, ("count",), 0.1, 0.25),
    ):
        for name in names:
            assert low < sum(row[name] is None for row in rows) / len(rows) < high, name


def test_the_seed_decides_the_captions_and_other_scenes_do_not():
    scenes = sample_scenes(300, seed=11)
    before = torch.get_rng_state(), random.getstate()
    whole = captions(scenes, 12)
    assert captions(scenes, 12) == whole and captions(scenes[:100], 12) == whole[:100]
    assert sum(a != b for a, b in zip(captions(scenes, 13), whole, strict=True)) > 200
    assert captions(scenes[:0], 0) == [] == describe(scenes[:0])
    assert torch.equal(torch.get_rng_state(), before[0]) and random.getstate() == before[1]


def test_captions_vary():
    scenes = concatenate([sample_scenes(1, seed=4, kind="single")] * 300)
    assert len(set(captions(scenes, 0, full=True))) > 150


def test_captions_are_short_and_tidy_and_use_all_of_the_vocabulary_and_nothing_else():
    used = set()
    for kind, full in product(KINDS, (False, True)):
        for caption in captions(sample_scenes(6000, seed=2, kind=kind), 3, full=full):
            words = re.findall("[a-z]+", caption.lower())
            assert len(words) <= 30, caption
            used.update(words)
            assert "  " not in caption and " ," not in caption and caption == caption.strip()
            assert not caption.startswith((",", ":")) and not caption.endswith((",", ":"))
            assert not re.search(r"\ba [aeio]|\ban [^aeio]", caption, re.IGNORECASE), caption
            single = r"\b(two|three|of) (\w+ )*(house|cat|boat|cactus)\b"
            assert kind == "pair" or not re.search(single, caption), caption
    assert used == set(vocabulary()) and len(used) < 110


def test_every_phrase_of_the_captions_means_its_value():
    for attribute in VALUES.keys() - {"count"}:
        for value, phrases in PHRASES[attribute].items():
            for words in (re.findall("[a-z]+", phrase) for phrase in phrases):
                known = {MEANING_OF[word] for word in words if word in MEANING_OF}
                assert known == {(attribute, value)}, words
                assert all(word in MEANING_OF or word in (*SMALL_WORDS, "a") for word in words)
