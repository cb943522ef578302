"""Every number in the text of lesson 04, computed here, and found in the text as computed."""

import copy
import math
import re
from functools import cache

import nbformat
import pytest
import torch
from torch.nn import functional

from bench import growth, results
from diffusion_lessons import latents, models, postcards, recipes, schedule, scoring
from diffusion_lessons.scoring import statistics
from tools import notebooks as tool

CELLS = {
    cell.id: cell
    for cell in nbformat.read(tool.NOTEBOOKS / "04_latent_autoencoder.ipynb", as_version=4).cells
}
TEXT = " ".join(re.sub(r"\s+", " ", cell.source) for cell in CELLS.values())


def says(*sentences: str) -> None:
    for sentence in sentences:
        assert sentence in TEXT, f"the lesson does not say: {sentence}"


def printed(name: str) -> str:
    """What the cell printed when it was last run."""
    return "".join(output.get("text", "") for output in CELLS[name].outputs)


@cache
def shipped() -> tuple:
    """The autoencoder, its card, the lesson's pictures, their masks and means."""
    model, card = models.load_autoencoder()
    scenes = postcards.sample_scenes(64, seed=recipes.FRESH_SEED, kind="single")
    images = postcards.draw(scenes)
    with torch.inference_mode():
        mean = model.encode(images)[0]
    return model, card, images, postcards.object_mask(scenes), mean


def test_a_latent_has_48_times_fewer_numbers_and_12_with_16_channels():
    says("(Later models keep 16 channels instead of 4: 12 times fewer.)")
    assert 64 * 64 * 3 == 48 * (8 * 8 * 4) and 512 * 512 * 3 == 48 * (64 * 64 * 4)
    assert 512 * 512 * 3 == 12 * (64 * 64 * 16)
    assert printed("count").count("48 times fewer") == 2
    assert "64x64x3" in printed("count") and "512x512x3" in printed("count")
    says("with 12,288 numbers", "each number speaks for 48")
    assert 64 * 64 * 3 == 12_288


def test_the_networks_of_the_lesson_are_those_of_the_stored_table():
    says("models.UNet(channels=3, widths=(48, 96), blocks=(1, 2), patch=2)")
    says("models.UNet(channels=4, widths=(48, 96), blocks=(1, 2), patch=1)")
    says("for side in (32, 64, 128, 256)", "pictures of four sizes")
    assert (growth.WIDTHS, growth.BLOCKS) == ((48, 96), (1, 2))
    assert growth.PATCHES == {"pixels": 2, "latents": 1}
    assert growth.SIDES == (32, 64, 128, 256)


