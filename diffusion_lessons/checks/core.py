"""How a check works: run the learner's function, compare it with the truth, name the slip.

A slip is a wrong version of the function with a sentence about it. When the learner's numbers are
the numbers of a slip, the sentence is shown. Slips of form (nothing returned, a wrong shape or
dtype, an input changed in place, noise of one's own) are found here, the same for every exercise.
"""

import html
import linecache
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor


@dataclass(frozen=True)
class Slip:
    """A wrong version of an exercise's function, and what to say to the learner who wrote it."""

    words: str
    function: Callable


@dataclass(frozen=True)
class Trial:
    """Inputs to try a function on: `what` they are, in words, and the arguments by name."""

    what: str
    inputs: dict[str, object]


@dataclass(frozen=True)
class Report:
    """What a check found. Shown by Jupyter as a small note, and as text by `print`."""

    verdict: str
    """One of "right", "not yet", "to do"."""
    words: tuple[str, ...]

    SIGNS = {"right": "✓ Right", "not yet": "✗ Not yet", "to do": "… Not written yet"}

    @property
    def passed(self) -> bool:
        """True where every trial came out right."""
        return self.verdict == "right"

    def __repr__(self) -> str:
        return "\n".join([f"{self.SIGNS[self.verdict]}. {self.words[0]}", *self.words[1:]])

    def _repr_html_(self) -> str:
        first, *rest = (html.escape(line).replace("\n", "<br>") for line in self.words)
        edge = {"right": "solid", "not yet": "double", "to do": "dotted"}[self.verdict]
        return (
            f'<div role="status" style="border-left: 6px {edge} currentColor; padding: 0.2em 1em">'
            f"<strong>{self.SIGNS[self.verdict]}.</strong> {first}"
            + "".join(f"<br>{line}" for line in rest)
            + "</div>"
        )


def examine(
    function: Callable, truth: Callable, trials: Sequence[Trial], slips: Sequence[Slip], praise: str
) -> Report:
    """Compare the learner's `function` with `truth` on all `trials`.

    Arguments are passed by position, in the order of `Trial.inputs`, as copies. Returns a Report:
    `praise` where all agrees, else the first thing that is wrong and the likely reason. Never
    raises for what the learner's function does.
    """
    if not callable(function):
        return _not_yet(
            f"The check got {_name_of(function)}, and it needs the function itself: "
            "write its name without parentheses."
        )
    for trial in trials:
        given = _copies(trial)
        try:
            result = function(*given)
        except NotImplementedError:
            return Report("to do", ("Fill in the function above, then run this cell again.",))
        except Exception as error:
            return _not_yet(*_words_for_error(function, error, trial))
        expected = truth(*_copies(trial))
        problem = _wrong_form(result, expected, trial, given)
        if problem is None and not same(result, expected):
            problem = _named_slip(function, trial, trials, slips) or _wrong_numbers(
                function, result, expected, trial
            )
        if problem:
            return _not_yet(*problem)
    return Report("right", (praise,))


def same(result: object, expected: object) -> bool:
    """True where two results agree in form and, up to rounding, in their numbers."""
    if isinstance(expected, Tensor):
        return (
            isinstance(result, Tensor)
            and result.shape == expected.shape
            and torch.allclose(
                result.double(), expected.double(), rtol=1e-4, atol=1e-5, equal_nan=True
            )
        )
    both_numbers = isinstance(result, Real) and isinstance(expected, Real)
    return both_numbers and abs(result - expected) <= 1e-4 * abs(expected)


def _not_yet(*words: str) -> Report:
    return Report("not yet", words)


def _copies(trial: Trial) -> list:
    return [v.clone() if isinstance(v, Tensor) else v for v in trial.inputs.values()]


def _name_of(value: object) -> str:
    return "nothing (None)" if value is None else f"a {type(value).__name__}"


def _words_for_error(function: Callable, error: Exception, trial: Trial) -> list[str]:
    """The error, the learner's own line that led to it, and the likely reason."""
    words = [f"On {trial.what} it stopped with {type(error).__name__}: {error}"]
    code = getattr(function, "__code__", None)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if code and frame.filename == code.co_filename and frame.name == code.co_name:
            line = linecache.getline(frame.filename, frame.lineno or 0).strip()
            words.append(f"The line: {line}" if line else f"Line {frame.lineno} of the cell.")
            break
    message = str(error)
    if "must match the size of tensor" in message or "not match" in message:
        words.append(
            "Likely reason: one rate for each picture has shape (B,), the pictures (B, C, H, W). "
            "Rates need trailing axes, shape (B, 1, 1, 1), to meet them: rate.view(-1, 1, 1, 1)."
        )
    elif isinstance(error, TypeError) and "positional argument" in message:
        words.append(f"The check calls it with ({', '.join(trial.inputs)}), in this order.")
    return words


