"""What lesson 07 builds of rectified flow is the package's, and its checks name each slip."""

import pytest
import torch

from diffusion_lessons import sampling, schedule, training
from diffusion_lessons.checks import lesson_07
from diffusion_lessons.checks.exercise import Exercise
from diffusion_lessons.prediction import KINDS, read_off
from tests.mutants import mutants
from tests.small_pipe import normal, seeded

MADE = {name: getattr(lesson_07, name) for name in ("flow_loss", "flow_step", "bug_shift")}
SLIPS = [(name, key) for name, one in MADE.items() for key in one.slips]


def network(x_t, t):
    return torch.tanh(x_t + t.view(-1, *[1] * (x_t.ndim - 1)))


def test_the_loss_is_the_package_s_on_the_straight_schedule():
    x_0, eps, t = normal(5, 2), normal(5, 2, seed=1), torch.rand(5, generator=seeded(2))
    mine = MADE["flow_loss"].function(network, x_0, eps, t[:, None])
    theirs = training.diffusion_loss(network, x_0, t, eps, schedule.flow, "velocity")
    torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_the_step_is_the_package_s_whatever_the_network_says(kind):
    x_t, output = normal(3, 4, 2, 2), normal(3, 4, 2, 2, seed=1)
    rates, rates_next = schedule.walk_rates(torch.tensor([0.7, 0.4]), x_t, schedule.flow)
    guess = read_off(kind, output, x_t, *rates)
    mine = MADE["flow_step"].function(x_t, guess.eps - guess.x_0, 0.7, 0.4)
    theirs = sampling.euler_step(x_t, guess.x_0, guess.eps, rates, rates_next)
    torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_the_shifted_times_are_the_package_s(shift):
    mine = MADE["bug_shift"].function(10, shift)
    torch.testing.assert_close(mine, sampling.times(10, shift))


@pytest.mark.parametrize(("name", "key"), SLIPS)
def test_each_slip_is_named(name, key):
    exercise: Exercise = MADE[name]
    found = exercise(exercise.compiled(exercise.wrong(key)))
    assert found.verdict == "not yet" and exercise.slips[key][1:] in found.words[-1]


@pytest.mark.parametrize("name", MADE)
def test_no_small_fault_passes(name):
    exercise, inputs = MADE[name], next(iter(MADE[name].trials.values()))
    right = exercise.function(*inputs.values())
    for source in mutants(exercise.source):
        try:
            faulty = exercise.compiled(source)(*inputs.values())
        except Exception:
            faulty = None
        alike = isinstance(faulty, torch.Tensor) and torch.equal(faulty, right)
        assert alike or not exercise(exercise.compiled(source)).passed, source
