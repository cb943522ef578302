"""How each shipped weight was made: `python -m diffusion_lessons train NAME` repeats it.

A recipe is data; the method it follows lies in the rooms below. What is made goes to
`data/weights/NAME.safetensors`, with a card beside it that says how, for how long, and how good.
A training may be stopped and gone on with, see `resuming`.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from . import (
    data,
    pictures,
    recognition,
    resuming,
    ruler,
    sampling,
    schedule,
    scoring,
    training,
    workspace,
)
from .fitting import Fit
from .models import FashionJudge, UNet, count_parameters
from .prediction import as_denoiser

FRESH_SEED = 1_000_000_000  # scores use this and the two after it; no training seed is among them
SCORED = 1024  # pictures that a generator's scores are taken from
SHEET = 64  # first seeds that its card shows


class Recipe(Protocol):
    """What settles how a network is made, besides the code: a frozen dataclass of these two."""

    steps: int
    batch: int

    def begin(self, name: str, device: torch.device) -> Fit:
        """The training of the weights `name`, before its first step."""

    def tell(self, name: str, model: nn.Module) -> dict:
        """What the card says of the network when it is made: purpose, data, scores."""


@dataclass(frozen=True)
class RecogniserRecipe:
    """How a recogniser of postcards is made.

    Attributes:
        seed: for the first weights and, with the step's number, for each batch of scenes.
        steps, batch, learning_rate: of AdamW; the rate warms up and falls to 0 along a cosine.
    """

    seed: int
    steps: int
    batch: int
    learning_rate: float

    def begin(self, name: str, device: torch.device) -> Fit:
        torch.manual_seed(self.seed)
        model = recognition.NETWORKS[name](recognition.OUTPUTS).to(device)
        return recognition.train(model, **asdict(self))

    def tell(self, name: str, model: nn.Module) -> dict:
        return {
            "purpose": _PURPOSE[name],
            "network": f"{type(model).__name__}, {count_parameters(model)} parameters",
            "data": "postcards of both splits, so that every pair is seen equally often, in the "
            "training mix, drawn afresh for every step; some blurred, noisy or coarse",
            "scores": recognition.report(model.cpu(), count=4096, seed=FRESH_SEED),
        }


@dataclass(frozen=True)
class FashionJudgeRecipe:
    """How the judge of Fashion-MNIST is made; attributes as in `RecogniserRecipe`."""

    seed: int
    steps: int
    batch: int
    learning_rate: float

    def begin(self, name: str, device: torch.device) -> Fit:
        torch.manual_seed(self.seed)
        model = FashionJudge().to(device)
        real = data.load("fashion-mnist", ruler.SIZE, 1).all()
        images, labels = real.images.to(device), real.labels[:, 0].to(device)
        return ruler.train(model, images, labels, **asdict(self))

    def tell(self, name: str, model: nn.Module) -> dict:
        fresh = data.load("fashion-mnist", ruler.SIZE, 1, "test").all()
        return {
            "purpose": _PURPOSE[name],
            "network": f"{type(model).__name__}, {count_parameters(model)} parameters",
            "data": "the 60,000 training pictures of Fashion-MNIST, half of them mirrored",
            "scores": ruler.report(model.cpu(), fresh.images, fresh.labels[:, 0]),
        }


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
        factors = data.load(self.data, self.size, self.channels).factors
        first = scoring.asked(self.data, SHEET, 0)
        words = [
            " ".join(said[i] for i, said in zip(row, factors.values(), strict=True))
            for row in first.tolist()
        ]
        sheet = pictures.grid(self.make(model, first, range(SHEET)), words, columns=8, zoom=3)
        path = workspace.data_path("weights", f"{name}.png")
        workspace.write_whole(path, pictures.png(sheet))
        labels = scoring.asked(self.data, SCORED, FRESH_SEED)
        started = time.monotonic()
        images = self.make(model, labels, range(FRESH_SEED, FRESH_SEED + SCORED))
        return {
            "purpose": _PURPOSE[name],
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


_FOR_MEASURING = "for measuring only: no loss and no choice of weights ever uses it."
_PURPOSE = {
    "recogniser": "Reads what a postcard shows. May serve in losses and in lessons.",
    "judge": f"Reads what a postcard shows, {_FOR_MEASURING} Every reported figure is the judge's.",
    "fashion-judge": f"Names the class of a piece of clothing, {_FOR_MEASURING}",
    "postcards-32": "Makes postcards of 32x32 with one thing, by what they are to show.",
    "fashion": "Makes pictures of clothes like those of Fashion-MNIST, by class.",
}

RECIPES: dict[str, Recipe] = {
    "recogniser": RecogniserRecipe(seed=1, steps=2100, batch=56, learning_rate=2e-3),
    "judge": RecogniserRecipe(seed=2, steps=2600, batch=56, learning_rate=1.5e-3),
    "fashion-judge": FashionJudgeRecipe(seed=3, steps=3600, batch=100, learning_rate=4e-3),
    "postcards-32": GeneratorRecipe(
        seed=4, data="single-postcards", size=32, channels=3,
        widths=(48, 96), blocks=(1, 3), patch=2, schedule="cosine", kind="x_0",
        steps=14_000, batch=32, learning_rate=8e-3, ema_decay=0.999,
        sampler="dpm-solver++", sampling_steps=16,
    ),
    "fashion": GeneratorRecipe(
        seed=5, data="fashion-mnist", size=28, channels=1,
        widths=(48, 96), blocks=(1, 2), patch=2, schedule="cosine", kind="x_0",
        steps=12_000, batch=32, learning_rate=1e-2, ema_decay=0.999,
        sampler="dpm-solver++", sampling_steps=16,
    ),
}  # fmt: skip
NAMES = tuple(RECIPES)

#: What lesson 02 trains while the learner looks on: about a minute on two cores.
LIVE = GeneratorRecipe(
    seed=0, data="sprites", size=32, channels=3,
    widths=(32, 64), blocks=(1, 2), patch=2, schedule="cosine", kind="x_0",
    steps=700, batch=32, learning_rate=1e-2, ema_decay=0.999,
    sampler="dpm-solver++", sampling_steps=16,
)  # fmt: skip


def train(name: str) -> None:
    """Makes the weights `name` anew, with a progress bar, and writes them and their card.

    After an interruption the same call goes on where it was.

    Raises:
        ValueError: no such name.
        OSError: the folder of the weights cannot be written.
        resuming.Paused: it was interrupted (Ctrl-C, or the stop button of a notebook).
        FloatingPointError: training fell apart, see `fitting.Fit`.
        data.DataUnavailable, workspace.DamagedFile: what it needs cannot be had.
    """
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}: choose one of {', '.join(NAMES)}")
    recipe = RECIPES[name]
    path = workspace.data_path("weights", f"{name}.safetensors")
    workspace.check_writable(path)
    fit = recipe.begin(name, workspace.pick_device())
    seconds = resuming.carry_out(name, asdict(recipe), fit)
    print("scoring on fresh pictures ...")
    try:
        _finish(name, recipe, fit.ema, seconds)
    except KeyboardInterrupt:
        raise resuming.Paused(
            "stopped while scoring; the training is done and kept: run the same line again"
        ) from None
    resuming.forget(name)


def _finish(name: str, recipe: Recipe, model: nn.Module, seconds: dict[str, int]) -> None:
    """Scores the network as it ships, half precision on disk, and writes it with its card."""
    model = model.half().float().eval().requires_grad_(False)
    told = recipe.tell(name, model)
    scores = told.pop("scores")
    card = {
        "name": name,
        "format": workspace.FORMAT,
        **told,
        "recipe": asdict(recipe),
        "pictures seen": recipe.steps * recipe.batch,
        **{f"{unit} of training": spent for unit, spent in seconds.items()},
        "torch": torch.__version__,
        "scores": scores,
    }
    tensors = {key: _half(value) for key, value in model.state_dict().items()}
    workspace.save_weights(workspace.data_path("weights", f"{name}.safetensors"), tensors, card)


def _half(tensor: Tensor) -> Tensor:
    """Half precision for numbers with a fraction; whole numbers stay as they are."""
    return tensor.half() if tensor.is_floating_point() else tensor
