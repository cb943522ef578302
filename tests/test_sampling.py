"""The samplers on a mixture that is known exactly, against each other, and their errors."""

import pytest
import torch

from diffusion_lessons import sampling, schedule
from diffusion_lessons.prediction import KINDS, Prediction, as_denoiser, exact_denoiser, target
from diffusion_lessons.sampling import ddim, ddpm, dpm_solver, euler, finish, times
from diffusion_lessons.schedule import rates_like, walk_rates
from tests.small_pipe import normal, seeded

SCHEDULES = [schedule.linear, schedule.cosine, schedule.flow]
each_schedule = pytest.mark.parametrize("rates_at", SCHEDULES)

# Two heaps of points in the plane, of unlike weight and spread.
WEIGHTS = torch.tensor([0.3, 0.7], dtype=torch.float64)
CENTRES = torch.tensor([[-1.0, 0.5], [0.8, -0.2]], dtype=torch.float64)
SPREADS = torch.tensor([0.2, 0.3], dtype=torch.float64)

WALKS = {
    "ddpm": ddpm, "ddim": ddim, "ddim with eta 1": lambda *walk: ddim(*walk, eta=1.0),
    "dpm-solver++": dpm_solver, "euler": euler,
}  # fmt: skip
each_walk = pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)


def mixture_denoiser(rates_at):
    """The posterior mean of the mixture, in closed form.

    Within a heap, x_t and x_0 are jointly normal, so E[x_0 | x_t, heap] is a line in x_t. The heaps
    count by how likely each makes x_t, which is normal too.
    """

    def denoiser(x_t, t):
        a, b = rates_like(x_t[:, None], *rates_at(t))  # (B, 1, 1)
        spread = SPREADS.to(x_t).view(1, 2, 1)
        variance = (a * spread) ** 2 + b**2  # of x_t within each heap, (B, 2, 1)
        away = x_t[:, None] - a * CENTRES.to(x_t)  # (B, 2 heaps, 2)
        log_likelihood = -(away**2).sum(-1) / (2 * variance[..., 0]) - variance[..., 0].log()
        heap = torch.softmax(log_likelihood + WEIGHTS.to(x_t).log(), dim=1)[..., None]
        means = CENTRES.to(x_t) + a * spread**2 / variance * away
        x_0 = (heap * means).sum(1)
        a, b = rates_like(x_t, a, b)
        return Prediction(x_0, (x_t - a * x_0) / b)

    return denoiser


def heaps_of(points):
    """Share, centre and spread of each heap that the points fall into."""
    first = (points - CENTRES[0]).norm(dim=1) < (points - CENTRES[1]).norm(dim=1)
    parts = points[first], points[~first]
    shares = torch.tensor([len(part) / len(points) for part in parts]).double()
    centres = torch.stack([part.mean(0) for part in parts])
    spreads = torch.stack([(part - part.mean(0)).square().mean().sqrt() for part in parts])
    return shares, centres, spreads


def noise(count, seed=1, dtype=torch.float64):
    return torch.randn(count, 2, generator=seeded(seed), dtype=dtype)


def assert_drawn_from_the_mixture(points):
    shares, centres, spreads = heaps_of(points)
    torch.testing.assert_close(shares, WEIGHTS, atol=0.03, rtol=0)  # 3 standard errors
    torch.testing.assert_close(centres, CENTRES, atol=0.03, rtol=0)
    torch.testing.assert_close(spreads, SPREADS, atol=0, rtol=0.1)  # steps cost a little, see below
    torch.testing.assert_close(points.mean(0), WEIGHTS @ CENTRES, atol=0.06, rtol=0)


@each_schedule
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("eta", [0, 1])
def test_a_known_mixture_is_drawn_by_each_kind(eta, kind, rates_at):
    def network(x_t, t):
        guess = mixture_denoiser(rates_at)(x_t, t)
        return target(kind, guess.x_0, guess.eps, *rates_at(t))

    denoiser = as_denoiser(network, rates_at, kind)
    assert_drawn_from_the_mixture(finish(ddim(denoiser, rates_at, noise(2500), times(150), eta)))


@each_schedule
@pytest.mark.parametrize("walk", [ddpm, ddim, dpm_solver])
def test_a_known_mixture_is_drawn_by_each_sampler(walk, rates_at):
    """Each step takes its guess for the truth, so few steps draw heaps that are too narrow."""
    lost = []
    for num_steps in (10, 150):
        points = finish(walk(mixture_denoiser(rates_at), rates_at, noise(2500), times(num_steps)))
        lost.append(1 - (heaps_of(points)[2] / SPREADS).mean().item())
    assert_drawn_from_the_mixture(points)
    assert lost[0] > abs(lost[1]) + 0.05 and abs(lost[1]) < 0.08


