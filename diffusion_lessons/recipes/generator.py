"""How a U-Net is made that draws pictures by their labels."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from diffusion_lessons import data, pictures, sampling, schedule, scoring, training, workspace
from diffusion_lessons.models import UNet, count_parameters
from diffusion_lessons.prediction import as_denoiser
from diffusion_lessons.training.fit import Fit

from .recipe import FRESH_SEED, SCORED, SHEET


@dataclass(frozen=True)
class GeneratorRecipe:
    """How a U-Net that makes pictures is made.

    Attributes:
        seed: for the first weights, the order of the pictures, and the noise of each step.
        data, size, channels: the pictures, as `data.load` takes them; its factors are the labels.
        widths, blocks, patch: of the `UNet`.
        schedule, kind: of the noise, and what the network says (see `prediction.KINDS`).
        steps, batch, learning_rate: see `training.train`.
        ema_decay: of the running average of the weights, which is what is kept.
        sampler, sampling_steps: how the pictures are made that the scores are taken from.
    """

    seed: int
    data: str
    size: int
    channels: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    patch: int
    schedule: str
    kind: str
    steps: int
    batch: int
    learning_rate: float
    ema_decay: float
    sampler: str
    sampling_steps: int

    def network(self) -> dict:
        """The settings of the `UNet`, by name."""
        factors = data.load(self.data, self.size, self.channels).factors.values()
        return {
            "channels": self.channels,
            "widths": self.widths,
            "blocks": self.blocks,
            "patch": self.patch,
            "factors": tuple(len(words) for words in factors),
        }

    def begin(self, name: str, device: torch.device) -> Fit:
        """See `Recipe.begin`."""
        torch.manual_seed(self.seed)
        model = UNet(**self.network()).to(device)
        source = data.load(self.data, self.size, self.channels)
        return training.train(
            model,
            source.batches(self.batch, self.seed),
            getattr(schedule, self.schedule),
            self.kind,
            steps=self.steps,
            learning_rate=self.learning_rate,
            seed=self.seed,
            ema_decay=self.ema_decay,
        )

    def make(self, model: nn.Module, labels: Tensor, seeds: range) -> Tensor:
        """One picture (C, size, size) for each row of labels (N, K), from the noise of its seed.

        Returns (N, C, size, size) in [-1, 1], on the CPU.
        """
        device, shape = next(model.parameters()).device, (self.channels, self.size, self.size)
        noise = torch.stack([
            torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds
        ])  # fmt: skip
        noised, times = getattr(schedule, self.schedule), sampling.times(self.sampling_steps)
        made = []
        for x_t, said in zip(noise.split(128), labels.split(128), strict=True):
            denoiser = as_denoiser(model, noised, self.kind, said.to(device))
            steps = sampling.SAMPLERS[self.sampler](denoiser, noised, x_t.to(device), times)
            made.append(sampling.finish(steps).cpu().clamp(-1, 1))
        return torch.cat(made)

    def tell(self, name: str, model: nn.Module) -> dict:
        """See `Recipe.tell`."""
        factors = data.load(self.data, self.size, self.channels).factors
        first = scoring.asked(self.data, SHEET, 0)
        words = [
            " ".join(said[i] for i, said in zip(row, factors.values(), strict=True))
            for row in first.tolist()
        ]
        sheet = pictures.grid(self.make(model, first, range(SHEET)), words, columns=8, zoom=3)
        path = workspace.own_path(f"{name}.png")
        workspace.write_whole(path, pictures.png(sheet))
        labels = scoring.asked(self.data, SCORED, FRESH_SEED)
        started = time.monotonic()
        images = self.make(model, labels, range(FRESH_SEED, FRESH_SEED + SCORED))
        return {
            "network": f"UNet, {count_parameters(model)} parameters",
            "unet": self.network(),
            "data": self.data,
            "size": self.size,
            "channels": self.channels,
            "factors": {factor: list(said) for factor, said in factors.items()},
            "schedule": self.schedule,
            "kind": self.kind,
            "first seeds": {"file": path.name, "asked for": words},
            "seconds per picture": round((time.monotonic() - started) / SCORED, 4),
            "scores": scoring.score(self.data, images, FRESH_SEED),
        }