def test_from_128_to_256_a_step_in_pixels_costs_more_than_four_times_as_much():
    says("From 128 to 256 pixels a step costs more than four times as much")
    says("there are 16 times as many")
    before, after = results.read("growth")["rows"][-2:]
    assert (before["side"], after["side"]) == (128, 256)
    for what in ("call", "training step"):
        assert after[f"pixels, {what}"] > 4 * before[f"pixels, {what}"], what
    assert (256 // 4) ** 4 == 16 * (128 // 4) ** 4  # pairs of places where attention works


def test_latents_are_cheaper_at_every_size():
    lines = re.findall(r"training +([\d.]+), sampling +([\d.]+) times", printed("stored"))
    assert len(lines) == 4
    assert all(float(number) > 1 for line in lines for number in line)


def test_the_layers_give_the_shapes_of_the_table():
    says("(B, 160, h, w) from the latent", "(B, 24, 4h, 4w)", "(B, 12, 4h, 4w)")
    model = shipped()[0]
    h = model.from_latent(torch.zeros(1, 4, 8, 8))
    assert h.shape == (1, 160, 8, 8)
    h = model.up(h)
    assert h.shape == (1, 24, 32, 32) and model.head(h).shape == (1, 12, 32, 32)


def test_ten_decibels_are_a_tenth_of_the_squared_error():
    says("10 dB more is a tenth of the squared error")
    zero = torch.zeros(10)
    louder = statistics.psnr(zero + 0.1, zero) - statistics.psnr(zero + 0.1 * math.sqrt(10), zero)
    assert louder == pytest.approx(10)


def test_the_loss_of_the_lesson_is_the_package_s():
    says("three times more", "error.mean() + 3.0 * inside + 0.3 * slopes + 3e-4 * far")
    assert (latents.MASK_WEIGHT, latents.SLOPE_WEIGHT) == (3.0, 0.3)
    assert recipes.RECIPES["autoencoder"].kl_weight == 3e-4 == recipes.LIVE_AUTOENCODER.kl_weight
    says("(It had 0.0003 so far.")
    model, _, images, mask, mean = shipped()
    eps = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        mean, log_variance = model.encode(images)
        decoded = model.decode(mean + (log_variance / 2).exp() * eps)
    loss = latents.reconstruction_loss(decoded, images, mask)
    loss = loss + 3e-4 * latents.kl(mean, log_variance).mean()
    told = re.search(r"loss: (\d\.\d+)", printed("loss"))
    assert float(told[1]) == pytest.approx(loss.item(), abs=0.002)


def test_a_blurred_thing_is_nearly_nothing_over_the_whole_picture():
    found = re.search(r"blurred: ([\d.]+) dB over the picture, ([\d.]+) dB", printed("blur"))
    whole, inside = float(found[1]), float(found[2])
    images, mask = shipped()[2:4]
    soft = functional.avg_pool2d(images, 9, stride=1, padding=4, count_include_pad=False)
    blurred = torch.where(mask, soft, images)
    assert whole == pytest.approx(statistics.psnr(blurred, images), abs=0.06)
    assert whole > inside + 8


def test_what_comes_back_is_worse_inside_the_things():
    says('inside.compare( "lower inside, by some dB"')
    found = re.search(r"([\d.]+) dB over the picture, ([\d.]+) dB inside", printed("shipped"))
    whole, inside = float(found[1]), float(found[2])
    model, _, images, mask, _ = shipped()
    back = scoring.there_and_back(model, images)
    where = mask.expand_as(images)
    assert whole == pytest.approx(statistics.psnr(back, images), abs=0.06)
    assert inside == pytest.approx(statistics.psnr(back[where], images[where]), abs=0.06)
    assert whole > inside + 1


def test_the_judge_s_shares_are_those_of_the_card():
    scores = shipped()[1]["scores"]
    for kind in ("single", "group", "pair"):
        assert f"{kind:6} {scores[kind]['everything right']:.1%} all right" in printed("judged")


def test_half_way_between_two_latents_is_not_a_cross_fade():
    says('half_way.compare( "something between, in places a new thing"', "first, second = 0, 4")
    model, _, images, _, mean = shipped()
    with torch.inference_mode():
        between = model.decode((mean[0:1] + mean[4:5]) / 2).clamp(-1, 1)
    faded = (images[0] + images[4]) / 2
    assert (between - faded).abs().mean() > 0.05
    assert between.diff(dim=3).abs().mean() > 0, "and something is to be seen"


def test_the_scaling_factor_is_one_over_the_standard_deviation():
    says("1 / (standard deviation of its latents)", "0.18215")
    found = re.findall(r"\d+\.\d+", printed("scale"))
    std, inverse, factor = (float(number) for number in found)
    assert std == pytest.approx(shipped()[4].std().item(), abs=0.006)
    assert inverse == pytest.approx(1 / std, rel=0.01)
    assert factor == pytest.approx(inverse, rel=0.1), "64 pictures and 2,048 agree"


@cache
def twin() -> models.Autoencoder:
    model = copy.deepcopy(shipped()[0])
    model.to_latent.weight[:4] *= 5
    model.to_latent.bias[:4] *= 5
    model.from_latent.weight /= 5
    return model


def test_the_twin_is_as_good_with_latents_five_times_as_large():
    says("5 times as large", "5 times as gentle", "in numbers of size")
    _, _, images, _, mean = shipped()
    with torch.inference_mode():
        z = twin().encode(images)[0]
    torch.testing.assert_close(z, 5 * mean, rtol=1e-3, atol=1e-3)
    back = scoring.there_and_back(twin(), images[:8])
    torch.testing.assert_close(
        back, scoring.there_and_back(shipped()[0], images[:8]), rtol=0, atol=1e-3
    )
    size = re.search(r"in numbers of size (\d+)", TEXT)[1]
    assert round(z.std().item()) == int(size)
    first, second = re.findall(r"([\d.]+) dB over", printed("twin"))
    assert first == second


def test_unscaled_the_picture_stays_until_late_and_scaled_it_does_not():
    says("up to t = 0.7 next to nothing happens", "(0.3, 0.5, 0.7, 0.9, 0.96)")
    images = shipped()[2][:16]
    with torch.inference_mode():
        z = twin().encode(images)[0]
    eps = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))

    def left(factor: float, t: float) -> float:
        z_t = schedule.add_noise(factor * z, eps, torch.full((16,), t), schedule.cosine)
        signal_rate, _ = schedule.cosine(torch.tensor([t]))
        with torch.inference_mode():
            seen = twin().decode(z_t / (factor * signal_rate)).clamp(-1, 1)
        return statistics.psnr(seen, images)

    assert left(1.0, 0.7) > 24 > 16 > left((1 / z.std()).item(), 0.7)


def test_the_latent_training_is_what_the_text_says():
    says(
        "on the latents of 1,024 of its sprites",
        "range(16)",
        ".sample(64, seed=part)",
        "sampling.times(16)",
    )
    says("16 calls", "in 16 steps")


def test_the_live_training_is_the_recipe_s():
    live = recipes.LIVE_AUTOENCODER
    says("live = recipes.LIVE_AUTOENCODER", "with a KL weight of 0, of 0.03 and of 3")
    says("(0.0, 0.03, 3.0)", "for 40 steps each")
    assert live.steps % 6 == 0 or live.steps // 6 >= 10, "the strip gets its pictures"
    assert live.network() != recipes.RECIPES["autoencoder"].network(), "yours is smaller"
