"""The reverse process: from pure noise to data, in a few steps.

Each sampler walks down a list of times. At each it asks the denoiser for both guesses, x_0 and eps,
and takes one step to the next time. A step function is one equation; a sampler is a generator that
yields its steps, so that progress bars, pictures and early stops stay outside:

>>> for step in ddim(denoiser, schedule.cosine, x_t, times(50)):
...     print(step.t, step.prediction.x_0.std())

A step reads only the schedule's `Rates` at t and at t_next, the next time (nearer to clean), so it
works on curved and straight schedules alike; a walk evaluates the schedule once, for all its times.
Step functions have the parameters of lesson 03's exercises, and a sampler takes any such function
as its `step`, a learner's too:

============= ========================================= =========================================
sampler       a step in words                           paper
============= ========================================= =========================================
ddpm          mean of x_next given x_t and x_0, + noise Ho et al. 2020, eq. 7 and 11
ddim          remix both guesses at t_next              Song et al. 2021 (DDIM), eq. 12 and 16
dpm_solver    as ddim, with a guess drawn out of two    Lu et al. 2022 (DPM-Solver++), algorithm 2
euler         straight on with the velocity             Liu et al. 2022 (rectified flow)
============= ========================================= =========================================

The last step arrives at t = 0, where noise_rate is 0: there each sampler returns its guess of x_0,
and the factor of the fresh noise is 0, since no later step would take that noise away again.

With the same network and times these walks agree with `diffusers` step by step, but for three
places, on purpose: its DDIM steps T // num_steps rows down where the list of times goes one more
(30 steps); its Euler for flow by default ends at t = 1/1000 before 0, and shifts that time twice;
and at pure noise it divides a noise guess by next to nothing (see `prediction`).
"""

import inspect
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, repeat

import numpy as np
import torch
from torch import Tensor

from . import arguments
from .prediction import Denoiser, Prediction
from .schedule import NUM_TRAIN_TIMESTEPS, Rates, Schedule, walk_rates


@dataclass(frozen=True)
class SampleStep:
    """A step of a walk from t to t_next < t: the data at both, (B, ...), and both guesses at t."""

    t: float
    t_next: float
    x_t: Tensor
    prediction: Prediction
    x_next: Tensor


Step = Callable[..., Tensor]
"""From the parameters of a step function, in its order, to x_next."""
Dice = torch.Generator | None
Walk = Iterator[SampleStep]
Start = tuple[Denoiser, Schedule, Tensor, Tensor]  # what each sampler takes first


def times(num_steps: int, shift: float = 1.0) -> Tensor:
    """Return the times that a sampler visits, from 1 (noise) down to 0 (clean), evenly spaced.

    num_steps: 1 to T = 1000, or ValueError or TypeError. Returns float32, (num_steps + 1,). All but
    the last are ends (`row_to_t`) of the table rows ``round(arange(T, 0, -T / num_steps)) - 1``,
    which `diffusers` calls "trailing" spacing. Lin et al. 2023, table 2.

    shift: s, from 0.01 to 100. Each time t becomes ``s t / (1 + (s - 1) t)``: on the straight
    schedule a picture of s^2 times as many pixels is, seen from afar, as noisy there as the smaller
    one is at t. Esser et al. 2024, eq. 23, with m / n = s^2.
    """
    rows = NUM_TRAIN_TIMESTEPS
    num_steps = arguments.number("num_steps", num_steps, 1, rows, "; 20 to 50 are usual")
    hint = " (1 leaves the times as they are, 3 is usual for large pictures)"
    shift = arguments.number("shift", shift, 0.01, 100, hint, real=True)
    # Rounding can make numpy's range one longer than asked for.
    ends = np.arange(rows, 0, -rows / num_steps)[:num_steps].round()
    t = torch.from_numpy(np.append(ends, 0.0) / rows)
    return (shift * t / (1 + (shift - 1) * t)).float()


def _refuse_misfits(rates: tuple[Rates, ...], **given: Tensor) -> None:
    """Refuse what no step can be taken with: shapes that differ, and rates of other shapes."""
    arguments.alike(**given)
    x = next(iter(given.values()))
    for rate in rates:
        each = "B" if isinstance(rate, Tensor) and rate.shape[1:2] == (1,) else len(x)
        arguments.shape("rates", rate, (2, each, *[1] * (x.ndim - 1)), holds=arguments.FLOATS)


