"""Lesson 01 on other pictures: one argument changes the data set, and its absence stops nothing."""

import copy
import shutil

import nbformat
import pytest

from tests.test_fashion import originals
from tools import notebooks as tool

PATH = tool.NOTEBOOKS / "01_forward_noising.ipynb"
ARGUMENT = 'data_name = "postcards"'


def lesson_on_fashion(last_cell: str | None = None) -> nbformat.NotebookNode:
    """The lesson with that one argument changed, up to and with the cell `last_cell`."""
    notebook = copy.deepcopy(nbformat.read(PATH, as_version=4))
    places = [cell for cell in notebook.cells if ARGUMENT in cell.source]
    assert len(places) == 1, "the data set is chosen in one place"
    places[0].source = places[0].source.replace(ARGUMENT, 'data_name = "fashion-mnist"')
    if last_cell:
        ids = [cell.id for cell in notebook.cells]
        notebook.cells = notebook.cells[: ids.index(last_cell) + 1]
    return notebook


def printed(notebook: nbformat.NotebookNode, name: str) -> str:
    cell = next(cell for cell in notebook.cells if cell.id == name)
    return "".join(output.get("text", "") for output in cell.outputs)


def test_the_whole_lesson_runs_on_fashion_mnist(tmp_path):
    datasets = pytest.importorskip("torchvision.datasets", exc_type=Exception)
    published = originals()
    if published is None:
        pytest.skip("Fashion-MNIST is not on this machine: set DIFFUSION_LESSONS_DATA (README)")
    shutil.copytree(published, tmp_path / "FashionMNIST" / "raw")
    place = {"DIFFUSION_LESSONS_DATA": str(tmp_path)}
    ran = tool.execute(lesson_on_fashion(), PATH.parent, place)
    assert "(256, 3, 64, 64)" in printed(ran, "data") and "postcards" not in printed(ran, "data")
    labels = datasets.FashionMNIST.classes
    assert any(name.lower() in printed(ran, "data").lower() for name in labels)
    postcards = nbformat.read(PATH, as_version=4)
    assert printed(ran, "first-noise") != printed(postcards, "first-noise")
    assert printed(ran, "crossing") == printed(postcards, "crossing")


def test_with_a_torchvision_that_does_not_fit_the_lesson_says_so_and_goes_on(tmp_path):
    broken = tmp_path / "torchvision"
    broken.mkdir()
    (broken / "__init__.py").write_text(
        'raise RuntimeError("operator torchvision::nms does not exist")'
    )
    ran = tool.execute(lesson_on_fashion("first-noise"), PATH.parent, {"PYTHONPATH": str(tmp_path)})
    said = printed(ran, "data")
    assert "torchvision::nms does not exist" in said and "Fix:" in said
    assert "The lesson goes on with postcards." in said and "(256, 3, 64, 64)" in said
