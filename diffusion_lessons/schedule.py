"""Noise schedules: the shares of picture and noise at time t.

One equation runs through the course: ``x_t = signal_rate * x_0 + noise_rate * eps``.
A schedule is the function ``t -> (signal_rate, noise_rate)``.

Time and table. DDPM counts the rows of a table of T = 1000 small noising steps; the course counts
time t from 0 (clean) to 1 (noise). They meet in one rule: after row r (0 to 999) the time is
``t = (r + 1) / T``, see `row_to_t`. So t = 0 is the clean picture, before any row, with
alpha_bar = 1; t = 1/1000 is the end of row 0; t = 1 is the end of row 999. At those times a
schedule returns the table's own value; between two of them log(alpha_bar) is a straight line.
The straight schedule `flow` has no table; the same times serve it.

Papers: Ho, Jain & Abbeel 2020 (DDPM), Nichol & Dhariwal 2021 (cosine), Kingma et al. 2021 (SNR),
Liu, Gong & Liu 2022 (rectified flow).
"""

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from . import arguments

NUM_TRAIN_TIMESTEPS = 1000
"""T, the number of rows of a table."""

Schedule = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From t (B,) to signal_rate and noise_rate, each (B, 1, 1, 1)."""

Rates = Tensor
"""signal_rate and noise_rate at one time of a walk, ``a, b = rates``: (2, B, 1, ..., 1)."""


def linear_beta() -> Tensor:
    """Return the noise added per row, float64 (T,), straight from 1e-4 to 0.02. DDPM section 4."""
    return torch.linspace(1e-4, 0.02, NUM_TRAIN_TIMESTEPS, dtype=torch.float64)


def cosine_beta() -> Tensor:
    """Return the noise added per row, float64 (T,), such that alpha_bar follows a squared cosine.

    Nichol & Dhariwal eq. 17 with s = 0.008, and their clipping of beta at 0.999, which changes the
    last row only: alpha_bar ends at 2.4e-9 instead of 0.
    """
    s = 0.008
    t = torch.arange(NUM_TRAIN_TIMESTEPS + 1, dtype=torch.float64) / NUM_TRAIN_TIMESTEPS
    f = torch.cos((t + s) / (1 + s) * math.pi / 2) ** 2
    return (1 - f[1:] / f[:-1]).clamp(max=0.999)


def alpha_bar(beta: Tensor) -> Tensor:
    """Return how much of the signal's variance is left after each row of beta, (T,), as is beta.

    The running product of 1 - beta. DDPM, above eq. 4.
    """
    arguments.tensor("beta", beta)
    whole = beta.to(torch.promote_types(beta.dtype, torch.float32))  # in half, 1 - 1e-4 is 1
    return torch.cumprod(1 - whole, dim=0).to(beta.dtype)


def row_to_t(row: Tensor) -> Tensor:
    """Convert table rows (0 to 999, any shape) to the times at their ends, float32: (row + 1) / T.

    Raises ValueError for a row that is not in the table, TypeError for what is no whole number.
    """
    arguments.tensor("row", row, arguments.WHOLE)
    outside = row[(row < 0) | (row >= NUM_TRAIN_TIMESTEPS)]
    if outside.numel():
        hint = "rows go from 0 to 999. Papers count from 1: subtract 1 from their number."
        raise ValueError(f"row {outside[0].item()} is outside the table: {hint}")
    return ((row.double() + 1) / NUM_TRAIN_TIMESTEPS).float()


def linear(t: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rates of DDPM's schedule (`linear_beta`) at time t.

    t: floats in [0, 1], (B,), or ValueError or TypeError. Returns signal_rate and noise_rate, each
    (B, 1, 1, 1), in the dtype of t, with signal_rate^2 + noise_rate^2 = 1. DDPM eq. 4. At t = 1 the
    signal_rate is still 0.0064: not quite pure noise.
    """
    return _rates(t, linear_beta)


