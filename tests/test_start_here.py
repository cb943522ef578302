"""The front door: README's first picture and table of lessons, and the map in lesson 00."""

import re

import nbformat
import numpy as np
import pytest
from PIL import Image

from diffusion_lessons import pipeline
from tools import make_pictures, notebooks

LARGEST = 1_000_000
LONGEST_MS = 5000  # what moves for longer, a reader must be able to stop


@pytest.fixture
def first_picture(project):
    text = (project / "README.md").read_text(encoding="utf-8")
    return project / re.search(r"!\[[^\]]{50,}\]\(([^)]+)\)", text)[1]


def test_the_first_picture_is_small_moves_once_and_rests_soon(first_picture):
    assert first_picture.stat().st_size < LARGEST
    with Image.open(first_picture) as image:
        assert image.info["loop"] == 1 and image.n_frames > 5
        spent = 0
        for number in range(1, image.n_frames):  # 0 is for programs that show no motion
            image.seek(number)
            spent += image.info["duration"]
        assert spent < LONGEST_MS


def test_the_first_picture_is_what_the_shipped_model_makes_of_the_first_seeds(first_picture):
    made = make_pictures.steps_from_noise(pipeline.TextToImage.from_pretrained())
    with Image.open(first_picture) as image:
        assert image.n_frames == 1 + len(made)
        for number, expected in ((0, made[-1]), (1, made[0]), (len(made), made[-1])):
            image.seek(number)
            off = np.asarray(image.convert("RGB"), int) - np.asarray(expected, int)
            assert (np.abs(off) > 8).mean() < 0.01, number


@pytest.mark.parametrize("page", ["README.md", "notebooks/00_start_here.ipynb"])
def test_every_lesson_is_in_the_table_and_what_is_to_come_is_no_link(project, page):
    text = (project / page).read_text(encoding="utf-8")
    if page.endswith(".ipynb"):
        text = "\n".join(cell.source for cell in nbformat.reads(text, as_version=4).cells)
    rows = re.findall(r"^\| \[?`?(\d\d)[ _]", text, re.MULTILINE)
    assert rows == [f"{number:02d}" for number in range(10)]
    there = {path.name for path in notebooks.lessons()}
    linked = set(re.findall(r"\((?:notebooks/)?(\d\d_\w+\.ipynb)\)", text))
    assert linked | {"00_start_here.ipynb"} == there
    for line in re.findall(r"^\|.*to come.*$", text, re.MULTILINE):
        assert "](" not in line
