"""Every lesson, opened in JupyterLab as a learner does, run, and each of its controls moved."""

import os
from pathlib import Path

import pytest

from tests.browser.driving import axe_violations, faults_of
from tests.browser.lab import opened
from tools import notebooks as tool
from tools.run_tests import longest_first

IN_FIREFOX = ("00_start_here.ipynb", "01_forward_noising.ipynb")
LESSONS = [path.name for path in longest_first(tool.lessons())]
PHOTOS = os.environ.get("COURSE_PHOTOS")  # a folder for screenshots, for those who want to look


OUTPUTS = """() => jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells
  .flatMap(({ outputs = [] }) => outputs)
  .map((output) => [output.text ?? output.data?.["text/plain"] ?? ""].flat().join(""))"""


def _not_the_courses(notebook, name: str) -> list[str]:
    """Parts that are not the course's, for a learner who has solved nothing."""
    lines = [line for text in notebook.page.evaluate(OUTPUTS) for line in text.splitlines()]
    told = sum(": the course’s" in line for line in lines)
    asked = (tool.NOTEBOOKS / name).read_text("utf-8").count("checks.yours(")
    missing = [f"{asked} functions asked for, {told} told as the course's"] if told < asked else []
    return missing + [line for line in lines if line.endswith(": yours")]


def _photograph(notebook, name: str, width: int = 1280) -> None:
    if PHOTOS:
        notebook.photograph(Path(PHOTOS) / name, width)


@pytest.mark.parametrize("name", LESSONS)
def test_lesson_works_in_the_browser(browser, lab, name):
    with opened(browser, lab, name) as notebook:
        notebook.run_all()
        _photograph(notebook, f"{Path(name).stem}-light.png")
        _photograph(notebook, f"{Path(name).stem}-narrow.png", width=640)
        faults = _not_the_courses(notebook, name) + faults_of(notebook)
        notebook.use_theme("JupyterLab Dark")
        faults += [f"in the dark theme, {one}" for one in axe_violations(notebook.page)]
        _photograph(notebook, f"{Path(name).stem}-dark.png")
        notebook.use_theme("JupyterLab Light")
    assert not faults, "\n".join([f"{name}:", *faults])


@pytest.mark.parametrize("name", IN_FIREFOX)
def test_lesson_works_in_firefox(firefox, lab, name):
    with opened(firefox, lab, name) as notebook:
        notebook.run_all()
        faults = _not_the_courses(notebook, name) + faults_of(notebook)
    assert not faults, "\n".join([f"{name}:", *faults])


def test_there_are_lessons():
    assert LESSONS
