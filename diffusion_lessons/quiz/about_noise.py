"""Demonstrations about noise: its schedule, what it hides, what is learned from it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import data, models, postcards, prediction, schedule

_MANY = 200_000
_LEVEL = 0.6


def shares_of_the_mix(left: float) -> tuple[dict, None]:
    """At the row where alpha_bar is `left`: what of the variance is picture and noise, measured."""
    beta = schedule.linear_beta()
    alpha_bars = schedule.alpha_bar(beta)
    row = int((alpha_bars - left).abs().argmin())
    alpha_bar, dice = alpha_bars[row], torch.Generator().manual_seed(0)
    x_0, eps = torch.randn(2, _MANY, generator=dice, dtype=torch.float64)  # of variance 1
    x_t = alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * eps
    clean, noise = ((x_t * part).mean() / part.square().mean() * part for part in (x_0, eps))
    found = {
        "picture": clean.var() / x_t.var(),
        "noise": noise.var() / x_t.var(),
        "alpha_bar": alpha_bar,
        "signal_rate": alpha_bar.sqrt(),
        "noise_rate": (1 - alpha_bar).sqrt(),
        "beta": beta[row],
        "snr": alpha_bar / (1 - alpha_bar),
    }
    return {"steps": row + 1} | {name: value.item() for name, value in found.items()}, None


def still_in_question(side: int, level: float) -> tuple[dict, Tensor]:
    """How many of 256 sprites of `side` pixels the exact answer at t = `level` is a mean of."""
    t, dice = torch.tensor([level]), torch.Generator().manual_seed(1)
    x_0 = data.load("sprites", size=32, channels=3).sample(256, seed=0).x_0
    x_0 = functional.avg_pool2d(x_0, 32 // side)
    a, b = (rate.item() for rate in schedule.cosine(t))
    x_t = a * x_0 + b * torch.randn(x_0.shape, generator=dice)
    distance = torch.cdist(x_t.flatten(1), a * x_0.flatten(1))
    weights = torch.softmax(-(distance**2) / (2 * b**2), dim=1)
    count = torch.exp(-torch.special.xlogy(weights, weights).sum(dim=1)).mean().item()
    answers = (weights[:4] @ x_0.flatten(1)).reshape(x_0[:4].shape)
    shown = torch.cat([x_0[:4], x_t[:4].clamp(-1, 1), answers])
    return {"count": count}, functional.interpolate(shown, size=32)


def last_increment() -> tuple[dict, None]:
    """Walk to t = 0.6, and compare the noise of the last small step with all the noise."""
    beta, dice = schedule.linear_beta(), torch.Generator().manual_seed(3)
    x = torch.zeros(_MANY, dtype=torch.float64)  # no picture, so that all is noise
    for step in beta[: round(_LEVEL * len(beta))]:
        last = torch.randn(_MANY, generator=dice, dtype=torch.float64) * step.sqrt()
        x = (1 - step).sqrt() * x + last
    likeness = torch.corrcoef(torch.stack([x, last]))[0, 1].item()
    return {"share": (last.var() / x.var()).item(), "likeness": likeness}, None


def told_of_another() -> tuple[dict, Tensor]:
    """Lesson 03's network at t = 0.3, told what new postcards show, and what others show: its
    squared errors, as shares of the variance of postcards."""
    model, card = models.load_unet("postcards-32")
    scenes = postcards.sample_scenes(128, seed=9, kind="single")
    x_0 = functional.avg_pool2d(postcards.draw(scenes), 2)
    columns = (scenes.attributes[name] for name in card["factors"])
    labels = torch.stack([one if one.ndim == 1 else one[:, 0] for one in columns], dim=1)
    noise = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(1))
    t, found = torch.full((128,), 0.3), {}
    x_t = schedule.add_noise(x_0, noise, t, schedule.cosine)
    shown = [x_0[:4], x_t[:4]]
    for name, told in (("truth", labels), ("another's", labels.roll(1, dims=0))):
        guess = prediction.as_denoiser(model, schedule.cosine, card["kind"], told)(x_t, t).x_0
        found[name] = ((guess - x_0).square().mean() / x_0.var(dim=0).mean()).item()
        shown.append(guess[:4])
    return found, torch.cat(shown).clamp(-1, 1)
