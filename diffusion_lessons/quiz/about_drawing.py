"""Demonstrations about drawing: the walk back from noise, its steps, its start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

import torch
from torch import Tensor

from diffusion_lessons import models, prediction, sampling, schedule

_BOAT = {"object": "boat", "size": "large", "position": "middle"}
_SKY = (slice(None), slice(None), slice(0, 12))
_MIDDLE = (slice(None), slice(12, 28), slice(8, 24))  # of one colour: where the boat is


def guesses_sharpen() -> tuple[dict, Tensor]:
    """The clean guesses on the way: from a blur to a picture."""
    walk = list(_walk(16))
    looks = [walk[place] for place in (0, 3, 7, 15)]
    seen, guesses = [step.x_t for step in looks], [step.prediction.x_0 for step in looks]
    numbers = {f"t {place}": step.t for place, step in enumerate(looks)}
    numbers |= {f"off {i}": _distance(guess, walk[-1].x_next) for i, guess in enumerate(guesses)}
    return numbers, torch.cat(seen + guesses)


def noise_at_the_end() -> tuple[dict, Tensor]:
    """A walk as it should be, and with fresh noise once the clean end is reached."""
    dice, times = torch.Generator().manual_seed(0), sampling.times(16)
    walk = sampling.ddpm(_boats(1, "blue"), schedule.cosine, _noise([1]), times, dice)
    *_, before, last = walk
    (a, b), (a_next, b_next) = (
        schedule.cosine(torch.tensor([t])) for t in (before.t, before.t_next)
    )
    spread = ((1 - (a / a_next) ** 2).sqrt() * b_next / b).item()  # of the step before: DDPM eq. 7
    good = last.x_next
    bad = good + spread * torch.randn(good.shape, generator=dice)
    rough_good, rough_bad = (end.diff(dim=-1).abs().mean().item() for end in (good, bad))
    numbers = {"grain": rough_bad / rough_good, "spread": spread}
    return numbers, torch.cat([good, bad]).clamp(-1, 1)


def few_steps_are_enough() -> tuple[dict, Tensor]:
    """One start noise, walked with more and more steps: how far from the longest walk."""
    ends = {steps: sampling.finish(_walk(steps)) for steps in (1, 4, 16, 250)}
    numbers = {f"{steps} steps": _distance(end, ends[250]) for steps, end in ends.items()}
    return numbers, torch.cat([*ends.values()]).clamp(-1, 1)


def same_seed_other_word() -> tuple[dict, Tensor]:
    """A draft, then one word changed with the seed kept, then seeds changed with the words kept."""
    wishes = ([1], "blue"), ([1], "red"), ([2, 3, 4], "blue")
    draft, again, others = (sampling.finish(_walk(16, *wish)).clamp(-1, 1) for wish in wishes)
    lost = [_distance(other[None][_SKY], draft[_SKY]) for other in others]
    reddish = [
        (image[:, 0][_MIDDLE] - image[:, 2][_MIDDLE]).mean().item() for image in (draft, again)
    ]
    numbers = {
        "kept": _distance(again[_SKY], draft[_SKY]),
        "lost": sum(lost) / len(lost),
        "red": reddish[1] - reddish[0],
    }
    return numbers, torch.cat([draft, again, others])


def calls_that_wait() -> tuple[dict, None]:
    """Count the calls that wait for each other, for a picture and for one of twice the sides."""
    calls = Counter[int]()
    hook = _network()[0].register_forward_hook(lambda _, x, __: calls.update([x[0].shape[-1]]))
    for side in (32, 64):
        noise = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
        walk = sampling.ddim(_boats(1, "blue"), schedule.cosine, noise, sampling.times(16))
        sampling.finish(walk)
    hook.remove()
    patches = {f"patches {side}": (side // 4) ** 2 for side in calls}
    return patches | {f"diffusion {side}": count for side, count in calls.items()}, None


@cache
def _network() -> tuple[models.UNet, dict]:
    return models.load_unet("postcards-32")


def _boats(count: int, colour: str) -> prediction.Denoiser:
    """The network of the reverse sampler's lesson, asked for boats before the simplest ground."""
    model, card = _network()
    boat = _BOAT | {"colour": colour}
    row = [words.index(boat.get(name, words[0])) for name, words in card["factors"].items()]
    asked = torch.tensor([row] * count)
    return prediction.as_denoiser(model, schedule.cosine, card["kind"], asked, True)


def _noise(seeds: Sequence[int]) -> Tensor:
    """Start noise (N, 3, 32, 32), one picture for each seed."""
    generators = (torch.Generator().manual_seed(seed) for seed in seeds)
    return torch.stack([torch.randn(3, 32, 32, generator=dice) for dice in generators])


def _walk(
    steps: int, seeds: Sequence[int] = (1,), colour: str = "blue"
) -> Iterator[sampling.SampleStep]:
    """A walk to one boat for each seed, without chance on the way."""
    boats, times = _boats(len(seeds), colour), sampling.times(steps)
    return sampling.ddim(boats, schedule.cosine, _noise(seeds), times)


def _distance(images: Tensor, others: Tensor) -> float:
    return (images - others).square().mean().sqrt().item()
