"""One walk for all samplers: it asks for what it needs, once, and names what goes wrong."""

import math
from collections.abc import Iterator
from itertools import islice

import pytest
import torch

from diffusion_lessons import schedule
from diffusion_lessons.prediction import Prediction, as_denoiser, exact_denoiser
from diffusion_lessons.sampling import ddim, ddpm, dpm_solver, euler, finish, times
from tests.test_sampling import CENTRES, each_schedule, each_walk, mixture_denoiser, noise

FLOW_WALK = lambda x_t, t: Prediction(x_t, x_t), schedule.flow, torch.ones(2, 2), times(3)


@each_walk
@pytest.mark.parametrize("wrap", ["network", "exact"])
def test_a_walk_evaluates_the_schedule_once(walk, wrap):
    evaluated = []

    def rates_at(t):
        evaluated.append(t)
        return schedule.cosine(t)

    network = as_denoiser(lambda x_t, t: 0 * x_t, rates_at, "x_0", clip=True)
    denoiser = network if wrap == "network" else exact_denoiser(CENTRES, rates_at)
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
    walking = walk(mixture_denoiser(schedule.cosine), schedule.cosine, noise(4), when)
    assert isinstance(walking, Iterator)
    steps = list(walking)
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
def test_a_walk_repeats_itself_and_keeps_the_dtype_the_start_and_the_global_chance(walk, dtype):
    start, rates_at = noise(3, dtype=dtype), schedule.linear
    kept, chance = start.clone(), torch.get_rng_state()
    walks = [walk(mixture_denoiser(rates_at), rates_at, start, times(4)) for _ in range(2)]
    for step, same in zip(*walks, strict=True):
        assert step.x_next.dtype == dtype and torch.equal(step.x_next, same.x_next)
    assert torch.equal(start, kept) and torch.equal(torch.get_rng_state(), chance)


@pytest.mark.parametrize("eta", [-0.1, 1.1, math.nan])
def test_eta_outside_0_to_1_is_refused_at_once(eta):
    with pytest.raises(ValueError, match=f"eta is {eta}: give a number from 0 to 1"):
        ddim(mixture_denoiser(schedule.flow), schedule.flow, noise(2), times(3), eta=eta)


POINTS, DOWN = noise(2), times(3)
REFUSED = [
    (torch.zeros(3, 8, 8), DOWN, r"\(3, 8, 8\); give a batch.*x_t\[None\]"),
    (torch.zeros(2), DOWN, "give a batch"),
    (torch.zeros(0, 2), DOWN, "give a batch"),
    (torch.tensor([[0.0, math.nan]]), DOWN, "NaN or infinity; start from noise"),
    (torch.tensor([[0.0, -math.inf]]), DOWN, "NaN or infinity; start from noise"),
    (torch.ones(2, 2).long(), DOWN, "torch.int64: give a tensor of floats"),
    (POINTS, [0.0, 0.5, 1.0], r"from 0 to 0.5; it must fall.*flip"),
    (POINTS, [1.0, 0.5, 0.5, 0.0], "from 0.5 to 0.5; it must fall"),
    (POINTS, [1.2, 0.0], "t is 1.2; it must lie between 0 .clean. and 1.*row_to_t"),
    (POINTS, [1.0, -0.1], "t is -0.1; it must"),
    (POINTS, [1.0, math.nan, 0.0], "t is nan; it must"),
    (POINTS, [1.0], "two times or more"),
    (POINTS, [[1.0, 0.0]], "two times or more"),
]


@each_walk
@pytest.mark.parametrize(("x_t", "when", "message"), REFUSED)
def test_a_bad_start_and_bad_times_are_refused_at_once(walk, x_t, when, message):
    error = ValueError if x_t.is_floating_point() else TypeError
    with pytest.raises(error, match=message):
        walk(mixture_denoiser(schedule.flow), schedule.flow, x_t, torch.as_tensor(when))


@each_walk
@pytest.mark.parametrize("guess", ["x_0", "eps"])
def test_a_guess_that_breaks_or_has_another_shape_is_named_with_its_step(walk, guess):
    def denoiser(x_t, t):
        guesses = {"x_0": x_t, "eps": x_t}
        return Prediction(**guesses | ({guess: x_t * math.nan} if t[0] < 0.5 else {}))

    steps = walk(denoiser, schedule.linear, noise(2), times(10))
    assert len(list(islice(steps, 6))) == 6
    with pytest.raises(ValueError, match=rf"at step 7 of 10 \(t = 0.400\).*{guess} holds NaN"):
        next(steps)
    steps = walk(lambda x_t, t: Prediction(x_t[:1], x_t), schedule.flow, noise(2), times(3))
    with pytest.raises(ValueError, match=r"step 1 of 3.*x_0 has shape \(1, 2\).*\(2, 2\)"):
        next(steps)


@pytest.mark.parametrize("walk", [ddpm, ddim, euler, dpm_solver])
def test_a_step_function_that_errs_is_named(walk):
    number = 2 if walk is dpm_solver else 1  # its first step is one of DDIM
    for returns, message in (
        (lambda x_t, *_: None, r"is None.*\(2, 2\)"),
        (lambda x_t, *_: x_t[:1], r"has shape \(1, 2\)"),
        (lambda x_t, *_: x_t * math.nan, "holds NaN.*division"),
    ):
        steps = walk(*FLOW_WALK, step=returns)
        list(islice(steps, number - 1))
        with pytest.raises(
            ValueError, match=f"step {number} of 3.*step function's x_next {message}"
        ):
            next(steps)


def test_a_walk_that_is_over_cannot_be_finished_again():
    steps = ddim(mixture_denoiser(schedule.flow), schedule.flow, noise(2), times(3))
    finish(steps)
    with pytest.raises(ValueError, match="call it again"):
        finish(steps)
