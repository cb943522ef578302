"""The cascade: one filter makes all small pictures, and the second network paints them large."""

from dataclasses import asdict, replace

import pytest
import torch
from diffusers import DDIMScheduler
from torch.nn import functional

from bench import cascade
from diffusion_lessons import models, pipeline, postcards, recipes, schedule
from diffusion_lessons.models import Upsampler
from diffusion_lessons.pipeline import Cascade
from diffusion_lessons.training import loss
from tests.small_pipe import awake, normal, seeded, small_pipe

UPSAMPLER = recipes.RECIPES["upsampler"]
HOW = {"schedule": "cosine", "kind": "v", "steps": 2, "level": 0.1}
SMALL, LARGE = 0.5 * normal(3, 3, 16, 16, seed=1), normal(3, 3, 64, 64, seed=2)
T, LEVEL = torch.tensor([0.3, 0.5, 0.9]), torch.tensor([0.0, 0.2, 0.4])
EPS = normal(3, 3, 16, 16, seed=3)
GIVEN = models.augment(SMALL, EPS, LEVEL, schedule.cosine)


def upsampler():
    return awake(Upsampler((8, 16), (1, 1))).eval().requires_grad_(False)


def folded(small):
    return functional.pixel_unshuffle(small, 2)


# --- the network, and what it is given ---


def test_a_small_pixel_is_the_mean_of_its_square():
    assert torch.allclose(models.shrink(LARGE)[1, 2, 3, 5], LARGE[1, 2, 12:16, 20:24].mean())


def test_a_small_picture_is_noised_and_its_level_stands_behind_it():
    a, b = (rate.view(3, 1, 1, 1) for rate in schedule.cosine(LEVEL))
    assert torch.allclose(GIVEN[:, :3], a * SMALL + b * EPS, atol=1e-6)
    assert torch.equal(GIVEN[0, :3], SMALL[0]), "at level 0 nothing is noised"
    assert torch.equal(GIVEN[:, 3], LEVEL.view(3, 1, 1).expand(3, 16, 16))


def test_details_are_as_large_as_noise_and_what_the_small_picture_shows_wrongly():
    images = postcards.draw(postcards.sample_scenes(256, 5))
    small = models.shrink(images)
    clean = torch.cat([small, torch.zeros(256, 1, 16, 16)], dim=1)
    found = models.details(images, clean)
    assert 0.7 < found.std() < 1
    assert models.shrink(found).abs().max() < 1e-4, "what it does show is no detail"
    clean[:, 1, 3, 5] += 0.1
    assert torch.allclose(
        models.shrink(models.details(images, clean))[:, 1, 3, 5], torch.tensor(-0.6), atol=1e-4
    )
    assert torch.allclose(models.with_details(found, clean)[:, 0], images[:, 0], atol=1e-5)
    assert torch.allclose(
        models.with_details(models.details(LARGE, GIVEN), GIVEN), LARGE, atol=1e-5
    )


def test_an_untrained_one_says_zero_and_every_input_counts():
    assert not Upsampler((8, 16), (1, 1))(LARGE, T, GIVEN).any()
    model, swapped = upsampler(), GIVEN.flip(0)
    out = model(LARGE, T, GIVEN)
    assert out.shape == LARGE.shape
    for name, inputs in {
        "x_t": (LARGE.flip(0), T, GIVEN),
        "t": (LARGE, T.flip(0), GIVEN),
        "small": (LARGE, T, torch.cat([swapped[:, :3], GIVEN[:, 3:]], 1)),
        "level": (LARGE, T, torch.cat([GIVEN[:, :3], swapped[:, 3:]], 1)),
    }.items():
        assert (model(*inputs) - out).abs().max() > 1e-4, name


