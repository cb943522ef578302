"""The two recognisers: how they read and are trained, and how well the shipped ones read."""

import dataclasses
import math

import pytest
import torch

from diffusion_lessons import models, postcards, recipes, workspace
from diffusion_lessons.postcards import VALUES
from diffusion_lessons.scoring import recognition
from diffusion_lessons.scoring.recognition import PostcardEvaluator

NETWORKS = PostcardEvaluator.networks
NAMES = tuple(NETWORKS)
each_network = pytest.mark.parametrize("name", NAMES)


def share_right(name, scenes):
    right = recognition.load(name).agrees(postcards.draw(scenes), scenes)
    return float(right["all"].float().mean())


def truth_of(scenes):
    return recognition.by_place(scenes.attributes)


def logits_that_say(reading):
    """Logits from which `split_logits`, whose parts are views, and an argmax read `reading`."""
    logits = torch.zeros(len(reading["sky"]), recognition.OUTPUTS)
    for name, part in recognition.split_logits(logits).items():
        part.scatter_(-1, (reading[name] + (name == "count")).clamp_min(0).unsqueeze(-1), 10.0)
    return logits


def test_by_place_puts_each_thing_where_it_stands():
    description = postcards.parse(
        "a large blue cat on the right and a small red boat on the left, on sea at night"
    )
    reading = truth_of(postcards.compose(description, 0))
    for name, words in (("object", ["boat", None, "cat"]), ("size", ["small", None, "large"])):
        assert [VALUES[name][i] if i >= 0 else None for i in reading[name][0]] == words
    assert reading["count"][0].tolist() == [0, -1, 0]
    assert VALUES["sky"][reading["sky"][0]] == "night"
    scenes = postcards.sample_scenes(50, 0, kind="pair")
    swapped = {n: v.flip(1) if v.dim() == 2 else v for n, v in scenes.attributes.items()}
    there, back = truth_of(scenes), recognition.by_place(swapped)
    assert all(torch.equal(there[name], back[name]) for name in there), "in whatever order"


@pytest.mark.parametrize("kind", postcards.KINDS)
def test_a_network_that_knows_the_truth_is_read_as_the_truth(kind):
    scenes = postcards.sample_scenes(64, 1, kind=kind)
    truth = truth_of(scenes)
    rows = iter(logits_that_say(truth))  # one for each picture, in their order
    parrot = PostcardEvaluator(lambda images: torch.stack([next(rows) for _ in images]))
    reading = parrot.read(postcards.draw(scenes))
    assert all(torch.equal(reading[name], truth[name]) for name in truth)
    assert bool(recognition.agreement(reading, truth)["all"].all())
    assert recognition.reading_loss(logits_that_say(truth), truth) < 0.02


def test_agreement_names_what_was_misread():
    truth = truth_of(postcards.sample_scenes(8, 2, kind="single"))
    wrong = {name: value.clone() for name, value in truth.items()}
    wrong["sky"][0] = (wrong["sky"][0] + 1) % len(VALUES["sky"])
    place = int((truth["count"][1] >= 0).nonzero())
    wrong["colour"][1, place] = (wrong["colour"][1, place] + 1) % len(VALUES["colour"])
    wrong["count"][2] = truth["count"][2].roll(1)
    wrong["count"][3, :] = -1
    wrong["count"][4, truth["count"][4].argmin()] = 0  # something that is not there
    right = recognition.agreement(wrong, truth)
    names = ("sky", "colour", "position", "all")
    assert torch.stack([right[n][:6] for n in names]).int().T.tolist() == [
        [0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1],
    ]  # fmt: skip


def test_blur_keeps_the_mean_and_leaves_sigma_zero_alone():
    images = postcards.draw(postcards.sample_scenes(1, 4)).repeat(3, 1, 1, 1)
    soft = recognition.blurred(images, torch.tensor([0.0, 1.0, 3.0]))
    assert torch.allclose(soft[0], images[0], atol=1e-6)
    roughness = (soft[:, :, 1:] - soft[:, :, :-1]).abs().mean((1, 2, 3))
    assert roughness[0] > roughness[1] > roughness[2]
    assert torch.allclose(soft.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=0.02)


def test_covering_hides_the_share_it_says():
    scenes = postcards.sample_scenes(40, 5, kind="single")
    mask = postcards.object_mask(scenes)
    changed = recognition.covered(0.5, scenes, torch.Generator().manual_seed(0)) == 0
    hidden = (changed.all(1, keepdim=True) & mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))
    assert 0.35 < hidden.mean() < 0.65


@each_network
def test_training_learns_and_repeats_itself(name):
    recipe = recipes.RecogniserRecipe(seed=5, steps=16, batch=8, learning_rate=3e-3)
    losses = [step.loss for step in recipe.begin(name, torch.device("cpu"))]
    assert sum(losses[-4:]) < 0.85 * sum(losses[:4])
    again = zip(range(4), recipe.begin(name, torch.device("cpu")), strict=False)
    assert losses[:4] == [step.loss for _, step in again]


