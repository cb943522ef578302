"""Scores of made pictures: right ones score like real ones, and each kind of fault costs."""

import pytest
import torch

from diffusion_lessons import data, postcards, recognition, scoring
from diffusion_lessons.postcards import VALUES

SEED = 4242


@pytest.fixture(scope="module")
def asked_for():
    """200 single postcards, exactly what was asked for."""
    return data.scenes("single-postcards", 200, SEED, "test")


@pytest.fixture(scope="module")
def perfect(asked_for):
    return scoring.score("single-postcards", postcards.draw(asked_for, 32), SEED)


def test_what_is_asked_for_is_what_is_judged(asked_for):
    labels = scoring.asked("single-postcards", 200, SEED)
    factors = list(data.load("single-postcards", 32).factors)
    assert labels.shape == (200, len(factors))
    assert torch.equal(labels[:, factors.index("sky")], asked_for.attributes["sky"])
    assert torch.equal(labels[:, factors.index("colour")], asked_for.attributes["colour"][:, 0])
    train = data.scenes("single-postcards", 200, SEED).attributes["sky"]
    assert not torch.equal(train, asked_for.attributes["sky"])


def test_real_pictures_score_as_well_as_the_floor(perfect):
    assert perfect["object and colour right"] >= 0.99 and perfect["everything right"] >= 0.98
    distance, error = perfect["Frechet distance"], perfect["Frechet distance, standard error"]
    assert (
        abs(distance - perfect["Frechet distance of real pictures"]) < 6 * error + 0.05 * distance
    )
    assert 0 < error < distance


def test_wrong_colours_cost_the_pair_and_a_wrong_sky_only_everything(asked_for, perfect):
    def with_changed(name, slot):
        changed = {key: value.clone() for key, value in asked_for.attributes.items()}
        column = changed[name][:100] if slot is None else changed[name][:100, slot]
        column.copy_((column + 1) % len(VALUES[name]))
        images = postcards.draw(postcards.Scenes(changed, asked_for.dice), 32)
        return scoring.score("single-postcards", images, SEED)

    wrong = with_changed("colour", 0)
    assert wrong["object and colour right"] == pytest.approx(0.5, abs=0.02)
    low, high = wrong["object and colour right, 95 % interval"]
    assert 0.4 < low < 0.5 < high < 0.6
    wrong = with_changed("sky", None)
    assert wrong["object and colour right"] >= 0.98
    assert wrong["everything right"] == pytest.approx(0.5, abs=0.02)


def test_one_picture_again_and_again_is_right_and_far_off(perfect):
    sprites = data.scenes("sprites", 1, SEED, "test")
    images = postcards.draw(sprites, 32).expand(80, -1, -1, -1)
    scores = scoring.score("sprites", images, SEED)
    assert scores["Frechet distance"] > 5 * scores["Frechet distance of real pictures"]


def test_noise_is_nothing_that_was_asked_for(perfect):
    noise = torch.randn(80, 3, 32, 32, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    scores = scoring.score("single-postcards", noise, SEED)
    assert scores["object and colour right"] < 0.2
    assert scores["Frechet distance"] > 5 * perfect["Frechet distance"]


def test_grey_pictures_are_judged(asked_for):
    grey = postcards.draw(asked_for[:50], 32).mean(1, keepdim=True)
    assert scoring.score("single-postcards", grey, SEED)["pictures"] == 50


def test_clothes_are_asked_for_by_class():
    labels = scoring.asked("fashion-mnist", 30, 0)
    assert labels.shape == (30, 1) and labels[:, 0].bincount().tolist() == [3] * 10


def test_too_few_pictures_are_refused():
    with pytest.raises(ValueError, match="39 pictures: .* need 40"):
        scoring.score("sprites", torch.zeros(39, 3, 32, 32), 0)


def test_features_are_those_of_the_network():
    judge = recognition.load("judge")
    images = postcards.draw(data.scenes("sprites", 3, 0))
    assert torch.allclose(recognition.features(images, judge), judge.features(images), atol=1e-5)