def test_a_small_pixel_is_seen_where_its_square_is():
    """Without the coarse level and what looks at neighbours, one that changes stays in place."""
    model, brighter = Upsampler((8, 16), (1, 1)).eval(), GIVEN.clone()
    with torch.no_grad():
        for layer in (model.stem, model.head):
            layer.weight.zero_()[:, :, 1, 1] = normal(*layer.weight.shape[:2])
        join = model.upsamplers[0].join
        join.weight.zero_()[:, 8:] = normal(8, 8, 1, 1, seed=1)
        model.norm = torch.nn.Identity()
        brighter[:, :, 4, 7] += 1
        moved = (model(LARGE, T, brighter) - model(LARGE, T, GIVEN)).abs() > 1e-6
    assert moved[:, :, 16:20, 28:32].any()
    moved[:, :, 16:20, 28:32] = False
    assert not moved.any()


@pytest.mark.parametrize("change, says", [
    ({"given": SMALL}, r"^given has shape \(3, 3, 16, 16\): give \(B, 4, h, w\), as `augment`"),
    ({"x_t": LARGE[:, :, 8:]}, r"^x_t has shape \(3, 3, 56, 64\): give \(3, 3, 64, 64\), of four"),
])  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(change, says):
    with pytest.raises(ValueError, match=says):
        upsampler()(**({"x_t": LARGE, "t": T, "given": GIVEN} | change))


def test_quickly_it_computes_the_same():
    model = upsampler()
    quick = models.QuickUpsampler(model)
    for count in (3, 1, 2):
        inputs = LARGE[:count], T[:count], GIVEN[:count]
        assert torch.allclose(quick(*inputs), model(*inputs), atol=1e-4), count


# --- in the place of an autoencoder ---


def test_it_encodes_with_the_filter_of_training_and_back_gives_the_same_small_picture():
    images = postcards.draw(postcards.sample_scenes(3, 5))
    z, spread = Cascade(upsampler(), HOW).encode(images)
    assert z.shape == (3, 12, 8, 8) and (spread.exp() == 0).all()
    assert torch.equal(functional.pixel_shuffle(z, 2), models.shrink(images))


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_its_walk_is_that_of_diffusers(level):
    model = upsampler()
    whole, scheduler = Cascade(model, HOW | {"steps": 4, "level": level}), DDIMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", clip_sample=False,
        timestep_spacing="trailing",
    )  # fmt: skip
    scheduler.set_timesteps(4)
    dice = seeded()  # the small picture's noise is drawn first
    eps, x_t = (torch.randn(1, 3, n, n, generator=dice).repeat(3, 1, 1, 1) for n in (16, 64))
    levels = torch.full((3,), level)
    given = models.augment(SMALL.clamp(-1, 1), eps, levels, schedule.cosine)
    for row in scheduler.timesteps:
        output = model(x_t, torch.full((3,), (int(row) + 1) / 1000), given)
        x_t = scheduler.step(output, row, x_t).prev_sample
    wanted = models.with_details(x_t, given)
    torch.testing.assert_close(whole.decode(folded(SMALL)), wanted, rtol=1e-3, atol=1e-3)


def test_a_picture_is_the_same_alone_and_among_others():
    whole = Cascade(upsampler(), HOW)
    together = whole.decode(folded(SMALL))
    assert torch.allclose(whole.decode(folded(SMALL[2:])), together[2:], atol=1e-4)
    assert not torch.allclose(together[1], together[2], atol=1e-2)


@pytest.mark.parametrize("method, tensor, says", [
    ("decode", normal(1, 4, 8, 8), r"^z has shape \(1, 4, 8, 8\): give \(B, 12, 8, 8\)"),
    ("encode", normal(1, 3, 32, 32), r"^images has shape \(1, 3, 32, 32\): give \(B, 3, 64, 64"),
])  # fmt: skip
def test_other_sizes_are_refused(method, tensor, says):
    with pytest.raises(ValueError, match=says):
        getattr(Cascade(upsampler(), HOW), method)(tensor)


# --- in the pipeline ---


@pytest.fixture
def pipe():
    usual = small_pipe(kind="x_0")
    reader = type("Reader", (), {"encoder": usual.encoder})
    unet = awake(models.TextUNet(12, (32, 32), (1, 1), context_channels=32)).eval()
    card = usual.card | {"scaling_factor": 1.9}
    return pipeline.TextToImage(reader, unet, Cascade(upsampler(), HOW), card)