@each_schedule
@each_walk
def test_a_finite_set_is_drawn_and_nothing_else(walk, rates_at):
    members = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [1.0, 0.5], [0.0, -1.0]])
    denoiser = exact_denoiser(members, rates_at)
    *_, last = walk(denoiser, rates_at, noise(3000).float(), times(60))
    assert last.t_next == 0
    torch.testing.assert_close(last.x_next, last.prediction.x_0)  # the last step gives the guess
    distances = torch.cdist(last.x_next, members)
    assert (distances.min(dim=1).values < 0.02).float().mean() > 0.99
    share = (distances[:, 1] < 0.02).float().mean().item()
    assert share == pytest.approx(0.5, abs=0.04)  # it is in the set twice


@each_schedule
def test_noise_in_the_last_step_can_be_measured(rates_at):
    """The broken sampler of the lesson: fresh noise as large as that still in x_t, at the end too.

    Right, nearly each point lands on a member of the set; broken, it lands beside it.
    """
    members = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.0, -1.0]], dtype=torch.float64)
    *_, last = ddpm(exact_denoiser(members, rates_at), rates_at, noise(2000), times(20))
    t = torch.full((2000,), last.t).double()
    broken = last.x_next + rates_like(last.x_t, *rates_at(t))[1] * noise(2000, seed=2)
    right, wrong = (torch.cdist(x, members).amin(1).median() for x in (last.x_next, broken))
    assert right < 1e-3 and wrong > 0.04


@each_schedule
def test_the_deterministic_solver_of_second_order_needs_fewer_steps(rates_at):
    denoiser = mixture_denoiser(rates_at)
    true = finish(ddim(denoiser, rates_at, noise(500), times(1000)))
    for few in map(times, (10, 20, 40)):
        first, second = (
            (finish(walk(denoiser, rates_at, noise(500), few)) - true).square().mean()
            for walk in (ddim, dpm_solver)
        )
        assert second < 0.6 * first


@each_schedule
@pytest.mark.parametrize("pair", [(1.0, 0.9), (0.6, 0.35), (0.002, 0.001), (0.2, 0.0)])
def test_ddpm_is_ddim_with_eta_1(pair, rates_at):
    x_t, fresh = noise(50), noise(50, seed=2)
    guess = mixture_denoiser(rates_at)(x_t, torch.full((50,), pair[0]).double())
    rates = walk_rates(torch.tensor(pair), x_t, rates_at)
    torch.testing.assert_close(
        sampling.ddpm_step(x_t, guess.x_0, fresh, *rates),
        sampling.ddim_step(guess.x_0, guess.eps, fresh, *rates, eta=1.0),
    )


def test_ddpm_step_is_equation_7_with_its_table():
    beta, row = schedule.linear_beta(), 400
    left = schedule.alpha_bar(beta)
    x_t, fresh, x_0, before = noise(5), noise(5, seed=2), noise(5, seed=3), left[row - 1]
    mean = before.sqrt() * beta[row] / (1 - left[row]) * x_0
    mean += (1 - beta[row]).sqrt() * (1 - before) / (1 - left[row]) * x_t
    variance = (1 - before) / (1 - left[row]) * beta[row]
    when = schedule.row_to_t(torch.tensor([row, row - 1]))
    ours = sampling.ddpm_step(x_t, x_0, fresh, *walk_rates(when, x_t, schedule.linear))
    torch.testing.assert_close(ours, mean + variance.sqrt() * fresh)


@each_schedule
def test_euler_and_a_solver_step_whose_guess_stays_are_ddim(rates_at):
    x_t = noise(50)
    for t_next in (0.7, 0.01):
        guess = mixture_denoiser(rates_at)(x_t, torch.full((50,), 0.8).double())
        before, *rates = walk_rates(torch.tensor([0.9, 0.8, t_next]), x_t, rates_at)
        expected = sampling.ddim_step(
            guess.x_0, guess.eps, torch.zeros_like(guess.eps), *rates, eta=0.0
        )
        for ours in (
            sampling.euler_step(x_t, guess.x_0, guess.eps, *rates),
            sampling.dpm_solver_step(x_t, guess.x_0, guess.x_0, before, *rates),
        ):
            torch.testing.assert_close(ours, expected)


