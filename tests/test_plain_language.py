"""Sentences stay short in all that a learner reads, for many read English as a second language."""

import re
import statistics

import pytest

from tests.test_links import PROJECT, text_of
from tools import notebooks as tool

LONGEST = 28  # words in a sentence
USUAL = 14  # words in a sentence, on average over a page
LONGEST_PARAGRAPH = 75  # words
PAGES = [path for path in tool.all_notebooks() if path.parent.name != "template"]
PAGES.append(PROJECT / "README.md")
NO_PROSE = re.compile(
    r"```[\s\S]*?```|^\*\*Papers\.\*\*\n(?:- .*\n?)*|^\|.*|^#+ .*|^!\[.*|<summary>.*?</summary>"
    r"|</?details>",
    re.MULTILINE,
)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
FORMULA = re.compile(r"`[^`]*`|\$[^$]*\$")
ITEM = r"(?:[-*]|\d+\.)\s+"
SHORT_FORM = re.compile(r"\b(eq|al|vs|e\.g|i\.e)\.")


def paragraphs(text: str) -> list[str]:
    """The paragraphs and the items of lists, a formula counting as one word."""
    text = NO_PROSE.sub("", re.sub(r"\$\$.*?\$\$", "\n\n", text, flags=re.DOTALL))
    text = FORMULA.sub("X", LINK.sub(r"\1", text))
    cut = re.split(rf"\n\s*\n|\n(?=\s*{ITEM})", SHORT_FORM.sub(r"\1", text))
    return [re.sub(rf"\A{ITEM}", "", part.strip()) for part in cut if re.search(r"\w", part)]


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph; a colon ends one where a capital letter follows."""
    return re.split(r"(?<=[.!?])[\"*)]*\s+|:\s+(?=[A-Z])", paragraph)


def words(text: str) -> int:
    """How many words a text has; dashes and other signs are none."""
    return sum(bool(re.search(r"\w", word)) for word in text.split())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_sentences_and_paragraphs_are_short(path):
    parts = paragraphs(text_of(path))
    found = [one for part in parts for one in sentences(part) if words(one)]
    assert not [one for one in found if words(one) > LONGEST]
    if path.suffix == ".ipynb":
        assert statistics.mean(map(words, found)) <= USUAL
        assert not [part for part in parts if words(part) > LONGEST_PARAGRAPH]


def test_what_counts_as_a_sentence():
    text = "# Not this\n\nOne `a b c` is. Two ([see](a.md#b c), eq. 2)!\n- item: Three\n\n$$x. y$$"
    found = [[words(one) for one in sentences(part)] for part in paragraphs(text)]
    assert found == [[3, 4], [1, 1]]
    assert words("a " * 29) > LONGEST
