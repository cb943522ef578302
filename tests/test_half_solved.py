"""Who solves every second exercise sees which parts are theirs, and a picture made with both kinds.

Lessons 02, 05 and 06 are run one after the other, as on three days: what passed in one, and the
solutions of other lessons, reach the next as kept text. Of each lesson its exercises run, the cells
that hand on what was written, and the core's cells that use this, with all that they need;
trainings are short.
"""

import ast
import re

from nbformat.v4 import new_code_cell

from bench import lesson_times
from diffusion_lessons.checks import EXERCISES, kept
from diffusion_lessons.widgets.gallery import Gallery
from tests.exercises import FOUND, read
from tests.nbval_lessons import answered, data_of, solved
from tests.test_running_again import names
from tools import notebooks as tool

SOLVED = set(list(FOUND)[::2])
WHOSE = re.compile(r"(?m)^(\w+): (yours|the course’s)")
FIRST = """
import pathlib, platformdirs
from diffusion_lessons.training import fit

platformdirs.user_data_path = lambda *_, **__: pathlib.Path({folder!r})
whole = fit.Fit.__init__
fit.Fit.__init__ = lambda *given, **named: whole(*given[:2], min(given[2], 30), *given[3:], **named)
"""
"""A folder for what the learner keeps, on every system, and trainings of 30 steps."""


def of_the_learner(path) -> set[str]:
    """The ids of the cells to run."""
    told = [(c, d) for c, d in lesson_times.parts(read(path).cells) if not isinstance(c, str)]
    found = {cell.id: names(cell.source) for cell, _ in told}
    kept_cells: set[str] = set()
    own: set[str] = set()  # names that hold, or were made with, what the learner wrote
    for cell, deeper in told:
        sets, takes, inside = found[cell.id]
        hands_on = "checks.yours(" in cell.source or "MadeByYou" in cell.source
        if hands_on or (not deeper and (takes | inside) & own):
            own |= sets
            kept_cells.add(cell.id)
    needed: set[str] = set()
    for cell, _ in reversed(told):
        sets, takes, inside = found[cell.id]
        if sets & needed or {"setup", "exercise"} & set(tool.tags(cell)) or cell.id in kept_cells:
            needed |= takes | inside
            kept_cells.add(cell.id)
    return kept_cells


def run(path, folder):
    """The lesson as it is after its run by a learner who keeps what they make in `folder`."""
    theirs = {FOUND[name][1].id for name in SOLVED}
    notebook = answered(
        path, lambda cell, text: solved(cell, text) if cell.id in theirs else cell.source
    )
    ids = of_the_learner(path)
    first = new_code_cell(FIRST.format(folder=str(folder)))
    notebook.cells = [first, *(cell for cell in notebook.cells if cell.id in ids)]
    return tool.execute(notebook, path.parent, {"OMP_NUM_THREADS": "1"})


def test_whoever_solves_every_second_exercise_has_exactly_those_parts(tmp_path):
    (tmp_path / kept.FOLDER).mkdir()
    lessons = [FOUND[name][0] for name in ("loss", "guide", "begin")]
    for name in SOLVED:
        if FOUND[name][0] not in lessons:
            (tmp_path / kept.FOLDER / f"{name}.py").write_text(EXERCISES[name].source)
    outputs, pictured, tables = [], set(), []
    for path in lessons:
        for cell in run(path, tmp_path).cells:
            outputs += cell.get("outputs", [])
            if "MadeByYou" in cell.source:
                parts = ast.literal_eval(re.search(r"MadeByYou\((.*)\)", cell.source, re.S)[1])
                tables.append((parts, cell.outputs[-1].data["text/plain"]))
            if any("image/png" in data_of(output) for output in cell.get("outputs", [])):
                pictured.add(path)
    said = "".join(data_of(output).get("text/plain", "") for output in outputs)
    found = dict(WHOSE.findall(said))
    assert {name for name, whose in found.items() if whose == "yours"} == SOLVED & set(found)
    assert len(set(found.values())) == 2 and {FOUND[name][0] for name in found} > set(lessons)
    for parts, shown in tables:
        whose = {
            what: "yours" if name in SOLVED else "the course’s" for what, name in parts.items()
        }
        assert shown == "\n".join(": ".join(row) for row in whose.items())
    assert tables and {path.stem for path in (tmp_path / kept.FOLDER).iterdir()} == SOLVED
    assert pictured >= set(lessons[1:])
    (picture,) = Gallery(tmp_path / "gallery").pictures()
    assert picture.pixels.std() > 10
