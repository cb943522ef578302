"""Arguments that do not fit are refused, in one sentence: what it is, and what to give instead."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from torch import Tensor


def number(
    name: str, value: float, low: float, high: float, hint: str = "", real: bool = False
) -> int:
    """Return a whole number from low to high as an int; `real`: any number, as a float.

    numpy's numbers count as well: they come out of np.arange and of data frames. Raises TypeError
    for what is no such number, ValueError for one out of this range; `hint` ends the sentence.
    """
    fits = isinstance(value, Real if real else Integral) and not isinstance(value, bool)
    if fits and low <= value <= high:
        return (float if real else int)(value)  # type: ignore[return-value]
    wanted = f"give a {'' if real else 'whole '}number from {low} to {high}{hint}"
    raise (ValueError if fits else TypeError)(f"{name} is {value!r}: {wanted}")


def choice(name: str, value: object, choices: Sequence[object]) -> None:
    """Raise ValueError for what is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}: choose one of {', '.join(map(repr, choices))}")


def texts(name: str, value: str | Sequence[str], example: str) -> list[str]:
    """Return a text or several as a list. Raises TypeError for others, ValueError for none."""
    found: list = list(value) if isinstance(value, (list, tuple)) else [value]
    for text in found or [[]]:
        if not isinstance(text, str):
            error = TypeError if found else ValueError
            raise error(f"{name} is {text!r}: give a text, such as {example!r}, or several")
    return found


def shape(
    name: str, tensor: Tensor | np.ndarray, sizes: Sequence[int | str], hint: str = ""
) -> None:
    """Raise ValueError where a tensor does not have these sizes; `hint` ends the sentence.

    sizes: for each axis a number, "B" for any number, or "8h" for any multiple of 8.
    """
    found = tuple(tensor.shape) if isinstance(tensor, (Tensor, np.ndarray)) else None
    steps = [int(size[:-1] or 1) if isinstance(size, str) else 0 for size in sizes]
    pairs = zip(found or (), sizes, steps, strict=False)
    fits = found is not None and len(found) == len(sizes)
    if not fits or any(n % step if step else n != of for n, of, step in pairs):
        wanted = ", ".join(map(str, sizes)) + "," * (len(sizes) == 1)
        problem = f"is {tensor!r}" if found is None else f"has shape {found}"
        raise ValueError(f"{name} {problem}: give ({wanted}){hint}")
