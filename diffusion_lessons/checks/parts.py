"""Exercises that return two things, or whose gradient counts: one part is examined at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial, update_wrapper

import torch
from torch import Tensor

from .exercise import Exercise, normal
from .report import Report


def at(place: int, function: Callable, *inputs: Tensor) -> object:
    """Return one of the two things that a function returns; where it returns nothing, that."""
    result = function(*inputs)
    if result is None or result is Ellipsis:
        return result
    first, second = result
    return (first, second)[place]


def slopes(function: Callable, *inputs: Tensor) -> Tensor:
    """Return the gradients that reach the inputs from a loss on the first thing returned, one above
    the other; zeros where none does."""
    asked = [x.clone().requires_grad_() for x in inputs]
    first, _ = function(*asked)
    loss = (normal(*first.shape, seed=9) * first).sum() + 0 * sum(x.sum() for x in asked)
    return torch.cat(torch.autograd.grad(loss, asked))


@dataclass(frozen=True)
class _Part(Exercise):
    """An exercise of which only what `look` sees of a function and its inputs is compared."""

    look: Callable = slopes

    def compiled(self, source: str) -> Callable:
        """Return what `look` sees of the function that `source` defines."""
        return partial(self.look, super().compiled(source))

    def examine(self, function: Callable) -> Report:
        """Compare what `look` sees; an error is shown with the learner's own line."""
        seen = partial(self.look, function)
        return super().examine(update_wrapper(seen, function, assigned=["__code__"]))


@dataclass(frozen=True)
class InParts(Exercise):
    """An exercise of several parts by name, each a function such as `at` and `slopes`.

    So a mistake in one part is named, whatever is wrong with the parts after it.
    """

    parts: dict[str, Callable] = field(default_factory=dict)

    def examine(self, function: Callable) -> Report:
        """Compare the learner's function with the solution, part by part, up to the first fault."""
        if not callable(function):
            return super().examine(function)
        given = self.solution, self.praise, self.trials, self.slips, self.why, self.names
        for part, look in self.parts.items():
            report = _Part(*given, look).examine(function)
            if report.verdict == "not yet":
                first, *rest = report.words
                return Report("not yet", (f"{part}: {first[0].lower()}{first[1:]}", *rest))
        return report
