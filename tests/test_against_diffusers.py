"""Tables, noise and samplers against `diffusers`, step by step and with the same network.

All in float64, with clipping off and "trailing" spacing. `diffusers` computes its tables in float32
whatever it is given, so its own code runs here with float64 put in that place. Its options:

- DDIM and DDPM: `clip_sample=False`; DDPM's variance is "fixed_small", eq. 7, its default.
- DPM-Solver++: `final_sigmas_type="zero"`, its default, makes it end in the guess of x_0 by a first
  order step, as ours does. `lower_order_final` and `euler_at_final` then change nothing, and
  `lambda_min_clipped` stays off: it would leave out the noisiest rows of the cosine table.
- Euler for flow: it gets our times, before they are shifted, for it shifts what it is given. Its
  own list for N steps differs, see `test_where_flow_of_diffusers_steps_to_by_itself`.
"""

import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler as DDIM
from diffusers import DDPMScheduler as DDPM
from diffusers import DPMSolverMultistepScheduler as DPM_SOLVER
from diffusers import FlowMatchEulerDiscreteScheduler as FLOW_EULER

from diffusion_lessons import sampling, schedule
from diffusion_lessons.prediction import as_denoiser, read_off, target
from diffusion_lessons.schedule import add_noise, alpha_bar, row_to_t, walk_rates
from tests.small_pipe import normal, seeded

# Theirs alone: numpy 2 asks torch for an argument that it does not know.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TOLERANCE = 1e-5
TABLES = {
    "linear": (schedule.linear, schedule.linear_beta),
    "squaredcos_cap_v2": (schedule.cosine, schedule.cosine_beta),
}
KINDS = {"eps": "epsilon", "x_0": "sample", "v": "v_prediction"}
NUMBERS_OF_STEPS = (1, 4, 10, 30, 50)  # 30 does not divide 1000
MODULES = [sys.modules[cls.__module__] for cls in (DDPM, DDIM, DPM_SOLVER, FLOW_EULER)]


class InFloat64:
    """torch or numpy, whose float32 is float64."""

    def __init__(self, library):
        self.library, self.float32 = library, library.float64

    def __getattr__(self, name):
        return getattr(self.library, name)


@pytest.fixture(autouse=True)
def diffusers_in_float64(monkeypatch):
    for module in MODULES:
        monkeypatch.setattr(module, "torch", InFloat64(torch))
        monkeypatch.setattr(module, "np", InFloat64(np))


X_START = normal(3, 2, 4, 4, seed=3).double()
FIRST, SECOND = normal(2, 32, 32, seed=4).double() / 4


def network(x_t, t):
    """A small network of float64 with fixed weights, that looks at x_t and at t."""
    hidden = torch.tanh(x_t.flatten(1) @ FIRST + 2 * torch.cos(3 * t)[:, None])
    return torch.tanh(hidden @ SECOND).view_as(x_t)


EPS = network(X_START, torch.ones(3).double())


def make(cls, table, num_steps=10, **options):
    scheduler = cls(beta_schedule=table, timestep_spacing="trailing", **options)
    scheduler.set_timesteps(num_steps)
    return scheduler


def relative_difference(ours, theirs):
    assert ours.dtype == theirs.dtype == torch.float64
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def assert_same_walk(walk, scheduler, **options):
    """Ours beside the steps of `diffusers`, from the first time that is in its list."""
    steps, x_t = list(walk), X_START
    assert steps
    for row, step in zip(scheduler.timesteps[-len(steps) :], steps, strict=True):
        output = network(x_t, torch.full((3,), step.t).double())
        x_t = scheduler.step(output, row, x_t, **options).prev_sample
        assert relative_difference(step.x_next, x_t) < TOLERANCE, f"at t = {step.t}"


def ddim_step(guess, t, t_next, rates_at):
    rates = walk_rates(torch.stack([t[0], t_next[0]]), guess.x_0, rates_at)
    return sampling.ddim_step(guess.x_0, guess.eps, torch.zeros_like(guess.eps), *rates, eta=0.0)


# Of the cosine table's last row noise guesses mean nothing, see the tests below.
def starts_too_late(table, kind):
    return table == "squaredcos_cap_v2" and kind == "eps"


CASES = [
    (table, kind, num_steps)
    for table in TABLES for kind in KINDS for num_steps in NUMBERS_OF_STEPS
    if not (starts_too_late(table, kind) and num_steps == 1)
]  # fmt: skip
each_table = pytest.mark.parametrize("table", TABLES)


@each_table
def test_the_tables_are_the_same(table):
    theirs = make(DDPM, table)
    ours = TABLES[table][1]()
    torch.testing.assert_close(ours, theirs.betas, rtol=TOLERANCE, atol=0)
    torch.testing.assert_close(alpha_bar(ours), theirs.alphas_cumprod, rtol=TOLERANCE, atol=0)
    a, _ = TABLES[table][0](row_to_t(torch.arange(1000)).double())
    torch.testing.assert_close(a.flatten() ** 2, theirs.alphas_cumprod, rtol=TOLERANCE, atol=0)


