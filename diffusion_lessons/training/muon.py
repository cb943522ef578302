"""Muon: an optimizer for the matrices inside a network, with AdamW for everything else.

torch.optim.Muon is for weights with two axes only; the kernels of convolutions have four. Besides,
the first optimizer of torch.optim in a process imports torch's compiler: 150 MB, two seconds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from . import distributed

MOMENTUM = 0.95
ADAMW_SHARE = 0.3  # AdamW's learning rate, as a share of Muon's
_POLYNOMIAL = (3.4445, -4.7750, 2.0315)  # Jordan et al. 2024: x -> a x + b x^3 + c x^5


def orthogonalised(gradient: Tensor) -> Tensor:
    """Return nearly the closest matrix with all singular values 1; (N, ...) is seen as (N, M).

    Five rounds of a polynomial that moves each singular value towards 1 (they end between about 0.7
    and 1.2), so that no direction of the step is much longer than another. Jordan et al. 2024.
    """
    x = gradient.flatten(1)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    square = x @ x.T  # the rounds work on this small square, which is cheaper
    product = polynomial = _polynomial(square)
    for _ in range(4):
        square = polynomial @ square @ polynomial
        polynomial = _polynomial(square)
        product = polynomial @ product
    x = product @ x
    return (x.T if tall else x).reshape(gradient.shape)


def _polynomial(square: Tensor) -> Tensor:
    a, b, c = _POLYNOMIAL
    result = b * square + c * square @ square
    result.diagonal().add_(a)
    return result


@dataclass
class Muon:
    """Muon for inner weights, AdamW with 0.3 times the learning rate for the outer ones; where
    there are no inner weights, AdamW with all of it.

    Muon steps along the orthogonalised momentum of the gradient, times 0.2 * sqrt(its longer side),
    which gives the step the size of one of AdamW. Jordan et al. 2024; Liu et al. 2025
    ("Muon is scalable for LLM training") eq. 4.

    weights: all of them, by name. inner: the names of those that Muon updates, with two axes or
    more; kernels (N, C, k, k) are seen as (N, C * k * k). betas: of AdamW. fused: let torch update
    all outer weights in one call. state: what is remembered of the gradients, under names such as
    "momentum.stem.weight"; empty before the first step.
    """

    weights: Mapping[str, Tensor]
    inner: Collection[str]
    betas: tuple[float, float]
    weight_decay: float
    fused: bool = True
    state: dict[str, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Take one step at a learning rate; a weight without a gradient stays as it is."""
        gradients = {name: w.grad for name, w in self.weights.items() if w.grad is not None}
        outer = [name for name in gradients if name not in self.inner]
        means, squares, steps = self._remembered(outer, "exp_avg", "exp_avg_sq", "step")
        adamw(
            [self.weights[name] for name in outer], [gradients[name] for name in outer],
            means, squares, [], steps, fused=self.fused, amsgrad=False, maximize=False, eps=1e-8,
            lr=(ADAMW_SHARE if self.inner else 1) * rate, weight_decay=self.weight_decay,
            beta1=self.betas[0], beta2=self.betas[1],
        )  # fmt: skip
        inner = [name for name in gradients if name in self.inner]
        inner.sort(key=lambda name: gradients[name].numel())  # to share them out in equal parts
        (momenta,) = self._remembered(inner, "momentum")
        for name, momentum in zip(inner, momenta, strict=True):
            momentum.mul_(MOMENTUM).add_(gradients[name])
        directions = list(map(torch.empty_like, momenta))
        each = zip(inner, momenta, directions, strict=True)
        for name, momentum, direction in distributed.share([*each]):
            ahead = gradients[name] + MOMENTUM * momentum  # Nesterov
            direction.copy_(orthogonalised(ahead))
        distributed.exchange(directions)
        for name, direction in zip(inner, directions, strict=True):
            weight = self.weights[name]
            size = rate * 0.2 * math.sqrt(max(len(weight), weight[0].numel()))
            weight.mul_(1 - rate * self.weight_decay)
            weight.add_(direction, alpha=-size)

    def _remembered(self, names: list[str], *keys: str) -> list[list[Tensor]]:
        """Return what is remembered of weights, by key; zeros of those that were never stepped."""
        for key, name in itertools.product(keys, names):
            if f"{key}.{name}" not in self.state:
                weight = self.weights[name]
                like = weight if key != "step" else torch.empty((), device=weight.device)
                self.state[f"{key}.{name}"] = torch.zeros_like(like)
        return [[self.state[f"{key}.{name}"] for name in names] for key in keys]

    def restore(self, state: dict[str, Tensor]) -> None:
        """Resume from a state of these weights, on any device; KeyError if it is of others."""
        self.state = {}
        for key, tensor in state.items():
            weight = self.weights[key.partition(".")[2]]
            # A fused update needs the weight and what is remembered of it in one order in memory.
            like = weight if tensor.shape == weight.shape else tensor
            new = torch.empty_like(like, device=weight.device, requires_grad=False)
            self.state[key] = new.copy_(tensor)
