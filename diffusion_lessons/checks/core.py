"""Run the learner's function, compare it with the truth, name the slip: how a check works.

A slip is a wrong version of the function with a sentence about it. When the learner's numbers are
the numbers of a slip on every trial, its sentence is shown, and likewise where both stop with the
same error. Other errors (errors.py), slips of form (forms.py: nothing returned, a wrong shape or
dtype, an input changed in place), random numbers of its own and exchanged inputs are found in the
same way for every exercise.
"""

from collections.abc import Callable, Sequence
from itertools import combinations

import torch
from torch import Tensor

from .errors import words_for_error
from .forms import name_of, wrong_form
from .report import Report, Slip, Trial, same


def examine(
    function: Callable,
    truth: Callable,
    trials: Sequence[Trial],
    slips: Sequence[Slip],
    praise: str,
    rtol: float = 1e-4,
    near: Callable[[], Sequence[Slip]] = list,
) -> Report:
    """Compare the learner's `function` with `truth` on all `trials`, up to `rtol` (see `same`).

    Arguments are passed by position, in the order of `Trial.inputs`, as copies. `near` makes slips
    that are tried where none of `slips` nor any other reason fits. Returns a Report:
    `praise` where all agrees, else the first thing that is wrong and the likely reason. Never
    raises for what the learner's function does.
    """
    if not callable(function):
        return _not_yet(
            f"The check got {name_of(function)}, and it needs the function itself: "
            "write its name without parentheses."
        )
    for trial in trials:
        given = trial.copies()
        try:
            result = function(*given)
        except Exception as error:
            if isinstance(error, NotImplementedError) and not str(error):  # the stub's own
                return Report("to do", ("Fill in the function above, then run this cell again.",))
            return _not_yet(*words_for_error(function, error, trial, slips))
        expected = truth(*trial.copies())
        problem = wrong_form(result, expected, trial, given)
        if problem is None and not same(result, expected, rtol):
            problem = (
                _named_slip(function, trial, trials, slips, rtol)
                or _exchanged(function, truth, trials, rtol)
                or _not_finite(result, trial)
                or _draws_its_own(function, result, trial)
                or _named_slip(function, trial, trials, near(), rtol)
                or _wrong_numbers(function, result, expected, trial)
            )
        if problem:
            return _not_yet(*problem)
    return Report("right", (praise,))


def _not_yet(*words: str) -> Report:
    return Report("not yet", words)


def _named_slip(
    function: Callable, trial: Trial, trials: Sequence[Trial], slips: Sequence[Slip], rtol: float
) -> list[str] | None:
    """Return the words of the first slip that gives the learner's numbers on `trial`, and on each
    of `trials` where both the slip and the learner's function run."""
    results = [(on, _attempt(function, on)) for on in trials]
    results.sort(key=lambda pair: pair[0] is not trial)  # where it went wrong comes first

    def agrees(slip: Slip, on: Trial, result: object) -> bool:
        wrong = _attempt(slip.function, on)
        both = wrong is not None and result is not None
        return same(result, wrong, rtol) if both else on is not trial

    for slip in slips:
        if all(agrees(slip, on, result) for on, result in results):
            return [slip.words]
    return None


def _exchanged(
    function: Callable, truth: Callable, trials: Sequence[Trial], rtol: float
) -> list[str] | None:
    """Name two inputs that the function uses in each other's place."""
    for first, second in combinations(trials[0].inputs, 2):
        swapped = [
            Trial(on.what, on.inputs | {first: on.inputs[second], second: on.inputs[first]})
            for on in trials
        ]
        if all(
            same(_attempt(function, on), truth(*by_name.copies()), rtol)
            for on, by_name in zip(swapped, trials, strict=True)
        ):
            return [
                f"`{first}` and `{second}` are exchanged: each is used where the other belongs."
            ]
    return None


def _wrong_numbers(function: Callable, result: object, expected: object, trial: Trial) -> list[str]:
    """Describe finite numbers that no slip explains."""
    return (
        _ignores_an_input(function, result, trial)
        or _right_but_for_one_number(result, expected, trial)
        or _words_for_numbers(result, expected, trial)
    )


def _not_finite(result: object, trial: Trial) -> list[str] | None:
    if not isinstance(result, Tensor) or torch.isfinite(result).all():
        return None
    return [
        f"On {trial.what} some numbers are nan or infinite.",
        "Likely reason: the square root or the logarithm of something negative, or a division by "
        "zero.",
    ]


def _attempt(function: Callable, trial: Trial) -> object:
    """Return the function's result, or None where it fails."""
    try:
        return function(*trial.copies())
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
        # Squared, so that it is not only the unit or the order that changes.
        changed = Trial(trial.what, {**trial.inputs, name: value.flip(0) ** 2 * 0.5 + 0.01})
        if same(_attempt(function, changed), result):
            return [
                f"On {trial.what} the result stays the same when `{name}` changes. Either `{name}` "
                "is not used (is a variable from another cell in its place?), or it cancels out, "
                "as in x / x or x - x."
            ]
    return None


def _right_but_for_one_number(result: object, expected: object, trial: Trial) -> list[str] | None:
    """Describe a result that is off by the same factor, or the same sum, in every number."""
    if not (isinstance(result, Tensor) and isinstance(expected, Tensor) and expected.numel() > 3):
        return None
    result, expected = result.double(), expected.double()
    factor = ((result * expected).sum() / (expected**2).sum()).item()
    more = (result - expected).mean().item()
    if same(result, -expected):
        return [f"On {trial.what} every number has the wrong sign."]
    if abs(factor) > 1e-6 and same(result, factor * expected):
        return [
            f"On {trial.what} every number is {factor:.4g} times what is expected. Likely reason: "
            "a factor is missing, or there is one too many."
        ]
    if same(result, expected + more):
        amount = f"{abs(more):.4g} too {'large' if more > 0 else 'small'}"
        return [f"On {trial.what} every number is {amount}: something is added, or left out."]
    return None


def _words_for_numbers(result: object, expected: object, trial: Trial) -> list[str]:
    if not (isinstance(result, Tensor) and isinstance(expected, Tensor)):
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
