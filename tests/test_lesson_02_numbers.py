"""Every number in the text of lesson 02, computed here, and found in the text as computed."""

import json
import re
from functools import cache

import nbformat
import pytest
import torch

from bench import predictions
from diffusion_lessons import data, models, recipes, training, workspace
from diffusion_lessons.prediction import as_denoiser, exact_denoiser
from diffusion_lessons.schedule import add_noise, cosine
from tools import notebooks as tool

CELLS = nbformat.read(tool.NOTEBOOKS / "02_tiny_unet.ipynb", as_version=4).cells
TEXT = " ".join(re.sub(r"\s+", " ", cell.source) for cell in CELLS)


def says(*sentences: str) -> None:
    for sentence in sentences:
        assert sentence in TEXT, f"the lesson does not say: {sentence}"


def rates(t: float) -> tuple[float, float]:
    return tuple(rate.item() for rate in cosine(torch.tensor([t])))


@cache
def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    x_0 = data.load("sprites", 32, 3).sample(256, seed=0).x_0.flatten(1)
    return x_0, torch.randn(x_0.shape, generator=torch.Generator().manual_seed(1))


def candidates(t: float) -> float:
    (x_0, eps), (signal_rate, noise_rate) = pictures(), rates(t)
    distance = torch.cdist(signal_rate * x_0 + noise_rate * eps, signal_rate * x_0) ** 2
    weights = torch.softmax(-distance / (2 * noise_rate**2), dim=1)
    return torch.exp(-torch.special.xlogy(weights, weights).sum(dim=1)).mean().item()


def test_up_to_0_7_one_candidate_is_left_and_at_1_all_256():
    says('half_way.compare( "one"', "3,072 numbers each", "Up to t = 0.7 there is no doubt at all")
    assert 3 * 32 * 32 == 3072
    for t in (0.5, 0.6, 0.7):
        assert candidates(t) == pytest.approx(1, abs=0.01)
    assert candidates(0.8) > 1.2 and candidates(1.0) == pytest.approx(256, abs=0.5)


def test_the_floor_is_nothing_up_to_0_7():
    says("it leaves the chart below t = 0.8", "ylim=(1e-4, 0.2)")
    x_0, eps = (block.view(256, 3, 32, 32) for block in pictures())
    exact, t = exact_denoiser(x_0, cosine), torch.full((256,), 0.6)
    assert ((exact(add_noise(x_0, eps, t, cosine), t).x_0 - x_0) ** 2).mean() < 1e-4


def test_time_is_told_by_64_waves_from_1_to_1000():
    says("t becomes 64 waves", r"f \text{ from } 1 \text{ to } 1000", r"\cos(f_{32}t)")
    slow_and_fast = models.time_features(torch.tensor([0.001]))
    assert slow_and_fast.shape == (1, 64)
    assert slow_and_fast[0, 0] == pytest.approx(0.001, rel=1e-3)  # sin(1 * 0.001)
    assert slow_and_fast[0, 31] == pytest.approx(0.8415, abs=1e-3)  # sin(1000 * 0.001)


@pytest.mark.parametrize("name", ["agree", "scales-agree", "pairs"])
def test_the_blocks_of_the_lesson_are_those_of_the_package(name):
    (cell,) = (cell for cell in CELLS if cell.id == name)
    said = "".join(output.get("text", "") for output in cell.outputs)
    differences = re.findall(r"largest difference (\S+)", said)
    assert differences and all(float(number) < 1e-5 for number in differences)


def test_half_the_side_has_a_sixteenth_of_the_pairs():
    says("Half the side, a sixteenth of the pairs", "at 8x8, where 4,096 pairs")
    assert (8 * 8) ** 2 == 4096 and (16 * 16) ** 2 == 16 * 4096


def test_a_map_of_half_the_side_is_made_of_four_times_the_channels():
    says("Each 2x2 square becomes one place with four times the channels")
    assert models.Down(32, 64).mix.in_channels == 4 * 32


