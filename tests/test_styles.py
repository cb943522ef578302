"""Styles: the same picture in other colours; which pictures get one is settled by the generator."""

from itertools import combinations

import pytest
import torch

from diffusion_lessons import postcards
from diffusion_lessons.postcards.styles import (
    STYLES,
    beams,
    cinema,
    lantern,
    neon,
    pencil,
    poster,
    sepia,
    styled,
)


@pytest.fixture(scope="module")
def images():
    return postcards.draw(postcards.sample_scenes(24, seed=3))


MIXED = {name: STYLES[name] for name in ("sepia", "poster", "pencil", "neon")}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def extremes():
    """Black, white, pure colours and noise."""
    flat = torch.tensor([[-1.0, -1, -1], [1, 1, 1], [1, -1, -1], [-1, 1, 1]])
    noise = torch.rand(4, 3, 64, 64, generator=generator(1)) * 2 - 1
    return torch.cat([flat.view(4, 3, 1, 1).expand(-1, -1, 64, 64), noise, noise.sign()])


@pytest.mark.parametrize("name", STYLES)
def test_a_style_stays_a_picture_looks_at_each_alone_and_changes_it(name, images):
    for pictures in (images, extremes(), images[:1, :, :32, :32]):
        before = pictures.clone()
        painted = STYLES[name](pictures)
        assert painted.shape == pictures.shape and painted.dtype == pictures.dtype
        assert painted.min() >= -1 and painted.max() <= 1
        assert torch.equal(pictures, before), "a style paints a copy"
        assert torch.allclose(STYLES[name](pictures[-1:]), painted[-1:], atol=1e-6)


def test_no_two_styles_look_alike_nor_like_the_picture(images):
    painted = [images, *(paint(images) for paint in STYLES.values())]
    for (i, one), (k, other) in combinations(enumerate(painted), 2):
        least = 0.02 if i == 0 else 0.04
        assert (one - other).abs().mean((1, 2, 3)).min() > least, (i, k)


def test_sepia_keeps_how_bright_a_place_is_and_nothing_else(images):
    grey = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    luminance = (images * grey).sum(1, keepdim=True).expand_as(images)
    assert torch.allclose(sepia(images), sepia(luminance), atol=1e-5)
    flat = torch.linspace(-1, 1, 9).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    assert (sepia(flat).diff(dim=0) > 0).all()


def test_a_poster_has_four_shades_of_each_colour_and_is_its_own_poster(images):
    printed = poster(images)
    shades = torch.tensor([-1, -1 / 3, 1 / 3, 1])
    assert (printed[..., None] - shades).abs().amin(-1).max() < 1e-6
    assert len(printed.unique()) == 4
    assert torch.equal(poster(printed), printed)
    assert (printed - images).abs().max() < 0.51


def test_pencil_is_light_with_dark_lines_and_neon_dark_with_bright_ones():
    flat = torch.zeros(1, 3, 32, 32)
    edge = flat.clone()
    edge[:, :, :, 16:] = 1.0
    assert pencil(flat).std() < 0.1 < pencil(flat).mean()
    assert neon(flat).max() < -0.5
    for paint, sign in ((pencil, -1), (neon, 1)):
        change = sign * (paint(edge)[..., 15:17].mean() - paint(edge)[..., :8].mean())
        assert change > 0.3, paint


def test_light_is_warm_in_the_middle_slants_in_beams_and_is_tinted_by_how_bright_it_is():
    grey = torch.zeros(1, 3, 64, 64)
    lit = lantern(grey)[0]
    assert lit[:, 30:34, 30:34].mean() > 0.1 > -0.2 > lit[:, :4, :4].mean()
    assert lit[0, 32, 32] > lit[2, 32, 32] + 0.1
    across = beams(grey)[0].mean(0)  # each row is the one above it, moved by 0.6 pixels
    assert torch.allclose(across[5:, :-3], across[:-5, 3:], atol=1e-5)
    assert torch.allclose(across[:, 26:], across[:, :-26], atol=1e-5)
    assert across.max() - across.min() > 0.2
    light, dark = cinema(grey + 0.5)[0, :, 0, 0], cinema(grey - 0.5)[0, :, 0, 0]
    assert light[0] > light[1] > light[2] and dark[0] < dark[1] < dark[2]


@pytest.mark.parametrize("share", [0.0, 0.12, 0.5, 1.0])
def test_the_share_is_kept_and_every_style_gets_its_part(share):
    images = postcards.draw(postcards.sample_scenes(1, seed=3), 16).expand(4000, -1, -1, -1)
    mixed = styled(images, share, generator())
    found = {
        name: (mixed == paint(images[:1])).flatten(1).all(1).float().mean()
        for name, paint in MIXED.items()
    }
    plain = (mixed == images).flatten(1).all(1).float().mean()
    assert plain == pytest.approx(1 - share, abs=0.03)
    assert all(part == pytest.approx(share / 4, abs=0.02) for part in found.values())
    assert plain + sum(found.values()) == pytest.approx(1)


def test_the_generator_settles_it_and_the_pictures_stay_as_they_were(images):
    before, state = images.clone(), torch.get_rng_state()
    first, again = (styled(images, 0.5, generator(7)) for _ in range(2))
    assert torch.equal(first, again) and torch.equal(images, before)
    assert not torch.equal(first, styled(images, 0.5, generator(8)))
    assert torch.equal(torch.get_rng_state(), state), "torch's own generator is not touched"


def test_what_the_shipped_autoencoder_learned_from_is_drawn_as_it_was():
    """By the thresholds that its training used: later styles take no part."""
    images = postcards.draw(postcards.sample_scenes(8, seed=3), 16)
    dice = torch.rand(8, generator=generator(7))
    quarter = (dice / 0.25).long()  # a share of 1: a quarter to each of the four
    expected = [STYLES[list(MIXED)[i]](image[None]) for i, image in zip(quarter, images)]  # noqa: B905
    assert torch.allclose(styled(images, 1.0, generator(7)), torch.cat(expected), atol=1e-6)
