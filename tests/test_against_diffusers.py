"""Tables, noise and samplers against `diffusers`, step by step and with the same network.

All in float64, with clipping off and "trailing" spacing. `diffusers` computes its tables in float32
whatever it is given, so its own code runs here with float64 put in that place. Its options:

- DDIM and DDPM: `clip_sample=False`; DDPM's variance is "fixed_small", eq. 7, its default.
- DPM-Solver++: `final_sigmas_type="zero"`, its default, makes it end in the guess of x_0 by a first
  order step, as ours does. `lower_order_final` and `euler_at_final` then change nothing, and
  `lambda_min_clipped` stays off: it would leave out the noisiest rows of the cosine table.
- Euler for flow: it gets our times. Its own list ends at t = 1/1000 before 0, ours falls evenly.
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


@pytest.fixture(scope="module")
def x_start():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(3, 2, 4, 4, generator=generator, dtype=torch.float64)


@pytest.fixture(scope="module")
def network():
    """A small network of float64 with fixed weights, that looks at x_t and at t."""
    generator = torch.Generator().manual_seed(4)
    first, second = (torch.randn(32, 32, generator=generator).double() / 4 for _ in range(2))

    def output(x_t, t):
        hidden = torch.tanh(x_t.flatten(1) @ first + 2 * torch.cos(3 * t)[:, None])
        return torch.tanh(hidden @ second).view_as(x_t)

    return output


def make(cls, table, **options):
    return cls(beta_schedule=table, timestep_spacing="trailing", **options)


def relative_difference(ours, theirs):
    assert ours.dtype == theirs.dtype == torch.float64
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def their_walk(scheduler, network, x_t, times, **options):
    """x_next of each step of `diffusers`, from the times[0] that its list holds."""
    for row, t in zip(scheduler.timesteps[-(len(times) - 1) :], times[:-1], strict=True):
        output = network(x_t, t.to(x_t).expand(len(x_t)))
        x_t = scheduler.step(output, row, x_t, **options).prev_sample
        yield x_t


def assert_same_walk(steps, their_x):
    count = 0
    for step, x_next in zip(steps, their_x, strict=True):
        assert relative_difference(step.x_next, x_next) < TOLERANCE, f"at t = {step.t}"
        count += 1
    assert count > 0


def ddim_step(guess, t, t_next, rates_at):
    rates = walk_rates(torch.stack([t[0], t_next[0]]), guess.x_0, rates_at)
    return sampling.ddim_step(guess.x_0, guess.eps, torch.zeros(()), *rates, eta=0.0)


def times_to_walk(num_steps, table, kind):
    """All times, without the cosine table's last row for noise guesses (see the tests below)."""
    times = sampling.times(num_steps)
    skip = table == "squaredcos_cap_v2" and kind == "eps" and num_steps > 1
    return times[1:] if skip else times


def every_case():
    for table in TABLES:
        for kind in KINDS:
            for num_steps in NUMBERS_OF_STEPS:
                if not (table == "squaredcos_cap_v2" and kind == "eps" and num_steps == 1):
                    yield table, kind, num_steps


every = pytest.mark.parametrize(("table", "kind", "num_steps"), list(every_case()))
each_table = pytest.mark.parametrize("table", TABLES)


@each_table
def test_the_tables_are_the_same(table):
    theirs = make(DDPM, table)
    ours = TABLES[table][1]()
    torch.testing.assert_close(ours, theirs.betas, rtol=TOLERANCE, atol=0)
    torch.testing.assert_close(alpha_bar(ours), theirs.alphas_cumprod, rtol=TOLERANCE, atol=0)
    rates = TABLES[table][0](row_to_t(torch.arange(1000)).double())
    torch.testing.assert_close(
        rates[0].flatten() ** 2, theirs.alphas_cumprod, rtol=TOLERANCE, atol=0
    )


@pytest.mark.parametrize("num_steps", [*range(1, 60), 100, 333, 600, 999, 1000])
def test_times_are_the_trailing_rows(num_steps):
    scheduler = make(DDIM, "linear")
    scheduler.set_timesteps(num_steps)
    # At some numbers rounding gives numpy's range, and so diffusers, one row too many: row -1.
    rows = scheduler.timesteps[:num_steps]
    times = sampling.times(num_steps)
    assert times.shape == (num_steps + 1,) and times[-1] == 0
    torch.testing.assert_close(times[:-1], row_to_t(rows), rtol=0, atol=0)


@each_table
def test_add_noise_and_v_are_the_same(table, x_start, network):
    rates_at, _ = TABLES[table]
    theirs = make(DDPM, table)
    eps = network(x_start, torch.ones(3).double())
    for rows in ([0, 1, 2], [10, 500, 700], [997, 998, 999]):
        rows = torch.tensor(rows)
        t = row_to_t(rows).double()
        x_t = theirs.add_noise(x_start, eps, rows)
        assert relative_difference(add_noise(x_start, eps, t, rates_at), x_t) < TOLERANCE
        v = theirs.get_velocity(x_start, eps, rows)
        assert relative_difference(target("v", x_start, eps, *rates_at(t)), v) < TOLERANCE


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