@each_schedule
@each_walk
def test_a_walk_of_many_steps_in_half_precision_arrives(walk, rates_at):
    """bfloat16 cannot tell the rates of neighbouring times apart, so steps compute in float32."""
    members = torch.tensor([[-1.0, 0.0], [1.0, 0.5]])
    start = noise(50).bfloat16()
    points = finish(walk(exact_denoiser(members, rates_at), rates_at, start, times(300)))
    assert points.dtype == torch.bfloat16
    assert torch.cdist(points.float(), members).min(dim=1).values.max() < 0.05


def test_fresh_noise_comes_from_the_generator_given():
    start = mixture_denoiser(schedule.cosine), schedule.cosine, noise(5), times(8)

    def walked(walk, seed, **chosen):
        return finish(walk(*start, generator=seeded(seed), **chosen))

    for walk, chosen in ((ddpm, {}), (ddim, {"eta": 0.5})):
        assert torch.equal(walked(walk, 1, **chosen), walked(walk, 1, **chosen))
        assert not torch.allclose(walked(walk, 1, **chosen), walked(walk, 2, **chosen))
    assert torch.equal(finish(ddpm(*start)), walked(ddpm, 0))
    assert torch.equal(walked(ddim, 1), walked(ddim, 2))


def test_pictures_walk_as_points_do():
    pictures = torch.linspace(-1, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8)
    start = normal(5, 3, 8, 8, seed=1)
    denoiser = exact_denoiser(pictures, schedule.cosine)
    for name, walk in sampling.SAMPLERS.items():
        found = finish(walk(denoiser, schedule.cosine, start, times(10)))
        nearest = torch.cdist(found.flatten(1), pictures.flatten(1)).min(1).values
        assert found.shape == (5, 3, 8, 8) and (nearest < 1e-3).all(), name


@each_schedule
@each_walk
def test_a_noise_network_that_errs_stays_in_bounds_in_float32(walk, rates_at):
    """At t = 1 a noise guess says nothing about x_0; its error must not be blown up."""
    exact = mixture_denoiser(rates_at)
    denoiser = as_denoiser(lambda x_t, t: exact(x_t, t).eps + 0.02, rates_at, "eps")
    for step in walk(denoiser, rates_at, noise(100).float(), times(20)):
        assert step.x_next.abs().max() < 8
        assert step.prediction.x_0.abs().max() < 20


@pytest.mark.parametrize("num_steps", [1, 2, 49, 600, 999, 1000])
def test_times_fall_from_noise_to_clean(num_steps):
    when = times(num_steps)
    assert when.shape == (num_steps + 1,) and when.dtype == torch.float32
    assert when[0] == 1 and when[-1] == 0 and (when.diff() < 0).all()


@pytest.mark.parametrize("bad", [0, -3, 1001, 12.5, 10.0, True, "10"])
def test_a_wrong_number_of_steps_is_named(bad):
    error = ValueError if type(bad) is int else TypeError
    with pytest.raises(error, match=f"num_steps is {bad!r}: give a whole number from 1 to 1000"):
        times(bad)


def test_shifted_times_are_as_noisy_in_a_mean_of_pixels():
    """The mean of s^2 pixels, alike but for their noise, has noise s times smaller. Beside its
    signal it is at the shifted time as large as one pixel's noise at the time itself."""
    even, shifted = times(10), times(10, shift=4.0)
    assert shifted[0] == 1 and shifted[-1] == 0 and (shifted[1:-1] > even[1:-1]).all()
    ratio = (even / (1 - even))[1:-1]
    torch.testing.assert_close((shifted / (1 - shifted) / 4)[1:-1], ratio)
    assert torch.equal(times(30, shift=1.0), times(30))


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), 101, "3"])
def test_a_wrong_shift_is_named(bad):
    error = TypeError if bad == "3" else ValueError
    with pytest.raises(error, match=f"shift is {bad!r}: give a number from 0.01 to 100"):
        times(10, bad)


def test_a_walk_may_begin_and_end_anywhere():
    """Half of the way, then the other half, is the whole way, where no noise is added."""
    denoiser, when = mixture_denoiser(schedule.cosine), times(10)
    whole = finish(ddim(denoiser, schedule.cosine, noise(5), when))
    half = finish(ddim(denoiser, schedule.cosine, noise(5), when[:6]))
    torch.testing.assert_close(finish(ddim(denoiser, schedule.cosine, half, when[5:])), whole)
