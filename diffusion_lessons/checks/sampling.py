"""The checks of lesson 03: the steps of DDPM, DDIM and DPM-Solver++ 2M, and two slips to find.

`rates` is signal_rate and noise_rate at one time, as a schedule returns them, so that
``a, b = rates`` takes them apart.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from diffusion_lessons.schedule import cosine, linear, rates_like

from .core import examine
from .mixes import HALF, normal
from .report import Report, Slip, Trial
from .steps import T, alpha_of_rates, ddim, ddpm, leading, printed_std, solver, step_std, trailing


def check_ddpm_step(function: Callable) -> Report:
    """Exercise 1. `function(x_t, x_0_hat, noise, rates, rates_next)` returns x_next.

    DDPM eq. 6 and 7, with alpha = (a / a_next)^2 and beta = 1 - alpha.
    """
    trials = [
        _trial("4 RGB pictures", (4, 3, 8, 8), 0.9, 0.6, cosine, "x_t x_0_hat noise"),
        _trial("16 points in the plane", (16, 2), 0.5, 0.4, linear, "x_t x_0_hat noise"),
        _trial("a batch of one, last step", (1, 1, 6, 6), 0.1, 0.0, cosine, "x_t x_0_hat noise"),
    ]
    praise = "The package's numbers, for pictures and points; and at the last step, no noise."
    return examine(function, ddpm(), trials, DDPM_SLIPS, praise)


def check_ddim_step(function: Callable) -> Report:
    """Exercise 2. `function(x_0_hat, eps_hat, noise, rates, rates_next, eta)` returns x_next.

    eta: float from 0 to 1. DDIM eq. 12 and 16.
    """
    blocks = "x_0_hat eps_hat noise"
    trials = [
        _trial("4 pictures, eta = 0.5", (4, 3, 8, 8), 0.9, 0.6, cosine, blocks, eta=0.5),
        _trial("4 pictures, eta = 0", (4, 3, 8, 8), 0.9, 0.6, cosine, blocks, eta=0.0),
        _trial("16 points, eta = 1", (16, 2), 0.5, 0.4, linear, blocks, eta=1.0),
        _trial("the last step, eta = 0.3", (1, 1, 6, 6), 0.1, 0.0, cosine, blocks, eta=0.3),
    ]
    praise = "Without noise at eta = 0, DDPM's noise at eta = 1, and all that lies between."
    return examine(function, ddim(), trials, DDIM_SLIPS, praise)


def check_solver_step(function: Callable) -> Report:
    """Exercise 3. `function(x_t, x_0_hat, x_0_hat_before, rates_before, rates, rates_next)`.

    Returns x_next, by DPM-Solver++ 2M; rates_before are those of the step before. Lu et al. 2022,
    algorithm 2.
    """
    trials = [
        _solver_trial("4 RGB pictures", (4, 3, 8, 8), (0.9, 0.7, 0.4), cosine),
        _solver_trial("16 points in the plane", (16, 2), (0.6, 0.5, 0.3), linear),
        _solver_trial("a batch of one", (1, 1, 6, 6), (0.5, 0.45, 0.2), cosine),
    ]
    praise = "Two guesses make a third, better one; the step is the package's."
    return examine(function, solver(), trials, SOLVER_SLIPS, praise)


def check_bug_eta(function: Callable) -> Report:
    """Find the bug, part a. `function(eta, rates, rates_next)` returns step_std, shape of a rate.

    DDIM eq. 16.
    """
    trials = [
        _eta_trial("eta = 0.5", 0.5, 0.9, 0.6),
        _eta_trial("eta = 0", 0.0, 0.8, 0.3),
        _eta_trial("eta = 1", 1.0, 0.5, 0.4),
        _eta_trial("eta = 0.2", 0.2, 0.5, 0.1),
    ]
    praise = "Half of eta is half of the standard deviation, and a quarter of the variance."
    return examine(function, printed_std(lambda eta, v: eta * v.sqrt()), trials, ETA_SLIPS, praise)


def check_bug_times(function: Callable) -> Report:
    """Find the bug, part b. `function(num_steps)` returns the times that are visited, falling,
    float (num_steps,); num_steps divides 1000. Lin et al. 2023, table 2, "trailing".
    """
    trials = [Trial(f"{n} steps", {"num_steps": n}) for n in (10, 25, 250, 1, 1000)]
    praise = "The first time is 1: where the picture is pure noise, the network is told so."
    return examine(function, trailing, trials, TIMES_SLIPS, praise)


# --- trials ---


def _rates(shape: tuple[int, ...], first: float, schedule: Callable) -> Tensor:
    """Both rates of a batch, stacked (2, B, 1, ...), with times from `first` downwards."""
    t = first * torch.linspace(1, 0.9, shape[0])
    return torch.stack(rates_like(torch.zeros(shape), *schedule(t)))


def _trial(
    what: str,
    shape: tuple[int, ...],
    t: float,
    t_next: float,
    schedule: Callable,
    blocks: str,
    **more: float,
) -> Trial:
    inputs: dict[str, object] = {
        name: normal(shape, seed) for seed, name in enumerate(blocks.split(), start=1)
    }
    inputs["rates"] = _rates(shape, t, schedule)
    inputs["rates_next"] = _rates(shape, t_next, schedule)
    return Trial(what, inputs | more)


def _solver_trial(
    what: str, shape: tuple[int, ...], times: tuple[float, float, float], schedule: Callable
) -> Trial:
    blocks = ("x_t", "x_0_hat", "x_0_hat_before")
    inputs: dict[str, object] = {
        name: normal(shape, seed) for seed, name in enumerate(blocks, start=1)
    }
    names = ("rates_before", "rates", "rates_next")
    pairs = zip(names, times, strict=True)
    return Trial(what, inputs | {name: _rates(shape, t, schedule) for name, t in pairs})


def _eta_trial(what: str, eta: float, t: float, t_next: float) -> Trial:
    shape = (3, 1, 1, 1)
    rates = {"rates": _rates(shape, t, cosine), "rates_next": _rates(shape, t_next, cosine)}
    return Trial(what, {"eta": eta, **rates})


# --- the slips ---

_NOW_FOR_NEXT = (
    "The picture is mixed with the rates of t, where it already is. It should arrive at t_next: "
    "a_next and b_next."
)

DDPM_SLIPS = [
    Slip(
        "The noise is multiplied by the variance, and its root is missing: "
        "sqrt(beta * b_next**2 / b**2).",
        ddpm(std=lambda beta, b, b_next: beta * b_next**2 / b**2),
    ),
    Slip(
        "The noise has the factor sqrt(beta): the way back is more certain than the way there, "
        "since x_0_hat is known too. And at the last step, where b_next is 0, this leaves noise in "
        "the picture.",
        ddpm(std=lambda beta, b, b_next: beta.sqrt()),
    ),
    Slip("The noise has no factor.", ddpm(std=lambda beta, b, b_next: torch.ones_like(b))),
    Slip("The mean alone: the noise is not in it.", ddpm(std=lambda beta, b, b_next: 0 * b)),
    Slip(
        "The noise is subtracted. Chance has no side, so a picture would look the same, but the "
        "formula says plus, and with a known noise the numbers differ.",
        ddpm(sign=-1.0),
    ),
    Slip(
        "The mean is not divided by b**2: its two factors should add up to a weighted mean.",
        ddpm(share=torch.ones_like),
    ),
    Slip("The mean is divided by b, and b**2 is asked for.", ddpm(share=lambda b: b)),
    Slip(
        "The guess has the factor a, the signal rate of t; the formula says a_next.",
        ddpm(guess=lambda a_next, beta, alpha: a_next * alpha.sqrt() * beta),
    ),
    Slip(
        "The guess has the factor beta alone; a_next is missing.",
        ddpm(guess=lambda a_next, beta, alpha: beta),
    ),
    Slip(
        "x_t has the factor alpha, and its root is missing: sqrt(alpha).",
        ddpm(old=lambda alpha, b_next: alpha * b_next**2),
    ),
    Slip("x_t has no factor sqrt(alpha).", ddpm(old=lambda alpha, b_next: b_next**2)),
    Slip(
        "x_t has the factor b_next; the formula says b_next**2.",
        ddpm(old=lambda alpha, b_next: alpha.sqrt() * b_next),
    ),
    Slip(
        "x_t and x_0_hat are swapped in the mean.",
        lambda x_t, guess, noise, now, after: ddpm()(guess, x_t, noise, now, after),
    ),
    Slip(
        "Under the root of the noise, b_next and b are squared: beta * b_next**2 / b**2.",
        ddpm(std=lambda beta, b, b_next: (beta * b_next / b).sqrt()),
    ),
    Slip(
        "Under the root of the noise, b_next is squared: beta * b_next**2 / b**2.",
        ddpm(std=lambda beta, b, b_next: (beta * b_next / b**2).sqrt()),
    ),
    Slip(
        "Under the root of the noise, b is squared: beta * b_next**2 / b**2.",
        ddpm(std=lambda beta, b, b_next: (beta * b_next**2 / b).sqrt()),
    ),
    Slip(
        "alpha is a**2 / a_next**2, a share of variance; the square is missing.",
        alpha_of_rates,
    ),
    Slip(HALF, ddpm(std=lambda beta, b, b_next: beta * b_next**2 / b**2 / 2)),
]

DDIM_SLIPS = [
    Slip(
        "The noise guess is subtracted. At t_next there is still noise in the picture: it is put "
        "back, less than before.",
        ddim(towards=lambda b, b_next, std: -(b_next**2 - std**2).clamp(min=0).sqrt()),
    ),
    Slip(_NOW_FOR_NEXT, ddim(signal=lambda a, a_next: a)),
    Slip(
        _NOW_FOR_NEXT,
        ddim(towards=lambda b, b_next, std: (b**2 - std**2).clamp(min=0).sqrt()),
    ),
    Slip(
        _NOW_FOR_NEXT,
        ddim(
            signal=lambda a, a_next: a,
            towards=lambda b, b_next, std: (b**2 - std**2).clamp(min=0).sqrt(),
        ),
    ),
    Slip(
        "The fresh noise comes on top: eps_hat keeps its full b_next. Take the fresh variance away "
        "from it first: sqrt(b_next**2 - step_std**2). Else there is too much noise after each "
        "step.",
        ddim(towards=lambda b, b_next, std: b_next),
    ),
    Slip(
        "The root around b_next**2 - step_std**2 is missing.",
        ddim(towards=lambda b, b_next, std: b_next**2 - std**2),
    ),
    Slip(
        "Under the root step_std has to be squared: variances are subtracted.",
        ddim(towards=lambda b, b_next, std: (b_next**2 - std).clamp(min=0).sqrt()),
    ),
    Slip(
        "b_next - step_std is not sqrt(b_next**2 - step_std**2): variances add up, standard "
        "deviations do not.",
        ddim(towards=lambda b, b_next, std: b_next - std),
    ),
    Slip(
        "In step_std the root is missing: sqrt(1 - (...)**2).",
        ddim(std=lambda eta, a, b, a_next, b_next: (
            eta * b_next * (1 - (a * b_next / (b * a_next)) ** 2)
        )),
    ),
    Slip(
        "In step_std the fraction is not squared.",
        ddim(std=lambda eta, a, b, a_next, b_next: step_std(eta, a, b, a_next, b_next, 1)),
    ),
    Slip(
        "eta is not in step_std.",
        ddim(std=lambda eta, *rates: step_std(1.0, *rates)),
    ),
    Slip(
        "eta stands under the root, so that it scales the variance; it scales step_std.",
        ddim(std=lambda eta, *rates: eta**0.5 * step_std(1.0, *rates)),
    ),
    Slip(
        "In step_std the factor b_next is missing.",
        ddim(std=lambda eta, a, b, a_next, b_next: (
            eta * (1 - (a * b_next / (b * a_next)) ** 2).clamp(min=0).sqrt()
        )),
    ),
    Slip("The fresh noise has the factor step_std squared.", ddim(fresh=lambda std: std**2)),
    Slip("The fresh noise is not in it.", ddim(fresh=lambda std: 0 * std)),
    Slip("The fresh noise is subtracted; the formula says plus.", ddim(fresh=lambda std: -std)),
    Slip(
        "eps_hat and the fresh noise are swapped: eps_hat is what the network said, the noise is "
        "new.",
        lambda guess, eps, noise, *rest: ddim()(guess, noise, eps, *rest),
    ),
]  # fmt: skip

SOLVER_SLIPS = [
    Slip(
        "The rates are taken apart in another order: first before, then now, then next. Yours has "
        "those of before and of now the other way round.",
        lambda x, new, old, before, now, after: solver()(x, new, old, now, before, after),
    ),
    Slip(
        "The rates are taken apart in another order: first before, then now, then next. Yours has "
        "those of now and of next the other way round.",
        lambda x, new, old, before, now, after: solver()(x, new, old, before, after, now),
    ),
    Slip(
        "h has the wrong sign: lambda grows on the way to the picture, so h = lambda_next - "
        "lambda is above 0.",
        solver(h=lambda now, after: now - after),
    ),
    Slip(
        "The exponent has the wrong sign: exp(-h) - 1 is below 0. Or is lambda upside down? It is "
        "log(a / b), and grows on the way to the picture.",
        solver(growth=lambda h: torch.expm1(h)),
    ),
    Slip("The - 1 is missing: exp(-h) - 1, or torch.expm1(-h).",
         solver(growth=lambda h: (-h).exp())),
    Slip(
        "r is upside down: it is the step before, divided by this one. Or is it the factor? Python "
        "reads 1 / 2 * r as (1 / 2) * r. Write 1 / (2 * r).",
        solver(r=lambda now, before, h: h / (now - before)),
    ),
    Slip("The 2 in 1 / (2 r) is missing.", solver(factor=lambda r: 1 / r)),
    Slip(
        "The two guesses are swapped: the newer one, x_0_hat, has the larger factor.",
        solver(draw=lambda new, old, c: (1 + c) * old - c * new),
    ),
    Slip(
        "The guess before is added. It is subtracted: the line through both goes on, so that it "
        "leads away from the older one.",
        solver(draw=lambda new, old, c: (1 + c) * new + c * old),
    ),
    Slip(
        "The factors do not add up to 1: it is (1 + 1/(2r)) times x_0_hat.",
        solver(draw=lambda new, old, c: new - c * old),
    ),
    Slip(
        "That goes back towards the guess before: (1 - 1/(2r)) and + 1/(2r), or h with the wrong "
        "sign. The line has to go on, away from the older guess.",
        solver(draw=lambda new, old, c: (1 - c) * new + c * old),
    ),
    Slip(
        "The guess before plays no part. This is the first-order step, which is DDIM's with "
        "eta = 0.",
        solver(draw=lambda new, old, c: new),
    ),
    Slip(
        "lambda is the log of a / b; yours is that of its square, the signal-to-noise ratio.",
        solver(log=lambda a, b: (a / b).log() * 2),
    ),
    Slip("x_t has the factor b_next / b, and yours is upside down.",
         solver(scale=lambda b, b_next: b / b_next)),
    Slip("The factor of x_t is missing: b_next / b.",
         solver(scale=lambda b, b_next: torch.ones_like(b))),
    Slip("Before the bracket stands a_next, the signal rate of t_next; yours is that of t.",
         solver(signal=lambda a, a_next: a)),
    Slip(
        "The second part is added; exp(-h) - 1 is below 0, so subtracting it adds the guess.",
        solver(growth=lambda h: -torch.expm1(-h)),
    ),
]  # fmt: skip

ETA_SLIPS = [
    Slip(
        "This behaves as printed: eta = 0 and eta = 1 are right. With eta = 0.25 it gives half of "
        "eta = 1's standard deviation. How much should a quarter of eta give?",
        printed_std(lambda eta, v: (eta * v).sqrt()),
    ),
    Slip("Now the root is gone: a variance came back.", printed_std(lambda eta, v: eta * v)),
    Slip(
        "eta squared is right for the variance; the root is missing.",
        printed_std(lambda eta, v: eta**2 * v),
    ),
    Slip(
        "eta is squared, and the variance has its root: eta itself belongs to the root.",
        printed_std(lambda eta, v: eta**2 * v.sqrt()),
    ),
    Slip("eta is not in it now.", printed_std(lambda eta, v: v.sqrt())),
    Slip(HALF, printed_std(lambda eta, v: eta * v / 2)),
]

TIMES_SLIPS = [
    Slip(
        "This behaves as printed. With 10 steps its first time is 0.901. What is the first x_t "
        "made of, and what is the network told about it?",
        leading,
    ),
    Slip(
        "Stretched a little, but with 10 steps the first time is still 0.9: t = 1 is not among "
        "them.",
        lambda n: leading(n, 0),
    ),
    Slip(
        "Now both ends are in, 1 and 0. At t = 0 there is no noise left: nothing to ask, one call "
        "wasted, and the steps are too wide.",
        lambda n: torch.linspace(1, 0, n),
    ),
    Slip(
        "From 1 to 0.001 in even steps (`linspace` spacing in diffusers): it begins at 1, but the "
        "last step is almost none. Evenly spaced, the steps would all be 1 / num_steps wide.",
        lambda n: torch.linspace(1, 0.001, n),
    ),
    Slip("They rise; a sampler goes from noise to the picture.", lambda n: trailing(n).flip(0)),
    Slip("These are table rows from 0 to 999: t = (row + 1) / 1000.",
         lambda n: trailing(n) * T - 1),
    Slip("Off by one row: t = (row + 1) / 1000.", lambda n: trailing(n) - 1 / T),
    Slip("Not divided by 1000: t goes from 1 to 0.", lambda n: trailing(n) * T),
    Slip("One row too far: the first time is 1.001. The rows end at 999.",
         lambda n: trailing(n) + 1 / T),
]  # fmt: skip
