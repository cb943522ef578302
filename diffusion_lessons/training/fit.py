"""Fitting a network to a loss: the training loop of every network of the course.

A `Fit` is an iterator: it yields after each step, so that progress bars, pictures and early stops
stay outside. A step that fails or is interrupted leaves no trace, so a fit can always be resumed.
"""

from __future__ import annotations

import contextlib
import copy
import math
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from diffusion_lessons import arguments

from . import distributed
from .muon import Muon


@dataclass(frozen=True)
class TrainStep:
    """A training step that was taken: its number (from 0), its loss, and its learning rate."""

    step: int
    loss: float
    learning_rate: float


class Fit:
    """Fits `model` to `loss` by AdamW (Loshchilov and Hutter 2019, algorithm 2), or by Muon.

    The learning rate rises over the first steps and falls to 0 along a cosine. Gradients are
    clipped to a norm of 1. `for done in fit` takes the steps that are left, yielding a `TrainStep`.

    Args:
        model: on the device that it is to be trained on; changed in place. Muon updates its
            `inner_weights`, AdamW the others.
        steps, learning_rate: how many in all, and the peak of the rate.
        loss: from a step's number to its loss, a tensor of one number. Its random numbers have to
            follow from that number alone, so that a resumed training repeats them. Of several
            processes, see `distributed`, each has numbers of its own.
        weight_decay, betas: of AdamW.
        warm_up: the share of the steps over which the learning rate rises.
        ema_decay: of the running average of the weights, such as 0.999, or None for no average. It
            is smaller at first: the decay of step k is at most (1 + k) / (10 + k).
        fused: let torch update all weights in one call: twice as fast, with other rounding.

    Attributes:
        ema: the network to keep: the running average of `model`, or `model` itself without one.
        step: the number of steps that are done.

    Raises:
        ValueError: a number outside its range.
        FloatingPointError: (in a step) the loss or its gradient is no longer finite.
    """

    def __init__(
        self,
        model: nn.Module,
        steps: int,
        learning_rate: float,
        loss: Callable[[int], Tensor],
        *,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.99),
        warm_up: float = 0.05,
        ema_decay: float | None = None,
        fused: bool = True,
    ):
        steps = arguments.number("steps", steps, 1, 1_000_003, ", the most that a seed can serve")
        learning_rate = arguments.number("learning_rate", learning_rate, 0, 10, real=True)
        warm_up = arguments.number("warm_up", warm_up, 0, 1, ", a share of the steps", real=True)
        weight_decay = arguments.number("weight_decay", weight_decay, 0, 10, real=True)
        if ema_decay is not None:
            ema_decay = arguments.number("ema_decay", ema_decay, 0, 0.99999, ", or None", real=True)
        self.model, self.steps, self.learning_rate, self.step = model, steps, learning_rate, 0
        self._loss, self._ema_decay, self._rising = loss, ema_decay, max(1, int(warm_up * steps))
        average = ema_decay is not None
        self.ema = copy.deepcopy(model).requires_grad_(False).eval() if average else model
        learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
        if not learned:
            raise ValueError("all weights of model are frozen: call model.requires_grad_() first")
        self._optimizer = Muon(learned, {*inner_weights(model)}, betas, weight_decay, fused)

    def __len__(self) -> int:
        """Return the number of steps that are left."""
        return self.steps - self.step

    def __iter__(self) -> Iterator[TrainStep]:
        self.model.train()
        while self.step < self.steps:
            yield self._advance()

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: it rises to the peak and falls along a cosine."""
        falling = 0.5 + 0.5 * math.cos(math.pi * step / self.steps)
        return self.learning_rate * min((step + 1) / self._rising, falling)

    def _advance(self) -> TrainStep:
        buffers = [buffer.clone() for buffer in self.model.buffers()]
        try:
            done = TrainStep(self.step, self._gradient(), self.rate(self.step))
        except BaseException:  # a batch norm counts what it has seen; this step does not count
            for buffer, before in zip(self.model.buffers(), buffers, strict=True):
                buffer.copy_(before)
            raise
        with uninterrupted():
            self._optimizer.step(done.learning_rate)
            self._follow()
            self.step += 1
        return done

    @torch.enable_grad()  # also within a learner's torch.no_grad()
    def _gradient(self) -> float:
        """Leave the gradient of this step's loss in the parameters; return the loss."""
        self.model.zero_grad(set_to_none=True)
        # Each process has a number of its own, so data and noise of its own.
        loss = self._loss(self.step * distributed.size() + distributed.rank())
        loss.backward()
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        distributed.average([*gradients, loss := loss.detach()])
        length = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0).item()
        value = loss.item()
        if not (math.isfinite(value) and math.isfinite(length)):
            raise FloatingPointError(
                f"the loss is {value:.3g} and its gradient {length:.3g} long at step "
                f"{self.step} of {self.steps}: training fell apart. Likely fix: a smaller learning "
                f"rate than {self.learning_rate:g} (try a third), or look for nan in the pictures."
            )
        return value

    @torch.no_grad()
    def _follow(self) -> None:
        """Update the running average of the weights, and copy the buffers as they are."""
        if self._ema_decay is None:
            return
        decay = min(self._ema_decay, (1 + self.step) / (10 + self.step))
        averages, now = (list[Tensor](m.parameters()) for m in (self.ema, self.model))
        torch._foreach_lerp_(averages, now, 1 - decay)
        for average, buffer in zip(self.ema.buffers(), self.model.buffers(), strict=True):
            average.copy_(buffer)

    def state(self) -> dict[str, Tensor]:
        """Return all that the next step depends on, on the CPU: "model.", "ema.", "optimizer."."""
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        if self.ema is not self.model:
            tensors |= {f"ema.{name}": t for name, t in self.ema.state_dict().items()}
        tensors |= {f"optimizer.{key}": t for key, t in self._optimizer.state.items()}
        plain = torch.contiguous_format  # as files hold them
        return {name: t.detach().cpu().clone(memory_format=plain) for name, t in tensors.items()}

    def restore(self, tensors: dict[str, Tensor], step: int) -> None:
        """Resume after `step` steps from what `state` returned then.

        Raises ValueError if the tensors are not those of this network or `step` is out of range.
        """
        if not 0 <= step <= self.steps:
            raise ValueError(f"step is {step}: there are {self.steps} steps, so 0 to {self.steps}")
        try:
            self.model.load_state_dict(_below("model.", tensors))
            if self.ema is not self.model:
                self.ema.load_state_dict(_below("ema.", tensors))
            self._optimizer.restore(_below("optimizer.", tensors))
        except (RuntimeError, KeyError, ValueError) as error:
            raise ValueError(f"this state is not one of this network: {error}") from error
        self.step = step


