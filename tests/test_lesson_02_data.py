"""Lesson 02 on photographs of clothes: one argument changes the data set, and all still runs."""

import copy
import shutil

import nbformat
import pytest

from tests.test_fashion import originals
from tools import notebooks as tool

PATH = tool.NOTEBOOKS / "02_tiny_unet.ipynb"


def lesson_with(**changes: str) -> nbformat.NotebookNode:
    """The lesson, with lines changed in the cells of these ids (- as _): "old => new"."""
    notebook = copy.deepcopy(nbformat.read(PATH, as_version=4))
    cells = {cell.id.replace("-", "_"): cell for cell in notebook.cells}
    for name, change in changes.items():
        old, new = change.split(" => ")
        assert cells[name].source.count(old) == 1, f"{name}: {old}"
        cells[name].source = cells[name].source.replace(old, new)
    return notebook


def printed(notebook: nbformat.NotebookNode, name: str) -> str:
    cell = next(cell for cell in notebook.cells if cell.id == name)
    return "".join(output.get("text", "") for output in cell.outputs)


FASHION = 'data_name = "sprites"  # => data_name = "fashion-mnist"  #'


def test_the_whole_lesson_runs_on_fashion_mnist(tmp_path):
    pytest.importorskip("torchvision.datasets", exc_type=Exception)
    published = originals()
    if published is None:
        pytest.skip("Fashion-MNIST is not on this machine: set DIFFUSION_LESSONS_DATA (README)")
    shutil.copytree(published, tmp_path / "FashionMNIST" / "raw")
    short = lesson_with(
        data=FASHION,
        kinds="kind, 150, 0.01 => kind, 10, 0.01",
        fit="live = recipes.LIVE  # => live = dataclasses.replace(recipes.LIVE, steps=130)  #",
    )
    fit = next(cell for cell in short.cells if cell.id == "fit")
    fit.source = "import dataclasses\n" + fit.source
    ran = tool.execute(short, PATH.parent, {"DIFFUSION_LESSONS_DATA": str(tmp_path)})
    assert "sprites" not in printed(ran, "data") and "(256, 3, 32, 32)" in printed(ran, "data")
    assert "130 steps" in printed(ran, "judged") and "interval" in printed(ran, "judged")
    assert printed(ran, "yours").count("memoriser") == 11
    assert "fresh" in printed(ran, "copies")


def test_without_the_clothes_the_lesson_says_so_and_goes_on_with_sprites(tmp_path):
    broken = tmp_path / "torchvision"
    broken.mkdir()
    (broken / "__init__.py").write_text(
        'raise RuntimeError("operator torchvision::nms does not exist")'
    )
    lesson = lesson_with(data=FASHION)
    lesson.cells = lesson.cells[: [cell.id for cell in lesson.cells].index("strip") + 1]
    said = printed(tool.execute(lesson, PATH.parent, {"PYTHONPATH": str(tmp_path)}), "data")
    assert "The lesson goes on with sprites." in said and "(256, 3, 32, 32)" in said
