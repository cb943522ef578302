"""The checks of lesson 01: one noising step, the closed form, the schedules."""

import math
from collections.abc import Callable

import torch

from diffusion_lessons.schedule import alpha_bar, cosine_beta, linear_beta

from .core import examine
from .mixes import HALF, half, itself, jump, mix, normal, squared_cosine, walk, zero
from .report import Report, Slip, Trial


def check_noising_step(function: Callable) -> Report:
    """Exercise 1. `function(x_prev, eps, beta)` returns x_t, one small step noisier.

    x_prev, eps: (B, ...) of one shape; beta: float. x_t = sqrt(1 - beta) x_prev + sqrt(beta) eps,
    DDPM eq. 2.
    """
    trials = [
        _step_trial("4 RGB pictures", (4, 3, 8, 8), 0.3),
        _step_trial("2 grey pictures", (2, 1, 7, 5), 0.02),
        _step_trial("a batch of one picture", (1, 3, 6, 6), 0.9),
        _step_trial("16 points in the plane", (16, 2), 0.1),
    ]
    return examine(
        function,
        mix(lambda b: 1 - b, math.sqrt, math.sqrt),
        trials,
        STEP_SLIPS,
        "Pictures, a batch of one, points in the plane: the same numbers as ours on each.",
    )


def check_jump(function: Callable) -> Report:
    """Exercise 2. `function(x_0, eps, row, beta)` returns x_t, straight from the clean picture.

    x_0, eps: (B, C, H, W) float32; row: (B,) int64, one for each picture; beta: (T,) float64.
    DDPM eq. 4.
    """
    linear = linear_beta()
    trials = [
        _jump_trial("4 pictures of 4 by 4 pixels", (4, 3, 4, 4), (100, 900), linear),
        _jump_trial("5 RGB pictures, first rows", (5, 3, 8, 8), (0, 3), linear),
        _jump_trial("6 grey pictures, the cosine table", (6, 1, 5, 7), (0, 999), cosine_beta()),
        _jump_trial("a batch of one, last row", (1, 3, 6, 6), (999, 1000), linear),
    ]
    return examine(
        function,
        jump(lambda beta: torch.cumprod(1 - beta, 0)),
        trials,
        JUMP_SLIPS,
        "Each picture got the noise of its own row, in the picture's dtype.",
    )


def check_snr(function: Callable) -> Report:
    """Exercise 3. `function(alpha_bar)` returns the signal-to-noise ratio of each row, (T,)."""
    trials = [
        Trial("the linear table", {"alpha_bar": alpha_bar(linear_beta())}),
        Trial("the cosine table", {"alpha_bar": alpha_bar(cosine_beta())}),
        Trial("three values in float32", {"alpha_bar": torch.tensor([0.9, 0.5, 0.2])}),
    ]
    return examine(
        function,
        lambda a: a / (1 - a),
        trials,
        SNR_SLIPS,
        "A ratio of variances, for both schedules, with 1 where alpha_bar is one half.",
    )


def check_cosine_alpha_bar(function: Callable) -> Report:
    """Deeper exercise. `function(t)` returns alpha_bar by Nichol & Dhariwal eq. 17, shape of t."""
    trials = [
        Trial("eleven times from 0 to 1", {"t": torch.linspace(0, 1, 11)}),
        Trial("a batch of one time", {"t": torch.tensor([0.3])}),
        Trial("times out of order", {"t": torch.tensor([0.4, 0.1, 0.8, 0.25])}),
        Trial("times in float64", {"t": torch.linspace(0, 0.9, 7, dtype=torch.float64)}),
    ]
    return examine(
        function,
        squared_cosine(),
        trials,
        COSINE_SLIPS,
        "Equation 17, from 1 at t = 0 to 0 at t = 1.",
        rtol=1e-5,  # f(0) with and without a slip may differ by 3e-5
    )


def _step_trial(what: str, shape: tuple[int, ...], beta: float) -> Trial:
    return Trial(what, {"x_prev": normal(shape, 1), "eps": normal(shape, 2), "beta": beta})


def _jump_trial(
    what: str, shape: tuple[int, ...], rows: tuple[int, int], beta: torch.Tensor
) -> Trial:
    row = torch.randint(*rows, shape[:1], generator=torch.Generator().manual_seed(4))
    blocks = {"x_0": normal(shape, 1), "eps": normal(shape, 2)}
    inputs: dict[str, object] = {**blocks, "row": row, "beta": beta}
    return Trial(what, inputs)


def _kept_step(beta: float) -> float:
    return 1 - beta


def _product(beta: torch.Tensor) -> torch.Tensor:
    return torch.cumprod(1 - beta, 0)


