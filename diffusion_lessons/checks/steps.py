"""Building blocks of the checks of lesson 03: the steps of three samplers, right or wrong.

Each is right as it stands, and wrong where an argument is changed. `rates` holds signal_rate and
noise_rate at one time, (2, B, 1, ...), so that ``a, b = rates`` takes them apart.
"""

from collections.abc import Callable

import torch
from torch import Tensor

T = 1000


def ddpm(
    guess: Callable = lambda a_next, beta, alpha: a_next * beta,
    old: Callable = lambda alpha, b_next: alpha.sqrt() * b_next**2,
    share: Callable = lambda b: b**2,
    std: Callable = lambda beta, b, b_next: (beta * b_next**2 / b**2).sqrt(),
    sign: float = 1.0,
) -> Callable:
    """A step of DDPM: factors of the guess and of x_t, what both are divided by, the noise."""

    def step(
        x_t: Tensor, x_0_hat: Tensor, noise: Tensor, rates: Tensor, rates_next: Tensor
    ) -> Tensor:
        (a, b), (a_next, b_next) = rates, rates_next
        alpha = (a / a_next) ** 2
        beta = (b**2 - alpha * b_next**2).clamp(min=0)
        mean = guess(a_next, beta, alpha) * x_0_hat + old(alpha, b_next) * x_t
        return mean / share(b) + sign * std(beta, b, b_next) * noise

    return step


def alpha_of_rates(x_t: Tensor, guess: Tensor, noise: Tensor, now: Tensor, after: Tensor) -> Tensor:
    """A step of DDPM with a / a_next for alpha, where its square is right."""
    (a, b), (a_next, b_next) = now, after
    beta = 1 - a / a_next
    mean = (a_next * beta * guess + (a / a_next).sqrt() * b_next**2 * x_t) / b**2
    return mean + (beta * b_next**2 / b**2).sqrt() * noise


def step_std(
    eta: float, a: Tensor, b: Tensor, a_next: Tensor, b_next: Tensor, power: int = 2
) -> Tensor:
    """The standard deviation of the fresh noise, DDIM eq. 16."""
    return eta * b_next * (1 - (a * b_next / (b * a_next)) ** power).clamp(min=0).sqrt()


def ddim(
    signal: Callable = lambda a, a_next: a_next,
    towards: Callable = lambda b, b_next, std: (b_next**2 - std**2).clamp(min=0).sqrt(),
    std: Callable = step_std,
    fresh: Callable = lambda std: std,
) -> Callable:
    """A step of DDIM: factors of the clean guess, of the noise guess and of the fresh noise."""

    def step(
        x_0_hat: Tensor,
        eps_hat: Tensor,
        noise: Tensor,
        rates: Tensor,
        rates_next: Tensor,
        eta: float,
    ) -> Tensor:
        (a, b), (a_next, b_next) = rates, rates_next
        fresh_std = std(eta, a, b, a_next, b_next)
        remixed = signal(a, a_next) * x_0_hat + towards(b, b_next, fresh_std) * eps_hat
        return remixed + fresh(fresh_std) * noise

    return step


def solver(
    h: Callable = lambda now, after: after - now,
    r: Callable = lambda now, before, h: (now - before) / h,
    factor: Callable = lambda r: 1 / (2 * r),
    growth: Callable = lambda h: torch.expm1(-h),
    scale: Callable = lambda b, b_next: b_next / b,
    log: Callable = lambda a, b: (a / b).log(),
    draw: Callable = lambda new, old, c: (1 + c) * new - c * old,
    signal: Callable = lambda a, a_next: a_next,
) -> Callable:
    """A step of DPM-Solver++ 2M; each argument is one piece of algorithm 2."""

    def step(
        x_t: Tensor,
        x_0_hat: Tensor,
        x_0_hat_before: Tensor,
        rates_before: Tensor,
        rates: Tensor,
        rates_next: Tensor,
    ) -> Tensor:
        (a, b), (a_next, b_next) = rates, rates_next
        now = log(a, b)
        width = h(now, log(a_next, b_next))
        c = factor(r(now, log(*rates_before), width))
        guess = draw(x_0_hat, x_0_hat_before, c)
        return scale(b, b_next) * x_t - signal(a, a_next) * growth(width) * guess

    return step


def printed_std(combine: Callable) -> Callable:
    """A function (eta, rates, rates_next): eta and the variance at eta = 1, put together."""

    def std(eta: float, rates: Tensor, rates_next: Tensor) -> Tensor:
        (a, b), (a_next, b_next) = rates, rates_next
        return combine(eta, b_next**2 * (1 - (a * b_next / (b * a_next)) ** 2))

    return std


def trailing(num_steps: int) -> Tensor:
    """The times num_steps / num_steps, ..., 1 / num_steps."""
    return torch.arange(num_steps, 0, -1) / num_steps


def leading(num_steps: int, shift: int = 1) -> Tensor:
    """The times of "leading" spacing in diffusers, which never reach 1."""
    return (torch.arange(0, T, T // num_steps).flip(0) + shift) / T