def test_recogniser_and_judge_share_neither_shape_nor_seed():
    first, second = ({type(m) for m in NETWORKS[name]().modules()} for name in NAMES)
    assert first != second
    assert recipes.RECIPES["judge"].seed != recipes.RECIPES["recogniser"].seed


@each_network
def test_the_card_tells_the_recipe_and_keeps_the_promise_on_this_machine(name):
    _, card = workspace.load_weights(name)
    assert card["recipe"] == dataclasses.asdict(recipes.RECIPES[name])
    single = card["scores"]["single"]
    assert single["pictures"] >= 4096 and single["all"] >= 0.995
    assert str(models.count_parameters(recognition.load(name).network)) in card["network"]
    scenes = postcards.sample_scenes(4096, recipes.FRESH_SEED, "train", "single")[:1024]
    assert abs(share_right(name, scenes) - single["all"]) < 0.006
    for split, least in (("train", 0.99), ("held_out", 0.98)):
        assert share_right(name, postcards.sample_scenes(500, 77_777, split, "single")) >= least


@pytest.mark.parametrize("call", [recognition.load, recipes.train])
def test_an_unknown_network_is_refused_with_the_known_ones(call):
    with pytest.raises(ValueError, match="'jury'.*recogniser, judge"):
        call("jury")


def test_training_sees_held_out_pairs_as_often_as_any_other():
    scenes = [recognition.every_pair(56, seed) for seed in range(40)]
    a = postcards.concatenate(scenes).attributes
    pairs = (a["object"] * len(VALUES["colour"]) + a["colour"])[:, 0]
    share = pairs.bincount(minlength=56) / len(pairs) * 56
    assert len(scenes[0]) == 56 and share.min() > 0.5 and share.max() < 1.6


def table_of_scores():
    """The table in data/README.md, from the cards: all attributes right, with 95 % intervals."""

    def cell(row):
        low, high = row["all, 95 % interval"]
        return f"{row['all']:.2%} ({low:.2%} to {high:.2%})"

    judge, recogniser = (
        workspace.load_weights(name)[1]["scores"] for name in ("judge", "recogniser")
    )
    rows = [f"| {shown} | {cell(judge[shown])} | {cell(recogniser[shown])} |" for shown in judge]
    return "\n".join(["| shown | judge | recogniser |", "|---|---|---|", *rows])


def test_readers_find_the_table_of_scores_as_on_the_cards_and_the_held_out_pairs(project):
    text = (project / "data" / "README.md").read_text(encoding="utf-8")
    assert table_of_scores() in text
    text = " ".join(text.split())
    pairs = [f"{colour} {thing}" for thing, colour in postcards.HELD_OUT]
    assert [pair for pair in pairs if f" {pair}" not in text] == []


# The first losses of both recipes, as the loop gave them that made the shipped weights.
FIRST_LOSSES = {
    "recogniser": [9.098615646362305, 9.038544654846191, 9.065751075744629],
    "judge": [9.0756254196167, 9.05377197265625, 9.032065391540527],
}


@each_network
def test_the_recipe_begins_as_it_did_for_the_shipped_weights(name):
    recipe = recipes.RECIPES[name]
    fit = recipe.begin(name, torch.device("cpu"))
    steps = [done for _, done in zip(range(3), fit, strict=False)]
    # Processors round differently, so elsewhere the last digits may.
    assert [done.loss for done in steps] == pytest.approx(FIRST_LOSSES[name], rel=1e-5)
    warm_up = recipe.steps // 20
    rates = [recipe.learning_rate * (step + 1) / warm_up for step in range(3)]
    assert [done.learning_rate for done in steps] == pytest.approx(rates, rel=1e-12)


@each_network
def test_the_loop_is_the_one_that_made_the_shipped_weights(name):
    """To the last bit: torch's own AdamW at its defaults, with the rates of a LambdaLR."""

    recipe = recipes.RecogniserRecipe(seed=9, steps=6, batch=4, learning_rate=2e-3)
    fit = recipe.begin(name, torch.device("cpu"))
    torch.manual_seed(9)
    evaluator = PostcardEvaluator(NETWORKS[name]())
    model = evaluator.network
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
    rates = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(step + 1, 0.5 + 0.5 * math.cos(math.pi * step / 6))
    )
    for step, done in enumerate(fit):
        error = evaluator.loss(step, 4, 9)
        optimizer.zero_grad()
        error.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        assert (done.loss, done.learning_rate) == (error.item(), rates.get_last_lr()[0])
        rates.step()
    assert all(map(torch.equal, fit.model.parameters(), model.parameters()))
