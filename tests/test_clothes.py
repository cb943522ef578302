"""The judge of clothes: its training, its features, and the scale of distances in them."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from diffusion_lessons import models, recipes, workspace
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

    for step in range(steps):
        ClothesEvaluator(network).loss(step, batch, 0, (images, torch.zeros(len(images)).long()))
    return seen


def test_a_round_shows_every_picture_once_and_half_of_them_are_mirrored():
    images = torch.arange(60.0).view(60, 1, 1, 1).expand(60, 1, 28, 28)
    seen = seen_in_training(images, 12, 10)
    assert sorted(seen[:60]) == sorted(seen[60:]) == list(range(60))
    assert seen[:60] != seen[60:]
    images = torch.arange(28.0).expand(100, 1, 28, 28)
    assert 150 * 27 < sum(seen_in_training(images, 4, 100)) < 250 * 27


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
    images, flat = random(2, 1, 28, 28), torch.full((1, 1, 28, 28), -1.0)
    soft = clothes.box_blurred(images)
    assert torch.allclose(soft[:, 0, 5, 7], images[:, 0, 4:7, 6:9].mean((1, 2)), atol=1e-6)
    assert torch.allclose(clothes.box_blurred(flat), flat)


def test_blurred_pictures_score_one_and_real_ones_next_to_nothing():
    real = random(2000, 1, 28, 28)
    eight_pixels = SimpleNamespace(features=lambda images: images[:, 0, 10:12, 10:14].flatten(1))
    metric = clothes.FrechetMetric(real, eight_pixels)
    assert metric.score(clothes.box_blurred(real))[0] == pytest.approx(1)
    assert metric.score(real)[0] == pytest.approx(0, abs=1e-6)
    fresh, error = metric.score(random(500, 1, 28, 28, seed=1))
    assert 0 < fresh < 0.1 and 0 < error < 0.1
    assert metric.score(random(500, 1, 28, 28, seed=1) + 0.5)[0] > 1


def test_the_shipped_one_keeps_the_promise_of_its_card_and_never_trains_by_itself():
    _, card = workspace.load_weights(clothes.NAME)
    assert card["recipe"] == dataclasses.asdict(recipes.RECIPES[clothes.NAME])
    assert card["scores"]["test pictures"] == 10_000 and card["scores"]["right"] >= 0.92
    judge = clothes.load().network
    count = models.count_parameters(judge)
    assert str(count) in card["network"] and count < 500_000
    assert not judge.training and not any(p.requires_grad for p in judge.parameters())
