"""Demonstrations about drawing: the walk back from noise, its steps, its start."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from diffusion_lessons import models, prediction, sampling, schedule

from .shown import Shown, with_pictures

_BOAT = {"object": "boat", "colour": "blue", "size": "large", "position": "middle"}
_PATCH, _STEPS, _SKY = 4, 16, 12  # pixels, calls, rows of pixels


def guesses_sharpen() -> Shown:
    """The clean guesses on the way: from a blur to a picture."""
    walk = list(sampling.ddim(_denoiser([_BOAT]), schedule.cosine, _noise(), sampling.times(16)))
    goal = walk[-1].x_next
    shown = [walk[place] for place in (0, 3, 7, 15)]
    off = [_distance(step.prediction.x_0, goal) for step in shown]
    numbers = {"first": off[0], "last": off[-1]}
    return with_pictures(
        torch.cat([step.x_t for step in shown] + [step.prediction.x_0 for step in shown]),
        [f"seen, t = {step.t:.2f}" for step in shown] + [f"off by {one:.2f}" for one in off],
        "Above, what the network sees, less and less noisy. Below, its guesses: a blur, then ever "
        "sharper.",
        f"Below, the guess of the clean picture. The first is off by {off[0]:.2f} from what comes "
        f"out in the end, the last by {off[-1]:.2f} (root of the mean squared difference).",
        numbers,
        columns=4,
    )


def noise_at_the_end() -> Shown:
    """A walk as it should be, and with fresh noise once the clean end is reached."""
    dice = torch.Generator().manual_seed(0)
    walk = sampling.ddpm(_denoiser([_BOAT]), schedule.cosine, _noise(), sampling.times(16), dice)
    *_, before, last = walk
    good = last.x_next
    (a, b), (a_next, b_next) = (
        schedule.cosine(torch.tensor([t])) for t in (before.t, before.t_next)
    )
    spread = ((1 - (a / a_next) ** 2).sqrt() * b_next / b).item()  # of the step before: DDPM eq. 7
    bad = good + spread * torch.randn(good.shape, generator=dice)
    numbers = {"grain": _rough(bad) / _rough(good), "spread": spread}
    return with_pictures(
        torch.cat([good, bad]).clamp(-1, 1),
        ["no noise at t = 0", "noise at t = 0"],
        "A blue boat, clean; the same boat under grain.",
        f"With noise of standard deviation {spread:.2f} in the last step, neighbouring pixels "
        f"differ {numbers['grain']:.1f} times as much. No step follows that could take it away.",
        numbers,
    )


def few_steps_are_enough() -> Shown:
    """One start noise, walked with more and more steps: how far from the longest walk."""
    ask, counts = _denoiser([_BOAT]), (1, 4, 16, 250)
    ends = [
        sampling.finish(sampling.ddim(ask, schedule.cosine, _noise(), sampling.times(count)))
        for count in counts
    ]
    off = [_distance(end, ends[-1]) for end in ends]
    numbers = {f"{count} steps": one for count, one in zip(counts, off, strict=True)}
    return with_pictures(
        torch.cat(ends).clamp(-1, 1),
        [f"{count} step{'s' * (count > 1)}" for count in counts],
        "A blue boat from one start noise: blurred with 1 step, then alike with 4, 16 and 250.",
        f"From the walk of 250 steps, 16 steps are off by {off[2]:.3f}, 4 by {off[1]:.3f} and 1 by "
        f"{off[0]:.3f}. The network was trained on 1000 levels, and does not mind.",
        numbers,
    )


def same_seed_other_word() -> Shown:
    """A draft, then one word changed with the seed kept, then seeds changed with the words kept."""
    seeds = (2, 3, 4)
    draft, again = _paint([_BOAT], [1]), _paint([_BOAT | {"colour": "red"}], [1])
    others = _paint([_BOAT] * len(seeds), seeds)
    sky = (slice(None), slice(None), slice(0, _SKY))
    kept = _distance(again[sky], draft[sky])
    lost = sum(_distance(one[None][sky], draft[sky]) for one in others) / len(seeds)
    return with_pictures(
        torch.cat([draft, again, others]),
        ["draft", "same seed, red", *(f"seed {seed}" for seed in seeds)],
        "A blue boat; the same scene with a red boat; three other scenes with a blue boat.",
        f"One word changed and the seed kept: the sky above the boat changes by {kept:.2f}. "
        f"The seed changed and the words kept: by {lost:.2f}.",
        {"kept": kept, "lost": lost, "red": _reddish(again) - _reddish(draft)},
    )


def calls_that_wait() -> Shown:
    """Count the calls that wait for each other, for a picture and for one of twice the sides."""
    numbers: dict[str, float] = {}
    told = []
    for side in (32, 64):
        calls: list[Tensor] = []

        def ask(x_t: Tensor, t: Tensor, calls: list = calls) -> prediction.Prediction:
            calls.append(t)
            return _denoiser([_BOAT])(x_t, t)

        dice = torch.Generator().manual_seed(1)
        noise = torch.randn(1, 3, side, side, generator=dice)
        sampling.finish(sampling.ddim(ask, schedule.cosine, noise, sampling.times(_STEPS)))
        numbers |= {f"patches {side}": (side // _PATCH) ** 2, f"diffusion {side}": len(calls)}
        told.append(
            f"{side} by {side} pixels: {(side // _PATCH) ** 2} patches of 4 by 4, one call each; "
            f"{len(calls)} calls of the diffusion network were counted"
        )
    return Shown(f"{'. '.join(told)}.", numbers)


@cache
def _network() -> tuple[models.UNet, dict]:
    return models.load_unet("postcards-32")


def _denoiser(wanted: Sequence[dict[str, str]]) -> prediction.Denoiser:
    """The network of the reverse sampler's lesson, asked for `wanted`; what is not said is the
    first word of each factor."""
    model, card = _network()
    rows = [
        [words.index(one.get(name, words[0])) for name, words in card["factors"].items()]
        for one in wanted
    ]
    return prediction.as_denoiser(model, schedule.cosine, card["kind"], torch.tensor(rows), True)


def _noise(seeds: Sequence[int] = (1,)) -> Tensor:
    """Start noise (N, 3, 32, 32), one picture for each seed."""
    dice = (torch.Generator().manual_seed(seed) for seed in seeds)
    return torch.stack([torch.randn(3, 32, 32, generator=one) for one in dice])


def _paint(wanted: Sequence[dict[str, str]], seeds: Sequence[int]) -> Tensor:
    """Pictures (N, 3, 32, 32), in 16 steps without chance on the way."""
    walk = sampling.ddim(_denoiser(wanted), schedule.cosine, _noise(seeds), sampling.times(16))
    return sampling.finish(walk).clamp(-1, 1)


def _distance(one: Tensor, other: Tensor) -> float:
    return (one - other).square().mean().sqrt().item()


def _reddish(images: Tensor) -> float:
    """How much more red than blue there is in the middle, where the boat is."""
    return (images[:, 0, 12:28, 8:24] - images[:, 2, 12:28, 8:24]).mean().item()


def _rough(images: Tensor) -> float:
    """Mean difference of pixels that are neighbours in a row."""
    return images.diff(dim=-1).abs().mean().item()
