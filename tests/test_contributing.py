"""CONTRIBUTING.md lists every test file with what it protects, in the file's own first sentence.

After a test file was added, or says something else of itself: `python -m tests.test_contributing`.
"""

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "CONTRIBUTING.md"
HEADING = "## What each test file protects\n"


def first_sentence(path: Path) -> str:
    """What a file says of itself: the first line of its docstring."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def table() -> str:
    """The rows of the table: tests of the package and the notebooks, then of the browser."""
    files = sorted((PROJECT / "tests").glob("test_*.py"))
    files += sorted((PROJECT / "tests" / "browser").glob("test_*.py"))
    rows = [f"| `{path.relative_to(PROJECT / 'tests').as_posix()}` | {first_sentence(path)} |"
            for path in files]  # fmt: skip
    return "\n".join(["| file in `tests/` | what it protects |", "|---|---|", *rows]) + "\n"


def parts(text: str) -> tuple[str, str, str]:
    """The page up to the table, the table, and what follows."""
    before, _, rest = text.partition(HEADING)
    start = rest.index("| file")
    end = re.compile(r"\n(?!\|)").search(rest, start)
    assert end, "the table has no end"
    return before + HEADING + rest[:start], rest[start : end.end()], rest[end.end() :]


def test_every_test_file_is_listed_with_what_it_protects():
    written = parts(PAGE.read_text(encoding="utf-8"))[1]
    assert written == table(), "run: python -m tests.test_contributing"


def test_every_test_file_says_what_it_protects():
    for row in table().splitlines()[2:]:
        file, words = (part.strip() for part in row.strip("|").split("|", 1))
        assert len(words) > 30 and words[-1] in ".:" and "|" not in words, (file, words)


if __name__ == "__main__":
    before, _, after = parts(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(before + table() + after, encoding="utf-8")
