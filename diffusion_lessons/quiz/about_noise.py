"""Demonstrations about noise, its schedule, and what is learned from noisy pictures."""

from __future__ import annotations

import torch

from diffusion_lessons import postcards, prediction, schedule

from .shown import Shown, with_pictures

_LEVEL = 0.6


def share_that_is_left() -> Shown:
    """At alpha_bar = 0.3, how much of the variance the clean picture has, measured."""
    beta = schedule.linear_beta()
    alpha_bar = schedule.alpha_bar(beta)
    row = int((alpha_bar - 0.3).abs().argmin())
    x_0, eps = _numbers(2)
    x_t = alpha_bar[row].sqrt() * x_0 + (1 - alpha_bar[row]).sqrt() * eps
    fitted = (x_t * x_0).mean() / x_0.square().mean()
    numbers = {
        "share": (fitted**2 * x_0.var() / x_t.var()).item(),
        "alpha_bar": alpha_bar[row].item(),
        "signal_rate": alpha_bar[row].sqrt().item(),
        "beta": beta[row].item(),
        "snr": (alpha_bar[row] / (1 - alpha_bar[row])).item(),
    }
    words = (
        f"After {row + 1} of 1000 steps, a share of {numbers['share']:.3f} of the variance was "
        f"measured to be the clean picture's. The schedule says: "
        f"alpha_bar {numbers['alpha_bar']:.3f}, signal_rate {numbers['signal_rate']:.3f}, "
        f"snr {numbers['snr']:.3f}, beta {numbers['beta']:.4f}."
    )
    return Shown(words, numbers)


def variance_of_the_noise() -> Shown:
    """At alpha_bar = 0.36: the variance of what is not picture, measured."""
    x_0, eps = _numbers(2)
    signal_rate, noise_rate = 0.36**0.5, 0.64**0.5
    noisy = signal_rate * x_0 + noise_rate * eps
    rest = noisy - signal_rate * x_0
    numbers = {"variance": rest.var().item(), "whole": noisy.var().item()}
    words = (
        f"One jump of 200,000 numbers: the noise in it has variance {numbers['variance']:.2f}, and "
        f"standard deviation {rest.std():.2f}. Picture and noise together: {numbers['whole']:.2f}."
    )
    return Shown(words, numbers)


def mean_of_two() -> Shown:
    """The exact answer for a set of a black and a white cat, where both fit equally well."""
    black, white = _cats()
    answer = prediction.exact_denoiser(torch.cat([black, white]), schedule.cosine)
    t = torch.tensor([0.9])
    eps = torch.randn(black.shape, generator=_dice(1))
    middle = schedule.add_noise(
        (black + white) / 2, _between(eps, white - black), t, schedule.cosine
    )
    said = answer(middle, t).x_0
    numbers = {
        "from the mean": (said - (black + white) / 2).abs().max().item(),
        "from a cat": (said - black).abs().max().item(),
    }
    return with_pictures(
        torch.cat([black, white, middle, said]),
        ["one of two", "the other", "noisy, t = 0.9", "the best answer"],
        "A black cat, a white cat, noise, and the best answer: a grey cat in the same place.",
        "The best answer is their mean. Its largest difference from the mean of both is "
        f"{numbers['from the mean']:.3f}, and from either cat {numbers['from a cat']:.2f}.",
        numbers,
    )


def solved_for_the_picture() -> Shown:
    """From the noise to the picture by arithmetic alone."""
    house = _postcard("a red house on snow at night")
    eps, t = torch.randn(house.shape, generator=_dice(2)), torch.tensor([_LEVEL])
    x_t = schedule.add_noise(house, eps, t, schedule.cosine)
    signal_rate, noise_rate = schedule.cosine(t)
    solved = (x_t - noise_rate * eps) / signal_rate
    numbers = {"largest difference": (solved - house).abs().max().item()}
    return with_pictures(
        torch.cat([x_t, eps, solved]),
        ["noisy, t = 0.6", "the noise", "solved for x_0"],
        "A noisy picture, its noise, and the red house that comes out by arithmetic.",
        "Here the noise was named without error: the largest difference of what comes out from the "
        f"clean picture is {numbers['largest difference']:.6f}.",
        numbers,
    )


def last_increment() -> Shown:
    """Walk to t = 0.6, and compare the noise of the last small step with all the noise."""
    beta, dice = schedule.linear_beta(), _dice(3)
    x = torch.zeros(200_000, dtype=torch.float64)  # no picture, so that all is noise
    for step in beta[: round(_LEVEL * len(beta))]:
        last = torch.randn(len(x), generator=dice, dtype=torch.float64) * step.sqrt()
        x = (1 - step).sqrt() * x + last
    whole = x.var()
    numbers = {
        "share of the last step": (last.var() / whole).item(),
        "likeness": torch.corrcoef(torch.stack([x, last]))[0, 1].item(),
    }
    words = (
        f"600 small steps were walked. The last one put in {numbers['share of the last step']:.1%} "
        f"of the noise, and it resembles the whole (correlation) to {numbers['likeness']:.2f}, "
        "where 1 is the same. The target is the whole."
    )
    return Shown(words, numbers)


def _cats() -> tuple[torch.Tensor, torch.Tensor]:
    """A black and a white cat, each (1, 3, 64, 64), on the same grey paper."""
    said = postcards.parse("a large red cat in the middle")
    mask = postcards.object_mask(postcards.compose(said, seed=0)).float()
    return -mask.expand(-1, 3, -1, -1) * 0.9, mask.expand(-1, 3, -1, -1) * 0.9


def _between(eps: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    """`eps` without the part along `direction`, so that it favours neither end."""
    return eps - (eps * direction).sum() / direction.square().sum() * direction


def _postcard(caption: str) -> torch.Tensor:
    """A postcard (1, 3, 64, 64)."""
    return postcards.draw(postcards.compose(postcards.parse(caption), seed=3))


def _numbers(rows: int) -> torch.Tensor:
    """Independent numbers of variance 1, (rows, 200,000)."""
    return torch.randn(rows, 200_000, generator=_dice(0), dtype=torch.float64)


def _dice(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