def ddpm_step(
    x_t: Tensor, x_0_hat: Tensor, noise: Tensor, rates: Rates, rates_next: Rates
) -> Tensor:
    """Take one step of DDPM: the mean of x_next given x_t and the clean guess, plus fresh noise.

    x_t, x_0_hat, and noise, standard normal: (B, ...), as x_next. The factor of noise is 0 where
    t_next is 0. DDPM eq. 7 (mean and variance) and 11, with 1 - alpha_bar written as noise_rate^2,
    so that it holds on the straight schedule too.
    """
    _refuse_misfits((rates, rates_next), x_t=x_t, x_0_hat=x_0_hat, noise=noise)
    (a, b), (a_next, b_next) = rates, rates_next
    alpha = (a / a_next) ** 2  # share of the signal's variance that is left between t_next and t
    beta = (b**2 - alpha * b_next**2).clamp(min=0)  # and the noise variance added there
    mean = (a_next * beta * x_0_hat + alpha.sqrt() * b_next**2 * x_t) / b**2
    return mean + (beta * b_next**2 / b**2).sqrt() * noise


def ddim_step(
    x_0_hat: Tensor, eps_hat: Tensor, noise: Tensor, rates: Rates, rates_next: Rates, eta: float
) -> Tensor:
    """Take one step of DDIM: remix both guesses at the next time.

    Shapes as in `ddpm_step`. eta: 0 adds no noise, 1 as much as DDPM. DDIM eq. 12; step_std is
    sigma_t(eta) of eq. 16, in terms of snr = (signal_rate / noise_rate)^2.
    """
    _refuse_misfits((rates, rates_next), x_0_hat=x_0_hat, eps_hat=eps_hat, noise=noise)
    eta = arguments.number("eta", eta, 0, 1, real=True)
    (a, b), (a_next, b_next) = rates, rates_next
    snr_ratio = (a * b_next / (b * a_next)) ** 2  # snr_t / snr_next
    step_std = eta * b_next * (1 - snr_ratio).clamp(min=0).sqrt()
    towards_x_t = (b_next**2 - step_std**2).clamp(min=0).sqrt()
    return a_next * x_0_hat + towards_x_t * eps_hat + step_std * noise


def dpm_solver_step(
    x_t: Tensor,
    x_0_hat: Tensor,
    x_0_hat_before: Tensor,
    rates_before: Rates,
    rates: Rates,
    rates_next: Rates,
) -> Tensor:
    """Take one step of DPM-Solver++ 2M: as DDIM, with a guess drawn out of this one and the last.

    Shapes as in `ddpm_step`; x_0_hat_before: the clean guess one step earlier, at rates_before.
    Lu et al. 2022, algorithm 2, with lambda = log(signal_rate / noise_rate). Where t_next is 0,
    lambda is infinite and the result nan: see `dpm_solver`.
    """
    of_all = rates_before, rates, rates_next
    _refuse_misfits(of_all, x_t=x_t, x_0_hat=x_0_hat, x_0_hat_before=x_0_hat_before)
    (_, b), (a_next, b_next) = rates, rates_next
    lambda_before, lambda_t, lambda_next = (a.log() - b.log() for a, b in of_all)
    h = lambda_next - lambda_t
    r = (lambda_t - lambda_before) / h
    guess = (1 + 1 / (2 * r)) * x_0_hat - 1 / (2 * r) * x_0_hat_before  # D in the paper
    return b_next / b * x_t - a_next * torch.expm1(-h) * guess


def euler_step(
    x_t: Tensor, x_0_hat: Tensor, eps_hat: Tensor, rates: Rates, rates_next: Rates
) -> Tensor:
    """Take one Euler step: x_t moves as its two parts do, while the guesses stay.

    Shapes as in `ddpm_step`. On the schedule `flow` this is ``x_t + (t_next - t) * (eps_hat -
    x_0_hat)``, the step of rectified flow (Liu et al. 2022, algorithm 1); on any other the change
    of the rates stands where the derivative would. It comes out where DDIM does with eta = 0.
    """
    _refuse_misfits((rates, rates_next), x_t=x_t, x_0_hat=x_0_hat, eps_hat=eps_hat)
    (a, b), (a_next, b_next) = rates, rates_next
    return x_t + (a_next - a) * x_0_hat + (b_next - b) * eps_hat


