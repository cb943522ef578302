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
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from .muon import Muon

LARGEST_GRADIENT = 1.0  # the norm that longer gradients are clipped to


@dataclass(frozen=True)
class TrainStep:
    """A training step that was taken: its number (from 0), its loss, and its learning rate."""

    step: int
    loss: float
    learning_rate: float


class Fit:
    """Fits `model` to `loss` by AdamW (Loshchilov and Hutter 2019, algorithm 2), or by Muon.

    The learning rate rises over the first steps and falls to 0 along a cosine. Gradients are
    clipped to a norm of 1. `for done in fit` takes the steps that are left and yields a `TrainStep`
    for each.

    Args:
        model: the network, on the device that it is to be trained on; trained in place.
        steps, learning_rate: how many in all, and the peak of the rate.
        loss: from a step's number to its loss, a tensor of one number. Its random numbers have to
            follow from that number alone, so that a resumed training repeats them.
        inner: names of the weights that Muon updates, see `muon`; AdamW updates the others.
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
        inner: Collection[str] = (),
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.99),
        warm_up: float = 0.05,
        ema_decay: float | None = None,
        fused: bool = True,
    ):
        for name, value, fine, rule in (
            ("steps", steps, steps >= 1, "training takes a whole number of them, from 1 up"),
            ("warm_up", warm_up, 0 <= warm_up <= 1, "it is a share of the steps, from 0 to 1"),
            ("ema_decay", ema_decay, 0 <= (ema_decay or 0) < 1, "choose 0 to 0.9999, or None"),
        ):
            if not fine:
                raise ValueError(f"{name} is {value}: {rule}")
        self.model, self.steps, self.learning_rate, self.step = model, steps, learning_rate, 0
        average = ema_decay is not None
        self.ema = copy.deepcopy(model).requires_grad_(False).eval() if average else model
        self._loss, self._ema_decay = loss, ema_decay
        self._rising = max(1, int(warm_up * steps))
        learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._names = sorted(learned, key=lambda name: name in inner)  # in the optimizer's order
        groups = [
            {"params": [p for name, p in learned.items() if (name in inner) is side]}
            for side in (False, True)
        ]
        kind = Muon if inner else torch.optim.AdamW
        self._optimizer = kind(groups, learning_rate, betas, weight_decay=weight_decay, fused=fused)

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
            rate, loss = self.rate(self.step), self._gradient()
        except BaseException:  # a batch norm counts what it has seen; this step does not count
            for buffer, before in zip(self.model.buffers(), buffers, strict=True):
                buffer.copy_(before)
            raise
        with uninterrupted():
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            self._optimizer.step()
            self._follow()
            self.step += 1
        return TrainStep(self.step - 1, loss, rate)

    def _gradient(self) -> float:
        """Leave the gradient of this step's loss in the parameters; return the loss."""
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self.step)
        loss.backward()
        length = nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT)
        value = loss.item()
        if not math.isfinite(value) or not math.isfinite(length.item()):
            raise FloatingPointError(
                f"the loss is {value:.3g} and its gradient {length.item():.3g} long at step "
                f"{self.step} of {self.steps}: training fell apart. Likely fix: a smaller learning "
                f"rate than {self.learning_rate:g} (try a third), or look for nan in the pictures."
            )
        return value

    def _follow(self) -> None:
        """Update the running average of the weights, and copy the buffers as they are."""
        if self._ema_decay is None:
            return
        decay = min(self._ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            averages, now = (list[Tensor](m.parameters()) for m in (self.ema, self.model))
            torch._foreach_lerp_(averages, now, 1 - decay)
            for average, buffer in zip(self.ema.buffers(), self.model.buffers(), strict=True):
                average.copy_(buffer)

    def state(self) -> dict[str, Tensor]:
        """Return all that the next step depends on, on the CPU: "model.", "ema.", "optimizer."."""
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        if self.ema is not self.model:
            tensors |= {f"ema.{name}": t for name, t in self.ema.state_dict().items()}
        for index, kept in self._optimizer.state_dict()["state"].items():
            for key, tensor in kept.items():
                tensors[f"optimizer.{key}.{self._names[index]}"] = tensor
        plain = torch.contiguous_format  # as files hold them
        return {name: t.detach().cpu().clone(memory_format=plain) for name, t in tensors.items()}

    def restore(self, tensors: dict[str, Tensor], step: int) -> None:
        """Resume after `step` steps from what `state` returned then.

        Raises ValueError if the tensors are not those of this network or `step` is out of range.
        """
        if not 0 <= step <= self.steps:
            raise ValueError(f"step is {step}: there are {self.steps} steps, so 0 to {self.steps}")
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in ("model", "ema", "optimizer")}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        try:
            self.model.load_state_dict(parts["model"])
            if self.ema is not self.model:
                self.ema.load_state_dict(parts["ema"])
            self._restore_optimizer(parts["optimizer"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise ValueError(f"this state is not one of this network: {error}") from error
        self.step = step

    def _restore_optimizer(self, tensors: dict[str, Tensor]) -> None:
        """Give the parameters back their tensors, named "exp_avg.layer.weight" and the like."""
        learned = dict(self.model.named_parameters())
        states: dict[int, dict[str, Tensor]] = {}
        for rest, tensor in tensors.items():
            key, _, name = rest.partition(".")
            if key != "step" and tensor.shape == learned[name].shape:
                # A fused update needs all in one order in memory.
                tensor = torch.empty_like(learned[name], requires_grad=False).copy_(tensor)
            states.setdefault(self._names.index(name), {})[key] = tensor
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": states, "param_groups": groups})


def fit_seeded(
    model: nn.Module,
    batches: Callable[[int], Any],
    loss: Callable[[Any, torch.Generator], Tensor],
    steps: int,
    learning_rate: float,
    seed: int,
    ema_decay: float | None,
    half: bool,
) -> Fit:
    """Return a `Fit`, with Muon, to a loss of each step's batch and dice: see `loss.train`.

    half: compute in bfloat16, twice as fast where the processor has instructions for it.
    """
    device = next(model.parameters()).device.type

    def loss_of(step: int) -> Tensor:
        batch, dice = batches(step), torch.Generator()
        dice.manual_seed(2**31 + seed * 1_000_003 + step)
        # On a CPU the fused attention takes ten times as long in bfloat16.
        attention = sdpa_kernel(SDPBackend.MATH) if half else contextlib.nullcontext()
        with torch.autocast(device, torch.bfloat16, enabled=half), attention:
            return loss(batch, dice)

    inner = inner_weights(model)
    return Fit(model, steps, learning_rate, loss_of, inner=inner, ema_decay=ema_decay)


def inner_weights(model: nn.Module) -> list[str]:
    """Return the names of the weights that Muon updates.

    Those with two axes or more, except in the layers that the network lists in `outer_layers`; none
    if it has no such list. A network in torch.compile or DataParallel has the same inner weights.
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
