"""What each shipped weight's card says is true of the file beside it."""

import pytest
import torch

from diffusion_lessons import models, recipes, ruler, workspace
from diffusion_lessons.recipes import GeneratorRecipe

GENERATORS = [name for name, one in recipes.RECIPES.items() if isinstance(one, GeneratorRecipe)]
LARGEST = 5_000_000  # bytes


@pytest.mark.parametrize("name", recipes.NAMES)
def test_a_weight_is_small_and_half_precision(name):
    tensors, _ = workspace.load_weights(name)
    assert workspace.data_path("weights", f"{name}.safetensors").stat().st_size < LARGEST
    assert {t.dtype for t in tensors.values() if t.is_floating_point()} == {torch.float16}


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


def test_the_judge_of_clothes_is_good_enough_to_judge():
    _, card = workspace.load_weights(ruler.NAME)
    assert card["scores"]["right"] >= 0.92
    assert str(models.count_parameters(ruler.load_judge())) in card["network"]
