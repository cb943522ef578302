"""The exercises of lesson 03: the steps of DDIM, DDPM and DPM-Solver++ 2M, the loop, and a bug.

`rates` is signal_rate and noise_rate at one time, (2, B, 1, ...), so that ``a, b = rates``.
"""

import torch

from diffusion_lessons.prediction import exact_denoiser
from diffusion_lessons.schedule import Schedule, cosine, linear, rates_like, walk_rates

from .exercise import Exercise, draw, normal


def _rates(shape: tuple[int, ...], first: float, schedule: Schedule) -> torch.Tensor:
    """Return both rates of a batch, (2, B, 1, ...), with times from `first` downwards."""
    t = first * torch.linspace(1, 0.9, shape[0])
    return torch.stack(rates_like(torch.zeros(shape), *schedule(t)))


def _step(
    blocks: str, shape: tuple, t: float, t_next: float, schedule: Schedule = cosine, **more: float
) -> dict:
    rates, rates_next = (_rates(shape, time, schedule) for time in (t, t_next))
    return draw(blocks, *shape, rates=rates, rates_next=rates_next, **more)


def _walk(shape: tuple, eta: float, times: list, schedule: Schedule = cosine) -> dict:
    x_t, when = normal(*shape, seed=1), torch.tensor(times)
    return {
        "ask": exact_denoiser(normal(5, *shape[1:], seed=2), schedule),
        "step": ddim_step.function, "x_t": x_t, "times": when,
        "rates": walk_rates(when, x_t, schedule), "eta": eta,
        "chance": torch.Generator().manual_seed(3),
    }  # fmt: skip


def _solver(shape: tuple, times: tuple, schedule: Schedule = cosine) -> dict:
    names = ("rates_before", "rates", "rates_next")
    rates = {n: _rates(shape, t, schedule) for n, t in zip(names, times, strict=True)}
    return draw("x_t x_0_hat x_0_hat_before", *shape, **rates)


ddim_step = Exercise(  # DDIM eq. 12 and 16
    """
    def my_ddim_step(x_0_hat, eps_hat, noise, rates, rates_next, eta):
        (a, b), (a_next, b_next) = rates, rates_next
        step_std = eta * b_next * (1 - (a * b_next / (b * a_next)) ** 2).sqrt()
        old = (b_next**2 - step_std**2).sqrt() * eps_hat
        return a_next * x_0_hat + old + step_std * noise
    """,
    praise="Without noise at eta = 0, DDPM's noise at eta = 1, and all that lies between.",
    trials={
        "4 pictures, eta = 0.5": _step("x_0_hat eps_hat noise", (4, 3, 8, 8), 0.9, 0.6, eta=0.5),
        "4 pictures, eta = 0": _step("x_0_hat eps_hat noise", (4, 3, 8, 8), 0.9, 0.6, eta=0.0),
        "16 points, eta = 1": _step("x_0_hat eps_hat noise", (16, 2), 0.5, 0.4, linear, eta=1.0),
        "the last step, eta = 0.3": _step("x_0_hat eps_hat noise", (1, 1, 6, 6), 0.1, 0.0, eta=0.3),
    },
    why={
        "+ old": "At t_next there is still noise in the picture: it is put back, less than before.",
        "(b_next**2 - step_std**2).sqrt()":
            "Variances add up, standard deviations do not: that of the fresh noise is taken away "
            "first, else there is too much noise after each step.",
        "eta * b_next": "step_std, not its square, is eta times DDPM's.",
    },
    slips=dict.fromkeys(
        [
            "a_next * x_0 => a * x_0", "(b_next**2 - => (b**2 -",
            "(b_next**2 - => (b**2 -; a_next * x_0 => a * x_0",
        ],
        "The picture is mixed with the rates of t, where it already is. It should arrive at "
        "t_next: a_next and b_next.",
    ),
)  # fmt: skip


