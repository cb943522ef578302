"""Learning a taste: the loss of choices by hand and as published, rules, pairs, short trainings."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from diffusion_lessons import models, recipes, training
from diffusion_lessons.checks import lesson_07
from diffusion_lessons.models import LoRA
from diffusion_lessons.postcards import VALUES, parse
from diffusion_lessons.recipes import taste
from tests.small_pipe import normal, small_pipe

WINNERS, LOSERS, EPS = normal(3, 4, 8, 8, seed=1), normal(3, 4, 8, 8, seed=2), normal(3, 4, 8, 8)
T = torch.tensor([0.2, 0.5, 0.9])
SMALL = replace(recipes.LIVE_TASTE, pairs=4, steps=4, batch=4)
FAST = replace(SMALL, steps=30, learning_rate=0.05, beta=500.0)  # learns something in no time
CHOSEN = [1, -1, 0]


def saying(*losses):
    """The losses of a network that are the same at each call: of winners, then of losers."""
    return lambda x_0, t, eps: torch.tensor(losses[x_0 is LOSERS])


def dpo(tuned, frozen, beta=2.0):
    return training.dpo_loss(WINNERS, LOSERS, T, EPS, tuned, frozen, beta)


# --- the loss ---


def test_the_loss_by_hand():
    tuned, frozen = saying([0.5, 1.0, 2.0], [3.0, 1.0, 1.0]), saying([1.0] * 3, [2.0] * 3)
    margins = [-0.5 - 1.0, 0.0 - -1.0, 1.0 - -1.0]  # by how much the tuning raised winner - loser
    by_hand = [math.log(1 + math.exp(margin)) for margin in margins]  # beta / 2 is 1
    assert dpo(tuned, frozen).item() == pytest.approx(sum(by_hand) / 3, rel=1e-6)


def test_it_is_log_2_as_long_as_the_tuned_network_is_the_frozen_one():
    for beta in (1.0, 5000.0):
        same = saying([0.3, 9.0, 1.0], [1.0, 0.1, 4.0])
        assert dpo(same, same, beta).item() == pytest.approx(math.log(2))


def test_it_is_the_papers_equation_of_noise_predictions():
    """Wallace et al. 2024, equation 14, with sums over the D numbers of a picture and weight 1:
    the factor before the brackets is our beta / 2 over D."""
    pictures = WINNERS, LOSERS
    guesses = {
        who: [normal(3, 4, 8, 8, seed=n + i) for i in range(2)] for who, n in (("", 5), ("ref", 7))
    }
    sums = {
        who: [(EPS - guess).square().sum((1, 2, 3)) for guess in both]
        for who, both in guesses.items()
    }
    inside = sums[""][0] - sums["ref"][0] - (sums[""][1] - sums["ref"][1])
    expected = -torch.log(torch.sigmoid(-0.3 * inside)).mean()

    def losses_of(who):
        def model(x_t, t):
            return guesses[who][x_t is noisy[1]]

        noisy = []

        def losses(x_0, t, eps):
            output = guesses[who][x_0 is pictures[1]]
            return training.loss_of_each(
                lambda *_: output, x_0, t, eps, lambda t: (t, 1 - t), "eps"
            )

        return losses

    found = dpo(losses_of(""), losses_of("ref"), 0.6 * WINNERS[0].numel())
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


def test_its_gradient_lowers_the_winners_loss_and_raises_the_losers():
    liked, other = (torch.zeros(3, requires_grad=True) for _ in range(2))
    dpo(
        lambda x_0, t, eps: other if x_0 is LOSERS else liked, saying([0.0] * 3, [0.0] * 3), 6.0
    ).backward()
    assert torch.allclose(liked.grad, torch.full((3,), 6 / 2 / 2 / 3)) and torch.equal(
        other.grad, -liked.grad
    )


def test_both_pictures_of_a_pair_are_under_the_same_noise_at_the_same_time():
    seen = []

    def losses(x_0, t, eps):
        seen.append((t, eps))
        return x_0.mean((1, 2, 3))

    dpo(losses, losses)
    assert len(seen) == 4 and all(t is T and eps is EPS for t, eps in seen)


def test_the_losses_of_each_are_those_whose_mean_is_the_diffusion_loss():
    given = (lambda x_t, t: 0.5 * x_t), WINNERS, T, EPS, lambda t: (1 - t, t), "x_0"
    each = training.loss_of_each(*given)
    alone = [
        training.loss_of_each(
            given[0], WINNERS[i : i + 1], T[i : i + 1], EPS[i : i + 1], *given[4:]
        )
        for i in range(3)
    ]
    assert each.shape == (3,) and torch.allclose(each, torch.cat(alone))
    assert each.mean().item() == pytest.approx(training.diffusion_loss(*given).item())


# --- the exercise ---

EXERCISE = lesson_07.dpo_loss


def test_the_exercise_is_the_packages_loss():
    assert EXERCISE(training.dpo_loss).passed


@pytest.mark.parametrize("key", EXERCISE.slips)
def test_each_slip_gets_its_sentence(key):
    assert EXERCISE.slips[key] in repr(EXERCISE(EXERCISE.compiled(EXERCISE.wrong(key))))


def test_noise_of_its_own_is_noticed():
    def mine(winners, losers, t, eps, tuned, frozen, beta):
        other = torch.randn_like(eps)
        better = tuned(winners, t, eps) - frozen(winners, t, eps)
        worse = tuned(losers, t, other) - frozen(losers, t, other)
        return -functional.logsigmoid(-beta / 2 * (better - worse)).mean()

    assert not (found := EXERCISE(mine)).passed and "random" in repr(found)


# --- rules ---


class Sees:
    """A reader that sees the skies it is told to see, at each reading the next ones."""

    def __init__(self, *readings):
        self.readings = iter(readings)

    def read(self, images):
        return {"sky": torch.tensor([VALUES["sky"].index(sky) for sky in next(self.readings)])}


def test_a_rule_chooses_what_it_likes_better_and_nothing_where_it_likes_both():
    images = torch.zeros(3, 2, 3, 4, 4)
    images[0, 1, 0], images[1, 0, 2], images[1, 1, 2] = 0.5, 0.1, 0.2  # redder; two that are blue
    assert taste.choices("prefers warm colours", images, Sees()) == [1, 0, -1]
    reader = Sees(("night", "day", "dawn"), ("aurora", "sunset", "dawn"))
    assert taste.choices("prefers night skies", images, reader) == [0, 1, -1]
    assert set(taste.DARKNESS) == set(VALUES["sky"])
    with pytest.raises(ValueError, match="rule is 'likes cats': choose one of 'prefers night"):
        taste.choices("likes cats", images, reader)


# --- pairs and training ---


@pytest.fixture(scope="module")
def pipe():
    return small_pipe()


@pytest.fixture(scope="module")
def pairs(pipe):
    return SMALL.draw(pipe, Sees(6 * ["day"], ["night", "day", "dawn", "aurora", "day", "day"]))


def test_pairs_are_two_pictures_of_one_prompt_that_leaves_open_what_is_to_be_chosen(pipe, pairs):
    assert pairs.latents.shape == (3, 2, *pipe.latent_shape) and pairs.images.shape[:3] == (3, 2, 3)
    assert not torch.equal(pairs.latents[:, 0], pairs.latents[:, 1])
    said = SMALL.prompts(30, 5)
    assert len(said) == 30 and all(one.description["sky"] is None for one in said)
    assert any(one.description["ground"] for one in said)


def test_only_pairs_that_a_reader_tells_apart_are_asked_about(pairs):
    drawn = [one.text for one in SMALL.prompts(6, SMALL.seed)]
    assert pairs.prompts == [drawn[0], drawn[2], drawn[3]]


def test_it_begins_at_the_frozen_network_learns_the_choices_and_leaves_the_network_alone(
    pipe, pairs
):
    before = {name: weight.clone() for name, weight in pipe.unet.state_dict().items()}
    fit = replace(FAST, keep=1.0).begin(pipe, pairs, CHOSEN)
    losses = [done.loss for done in fit]
    assert losses[0] == pytest.approx(math.log(2), abs=1e-5) and min(losses) < 0.6
    assert all(torch.equal(before[name], now) for name, now in pipe.unet.state_dict().items())
    change = taste.change(pipe, fit.ema, pairs, CHOSEN)
    assert change["winners"] < change["losers"] and change["frozen"] > 0
    zero = taste.change(pipe, LoRA.of(pipe.unet), pairs, CHOSEN)
    assert zero["winners"] == zero["losers"] == 0


def test_the_learners_loss_gets_the_choices_alone_the_chosen_picture_first(pipe, pairs):
    seen = []

    def loss(winners, losers, t, eps, tuned, frozen, beta):
        seen.extend(zip(winners, losers, strict=True))
        assert beta == SMALL.beta and len(winners) == 2 and t.min() >= SMALL.since
        return training.dpo_loss(winners, losers, t, eps, tuned, frozen, beta)

    list(replace(SMALL, batch=8).begin(pipe, pairs, CHOSEN, loss))
    liked = [(pairs.latents[n, k], pairs.latents[n, 1 - k]) for n, k in ((0, 1), (2, 0))]
    found = [
        [torch.equal(winner, one) and torch.equal(loser, other) for one, other in liked]
        for winner, loser in seen
    ]
    assert len(found) == 8 and all(map(any, found)) and all(map(any, zip(*found, strict=True)))


def test_where_the_words_say_all_the_answers_are_kept(pipe, pairs):
    """Both pictures of a pair under their own words, and the empty prompt; the dearer a change is
    there, the smaller it stays, while what was chosen still gains."""
    context, painted = taste._kept(pipe, pairs, 3)
    assert torch.equal(painted[3:6], pairs.latents[1, [0, 1, 0]])
    assert torch.equal(context[3:6], pipe.encode_prompt([*pairs.said[1], ""]))
    x_t, t, moved = normal(9, 4, 8, 8, seed=4), torch.full((9,), 0.8), []
    for keep in (0.0, 1000.0):
        list(fit := replace(FAST, keep=keep).begin(pipe, pairs, CHOSEN))
        with torch.no_grad():
            change = fit.ema(pipe.unet, x_t, t, context) - pipe.unet(x_t, t, context)
        moved.append(change.square().mean().item())
    assert 0 < moved[1] < 0.3 * moved[0]
    change = taste.change(pipe, fit.ema, pairs, CHOSEN)
    assert change["winners"] < change["losers"]


def test_prompts_that_say_the_sky_say_that_of_their_picture(pairs):
    skies = [[parse(text)["sky"] for text in both] for both in pairs.said]
    assert skies == [["day", "night"], ["day", "dawn"], ["day", "aurora"]]
    for prompt, both in zip(pairs.prompts, pairs.said, strict=True):
        assert all(parse(text) == parse(prompt) | {"sky": parse(text)["sky"]} for text in both)


def test_without_a_choice_there_is_nothing_to_learn(pipe, pairs):
    with pytest.raises(ValueError, match="no choice to learn from"):
        SMALL.begin(pipe, pairs, [-1, -1])


def test_what_is_learned_can_be_loaded_into_the_pipeline(pipe, pairs):
    fit = SMALL.begin(pipe, pairs, CHOSEN)
    list(fit)
    pipe.load_lora_weights(fit.ema, "taste")
    changed = set(fit.ema.settings["shapes"])
    pipe.unload_lora_weights()
    assert changed and all("cross_attn" in name for name in changed)
    assert models.count_parameters(fit.ema) < models.count_parameters(pipe.unet)