def renoise(x_next: Tensor, noise: Tensor, rates: Rates, rates_next: Rates) -> Tensor:
    """Go back up a step, from t_next to t: shrink x_next and fill up with fresh noise.

    Shapes as in `ddpm_step`. What is left of the signal is a / a_next, of the noise that times
    b_next; so x_t is as noisy as t wants. RePaint (Lugmayr et al. 2022), algorithm 1, line 10.
    """
    _refuse_misfits((rates, rates_next), x_next=x_next, noise=noise)
    (a, b), (a_next, b_next) = rates, rates_next
    ratio = a / a_next
    return ratio * x_next + (b**2 - (ratio * b_next) ** 2).clamp(min=0).sqrt() * noise


def ddpm(
    denoiser: Denoiser,
    schedule: Schedule,
    x_t: Tensor,
    times: Tensor,
    generator: Dice = None,
    step: Step = ddpm_step,
) -> Walk:
    """Walk from x_t at times[0] to times[-1] with `ddpm_step`; yields each step.

    The start is checked, and the schedule evaluated, when it is called; the denoiser is called as
    steps are asked for. x_t: pure noise, pictures (B, C, H, W) or points (B, D), whose dtype the
    walk keeps. times: falling, in [0, 1]. generator: draws the noise of the steps; None for a new
    one with seed 0 each time. step: your own, with the parameters of `ddpm_step` in its order.

    Raises ValueError for times that do not fall, for x_t with NaN or without a batch axis, and, at
    the step where it happens, for a denoiser or a step that returns NaN or another shape;
    TypeError for x_t of whole numbers.
    """
    noise = _noise_like(x_t, generator)
    return _walk(ddpm_step, step, (denoiser, schedule, x_t, times), noise=noise)


def ddim(
    denoiser: Denoiser,
    schedule: Schedule,
    x_t: Tensor,
    times: Tensor,
    eta: float = 0.0,
    generator: Dice = None,
    step: Step = ddim_step,
) -> Walk:
    """Walk as `ddpm` does, with `ddim_step`.

    eta: from 0 (no noise is added: the start decides the picture) to 1 (as `ddpm`), or ValueError.
    """
    eta = arguments.number("eta", eta, 0, 1, " (0: no fresh noise, 1: as much as DDPM)", real=True)
    noise = _noise_like(x_t, generator) if eta > 0 else repeat(torch.zeros_like(x_t))
    return _walk(ddim_step, step, (denoiser, schedule, x_t, times), noise=noise, eta=repeat(eta))


def dpm_solver(
    denoiser: Denoiser, schedule: Schedule, x_t: Tensor, times: Tensor, step: Step = dpm_solver_step
) -> Walk:
    """Walk as `ddpm` does, with `dpm_solver_step` and without noise.

    The first step is one of DDIM, as there is no earlier guess, and so is a step to t = 0.
    """
    return _walk(dpm_solver_step, step, (denoiser, schedule, x_t, times))


def euler(
    denoiser: Denoiser, schedule: Schedule, x_t: Tensor, times: Tensor, step: Step = euler_step
) -> Walk:
    """Walk as `ddpm` does, with `euler_step` and without noise."""
    return _walk(euler_step, step, (denoiser, schedule, x_t, times))


def resampled(
    denoiser: Denoiser,
    schedule: Schedule,
    x_t: Tensor,
    times: Tensor,
    rounds: int,
    noise: Callable[[], Tensor],
) -> Walk:
    """Walk as `ddim` does, but take each step `rounds` times, and `renoise` in between.

    The last step, which arrives at t = 0, is taken once. Of first order, for an earlier guess would
    be one of other noise. noise: draws some in the shape of x_t. RePaint, algorithm 1.
    """
    _refuse_bad_start(x_t, times)
    rounds = arguments.number("rounds", rounds, 1, 1000)
    walked = walk_rates(times, x_t, schedule)

    def steps(x_t: Tensor) -> Walk:
        for i in range(len(times) - 1):
            for again in reversed(range(rounds if times[i + 1] > 0 else 1)):
                (step,) = ddim(denoiser, schedule, x_t, times[i : i + 2])
                yield step
                x_t = renoise(step.x_next, noise(), *walked[i : i + 2]) if again else step.x_next

    return steps(x_t)


SAMPLERS: dict[str, Callable[..., Walk]] = {"ddpm": ddpm, "ddim": ddim, "dpm-solver++": dpm_solver}
"""The samplers of lesson 03, by the name that its widgets show."""


def finish(steps: Walk) -> Tensor:
    """Run a sampler to its end and return its last x_next; ValueError if it has none left."""
    last = deque(steps, maxlen=1)
    if not last:
        raise ValueError("this sampler has already come to its end; call it again for a new walk.")
    return last[0].x_next