walk_back = Exercise(
    """
    def my_walk_back(ask, step, x_t, times, rates, eta, chance):
        for i, t in enumerate(times[:-1]):
            guess = ask(x_t, t.expand(len(x_t)))
            noise = torch.randn(x_t.shape, generator=chance)
            x_t = step(guess.x_0, guess.eps, noise, rates[i], rates[i + 1], eta)
        return x_t
    """,
    praise="From noise to data, with and without chance: this is a whole sampler.",
    trials={
        "16 points, eta = 1": _walk((16, 2), 1.0, [1.0, 0.8, 0.6, 0.4]),
        "2 pictures, eta = 0": _walk((2, 3, 4, 4), 0.0, [1.0, 0.6, 0.2, 0.0]),
        "5 points, straight schedule, eta = 0.5": _walk((5, 2), 0.5, [0.9, 0.5, 0.1], linear),
    },
    slips={
        "enumerate(times[:-1]) => enumerate(times)":
            "The loop takes a step too many. At the last time nothing is left to do: it is where "
            "the walk arrives. So the loop is over times[:-1].",
        "enumerate(times[:-1]) => enumerate(times[:-2])":
            "The last step is missing. N + 1 times make N steps: only the last time is left out, "
            "where the walk arrives.",
        "t.expand(len(x_t)) => t":
            "`ask` takes one time for each item of the batch: t.expand(len(x_t)).",
        "t.expand(len(x_t)) => times[i + 1].expand(len(x_t))":
            "The network is asked about the time of the next stop. The noise that it sees is that "
            "of t.",
        "x_t = step => x_next = step; return x_t => return x_next":
            "Each step starts from the pure noise again. What a step returns is the next step's "
            "`x_t`.",
        "x_t = step => _ = step":
            "What `step` returns is thrown away, so the noise stays as it is. Put it into `x_t`.",
        "rates[i], rates[i + 1] => rates[i + 1], rates[i]":
            "Each step goes up, to more noise: it leads from rates[i] to rates[i + 1].",
        "\n    return x_t => \n        return x_t":
            "It returns after the first step: the `return` belongs outside of the loop, further "
            "to the left.",
        "for i => noise = torch.randn(x_t.shape, generator=chance)\n    for i; "
        "        noise = torch.randn(x_t.shape, generator=chance)\n => ":
            "Each step adds the same noise, which is drawn once. Fresh noise is drawn inside the "
            "loop, for each step.",
        "torch.randn( => torch.rand(":
            "torch.rand draws from 0 to 1. Fresh noise is normal: torch.randn.",
    },
)  # fmt: skip


ddpm_step = Exercise(  # DDPM eq. 6 and 7
    """
    def my_ddpm_step(x_t, x_0_hat, noise, rates, rates_next):
        (a, b), (a_next, b_next) = rates, rates_next
        alpha = (a / a_next) ** 2
        beta = 1 - alpha
        mean = (a_next * beta * x_0_hat + alpha.sqrt() * b_next**2 * x_t) / b**2
        return mean + (beta * b_next**2 / b**2).sqrt() * noise
    """,
    praise="The package's numbers, for pictures and points; and at the last step, no noise.",
    trials={
        "4 RGB pictures": _step("x_t x_0_hat noise", (4, 3, 8, 8), 0.9, 0.6),
        "16 points in the plane": _step("x_t x_0_hat noise", (16, 2), 0.5, 0.4, linear),
        "a batch of one, last step": _step("x_t x_0_hat noise", (1, 1, 6, 6), 0.1, 0.0),
    },
    why={
        "a_next * beta * x_0_hat + alpha.sqrt() * b_next**2 * x_t) / b**2":
            "The factors of x_0_hat and x_t make a weighted mean.",
        "(a / a_next) ** 2": "alpha is a share of variance.",
    },
    slips={
        "mean + beta**0.5 * noise":
            "The noise has the factor sqrt(beta): going back is more certain than going "
            "forward, since x_0_hat is known too. And at the last step, where b_next is 0, this "
            "leaves noise in the picture.",
        "mean + (beta * b_next / b)**0.5 * noise":
            "Under the root of the noise, b_next and b are squared: beta * b_next**2 / b**2.",
    },
)  # fmt: skip


