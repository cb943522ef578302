"""Find what is wrong with a result before any number is compared: its type, shape or dtype."""

from numbers import Real

import torch
from torch import Tensor

from .report import Trial


def name_of(value: object) -> str:
    """Return what kind of thing a value is, in words."""
    return "nothing (None)" if value is None else f"a {type(value).__name__}"


def wrong_form(result: object, expected: Tensor, trial: Trial, given: list) -> list[str] | None:
    """Describe a fault in the form of `result`, or in the inputs `given` after the call."""
    if result is None:
        return ["It returns nothing (None). Is the last line a `return`?"]
    if result is Ellipsis:
        return ["It returns `...`: put your formula in its place."]
    for (name, before), after in zip(trial.inputs.items(), given, strict=True):
        if isinstance(before, Tensor) and not torch.equal(before, after):
            return [
                f"It changed its input `{name}` in place; the caller's tensor is lost. Operators "
                "such as *= and += and methods ending in _ do that: write a * b into a new name."
            ]
    if not isinstance(result, Tensor):
        words = [f"It returns {name_of(result)}, and a torch.Tensor was expected."]
        many_for_one = isinstance(result, Real) and expected.ndim > 0
        return [*words, _single_number(trial)] if many_for_one else words
    if result.shape != expected.shape:
        return _words_for_shape(result, expected, trial)
    if result.requires_grad and not expected.requires_grad:
        return [
            "The result still carries a gradient: training would go back through all that made it, "
            "and change that too. What is only to be copied is computed under torch.no_grad()."
        ]
    return _wrong_dtype(result, expected, trial)


def _single_number(trial: Trial) -> str:
    part = "row" if "alpha_bar" in trial.tensors() else "entry"
    return f"It is a single number: one {part}, or a mean or sum. Each {part} should have a value."


def _words_for_shape(result: Tensor, expected: Tensor, trial: Trial) -> list[str]:
    words = [
        f"On {trial.what} the result has shape {tuple(result.shape)}, "
        f"expected {tuple(expected.shape)}."
    ]
    if result.ndim > expected.ndim:
        words.append(
            "It has axes too many. Likely reason: a (B, 1, 1, 1) tensor met data without those "
            "axes, or an index with [None] made a new one."
        )
    elif result.ndim == 0:
        words.append(_single_number(trial))
    return words


def _wrong_dtype(result: Tensor, expected: Tensor, trial: Trial) -> list[str] | None:
    if result.dtype == expected.dtype:
        return None
    dtypes = f"The result has dtype {result.dtype}, expected {expected.dtype}."
    if expected.dtype == torch.bool:
        return [dtypes, "True and False come from a comparison, such as a < b."]
    if not expected.dtype.is_floating_point:
        return [dtypes, "They are numbers of things, to count and to index with: whole, int64."]
    if result.is_complex():
        return [dtypes, "The root of a negative number is complex: look at what stands below it."]
    if not result.dtype.is_floating_point:
        return [
            dtypes,
            "Whole numbers cannot hold noise: fractions are cut off, and in uint8 what falls below "
            "0 or above 255 wraps around to the other end (integer overflow). Stay with floats.",
        ]
    if result.dtype.itemsize < expected.dtype.itemsize:
        if expected.dtype != torch.float64:
            return [dtypes, "The result should stay as wide as the input: leave out .half()."]
        what = "The table" if "alpha_bar" in trial.tensors() else "The input"
        return [dtypes, f"{what} is float64 and the result should stay so: leave out .float()."]
    return [
        dtypes,
        "Likely reason: a float64 table met a float32 picture, and torch kept the wider one. "
        "Convert the rates, not the picture: rate.to(x_0.dtype), or .float().",
    ]
