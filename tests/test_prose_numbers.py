"""No number in a lesson's text stands alone: a cell says it, prints it, or a test asserts it.

Looked at are numbers from 10 on, those with a decimal point, and shares in percent; not years, not
the numbers of lessons ("02"), not what stands in code, formulas and links.
"""

import re

import nbformat
import pytest

from tools import notebooks as tool

LESSONS = tool.lessons()
NOT_PROSE = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|<[^>]*>|\*\*Papers.*|#+ .*?$", re.S | re.M
)
NUMBER = re.compile(r"(?<![\w.,/-])\d[\d,]*(?:\.\d+)?(?: ?%)?(?![\w/])")
YEAR = re.compile(r"(19|20)\d\d")
DIGITS = re.compile(r"\d+(?:\.\d+)?")

ALLOWED: dict[str, dict[str, str]] = {
    "": {
        "40": "minutes of the core path, as the curriculum asks; every lesson says it",
        "95%": "how sure an interval is: the name of what `measure.wilson` gives",
    },
    "00": {
        "10": "minutes of the lesson: test_lesson_times",
        "15": "a guidance scale to try, no measurement",
        "48": "64x64x3 numbers against 8x8x4: lesson 04 divides them, its tests assert it",
        "50": "a number of steps to try, no measurement",
    },
    "01": {
        "15": "minutes of the deeper parts: test_lesson_times",
        "30": "MB to download: the size that the publisher of Fashion-MNIST states",
        "102": "pictures: 51 stops for each of two schedules, made by the cell below",
    },
    "02": {
        "20": "minutes of the deeper parts: test_lesson_times",
        "30": "MB to download: the size that the publisher of Fashion-MNIST states",
    },
    "03": {
        "20": "minutes of the deeper parts: test_lesson_times",
        "30": "steps that users of large models take: a habit of the field, not measured here",
    },
    "04": {
        "10": "minutes of the deeper parts: test_lesson_times",
        "20": "seconds on two cores, rounded up; they are printed when the cell has run",
    },
    "05": {"15": "minutes of the deeper parts: test_lesson_times"},
}
"""Lesson ("" for all) to number to the reason why nothing needs to back it."""


def claims(text: str) -> list[str]:
    """The numbers of a text that somebody might doubt, without commas and blanks."""
    found = []
    for word in NUMBER.findall(NOT_PROSE.sub(" ", text)):
        plain = word.rstrip(",").replace(",", "").replace(" ", "")
        value = float(plain.rstrip("%"))
        small = value < 10 and value == int(value) and not plain.endswith("%")
        if not (small or YEAR.fullmatch(plain) or re.fullmatch(r"0\d", plain)):
            found.append(plain)
    return found


def backing(path) -> set[str]:
    """Every number that a code cell, its kept output, or a test of the lesson's numbers holds."""
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    texts = [cell.source for cell in cells]
    for output in (output for cell in cells for output in cell.outputs):
        texts += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
        texts.append(re.sub(r"base64,[^\"']*", "", output.get("data", {}).get("text/html", "")))
    for test in sorted(tool.NOTEBOOKS.parent.glob(f"tests/test_lesson_{path.name[:2]}_*.py")):
        texts.append(test.read_text(encoding="utf-8"))
    text = re.sub(r"(?<=\d)[,_](?=\d{3})", "", " ".join(texts))
    held = set(DIGITS.findall(text))
    return held | {f"{number}%" for number in held} | {_percent(number) for number in held}


def _percent(number: str) -> str:
    return f"{float(number) * 100:g}%"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_number_in_the_text_has_something_behind_it(path):
    cells = nbformat.read(path, as_version=4).cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    allowed = ALLOWED[""] | ALLOWED.get(path.name[:2], {})
    alone = [n for n in claims(text) if n not in backing(path) and n not in allowed]
    assert not alone, f"nothing backs {alone}: print them in a cell, or assert them in a test"


@pytest.mark.parametrize(
    "text, numbers",
    [
        ("about 0.26 of 1,024 in 3 steps, see 02 and 2023", ["0.26", "1024"]),
        ("`12` and $13$ and [14](15) count as no prose", ["14"]),
        ("95 % of them, 64x64, 10 and 9", ["95%", "10"]),
    ],
)
def test_what_counts_as_a_claim(text, numbers):
    assert claims(text) == numbers
