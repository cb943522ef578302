"""Prepares notebooks: executed and cleaned for committing, or without solutions for a class.

    python tools/notebooks.py run [NOTEBOOK ...]           (no names: all of notebooks/)
    python tools/notebooks.py clean [NOTEBOOK ...]         (the same without running them)
    python tools/notebooks.py without-solutions OUTDIR

A committed notebook holds the outputs of cells tagged `keep_output`, which a reader on the web
needs, and no others; what differs from run to run (times, the order in which cells were run, the
state of widgets) is taken out, so that running it again gives the same bytes.
"""

import argparse
import copy
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
SOLUTION = re.compile(
    r"\n*<details>\s*<summary>\s*Solution\b.*?</details>", flags=re.DOTALL | re.IGNORECASE
)
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "name": "python"},
}


def lessons() -> list[Path]:
    """The lessons, in order: the notebooks whose names begin with a number."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def all_notebooks() -> list[Path]:
    """Every notebook of the course: the lessons in order, the glossary, the template."""
    others = set(NOTEBOOKS.glob("*.ipynb")) - set(lessons())
    return lessons() + sorted(others) + sorted(NOTEBOOKS.glob("template/*.ipynb"))


def tags(cell: NotebookNode) -> list[str]:
    """The tags of a cell."""
    return cell.metadata.get("tags", [])


def execute(
    notebook: NotebookNode, folder: Path, environment: dict | None = None, **hooks: Any
) -> NotebookNode:
    """Run all cells in a fresh kernel that starts in `folder`; return the notebook with outputs.

    The kernel takes the package from this project. `environment` holds variables for the kernel on
    top of this process's own, `hooks` are those of NotebookClient. Raises
    nbclient.exceptions.CellExecutionError where a cell raises.
    """
    notebook = copy.deepcopy(notebook)
    variables = {**os.environ, **(environment or {})}
    variables.pop("MPLBACKEND", None)  # a learner's kernel draws inline
    known = variables.get("PYTHONPATH", "")
    variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), known] if known else [str(ROOT)])
    client = NotebookClient(
        notebook,
        timeout=1200,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
        **hooks,
    )
    return client.execute(env=variables)


def clean(notebook: NotebookNode) -> NotebookNode:
    """Return a copy as it is committed: kept outputs only, nothing that differs from run to run.

    Of a cell's metadata its tags stay, and that JupyterLab folds its code. A cell with outputs gets
    its place among the code cells as its execution count, for nbval takes outputs without a count
    for a mistake; other cells get none.
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata = nbformat.from_dict(METADATA)
    place = 0
    for cell in notebook.cells:
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        kept = {"jupyter": {"source_hidden": True} if folded else {}, "tags": tags(cell)}
        cell.metadata = nbformat.from_dict({name: value for name, value in kept.items() if value})
        if cell.cell_type == "code":
            place += 1
            outputs = cell.outputs if "keep_output" in tags(cell) else []
            cell.outputs = [_clean_output(output, place) for output in outputs]
            cell.execution_count = place if outputs else None
    return notebook


def without_solutions(notebook: NotebookNode) -> NotebookNode:
    """Return a copy in which every folded solution is gone; hints stay."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = SOLUTION.sub("", cell.source).strip()
    notebook.cells = [cell for cell in notebook.cells if cell.source]
    return notebook


def write(notebook: NotebookNode, path: Path) -> None:
    """Check the notebook against the format and write it, one line at its end."""
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8")


def _clean_output(output: NotebookNode, place: int) -> NotebookNode:
    if "data" in output:
        output.data.pop(WIDGET_VIEW, None)
        output.metadata = nbformat.from_dict({})
    if "execution_count" in output:
        output.execution_count = place
    return output


def _run(paths: list[Path]) -> None:
    for path in paths or all_notebooks():
        print(f"running {path.name} ...", flush=True)
        # As a newcomer: no gallery and no solved exercises of whoever runs this.
        with tempfile.TemporaryDirectory() as home:
            new = dict.fromkeys(("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"), home)
            notebook = execute(nbformat.read(path, as_version=4), path.resolve().parent, new)
        write(clean(notebook), path)


def _clean(paths: list[Path]) -> None:
    for path in paths or all_notebooks():
        write(clean(nbformat.read(path, as_version=4)), path)


def _write_class_notebooks(folder: Path) -> None:
    if folder.resolve().is_relative_to(NOTEBOOKS):
        raise SystemExit(f"{folder} is inside notebooks/; the solutions there would be lost")
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        write(without_solutions(nbformat.read(path, as_version=4)), folder / path.name)
        print(f"wrote {folder / path.name}")


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="execute and clean notebooks for committing")
    run.add_argument("notebook", nargs="*", type=Path, help="none: all of notebooks/")
    tidy = commands.add_parser("clean", help="clean notebooks for committing, without running them")
    tidy.add_argument("notebook", nargs="*", type=Path, help="none: all of notebooks/")
    bare = commands.add_parser("without-solutions", help="notebooks for a class")
    bare.add_argument("folder", type=Path, help="where to write them")
    chosen = parser.parse_args(arguments)
    if chosen.command == "run":
        _run(chosen.notebook)
    elif chosen.command == "clean":
        _clean(chosen.notebook)
    else:
        _write_class_notebooks(chosen.folder)


if __name__ == "__main__":
    main()
