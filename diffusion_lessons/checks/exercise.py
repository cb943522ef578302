"""An exercise as data: its solution's source, trials to run, and slips with a sentence for each.

A wrong version is written as the learner would write it: either the line that is returned instead
("beta * eps"), or changes of the solution ("old => new", several apart by "; ").
"""

import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch

from .core import examine
from .near import near_misses
from .report import Report, Slip, Trial

HALF = "Python reads x**1/2 as (x**1)/2. Write x ** 0.5 or x ** (1/2)."


@dataclass(frozen=True)
class Exercise:
    """Report what is wrong with the learner's function that it is called with.

    `solution` is the source printed in the notebook, `trials` maps words to arguments by name, and
    `slips` a wrong version to the sentence about it.
    """

    solution: str
    praise: str
    trials: dict[str, dict]
    slips: dict[str, str]
    names: dict = field(default_factory=dict)  # what the sources may use besides torch and math
    rtol: float = 1e-4

    def __call__(self, function: Callable) -> Report:
        """Compare the learner's function with the solution on every trial."""
        return self.on(self._trials, function)

    def on(self, trials: list[Trial], function: Callable) -> Report:
        """Compare the learner's function with the solution on these trials alone."""
        return examine(
            function, self.function, trials, self._slips, self.praise, self.rtol, self.near
        )

    @cached_property
    def function(self) -> Callable:
        """Return the solution, compiled."""
        return self.compiled(textwrap.dedent(self.solution).strip())

    @cached_property
    def _trials(self) -> list[Trial]:
        return [Trial(what, inputs) for what, inputs in self.trials.items()]

    @cached_property
    def _slips(self) -> list[Slip]:
        return [Slip(words, self.compiled(self.wrong(key))) for key, words in self.slips.items()]

    def near(self) -> list[Slip]:
        """Return every solution with one small change, as slips (see near.py)."""
        source = textwrap.dedent(self.solution).strip()
        return [Slip(words, self.compiled(wrong)) for words, wrong in near_misses(source)]

    def wrong(self, key: str) -> str:
        """Return the source of wrong version `key`. Raises ValueError where it changes nothing."""
        source = textwrap.dedent(self.solution).strip()
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
