"""The "find the bug" checks of lesson 01: three slips that published courses have printed.

A function that still behaves as printed gets a symptom and a question, not the answer.
"""

import math
from collections.abc import Callable

import torch

from diffusion_lessons.schedule import alpha_bar, cosine_beta, linear_beta

from .core import examine
from .mixes import HALF, half, itself, mix, normal
from .report import Report, Slip, Trial


def check_bug_mix(function: Callable) -> Report:
    """Find the bug, part a. `function(x_0, eps, alpha_bar)`, alpha_bar a float, adds noise."""
    trials = [
        _mix_trial("2 grey pictures, alpha_bar = 0.9", (2, 1, 8, 8), 0.9),
        _mix_trial("4 RGB pictures, alpha_bar = 0.5", (4, 3, 16, 16), 0.5),
        _mix_trial("a batch of one, alpha_bar = 0.01", (1, 3, 8, 8), 0.01),
    ]
    return examine(
        function,
        mix(itself, math.sqrt, math.sqrt),
        trials,
        BUG_MIX_SLIPS,
        "The squares of the two rates add up to 1 again, at every noise level.",
    )


def check_bug_spread(function: Callable) -> Report:
    """Find the bug, part b. `function(x)`, x (N, D), returns the standard deviation of each
    column, (D,). Dividing by N or by N - 1 are both accepted."""
    trials = [
        _spread_trial("20000 samples of 3 pixels", 20000, 3),
        _spread_trial("30000 samples of 5 pixels", 30000, 5),
    ]
    return examine(
        function,
        lambda x: x.std(dim=0),
        trials,
        BUG_SPREAD_SLIPS,
        "A standard deviation, in the units of the pixel itself.",
    )


def check_bug_steepest(function: Callable) -> Report:
    """Find the bug, part c. `function(alpha_bar)`, (T,), returns the row (int) before the steepest
    drop: the drop lies between that row and the next."""
    steps = torch.rand(40, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    trials = [
        Trial("the linear table", {"alpha_bar": alpha_bar(linear_beta())}),
        Trial("the cosine table", {"alpha_bar": alpha_bar(cosine_beta())}),
        Trial("a table of 40 random rows", {"alpha_bar": 1 - steps.cumsum(0) / (steps.sum() + 1)}),
    ]
    return examine(
        function,
        lambda a: a.diff().argmin().item(),
        trials,
        BUG_STEEPEST_SLIPS,
        "For the linear table the steepest drop is between rows 218 and 219, not at the start.",
    )


def _mix_trial(what: str, shape: tuple[int, ...], kept: float) -> Trial:
    return Trial(what, {"x_0": normal(shape, 1), "eps": normal(shape, 2), "alpha_bar": kept})


def _spread_trial(what: str, samples: int, pixels: int) -> Trial:
    scale = torch.linspace(0.2, 2.5, pixels)
    return Trial(what, {"x": 0.7 + scale * normal((samples, pixels), 3)})


BUG_MIX_SLIPS = [
    Slip(
        "This behaves as printed. With picture and noise of variance 1 and alpha_bar = 0.5, the "
        "result has variance 0.75. Which of the two factors, squared, is not its share?",
        mix(itself, math.sqrt, itself),
    ),
    Slip(
        "Now both roots are gone: the variance is 0.5 at alpha_bar = 0.5. One of the two factors "
        "was right as printed.",
        mix(itself, itself, itself),
    ),
    Slip(
        "The other factor has changed: the one of the picture was right as printed.",
        mix(itself, itself, math.sqrt),
    ),
    Slip(
        "Close: that is 1 - sqrt(alpha_bar). The root belongs around all of 1 - alpha_bar.",
        lambda x, eps, a: math.sqrt(a) * x + (1 - math.sqrt(a)) * eps,
    ),
    Slip("The two rates are swapped now.", mix(lambda a: 1 - a, math.sqrt, math.sqrt)),
    Slip(
        "The two rates are swapped now, and one of them is not a root.",
        mix(lambda a: 1 - a, math.sqrt, itself),
    ),
    Slip(
        "The noise got the picture's share, alpha_bar. Its own share was right as printed.",
        lambda x, eps, a: math.sqrt(a) * x + a * eps,
    ),
    Slip(
        "Both got the picture's share, alpha_bar. The noise's own share was right as printed.",
        lambda x, eps, a: math.sqrt(a) * (x + eps),
    ),
    Slip(HALF, mix(itself, math.sqrt, half)),
    Slip(HALF, mix(itself, half, half)),
    Slip(HALF, mix(itself, half, math.sqrt)),
]

BUG_SPREAD_SLIPS = [
    Slip(
        "This behaves as printed. A test: make all numbers twice as large. A standard deviation "
        "becomes twice as large, and this becomes four times as large. What is it?",
        lambda x: x.var(dim=0),
    ),
    Slip(
        "That is the root of the mean square; the mean is not taken off first.",
        lambda x: (x**2).mean(dim=0).sqrt(),
    ),
    Slip(
        "That is the standard error of the mean: divided by sqrt(N) once too often.",
        lambda x: x.std(dim=0) / math.sqrt(len(x)),
    ),
    Slip("The square went the wrong way: take the root.", lambda x: x.var(dim=0) ** 2),
    Slip(HALF, lambda x: x.var(dim=0) / 2),
    Slip(
        "That is the mean distance from the mean, about 0.8 of the standard deviation.",
        lambda x: (x - x.mean(dim=0)).abs().mean(dim=0),
    ),
]

BUG_STEEPEST_SLIPS = [
    Slip(
        "For each table the answer is row 0, the start, where alpha_bar is highest. Look at the "
        "plot of alpha_bar: is the curve steepest there? Then let the computer look: "
        "alpha_bar.diff().",
        lambda a: 0,
    ),
    Slip(
        "Off by one: entry i of the differences lies between rows i and i + 1, and the row before "
        "the drop is asked for.",
        lambda a: a.diff().argmin().item() + 1,
    ),
    Slip(
        "That is where alpha_bar falls least: a drop is a negative difference, so the steepest is "
        "the smallest number.",
        lambda a: a.diff().argmax().item(),
    ),
    Slip(
        "One .diff() too many: the drop is the first difference.",
        lambda a: a.diff().diff().argmin().item(),
    ),
    Slip(
        "That is the size of the drop; its row is argmin.",
        lambda a: a.diff().min().item(),
    ),
    Slip(
        "That is the size of the drop; its row is argmax.",
        lambda a: a.diff().neg().max().item(),
    ),
    Slip("That is where alpha_bar is lowest, not where it falls.", lambda a: a.argmin().item()),
    Slip(
        "That is the row that takes the largest share of what is left (beta). Asked for is the "
        "largest drop of alpha_bar itself.",
        lambda a: a.log().diff().argmin().item(),
    ),
    Slip(
        "The last row above one half: half-way down, but not the steepest place.",
        lambda a: (a >= 0.5).sum().item() - 1,
    ),
    Slip(
        "218 is right for the linear table; the function should find the row in any table.",
        lambda a: 218,
    ),
]
