"""This course's own network, loop and sampler, as lessons 02 and 03 teach them, in the race."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bench.race import Clock
from diffusion_lessons import sampling, schedule
from diffusion_lessons.data import Batch
from diffusion_lessons.models import UNet
from diffusion_lessons.prediction import as_denoiser
from diffusion_lessons.training import train
from diffusion_lessons.training.fit import Fit

CLASSES, SIZE = 10, 28
SAMPLED_AT_ONCE = 125
TIMED_STEPS = 12  # from which the number of steps that fit into the budget is estimated
RESERVE = 0.97  # of the budget is planned for; the clock ends what takes longer than estimated


class Ours:
    """The U-Net and the loop of lesson 02, the sampler of lesson 03."""

    name = "ours"
    packages: tuple[str, ...] = ()
    settings: dict[str, Any] = {
        "network": {"channels": 1, "widths": (32, 64), "blocks": (1, 2), "patch": 2},
        "size": SIZE,
        "conditioning": "the class, equally often each when sampling",
        "schedule": "cosine",
        "kind": "x_0",
        "optimizer": "that of training.train; the rate rises and then falls to 0",
        "learning_rate": 1e-2,
        "batch": 32,
        "ema_decay": 0.998,
        "sampler": "dpm-solver++",
        "sampling_steps": 8,
    }

    model: torch.nn.Module

    def __init__(self) -> None:
        self.model = UNet(**self.settings["network"], factors=(CLASSES,))
        self._schedule = getattr(schedule, self.settings["schedule"])
        self._kept: torch.nn.Module = self.model

    def train(self, images: Tensor, labels: Tensor, clock: Clock, seed: int) -> int:
        """Train for as many steps as fit into the budget; see `race.Contestant`.

        The learning rate falls to 0 at the last step, so their number is estimated beforehand, on
        a copy that is thrown away; the seconds that this takes count.
        """
        trial, before = UNet(**self.settings["network"], factors=(CLASSES,)), clock.spent()
        for done in self._fit(trial, images, labels, TIMED_STEPS + 2, seed):
            if done.step == 1:  # the first two are slower
                before = clock.spent()
        a_step = (clock.spent() - before) / TIMED_STEPS
        steps = max(1, int(RESERVE * (clock.budget - clock.spent()) / a_step))
        fit, made = self._fit(self.model, images, labels, steps, seed), 0
        for _ in fit:
            made += 1
            if not clock.runs():
                break
        self._kept = fit.ema
        return made

    def _fit(
        self, model: torch.nn.Module, images: Tensor, labels: Tensor, steps: int, seed: int
    ) -> Fit:
        def batches(step: int) -> Batch:
            chance = torch.Generator().manual_seed(seed * 1_000_003 + step)
            rows = torch.randint(len(images), (self.settings["batch"],), generator=chance)
            return Batch(images[rows], labels[rows, None], captions=[])

        return train(
            model,
            batches,
            self._schedule,
            self.settings["kind"],
            steps=steps,
            learning_rate=self.settings["learning_rate"],
            seed=seed,
            ema_decay=self.settings["ema_decay"],
        )

    @torch.inference_mode()
    def sample(self, count: int, seed: int) -> Tensor:
        """`count` pictures (count, 1, 28, 28) in [-1, 1], every class equally often."""
        model = self._kept.eval()
        noise = torch.randn(
            count, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed)
        ).split(SAMPLED_AT_ONCE)
        labels = (torch.arange(count) % CLASSES)[:, None].split(SAMPLED_AT_ONCE)
        walk, times = (
            sampling.SAMPLERS[self.settings["sampler"]],
            sampling.times(self.settings["sampling_steps"]),
        )
        drawn = []
        for x_t, said in zip(noise, labels, strict=True):
            denoiser = as_denoiser(model, self._schedule, self.settings["kind"], said, clip=True)
            drawn.append(sampling.finish(walk(denoiser, self._schedule, x_t, times)))
        return torch.cat(drawn).clamp(-1, 1)