def cosine(t: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rates of Nichol & Dhariwal's schedule (`cosine_beta`) at time t.

    t, returns, errors: as in `linear`. Eq. 17. At t = 1 the signal_rate is 0.00005.
    """
    return _rates(t, cosine_beta)


def flow(t: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rates of rectified flow's straight schedule: signal_rate 1 - t, noise_rate t.

    t, returns, errors: as in `linear`, but the rates add up to 1 (their squares do not). Liu et al.
    2022 eq. 1, with data at t = 0 and noise at t = 1.
    """
    _refuse_bad_time(t)
    t = t.view(-1, 1, 1, 1)
    return 1 - t, t.clone()


def rates_like(x: Tensor, *rates: Tensor) -> tuple[Tensor, ...]:
    """Give rates (B, 1, 1, 1) the axes and the dtype of x (B, ...): they multiply item by item."""
    for rate in rates:
        arguments.tensor("rate", rate)
        if rate.numel() not in (1, len(x)):
            arguments.shape("a rate", rate, (len(x), 1, 1, 1), ", one for each item")
    return tuple(rate.to(x.dtype).view(-1, *[1] * (x.ndim - 1)) for rate in rates)


def walk_rates(times: Tensor, x: Tensor, schedule: Schedule) -> Tensor:
    """Evaluate a schedule once for all times (N,) of a walk of x (B, ...).

    Returns `Rates` for each time, (N, 2, B, 1, ..., 1), which multiply x item by item. On the
    device of x and in its dtype, but float32 where that is half precision: in bfloat16 neighbouring
    times have the same rates.
    """
    dtype = torch.promote_types(x.dtype, torch.float32)
    rates = torch.stack(schedule(times.to(x.device, dtype)), dim=1)  # (N, 2, 1, 1, 1)
    shape = len(times), 2, len(x), *[1] * (x.ndim - 1)
    return rates.to(x.device, dtype).view(len(times), 2, *[1] * x.ndim).expand(shape)


def snr(t: Tensor, schedule: Schedule) -> Tensor:
    """Return the signal-to-noise ratio at time t: alpha_bar / (1 - alpha_bar), of variances.

    t: floats in [0, 1], (B,), as is the result; infinite at t = 0. Kingma et al. 2021 eq. 2.
    """
    signal_rate, noise_rate = schedule(t)
    return ((signal_rate / noise_rate) ** 2).flatten()


def add_noise(x_0: Tensor, eps: Tensor, t: Tensor, schedule: Schedule) -> Tensor:
    """Jump from clean data to time t at once: signal_rate * x_0 + noise_rate * eps.

    x_0: data, (B, ...), such as pictures (B, C, H, W) or points (B, 2). eps: noise, same shape. t:
    floats in [0, 1], (B,), one for each item. Returns x_t, shape and dtype of x_0. Raises
    ValueError where shapes do not agree, TypeError for whole numbers. DDPM eq. 4.
    """
    arguments.alike(x_0=x_0, eps=eps)
    arguments.shape("t", t, x_0.shape[:1], f", one for each item: torch.full(({len(x_0)},), 0.5)")
    signal_rate, noise_rate = rates_like(x_0, *schedule(t))
    return signal_rate * x_0 + noise_rate * eps


def _rates(t: Tensor, beta: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
    """Return both rates (B, 1, 1, 1) at t (B,), from the table of `beta`."""
    _refuse_bad_time(t)
    table = _log_alpha_bar(beta)
    position = t.cpu().double() * NUM_TRAIN_TIMESTEPS  # (B,); on the CPU: MPS has no float64
    # A float32 t = 0.001 is a hair off 1/1000; what is that near a row is that row.
    position = torch.where((position - position.round()).abs() < 1e-4, position.round(), position)
    before = position.floor().long().clamp(max=NUM_TRAIN_TIMESTEPS - 1)
    log_alpha_bar = torch.lerp(table[before], table[before + 1], position - before)
    signal_rate = torch.exp(log_alpha_bar / 2)
    noise_rate = torch.expm1(log_alpha_bar).abs().sqrt()  # sqrt(1 - alpha_bar), exact near t = 0
    return signal_rate.to(t).view(-1, 1, 1, 1), noise_rate.to(t).view(-1, 1, 1, 1)


@cache
def _log_alpha_bar(beta: Callable[[], Tensor]) -> Tensor:
    """Return log(alpha_bar) at t = 0, 1/T, ... 1: float64, shape (T + 1,)."""
    steps = torch.log1p(-beta())
    return torch.cat([steps.new_zeros(1), torch.cumsum(steps, dim=0)])


def _refuse_bad_time(t: Tensor) -> None:
    """Raise for a t that is not a batch of floats in [0, 1]."""
    hint = "If it is a table row, convert it with row_to_t(row)."
    arguments.tensor("t", t, arguments.FLOATS, f". {hint}")
    arguments.shape("t", t, ("B",), ", one time for each item")
    outside = t[~((t >= 0) & (t <= 1))]  # catches nan too
    if outside.numel():
        wrong = f"t is {outside[0].item():g}; it must lie between 0 (clean) and 1 (noise)."
        raise ValueError(f"{wrong} {hint}")
