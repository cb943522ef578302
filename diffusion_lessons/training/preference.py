"""Learning from choices: of two pictures of one prompt, the one that somebody likes better."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from diffusion_lessons import arguments

Losses = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From clean data (B, ...), times (B,) and noise (B, ...) to the loss of each, (B,)."""


def dpo_loss(
    winners: Tensor,
    losers: Tensor,
    t: Tensor,
    eps: Tensor,
    tuned: Losses,
    frozen: Losses,
    beta: float,
) -> Tensor:
    """Return Diffusion-DPO's loss, a mean over pairs: log 2 where `tuned` is `frozen`.

    -log sigmoid(-beta / 2 * ((L_w - L_w_ref) - (L_l - L_l_ref))), with the losses L of the tuned
    network and L_ref of the frozen one. The two pictures of a pair get the same time and noise, so
    that nothing but the pictures tells their losses apart. Wallace et al. 2024, equation 14, where
    beta times T is our beta / 2.

    winners, losers: clean data (B, ...). t: (B,). eps: noise, shape of winners. tuned, frozen: see
    `Losses`; from `frozen` no gradient should flow. beta: how dearly a step away from the frozen
    network is bought. It has to grow with the D numbers that a loss is the mean of: 5000, which the
    authors take for D = 16384 (Stable Diffusion 1.5), is as 78 for our 256.
    """
    beta = arguments.number("beta", beta, 0, 1e9, real=True)
    arguments.alike(winners=winners, losers=losers, eps=eps)
    arguments.shape("t", t, winners.shape[:1], ", one each", arguments.FLOATS)
    better = tuned(winners, t, eps) - frozen(winners, t, eps)
    worse = tuned(losers, t, eps) - frozen(losers, t, eps)
    return -functional.logsigmoid(-beta / 2 * (better - worse)).mean()