@every
@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_is_the_same_step_by_step(walk, table, kind, num_steps, x_start, network):
    sampler, theirs, options, settings, draws = WALKS[walk]
    rates_at, times = TABLES[table][0], times_to_walk(num_steps, table, kind)
    scheduler = make(theirs, table, prediction_type=KINDS[kind], **options)
    scheduler.set_timesteps(num_steps)
    scheduler = DDIMWithGaps(scheduler) if theirs is DDIM else scheduler
    seeded = [{"generator": torch.Generator().manual_seed(5)} if draws else {} for _ in range(2)]
    denoiser = as_denoiser(network, rates_at, kind)
    assert_same_walk(
        sampler(denoiser, rates_at, x_start, times, **settings, **seeded[0]),
        their_walk(scheduler, network, x_start, times, **settings, **seeded[1]),
    )


def test_where_ddim_of_diffusers_steps_to_with_30_steps(x_start, network):
    """It goes 33 rows down at each step, though its list goes 33 or 34. Told that, we agree."""
    scheduler = make(DDIM, "linear", clip_sample=False)
    scheduler.set_timesteps(30)
    gaps = {high - low for high, low in pairwise(scheduler.timesteps.tolist())}
    assert gaps == {33, 34}
    row = next(high for high, low in pairwise(scheduler.timesteps.tolist()) if high - low == 34)
    t, t_33, t_34 = (row_to_t(torch.tensor([r] * 3)).double() for r in (row, row - 33, row - 34))
    output = network(x_start, t)
    theirs = scheduler.step(output, row, x_start).prev_sample
    guess = read_off("eps", output, x_start, *schedule.linear(t))
    as_they_do, as_listed = (
        ddim_step(guess, t, t_next, schedule.linear) for t_next in (t_33, t_34)
    )
    assert relative_difference(as_they_do, theirs) < TOLERANCE
    assert relative_difference(as_listed, theirs) > 100 * TOLERANCE


@pytest.mark.parametrize("num_steps", NUMBERS_OF_STEPS)
def test_dpm_solver_on_the_straight_schedule(num_steps, x_start, network):
    scheduler = DPM_SOLVER(
        use_flow_sigmas=True, prediction_type="flow_prediction", final_sigmas_type="zero"
    )
    times = sampling.times(num_steps)
    scheduler.set_timesteps(num_steps)
    scheduler.sigmas = times.double()  # its own begin at t = 0.999; it can begin at 1 as well
    scheduler.set_begin_index(0)
    denoiser = as_denoiser(network, schedule.flow, "velocity")
    assert_same_walk(
        sampling.dpm_solver(denoiser, schedule.flow, x_start, times),
        their_walk(scheduler, network, x_start, times),
    )


@pytest.mark.parametrize("num_steps", NUMBERS_OF_STEPS)
@pytest.mark.parametrize("sampler", [sampling.euler, sampling.ddim])
def test_euler_on_the_straight_schedule(sampler, num_steps, x_start, network):
    scheduler = FLOW_EULER()
    times = sampling.times(num_steps)
    scheduler.set_timesteps(sigmas=times[:-1].double().tolist())
    denoiser = as_denoiser(network, schedule.flow, "velocity")
    assert_same_walk(
        sampler(denoiser, schedule.flow, x_start, times),
        their_walk(scheduler, network, x_start, times),
    )


def test_mixing_on_the_straight_schedule(x_start, network):
    scheduler = FLOW_EULER()
    eps = network(x_start, torch.ones(3).double())
    t = scheduler.sigmas[[0, 400, 998]]
    theirs = scheduler.scale_noise(x_start, 1000 * t, eps)
    assert relative_difference(add_noise(x_start, eps, t, schedule.flow), theirs) < TOLERANCE


def test_the_last_row_of_the_cosine_table(x_start, network):
    """Its alpha_bar is 2.4e-9: a noise guess divided by its root means nothing.

    `diffusers` divides, and its guess of the picture is 10,000 times too large. Ours is 0 there,
    and the step to the next time keeps only the noise.
    """
    left = alpha_bar(schedule.cosine_beta())
    assert left[-1] < 1e-6 < left[-2]
    t, t_next = (torch.full((3,), time).double() for time in (1.0, 0.9))
    output = network(x_start, t)
    scheduler = make(DDIM, "squaredcos_cap_v2", clip_sample=False)
    scheduler.set_timesteps(10)
    assert scheduler.step(output, 999, x_start).pred_original_sample.abs().max() > 10_000
    ours = read_off("eps", output, x_start, *schedule.cosine(t))
    assert torch.equal(ours.x_0, torch.zeros_like(x_start)) and torch.equal(ours.eps, output)
    x_next = ddim_step(ours, t, t_next, schedule.cosine)
    torch.testing.assert_close(x_next, schedule.cosine(t_next)[1] * output)


@pytest.mark.parametrize("kind", ["x_0", "v"])
def test_the_last_row_of_the_cosine_table_read_without_dividing(kind, x_start, network):
    scheduler = make(DDIM, "squaredcos_cap_v2", clip_sample=False, prediction_type=KINDS[kind])
    scheduler.set_timesteps(10)
    t = torch.ones(3).double()
    output = network(x_start, t)
    theirs = scheduler.step(output, 999, x_start).pred_original_sample
    ours = read_off(kind, output, x_start, *schedule.cosine(t)).x_0
    assert relative_difference(ours, theirs) < TOLERANCE


def test_as_it_is_shipped_its_tables_are_ours_rounded(monkeypatch):
    """float32 costs most in the last row of cosine, where 1 - beta is 0.001."""
    monkeypatch.undo()
    for table, (_, beta) in TABLES.items():
        theirs = make(DDPM, table).alphas_cumprod
        assert theirs.dtype == torch.float32
        torch.testing.assert_close(alpha_bar(beta()).float(), theirs, rtol=2e-4, atol=0)