def _walk(rule: Step, step: Step, start: Start, **also: Iterator) -> Walk:
    """Check the start and walk; `step` takes by position what `rule` calls its parameters. also:
    what a rule takes beside the state of the walk, one value for each step."""
    denoiser, schedule, x_t, times = start
    _refuse_bad_start(x_t, times)
    walked = walk_rates(times, x_t, schedule)  # refuses times outside [0, 1]
    parameters = inspect.signature(rule).parameters
    takes_rates = "rates" in inspect.signature(denoiser).parameters

    @torch.no_grad()
    def steps(x_t: Tensor) -> Walk:
        before: dict[str, Tensor] = {}
        like = ", the shape of x_t"
        for i, (t, t_next) in enumerate(pairwise(times.tolist())):
            where = f"at step {i + 1} of {len(times) - 1} (t = {t:.3f})"
            rates, rates_next = walked[i], walked[i + 1]
            given = {"rates": rates} if takes_rates else {}
            guess = denoiser(x_t, x_t.new_full(x_t.shape[:1], t), **given)
            found = {"the denoiser's x_0": guess.x_0, "the denoiser's eps": guess.eps}
            for name, part in found.items():
                arguments.shape(f"{where} {name}", part, x_t.shape, like)
            known = {"x_t": x_t, "x_0_hat": guess.x_0, "eps_hat": guess.eps, "rates": rates}
            known |= {"rates_next": rates_next, **{name: next(it) for name, it in also.items()}}
            known |= before if t_next > 0 else {}  # at t = 0 lambda is infinite
            if known.keys() >= parameters.keys():
                x_next = step(*(known[name] for name in parameters))
            else:  # DDIM, with the eps that fits x_0_hat also where `read_off` keeps its own
                eps_hat, none = (x_t - rates[0] * guess.x_0) / rates[1], torch.zeros_like(x_t)
                x_next = ddim_step(guess.x_0, eps_hat, none, rates, rates_next, 0.0)
            arguments.shape(f"{where} the step function's x_next", x_next, x_t.shape, like)
            _refuse_nan({**found, "the step function's x_next": x_next}, where)
            yield SampleStep(t, t_next, x_t, guess, x_next := x_next.to(x_t.dtype))
            before, x_t = {"x_0_hat_before": guess.x_0, "rates_before": rates}, x_next

    return steps(x_t)


def _noise_like(x_t: Tensor, generator: Dice) -> Iterator[Tensor]:
    """Draw standard normal noise in the shape of x_t, again and again."""
    source = torch.Generator().manual_seed(0) if generator is None else generator
    while True:
        noise = torch.randn(x_t.shape, generator=source, dtype=x_t.dtype, device=source.device)
        yield noise.to(x_t.device)


def _refuse_bad_start(x_t: Tensor, times: Tensor) -> None:
    arguments.tensor("times", times)
    arguments.tensor("x_t", x_t)
    shape, steps = tuple(x_t.shape), pairwise(times.flatten().tolist())
    rise = next((f"{t:g} to {t_next:g}" for t, t_next in steps if t_next >= t), "")
    start = "start from noise: torch.randn(shape)."
    for bad, error, sentence in (
        (x_t.ndim not in (2, 4) or x_t.numel() == 0, ValueError, f"x_t has shape {shape}; give a "
         "batch, of pictures (B, C, H, W) or of points (B, D). For one picture: x_t[None]."),
        (not x_t.isfinite().all(), ValueError, f"x_t holds NaN or infinity; {start}"),
        (times.ndim != 1 or times.numel() < 2, ValueError, f"times has shape {tuple(times.shape)}; "
         "give two times or more, such as times(50)."),
        (rise, ValueError, f"times goes from {rise}; it must fall at each step, from noise to "
         "clean. Perhaps reverse it: times.flip(0)."),
    ):  # fmt: skip
        if bad:
            raise error(sentence)


def _refuse_nan(found: dict[str, Tensor], where: str) -> None:
    # One look for all: on a GPU each would wait for the device.
    if torch.stack([part.isfinite().all() for part in found.values()]).all():
        return
    name = next(name for name, part in found.items() if not part.isfinite().all())
    hint = "Look for a division by a rate that is 0, or for the root of a negative number."
    if name.startswith("the denoiser"):
        hint = "Look at the network: did its training diverge, or are its weights damaged?"
    raise ValueError(f"{where} {name} holds NaN or infinity. {hint}")
