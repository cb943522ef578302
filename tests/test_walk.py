"""One walk for all samplers: it asks for what it needs, once, and names what goes wrong."""

import math
from collections.abc import Iterator
from itertools import islice

import pytest
import torch

from diffusion_lessons import schedule
from diffusion_lessons.prediction import Prediction, as_denoiser, exact_denoiser
from diffusion_lessons.sampling import ddim, ddpm, dpm_solver, euler, finish, times
from tests.test_sampling import (
    CENTRES,
    each_schedule,
    each_walk,
    mixture_denoiser,
    noise,
)

FLOW_WALK = lambda x_t, t: Prediction(x_t, x_t), schedule.flow, torch.ones(2, 2), times(3)


@each_walk
@pytest.mark.parametrize("wrap", ["network", "exact"])
def test_a_walk_evaluates_the_schedule_once(walk, wrap):
    evaluated = []

    def rates_at(t):
        evaluated.append(t)
        return schedule.cosine(t)

    if wrap == "network":
        denoiser = as_denoiser(lambda x_t, t: 0 * x_t, rates_at, "x_0", clip=True)
    else:
        denoiser = exact_denoiser(CENTRES, rates_at)
    list(walk(denoiser, rates_at, noise(3), times(10)))
    assert len(evaluated) == 1 and torch.equal(evaluated[0], times(10).double())


@each_schedule
def test_a_denoiser_that_takes_rates_is_given_those_of_its_time(rates_at):
    def denoiser(x_t, t, rates):
        for rate, expected in zip(rates, rates_at(t), strict=True):
            torch.testing.assert_close(rate, expected.view(3, 1))
        return Prediction(x_t, x_t)

    assert len(list(ddim(denoiser, rates_at, noise(3), times(6)))) == 6


@each_walk
def test_a_walk_yields_what_happened(walk):
    when = times(5)
    steps = walk(mixture_denoiser(schedule.cosine), schedule.cosine, noise(4), when)
    assert isinstance(steps, Iterator)
    steps = list(steps)
    assert [step.t for step in steps] == when[:-1].tolist()
    assert [step.t_next for step in steps] == when[1:].tolist()
    assert torch.equal(steps[0].x_t, noise(4))
    for step, after in zip(steps, steps[1:], strict=False):
        assert after.x_t is step.x_next
    assert all(not step.x_next.requires_grad for step in steps)


def test_a_walk_asks_the_network_only_for_the_steps_that_are_taken():
    asked = []

    def denoiser(x_t, t):
        asked.append((t.dtype, t.tolist()))
        return Prediction(x_t, x_t)

    steps = ddim(denoiser, schedule.flow, noise(2, dtype=torch.float32), times(10))
    assert asked == []
    assert len(list(islice(steps, 3))) == 3
    assert asked == [(torch.float32, [t, t]) for t in times(10)[:3].tolist()]


@each_walk
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_walk_keeps_the_dtype_the_start_and_the_global_chance(walk, dtype):
    start = noise(3, dtype=dtype)
    kept, chance = start.clone(), torch.get_rng_state()
    for step in walk(mixture_denoiser(schedule.linear), schedule.linear, start, times(4)):
        assert step.x_next.dtype == dtype
    assert torch.equal(start, kept) and torch.equal(torch.get_rng_state(), chance)