@pytest.mark.parametrize("num_steps", [*range(1, 60), 100, 333, 600, 999, 1000])
def test_times_are_the_trailing_rows(num_steps):
    # At some numbers rounding gives numpy's range, and so diffusers, one row too many: row -1.
    rows = make(DDIM, "linear", num_steps).timesteps[:num_steps]
    times = sampling.times(num_steps)
    assert times.shape == (num_steps + 1,) and times[-1] == 0
    torch.testing.assert_close(times[:-1], row_to_t(rows), rtol=0, atol=0)


@each_table
def test_add_noise_and_v_are_the_same(table):
    rates_at, theirs = TABLES[table][0], make(DDPM, table)
    for rows in torch.tensor([[0, 1, 2], [10, 500, 700], [997, 998, 999]]):
        t = row_to_t(rows).double()
        x_t, v = (mix(X_START, EPS, rows) for mix in (theirs.add_noise, theirs.get_velocity))
        assert relative_difference(add_noise(X_START, EPS, t, rates_at), x_t) < TOLERANCE
        assert relative_difference(target("v", X_START, EPS, *rates_at(t)), v) < TOLERANCE


class DDIMWithGaps:
    """DDIM of `diffusers`, given before each step the distance to the next row of its list.

    By itself it steps T // N rows down, wherever the next row may be: with 30 steps it would give
    the network an x_t of another time than it says. It reads the gap off `num_inference_steps`.
    """

    def __init__(self, scheduler):
        self.scheduler, self.timesteps = scheduler, scheduler.timesteps
        self.gaps = [high - low for high, low in pairwise([*self.timesteps.tolist(), -1])]

    def step(self, output, row, x_t, **options):
        gap = self.gaps[self.timesteps.tolist().index(row)]
        self.scheduler.num_inference_steps = 1000 // gap
        assert 1000 // self.scheduler.num_inference_steps == gap
        return self.scheduler.step(output, row, x_t, **options)


WALKS = {  # ours, theirs, its options, what a walk of both takes, whether it draws noise
    "ddpm": (sampling.ddpm, DDPM, {"clip_sample": False}, {}, True),
    **{
        f"ddim, eta {eta}": (sampling.ddim, DDIM, {"clip_sample": False}, {"eta": eta}, True)
        for eta in (0.0, 0.5, 1.0)
    },
    "dpm-solver++": (sampling.dpm_solver, DPM_SOLVER, {"final_sigmas_type": "zero"}, {}, False),
}


@pytest.mark.parametrize(("table", "kind", "num_steps"), CASES)
@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_is_the_same_step_by_step(walk, table, kind, num_steps):
    sampler, theirs, options, settings, draws = WALKS[walk]
    rates_at, times = TABLES[table][0], sampling.times(num_steps)
    times = times[1:] if starts_too_late(table, kind) else times
    scheduler = make(theirs, table, num_steps, prediction_type=KINDS[kind], **options)
    scheduler = DDIMWithGaps(scheduler) if theirs is DDIM else scheduler
    ours, others = ({"generator": seeded(5)} if draws else {} for _ in range(2))
    walk = sampler(
        as_denoiser(network, rates_at, kind), rates_at, X_START, times, **settings, **ours
    )
    assert_same_walk(walk, scheduler, **settings, **others)


def test_where_ddim_of_diffusers_steps_to_with_30_steps():
    """It goes 33 rows down at each step, though its list goes 33 or 34. Told that, we agree."""
    scheduler = make(DDIM, "linear", 30, clip_sample=False)
    gaps = {high - low: high for high, low in pairwise(scheduler.timesteps.tolist())}
    assert gaps.keys() == {33, 34}
    t, t_33, t_34 = (row_to_t(torch.tensor([gaps[34] - n] * 3)).double() for n in (0, 33, 34))
    output = network(X_START, t)
    theirs = scheduler.step(output, gaps[34], X_START).prev_sample
    guess = read_off("eps", output, X_START, *schedule.linear(t))
    as_they_do, as_listed = (ddim_step(guess, t, low, schedule.linear) for low in (t_33, t_34))
    assert relative_difference(as_they_do, theirs) < TOLERANCE
    assert relative_difference(as_listed, theirs) > 100 * TOLERANCE


