"""What each shipped weight's card says is true of the file beside it."""

import dataclasses
import json

import pytest
import torch

from diffusion_lessons import models, recipes, workspace
from diffusion_lessons.recipes import GeneratorRecipe
from diffusion_lessons.scoring import clothes

GENERATORS = [name for name, one in recipes.RECIPES.items() if isinstance(one, GeneratorRecipe)]
TEXT_TO_IMAGE = ("captions", "autoencoder", "postcards")
CASCADE = ("upsampler", "postcards-cascade")
TODAY = ("postcards-turbo", "postcards-flow", "postcards-dit", *CASCADE)  # of lesson 07
LARGEST, LARGEST_TOGETHER, LARGEST_TODAY = 5_000_000, 20_000_000, 45_000_000  # bytes
LARGEST_CASCADE, LARGEST_CODES = 17_000_000, 9_000_000


@pytest.mark.parametrize("name", recipes.NAMES)
def test_a_weight_is_in_half_precision(name):
    tensors, _ = workspace.load_weights(name)
    assert {t.dtype for t in tensors.values() if t.is_floating_point()} == {torch.float16}


def test_weights_are_small():
    sizes = {name: workspace.data_path("weights", f"{name}.safetensors").stat().st_size
             for name in recipes.NAMES}  # fmt: skip
    assert sum(sizes.pop(name) for name in TEXT_TO_IMAGE) < LARGEST_TOGETHER
    assert sum(sizes[name] for name in CASCADE) < LARGEST_CASCADE
    assert sum(sizes.pop(name) for name in TODAY) < LARGEST_TODAY
    assert sum(sizes.pop(name) for name in ("tokeniser", "postcards-codes")) < LARGEST_CODES
    assert max(sizes.values()) < LARGEST


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_is_the_one_that_its_card_describes(name):
    model, card = models.load_unet(name)
    recipe = recipes.RECIPES[name]
    assert f"UNet, {models.count_parameters(model)} parameters" == card["network"]
    assert card["recipe"]["seed"] == recipe.seed and card["recipe"]["steps"] == recipe.steps
    assert (card["data"], card["kind"]) == (recipe.data, recipe.kind)
    assert [len(words) for words in card["factors"].values()] == card["unet"]["factors"]
    assert workspace.data_path("weights", card["first seeds"]["file"]).is_file()
    assert len(card["first seeds"]["asked for"]) == 64
    assert "CPU seconds of training" in card or "GPU seconds of training" in card


def test_the_postcards_show_what_was_asked_for():
    scores = models.load_unet("postcards-32")[1]["scores"]
    assert scores["object and colour right"] >= 0.95 and scores["everything right"] >= 0.95
    assert scores["Frechet distance"] < 2 * scores["Frechet distance of real pictures"]


def test_captions_are_understood():
    scores = models.load_caption_reader()[1]["scores"]
    assert all(row["everything right"] >= 0.99 for row in scores.values())


def test_the_autoencoder_gives_back_what_it_was_given():
    single = models.load_autoencoder()[1]["scores"]["single"]
    assert single["pictures"] >= 1024
    assert single["PSNR inside the things"] >= 24 and single["everything right"] >= 0.98


def test_what_captions_say_is_painted():
    scores = models.load_text_unet()[1]["scores"]
    for kind, least in {
        "single, full captions": 0.97, "single of held-out pairs, full captions": 0.93,
        "single, varied captions": 0.95, "group, full captions": 0.80, "pair, full captions": 0.80,
    }.items():  # fmt: skip
        assert scores[kind]["what was said is right"] >= least, kind


@pytest.mark.parametrize("name", ["postcards", "postcards-flow", "postcards-cascade"])
def test_text_to_image_is_the_one_that_its_card_describes(name):
    unet, card = models.load_text_unet(name)
    recipe = recipes.RECIPES[name]
    assert card.get("sampler", "dpm_solver") == recipe.sampler
    assert f"TextUNet, {models.count_parameters(unet)} parameters" == card["network"]
    assert card["recipe"] == as_stored(recipe)
    decoder, about = models.load_decoder(recipe.autoencoder)
    assert card["scaling_factor"] == about["scaling_factor"]
    assert about["recipe"] == as_stored(recipes.RECIPES[recipe.autoencoder])
    assert f"{type(decoder).__name__}, {models.count_parameters(decoder)} par" in about["network"]
    assert workspace.data_path("weights", card["first seeds"]["file"]).is_file()
    assert len(card["first seeds"]["asked for"]) == 64


def as_stored(recipe):
    return json.loads(json.dumps(dataclasses.asdict(recipe)))


def test_the_judge_of_clothes_is_good_enough_to_judge():
    _, card = workspace.load_weights(clothes.NAME)
    assert card["scores"]["right"] >= 0.92
    assert str(models.count_parameters(clothes.load().network)) in card["network"]


def test_readme_says_how_long_the_trainings_took(project):
    """From a minute to an hour, on the processor that the cards name."""
    text = (project / "README.md").read_text(encoding="utf-8")
    assert "takes from a minute (`lora-lantern`) to an hour on a processor" in text
    cards = [workspace.load_weights(name)[1] for name in recipes.NAMES]
    seconds = {card["name"]: card["CPU seconds of training"] for card in cards}
    assert max(took for name, took in seconds.items() if name.startswith("lora-")) < 60
    assert min(seconds, key=seconds.get).startswith("lora-")
    assert 2700 < max(seconds.values()) < 3900
