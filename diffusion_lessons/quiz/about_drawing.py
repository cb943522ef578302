"""Demonstrations about drawing: a step of the walk back, and its chance."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from diffusion_lessons import models, prediction, sampling, schedule

_BOAT = {"object": "boat", "size": "large", "position": "middle", "colour": "blue"}


def what_a_step_needs(solver: bool) -> tuple[dict, None]:
    """One step of a walk to a boat, once more with each of its parts made larger by a tenth: how
    far away it then ends. `solver`: a step of DPM-Solver++ 2M, else of DDIM."""
    before, now = list(_walk(16, [1]))[6:8]
    times = torch.tensor([before.t, now.t, now.t_next])
    earlier, here, (a_next, b_next) = schedule.walk_rates(times, now.x_t, schedule.cosine)
    parts = {
        "x_t": now.x_t, "x_0_hat": now.prediction.x_0, "eps_hat": now.prediction.eps,
        "x_0_hat before": before.prediction.x_0, "b next": b_next,
    }  # fmt: skip

    def end(parts: dict) -> Tensor:
        rates_next = torch.stack([a_next, parts["b next"]])
        if solver:
            guesses = parts["x_t"], parts["x_0_hat"], parts["x_0_hat before"]
            return sampling.dpm_solver_step(*guesses, earlier, here, rates_next)
        guesses = parts["x_0_hat"], parts["eps_hat"], torch.zeros_like(now.x_t)
        return sampling.ddim_step(*guesses, here, rates_next, 0.0)

    ends = {name: end(parts | {name: 1.1 * part}) for name, part in parts.items()}
    return {name: _distance(moved, end(parts)) for name, moved in ends.items()}, None


def start_or_chance() -> tuple[dict, Tensor]:
    """Walks with eta = 1: with another start, with other fresh noise, with both."""
    starts, others = [1, 2, 3, 4], [5, 6, 7, 8]
    ends = [
        sampling.finish(_walk(16, seeds, 1.0, dice)).clamp(-1, 1)
        for seeds, dice in ((starts, 1), (others, 1), (starts, 2), (others, 2))
    ]
    names = ("other start", "other noise", "both")
    found = {name: _distance(end, ends[0]) for name, end in zip(names, ends[1:], strict=True)}
    return found, torch.cat(ends[:3])


@cache
def _network() -> tuple[models.UNet, dict]:
    return models.load_unet("postcards-32")


def _walk(
    steps: int, seeds: list[int], eta: float = 0.0, dice: int = 0
) -> Iterator[sampling.SampleStep]:
    """A walk to one blue boat for each seed, with the network of the reverse sampler's lesson."""
    model, card = _network()
    row = [words.index(_BOAT.get(name, words[0])) for name, words in card["factors"].items()]
    labels = torch.tensor([row] * len(seeds))
    boats = prediction.as_denoiser(model, schedule.cosine, card["kind"], labels, True)
    noise = [torch.randn(3, 32, 32, generator=_dice(seed)) for seed in seeds]
    times = sampling.times(steps)
    return sampling.ddim(boats, schedule.cosine, torch.stack(noise), times, eta, _dice(dice))


def _dice(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _distance(images: Tensor, others: Tensor) -> float:
    return (images - others).square().mean().sqrt().item()
