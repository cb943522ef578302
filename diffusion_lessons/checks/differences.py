"""Describe wrong numbers that no slip explains."""

from collections.abc import Callable

import torch
from torch import Tensor

from .report import Trial, same


def attempt(function: Callable, trial: Trial) -> object:
    """Return the function's result, or None where it fails."""
    try:
        return function(*trial.copies())
    except Exception:
        return None


def not_finite(result: Tensor, trial: Trial) -> list[str] | None:
    """Describe a result with infinite numbers or nan, where it is one."""
    if torch.isfinite(result).all():
        return None
    return [
        f"On {trial.what} some numbers are nan or infinite.",
        "Likely reason: the square root or the logarithm of something negative, or a division by "
        "zero.",
    ]


def draws_its_own(function: Callable, result: Tensor, trial: Trial) -> list[str] | None:
    """Say that the function draws random numbers, where a second call gives another result."""
    if same(attempt(function, trial), result):
        return None
    return [
        "Two calls with the same inputs give two results: it draws random numbers of its own. "
        "Use the noise that is passed in, or draw it from the generator that is.",
    ]


def wrong_numbers(function: Callable, result: Tensor, expected: Tensor, trial: Trial) -> list[str]:
    """Describe finite numbers: an input that plays no part, one factor or sum, or the largest."""
    for name, value in trial.tensors().items():
        if value.is_floating_point():
            # Squared, so that it is not only the unit or the order that changes.
            changed = Trial(trial.what, {**trial.inputs, name: value.flip(0) ** 2 * 0.5 + 0.01})
            if same(attempt(function, changed), result):
                return [
                    f"On {trial.what} the result stays the same when `{name}` changes. Either "
                    f"`{name}` is not used (is a variable from another cell in its place?), or it "
                    "cancels out, as in x / x or x - x."
                ]
    result, expected = result.double(), expected.double()
    every = f"On {trial.what} every number"
    if expected.numel() > 3:
        factor = ((result * expected).sum() / (expected**2).sum()).item()
        more = (result - expected).mean().item()
        if same(result, -expected):
            return [f"{every} has the wrong sign."]
        if abs(factor) > 1e-6 and same(result, factor * expected):
            return [
                f"{every} is {factor:.4g} times what is expected. Likely reason: a factor is "
                "missing, or there is one too many."
            ]
        if same(result, expected + more):
            amount = f"{abs(more):.4g} too {'large' if more > 0 else 'small'}"
            return [f"{every} is {amount}: something is added, or left out."]
    where = (result - expected).abs().flatten().argmax()
    words = [
        f"On {trial.what} the numbers differ. Where they differ most yours is "
        f"{result.flatten()[where]:.4f}, expected {expected.flatten()[where]:.4f}."
    ]
    if expected.numel() > 100:
        words.append(f"Variance of your result {result.var():.3f}, expected {expected.var():.3f}.")
    return words
