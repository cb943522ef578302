"""The checks of lesson 03: right answers pass, however written, and plausible slips are named."""

import pytest
import torch

from diffusion_lessons import checks, sampling
from diffusion_lessons.schedule import cosine, walk_rates

# --- right answers ---


def ddpm_solution(x_t, x_0_hat, noise, rates, rates_next):
    (a, b), (a_next, b_next) = rates, rates_next
    alpha = (a / a_next) ** 2
    beta = 1 - alpha
    mean = (a_next * beta * x_0_hat + alpha.sqrt() * b_next**2 * x_t) / b**2
    return mean + (beta * b_next**2 / b**2).sqrt() * noise


def ddpm_as_ddim(x_t, x_0_hat, noise, rates, rates_next):
    """DDPM is DDIM with eta = 1."""
    a, b = rates
    return ddim_solution(x_0_hat, (x_t - a * x_0_hat) / b, noise, rates, rates_next, 1.0)


def ddim_solution(x_0_hat, eps_hat, noise, rates, rates_next, eta):
    (a, b), (a_next, b_next) = rates, rates_next
    step_std = eta * b_next * (1 - (a * b_next / (b * a_next)) ** 2).sqrt()
    return a_next * x_0_hat + (b_next**2 - step_std**2).sqrt() * eps_hat + step_std * noise


def ddim_in_float64(x_0_hat, eps_hat, noise, rates, rates_next, eta):
    blocks = (block.double() for block in (x_0_hat, eps_hat, noise, rates, rates_next))
    return ddim_solution(*blocks, eta).float()


def solver_solution(x_t, x_0_hat, x_0_hat_before, rates_before, rates, rates_next):
    (a_before, b_before), (a, b), (a_next, b_next) = rates_before, rates, rates_next
    h = torch.log(a_next / b_next) - torch.log(a / b)
    r = (torch.log(a / b) - torch.log(a_before / b_before)) / h
    guess = (1 + 1 / (2 * r)) * x_0_hat - 1 / (2 * r) * x_0_hat_before
    return b_next / b * x_t - a_next * (torch.exp(-h) - 1) * guess


def eta_solution(eta, rates, rates_next):
    (a, b), (a_next, b_next) = rates, rates_next
    return eta * b_next * (1 - (a * b_next / (b * a_next)) ** 2) ** 0.5


def times_by_linspace(num_steps):
    return torch.linspace(1, 0, num_steps + 1)[:-1]


def times_of_the_package(num_steps):
    return sampling.times(num_steps)[:-1]


RIGHT = {
    "ddpm_step": [ddpm_solution, ddpm_as_ddim],
    "ddim_step": [ddim_solution, ddim_in_float64],
    "solver_step": [solver_solution],
    "bug_eta": [eta_solution],
    "bug_times": [times_by_linspace, times_of_the_package],
}
CASES = [(name, function) for name, functions in RIGHT.items() for function in functions]


@pytest.mark.parametrize(("name", "function"), CASES)
def test_a_right_answer_passes(name, function):
    report = getattr(checks, f"check_{name}")(function)
    assert report.passed, repr(report)


def test_the_solutions_are_the_package_s_steps():
    """On random pictures, so that the lesson may go on with the package's versions."""
    chance = torch.Generator().manual_seed(5)
    x_t, x_0, eps, before, noise = torch.randn(5, 3, 1, 4, 4, generator=chance)
    noises = torch.randn(3, 1, 4, 4, generator=chance)
    assert noise.shape == noises.shape
    rates_before, rates, rates_next = walk_rates(torch.tensor([0.8, 0.6, 0.3]), x_t, cosine)
    same = torch.testing.assert_close
    ddpm = x_t, x_0, noise, rates, rates_next
    same(ddpm_solution(*ddpm), sampling.ddpm_step(*ddpm))
    for eta in (0.0, 0.5, 1.0):
        ddim = x_0, eps, noise, rates, rates_next, eta
        same(ddim_solution(*ddim), sampling.ddim_step(*ddim))
    solver = x_t, x_0, before, rates_before, rates, rates_next
    same(solver_solution(*solver), sampling.dpm_solver_step(*solver))


def with_rates(steps):
    """Exercise 2 with other rates: steps(rates, rates_next) gives the pair that is used."""

    def step(x_0_hat, eps_hat, noise, rates, rates_next, eta):
        return ddim_solution(x_0_hat, eps_hat, noise, *steps(rates, rates_next), eta)

    return step


def solver_without_rates_before(x_t, x_0_hat, x_0_hat_before, rates_before, rates, rates_next):
    return solver_solution(x_t, x_0_hat, x_0_hat_before, rates, rates, rates_next)


def returns_nothing(*given):
    ddpm_solution(*given)


def draws_its_own(x_t, x_0_hat, noise, rates, rates_next):
    return ddpm_solution(x_t, x_0_hat, torch.randn_like(x_t), rates, rates_next)


def changes_its_input(x_t, x_0_hat, noise, rates, rates_next):
    x_t *= 0.5
    return x_t


def backwards(x_t, x_0_hat, noise, rates, rates_next):
    return ddpm_solution(x_t, x_0_hat, noise, rates_next, rates)


def ignores_the_noise_guess(x_0_hat, eps_hat, noise, rates, rates_next, eta):
    return rates_next[0] * x_0_hat


def eta_under_the_root(eta, rates, rates_next):
    return (eta * eta_solution(1, rates, rates_next) ** 2) ** 0.5


def leading(num_steps):
    return (torch.arange(0, 1000, 1000 // num_steps).flip(0) + 1) / 1000


SAID = [
    ("ddpm_step", "nothing (None)", returns_nothing),
    ("ddpm_step", "random numbers of its own", draws_its_own),
    ("ddpm_step", "changed its input `x_t`", changes_its_input),
    ("ddpm_step", "`rates` and `rates_next` are exchanged", backwards),
    (
        "ddim_step",
        "`rates` and `rates_next` are exchanged",
        with_rates(lambda now, after: (after, now)),
    ),
    ("ddim_step", "the same when `eps_hat` changes", ignores_the_noise_guess),
    ("solver_step", "nan or infinite", solver_without_rates_before),
    ("bug_eta", "behaves as printed", eta_under_the_root),
    ("bug_times", "first time is 0.901", leading),
    ("bug_times", "expected (10,)", lambda n: torch.linspace(1, 0, n + 1)),
    ("bug_times", "dtype torch.int64", lambda n: torch.arange(1000, 0, -1000 // n)),
]


@pytest.mark.parametrize(("name", "words", "function"), SAID)
def test_what_else_learners_write_is_told(name, words, function):
    report = getattr(checks, f"check_{name}")(function)
    assert report.verdict == "not yet"
    assert words in repr(report)


@pytest.mark.parametrize("name", RIGHT)
def test_a_stub_is_a_friendly_note(name):
    def stub(*given):
        raise NotImplementedError

    assert getattr(checks, f"check_{name}")(stub).verdict == "to do"


def test_checks_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    for name, function in CASES:
        getattr(checks, f"check_{name}")(function)
    assert torch.equal(state, torch.get_rng_state())
