"""What is read of a picture that no caption names, held against the scenes it was drawn from."""

import pytest
import torch

from diffusion_lessons import postcards
from diffusion_lessons.scoring import factors
from diffusion_lessons.scoring.recognition import blurred

SCENES = postcards.sample_scenes(300, 777, kind="single")
SKY = SCENES.attributes["sky"]
TRUTH = dict(zip(factors.NAMES, factors.truth(SCENES).unbind(1), strict=True))
TRUTH["sun x"][SKY == factors.AURORA] = torch.nan


@pytest.fixture(scope="module")
def images():
    return postcards.draw(SCENES)


def explained(found, truth):
    """R squared, 1 - squared error / variance, over pictures that have the factor."""
    both = ~(found.isnan() | truth.isnan())
    error = (found[both] - truth[both]).square().mean()
    return float(1 - error / truth[both].var(correction=0))


def stretched(images, contrast):
    mean = images.mean((2, 3), keepdim=True)
    return (mean + contrast * (images - mean)).clamp(-1, 1)


WAYS = {
    "as drawn": (lambda images: images, 0.80, 0.82),
    "with more contrast": (lambda images: stretched(images, 1.4), 0.75, 0.75),
    "with less contrast": (lambda images: stretched(images, 0.8), 0.75, 0.80),
    "blurred": (lambda images: blurred(images, torch.full((len(images),), 0.8)), 0.75, 0.80),
}


@pytest.mark.parametrize(("show", "horizon", "sun"), WAYS.values(), ids=WAYS)
def test_most_of_what_differs_is_read(images, show, horizon, sun):
    found = factors.read(show(images))
    assert explained(found["horizon"], TRUTH["horizon"]) > horizon
    assert explained(found["sun x"], TRUTH["sun x"]) > sun


def test_spread_is_read_as_spread_and_contrast_is_not(images):
    """Half the dice, half the spread; a harder contrast moves every pixel and no spread."""
    middle = postcards.Scenes(SCENES.attributes, 0.5 + 0.5 * (SCENES.dice - 0.5))
    harder = stretched(images, 1.4)
    assert harder.std(0).mean() > 1.1 * images.std(0).mean(), "of pixels contrast changes spread"
    spread, harder, half = map(spreads, (images, harder, postcards.draw(middle)))
    for name in factors.NAMES:
        assert 0.4 < half[name] / spread[name] < 0.65, name
        assert 0.85 < harder[name] / spread[name] < 1.1, name


def spreads(images):
    """Standard deviation of each factor among the pictures of a sky, in the mean of skies."""
    found = factors.read(images).items()
    return {
        name: float(torch.stack([value[sky == SKY].std() for sky in range(5)]).nanmean())
        for name, value in found
    }


def test_an_aurora_has_no_sun(images):
    found = factors.read(images)["sun x"]
    assert found[SKY == factors.AURORA].isnan().float().mean() > 0.99
    assert found[SKY != factors.AURORA].isnan().float().mean() < 0.01


def test_a_reading_is_the_same_alone_and_in_a_batch(images):
    together = factors.read(images[:20])
    for i in (0, 7):
        beside = {name: value[i : i + 1] for name, value in together.items()}
        alone = factors.read(images[i : i + 1])
        torch.testing.assert_close(alone, beside, equal_nan=True, atol=1e-4, rtol=0)
