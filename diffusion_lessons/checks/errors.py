"""Explain the error with which the learner's function stops."""

import linecache
import re
import traceback
from collections.abc import Callable, Sequence

from .report import Trial

MATH = "math.sqrt and math.cos take one number. For a tensor: x.sqrt(), torch.cos(x)."

# Messages of torch and numpy where they wanted one number and got many.
_MANY_FOR_ONE = (
    "only one element tensors",
    "cannot be converted to Scalar",
    "integer tensors of a single element",
    "Tensor with more than one value is ambiguous",
    "only length-1 arrays",
)
_NUMBER_FOR_TENSOR = re.compile(
    r"must be Tensor, not (float|int)|'float' object has no attribute '(sqrt|cos|view)'"
)
_USES_MATH = re.compile(r"\bmath\.|(?<![.\w])(sqrt|cos)\(")


def words_for_error(
    function: Callable, error: Exception, trial: Trial, slips: Sequence[tuple[str, Callable]] = ()
) -> list[str]:
    """Return the error, the learner's own line that led to it, and the likely reason: the words of
    the first of `slips` that stops with the same error, else what its message says."""
    words = [f"On {trial.what} it stopped with {type(error).__name__}: {error}"]
    code = getattr(function, "__code__", None)
    line = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if code and frame.filename == code.co_filename:
            line = linecache.getline(frame.filename, frame.lineno or 0).strip()
            words.append(f"The line: {line}" if line else f"Line {frame.lineno} of the cell.")
            break
    for reason, slip in slips:
        try:
            slip(*trial.copies())
        except Exception as other:
            if type(other) is type(error) and str(other) == str(error):
                return [*words, reason]
    likely = _likely_reason(error, line, trial)
    return [*words, likely] if likely else words


def _likely_reason(error: Exception, line: str, trial: Trial) -> str | None:
    message = str(error)
    if "bitwise_xor" in message or "for ^" in message:
        return "In Python a power is written **, not ^."
    if ("must match the size of tensor" in message or "not match" in message) and trial.tensors():
        return _sizes(message, trial)
    if _NUMBER_FOR_TENSOR.search(message):
        name = next((name for name, v in trial.inputs.items() if isinstance(v, float)), None)
        what = f"`{name}` is a plain number here" if name else "It got a plain number there"
        return f"{what}: math.sqrt, math.cos, or ** 0.5."
    if any(part in message for part in _MANY_FOR_ONE):
        table = next((n for n, v in trial.tensors().items() if not v.is_floating_point()), None)
        if table and not _USES_MATH.search(line):
            return f"`{table}` holds many numbers, not one."
        return None if line and not _USES_MATH.search(line) else MATH
    if isinstance(error, TypeError) and "positional argument" in message:
        return f"The check calls it with ({', '.join(trial.inputs)}), in this order."
    return None


def _sizes(message: str, trial: Trial) -> str:
    """Explain two tensors whose shapes do not broadcast."""
    if "x_0_set" in trial.inputs:
        return (
            "Every noisy picture meets every member of the set: x_t[:, None] has shape (B, 1, D), "
            "and its difference to signal_rate * x_0_set has (B, N, D). Or use torch.cdist."
        )
    tensors = trial.tensors()
    rows = any(not v.is_floating_point() for v in tensors.values())
    flat = [
        name
        for name, v in tensors.items()
        if v.ndim == 1 and v.is_floating_point() and f"({len(v)})" in message
    ]
    if rows and flat:
        return "The whole table met the pictures: pick with [row]."
    if len(flat) == 2:
        first, second = flat
        return (
            f"Each number of `{first}` meets each of `{second}`: {first}[:, None] has shape "
            f"(B, 1), and {first}[:, None] * {second} one line for each number of `{first}`."
        )
    most = max(tensors.values(), key=lambda v: v.ndim)
    if flat and most.ndim == 4 and len(tensors[flat[0]]) == most.shape[1] != len(most):
        return (
            f"`{flat[0]}` has shape (C,), one number for each channel. It needs trailing axes to "
            f"meet the rest, (B, C, h, w): {flat[0]}[:, None, None]."
        )
    if flat:
        axes = ", None" * (most.ndim - 1)
        return (
            f"`{flat[0]}` has shape (B,), one number for each of the batch. It needs trailing axes "
            f"to meet the rest: {flat[0]}[:{axes}]."
        )
    if rows:
        return (
            "Likely reason: one rate for each picture has shape (B,), the pictures (B, C, H, W). "
            "Rates need trailing axes, shape (B, 1, 1, 1), to meet them: rate.view(-1, 1, 1, 1)."
        )
    shapes = ", ".join(f"{name} {tuple(v.shape)}" for name, v in tensors.items())
    return f"Shapes meet from the last axis: the same size, or 1. Those passed in: {shapes}."
