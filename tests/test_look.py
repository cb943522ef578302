"""One look: colours, type and picture sizes come from `pictures` and the style sheets alone."""

import base64
import io
import re

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lessons import pictures
from diffusion_lessons.widgets.page import static
from tests.colours import contrast, lightness
from tools import notebooks as tool

PACKAGE = tool.ROOT / "diffusion_lessons"
LITERAL = re.compile(
    r"#[0-9a-fA-F]{6}\b|tab:\w+|(?:font|title|label)_?size=[\d.]+|figsize=\(\d|color=\"(?!C\d\")\w+\""
)
"""A colour, a type size or a figure size by value, not by name; C0 to C3 are the palette's."""
SHEETS = ("widgets.css", "quiz.css", "studio.css")
BOX = re.compile(r"\.dl-widget \{(.*?)\}", re.DOTALL)


def _code() -> dict[str, str]:
    """What draws: the code of the package and of every notebook, by file."""
    paths = [path for path in PACKAGE.rglob("*.py") if path.name != "pictures.py"]
    found = {str(path.relative_to(tool.ROOT)): path.read_text("utf-8") for path in paths}
    for path in tool.all_notebooks():
        cells = nbformat.read(path, as_version=4).cells
        found[path.name] = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    return found


def test_no_figure_chooses_a_colour_or_a_size_of_its_own():
    found = {name: LITERAL.findall(code) for name, code in _code().items()}
    assert {name: values for name, values in found.items() if values} == {}


@pytest.mark.parametrize(
    "code", ['color="red"', "figsize=(7, 3)", "fontsize=8", 'c="#ff0000"', '"tab:blue"']
)
def test_a_value_of_its_own_would_be_noticed(code):
    assert LITERAL.search(code)


@pytest.mark.parametrize("name", SHEETS)
def test_style_sheets_name_their_colours_and_type_sizes_and_touch_widgets_alone(name):
    rules = re.sub(r"/\*.*?\*/", "", static(name), flags=re.DOTALL)
    for block in BOX.findall(rules):  # where the names get their values
        rules = rules.replace(block, "")
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", rules)
    sizes = re.findall(r"font-size: ([^;]+);", rules)
    assert all(re.fullmatch(r"var\(--dl-[a-z]+\)", size) for size in sizes), sizes
    selectors = [part for rule in re.findall(r"([^{}]+)\{", rules) for part in rule.split(",\n")]
    assert len(selectors) > 20 and all(".dl-" in selector for selector in selectors)


@pytest.mark.parametrize(("theme", "paper"), [(0, "#ffffff"), (1, "#212121")])
def test_the_page_draws_in_colours_of_the_figures_that_stay_apart(theme, paper):
    block = BOX.findall(static("widgets.css"))[theme]
    values = dict(re.findall(r"--dl-(\w+): (#\w{6});", block))
    same = {"teal": "teal", "orange": "orange", "plum": "plum", "night": "ink"}
    figures = {name: pictures.PALETTE[other] for name, other in same.items()}
    assert theme or figures.items() <= values.items()
    assert np.diff(sorted(lightness(values[name]) for name in same)).min() > 8  # in grey print
    assert all(contrast(values[name], paper) > 3 for name in (*same, "over", "alarm"))


def test_words_can_be_read_on_the_paper_and_on_every_tint():
    for paper in ("#ffffff", *pictures.TINTS.values()):
        assert contrast(pictures.PALETTE["ink"], paper) > 7
    assert contrast(pictures.GREYS["text"], "#ffffff") > 4.5
    assert contrast(pictures.GREYS["edge"], "#ffffff") > 3


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("count", range(1, 9))
def test_a_picture_has_one_of_a_few_sizes(width, count):
    paper = pictures.grid(torch.zeros(count, 3, width, width))
    side = (paper.width - pictures._GAP) // count - pictures._GAP
    assert side in pictures.SIDES and paper.width <= pictures._WIDEST


def _stored() -> list:
    """Every stored picture: its notebook and cell, its width on the page, its PNG."""
    tag = re.compile(r'<img [^>]*width="(\d+)"[^>]*base64,([A-Za-z0-9+/=]+)"')
    return [
        pytest.param(int(width), base64.b64decode(data), id=f"{path.stem}-{cell.id}")
        for path in tool.all_notebooks()
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
        for width, data in tag.findall(output.get("data", {}).get("text/html", ""))
    ]


@pytest.mark.parametrize(("width", "data"), _stored())
def test_a_stored_picture_fits_the_page_and_is_sharp_in_print(width, data):
    assert width <= pictures._WIDEST
    assert Image.open(io.BytesIO(data)).width == pictures.SHARP * width


def test_there_are_stored_pictures():
    assert len(_stored()) > 40
