"""Demonstrations about noise, its schedule, and what is learned from noisy pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from diffusion_lessons import postcards, prediction, schedule

_MANY = 200_000
_LEVEL = 0.6


def share_that_is_left() -> tuple[dict, None]:
    """At alpha_bar = 0.3, how much of the variance the clean picture has, measured."""
    beta = schedule.linear_beta()
    alpha_bars = schedule.alpha_bar(beta)
    row = int((alpha_bars - 0.3).abs().argmin())
    alpha_bar = alpha_bars[row]
    x_0, eps = _random(2)
    x_t = alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * eps
    fitted = (x_t * x_0).mean() / x_0.square().mean()
    return {
        "share": (fitted**2 * x_0.var() / x_t.var()).item(),
        "alpha_bar": alpha_bar.item(),
        "signal_rate": alpha_bar.sqrt().item(),
        "beta": beta[row].item(),
        "snr": (alpha_bar / (1 - alpha_bar)).item(),
        "steps": row + 1,
    }, None


def variance_of_the_noise() -> tuple[dict, None]:
    """At alpha_bar = 0.36: the variance of what is not picture, measured."""
    x_0, eps = _random(2)
    signal, noise_rate = 0.36**0.5 * x_0, 0.64**0.5
    noisy = signal + noise_rate * eps
    rest = noisy - signal
    found = {"variance": rest.var(), "spread": rest.std(), "whole": noisy.var()}
    return {name: value.item() for name, value in found.items()}, None


def mean_of_two() -> tuple[dict, Tensor]:
    """The exact answer for a set of a black and a white cat, where both fit equally well."""
    scene = postcards.compose(postcards.parse("a large red cat in the middle"), seed=0)
    white = 0.9 * postcards.object_mask(scene).float().expand(-1, 3, -1, -1)
    black, mean, t = -white, torch.zeros_like(white), torch.tensor([0.9])
    eps = torch.randn(white.shape, generator=torch.Generator().manual_seed(1))
    apart = white - black
    eps -= (eps * apart).sum() / apart.square().sum() * apart  # which favours neither cat
    middle = schedule.add_noise(mean, eps, t, schedule.cosine)
    answer = prediction.exact_denoiser(torch.cat([black, white]), schedule.cosine)(middle, t).x_0
    numbers = {
        "from the mean": (answer - mean).abs().max().item(),
        "from a cat": (answer - black).abs().max().item(),
    }
    return numbers, torch.cat([black, white, middle, answer])


def solved_for_the_picture() -> tuple[dict, Tensor]:
    """From the noise to the picture by arithmetic alone."""
    scene = postcards.compose(postcards.parse("a red house on snow at night"), seed=3)
    house, t = postcards.draw(scene), torch.tensor([_LEVEL])
    eps = torch.randn(house.shape, generator=torch.Generator().manual_seed(2))
    x_t = schedule.add_noise(house, eps, t, schedule.cosine)
    signal_rate, noise_rate = schedule.cosine(t)
    solved = (x_t - noise_rate * eps) / signal_rate
    return {"difference": (solved - house).abs().max().item()}, torch.cat([x_t, eps, solved])


def last_increment() -> tuple[dict, None]:
    """Walk to t = 0.6, and compare the noise of the last small step with all the noise."""
    beta, dice = schedule.linear_beta(), torch.Generator().manual_seed(3)
    x = torch.zeros(_MANY, dtype=torch.float64)  # no picture, so that all is noise
    for step in beta[: round(_LEVEL * len(beta))]:
        last = torch.randn(_MANY, generator=dice, dtype=torch.float64) * step.sqrt()
        x = (1 - step).sqrt() * x + last
    likeness = torch.corrcoef(torch.stack([x, last]))[0, 1].item()
    return {"share": (last.var() / x.var()).item(), "likeness": likeness}, None


def _random(rows: int) -> Tensor:
    """Independent numbers of variance 1, (rows, 200,000)."""
    dice = torch.Generator().manual_seed(0)
    return torch.randn(rows, _MANY, generator=dice, dtype=torch.float64)
