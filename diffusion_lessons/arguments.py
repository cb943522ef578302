"""Arguments that do not fit are refused, in one sentence: what it is, and what to give instead."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

_SIGNS = {ord(sign): "-" for sign in "−–‐‑﹣－"} | {ord("＋"): "+"}
_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?"
FLOATS, WHOLE, MARKS = "floats", "whole numbers (torch.int64)", "True and False"
_LEVELS = (torch.uint8, torch.int64)
_KINDS = {torch.bool: MARKS, torch.int64: WHOLE, torch.int32: WHOLE}  # others are for pixels


def number(
    name: str, value: float, low: float, high: float, hint: str = "", real: bool = False
) -> int:
    """Return a whole number from low to high as an int; `real`: any number, as a float.

    Those of numpy and tensors of one number count as well, as np.arange and losses have them.
    Raises TypeError for what is no such number, ValueError for one out of this range; `hint` ends
    the sentence.
    """
    value = value.item() if isinstance(value, Tensor | np.ndarray) and value.ndim == 0 else value
    fits = isinstance(value, Real if real else Integral) and not isinstance(value, bool)
    if fits and low <= value <= high:
        return (float if real else int)(value)  # type: ignore[return-value]
    wanted = f"give a {'' if real else 'whole '}number from {low} to {high}{hint}"
    raise (ValueError if fits else TypeError)(f"{name} is {value!r}: {wanted}")


def typed(text: str) -> float:
    """Return the number that somebody typed, nan for what is none: as `numberIn` of the page.

    With a decimal point or comma, signs of any kind, and spaces between; "1,000", "1.000.000",
    "1 000" and "1.000,5" have thousands in them, "0,500" and "1.5" do not.
    """
    plain = re.sub(r"[\s'’_]", "", text).translate(_SIGNS)
    if re.fullmatch(r"[-+]?[1-9]\d{0,2}((\.\d{3})+,\d*|(\.\d{3}){2,})", plain):
        plain = plain.replace(".", "")
    elif re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", plain):
        plain = plain.replace(",", "")
    plain = plain.replace(",", ".")
    return float(plain) if re.fullmatch(_NUMBER, plain, re.ASCII | re.IGNORECASE) else math.nan


def choice(name: str, value: object, choices: Sequence[object]) -> None:
    """Raise ValueError for what is none of the choices."""
    if isinstance(value, (Tensor, np.ndarray)) or value not in choices:
        raise ValueError(f"{name} is {value!r}: choose one of {', '.join(map(repr, choices))}")


def sizes(given: dict[str, Any], *several: str) -> None:
    """Refuse sizes in the `locals()` of a network's constructor as `number` does; `several` names
    those that are sequences, and what is no number by its nature is passed over."""
    for name, value in given.items():
        for one in value if name in several else [value]:
            if not (callable(one) or isinstance(one, Mapping)):
                # A tensor of one number would end in an error within torch: it counts as its text.
                size: Any = str(one) if hasattr(one, "ndim") and one.ndim == 0 else one
                number(name, size, 1, 2**16)


def tensor(name: str, value: Tensor, holds: str | torch.dtype = FLOATS, hint: str = "") -> None:
    """Raise TypeError for what is no tensor that holds FLOATS (of any precision), WHOLE numbers,
    MARKS, or numbers of this dtype; where autocast is on, of any precision."""
    dtype = value.dtype if isinstance(value, Tensor) else None
    kind = FLOATS if dtype and dtype.is_floating_point else _KINDS.get(dtype)
    any_precision = kind == FLOATS and torch.is_autocast_enabled(value.device.type)
    if kind is None or holds not in (kind, dtype, any_precision and torch.float32):
        is_now = f"has dtype {dtype}" if dtype else f"is {value!r}"
        is_now = is_now if len(is_now) < 80 else f"is of type {type(value).__name__}"
        fix = {WHOLE: "x.long()", MARKS: "x > 0.5"}.get(str(holds), "x.float()")
        pixels = "; of pixels from 0 to 255, x.float() / 127.5 - 1" * (dtype in _LEVELS)
        raise TypeError(f"{name} {is_now}: give a tensor of {holds}, such as {fix}{pixels}{hint}")


def alike(**given: Tensor) -> None:
    """Raise TypeError for what is no tensor of floats, ValueError where shapes are not the same."""
    first = next(iter(given))
    for name, value in given.items():
        tensor(name, value)
        shape(name, value, given[first].shape, f", the shape of {first}")


def indices(name: str, value: Tensor, low: int, high: int, hint: str = "") -> None:
    """Raise TypeError for what is no tensor of whole numbers, ValueError for one out of range."""
    tensor(name, value, WHOLE)
    for end in value.aminmax() if value.numel() else ():
        number(f"a number of {name}", int(end), low, high, hint)


def texts(name: str, value: str | Sequence[str], example: str) -> list[str]:
    """Return a text or several as a list. Raises TypeError for others, ValueError for none."""
    found: list = list(value) if isinstance(value, (list, tuple)) else [value]
    for text in found or [[]]:
        if not isinstance(text, str):
            error = TypeError if found else ValueError
            raise error(f"{name} is {text!r}: give a text, such as {example!r}, or several")
    return found


def shape(
    name: str, value: Tensor | np.ndarray, sizes: Sequence[int | str], hint: str = "",
    holds: str | torch.dtype = "",
) -> None:  # fmt: skip
    """Raise ValueError where a tensor does not have these sizes; `hint` ends the sentence. holds:
    what `tensor` asks for.

    sizes: for each axis a number, "B" for 1 or more, another letter for any number, or "8h" for any
    multiple of 8.
    """
    if holds:
        tensor(name, value, holds)  # type: ignore[arg-type]
    found = tuple(value.shape) if isinstance(value, (Tensor, np.ndarray)) else None
    steps = [int(size[:-1] or 1) if isinstance(size, str) else 0 for size in sizes]
    pairs = zip(found or (), sizes, steps, strict=False)
    fits = found is not None and len(found) == len(sizes)
    wrong = (n % step or (of, n) == ("B", 0) if step else n != of for n, of, step in pairs)
    if not fits or any(wrong):
        wanted = ", ".join(map(str, sizes)) + "," * (len(sizes) == 1)
        problem = f"is {value!r:.80}" if found is None else f"has shape {found}"
        empty = "; none of them may be empty" * (0 in (found or ()))
        raise ValueError(f"{name} {problem}: give ({wanted}){hint}{empty}")
