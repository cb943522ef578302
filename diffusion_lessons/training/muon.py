"""Muon: an optimizer for the matrices inside a network, with AdamW for everything else.

torch.optim.Muon is for weights with two axes only; the kernels of convolutions have four.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

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


class Muon(torch.optim.AdamW):
    """Muon for inner weights, AdamW with 0.3 times the learning rate for the outer ones.

    Muon steps along the orthogonalised momentum of the gradient, times 0.2 * sqrt(its longer side),
    which gives the step the size of one of AdamW. Jordan et al. 2024; Liu et al. 2025
    ("Muon is scalable for LLM training") eq. 4.

    It takes what AdamW takes, with two groups of weights: first the outer ones (biases, norms,
    tables, the first layer and the last), then those with two axes or more; kernels (N, C, k, k)
    are seen as (N, C * k * k).
    """

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # no closure
        """Take one step of both, from the gradients in the parameters."""
        outer, inner = self.param_groups
        gradients = {weight: weight.grad for weight in inner["params"] if weight.grad is not None}
        for weight in gradients:
            weight.grad = None  # AdamW skips parameters without a gradient
        rate, outer["lr"] = outer["lr"], ADAMW_SHARE * outer["lr"]
        super().step()
        outer["lr"] = rate
        for weight, gradient in gradients.items():
            weight.grad, state = gradient, self.state[weight]
            if not state:
                state["step"] = torch.zeros(())  # AdamW looks for it when a state is loaded
                state["momentum"] = torch.zeros_like(weight)
            state["step"] += 1
            momentum = state["momentum"].mul_(MOMENTUM).add_(gradient)
            ahead = gradient + MOMENTUM * momentum  # Nesterov
            size = inner["lr"] * 0.2 * math.sqrt(max(len(weight), weight[0].numel()))
            weight.mul_(1 - inner["lr"] * inner["weight_decay"])
            weight.add_(orthogonalised(ahead), alpha=-size)
