"""The learner's copies: an update never overwrites what was written."""

import json
import re
import sys

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from tools import my_lessons as tool


def notebook(*sources, outputs=()):
    rest = {"cell_type": "code", "metadata": {}, "outputs": list(outputs)}
    cells = [{"source": source, **rest} for source in sources]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A course of two lessons in a folder with a space and an umlaut."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    course = tmp_path / "Kurs für alle"
    (course / "notebooks" / "template").mkdir(parents=True)
    (course / "notebooks" / "template" / "lesson.ipynb").write_text(notebook("x"))
    for number in ("00", "02"):
        (course / "notebooks" / f"{number}_lesson.ipynb").write_text(notebook("first = 1"))
    monkeypatch.setattr(tool, "ROOT", course)
    return course


def mine(root, number="02"):
    return root / "my_lessons" / f"{number}_lesson.ipynb"


def theirs(root, number="02"):
    return root / "notebooks" / f"{number}_lesson.ipynb"


def kept(root):
    return sorted(root.glob("my_lessons/*mine*.ipynb"))


def test_missing_copies_are_made_and_nothing_else(root):
    assert tool.fill() == []
    assert mine(root, "00").read_text() == theirs(root, "00").read_text()
    copy = nbformat.read(mine(root, "00"), as_version=4)
    assert NotebookNotary().check_signature(copy), "JupyterLab would not show the map in it"
    assert {p.name for p in (root / "my_lessons").iterdir()} == {
        "00_lesson.ipynb", "02_lesson.ipynb", tool.NOTE, ".lock",
    }  # fmt: skip


def test_copies_come_without_the_outputs_that_answer_a_guess(root):
    sources = ("a = 1", "g = widgets.guess('?')", "draw()", "g.compare('x')", "b = 2")
    theirs(root).write_text(
        notebook(
            *sources, outputs=[{"output_type": "stream", "name": "stdout", "text": "a picture"}]
        )
    )
    committed = theirs(root).read_text()
    tool.fill()
    cells = json.loads(mine(root).read_text())["cells"]
    assert [bool(cell["outputs"]) for cell in cells] == [True, True, False, False, True]
    assert [cell["source"] for cell in cells] == list(sources)
    assert theirs(root).read_text() == committed and tool.fill() == []


def test_every_guess_of_the_lessons_is_compared_so_that_later_outputs_stay(project, monkeypatch):
    monkeypatch.setattr(tool, "ROOT", project)
    for lesson in tool.lessons()[1:-1]:
        text = lesson.read_text(encoding="utf-8")
        for name in re.findall(r"(\w+) = widgets\.guess\(", text):
            assert f"{name}.compare(" in text, (lesson.name, name)


def test_a_copy_that_was_only_run_is_brought_up_to_date_but_not_before(root):
    tool.fill()
    ran = notebook(
        "first = 1", outputs=[{"output_type": "stream", "name": "stdout", "text": "a picture"}]
    )
    mine(root).write_text(ran)
    assert tool.fill() == [] and mine(root).read_text() == ran
    theirs(root).write_text(notebook("first = 2"))
    assert tool.fill() == []
    assert mine(root).read_text() == notebook("first = 2") and kept(root) == []


def test_a_copy_that_was_changed_stays_and_the_new_version_is_told_of(root):
    tool.fill()
    mine(root).write_text(notebook("first = 1", "my own = 5"))
    assert tool.fill() == []
    theirs(root).write_text(notebook("first = 2"))
    for _ in range(2):
        (sentence,) = tool.fill()
        assert sentence.endswith(tool.command("reset", "02")) and "stays" in sentence
        assert mine(root).read_text() == notebook("first = 1", "my own = 5")


def test_the_empty_cell_that_the_last_shift_enter_adds_is_no_change(root):
    tool.fill()
    mine(root).write_text(notebook("first = 1", "", " "))
    theirs(root).write_text(notebook("first = 2"))
    assert tool.fill() == [] and mine(root).read_text() == notebook("first = 2")


def test_a_fill_that_was_killed_before_or_after_a_copy_leaves_it_known(root, monkeypatch):
    tool.fill()
    for number, broken in enumerate(("_put", "_write"), 2):
        theirs(root).write_text(notebook(f"first = {number}"))
        with monkeypatch.context() as killed:
            whole = getattr(tool, broken)

            def then_dies(*given, whole=whole):
                whole(*given)
                raise KeyboardInterrupt

            killed.setattr(tool, broken, then_dies)
            with pytest.raises(KeyboardInterrupt):
                tool.fill()
        theirs(root).write_text(notebook(f"first = {number} + 10"))
        assert tool.fill() == [] and mine(root).read_text() == theirs(root).read_text()