def test_all_ways_to_paint_work(pipe):
    picture = (postcards.draw(postcards.sample_scenes(1, 3)) + 1) / 2
    mask = torch.zeros(64, 64)
    mask[20:40, 20:40] = 1
    for also in ({}, {"image": picture, "strength": 0.5}, {"image": picture, "mask_image": mask}):
        found = pipe("a red house", output_type="pt", generator=seeded(), **also).images
        assert found.shape == (1, 3, 64, 64) and 0 <= found.min() < found.max() <= 1
    outside = (found - picture).abs().amax(1)[0] > 1e-3
    assert not outside[:10].any()


def test_at_strength_0_it_enlarges_the_small_picture(pipe):
    picture = (postcards.draw(postcards.sample_scenes(1, 3)) + 1) / 2
    found = pipe("a red house", image=picture, strength=0, output_type="pt").images
    wanted = pipe.autoencoder.decode(folded(models.shrink(2 * picture - 1)))
    assert torch.allclose(found, (wanted.clamp(-1, 1) + 1) / 2, atol=1e-4)


# --- how the networks are trained ---


def test_in_the_loss_of_the_first_things_weigh_more(monkeypatch):
    seen, real = [], loss.diffusion_loss

    def looked_at(*given):
        seen.append(given)
        return real(*given)

    monkeypatch.setattr(loss, "diffusion_loss", looked_at)
    recipe = replace(recipes.RECIPES["postcards-cascade"], pictures=10, batch=4)
    next(iter(recipe.begin("postcards-cascade", torch.device("cpu"))))
    x_0, weight = seen[0][1], seen[0][-1]
    scenes, factor = recipe.scenes(), models.load_decoder("upsampler")[1]["scaling_factor"]
    z = factor * folded(models.shrink(postcards.draw(scenes)))
    rows = (x_0.flatten(1)[:, None] - z.flatten(1)).abs().amax(2).argmin(1)
    assert torch.allclose(x_0, z[rows], atol=1e-5)
    inside = folded(models.shrink(postcards.object_mask(scenes).float()).expand(-1, 3, -1, -1))
    assert torch.allclose(weight, 1 + 8 * inside[rows]) and 1 == weight.min() < weight.max() == 9


@pytest.fixture
def given_in_training(monkeypatch):
    """From a recipe to what its first step gives, and the clean small pictures."""
    seen, forward = [], Upsampler.forward

    def looked_at(self, x_t, t, given):
        seen.append(given)
        return forward(self, x_t, t, given)

    def first(recipe):
        next(iter(recipe.begin("upsampler", torch.device("cpu"))))
        scenes = postcards.sample_scenes(recipe.batch, recipe.step_seed(0))
        return seen[-1][:, :3], seen[-1][:, 3, 0, 0], models.shrink(postcards.draw(scenes))

    monkeypatch.setattr(Upsampler, "forward", looked_at)
    return first


def test_it_learns_from_small_pictures_noised_to_the_levels_that_it_is_given(given_in_training):
    small, level, clean = given_in_training(UPSAMPLER)
    assert 0 <= level.min() < 0.1 * UPSAMPLER.augment and level.max() <= UPSAMPLER.augment
    assert level.max() > 0.9 * UPSAMPLER.augment
    a, b = (rate.view(-1, 1, 1, 1) for rate in schedule.cosine(level))
    noise = (small - a * clean) / b
    assert abs(noise.std() - 1) < 0.02 and abs(noise.mean()) < 0.02


def test_without_augmentation_they_are_clean(given_in_training):
    small, level, clean = given_in_training(replace(UPSAMPLER, augment=0.0, batch=4))
    assert torch.equal(small, clean) and not level.any()


def test_the_two_networks_of_the_bench_differ_in_the_noise_alone():
    ours, other = asdict(UPSAMPLER), asdict(cascade.without_noise())
    assert {name for name in ours if ours[name] != other[name]} == {"augment", "level"}
    assert other["augment"] == other["level"] == 0
