"""The parts of a check: inputs to try, and the report a learner reads."""

import html
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Trial:
    """Inputs to try a function on: `what` they are, in words, and the arguments by name."""

    what: str
    inputs: dict[str, object]

    def copies(self) -> list:
        """Return the arguments in order; tensors, lists and generators as copies of their own."""
        values = (v.clone() if isinstance(v, Tensor) else v for v in self.inputs.values())
        values = (v.clone_state() if isinstance(v, torch.Generator) else v for v in values)
        return [v.copy() if isinstance(v, list) else v for v in values]

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors among the arguments by name."""
        return {name: v for name, v in self.inputs.items() if isinstance(v, Tensor)}


@dataclass(frozen=True)
class Report:
    """The findings of a check, displayed by Jupyter as a small note and by `print` as text."""

    verdict: str
    """One of "right", "not yet", "to do"."""
    words: tuple[str, ...]

    SIGNS = {"right": "✓ Right", "not yet": "✗ Not yet", "to do": "… Not written yet"}

    @property
    def passed(self) -> bool:
        """Return True where every trial came out right."""
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


def same(result: object, expected: object) -> bool:
    """Return True where two results are tensors of one shape and, up to rounding, alike.

    Allowed are a relative difference of 1e-4, and 1e-5 besides. Complex numbers, as
    (-1) ** 0.5 gives, agree with nothing.
    """
    return (
        isinstance(result, Tensor)
        and isinstance(expected, Tensor)
        and result.shape == expected.shape
        and not (result.is_complex() or expected.is_complex())
        and torch.allclose(result.double(), expected.double(), rtol=1e-4, atol=1e-5, equal_nan=True)
    )
