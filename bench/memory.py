"""How much memory each lesson's kernel takes beyond importing torch: `python -m bench.memory`.

Every notebook runs top to bottom in a fresh kernel, exactly as a learner runs it; a cell at its end
reads the most memory that the kernel ever held (VmHWM, which Linux counts for each process).
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from bench import results
from tools import notebooks as tool

PROBE = (
    "from pathlib import Path\n"
    "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"
)
BARE = "import torch"
LIMIT_MB = 500


def peak_mb(notebook: NotebookNode, folder: Path) -> float:
    """The most memory, in MB of 10**6 bytes, that a fresh kernel held while it ran all cells."""
    probed = copy.deepcopy(notebook)
    probed.cells.append(new_code_cell(PROBE))
    done = tool.execute(probed, folder)
    return int(done.cells[-1].outputs[0].text) * 1024 / 1e6


def measure(paths: list[Path]) -> dict:
    """Peaks in MB: of a kernel that only imports torch, and of each notebook beyond that."""
    bare = peak_mb(new_notebook(cells=[new_code_cell(BARE)]), tool.NOTEBOOKS)
    beyond = {}
    for path in paths:
        print(f"running {path.name} ...", flush=True)
        whole = peak_mb(nbformat.read(path, as_version=4), path.parent)
        beyond[path.stem] = round(whole - bare)
    return {"importing_torch": round(bare), "beyond_importing_torch": beyond}


def main() -> None:
    """Measure, print the table and write data/bench/memory.json."""
    if sys.platform != "linux":
        print("Memory: measured on Linux only; data/bench/memory.json stays as it is.")
        return
    peaks = measure(tool.lessons())
    what = "most memory of each lesson's kernel beyond importing torch, in MB (10**6 bytes)"
    figures = {"limit": LIMIT_MB, "peaks": peaks}
    results.write(Path(__file__).stem, what, figures, packages=("ipykernel", "matplotlib"))
    print(f"{'a kernel that imports torch':34}{peaks['importing_torch']:6} MB")
    for name, beyond in peaks["beyond_importing_torch"].items():
        print(f"{name:34}{beyond:+6} MB  {'' if beyond <= LIMIT_MB else 'TOO MUCH'}")


if __name__ == "__main__":
    main()