_SAME_NOISE = (
    "You walk, adding the SAME eps each time. Added twice, it is not independent; use the jump."
)
_ROW_BEFORE = (
    "Off by one: these are the numbers of the row before. Papers count rows from 1, the table "
    "counts from 0, and `row` already counts from 0."
)

STEP_SLIPS = [
    Slip(
        "Both square roots are missing. beta and 1 - beta are shares of variance; a picture is "
        "multiplied by their square roots.",
        mix(_kept_step, signal=itself, noise=itself),
    ),
    Slip(
        "The noise is multiplied by beta, and the square root is missing: sqrt(beta). "
        "Multiplying by c multiplies the variance by c squared.",
        mix(_kept_step, signal=math.sqrt, noise=itself),
    ),
    Slip(
        "The picture is multiplied by 1 - beta, and the square root is missing: sqrt(1 - beta).",
        mix(_kept_step, signal=itself, noise=math.sqrt),
    ),
    Slip(
        "The two rates are swapped: with a small beta most of the picture should stay.",
        mix(itself, math.sqrt, math.sqrt),
    ),
    Slip(
        "Noise is added, but the picture is not shrunk first: the variance grows at each step. "
        "Multiply x_prev by sqrt(1 - beta).",
        lambda x, eps, beta: x + math.sqrt(beta) * eps,
    ),
    Slip(
        "The picture is not shrunk, and the square root of beta is missing.",
        lambda x, eps, beta: x + beta * eps,
    ),
    Slip(
        "The noise is subtracted. Noise has no side, so a picture would look the same, but the "
        "formula says plus, and a network that must name the noise needs its sign.",
        mix(_kept_step, signal=math.sqrt, noise=math.sqrt, sign=-1.0),
    ),
    Slip(HALF, mix(_kept_step, signal=half, noise=half)),
    Slip(HALF, mix(_kept_step, signal=half, noise=math.sqrt)),
    Slip(HALF, mix(_kept_step, signal=math.sqrt, noise=half)),
    Slip(
        "The noise is shrunk too; only the picture is.",
        lambda x, eps, beta: math.sqrt(1 - beta) * (x + math.sqrt(beta) * eps),
    ),
    Slip(
        "The noise has no factor.",
        lambda x, eps, beta: math.sqrt(1 - beta) * x + eps,
    ),
    Slip(
        "The picture's rate is 1 - sqrt(beta); the root of 1 - beta is something else.",
        lambda x, eps, beta: (1 - math.sqrt(beta)) * x + math.sqrt(beta) * eps,
    ),
    Slip(
        "It returns the noise only: the shrunken picture is not in it.",
        mix(_kept_step, signal=zero, noise=math.sqrt),
    ),
    Slip(
        "It returns the shrunken picture only: the noise is not in it.",
        mix(_kept_step, signal=math.sqrt, noise=zero),
    ),
]