solver_step = Exercise(  # Lu et al. 2022, algorithm 2
    """
    def my_solver_step(x_t, x_0_hat, x_0_hat_before, rates_before, rates, rates_next):
        (a_before, b_before), (a, b), (a_next, b_next) = rates_before, rates, rates_next
        h = torch.log(a_next / b_next) - torch.log(a / b)
        r = (torch.log(a / b) - torch.log(a_before / b_before)) / h
        D = (1 + 1 / (2 * r)) * x_0_hat - 1 / (2 * r) * x_0_hat_before
        return b_next / b * x_t - a_next * torch.expm1(-h) * D
    """,
    praise="Two guesses make a third, better one; the step is the package's.",
    trials={
        "4 RGB pictures": _solver((4, 3, 8, 8), (0.9, 0.7, 0.4)),
        "16 points in the plane": _solver((16, 2), (0.6, 0.5, 0.3), linear),
        "a batch of one": _solver((1, 1, 6, 6), (0.5, 0.45, 0.2)),
    },
    why={
        "torch.log(a_next / b_next) - torch.log(a / b)":
            "lambda, log(a / b), grows on the way to the picture, so h is above 0.",
        "torch.expm1(-h)":
            "exp(-h) - 1 is below 0. Or is lambda upside down? It is log(a / b), and grows on the "
            "way to the picture.",
        "(torch.log(a / b) - torch.log(a_before / b_before)) / h":
            "r is the step before, divided by this one. Or is it the factor? Python reads "
            "1 / 2 * r as (1 / 2) * r. Write 1 / (2 * r).",
        "(1 + 1 / (2 * r)) * x_0_hat - 1 / (2 * r) * x_0_hat_before":
            "The line through both guesses goes on, away from the older one; its factors add up "
            "to 1.",
    },
    slips={
        "1 / (2 * r) => 1 / r": "The 2 in 1 / (2 r) is missing.",
        "(1 + 1 => (1 - 1; x_0_hat - 1 => x_0_hat + 1":
            "That goes back towards the guess before: (1 - 1/(2r)) and + 1/(2r), or h with the "
            "wrong sign. The line has to go on, away from the older guess.",
        "* D => * x_0_hat":
            "The guess before plays no part. This is the first-order step, which is DDIM's with "
            "eta = 0.",
        "torch.log( => 2 * torch.log(":
            "lambda is the log of a / b; yours is that of its square, the signal-to-noise ratio.",
        "x_t - a_next => x_t + a_next":
            "The second part is added; exp(-h) - 1 is below 0, so subtracting it adds the guess.",
    },
)  # fmt: skip


bug_times = Exercise(  # Lin et al. 2023, table 2, "trailing"
    """
    def published_times(num_steps):
        row = torch.arange(1000, 0, -1000 // num_steps) - 1
        return (row + 1) / 1000
    """,
    praise="The first time is 1: where the picture is pure noise, the network is told so.",
    trials={f"{n} steps": {"num_steps": n} for n in (10, 25, 250, 1, 1000)},
    slips={
        "(torch.arange(0, 1000, 1000 // num_steps).flip(0) + 1) / 1000":
            "This behaves as printed. With 10 steps its first time is 0.901. What is the first "
            "x_t made of, and what is the network told about it?",
        "torch.arange(0, 1000, 1000 // num_steps).flip(0) / 1000":
            "Stretched a little, but with 10 steps the first time is still 0.9: t = 1 is not "
            "among them.",
        "torch.linspace(1, 0, num_steps)":
            "Now both ends are in, 1 and 0. At t = 0 there is no noise left: nothing to ask, one "
            "call wasted, and the steps are too wide.",
        "torch.linspace(1, 0.001, num_steps)":
            "From 1 to 0.001 in even steps (`linspace` spacing in diffusers): it begins at 1, but "
            "the last step is almost none. Each should be 1 / num_steps wide.",
        "(torch.arange(num_steps, 0, -1) / num_steps).flip(0)":
            "They rise; a sampler goes from noise to the picture.",
        "1.0 * row": "These are table rows from 0 to 999: t = (row + 1) / 1000.",
        "row / 1000": "Off by one row: t = (row + 1) / 1000.",
        "(row + 2) / 1000": "One row too far: the first time is 1.001. The rows end at 999.",
    },
)  # fmt: skip