def _wrong_form(result: object, expected: object, trial: Trial, given: list) -> list[str] | None:
    """What is wrong before any number is looked at."""
    if result is None:
        return ["It returns nothing (None). Is the last line a `return`?"]
    if result is Ellipsis:
        return ["It returns `...`: put your formula in its place."]
    for (name, before), after in zip(trial.inputs.items(), given, strict=True):
        if isinstance(before, Tensor) and not torch.equal(before, after):
            return [
                f"It changed its input `{name}` in place; the caller's tensor is spoilt. Operators "
                "such as *= and += and methods ending in _ do that: write a * b into a new name."
            ]
    if not isinstance(expected, Tensor):
        return _wrong_number_type(result)
    if not isinstance(result, Tensor):
        return [f"It returns {_name_of(result)}, and a torch.Tensor was expected."]
    if result.shape != expected.shape:
        return _words_for_shape(result, expected, trial)
    return _wrong_dtype(result, expected)


def _wrong_number_type(result: object) -> list[str] | None:
    if isinstance(result, Tensor) and result.numel() == 1:
        return ["It returns a tensor, and a plain number was expected: end with .item()."]
    if isinstance(result, bool) or not isinstance(result, Real):
        return [f"It returns {_name_of(result)}, and one plain number was expected."]
    return None


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
        words.append("It is a single number. Likely reason: a .mean() or .sum() over everything.")
    return words


def _wrong_dtype(result: Tensor, expected: Tensor) -> list[str] | None:
    if result.dtype == expected.dtype:
        return None
    said = f"The result has dtype {result.dtype}, expected {expected.dtype}."
    if not result.dtype.is_floating_point:
        return [
            said,
            "Whole numbers cannot hold noise: fractions are cut off, and in uint8 what falls below "
            "0 or above 255 wraps around to the other end (integer overflow). Stay with floats.",
        ]
    return [
        said,
        "Likely reason: a float64 table met a float32 picture, and torch kept the wider one. "
        "Convert the rates, not the picture: rate.to(x_0.dtype), or .float().",
    ]


def _named_slip(
    function: Callable, trial: Trial, trials: Sequence[Trial], slips: Sequence[Slip]
) -> list[str] | None:
    """The words of the slip that gives the learner's numbers on this trial.

    Where several do, the one that gives them on the most trials.
    """

    def agrees(slip: Slip, on: Trial) -> bool:
        made = _attempt(slip.function, on)
        return made is not None and same(_attempt(function, on), made)

    candidates = [slip for slip in slips if agrees(slip, trial)]
    if not candidates:
        return None
    return [max(candidates, key=lambda slip: sum(agrees(slip, on) for on in trials)).words]


def _wrong_numbers(function: Callable, result: object, expected: object, trial: Trial) -> list[str]:
    """What can be said about wrong numbers that no slip explains."""
    return (
        _not_finite(result, trial)
        or _draws_its_own(function, result, trial)
        or _ignores_an_input(function, result, trial)
        or _words_for_numbers(result, expected, trial)
    )


def _not_finite(result: object, trial: Trial) -> list[str] | None:
    if not isinstance(result, Tensor) or torch.isfinite(result).all():
        return None
    return [
        f"On {trial.what} some numbers are nan or infinite.",
        "Likely reason: the square root of something negative, or a division by zero.",
    ]


def _attempt(function: Callable, trial: Trial) -> object:
    """The function's result, or None where it fails."""
    try:
        return function(*_copies(trial))
    except Exception:
        return None


def _draws_its_own(function: Callable, result: object, trial: Trial) -> list[str] | None:
    if same(_attempt(function, trial), result):
        return None
    return [
        "Two calls with the same inputs give two results: it draws random numbers of its own. "
        "Use the noise `eps` that is passed in, so that a learner, a network or a test knows it."
    ]


def _ignores_an_input(function: Callable, result: object, trial: Trial) -> list[str] | None:
    for name, value in trial.inputs.items():
        if not (isinstance(value, Tensor) and value.is_floating_point()):
            continue
        changed = Trial(trial.what, {**trial.inputs, name: value.flip(0) * 0.5 + 0.01})
        if same(_attempt(function, changed), result):
            return [
                f"Its input `{name}` makes no difference to the result: it is not used (another "
                "variable of that kind, left over in the notebook, may have taken its place)."
            ]
    return None


def _words_for_numbers(result: object, expected: object, trial: Trial) -> list[str]:
    if not isinstance(expected, Tensor):
        return [f"On {trial.what} it returns {result:.6g}, expected {expected:.6g}."]
    result, expected = result.double(), expected.double()
    where = (result - expected).abs().flatten().argmax()
    words = [
        f"On {trial.what} the numbers differ. Where they differ most yours is "
        f"{result.flatten()[where]:.4f}, expected {expected.flatten()[where]:.4f}."
    ]
    if expected.numel() > 100:
        words.append(f"Variance of your result {result.var():.3f}, expected {expected.var():.3f}.")
    return words
