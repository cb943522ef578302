"""Links inside the project lead somewhere; those that lead outside are listed.

The list is tests/outside_links.txt, for whoever wants to try them with a network. After a change:

    python -m tests.test_links
"""

import json
import re
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

PROJECT = Path(__file__).resolve().parent.parent
LIST = PROJECT / "tests" / "outside_links.txt"
FOLDERS = ("*.md", ".github/*.md", "data/*.md", "notebooks/**/*.ipynb")
PAGES = sorted(
    path for pattern in FOLDERS for path in PROJECT.glob(pattern) if ".ipynb_" not in str(path)
)
LINK = re.compile(
    r"\[(?:[^\]\[]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)"  # [text](target)
    r"|<(?:a|img)\b[^>]*?(?:href|src)=[\"']([^\"']+)[\"']"  # <a href="target">
    r"|^\[[^\]]+\]:\s*(\S+)"  # [name]: target
    r"|<(https?://[^>\s]+)>",
    re.MULTILINE,
)
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(rf"{FENCED.pattern}|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def text_of(path):
    """The Markdown of a page, or of all Markdown cells of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [c for c in json.loads(text)["cells"] if c["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    return text


def links(path):
    """Every target that a page links to, code left aside."""
    found = LINK.findall(CODE.sub("", text_of(path)))
    return [unescape(next(filter(None, groups))) for groups in found]


def anchors(path, page):
    """The names under which the parts of a page can be reached from `page`.

    JupyterLab, which opens a notebook for a link, finds a cell in it by its id, but no heading.
    """
    if path.suffix == ".ipynb" and path != page:
        return {f"cell-id={c['id']}" for c in json.loads(path.read_text("utf-8"))["cells"]}
    headings = re.findall(r"^#{1,6}\s+(.+?)\s*#*$", FENCED.sub("", text_of(path)), re.M)
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    lab = {heading.replace(" ", "-") for heading in plain}
    github = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}
    named = set(re.findall(r"<a\b[^>]*?(?:id|name)=[\"']([^\"']+)", text_of(path)))
    return lab | github | named


def is_outside(target):
    return re.match(r"[a-z][a-z+.-]*:", target, re.IGNORECASE) is not None


def fault(page, target):
    """What is wrong with a link inside the project, or nothing."""
    place, _, anchor = unquote(target).partition("#")
    home = page.parent.parent if page.parent.name == "template" else page.parent  # it is copied
    goal = (home / place).resolve() if place else page
    if not goal.exists():
        return f"there is no {place}"
    if not goal.is_relative_to(PROJECT):
        return f"{place} is outside the project"
    if anchor and goal.suffix in (".md", ".ipynb") and anchor not in anchors(goal, page):
        return f"{goal.name} has no part #{anchor}"
    return ""


def outside_links():
    return sorted({link for page in PAGES for link in links(page) if is_outside(link)})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_links_inside_the_project_lead_somewhere(page):
    faults = {link: fault(page, link) for link in links(page) if not is_outside(link)}
    assert not {link: words for link, words in faults.items() if words}


def test_links_that_lead_outside_are_listed():
    assert outside_links() == LIST.read_text().split(), "run: python -m tests.test_links"


def test_the_test_itself_sees_broken_links(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PROJECT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two` three\n[a](gone.md) [b](#one-two-three) [c](#four) ![d](page.md 'x')\n"
        '<img src="gone.png" alt="e"> `[f](code.md)` [g]: \n\n[h]: far.md\n<https://a.example>\n'
    )
    assert links(page)[-2:] == ["far.md", "https://a.example"]
    found = {link: fault(page, link) for link in links(page) if not is_outside(link)}
    broken = {link for link, words in found.items() if words}
    assert broken == {"gone.md", "#four", "gone.png", "far.md"}


if __name__ == "__main__":
    LIST.write_text("\n".join(outside_links()) + "\n")
