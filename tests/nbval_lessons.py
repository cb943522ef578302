"""The one full pass over each lesson: run by nbval, compared with what is stored, kept for the web.

`prepare` writes a copy of each lesson into build/lessons/ in which every exercise is solved; nbval
runs it, one cell a test, as a guest who can neither write nor reach another machine. This plugin
(`-p tests.nbval_lessons`) looks on: it holds each kept output against the stored one, lets nothing
but a kept output reach stderr, has every part that a learner may write be theirs, and writes the
executed lesson, with the state of its widgets, over the copy. The stored outputs were made with
more threads than this pass has, so that a lesson whose outputs depend on their number is found. Of
what rests on a training in the lesson only words and sizes are compared: processors round
differently, and a training makes that large.
"""

from __future__ import annotations

import base64
import copy
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, output_from_msg
from nbval.plugin import IPyNbCell
from PIL import Image

from tests.exercises import FOUND, check_line, exercises, name_of, read, solution_of
from tools import notebooks as tool

FOLDER = tool.ROOT / "build" / "lessons"
GUEST, STATE = "as-a-guest", "state-of-widgets"  # the cells that a copy has more
TRAINED = "rests_on_training"  # the tag of a cell that shows what a training in the lesson made
FIGURE = re.compile(r" *[-+]?\d[\d.,]*")
STATE_TYPE = "application/vnd.jupyter.widget-state+json"
_STATE = f"""from IPython.display import display
from ipywidgets import Widget

display({{"{STATE_TYPE}": Widget.get_manager_state()}}, raw=True)"""


# ---- the copies ----------------------------------------------------------------------------------


def answered(path: Path, answer_of: Callable[[NotebookNode, NotebookNode], str]) -> NotebookNode:
    """Return the lesson as a learner leaves it who fills each exercise with `answer_of` (its cell,
    the text cell with its solution)."""
    notebook = copy.deepcopy(read(path))
    answers = {cell.id: answer_of(cell, answer) for cell, answer in exercises(path)}
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    return notebook


def solved(cell: NotebookNode, answer: NotebookNode) -> str:
    """Return the cell's source with the folded solution in it."""
    return f"{solution_of(answer)}\n\n{check_line(cell)}"


def prepare(path: Path, folder: Path = FOLDER) -> Path:
    """Write the copy of a lesson that is to be run, and return where it is."""
    notebook = answered(path, solved)
    text = "".join(cell.source for cell in notebook.cells)
    own = {name_of(cell) for cell, _ in exercises(path)}
    before = tuple(name for name in FOUND if name not in own and f'"{name}"' in text)
    guest = new_code_cell(f"from tests import guest\n\nguest.become({before})", id=GUEST)
    notebook.cells = [guest, *notebook.cells, new_code_cell(_STATE, id=STATE)]
    tool.write(notebook, folder / path.name)
    return folder / path.name


# ---- comparing outputs ---------------------------------------------------------------------------


def data_of(output: NotebookNode) -> dict:
    """Return what an output shows, by type; a printed text counts as text/plain."""
    if output.output_type == "stream":
        return {"text/plain": output.text}
    return dict(output.get("data", {}))


def seen(data: dict) -> dict:
    """Return what two runs must agree on: texts as they are, pictures decoded."""
    found = {}
    for kind, content in data.items():
        if kind == "image/png":
            found[kind] = decoded(content)
        elif kind == "text/html":
            for number, png in enumerate(re.findall(r"base64,([A-Za-z0-9+/=]+)", content)):
                found[f"picture {number} in text/html"] = decoded(png)
            found[kind] = re.sub(r"base64,[A-Za-z0-9+/=]+", "", content)
        else:
            found[kind] = content
    return found