JUMP_SLIPS = [
    Slip(
        "The noise is multiplied by 1 - alpha_bar, and the square root is missing.",
        jump(_product, noise=itself),
    ),
    Slip(
        "The picture is multiplied by alpha_bar, and the square root is missing.",
        jump(_product, signal=itself),
    ),
    Slip(
        "Both square roots are missing: alpha_bar and 1 - alpha_bar are shares of variance.",
        jump(_product, signal=itself, noise=itself),
    ),
    Slip(
        "The noise rate is 1 - sqrt(alpha_bar); it should be sqrt(1 - alpha_bar).",
        jump(_product, noise=lambda rest: 1 - torch.sqrt(1 - rest)),
    ),
    Slip(
        "This is alpha = 1 - beta of one row, where alpha_bar is needed: the product of all alphas "
        "up to that row. As it is, the function makes one single step.",
        jump(lambda beta: 1 - beta),
    ),
    Slip(
        "It uses the linear table, whatever `beta` is given. Is `alpha_bar` the one from the cell "
        "above? Compute it from `beta`.",
        jump(lambda beta: alpha_bar(linear_beta())),
    ),
    Slip(_SAME_NOISE, walk(1)),
    Slip(_SAME_NOISE, walk(0)),
    Slip(HALF, jump(_product, signal=half, noise=half)),
    Slip(HALF, jump(_product, signal=half)),
    Slip(HALF, jump(_product, noise=half)),
    Slip("beta of the row stands where alpha_bar is needed.", jump(lambda beta: beta)),
    Slip(
        "The product runs over the betas; it should run over the alphas, 1 - beta.",
        jump(lambda beta: torch.cumprod(beta, 0)),
    ),
    Slip(
        "The noise rate comes from a product of betas; it should be sqrt(1 - alpha_bar).",
        lambda x, eps, row, beta: (
            jump(_product, noise=torch.zeros_like)(x, eps, row, beta)
            + jump(lambda b: 1 - torch.cumprod(b, 0), signal=torch.zeros_like)(x, eps, row, beta)
        ),
    ),
    Slip(
        "The betas are added up, alpha_bar = 1 - sum(beta). Shares that are kept multiply: "
        "torch.cumprod(1 - beta, 0).",
        jump(lambda beta: 1 - torch.cumsum(beta, 0)),
    ),
    Slip(_ROW_BEFORE, jump(_product, index=lambda row: row - 1)),
    Slip(_ROW_BEFORE, jump(_product, index=lambda row: (row - 1).clamp(min=0))),
    Slip(_ROW_BEFORE, jump(lambda beta: torch.cumprod(1 - torch.cat([beta[:1] * 0, beta]), 0))),
    Slip(
        "Off by one: these are the numbers of the row after.",
        jump(_product, index=lambda row: row + 1),
    ),
    Slip(
        "All pictures got the row of the first one: `row` holds one row for each picture.",
        jump(_product, index=lambda row: row[:1]),
    ),
    Slip(
        "Signal and noise are swapped: sqrt(alpha_bar) belongs to the picture.",
        jump(lambda beta: 1 - torch.cumprod(1 - beta, 0)),
    ),
    Slip("It returns the noise only.", jump(_product, signal=torch.zeros_like)),
    Slip("It returns the shrunken picture only.", jump(_product, noise=torch.zeros_like)),
    Slip(
        "The rates are not broadcast: with shape (B,) they ran along the last axis, so each column "
        "of pixels got a noise level of its own. Use rate.view(-1, 1, 1, 1).",
        jump(_product, axes=(-1,)),
    ),
    Slip(
        "The rates are not broadcast: with shape (B, 1) they ran along the height, so each line "
        "of pixels got a noise level of its own. Use rate.view(-1, 1, 1, 1).",
        jump(_product, axes=(-1, 1)),
    ),
]

SNR_SLIPS = [
    Slip(
        "This is signal rate over noise rate. The SNR is a ratio of variances, the square of that. "
        "(Some libraries do call the ratio of rates snr.)",
        lambda a: (a / (1 - a)).sqrt(),
    ),
    Slip(
        "Brackets are missing: Python reads a / 1 - a as (a / 1) - a, which is 0. "
        "Write a / (1 - a).",
        torch.zeros_like,
    ),
    Slip("Upside down: this is noise over signal.", lambda a: (1 - a) / a),
    Slip("This is the ratio squared once too often.", lambda a: (a / (1 - a)) ** 2),
    Slip(
        "Rate and variance are mixed: the signal is a root, the noise is not.",
        lambda a: a.sqrt() / (1 - a),
    ),
    Slip(
        "Rate and variance are mixed: the noise is a root, the signal is not.",
        lambda a: a / (1 - a).sqrt(),
    ),
    Slip(
        "This is the logarithm of the SNR, good for plots; here the ratio itself is asked for.",
        lambda a: (a / (1 - a)).log(),
    ),
    Slip("This is the signal's variance; divide it by the noise's.", lambda a: 1 * a),
]

COSINE_SLIPS = [
    Slip("The square is missing: f(t) is the cosine squared.", squared_cosine(power=1)),
    Slip(
        "The square is missing in f(t), and f(0) has it: f is the cosine squared, at every t.",
        lambda t: (
            squared_cosine(power=1, start=False)(t) / math.cos(0.008 / 1.008 * math.pi / 2) ** 2
        ),
    ),
    Slip(
        "f(t) is not divided by f(0), so alpha_bar at t = 0 is 0.9998 and not 1.",
        squared_cosine(start=False),
    ),
    Slip(
        "You divided by f of the FIRST time in t; f(0) is at t = 0, and t need not begin there.",
        lambda t: squared_cosine()(t) / squared_cosine()(t[:1]),
    ),
    Slip(
        "You divided by the largest f in t; f(0) is at t = 0, and t need not hold it.",
        lambda t: squared_cosine()(t) / squared_cosine()(t).max(),
    ),
    Slip(
        "You divided by the root of f(0): f is the cosine squared, at t = 0 too.",
        lambda t: squared_cosine(start=False)(t) / math.cos(0.008 / 1.008 * math.pi / 2),
    ),
    Slip("The small offset s = 0.008 is missing.", squared_cosine(s=0.0)),
    Slip("The angle is twice too large: it should end at pi / 2.", squared_cosine(quarter=math.pi)),
    Slip(
        "The angle is not divided by 1 + s, so the cosine passes its zero before t = 1.",
        lambda t: (torch.cos((t + 0.008) * math.pi / 2) / math.cos(0.008 * math.pi / 2)) ** 2,
    ),
]
