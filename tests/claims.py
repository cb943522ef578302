"""Claims as lines of a table: what is stated where, what is computed, and what it has to be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch

from tools import notebooks as tool

_STATED = re.compile(r"<([\d.,]+)>")


class Between:
    """Equal to each number from `low` to `high`, and to a list of such numbers."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __eq__(self, found: object) -> bool:
        numbers = found if isinstance(found, list) else [found]
        return len(numbers) > 0 and all(self.low <= number <= self.high for number in numbers)

    def __repr__(self) -> str:
        return f"from {self.low:g} to {self.high:g}"


def tables(file: str) -> Any:
    """The tables of a file of tests: what the JSON file of its name holds."""
    return json.loads(Path(file).with_suffix(".json").read_text(encoding="utf-8"))


def claims(*rows: tuple) -> pytest.MarkDecorator:
    """Run a test once for each row of a table, its argument `claim`; named by the row's start."""
    return pytest.mark.parametrize("claim", rows, ids=[row[0][:50] or None for row in rows])


def plain(value: Any) -> Any:
    """What was computed: functions called, tensors as numbers, tuples as lists."""
    if isinstance(value, torch.Tensor):
        return value.item() if value.numel() == 1 else value.tolist()
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return plain(value()) if callable(value) else value


class Lesson:
    """The lesson of this number: its cells by their ids, its text with single blanks."""

    def __init__(self, number: str) -> None:
        (self.path,) = tool.NOTEBOOKS.glob(f"{number}_*.ipynb")
        self.cells = {cell.id: cell for cell in nbformat.read(self.path, as_version=4).cells}
        self.text = " ".join(re.sub(r"\s+", " ", cell.source) for cell in self.cells.values())

    def printed(self, name: str) -> str:
        """What the cell of this id printed when it was last run."""
        return "".join(output.get("text", "") for output in self.cells[name].outputs)

    def numbers(self, name: str, pattern: str) -> list[float]:
        """The numbers in all groups of a pattern in what a cell printed, in order."""
        found = re.finditer(pattern, self.printed(name), re.MULTILINE)
        return [float(number) for match in found for number in match.groups()]

    def says(self, sentence: str, computed: Any = None, wanted: Any = None) -> None:
        """Assert that the text has each part of `sentence` (" … " parts them), and that what is
        computed is what is wanted; where the sentence has numbers in <>, that it is those, rounded
        as they stand there."""
        for part in _STATED.sub(r"\1", sentence).split(" … "):
            assert part in self.text, f"the lesson does not say: {part}"
        computed, wanted = plain(computed), plain(wanted)
        if stated := _STATED.findall(sentence):
            wanted = [number.replace(",", "") for number in stated]
            numbers = computed if isinstance(computed, list) else [computed]
            assert len(numbers) == len(wanted)
            places = [len(number.partition(".")[2]) for number in wanted]
            computed = [f"{number:.{n}f}" for number, n in zip(numbers, places, strict=True)]
        assert computed == wanted, f"{sentence}: computed {computed}, wanted {wanted}"
