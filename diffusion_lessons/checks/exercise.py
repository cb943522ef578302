"""An exercise as data: its solution, trials to run, and slips with a sentence for each.

A slip is a wrong version, written as the learner would write it: either the line that is returned
instead ("beta * eps"), or changes of the solution ("old => new", several apart by "; "). Where the
learner's numbers are those of a slip on every trial, the report is its sentence, and likewise where
both stop with the same error. Found in the same way for every exercise are errors (errors.py),
slips of form (forms.py: nothing returned, a wrong shape or dtype, an input changed in place),
exchanged inputs and near misses (near.py), and random numbers of its own (differences.py).
"""

import math
import textwrap
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from .differences import attempt, draws_its_own, not_finite, wrong_numbers
from .errors import words_for_error
from .forms import name_of, wrong_form
from .near import inputs_exchanged, near_misses
from .report import Report, Trial, same


@dataclass(frozen=True)
class Exercise:
    """Report what is wrong with the learner's function that it is called with.

    `solution` is the source printed in the notebook, `trials` maps words to arguments by name,
    `slips` a wrong version to the sentence about it, and `why` a fragment of the solution to the
    reason for it, which follows the sentence on a near miss there.
    """

    solution: str
    praise: str
    trials: dict[str, dict]
    slips: dict[str, str]
    why: dict[str, str] = field(default_factory=dict)
    names: dict = field(default_factory=dict)  # what the sources may use besides torch and math

    def __call__(self, function: Callable) -> Report:
        """Compare the learner's function with the solution, without the warnings of its calls."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.examine(function)

    def examine(self, function: Callable) -> Report:
        """Compare the learner's function with the solution on every trial."""
        return self.examine_on(self._trials, function)

    def examine_on(self, trials: Sequence[Trial], function: Callable) -> Report:
        """Compare the learner's function with the solution on these trials.

        Arguments are passed by position, in the order of `Trial.inputs`, as copies. Return `praise`
        where all agrees, else the first thing that is wrong and the likely reason. Never raises
        for what the learner's function does.
        """
        if not callable(function):
            got = f"The check got {name_of(function)}, and it needs the function itself: "
            return Report("not yet", (got + "write its name without parentheses.",))
        wrong = [(words, self.wrong(key)) for key, words in self.slips.items()]
        for trial in trials:
            given = trial.copies()
            try:
                result = function(*given)
            except Exception as error:
                if isinstance(error, NotImplementedError) and not str(error):  # the stub's own
                    return Report("to do", ("Fill in the function above, then run this again.",))
                slips = [(words, self.compiled(source)) for words, source in wrong]
                return Report("not yet", tuple(words_for_error(function, error, trial, slips)))
            expected = self.function(*trial.copies())
            problem = wrong_form(result, expected, trial, given)
            if problem or not same(result, expected):
                problem = (
                    self._named(wrong, function, trial, trials)  # a slip may have another form
                    or problem
                    or self._named(inputs_exchanged(self.source), function, trial, trials)
                    or not_finite(result, trial)
                    or draws_its_own(function, result, trial)
                    or self._named(near_misses(self.source, self.why), function, trial, trials)
                    or wrong_numbers(function, result, expected, trial)
                )
            if problem:
                return Report("not yet", tuple(problem))
        return Report("right", (self.praise,))

    def _named(
        self,
        wrong: Iterable[tuple[str, str]],
        function: Callable,
        trial: Trial,
        trials: Sequence[Trial],
    ) -> list[str]:
        """Return the sentence of the first wrong source that gives the learner's numbers on
        `trial`, and on each of `trials` where both it and the learner's function run. None that is
        right on `trial` is named: there only the form of the learner's result is wrong."""
        results = [(on, attempt(function, on)) for on in trials]
        results.sort(key=lambda pair: pair[0] is not trial)  # where it went wrong comes first

        def agrees(slip: Callable, on: Trial, mine: object) -> bool:
            theirs = attempt(slip, on)
            both = theirs is not None and mine is not None
            return same(mine, theirs) if both else on is not trial

        def is_wrong(slip: Callable) -> bool:
            theirs: Any = attempt(slip, trial)
            right: Any = attempt(self.function, trial)
            return not same(theirs, right) or theirs.dtype != right.dtype

        for words, source in wrong:
            slip = self.compiled(source)
            if all(agrees(slip, on, mine) for on, mine in results) and is_wrong(slip):
                return [words]
        return []

    @cached_property
    def source(self) -> str:
        """Return the solution as it stands in a notebook."""
        return textwrap.dedent(self.solution).strip()

    @cached_property
    def function(self) -> Callable:
        """Return the solution, compiled."""
        return self.compiled(self.source)

    @cached_property
    def _trials(self) -> list[Trial]:
        return [Trial(what, inputs) for what, inputs in self.trials.items()]

    def wrong(self, key: str) -> str:
        """Return the source of wrong version `key`. Raises ValueError where it changes nothing."""
        source = self.source
        if " => " not in key:
            return f"{source[: source.rindex('return ')]}return {key}"
        for change in key.split("; "):
            old, new = change.split(" => ")
            if old not in source:
                raise ValueError(f"{old!r} is not in the solution:\n{source}")
            source = source.replace(old, new)
        return source

    def compiled(self, source: str) -> Callable:
        """Return the function that `source` defines."""
        scope: dict = {"torch": torch, "math": math, **self.names}
        exec(source, scope)
        return list(scope.values())[-1]


def normal(*shape: int, seed: int) -> torch.Tensor:
    """Draw float32 numbers of variance 1, the same for the same seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def draw(names: str, *shape: int, **more: object) -> dict:
    """Return `more` behind tensors of one shape by name, each drawn by `normal`."""
    return {name: normal(*shape, seed=i) for i, name in enumerate(names.split(), 1)} | more
