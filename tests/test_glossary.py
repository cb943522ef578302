"""The glossary: complete, in order, and each link leads to a section that uses the term."""

import re

import nbformat
import pytest

from tests.claims import tables
from tests.test_links import CODE, text_of
from tools import my_lessons
from tools import notebooks as tool

PATH = tool.NOTEBOOKS / "glossary.ipynb"
ENTRY = re.compile(r"^\*\*([^*]+)\*\*(?: \(([^)]*(?:\([^)]*\)[^)]*)*)\))?: (.+)$", re.MULTILINE)
LINK = re.compile(r"\[Lesson \d\d(?:: ([^\]]+)|, its opening)\]\(([^)#]+\.ipynb)#cell-id=([^)]+)\)")
FEWEST, MOST = 50, 130
VOCABULARY = """x_0 x_t eps t num_train_timesteps beta alpha_bar signal_rate noise_rate sigma snr
schedule output kind x_0_hat eps_hat v velocity z scaling_factor context null_context
guidance_scale p_uncond t_next num_steps eta step_std ema ema_decay""".split()
"""The names of the course, one for each idea: in prose, formulas, code and labels."""
NO_TERM = tables(__file__)["no term"]
"""Why what is printed bold in a lesson need not be in the glossary."""


FOUND = list(ENTRY.finditer(text_of(PATH)))
ENTRIES = [(one[1], re.findall(r"`([^`]+)`", one[2] or ""), one[3]) for one in FOUND]
KNOWN = {name for term, names, _ in ENTRIES for name in (term, *names)}


def section(lesson: str, title: str, start: str = "title") -> str:
    """Text and code from this heading, in the cell `start`, to the next of its level or above."""
    text, cells = "", nbformat.read(tool.NOTEBOOKS / lesson, as_version=4).cells
    first = [cell.id for cell in cells].index(start)
    title = title or cells[0].source.splitlines()[0].removeprefix("# ")
    assert title in cells[first].source, f"{start} holds no heading {title!r}"
    for cell in cells[first:]:
        text += cell.source if cell.cell_type == "markdown" else f"```\n{cell.source}\n```"
        text += "\n\n"
    found, level, fenced = "", 7, False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else re.match(r"(#+) (.+)$", line)
        if found and heading and len(heading[1]) <= level:
            break
        if heading and heading[2] == title:
            level = len(heading[1])
        found += line + "\n" if level < 7 else ""
    return found


def uses(text: str, term: str, names: list[str]) -> bool:
    """Whether a text has the term, with or without its plural's s, or one of its names in code."""
    words = [re.escape(word) for word in (term, term.rstrip("s"), *names)]
    return re.search(rf"(?<![\w])(?:{'|'.join(words)})(?:e?s)?(?![\w])", text, re.I) is not None


def test_the_terms_stand_in_the_order_of_the_alphabet_and_once():
    terms = [term.lower() for term, _, _ in ENTRIES]
    assert FEWEST <= len(terms) <= MOST
    assert terms == sorted(set(terms))
    for letter, text in re.findall(r"^## (.)\n(.*?)(?=^## |\Z)", text_of(PATH), re.S | re.M):
        assert {match[1][0].upper() for match in ENTRY.finditer(text)} == {letter}


def test_every_paragraph_below_a_letter_is_an_entry():
    letters = text_of(PATH).partition("\n## ")[2]
    parts = [part for part in letters.split("\n\n") if len(part) > 1 and not part.startswith("## ")]
    assert len(parts) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry[0] for entry in ENTRIES])
def test_the_link_leads_to_a_section_that_uses_the_term(entry):
    term, names, text = entry
    links = LINK.findall(text)
    if not links:
        assert "to come in lesson" in text, f"{term} says nowhere where it is introduced"
        return
    ((title, lesson, cell),) = links
    found = section(lesson, title, cell)
    assert found, f"{cell} of {lesson} has no heading {title!r}"
    assert uses(found, term, names), f"that section never says {term}"


def test_the_vocabulary_of_the_course_is_there():
    assert set(VOCABULARY) <= KNOWN, set(VOCABULARY) - KNOWN


def allowed(bold: str) -> bool:
    patterns = [one for group in NO_TERM.values() for one in group]
    return any(re.fullmatch(pattern, bold) for pattern in patterns)


@pytest.mark.parametrize("path", tool.lessons(), ids=lambda path: path.stem)
def test_a_lesson_links_to_the_glossary_and_what_it_prints_bold_is_in_it(path):
    opening = nbformat.read(path, as_version=4).cells[0].source
    assert "are in the [glossary](glossary.ipynb)." in opening
    text = re.sub(r"^```.*?^```", "", text_of(path), flags=re.S | re.M)
    bold = set(re.findall(r"\*\*([^*\n]+)\*\*", text))
    known = set(map(str.lower, KNOWN)) | {"ᾱ"}
    plain = {word: re.sub(r"^(the|a) ", "", word.lower()) for word in bold}
    forms = {word: {one, one + "s", one.removesuffix("s")} for word, one in plain.items()}
    assert not [word for word in bold if not (forms[word] & known or allowed(word))]


def test_readme_and_the_map_link_to_the_glossary(project):
    text = CODE.sub("", (project / "README.md").read_text(encoding="utf-8"))
    assert "](notebooks/glossary.ipynb)" in text
    start = text_of(tool.lessons()[0])
    assert "](glossary.ipynb)" in start.partition("## The map")[2]


def test_the_glossary_is_no_lesson_and_comes_along_with_the_lessons():
    assert PATH not in tool.lessons() and PATH in tool.all_notebooks()
    assert my_lessons.lessons() == tool.lessons() and my_lessons.beside() == [PATH]


def test_a_section_ends_where_the_next_of_its_level_begins():
    found = section("01_forward_noising.ipynb", "3. One jump instead of a thousand steps", "beat-3")
    assert "cumprod" in found and "And back again" in found and "4. Schedules" not in found
    with pytest.raises(AssertionError, match="holds no heading"):
        section("01_forward_noising.ipynb", "nowhere")
    assert uses("two sprites", "sprite", []) and not uses("spritely", "sprite", [])
