"""Training a denoiser: noise of every level is added, and the network's error is the loss.

One loss serves every kind of prediction and every schedule; `fit.Fit` takes the steps.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from diffusion_lessons import arguments
from diffusion_lessons.data import Batch
from diffusion_lessons.prediction import target
from diffusion_lessons.schedule import Schedule, add_noise, rates_like

from .fit import Fit, fit_seeded

LEAST_TIME = 0.001  # training sees times from here to 1: row 0 of a table to its last row
LARGEST_WEIGHT = 10.0  # of the clean guess's error, where there is little noise

Batches = Callable[[int], Batch]
"""From a step's number to its `Batch`: `data.PictureSet.batches`, or a function of your own."""


def diffusion_loss(
    model: Callable[..., Tensor],
    x_0: Tensor,
    t: Tensor,
    eps: Tensor,
    schedule: Schedule,
    kind: str,
    given: Tensor | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Return DDPM's loss: the mean squared difference between a network's output and its target.

    For kind "x_0" each item's error is divided by noise_rate^2, which makes it the error in v:
    without that, pictures with little noise, which need the finest work, would hardly count. The
    weight is 10 at most, so that the last grains of noise do not take all the network's capacity.

    model: called as model(x_t, t), or model(x_t, t, given). x_0: clean data (B, ...). t: (B,)
    floats in [0, 1]. eps: noise, shape of x_0. kind: one of `prediction.KINDS`. given: labels
    (B, K), or context (B, L, D), or None. weight: of each number's error, shape of x_0; None weighs
    all alike. Raises ValueError for shapes that do not fit and an unknown kind. DDPM eq. 14;
    Salimans & Ho 2022 section 4 on the weights.
    """
    error = _squared_error(model, x_0, t, eps, schedule, kind, given)
    if weight is not None:
        arguments.alike(x_0=x_0, weight=weight)
    return (error if weight is None else error * weight).mean()


def loss_of_each(
    model: Callable[..., Tensor],
    x_0: Tensor,
    t: Tensor,
    eps: Tensor,
    schedule: Schedule,
    kind: str,
    given: Tensor | None = None,
) -> Tensor:
    """Return the `diffusion_loss` of each item of a batch, (B,). Arguments and errors as there."""
    return _squared_error(model, x_0, t, eps, schedule, kind, given).flatten(1).mean(1)


def _squared_error(
    model: Callable[..., Tensor], x_0: Tensor, t: Tensor, eps: Tensor, schedule: Schedule,
    kind: str, given: Tensor | None,
) -> Tensor:  # fmt: skip
    """Return the weighted squared error of each number, shape of x_0."""
    rates = schedule(t)
    x_t = add_noise(x_0, eps, t, lambda _: rates)
    output = model(x_t, t) if given is None else model(x_t, t, given)
    signal_rate, noise_rate = rates_like(x_0, *rates)
    error = (output - target(kind, x_0, eps, signal_rate, noise_rate)) ** 2
    if kind == "x_0":
        error = error * (1 / noise_rate**2).clamp(max=LARGEST_WEIGHT)
    return error


def spread_times(count: int, generator: torch.Generator) -> Tensor:
    """Draw `count` times, (count,), spread evenly over [0.001, 1): one in each of equal parts.

    Each alone is uniform; together they cover all noise levels in every batch, which makes the loss
    less noisy. Kingma et al. 2021, appendix I.1.
    """
    count = arguments.number("count", count, 1, 2**31)
    start = torch.rand(1, generator=generator)
    even = (start + torch.arange(count) / count) % 1
    return LEAST_TIME + (1 - LEAST_TIME) * even


def train(
    model: nn.Module,
    batches: Batches,
    schedule: Schedule,
    kind: str,
    steps: int,
    learning_rate: float,
    seed: int = 0,
    ema_decay: float = 0.999,
    half: bool = False,
    call: Callable[..., Tensor] | None = None,
) -> Fit:
    """Train a denoiser; `for done in train(...)` takes one step at a time, yielding a `TrainStep`.

    Times and noise of a step follow from `seed` and its number alone, so that a training that was
    stopped can be resumed with the same result. Sample from `.ema`, the running average.

    Args:
        model, steps, learning_rate, ema_decay, half: see `fit.Fit` and `fit.fit_seeded`.
        batches: the data of each step and what is given to the network with it; labels (B, 0)
            give it nothing.
        kind: of prediction, one of `prediction.KINDS`.
        seed: 0 to 2000.
        call: what computes the output, where that is not the model by itself, as with a LoRA.
    """
    device = next(model.parameters()).device

    def loss(batch: Batch, dice: torch.Generator) -> Tensor:
        x_0 = batch.x_0.to(device)
        t = spread_times(len(x_0), dice).to(device)
        eps = torch.randn(x_0.shape, generator=dice).to(device)
        given = batch.given.to(device) if batch.given.shape[1] else None
        weight = None if batch.weight is None else batch.weight.to(device)
        return diffusion_loss(call or model, x_0, t, eps, schedule, kind, given, weight)

    return fit_seeded(model, batches, loss, steps, learning_rate, seed, ema_decay, half)
