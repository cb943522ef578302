"""The lessons as pages: text, formulas as MathML, code, and what each cell showed when it ran."""

from __future__ import annotations

import base64
import contextlib
import io
import re
import shutil
import subprocess
from html import escape
from pathlib import Path

import nbformat
from latex2mathml.converter import convert
from nbconvert.filters import Highlight2HTML, markdown2html, strip_ansi
from nbformat import NotebookNode
from PIL import Image
from pygments.formatters import HtmlFormatter

from .widgets import VIEW, Shown

PROJECT = Path(__file__).resolve().parents[1]
NOTEBOOKS = PROJECT / "notebooks"
EXECUTED = PROJECT / "build" / "lessons"
"""Where the one full pass over the lessons leaves them, outputs and state of widgets included."""
_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.S)
_FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$(?=\S)([^$\n]+?)(?<=\S)\$(?!\w)", re.S)
_PICTURE = re.compile(r'src="\.\./data/pictures/([\w-]+)\.png"')
_DATA = re.compile(r'width="(\d+)"([^>]*?)src="data:image/png;base64,([^"]+)"')
_LINK = re.compile(r'(href=")((?:\d\d_\w+|glossary)\.)ipynb')
_ASKS = re.compile(r"^(\w+) = (?:widgets\.)?guess\(", re.M)
_TELLS = re.compile(r"^(\w+)\.compare\(", re.M)
_HIGHLIGHT = Highlight2HTML()


def titles() -> dict[str, str]:
    """Return what each lesson asks, by the name of its notebook, as README has it."""
    rows = r"^\| \[`(\d\d_\w+)`\]\(\S+\) \| (.+?) \|$"
    return dict(re.findall(rows, (PROJECT / "README.md").read_text("utf-8"), re.M))


def write_lessons(folder: Path, template: str) -> None:
    """Write each lesson and the glossary into a folder, and the pictures that they show."""
    asked = titles() | {"glossary": "Glossary"}
    (folder / "pictures").mkdir(parents=True)
    (folder / "notebooks").mkdir()
    repository = _repository()
    names = list(asked)
    for at, name in enumerate(names):
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        shown = _take_outputs(name, notebook)
        body = "\n".join(_cell(cell, shown) for cell in notebook.cells)
        (folder / f"{name}.bin").write_bytes(shown.pictures())
        body = _take_pictures(_LINK.sub(r"\1\2html", body), folder / "pictures", name)
        body = re.sub("<(pre|table)>", r'<\1 tabindex="0">', body)  # so that keys can scroll them
        ways = {"previous": names[at - 1] if at else "", "next": (*names[at + 1 :], "")[0]}
        parts = {"name": name, "title": asked[name], "lessons": _nav(asked, name)}
        parts |= {way: _way(way, there, asked) for way, there in ways.items()}
        parts["elsewhere"] = _elsewhere(name, repository)
        shutil.copy(NOTEBOOKS / f"{name}.ipynb", folder / "notebooks")
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


def _repository() -> str:
    """Return "owner/name" where this copy came from GitHub, which Colab and Binder can open; ""."""
    line = ["git", "-C", str(PROJECT), "config", "remote.origin.url"]
    with contextlib.suppress(OSError):  # no git
        address = subprocess.run(line, capture_output=True, text=True, check=False).stdout
        if found := re.search(r"github\.com[:/]([\w.-]+/[\w-]+?)(\.git)?/?\s*$", address):
            return found[1]
    return ""


def _elsewhere(name: str, repository: str) -> str:
    """Return links that open a lesson on other people's computers; on Colab README's two lines,
    which bring the course, have to run first."""
    places = {
        "Binder": f"mybinder.org/v2/gh/{repository}/main?urlpath=lab/tree/notebooks/{name}.ipynb",
        "Colab": f"colab.research.google.com/github/{repository}/blob/main/notebooks/{name}.ipynb",
    }
    links = [f'<a href="https://{there}">{where}</a>' for where, there in places.items()]
    there = f", or open it on {' or '.join(links)} (there README's two lines come first)"
    return there * bool(repository)


def _way(way: str, name: str, asked: dict[str, str]) -> str:
    """Return a link to the lesson before or after, if there is one."""
    return (
        f'<a rel="{way[:4]}" href="{name}.html"><b>{way}</b> {escape(asked[name])}</a>'
        if name
        else ""
    )


def _take_outputs(name: str, notebook: NotebookNode) -> Shown:
    """Give a lesson's cells the outputs of its executed copy; return the widgets of that copy.

    Raises ValueError unless that copy is of this very lesson. An exercise stays without outputs:
    its page shows it unsolved, and the copy has the solution in it.
    """
    if not any(cell.cell_type == "code" for cell in notebook.cells):
        return Shown(notebook)
    path = EXECUTED / f"{name}.ipynb"
    ran = nbformat.read(path, as_version=4) if path.is_file() else nbformat.v4.new_notebook()
    copies = {cell.id: cell for cell in ran.cells}
    for cell in notebook.cells:
        own = "exercise" in cell.metadata.get("tags", [])
        copy = copies.get(cell.id, NotebookNode(source=None))
        if "widgets" not in ran.metadata or (copy.source != cell.source and not own):
            raise ValueError(f"{name} has not run since it was changed: `make site` runs it first.")
        if cell.cell_type == "code":
            cell.outputs = [] if own else copy.outputs
    return Shown(ran)


def _take_pictures(body: str, folder: Path, name: str) -> str:
    """Write the pictures of a page into files, losslessly packed, which load when they come into
    sight: those within it, and those that it names in data/pictures."""

    def copy(found: re.Match) -> str:
        with Image.open(PROJECT / "data" / "pictures" / f"{found[1]}.png") as picture:
            picture.save(folder / f"{found[1]}.webp", lossless=True)
        return f'src="pictures/{found[1]}.webp" loading="lazy"'

    def write(found: re.Match) -> str:
        file = folder / f"{name}-{found.start()}.webp"
        with Image.open(io.BytesIO(base64.b64decode(found[3]))) as picture:
            picture.save(file, lossless=True)
            high = round(int(found[1]) * picture.height / picture.width)  # so that nothing jumps
        size = f'width="{found[1]}" height="{high}"'
        return f'{size}{found[2]}src="pictures/{file.name}" loading="lazy"'

    return _PICTURE.sub(copy, _DATA.sub(write, body))


def _cell(cell: NotebookNode, shown: Shown) -> str:
    place = f'id="cell-id={cell.id}"'  # as JupyterLab's links name it
    if cell.cell_type == "markdown":
        return f'<section class="text" {place}>{_text(cell.source)}</section>'
    code = _HIGHLIGHT(cell.source)
    asks, tells = _ASKS.search(cell.source), _TELLS.search(cell.source)
    if tells or cell.metadata.get("jupyter", {}).get("source_hidden"):  # it has the answer in it
        code = f"<details><summary>The code of this cell</summary>{code}</details>"
    kind = f' data-guess="{asks[1]}"' if asks else f' data-truth="{tells[1]}"' if tells else ""
    outputs = "".join(shown.place(output) or _output(output) for output in cell.outputs)
    return f'<section class="cell"{kind} {place}>{code}{outputs}</section>'


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
    still = '<p class="still">A still copy: run the lesson in JupyterLab to move it.</p>' * moves
    if VIEW in data and "text/html" not in data:
        return ""  # a bar that showed how far something was
    shown = data.get("text/html") or f"<pre>{escape(data.get('text/plain', ''))}</pre>"
    return f'<div class="output">{shown}{still}</div>'
