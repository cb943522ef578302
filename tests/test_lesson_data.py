"""Lessons on photographs of clothes: one argument changes the data, and its absence stops nothing.

The clothes are a stand-in of the same files, with fewer pictures, all of chance; trainings are as
short as in the browser (tests/browser/short_trainings). What an error in any cell does is the same.
"""

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from tests.browser.lab import SHORT_TRAININGS
from tests.claims import Lesson
from tests.test_fashion import make_stand_in
from tools import notebooks as tool

OTHER, SHAPE = {"01": "postcards", "02": "sprites"}, {"01": "(256, 3, 64, 64)", "02": "(256, 3, 32"}
BROKEN = 'raise RuntimeError("operator torchvision::nms does not exist")'


def run(number: str, environment: dict, first: str = "", last: str = "") -> Lesson:
    """Run a lesson on Fashion-MNIST, with a cell `first` before it, up to the cell `last`."""
    lesson = Lesson(number)
    argument = f'data_name = "{OTHER[number]}"  # or'
    (place,) = (cell for cell in lesson.cells.values() if argument in cell.source)
    place.source = place.source.replace(argument, 'data_name = "fashion-mnist"  # or', 1)
    cells = list(lesson.cells.values())
    cells = cells[: list(lesson.cells).index(last) + 1] if last else cells
    notebook = nbformat.v4.new_notebook(cells=[new_code_cell(first), *cells])
    lesson.cells = {c.id: c for c in tool.execute(notebook, lesson.path.parent, environment).cells}
    return lesson


@pytest.mark.parametrize("number", OTHER)
def test_a_whole_lesson_runs_on_clothes(number, tmp_path):
    datasets = pytest.importorskip("torchvision.datasets", exc_type=Exception)
    sums = make_stand_in(tmp_path / "FashionMNIST" / "raw", train=2000, test=400)
    first = f"from diffusion_lessons.data import fashion\nfashion.FASHION_SHA256 = {sums}"
    place = {"DIFFUSION_LESSONS_DATA": str(tmp_path), "PYTHONPATH": str(SHORT_TRAININGS)}
    ran, stored = run(number, place, first), Lesson(number)
    said = ran.printed("data")
    assert SHAPE[number] in said and OTHER[number] not in said
    if number == "01":
        assert any(name.lower() in said.lower() for name in datasets.FashionMNIST.classes)
        assert ran.printed("first-noise") != stored.printed("first-noise")
        assert ran.printed("crossing") == stored.printed("crossing")
    else:
        assert "48 steps" in ran.printed("judged") and "interval" in ran.printed("judged")
        shown = [o.get("data", {}).keys() for o in ran.cells["curves"].outputs]
        assert any("image/png" in kinds for kinds in shown)
        assert ran.printed("copies").count("yours") == 2


@pytest.mark.parametrize(("number", "last"), [("01", "first-noise"), ("02", "strip")])
def test_with_a_torchvision_that_does_not_fit_a_lesson_says_so_and_goes_on(number, last, tmp_path):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(BROKEN)
    said = run(number, {"PYTHONPATH": str(tmp_path)}, last=last).printed("data")
    assert "torchvision::nms does not exist" in said and "Fix:" in said
    assert f"The lesson goes on with {OTHER[number]}." in said and SHAPE[number] in said
