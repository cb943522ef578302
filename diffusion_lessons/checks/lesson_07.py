"""The exercises of lesson 07: the loss of choices.

A network's losses are given as functions from x_0, t and eps to the loss of each picture, (B,).
"""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from .exercise import Exercise, draw, normal


def _losses(x_0: Tensor, t: Tensor, eps: Tensor, scale: float) -> Tensor:
    """Return what a network might lose: errors that hang on picture, time and noise, (B,)."""
    error = scale * x_0 - eps.sin() + t[:, None, None, None]
    return error.square().flatten(1).mean(1)


dpo_loss = Exercise(  # Wallace et al. 2024 (Diffusion-DPO), equation 14
    """
    def my_dpo_loss(winners, losers, t, eps, tuned, frozen, beta):
        better = tuned(winners, t, eps) - frozen(winners, t, eps)
        worse = tuned(losers, t, eps) - frozen(losers, t, eps)
        return -functional.logsigmoid(-beta / 2 * (better - worse)).mean()
    """,
    praise="A choice counts as far as the tuned network tells its two pictures apart better than "
    "the frozen one does.",
    trials={
        f"{count} pairs, beta = {beta:g}": draw("winners losers", count, 4, 3, 3)
        | {"t": torch.linspace(0.1, 0.9, count), "eps": normal(count, 4, 3, 3, seed=3)}
        | {name: partial(_losses, scale=n) for name, n in (("tuned", 0.9), ("frozen", 0.7))}
        | {"beta": beta}
        for count, beta in [(3, 20.0), (1, 5.0), (4, 60.0)]
    },
    slips={
        "(better - worse) => (worse - better)":
            "This learns to paint what was not chosen: winner and loser are exchanged, or the "
            "minus before beta is missing. A winner is to have the *smaller* loss.",
        " - frozen(winners, t, eps) => ;  - frozen(losers, t, eps) => ":
            "The frozen network is missing. Some pictures are simply harder than others; what "
            "counts is by how much the *tuning* has changed a loss.",
        "tuned(losers, t, eps) - frozen(losers, t, eps) => "
        "tuned(losers, t, eps.roll(1, 0)) - frozen(losers, t, eps.roll(1, 0))":
            "The two pictures of a pair are under different noise. Then their losses differ by "
            "chance, more than by taste: give both the same eps.",
        "-functional.logsigmoid(-beta / 2 * (better - worse)).mean() => "
        "-functional.logsigmoid(-beta / 2 * (better - worse).mean())":
            "The mean is taken before the logsigmoid. Each pair is a choice of its own: mean last.",
        ".mean() => .sum()":
            "The sum over the pairs grows with the batch. Take the mean.",
        "-beta / 2 => -beta": "The factor 1 / 2 before beta is missing.",
        "-functional.logsigmoid => functional.logsigmoid":
            "The sign in front: this is the logarithm of a probability, at most 0, and training "
            "makes a loss small. Put a minus before it.",
    },
    names={"functional": functional},
)  # fmt: skip
