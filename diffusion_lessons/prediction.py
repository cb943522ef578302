"""Kinds of prediction: a network's target in training, and both guesses from its output.

A network sees ``x_t = signal_rate * x_0 + noise_rate * eps`` and t. It may predict the noise, the
clean data, or a mix of both. With x_t known, each of these gives all the others, because they
solve one equation. So one loss and one family of samplers serve all kinds:

========== ================================================= =====================================
kind       the network predicts                              paper
========== ================================================= =====================================
"eps"      the noise                                         Ho et al. 2020, eq. 14
"x_0"      the clean data                                    Ho et al. 2020, section 3.2
"v"        signal_rate * eps - noise_rate * x_0              Salimans & Ho 2022, section 4
"velocity" eps - x_0                                         Liu et al. 2022, eq. 1 (opposite sign)
========== ================================================= =====================================

Where division fails. At pure noise x_t holds no trace of the picture, so a noise guess says
nothing about x_0; at t = 0 a clean guess says nothing about eps. `read_off` treats a rate below
`SMALLEST_RATE` as 0: the network's own guess is kept, and the other one is 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from . import arguments
from .schedule import Schedule, rates_like

KINDS = ("eps", "x_0", "v", "velocity")
"""Kinds of prediction; in `diffusers` epsilon, sample, v_prediction and flow_prediction."""

SMALLEST_RATE = 5e-4
"""Nothing is divided by a rate below this. It lies between the last row of the cosine table, whose
signal_rate is 0.00005 (alpha_bar 2.4e-9: dividing would multiply each error by 20,000), and all
other rows, of which the smallest rate is 0.001."""


@dataclass(frozen=True)
class Prediction:
    """Both guesses of a denoiser for one x_t: `x_0` and `eps`, each in the shape of x_t."""

    x_0: Tensor
    eps: Tensor


Denoiser = Callable[..., Prediction]
"""From x_t (B, ...) and t (B,) to both guesses: all that a sampler needs to know of a network. One
with a third parameter `rates` is also given the rates at t, which a walk has computed already."""


def target(kind: str, x_0: Tensor, eps: Tensor, signal_rate: Tensor, noise_rate: Tensor) -> Tensor:
    """Return the training target of a network of this kind.

    kind: one of `KINDS`, or ValueError. x_0, eps: clean data and its noise, (B, ...), as is the
    result. The rates: as a schedule returns them, (B, 1, 1, 1). Papers: see the table above.
    """
    arguments.choice("kind", kind, KINDS)
    arguments.alike(x_0=x_0, eps=eps)
    a, b = rates_like(x_0, signal_rate, noise_rate)
    return {"eps": eps, "x_0": x_0, "v": a * eps - b * x_0, "velocity": eps - x_0}[kind]


def read_off(
    kind: str, output: Tensor, x_t: Tensor, signal_rate: Tensor, noise_rate: Tensor
) -> Prediction:
    """Read both guesses off a network's output: solve the mix for what is not known.

    kind, rates: as in `target`; rates may also have as many axes as x_t. output, x_t: (B, ...), of
    one shape, or ValueError. Returns x_0 (`pred_original_sample` in `diffusers`) and eps with
    ``signal_rate * x_0 + noise_rate * eps = x_t``, except where a rate is below `SMALLEST_RATE`:
    for "eps" at pure noise x_0 is 0, for "x_0" at t = 0 eps is 0.
    """
    arguments.choice("kind", kind, KINDS)
    arguments.alike(x_t=x_t, **{"the network's output": output})
    signal_rate, noise_rate = rates_like(x_t, signal_rate, noise_rate)
    if kind == "eps":
        return Prediction(_divide(x_t - noise_rate * output, signal_rate), output)
    if kind == "x_0":
        return Prediction(output, _divide(x_t - signal_rate * output, noise_rate))
    # The output is a * eps - b * x_0. On curved schedules the divisor of v is 1.
    a, b = (signal_rate, noise_rate) if kind == "v" else [torch.ones_like(signal_rate)] * 2
    both = a * signal_rate + b * noise_rate
    x_0 = (a * x_t - noise_rate * output) / both
    return Prediction(x_0, (b * x_t + signal_rate * output) / both)


def as_denoiser(
    model: Callable[..., Tensor],
    schedule: Schedule,
    kind: str,
    given: Tensor | None = None,
    clip: bool = False,
) -> Denoiser:
    """Wrap a network so that samplers need not know its kind of prediction.

    model: called as ``model(x_t, t, given)``, or ``model(x_t, t)`` where nothing is given. kind:
    one of `KINDS`, or ValueError. given: labels (B, K) or context (B, L, D). clip: keep the clean
    guess in [-1, 1], where pictures live, and let eps be what then fits x_t.
    """
    arguments.choice("kind", kind, KINDS)
    also = () if given is None else (given,)

    def denoiser(x_t: Tensor, t: Tensor, rates: Tensor | None = None) -> Prediction:
        a, b = schedule(t) if rates is None else rates
        prediction = read_off(kind, model(x_t, t, *also), x_t, a, b)
        if clip:
            prediction = read_off("x_0", prediction.x_0.clamp(-1, 1), x_t, a, b)
        return prediction

    return denoiser


def keep(denoiser: Denoiser, schedule: Schedule, x_0: Tensor, until: Tensor) -> Denoiser:
    """Return a denoiser that knows a part of the clean data: its guess there is x_0 itself.

    So a walk repaints the rest alone. What is known from the start stays, under a sampler without
    noise, at ``signal_rate * x_0 + noise_rate * eps`` with the eps of the start: just what
    `diffusers` mixes in after each step, noised to t_next.

    denoiser: as `as_denoiser` returns it. x_0: (B, ...). until: to broadcast, the time until which
    each place is repainted: 0 to the end, 1 not at all; in between Levin & Fried 2023.
    """

    arguments.tensor("x_0", x_0)
    arguments.tensor("until", until)
    sizes = [1 if until.shape[i : i + 1] == (1,) else n for i, n in enumerate(x_0.shape)]
    arguments.shape("until", until, sizes if until.ndim else ())

    def knowing(x_t: Tensor, t: Tensor, rates: Tensor | None = None) -> Prediction:
        a, b = schedule(t) if rates is None else rates
        arguments.alike(x_t=x_t, x_0=x_0)
        free = t.view(-1, *[1] * (x_t.ndim - 1)) > until
        guess = torch.where(free, denoiser(x_t, t, rates).x_0, x_0)
        return read_off("x_0", guess, x_t, a, b)

    return knowing


def exact_denoiser(x_0_set: Tensor, schedule: Schedule) -> Denoiser:
    """Return the best possible denoiser of a finite set: a weighted mean of its members.

    x_0_set: (N, ...), such as pictures (N, C, H, W) or points (N, 2), all equally likely. The
    weight of a member is how likely x_t would be if that member were the clean one:
    ``softmax(-|x_t - signal_rate * x_0|^2 / (2 * noise_rate^2))``, over the N members. No network
    can have a smaller mean squared error on this set. Computed in float64 on the CPU. Raises
    ValueError for an empty set. Karras et al. 2022, eq. 57.
    """
    arguments.tensor("x_0_set", x_0_set)
    if x_0_set.ndim < 2 or len(x_0_set) == 0:
        shape = tuple(x_0_set.shape)
        raise ValueError(f"x_0_set has shape {shape}; give at least one member, as (N, ...)")
    members = x_0_set.detach().cpu().double().flatten(1)  # (N, D)
    squares = (members**2).sum(dim=1)  # (N,)

    def denoiser(x_t: Tensor, t: Tensor, rates: Tensor | None = None) -> Prediction:
        a, b = schedule(t) if rates is None else rates
        arguments.shape("x_t", x_t, ("B", *x_0_set.shape[1:]), ", as the set's members")
        flat = x_t.detach().cpu().double().flatten(1)  # (B, D)
        signal_rate, noise_rate = rates_like(flat, a.cpu(), b.cpu())  # (B, 1)
        # |x_t|^2 is the same for all members, so the softmax does not see it.
        distance = signal_rate**2 * squares - 2 * signal_rate * (flat @ members.T)  # (B, N)
        weights = torch.softmax(-distance / (2 * noise_rate.clamp(min=SMALLEST_RATE) ** 2), dim=1)
        return read_off("x_0", (weights @ members).to(x_t).view_as(x_t), x_t, a, b)

    return denoiser


def _divide(part: Tensor, rate: Tensor) -> Tensor:
    """Return part / rate, and 0 where the rate is next to nothing."""
    return torch.where(rate < SMALLEST_RATE, 0.0, part / rate.clamp(min=SMALLEST_RATE))
