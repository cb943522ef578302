"""The lessons as pages: text, formulas as MathML, code, and what the notebooks store of outputs."""

from __future__ import annotations

import re
import shutil
from html import escape
from pathlib import Path

import nbformat
from latex2mathml.converter import convert
from nbconvert.filters import Highlight2HTML, markdown2html, strip_ansi
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

PROJECT = Path(__file__).resolve().parents[1]
NOTEBOOKS = PROJECT / "notebooks"
_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.S)
_FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$(?=\S)([^$\n]+?)(?<=\S)\$(?!\w)", re.S)
_PICTURE = re.compile(r'(<img[^>]*?src=")\.\./data/pictures/')
_LINK = re.compile(r'(href=")((?:\d\d_\w+|glossary)\.)ipynb')
_HIGHLIGHT = Highlight2HTML()


def titles() -> dict[str, str]:
    """Return what each lesson asks, by the name of its notebook, as README has it."""
    rows = r"^\| \[`(\d\d_\w+)`\]\(\S+\) \| (.+?) \|$"
    return dict(re.findall(rows, (PROJECT / "README.md").read_text("utf-8"), re.M))


def write_lessons(folder: Path, template: str) -> None:
    """Write each lesson and the glossary into a folder, and the pictures that they show."""
    asked = titles() | {"glossary": "Glossary"}
    shutil.copytree(PROJECT / "data" / "pictures", folder / "pictures")
    names = list(asked)
    for at, name in enumerate(names):
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        body = "\n".join(map(_cell, notebook.cells))
        body = _LINK.sub(r"\1\2html", _PICTURE.sub(r"\1pictures/", body))
        body = re.sub("<(pre|table)>", r'<\1 tabindex="0">', body)  # so that keys can scroll them
        ways = {"previous": names[at - 1] if at else "", "next": (*names[at + 1 :], "")[0]}
        parts = {"title": asked[name], "lessons": _nav(asked, name)}
        parts |= {way: _way(way, there, asked) for way, there in ways.items()}
        page = template
        for part, text in (parts | {"body": body}).items():
            page = page.replace(f"<!-- {part} -->", text)
        (folder / f"{name}.html").write_text(page, "utf-8")
    (folder / "code.css").write_text("".join(map(_colours, ("light", "dark"))), "utf-8")


def _colours(theme: str) -> str:
    """Return the style rules of code in one theme."""
    style = {"light": "default", "dark": "github-dark"}[theme]
    rules = HtmlFormatter(style=style).get_style_defs(".highlight")
    return f"@media (prefers-color-scheme: {theme}) {{\n{rules}\n}}\n"


def _nav(asked: dict[str, str], here: str) -> str:
    """Return links to all lessons; the one that is open is marked."""
    return "".join(
        f'<a href="{name}.html" title="{escape(title)}"'
        + (' aria-current="page"' if name == here else "")
        + f">{name[:2] if name[0].isdigit() else title}</a>"
        for name, title in asked.items()
    )


def _way(way: str, name: str, asked: dict[str, str]) -> str:
    """Return a link to the lesson before or after, if there is one."""
    return (
        f'<a rel="{way[:4]}" href="{name}.html"><b>{way}</b> {escape(asked[name])}</a>'
        if name
        else ""
    )


def _cell(cell: NotebookNode) -> str:
    place = f'id="cell-id={cell.id}"'  # as JupyterLab's links name it
    if cell.cell_type == "markdown":
        return f'<section class="text" {place}>{_text(cell.source)}</section>'
    code = _HIGHLIGHT(cell.source)
    if cell.metadata.get("jupyter", {}).get("source_hidden"):
        code = f"<details><summary>The code of this cell</summary>{code}</details>"
    return f'<section class="cell" {place}>{code}{"".join(map(_output, cell.outputs))}</section>'


def _text(source: str) -> str:
    """Return markdown as HTML, its formulas as MathML."""
    formulas: list[str] = []

    def keep(found: re.Match) -> str:
        wide = convert(found[1], display="block") if found[1] else ""
        shown = f'<div class="formula" tabindex="0">{wide}</div>'  # so that keys can scroll it
        formulas.append(shown if wide else convert(found[2]))
        return f"\x02{len(formulas) - 1}\x03"

    parts = _CODE.split(source)
    parts[::2] = [_FORMULA.sub(keep, part) for part in parts[::2]]
    text = markdown2html("".join(parts)).replace("¶", "")
    return re.sub("\x02(\\d+)\x03", lambda found: formulas[int(found[1])], text)


def _output(output: NotebookNode) -> str:
    """Return what a cell has stored: its picture or HTML, which widgets leave as a still copy."""
    if output.output_type == "stream":
        return f"<pre>{escape(strip_ansi(output.text))}</pre>"
    data = output.get("data", {})
    if "text/markdown" in data:
        return _text(data["text/markdown"])
    moves = "(run the notebook to move it)" in data.get("text/plain", "")
    still = '<p class="still">A still copy. It moves in JupyterLab.</p>' if moves else ""
    shown = data.get("text/html") or escape(data.get("text/plain", ""))
    return f'<div class="output">{shown}{still}</div>'
