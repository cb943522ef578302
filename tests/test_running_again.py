"""A cell can be run again at any time: no later cell gives its names another meaning.

Learners go back, change a line and run that cell once more. It then must not meet, under a name
that it takes from above, what a cell further down has put there since.
"""

import symtable

import pytest
from nbformat.v4 import new_code_cell

from tests.exercises import read
from tools import notebooks as tool


def names(source: str) -> tuple[set[str], set[str], set[str]]:
    """What a cell sets, what it takes from other cells as it runs, and what its functions take
    from the notebook whenever they are called."""
    table = symtable.symtable(source, "cell", "exec")
    symbols = table.get_symbols()
    sets = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    takes = {s.get_name() for s in symbols if s.is_referenced()} - sets
    inside: set[str] = set()
    waiting = table.get_children()
    while waiting:
        scope = waiting.pop()
        waiting += scope.get_children()
        found = {s.get_name() for s in scope.get_symbols() if s.is_global() and s.is_referenced()}
        at_once = scope.get_name() in ("listcomp", "genexpr", "dictcomp", "setcomp")
        (takes if at_once else inside).update(found - sets if at_once else found)
    return sets, takes, inside


def overwritten(cells: list) -> dict[str, tuple[str, str]]:
    """Name to (a cell that takes it, a later cell that gives it another value)."""
    told = [(cell.id, *names(cell.source)) for cell in cells if cell.cell_type == "code"]
    found = {}
    for place, (here, _, takes, inside) in enumerate(told):
        for later, sets, *_ in told[place + 1 :]:
            for name in (takes | inside) & sets:
                found.setdefault(name, (here, later))
    return found


@pytest.mark.parametrize("path", tool.lessons(), ids=lambda path: path.stem)
def test_no_cell_changes_what_an_earlier_cell_takes(path):
    assert overwritten(read(path).cells) == {}


def test_it_is_seen_when_a_cell_changes_what_an_earlier_one_takes():
    first, second = new_code_cell("x = 1\n"), new_code_cell("def f():\n    return x\n")
    third = new_code_cell("print([x for y in (1, 2)])")
    fourth, own = new_code_cell("x = 2"), new_code_cell("print([x for x in (1, 2)])")
    assert overwritten([first, second, fourth]) == {"x": (second.id, fourth.id)}
    assert overwritten([first, third, fourth]) == {"x": (third.id, fourth.id)}
    assert overwritten([first, own, fourth]) == overwritten([first, fourth, second, third]) == {}