@pytest.mark.parametrize("num_steps", NUMBERS_OF_STEPS)
@pytest.mark.parametrize("shift", [1.0, 3.0, 1 / 3])
@pytest.mark.parametrize("sampler", [sampling.euler, sampling.ddim, sampling.dpm_solver])
def test_walks_on_the_straight_schedule(sampler, shift, num_steps):
    times = sampling.times(num_steps, shift)
    if sampler is sampling.dpm_solver:
        flow = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
        scheduler = DPM_SOLVER(**flow, final_sigmas_type="zero")
        scheduler.set_timesteps(num_steps)
        scheduler.sigmas = times.double()  # its own begin at t = 0.999; it can begin at 1 as well
        scheduler.set_begin_index(0)
    else:
        scheduler = FLOW_EULER(shift=shift)
        scheduler.set_timesteps(sigmas=sampling.times(num_steps)[:-1].double().tolist())
        torch.testing.assert_close(scheduler.sigmas, times.double(), rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(scheduler.timesteps, 1000 * scheduler.sigmas[:-1])
    denoiser = as_denoiser(network, schedule.flow, "velocity")
    assert_same_walk(sampler(denoiser, schedule.flow, X_START, times), scheduler)


@pytest.mark.parametrize("num_steps", [2, 4, 10, 30])
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_where_flow_of_diffusers_steps_to_by_itself(shift, num_steps):
    """Asked for N steps it spreads N times from 1 to the last of its table, so that one step of N
    is hardly any: from there to 0. The last of the table, 1/1000, is shifted when the scheduler is
    made, and all N are shifted when the list is: that one twice, with shift 3 to 9/1000.

    The pipelines of Flux give it our list, `linspace(1, 1 / N, N)`; that of Stable Diffusion 3
    leaves it to the scheduler.
    """
    scheduler = FLOW_EULER(shift=shift)
    scheduler.set_timesteps(num_steps)

    def shifted(t):
        return shift * t / (1 + (shift - 1) * t)

    theirs = shifted(torch.linspace(1, shifted(0.001), num_steps, dtype=torch.float64))
    torch.testing.assert_close(scheduler.sigmas[:-1], theirs, rtol=1e-6, atol=0)
    assert scheduler.sigmas[-2] == pytest.approx(shifted(shifted(0.001)), rel=1e-6)
    ours = torch.linspace(1, 1 / num_steps, num_steps, dtype=torch.float64)
    found = sampling.times(num_steps, shift)[:-1].double()  # ours are rounded to thousandths
    torch.testing.assert_close(found, shifted(ours), rtol=0, atol=5e-4 * shift)


@pytest.mark.parametrize("num_steps", [1, 7, 50])
def test_a_walk_in_shifted_times_is_shifted_once(num_steps):
    """Twice by 3 is once by 9: whoever shifts a list that is shifted already is elsewhere."""
    even, once, twice = (sampling.times(num_steps, shift) for shift in (1.0, 3.0, 9.0))
    torch.testing.assert_close(3 * once / (1 + 2 * once), twice)
    assert (even[1:-1] < once[1:-1]).all() and (once[1:-1] < twice[1:-1]).all()


def test_mixing_on_the_straight_schedule():
    scheduler = FLOW_EULER()
    t = scheduler.sigmas[[0, 400, 998]]
    theirs = scheduler.scale_noise(X_START, 1000 * t, EPS)
    assert relative_difference(add_noise(X_START, EPS, t, schedule.flow), theirs) < TOLERANCE


def test_the_last_row_of_the_cosine_table():
    """Its alpha_bar is 2.4e-9: a noise guess divided by its root means nothing.

    `diffusers` divides, and its guess of the picture is 10,000 times too large. Ours is 0 there,
    and the step to the next time keeps only the noise. Other kinds are read without dividing.
    """
    left = alpha_bar(schedule.cosine_beta())
    assert left[-1] < 1e-6 < left[-2]
    t, t_next = (torch.full((3,), time).double() for time in (1.0, 0.9))
    output = network(X_START, t)
    ours = {kind: read_off(kind, output, X_START, *schedule.cosine(t)) for kind in KINDS}
    theirs = {}
    for kind, name in KINDS.items():
        scheduler = make(DDIM, "squaredcos_cap_v2", clip_sample=False, prediction_type=name)
        theirs[kind] = scheduler.step(output, 999, X_START).pred_original_sample
    assert theirs["eps"].abs().max() > 10_000
    assert torch.equal(ours["eps"].x_0, 0 * X_START) and torch.equal(ours["eps"].eps, output)
    x_next = ddim_step(ours["eps"], t, t_next, schedule.cosine)
    torch.testing.assert_close(x_next, schedule.cosine(t_next)[1] * output)
    for kind in ("x_0", "v"):
        assert relative_difference(ours[kind].x_0, theirs[kind]) < TOLERANCE


def test_as_it_is_shipped_its_tables_are_ours_rounded(monkeypatch):
    """float32 costs most in the last row of cosine, where 1 - beta is 0.001."""
    monkeypatch.undo()
    for table, (_, beta) in TABLES.items():
        theirs = make(DDPM, table).alphas_cumprod
        assert theirs.dtype == torch.float32
        torch.testing.assert_close(alpha_bar(beta()).float(), theirs, rtol=2e-4, atol=0)
