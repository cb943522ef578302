"""No number in a lesson's text stands alone: a cell says it, prints it, or a test asserts it.

The cell must stand in the same section ("##") as the text. Looked at are numbers from 10 on, those
with a decimal point, shares in percent, and shares and ratios in words ("a fifth", "ten times");
not years, not the numbers of lessons ("02") and of equations, not what stands in code, formulas and
links. What is allowed without such backing stands in test_prose_numbers.json, with its reason.
"""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from tests.claims import tables
from tools import notebooks as tool

LESSONS = tool.lessons()
NOT_PROSE = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|<[^>]*>|\*\*Papers.*|#+ .*?$", re.S | re.M
)
NUMBER = re.compile(r"(?<![\w.,/-])\d[\d,]*(?:\.\d+)?(?: ?%)?(?![\w/])")
YEAR = re.compile(r"(19|20)\d\d")
DIGITS = re.compile(r"\d+(?:\.\d+)?")
EQUATION = re.compile(r"\b(?:eq|section|appendix)\. ?[\d.]+|\bsections? [\d.]+")
MINUTES = re.compile(r"\*Core path: about \d+ minutes[^.]*\.[^.:]*: about \d+ more")
COUNT = "two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|sixteen|twenty"
SHARE = re.compile(
    rf"\b(?:(?:an?|one|{COUNT}) (?:third|quarter|fifth|tenth|sixteenth)s? of"
    rf"|(?:{COUNT}) times (?:as|more|the|\w+er)"
    rf"|(?:one|nineteen) (?:\w+ )?(?:in|of) (?:five|ten|fifteen|twenty))\b",
    re.IGNORECASE,
)

ALLOWED: dict[str, dict[str, str]] = tables(__file__)["allowed"]
"""Lesson ("" for all) to number to the reason why nothing needs to back it."""


def claims(text: str) -> list[str]:
    """The numbers of a text that somebody might doubt, without commas and blanks; shares and
    ratios in words as they stand."""
    prose, found = re.sub(r"\s+", " ", NOT_PROSE.sub(" ", text)), []
    prose = EQUATION.sub(" ", MINUTES.sub(" ", prose))
    for word in NUMBER.findall(prose):
        plain = word.rstrip(",").replace(",", "").replace(" ", "")
        value = float(plain.rstrip("%"))
        small = value < 10 and value == int(value) and not plain.endswith("%")
        if not (small or YEAR.fullmatch(plain) or re.fullmatch(r"0\d", plain)):
            found.append(plain)
    return found + list(map(str.lower, SHARE.findall(prose)))


def numbers_in(texts: list[str]) -> set[str]:
    """Every number in these texts, and each as a share in percent."""
    text = re.sub(r"(?<=\d)[,_](?=\d{3})", "", " ".join(texts))
    held = set(DIGITS.findall(text))
    percent = {f"{float(number) * 100:g}%" for number in held}
    return held | {f"{number}%" for number in held} | percent


def shown_by(cell) -> list[str]:
    """What a code cell says and shows, pictures aside."""
    texts = [cell.source]
    for output in cell.outputs:
        data = output.get("data", {})
        texts += [output.get("text", ""), data.get("text/plain", "")]
        texts.append(re.sub(r"base64,[^\"']*", "", data.get("text/html", "")))
    return texts


def sections(cells: list) -> list[tuple[str, set[str]]]:
    """The parts of a lesson between its headings "##": the prose, and the numbers of its cells."""
    parts: list[tuple[list[str], list[str]]] = [([], [])]
    for cell in cells:
        if cell.cell_type == "code":
            parts[-1][1].extend(shown_by(cell))
            continue
        before, *headed = re.split(r"^(?=## )", cell.source, flags=re.MULTILINE)
        parts[-1][0].append(before)
        parts += [([text], []) for text in headed]
    return [("\n\n".join(prose), numbers_in(code)) for prose, code in parts]


def held_by_tests(path) -> set[str]:
    """The numbers that the tests of a lesson's numbers hold, and the shares in words."""
    tests = sorted(tool.NOTEBOOKS.parent.glob(f"tests/test_lesson_{path.name[:2]}_*.py"))
    texts = [test.read_text(encoding="utf-8") for test in tests]
    return numbers_in(texts) | set(map(str.lower, SHARE.findall(" ".join(texts))))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_number_in_the_text_has_something_behind_it_or_a_reason_why_not(path):
    tested = held_by_tests(path) | set(ALLOWED[""])
    alone = set()
    for prose, held in sections(nbformat.read(path, as_version=4).cells):
        alone |= {number for number in claims(prose) if number not in held | tested}
    allowed = set(ALLOWED.get(path.name[:2], {}))
    assert alone <= allowed, "nothing backs them: print them in a cell, or assert them in a test"
    assert allowed <= alone, "no text says them, or they have backing: allow them no longer"


def test_a_number_is_backed_by_its_own_section_only():
    cells = [
        new_markdown_cell("## One\n\nIt is 17."),
        new_code_cell("print(17)"),
        new_markdown_cell("And 0.5 of it.\n\n## Two\n\nIt is 50 %, not 17."),
        new_code_cell("print(0.5)"),
    ]
    found = [[one for one in claims(prose) if one not in held] for prose, held in sections(cells)]
    assert found == [[], ["0.5"], ["17"]]


@pytest.mark.parametrize(("text", "numbers"), [
    ("about 0.26 of 1,024 in 3 steps, see 02 and 2023", "0.26|1024"),
    ("`12` and $13$ and [14](15) count as no prose, nor do eq. 16 and section 4.2", "14"),
    ("95 % of them, 64x64, 10 and 9", "95%|10"),
    ("A fifth of it, ten times larger, one in twenty", "a fifth of|ten times larger|one in twenty"),
    ("one in the middle, two times, one of them", ""),
])  # fmt: skip
def test_what_counts_as_a_claim(text, numbers):
    assert "|".join(claims(text)) == numbers
