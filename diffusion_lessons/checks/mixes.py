"""Building blocks of the checks of lesson 01: random inputs, and formulas right or wrong."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def itself(value: float) -> float:
    """The value unchanged: what is left of a square root that was forgotten."""
    return value


def zero(value: float) -> float:
    """Nothing, whatever the value: a term that was left out."""
    return 0.0


def half(value: float) -> float:
    """What Python reads in value**1/2, meant as a square root."""
    return value / 2


HALF = "Python reads x**1/2 as (x**1)/2. Write x ** 0.5 or x ** (1/2)."


def normal(shape: tuple[int, ...], seed: int) -> Tensor:
    """Random float32 numbers of variance 1, the same for the same seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def mix(kept: Callable, signal: Callable, noise: Callable, sign: float = 1.0) -> Callable:
    """A function (x, eps, b) that returns signal(a) x + noise(1 - a) eps, with a = kept(b)."""
    return lambda x, eps, b: signal(kept(b)) * x + sign * noise(1 - kept(b)) * eps


def jump(
    kept: Callable,
    signal: Callable = torch.sqrt,
    noise: Callable = torch.sqrt,
    index: Callable = itself,
    axes: tuple[int, ...] = (-1, 1, 1, 1),
) -> Callable:
    """A function (x_0, eps, row, beta) that mixes with rates from the table kept(beta).

    Right with kept = running product of 1 - beta; wrong where another argument is changed. `axes`
    is the shape that the rates get before they meet the pictures.
    """

    def jump_to_row(x_0: Tensor, eps: Tensor, row: Tensor, beta: Tensor) -> Tensor:
        a = kept(beta)[index(row)].view(axes)
        return signal(a).to(x_0.dtype) * x_0 + noise(1 - a).to(x_0.dtype) * eps

    return jump_to_row


def walk(rows: int) -> Callable:
    """A function (x_0, eps, row, beta): row + `rows` steps, each adding the same eps.

    A step from (signal, noise) goes to (sqrt(1 - b) signal, sqrt(1 - b) noise + sqrt(b)); the sum
    over the steps is taken in one piece, in float64.
    """

    def walk_to_row(x_0: Tensor, eps: Tensor, row: Tensor, beta: Tensor) -> Tensor:
        kept = torch.cumprod(1 - beta, 0)
        noise = kept.sqrt() * (beta / kept).sqrt().cumsum(0)
        steps = (row + rows).view(-1, 1, 1, 1)  # 0: the clean picture
        signal = torch.cat([torch.ones_like(kept[:1]), kept.sqrt()])[steps]
        noise = torch.cat([torch.zeros_like(kept[:1]), noise])[steps]
        return (signal * x_0 + noise * eps).to(x_0.dtype)

    return walk_to_row


def squared_cosine(
    s: float = 0.008, power: int = 2, quarter: float = math.pi / 2, start: bool = True
) -> Callable:
    """Nichol & Dhariwal eq. 17 as it stands; wrong where an argument is changed."""

    def f(t: Tensor) -> Tensor:
        return torch.cos((t + s) / (1 + s) * quarter) ** power

    return lambda t: f(t) / f(torch.zeros_like(t)) if start else f(t)