def _below(part: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(part): t for name, t in tensors.items() if name.startswith(part)}


def fit_seeded(
    model: nn.Module,
    batches: Callable[[int], Any],
    loss: Callable[[Any, torch.Generator], Tensor],
    steps: int,
    learning_rate: float,
    seed: int,
    ema_decay: float | None,
    half: bool = False,
) -> Fit:
    """Return a `Fit` to a loss of each step's batch and dice: see `loss.train`.

    half: compute in bfloat16, see `in_half`.
    """
    seed = arguments.number("seed", seed, 0, 2000)
    device = next(model.parameters()).device

    def loss_of(step: int) -> Tensor:
        batch, dice = batches(step), torch.Generator()
        dice.manual_seed(2**31 + seed * 1_000_003 + step)
        with in_half(half, device):
            return loss(batch, dice)

    return Fit(model, steps, learning_rate, loss_of, ema_decay=ema_decay)


@contextlib.contextmanager
def in_half(half: bool, device: torch.device) -> Iterator[None]:
    """Compute in bfloat16 if `half`, twice as fast; in float32 all the same on a processor without
    instructions for it, which would take ten times as long."""
    able = torch.cpu.get_capabilities().items() if device.type == "cpu" else [("bf16", True)]
    if not half or not any(has for name, has in able if "bf16" in name):
        yield
        return
    # On a CPU the fused attention takes twice as long in bfloat16, at the sizes of the course.
    with torch.autocast(device.type, torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        yield


def inner_weights(model: nn.Module) -> list[str]:
    """Return the names of the weights that Muon updates: those with two axes or more, except in
    the layers that the network lists in `outer_layers`; none if it has no such list.

    A network in torch.compile or DataParallel has the same inner weights.
    """
    for wrapper in ("_orig_mod", "module"):  # what these two call the network inside
        if isinstance(inside := getattr(model, wrapper, None), nn.Module):
            return [f"{wrapper}.{name}" for name in inner_weights(inside)]
    outer = getattr(model, "outer_layers", "")  # every name begins with ""
    learned = model.named_parameters()
    return [name for name, p in learned if p.ndim >= 2 and not name.startswith(outer)]


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let an interruption (Ctrl-C, or Jupyter's stop button) wait until the block is done."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield  # an interruption comes to the main thread alone
        return
    waiting = []
    signal.signal(signal.SIGINT, lambda *what: waiting.append(what))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if waiting:
        usual(*waiting[0])
