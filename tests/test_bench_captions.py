"""The race of the captions: what each set says of a picture, and runs that are kept."""

from dataclasses import replace
from random import Random

import pytest
import torch

from bench import captions
from diffusion_lessons import postcards
from diffusion_lessons.postcards import parse
from diffusion_lessons.scoring import recognition

SCENES = postcards.sample_scenes(400, 3, kind="single")
TRUE = postcards.describe(SCENES)


def test_poor_captions_say_the_thing_and_half_of_the_colours():
    said = captions.poor(TRUE, 0, elsewhere=0.0)
    for one, true in zip(said, TRUE, strict=True):
        (thing,), (real,) = one["things"], true["things"]
        assert thing["object"] == real["object"] and thing["colour"] in (None, real["colour"])
        assert {one["sky"], one["ground"], thing["size"], thing["position"]} == {None}
    assert 0.4 < sum(one["things"][0]["colour"] is None for one in said) / 400 < 0.6


def test_one_in_ten_is_of_another_picture():
    wrong = [
        one["things"][0]["object"] != true["things"][0]["object"]
        for one, true in zip(captions.poor(TRUE, 0), TRUE, strict=True)
    ]
    assert 0.05 < sum(wrong) / 400 < 0.12  # one in eight of these has the same thing by chance


@pytest.mark.parametrize(("name", "full"), [("poor", 0.0), ("full", 1.0), ("mixed", 0.95)])
def test_a_set_says_what_it_should(name, full):
    caption, rows = captions.captions_of(name, SCENES), list(range(400))
    said = [parse(text) for text in caption(rows, Random(1))]
    assert abs(sum(map(dict.__eq__, said, TRUE)) / 400 - full) < 0.03
    assert caption(rows, Random(1)) == caption(rows, Random(1)) != caption(rows, Random(2))


def test_written_captions_are_those_of_a_reader_that_errs(tmp_path, monkeypatch):
    monkeypatch.setattr(captions, "KEPT", tmp_path)
    few = SCENES[:64]
    said = captions.written(few)
    right = sum(map(dict.__eq__, said, TRUE[:64])) / 64
    assert 0.5 < right < 0.9
    texts = captions.captions_of("written", few)(list(range(64)), Random(0))
    assert [parse(text)["things"] for text in texts] == [one["things"] for one in said]
    assert captions.in_words({"sky": "day", "ground": "sea", "things": []}, Random(0)) == ""


def test_the_prompts_are_short_full_and_expanded():
    asked = captions.Asked(12)
    for short, full, long in zip(*(asked.descriptions[p] for p in ("short", "full", "expanded")),
                                 strict=True):  # fmt: skip
        thing = long["things"][0]
        assert None not in (long["sky"], long["ground"], *thing.values())
        assert short["things"][0]["object"] == thing["object"] == full["things"][0]["object"]
        assert short["things"][0]["colour"] in (None, thing["colour"])


def test_a_network_is_trained_kept_and_painted(tmp_path, monkeypatch):
    monkeypatch.setattr(captions, "KEPT", tmp_path)
    monkeypatch.setattr(captions, "HOW", replace(captions.HOW, steps=2, batch=4))
    few, latents = SCENES[:48], torch.randn(48, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    whole = captions.kept("written-network.pt", captions.trained, "written", few, latents)
    again = captions.kept("written-network.pt", pytest.fail, "it was kept")
    assert again["loss at the end"] == whole["loss at the end"] > 0
    read = captions.read_well(few)
    assert read["through noise"][captions.ALL] < read["in clean postcards"][captions.ALL] == 1
    asked = captions.Asked(4)
    images = captions.guidance.paint(captions.network(whole), asked.prompts["short"], 0)
    real = recognition.load("judge").features(postcards.draw(SCENES[:9]))
    line = captions.row(images, "short", asked, real)
    assert line["pictures"] == 4
    assert sum(line["share of each word"]["sky"].values()) == pytest.approx(1, abs=1e-3)
