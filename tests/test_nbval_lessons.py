"""The full pass over a lesson notices what differs from the stored outputs, and loses no output."""

from contextlib import nullcontext as does_not_raise

import numpy as np
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output

from tests import nbval_lessons
from tests.exercises import FOUND
from tests.nbval_lessons import (
    Recorder,
    assert_all_theirs,
    assert_outputs_as_stored,
    assert_same_to_the_eye,
)
from tools import notebooks as tool


def message(kind, display=None, **content):
    if display:
        content["transient"] = {"display_id": display}
    return {"msg_type": kind, "header": {"msg_type": kind}, "content": content}


def picture_of(text):
    return {"data": {"text/plain": text}, "metadata": {}}


def recorded(*messages):
    recorder = Recorder()
    for each in messages:
        recorder.hear(each)
    return [o.get("text") or o.data["text/plain"] for o in recorder.outputs]


def test_updates_and_clearings_are_followed_as_a_front_end_does():
    text = [message("stream", name="stdout", text=text) for text in "ab"]
    shown = message("display_data", "1", **picture_of("old"))
    updated = message("update_display_data", "1", **picture_of("new"))
    at_once, later = (message("clear_output", wait=wait) for wait in (False, True))
    assert recorded(*text, shown) == ["ab", "old"]
    assert recorded(shown, updated) == ["new"]
    assert recorded(*text, at_once) == []
    assert recorded(*text, later) == ["ab"]
    assert recorded(*text, later, shown) == ["old"]


def test_the_comparison_notices_a_number_and_a_picture_that_changed():
    picture = np.full((20, 20, 3), 100)
    dot, patch = picture.copy(), picture.copy()
    dot[0, 0], patch[:5, :5] = 255, 120
    stored = {"text/plain": "0.085", "image/png": picture}
    assert_same_to_the_eye(stored, stored | {"image/png": dot}, "one pixel of 400")
    for other in ({"text/plain": "0.086"}, {"image/png": patch}, {"text/html": "new"}):
        with pytest.raises(AssertionError):
            assert_same_to_the_eye(stored, stored | other, "a change")


def test_what_rests_on_a_training_may_differ_in_figures_but_not_in_words_or_sizes():
    stored = {"text/plain": "loss -0.05, wins 12 %", "image/png": np.zeros((4, 4, 3))}
    other = {"text/plain": "loss +0.121, wins 9 %", "image/png": np.full((4, 4, 3), 90)}
    assert_same_to_the_eye(stored, other, "another processor", trained=True)
    for fault in ({"text/plain": "loss nan, wins 9 %"}, {"image/png": np.zeros((4, 5, 3))}):
        with pytest.raises(AssertionError):
            assert_same_to_the_eye(stored, other | fault, "a change", trained=True)


def cell_with(tags, *texts):
    outputs = [new_output("stream", name="stdout", text=text) for text in texts]
    return new_code_cell("code", outputs=outputs, metadata=NotebookNode(tags=list(tags)))


def test_kept_outputs_must_come_again_and_nothing_may_reach_stderr():
    kept, dropped = cell_with(["keep_output"], "0.1\n"), cell_with([])
    assert_outputs_as_stored(kept, [new_output("stream", name="stdout", text="0.1\n")])
    assert_outputs_as_stored(dropped, [new_output("stream", name="stdout", text="whatever")])
    warning = new_output("stream", name="stderr", text="a warning")
    for cell, outputs in (
        (kept, []), (kept, cell_with([], "0.2\n").outputs), (kept, [warning]), (dropped, [warning]),
    ):  # fmt: skip
        with pytest.raises(AssertionError):
            assert_outputs_as_stored(cell, outputs)


def test_who_solved_everything_meets_no_function_of_the_courses():
    table, line = "a step: yours\na jump: {}", "jump: {}, until yours passes its check\n"
    for whose, fits in (
        ("yours", does_not_raise()),
        ("the course’s", pytest.raises(AssertionError)),
    ):
        for output in (
            new_output("execute_result", {"text/plain": table.format(whose)}),
            new_output("stream", name="stdout", text=line.format(whose)),
        ):
            with fits:
                assert_all_theirs(cell_with([]), [output])


def test_a_copy_has_every_exercise_solved_and_is_run_as_a_guest(tmp_path):
    path = next(path for path in tool.lessons() if path.name.startswith("01"))
    copy = nbval_lessons.read(nbval_lessons.prepare(path, tmp_path))
    assert copy.cells[0].id == nbval_lessons.GUEST and copy.cells[-1].id == nbval_lessons.STATE
    assert copy.cells[0].source.endswith("guest.become(())")
    last = nbval_lessons.read(nbval_lessons.prepare(FOUND["guide"][0], tmp_path))
    of_others = "('res_block', 'both_guesses', 'loss', 'ddim_step', 'decode')"
    assert last.cells[0].source.endswith(f"guest.become({of_others})")
    assert not [cell.id for cell in copy.cells if "NotImplementedError" in cell.source]
    assert [cell.id for cell in copy.cells[1:-1]] == [
        cell.id for cell in nbval_lessons.read(path).cells
    ]