def test_a_fold_holds_12_numbers_or_48():
    says("each 2x2 patch into one place of 12 numbers", "a place holds 48 numbers of noise")
    says("the stem has 32 channels", "widths=(32, 64), blocks=(1, 2), patch=4")
    fine, coarse = (models.UNet(3, (32, 64), (1, 2), patch) for patch in (2, 4))
    assert (fine.stem.in_channels, coarse.stem.in_channels) == (12, 48)
    assert fine.stem.out_channels == coarse.stem.out_channels == 32
    assert fine.embed(torch.zeros(1)).shape == (1, 128)


def test_the_lesson_trains_what_the_recipe_of_the_live_cell_says():
    says("the settings: 700 steps of 32 pictures", "It saw 22,400, fresh ones at each step")
    says("the last 1,024 of them", "range(live.steps - 32, live.steps)")
    live = recipes.LIVE
    assert (live.steps, live.batch) == (700, 32) and live.steps * live.batch == 22_400
    assert 32 * live.batch == 1024
    says("all would fill 275 megabytes")
    assert pytest.approx(275, rel=0.03) == 22_400 * 3 * 32 * 32 * 4 / 1e6
    says("net = models.UNet(channels=3, widths=(32, 64), blocks=(1, 2), patch=2")
    assert (live.widths, live.blocks, live.patch) == ((32, 64), (1, 2), 2)


def test_the_loss_is_divided_by_a_tenth_at_least():
    says("divided by noise_rate² (by 0.1 at least)", "(noise_rate**2).clamp(min=0.1)")
    assert 1 / training.LARGEST_WEIGHT == 0.1


def test_the_stored_comparison_is_the_one_of_the_lesson():
    says("patch=4, factors=sizes", "schedule.cosine, kind, 150, 0.01, ema_decay=0.99")
    stored = json.loads(workspace.data_path("bench", "predictions.json").read_text())
    assert stored["settings"] == predictions.settings()
    assert (predictions.STEPS, predictions.LEARNING_RATE, predictions.EMA_DECAY) == (
        150,
        0.01,
        0.99,
    )
    assert (predictions.WIDTHS, predictions.BLOCKS) == ((32, 64), (1, 2))
    assert (predictions.BATCH, predictions.PATCH) == (32, 4)


def test_with_coarse_folds_only_the_clean_picture_is_learned_in_150_steps():
    says('best_kind.compare( "the one that says x_0"')
    stored = json.loads(workspace.data_path("bench", "predictions.json").read_text())
    shares = {kind: [] for kind in ("eps", "x_0", "v")}
    for row in stored["rows"]:
        shares[row["kind"]].append(row[predictions.RIGHT])
    assert [len(each) for each in shares.values()] == [3, 3, 3]
    assert min(shares["x_0"]) > 0.75 and max(shares["eps"] + shares["v"]) < 0.25


def test_on_new_pictures_with_little_noise_the_network_is_far_nearer_than_the_memoriser():
    says('little_noise.compare( "the network"', "The network wins by far")
    fresh = data.load("sprites", 32, 3, split="test").sample(64, seed=0)
    pool = data.load("sprites", 32, 3).sample(1000, seed=1).x_0
    shipped, card = models.load_unet("postcards-32")
    same = {"size": "large", "position": "middle", "sky": "day", "ground": "grass"}
    rest = [card["factors"][factor].index(word) for factor, word in same.items()]
    said = torch.cat([fresh.given, torch.tensor(rest).expand(64, 4)], dim=1)
    network = as_denoiser(shipped, cosine, card["kind"], said)
    eps = torch.randn(fresh.x_0.shape, generator=torch.Generator().manual_seed(2))
    t = torch.full((64,), 0.2)
    x_t = add_noise(fresh.x_0, eps, t, cosine)
    errors = [
        ((denoiser(x_t, t).x_0 - fresh.x_0) ** 2).mean().item()
        for denoiser in (network, exact_denoiser(pool, cosine))
    ]
    assert errors[0] < errors[1] / 4