def decoded(png: str) -> np.ndarray:
    """Return the pixels of a picture, (H, W, 3) whole numbers."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")).astype(int)


def assert_same_to_the_eye(stored: dict, new: dict, where: str, trained: bool = False) -> None:
    """Texts equal; pictures of one size, at most one pixel in fifty off by more than 8 of 255:
    stored pictures have a palette, and a difference of 1 may take the neighbouring colour.

    trained: it rests on a training in the lesson, so that numbers and colours may be others.
    """
    assert stored.keys() == new.keys(), where
    for kind, content in stored.items():
        if isinstance(content, np.ndarray):
            assert content.shape == new[kind].shape, f"{where}: {kind}"
            off = (np.abs(content - new[kind]) > 8).any(axis=-1).mean()
            assert trained or off < 0.02, f"{where}: {kind} differs in {off:.1%} of its pixels"
        elif trained:
            assert FIGURE.sub("#", content) == FIGURE.sub("#", new[kind]), f"{where}: {kind}"
        else:
            assert content == new[kind], f"{where}: {kind}"


def assert_all_theirs(cell: NotebookNode, outputs: list[NotebookNode]) -> None:
    """Who has solved every exercise meets no function of the course in place of their own."""
    texts = [data_of(output).get("text/plain", "") for output in outputs]
    others = [line for text in texts for line in text.splitlines() if ": the course’s" in line]
    assert not others, f"{cell.id}: {others}"


def assert_outputs_as_stored(cell: NotebookNode, outputs: list[NotebookNode]) -> None:
    """Hold the outputs of a cell that has just run against those in the committed lesson."""
    if "keep_output" not in tool.tags(cell):
        shouted = [o.text for o in outputs if o.get("name") == "stderr"]
        assert not shouted, f"{cell.id} writes to stderr: {shouted[0][:500]}"
        return
    ran = NotebookNode({**cell, "outputs": copy.deepcopy(outputs)})
    new = tool.clean(nbformat.v4.new_notebook(cells=[ran])).cells[0].outputs
    assert len(new) == len(cell.outputs), f"{cell.id}: {len(new)} outputs, {len(cell.outputs)} kept"
    for number, (stored, other) in enumerate(zip(cell.outputs, new, strict=True)):
        where = f"{cell.id}, output {number}"
        trained = TRAINED in tool.tags(cell)
        assert_same_to_the_eye(seen(data_of(stored)), seen(data_of(other)), where, trained)


# ---- looking on while nbval runs -----------------------------------------------------------------


class Recorder:
    """Collects the outputs of one cell from the kernel's messages, as a front end would: nbval
    itself leaves out those that are updated or cleared later."""

    def __init__(self) -> None:
        self.outputs: list[NotebookNode] = []
        self._by_display: dict[str, list[NotebookNode]] = {}
        self._clear_next = False

    def hear(self, message: dict) -> None:
        """Take one message of the kernel."""
        kind, content = message["msg_type"], message["content"]
        display = content.get("transient", {}).get("display_id")
        if kind == "clear_output":
            self._clear_next = content.get("wait", False)
            if not self._clear_next:
                self.outputs.clear()
        elif kind == "update_display_data":
            for output in self._by_display.get(display, []):
                output.data, output.metadata = copy.deepcopy(content["data"]), NotebookNode()
        elif kind in ("stream", "display_data", "execute_result", "error"):
            if self._clear_next:
                self.outputs.clear()
                self._clear_next = False
            output = output_from_msg(message)
            same = [o for o in self.outputs if kind == "stream" and o.get("name") == output.name]
            if same:
                same[0].text += output.text
            else:
                self.outputs.append(output)
            if display:
                self._by_display.setdefault(display, []).append(output)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Record what a lesson's cell shows, and hold it against what is stored."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    lesson: Any = item.parent
    recorder, of_kernel = Recorder(), lesson.get_kernel_message

    def get_kernel_message(*given: Any, **named: Any) -> dict:
        message = of_kernel(*given, **named)
        recorder.hear(message)
        return message

    lesson.get_kernel_message = get_kernel_message
    try:
        yield
    finally:
        lesson.get_kernel_message = of_kernel
        lesson.__dict__.setdefault("executed", {})[item.cell.id] = recorder.outputs
    if item.cell.id == STATE:
        _write_executed(lesson)
    elif item.cell.id != GUEST:
        assert_all_theirs(item.cell, recorder.outputs)
        assert_outputs_as_stored(item.cell, recorder.outputs)


def _write_executed(lesson: Any) -> None:
    """Write the lesson with all its outputs and the state of its widgets over its copy."""
    notebook = nbformat.read(lesson.path, as_version=4)
    (state,) = lesson.executed[STATE]
    notebook.metadata["widgets"] = {STATE_TYPE: state.data[STATE_TYPE]}
    notebook.cells = [cell for cell in notebook.cells if cell.id not in (GUEST, STATE)]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for place, cell in enumerate(code, start=1):
        cell.outputs, cell.execution_count = lesson.executed[cell.id], place
    lesson.path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1), encoding="utf-8")