@each_walk
def test_a_walk_repeats_itself(walk):
    first, second = (
        finish(walk(mixture_denoiser(schedule.flow), schedule.flow, noise(5), times(8)))
        for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize("eta", [-0.1, 1.1, math.nan])
def test_eta_outside_0_to_1_is_refused_at_once(eta):
    with pytest.raises(ValueError, match=f"eta is {eta}; it must lie between 0"):
        ddim(mixture_denoiser(schedule.flow), schedule.flow, noise(2), times(3), eta=eta)


@each_walk
@pytest.mark.parametrize(
    ("bad", "saying"),
    [
        (torch.zeros(3, 8, 8), r"\(3, 8, 8\); give a batch.*x_t\[None\]"),
        (torch.zeros(2), "give a batch"),
        (torch.zeros(0, 2), "give a batch"),
        (torch.tensor([[0.0, math.nan]]), "NaN or infinity; start from noise"),
        (torch.tensor([[0.0, -math.inf]]), "NaN or infinity; start from noise"),
    ],
)
def test_a_bad_start_is_refused_at_once(walk, bad, saying):
    with pytest.raises(ValueError, match=saying):
        walk(mixture_denoiser(schedule.flow), schedule.flow, bad, times(3))


@each_walk
@pytest.mark.parametrize(
    ("bad", "saying"),
    [
        ([0.0, 0.5, 1.0], r"from 0 to 0.5; it must fall.*flip"),
        ([1.0, 0.5, 0.5, 0.0], "from 0.5 to 0.5; it must fall"),
        ([1.2, 0.0], "t is 1.2; it must lie between 0 .clean. and 1.*row_to_t"),
        ([1.0, -0.1], "t is -0.1; it must"),
        ([1.0, math.nan, 0.0], "t is nan; it must"),
        ([1.0], "two times or more"),
        ([[1.0, 0.0]], "two times or more"),
    ],
)
def test_bad_times_are_refused_at_once(walk, bad, saying):
    with pytest.raises(ValueError, match=saying):
        walk(mixture_denoiser(schedule.flow), schedule.flow, noise(2), torch.tensor(bad))


@each_walk
@pytest.mark.parametrize("guess", ["x_0", "eps"])
def test_a_network_that_breaks_is_named_with_its_step(walk, guess):
    def denoiser(x_t, t):
        guesses = {"x_0": x_t, "eps": x_t}
        return Prediction(**guesses | ({guess: x_t * math.nan} if t[0] < 0.5 else {}))

    steps = walk(denoiser, schedule.linear, noise(2), times(10))
    assert len(list(islice(steps, 6))) == 6
    with pytest.raises(ValueError, match=rf"at step 7 of 10 \(t = 0.400\).*{guess} holds NaN"):
        next(steps)


@each_walk
def test_a_guess_of_another_shape_is_named(walk):
    steps = walk(lambda x_t, t: Prediction(x_t[:1], x_t), schedule.flow, noise(2), times(3))
    with pytest.raises(ValueError, match=r"step 1 of 3.*x_0 has shape \(1, 2\).*\(2, 2\)"):
        next(steps)


@pytest.mark.parametrize(
    ("returns", "saying"),
    [
        (lambda x_t: None, r"step 1 of 3.*the step function's x_next is None.*\(2, 2\)"),
        (lambda x_t: x_t[:1], r"the step function's x_next has shape \(1, 2\)"),
        (lambda x_t: x_t * math.nan, "the step function's x_next holds NaN.*division"),
    ],
)
def test_a_step_function_that_errs_is_named(returns, saying):
    steps = [
        ddpm(*FLOW_WALK, step=lambda x_t, *_: returns(x_t)),
        ddim(*FLOW_WALK, step=lambda x_0_hat, *_: returns(x_0_hat)),
        euler(*FLOW_WALK, step=lambda x_t, *_: returns(x_t)),
    ]
    for walk in steps:
        with pytest.raises(ValueError, match=saying):
            next(walk)
    walk = dpm_solver(*FLOW_WALK, step=lambda x_t, *_: returns(x_t))
    next(walk)  # the first step is one of DDIM
    with pytest.raises(ValueError, match=saying.replace("step 1", "step 2")):
        next(walk)


@each_walk
def test_a_start_of_whole_numbers_is_refused(walk):
    with pytest.raises(TypeError, match=r"torch.int64; start from noise"):
        walk(mixture_denoiser(schedule.flow), schedule.flow, torch.ones(2, 2).long(), times(3))


def test_a_walk_that_is_over_cannot_be_finished_again():
    steps = ddim(mixture_denoiser(schedule.flow), schedule.flow, noise(2), times(3))
    finish(steps)
    with pytest.raises(ValueError, match="call it again"):
        finish(steps)
