"""The way back: from pure noise to data, in a few steps.

Each sampler walks down a list of times. At each it asks the denoiser for both guesses, x_0 and eps,
and takes one step to the next time. A step function is one equation; a sampler is a generator that
yields what happened, so that progress bars, pictures and early stops stay outside:

>>> for step in ddim(denoiser, schedule.cosine, x_t, times(50)):
...     print(step.t, step.prediction.x_0.std())

All steps read only the two rates of the schedule, so they work on curved and straight ones alike.
In their code a and b are signal_rate and noise_rate at t, a_next and b_next those at t_next, the
next time (nearer to clean).

============= ========================================= =========================================
sampler       a step in words                           paper
============= ========================================= =========================================
ddpm          mean of x_next given x_t and x_0, + noise Ho et al. 2020, eq. 7 and 11
ddim          mix both guesses anew at t_next           Song et al. 2021 (DDIM), eq. 12 and 16
dpm_solver    as ddim, with a guess drawn out of two    Lu et al. 2022 (DPM-Solver++), algorithm 2
euler         straight on with the velocity             Liu et al. 2022 (rectified flow)
============= ========================================= =========================================

The last step arrives at t = 0, where noise_rate is 0: there each sampler answers with its guess of
x_0, and the factor of the fresh noise is 0, since nothing would take that noise away again.

With the same network and times these walks agree with `diffusers` step by step. We differ from it
on purpose in three places: its DDIM steps T // num_steps rows down where the list of times goes
one more (30 steps); its Euler for flow visits other times by default; and at pure noise it divides
a noise guess by next to nothing (`prediction` says what we do).
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from .prediction import Denoiser, Prediction
from .schedule import NUM_TRAIN_TIMESTEPS, Schedule, rates_like


@dataclass(frozen=True)
class SampleStep:
    """What happened in one step: x_t at time t became x_next at t_next, by this prediction."""

    t: float
    t_next: float
    x_t: Tensor
    prediction: Prediction
    x_next: Tensor


Step = Callable[[Prediction, Tensor, Tensor, Tensor, SampleStep | None], Tensor]
"""prediction, x_t, t, t_next and the step before (None at the first) to x_next."""


def times(num_steps: int) -> Tensor:
    """The times that a sampler visits, from 1 (noise) down to 0 (clean), evenly spaced.

    num_steps: a whole number from 1 to T = 1000. Returns float32, shape (num_steps + 1,). All but
    the last are ends of table rows, namely of the rows ``round(arange(T, 0, -T / num_steps)) - 1``
    that `diffusers` calls "trailing" spacing; row r ends at t = (r + 1) / T, see `row_to_t`.
    Raises ValueError for another number. Lin et al. 2023, table 2.
    """
    if isinstance(num_steps, bool) or not isinstance(num_steps, int):
        raise ValueError(f"num_steps is {num_steps!r}; it must be a whole number, such as 50.")
    if not 1 <= num_steps <= NUM_TRAIN_TIMESTEPS:
        raise ValueError(
            f"num_steps is {num_steps}; it must lie between 1 and {NUM_TRAIN_TIMESTEPS}, the "
            "number of rows in the table. 20 to 50 are usual."
        )
    # Rounding can make numpy's range one longer than asked for.
    ends = np.arange(NUM_TRAIN_TIMESTEPS, 0, -NUM_TRAIN_TIMESTEPS / num_steps)[:num_steps].round()
    return torch.from_numpy(np.append(ends, 0.0) / NUM_TRAIN_TIMESTEPS).float()


def ddpm_step(
    prediction: Prediction,
    x_t: Tensor,
    t: Tensor,
    t_next: Tensor,
    schedule: Schedule,
    noise: Tensor,
) -> Tensor:
    """One step of DDPM: the mean of x_next, given x_t and the guess of x_0, plus fresh noise.

    x_t: (B, ...). t, t_next: (B,), t_next < t. noise: standard normal, shape of x_t; at t_next = 0
    its factor is 0. Returns x_next, shape of x_t. DDPM eq. 7 (mean and variance) and 11, with
    1 - alpha_bar written as noise_rate^2, so that it holds on the straight schedule too.
    """
    a, b = rates_like(x_t, *schedule(t))
    a_next, b_next = rates_like(x_t, *schedule(t_next))
    alpha = (a / a_next) ** 2  # what the way from t_next to t leaves of the signal's variance
    beta = (b**2 - alpha * b_next**2).clamp(min=0)  # and the noise variance that it adds
    mean = (a_next * beta * prediction.x_0 + alpha.sqrt() * b_next**2 * x_t) / b**2
    return mean + (beta * b_next**2 / b**2).sqrt() * noise


def ddim_step(
    prediction: Prediction,
    t: Tensor,
    t_next: Tensor,
    schedule: Schedule,
    eta: float,
    noise: Tensor | float,
) -> Tensor:
    """One step of DDIM: mix both guesses anew, at the next time.

    prediction: both guesses at time t, each (B, ...). t, t_next: (B,), t_next < t. eta: 0 adds no
    noise, 1 as much as DDPM. noise: standard normal, shape (B, ...), or 0.0 where eta is 0.
    Returns x_next, (B, ...). DDIM eq. 12; step_std is sigma_t(eta) of eq. 16, in terms of
    snr = (signal_rate / noise_rate)^2.
    """
    a, b = rates_like(prediction.x_0, *schedule(t))
    a_next, b_next = rates_like(prediction.x_0, *schedule(t_next))
    snr_ratio = (a * b_next / (b * a_next)) ** 2  # snr_t / snr_next
    step_std = eta * b_next * (1 - snr_ratio).clamp(min=0).sqrt()
    towards_x_t = (b_next**2 - step_std**2).clamp(min=0).sqrt()
    return a_next * prediction.x_0 + towards_x_t * prediction.eps + step_std * noise


def dpm_solver_step(
    prediction: Prediction,
    previous: Prediction | None,
    x_t: Tensor,
    t_previous: Tensor | None,
    t: Tensor,
    t_next: Tensor,
    schedule: Schedule,
) -> Tensor:
    """One step of DPM-Solver++ 2M: as DDIM, with a guess drawn out of this one and the last.

    prediction: both guesses at time t. previous: those at t_previous, one step earlier; None makes
    the step first order. x_t: (B, ...). The times: (B,), t_next < t < t_previous. Returns x_next,
    (B, ...). Lu et al. 2022, algorithm 2, with lambda = log(signal_rate / noise_rate). At
    t_next = 0 lambda is infinite: pass previous=None there, and x_next is the guess of x_0.
    """

    def log_ratio(time: Tensor) -> Tensor:
        a, b = rates_like(x_t, *schedule(time))
        return a.log() - b.log()

    _, b = rates_like(x_t, *schedule(t))
    a_next, b_next = rates_like(x_t, *schedule(t_next))
    h = log_ratio(t_next) - log_ratio(t)
    guess = prediction.x_0  # D in the paper
    if previous is not None and t_previous is not None:
        r = (log_ratio(t) - log_ratio(t_previous)) / h
        guess = (1 + 1 / (2 * r)) * prediction.x_0 - 1 / (2 * r) * previous.x_0
    return b_next / b * x_t - a_next * torch.expm1(-h) * guess


def euler_step(
    prediction: Prediction, x_t: Tensor, t: Tensor, t_next: Tensor, schedule: Schedule
) -> Tensor:
    """One Euler step: x_t moves as its two parts do, while the guesses stay.

    x_t: (B, ...). t, t_next: (B,), t_next < t. Returns x_next, (B, ...). On the schedule `flow`
    this is ``x_t + (t_next - t) * (eps - x_0)``, the step of rectified flow (Liu et al. 2022,
    algorithm 1); on any other the change of the rates stands where the derivative would. As x_t is
    a mix of the two guesses, it comes out where `ddim_step` does with eta = 0.
    """
    a, b = rates_like(x_t, *schedule(t))
    a_next, b_next = rates_like(x_t, *schedule(t_next))
    return x_t + (a_next - a) * prediction.x_0 + (b_next - b) * prediction.eps


def ddpm(
    denoiser: Denoiser,
    schedule: Schedule,
    x_t: Tensor,
    times: Tensor,
    generator: torch.Generator | None = None,
) -> Iterator[SampleStep]:
    """Walk from x_t at times[0] to times[-1] with `ddpm_step`; yields each step.

    denoiser: see `Denoiser`. x_t: pure noise to start from, (B, C, H, W) or points (B, D); all is
    computed in its dtype. times: falling, in [0, 1], see `times`. generator: draws the noise of
    the steps; without one, a new one with seed 0, so that a call repeats itself. Raises ValueError
    for times that do not fall, for x_t with NaN or without a batch axis, and, at the step where it
    happens, for a denoiser that returns NaN or another shape.
    """
    fresh_noise = _noise_from(generator)

    def step(
        prediction: Prediction, x_t: Tensor, t: Tensor, t_next: Tensor, previous: SampleStep | None
    ) -> Tensor:
        return ddpm_step(prediction, x_t, t, t_next, schedule, fresh_noise(x_t))

    return _checked_walk(denoiser, x_t, times, step)


def ddim(
    denoiser: Denoiser,
    schedule: Schedule,
    x_t: Tensor,
    times: Tensor,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[SampleStep]:
    """Walk from x_t at times[0] to times[-1] with `ddim_step`; yields each step.

    eta: from 0 (no noise is added: the start decides the picture) to 1 (as `ddpm`). All else, also
    what is raised, as in `ddpm`; ValueError also for an eta outside [0, 1].
    """
    if not 0 <= eta <= 1:
        raise ValueError(
            f"eta is {eta}; it must lie between 0 (DDIM, no fresh noise) and 1 (as much as DDPM)."
        )
    fresh_noise = _noise_from(generator)

    def step(
        prediction: Prediction, x_t: Tensor, t: Tensor, t_next: Tensor, previous: SampleStep | None
    ) -> Tensor:
        noise = fresh_noise(x_t) if eta > 0 else 0.0
        return ddim_step(prediction, t, t_next, schedule, eta, noise)

    return _checked_walk(denoiser, x_t, times, step)


def dpm_solver(
    denoiser: Denoiser, schedule: Schedule, x_t: Tensor, times: Tensor
) -> Iterator[SampleStep]:
    """Walk from x_t at times[0] to times[-1] with DPM-Solver++ 2M; yields each step.

    The first step is first order, as there is no earlier guess, and so is a step to t = 0. Adds no
    noise. Arguments and errors as in `ddpm`.
    """

    def step(
        prediction: Prediction, x_t: Tensor, t: Tensor, t_next: Tensor, previous: SampleStep | None
    ) -> Tensor:
        if previous is None or t_next[0] == 0:
            return dpm_solver_step(prediction, None, x_t, None, t, t_next, schedule)
        t_previous = torch.full_like(t, previous.t)
        return dpm_solver_step(
            prediction, previous.prediction, x_t, t_previous, t, t_next, schedule
        )

    return _checked_walk(denoiser, x_t, times, step)


def euler(
    denoiser: Denoiser, schedule: Schedule, x_t: Tensor, times: Tensor
) -> Iterator[SampleStep]:
    """Walk from x_t at times[0] to times[-1] with `euler_step`; yields each step.

    Adds no noise. Arguments and errors as in `ddpm`.
    """

    def step(
        prediction: Prediction, x_t: Tensor, t: Tensor, t_next: Tensor, previous: SampleStep | None
    ) -> Tensor:
        return euler_step(prediction, x_t, t, t_next, schedule)

    return _checked_walk(denoiser, x_t, times, step)


SAMPLERS: dict[str, Callable[..., Iterator[SampleStep]]]
SAMPLERS = {"ddpm": ddpm, "ddim": ddim, "dpm-solver++": dpm_solver}
"""The samplers of lesson 03, by the name that its widgets show."""


def finish(steps: Iterator[SampleStep]) -> Tensor:
    """Run a sampler to its end and return where it arrived, the last x_next.

    steps: what a sampler returned. Raises ValueError if it has been run to its end before.
    """
    last = deque(steps, maxlen=1)
    if not last:
        raise ValueError("this sampler has already come to its end; call it again for a new walk.")
    return last[0].x_next


def _noise_from(generator: torch.Generator | None) -> Callable[[Tensor], Tensor]:
    """A function that draws fresh noise like x_t."""
    source = torch.Generator().manual_seed(0) if generator is None else generator

    def fresh_noise(x_t: Tensor) -> Tensor:
        noise = torch.randn(x_t.shape, generator=source, dtype=x_t.dtype, device=source.device)
        return noise.to(x_t.device)

    return fresh_noise


def _checked_walk(
    denoiser: Denoiser, x_t: Tensor, times: Tensor, step: Step
) -> Iterator[SampleStep]:
    """Check the start at once, when the sampler is called, and return the walk."""
    _refuse_bad_start(x_t)
    _refuse_bad_times(times)
    return _walk(denoiser, x_t, times, step)


@torch.no_grad()
def _walk(denoiser: Denoiser, x_t: Tensor, times: Tensor, step: Step) -> Iterator[SampleStep]:
    previous = None
    for number, pair in enumerate(pairwise(times.tolist()), start=1):
        t, t_next = (x_t.new_full(x_t.shape[:1], time) for time in pair)  # each (B,)
        prediction = denoiser(x_t, t)
        where = f"at step {number} of {len(times) - 1} (t = {pair[0]:.3f})"
        _refuse_bad_prediction(prediction, x_t, where)
        x_next = step(prediction, x_t, t, t_next, previous)
        previous = SampleStep(*pair, x_t, prediction, x_next)
        yield previous
        x_t = x_next


def _refuse_bad_start(x_t: Tensor) -> None:
    if x_t.ndim not in (2, 4) or len(x_t) == 0:
        raise ValueError(
            f"x_t has shape {tuple(x_t.shape)}; give a batch, of pictures (B, C, H, W) or of "
            "points (B, D). For one picture: x_t[None]."
        )
    if not x_t.isfinite().all():
        raise ValueError("x_t holds NaN or infinity; start from noise: torch.randn(shape).")


def _refuse_bad_times(times: Tensor) -> None:
    if times.ndim != 1 or len(times) < 2:
        raise ValueError(
            f"times has shape {tuple(times.shape)}; give two times or more, such as times(50)."
        )
    outside = times[~((times >= 0) & (times <= 1))]  # catches nan too
    if outside.numel():
        raise ValueError(
            f"times holds {outside[0].item():g}; each must lie between 1 (noise) and 0 (clean). "
            "If these are table rows, convert them with row_to_t(row)."
        )
    stays = (times.diff() >= 0).nonzero()
    if len(stays):
        i = int(stays[0])
        raise ValueError(
            f"times goes from {times[i].item():g} to {times[i + 1].item():g}; it must fall at each "
            "step, from noise to clean. Perhaps turn it round: times.flip(0)."
        )


def _refuse_bad_prediction(prediction: Prediction, x_t: Tensor, where: str) -> None:
    for name, guess in (("x_0", prediction.x_0), ("eps", prediction.eps)):
        if guess.shape != x_t.shape:
            raise ValueError(
                f"{where} the denoiser's {name} has shape {tuple(guess.shape)}, and x_t has "
                f"{tuple(x_t.shape)}; both must agree."
            )
        if not guess.isfinite().all():
            raise ValueError(
                f"{where} the denoiser's {name} holds NaN or infinity. Look at the network: did "
                "its training diverge, or are its weights damaged?"
            )