def test_without_make_the_advice_names_the_line_that_works(root, monkeypatch):
    for have_make, have_venv, line in (
        (True, True, "make reset LESSON=02"),
        (True, False, f"{sys.executable} {tool.__file__} reset 02"),
        (False, True, f"{sys.executable} {tool.__file__} reset 02"),
    ):
        monkeypatch.setattr(tool.shutil, "which", lambda name, have=have_make: have or None)
        monkeypatch.setattr(tool, "ROOT", root if have_venv else root / "elsewhere")
        (root / ".venv").mkdir(exist_ok=True)
        assert tool.command("reset", "02") == line


def test_reset_keeps_what_was_written(root):
    tool.fill()
    mine(root).write_text(notebook("first = 1", "my own = 5"))
    theirs(root).write_text(notebook("first = 2"))
    aside = tool.reset("2")
    assert kept(root) == [aside] and aside.read_text() == notebook("first = 1", "my own = 5")
    assert mine(root).read_text() == notebook("first = 2")
    assert tool.fill() == [] and tool.reset("02") is None
    assert len(kept(root)) == 1


def test_reset_puts_a_deleted_lesson_back(root):
    assert tool.reset("00") is None
    assert mine(root, "00").read_text() == theirs(root, "00").read_text()


@pytest.mark.parametrize("number", ["7", "", "two", "000"])
def test_a_lesson_that_does_not_exist(root, number, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["my_lessons.py", "reset", number])
    assert tool.main() == 1
    assert f"no lesson {number!r}: choose one of 00, 02" in capsys.readouterr().err
    assert not (root / "my_lessons").exists()


@pytest.mark.parametrize("damage", ["", "[1, 2]", '{"02_lesson.ipynb": '])
def test_a_damaged_note_loses_nothing(root, damage):
    tool.fill()
    mine(root).write_text(notebook("mine"))
    (root / "my_lessons" / tool.NOTE).write_text(damage)
    assert len(tool.fill()) == 1
    assert mine(root).read_text() == notebook("mine")


def test_a_copy_that_is_no_notebook_any_more_stays(root):
    tool.fill()
    mine(root).write_text("torn")
    theirs(root).write_text(notebook("first = 2"))
    assert len(tool.fill()) == 1 and mine(root).read_text() == "torn"


def test_a_folder_that_cannot_be_written_to_is_said(root, capsys, monkeypatch):
    (root / "my_lessons").write_text("a file where the folder should be")
    monkeypatch.setattr(sys, "argv", ["my_lessons.py", "fill"])
    assert tool.main() == 1
    assert "my_lessons" in (said := capsys.readouterr().err) and "What to do" in said


def cut_short(lesson, copy):
    copy.write_text(lesson.read_text()[:9])
    raise OSError(28, "No space left on device", str(copy))


@pytest.mark.parametrize("had", [False, True])
def test_a_full_disk_leaves_no_half_lesson(root, monkeypatch, had):
    if had:
        tool.fill()
    before = mine(root).read_text() if had else None
    theirs(root).write_text(notebook("first = 2"))
    with monkeypatch.context() as full:
        full.setattr(tool.shutil, "copyfile", cut_short)
        with pytest.raises(OSError, match="No space left"):
            tool.fill()
    assert (mine(root).read_text() if mine(root).is_file() else None) == before
    assert list((root / "my_lessons").glob(".*.tmp")) == []
    assert tool.fill() == [] and mine(root).read_text() == notebook("first = 2")


def test_reset_says_whether_there_was_something_to_keep(root, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["my_lessons.py", "reset", "02"])
    assert tool.main() == 0 and "held nothing to keep." in capsys.readouterr().out
    mine(root).write_text(notebook("mine"))
    assert tool.main() == 0
    assert f"{kept(root)[0].name}.\n" in capsys.readouterr().out


def test_the_glossary_comes_along_and_can_be_put_back(root):
    (root / "notebooks" / "glossary.ipynb").write_text(notebook("terms"))
    tool.fill()
    copy = root / "my_lessons" / "glossary.ipynb"
    assert copy.read_text() == notebook("terms")
    copy.write_text(notebook("mine"))
    assert tool.reset("glossary") is not None and copy.read_text() == notebook("terms")
    assert [path.name for path in tool.lessons()] == ["00_lesson.ipynb", "02_lesson.ipynb"]


def test_disk_adds_up_what_lies_there(root):
    tool.fill()
    (root / ".venv").mkdir()
    (root / ".venv" / "torch").write_bytes(b"0" * 1000)
    sizes = tool.disk()
    assert sizes["Python and packages (.venv)"] == 1000
    assert sizes["your lessons (my_lessons)"] > 100 and "its history (.git)" not in sizes
