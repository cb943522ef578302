"""The judge of clothes: its training, its features, and the scale of distances in them."""

import dataclasses
import json

import pytest
import torch
from torch import nn

from diffusion_lessons import recipes, workspace
from diffusion_lessons.models import count_parameters
from diffusion_lessons.scoring import clothes
from diffusion_lessons.scoring.clothes import ClothesEvaluator
from diffusion_lessons.scoring.networks import FashionJudge


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def stripes(count, seed=0):
    """Pictures in ten classes: class k has 2 * k + 2 bright lines at the top, and noise."""
    labels = torch.arange(count) % 10
    lines = torch.arange(28)[None, :, None] < 2 * labels[:, None, None] + 2
    images = torch.where(lines[:, None], 0.7, -0.7) + 0.3 * random(count, 1, 28, 28, seed=seed)
    return images.clamp(-1, 1), labels


class Pixels(nn.Module):
    """Stands in for the classifier: its features are eight pixels, seen without a network."""

    def features(self, images):
        return images[:, 0, 10:12, 10:14].flatten(1)


def test_training_learns_classes_and_repeats_itself(monkeypatch):
    monkeypatch.setattr(recipes.FashionJudgeRecipe, "_stored", lambda self, split: stripes(200))
    recipe = recipes.FashionJudgeRecipe(seed=1, steps=25, batch=20, learning_rate=4e-3)
    fit, again = (recipe.begin(clothes.NAME, torch.device("cpu")) for _ in range(2))
    losses = [step.loss for step in fit]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert losses == [step.loss for step in again]
    scores = ClothesEvaluator(fit.model.eval()).report(*stripes(100, seed=9))
    assert scores["right"] > 0.5 and scores["test pictures"] == 100
    low, high = scores["right, 95 % interval"]
    assert 0.5 < low < scores["right"] <= high
    assert sum(scores["right by class"]) == pytest.approx(10 * scores["right"], abs=0.01)


def seen_in_training(images, steps, batch):
    """The pixel at the top left of each picture that the network sees."""
    seen = []

    def network(shown):
        seen.extend(shown[:, 0, 0, 0].tolist())
        return torch.zeros(len(shown), 10)

    labels = torch.zeros(len(images)).long()
    for step in range(steps):
        ClothesEvaluator(network).loss(step, batch, 0, (images, labels))
    return seen


def test_a_round_shows_every_picture_once():
    images = torch.arange(60.0).view(60, 1, 1, 1).expand(60, 1, 28, 28) / 60
    seen = [round(60 * pixel) for pixel in seen_in_training(images, 12, 10)]
    assert sorted(seen[:60]) == sorted(seen[60:]) == list(range(60))
    assert seen[:60] != seen[60:]


def test_half_of_the_pictures_are_mirrored():
    images = torch.zeros(100, 1, 28, 28)
    images[..., :14] = 1
    assert 150 < sum(seen_in_training(images, 4, 100)) < 250


def test_a_border_is_cut_off_and_colour_becomes_its_mean():
    judge = ClothesEvaluator(FashionJudge().eval())
    images = random(5, 1, 28, 28)
    bordered = nn.functional.pad(images, (2, 2, 2, 2), value=-1.0)
    tinted = torch.cat([bordered - 0.1, bordered, bordered + 0.1], dim=1)
    plain = judge.features(images)
    assert plain.shape == (5, 128)
    for other in (bordered, tinted):
        assert torch.allclose(judge.features(other), plain, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 28, 28), (5, 1, 64, 64), (5, 2, 28, 28), (5, 1, 28, 32)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="28, 28.*or 32x32"):
        ClothesEvaluator(FashionJudge()).features(torch.zeros(shape))


def test_the_box_blur_is_a_mean_of_nine():
    images = random(2, 1, 28, 28)
    soft = clothes.box_blurred(images)
    assert soft.shape == images.shape
    assert torch.allclose(soft[:, 0, 5, 7], images[:, 0, 4:7, 6:9].mean((1, 2)), atol=1e-6)
    flat = torch.full((1, 1, 28, 28), -1.0)
    assert torch.allclose(clothes.box_blurred(flat), flat)


def test_blurred_pictures_score_one_and_real_ones_next_to_nothing():
    real = random(2000, 1, 28, 28)
    metric = clothes.FrechetMetric(real, Pixels())
    assert metric.score(clothes.box_blurred(real))[0] == pytest.approx(1)
    assert metric.score(real)[0] == pytest.approx(0, abs=1e-6)
    fresh, error = metric.score(random(500, 1, 28, 28, seed=1))
    assert 0 < fresh < 0.1 and 0 < error < 0.1
    assert metric.score(random(500, 1, 28, 28, seed=1) + 0.5)[0] > 1


# --- the shipped one ---


def test_the_card_tells_the_recipe_and_keeps_the_promise():
    path = workspace.data_path("weights", f"{clothes.NAME}.json")
    card = json.loads(path.read_text(encoding="utf-8"))
    assert card["recipe"] == dataclasses.asdict(recipes.RECIPES[clothes.NAME])
    assert card["scores"]["test pictures"] == 10_000 and card["scores"]["right"] >= 0.92
    assert str(count_parameters(FashionJudge())) in card["network"]
    assert path.with_suffix(".safetensors").stat().st_size < 1_000_000


def test_it_never_trains_by_itself():
    judge = clothes.load().network
    assert not judge.training and not any(p.requires_grad for p in judge.parameters())
