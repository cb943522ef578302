"""What recipes have in common."""

from __future__ import annotations

import contextlib
import errno
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from diffusion_lessons import pictures, workspace
from diffusion_lessons.models import count_parameters
from diffusion_lessons.training import distributed, resume
from diffusion_lessons.training.fit import Fit

FRESH_SEED = 1_000_000_000  # scores use this and the two after it; no training seed is among them
SCORED = 1024  # pictures that a generator's scores are taken from
SHEET = 64  # first seeds that its card shows


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """All that determines how a network is trained, besides the code."""

    seed: int  # of the first weights and, with the number of the step, of its data and noise
    steps: int
    batch: int
    learning_rate: float  # the peak of it, see `training.fit.Fit`
    built: ClassVar[type[nn.Module]]
    built_with: ClassVar[tuple[str, ...]]  # the attributes that are settings of the network

    def network(self) -> dict:
        """Return the settings of the network, by name."""
        return {name: getattr(self, name) for name in self.built_with}

    def begin(self, name: str, device: torch.device) -> Fit:
        """Return the training of the weights `name`, before its first step."""
        torch.manual_seed(self.seed)
        share, rest = divmod(self.batch, distributed.size())
        if rest:
            raise ValueError(
                f"a batch of {self.batch} in {distributed.size()} processes: choose as many as "
                "divide it, such as torchrun --nproc-per-node 2"
            )
        each = replace(self, batch=share)
        return each._fit(each._untrained(name).to(device), device)

    def train(self, name: str, purpose: str) -> None:
        """Train and score the weights `name`; write them and their card. See `recipes.train`."""
        with contextlib.nullcontext() if distributed.rank() else _only_training(name):
            path = workspace.own_path(f"{name}.safetensors")
            workspace.check_writable(path)
            fit = self.begin(name, workspace.pick_device())
            seconds = resume.carry_out(name, asdict(self), fit)
            if distributed.rank():
                return
            print("scoring on fresh pictures ...")
            try:
                model = fit.ema.half().float().eval().requires_grad_(False)  # as it ships
                described = self._describe(name, model)
                scores = described.pop("scores")
                card = {
                    "name": name,
                    "format": workspace.FORMAT,
                    "purpose": purpose,
                    "network": f"{type(model).__name__}, {count_parameters(model)} parameters",
                    **described,
                    "recipe": asdict(self),
                    "pictures seen": self.steps * self.batch,
                    **{f"{unit} of training": spent for unit, spent in seconds.items()},
                    "torch": torch.__version__,
                    "scores": scores,
                }
                state = model.state_dict().items()
                tensors = {key: t.half() if t.is_floating_point() else t for key, t in state}
                workspace.save_weights(path, tensors, card)
            except KeyboardInterrupt:
                raise resume.Paused(
                    "stopped while scoring; the training is done and kept: run the same line again"
                ) from None
            workspace.partial_path(name).unlink(missing_ok=True)

    def step_seed(self, step: int) -> int:
        """Return the seed of what is drawn for a step."""
        return self.seed * 1_000_003 + step

    def _untrained(self, name: str) -> nn.Module:
        return self.built(**self.network())

    @abstractmethod
    def _fit(self, model: Any, device: torch.device) -> Fit:
        """The training of `model`, which is on `device`, before its first step."""

    @abstractmethod
    def _describe(self, name: str, model: Any) -> dict:
        """What the card records of the trained network: data, settings, scores."""


@contextlib.contextmanager
def _only_training(name: str) -> Iterator[None]:
    """Refuse a second training of `name` in `my_weights`: each would write over the other's."""
    try:
        with workspace.only_one(workspace.partial_path(name), patience_s=0):
            yield
    except TimeoutError as error:
        trouble = f"{name} is being trained already, by another process, into my_weights. Fix: let "
        fix = "that one finish, or stop it, which keeps what it learned, and run this again"
        raise BlockingIOError(errno.EAGAIN, trouble + fix) from error


def save_sheet(name: str, images: Tensor, words: list[str]) -> str:
    """Write pictures (N, C, H, W), eight in a row, beside the weights; return the file's name."""
    path, zoom = workspace.own_path(f"{name}.png"), max(2, 96 // images.shape[-1])
    workspace.write_whole(path, pictures.png(pictures.grid(images, words, columns=8, zoom=zoom)))
    return path.name
