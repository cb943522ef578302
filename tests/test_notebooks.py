"""Every notebook: clean as committed, readable, its solutions right, its outputs the same again."""

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from bench import lesson_times
from tests.exercises import FOUND, check_line, exercises, read, report_of, solution_of
from tests.nbval_lessons import data_of
from tests.test_running_again import names
from tools import notebooks as tool

PATHS = tool.all_notebooks()
WITH_CODE = [path for path in PATHS if path.stem != "glossary"]
LESSONS = [path for path in PATHS if path.name[:2] not in ("00", "09") and path.name[0].isdigit()]
ABSOLUTE = re.compile(r"(?<![\w./:])/(home|root|tmp|usr|opt|mnt|Users)/|[A-Za-z]:\\\\?Users")
LARGEST = 1_500_000
LONGEST_CELL, LONGEST_SETUP, MEDIAN_CELL = 20, 8, 9


def code_cells(path: Path) -> list:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def lines_of(cell) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
with_code = pytest.mark.parametrize("path", WITH_CODE, ids=lambda path: path.stem)
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)

# --- as committed ---


@every_notebook
def test_the_file_is_what_the_cleaning_tool_writes(path, tmp_path):
    tool.write(tool.clean(read(path)), tmp_path / path.name)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes(), (
        f"{path.name} is not clean: python tools/notebooks.py run {path.name}"
    )


@every_notebook
def test_nothing_went_wrong_when_it_last_ran_and_tagged_cells_hold_their_outputs(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type != "error", cell.id
            assert output.get("name") != "stderr", f"{cell.id}: {output.text}"
        needed = {"keep_output", "nbval-check-output"} & set(tool.tags(cell))
        assert cell.outputs or not needed, f"{cell.id} is tagged {needed} and has no stored output"


@every_notebook
def test_no_path_of_somebody_s_machine(path):
    for cell in read(path).cells:
        texts = [cell.source]
        for output in cell.get("outputs", []):
            texts += [t for kind, t in data_of(output).items() if not kind.startswith("image/")]
        for text in texts:
            shown = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
            assert not ABSOLUTE.search(shown), f"{cell.id}: {ABSOLUTE.search(shown).group()}"
            assert str(tool.ROOT) not in shown, cell.id


@every_notebook
def test_the_file_is_small_and_its_cells_have_ids_of_their_own(path):
    ids = [cell.id for cell in read(path).cells]
    assert len(set(ids)) == len(ids)
    assert path.stat().st_size <= LARGEST, f"{path.name} has {path.stat().st_size} bytes"


@every_notebook
def test_every_stored_picture_has_a_text_alternative(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            data = data_of(output)
            if "image/png" in data:
                alts = re.findall(r'<img[^>]*\balt="([^"]+)"', data.get("text/html", ""))
                assert alts and all(len(alt) > 15 for alt in alts), cell.id
            for tag in re.findall(r"<img[^>]*>", data.get("text/html", "")):
                assert re.search(r'\balt="[^"]+"', tag), cell.id


# --- as read ---


def headings(path: Path) -> list[tuple[int, str]]:
    found = []
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)
            found += [(len(m[1]), m[2]) for m in re.finditer(r"^(#+) (.+)$", text, re.MULTILINE)]
    return found


@every_notebook
def test_headings_step_down_one_level_at_a_time(path):
    levels = [level for level, _ in headings(path)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert read(path).cells[0].source.startswith("# ")
    for before, after in zip(levels, levels[1:], strict=False):
        assert after <= before + 1
    titles = [title for _, title in headings(path)]
    assert len(set(titles)) == len(titles), "two headings with one name cannot both be linked to"


@with_code
def test_code_cells_are_short(path):
    sizes = {cell.id: lines_of(cell) for cell in code_cells(path)}
    assert max(sizes.values()) <= LONGEST_CELL, max(sizes, key=sizes.get)
    assert statistics.median(sizes.values()) <= MEDIAN_CELL
    setup = [cell for cell in code_cells(path) if "setup" in tool.tags(cell)]
    assert len(setup) == 1 and lines_of(setup[0]) <= LONGEST_SETUP
    assert setup[0] is code_cells(path)[0]


@every_notebook
def test_a_sentence_stands_between_any_two_code_cells(path):
    kinds = [(cell.cell_type, cell.id) for cell in read(path).cells]
    for (before, _), (after, name) in zip(kinds, kinds[1:], strict=False):
        assert (before, after) != ("code", "code"), f"no sentence before {name}"


@every_lesson
def test_a_lesson_has_its_parts(path):
    told = [part for part in lesson_times.parts(read(path).cells) if isinstance(part[0], str)]
    folded = r"```.*?```|<details>.*?</details>"
    prose = re.sub(folded, "", "\n".join(text for text, _ in told), flags=re.DOTALL)
    read_by_all = "\n".join(text for text, deeper in told if not deeper)
    core = re.sub(folded, "", read_by_all, flags=re.DOTALL)
    assert 1200 <= len(core.split()) <= 2500, f"{len(core.split())} words"
    assert "**Where you are.**" in prose and "## What you now know\n\nYou can now" in prose
    for part in ("You will", "minutes", "diffusers", "Papers"):
        assert part in prose, part
    assert len(exercises(path)) >= 3


# --- exercises ---


every_exercise = pytest.mark.parametrize(("path", "cell", "answer"), FOUND.values(), ids=FOUND)


@every_exercise
def test_the_folded_solution_passes_its_check_and_the_exercise_as_handed_out_does_not(
    path, cell, answer
):
    assert re.search(r"<details>\s*<summary>Hint", answer.source), cell.id
    report = report_of(path, solution_of(answer), check_line(cell))
    assert report.passed, repr(report)
    source = cell.source[: cell.source.rindex("\n")]
    report = report_of(path, source, check_line(cell))
    wrong = re.sub(r"raise NotImplementedError.*", "return 0", source)
    assert not report.passed and not report_of(path, wrong, check_line(cell)).passed
    assert report.verdict == "to do" or "raise NotImplementedError" not in source


@every_exercise
def test_an_exercise_says_how_hard_and_how_long_it_is(path, cell, answer):
    cells = read(path).cells
    place = next(i for i, c in enumerate(cells) if c.id == cell.id)
    before = "\n".join(c.source for c in cells[:place] if c.cell_type == "markdown")
    title = " ".join(before[before.rindex("### Exercise") :].splitlines()[:3])
    said = re.search(r"Difficulty (\d) of 5 \((●*)○*\) · \d+ minutes?", title)
    assert said and int(said[1]) == len(said[2]), title


def test_class_notebooks_hold_no_solution(tmp_path):
    tool.main(["without-solutions", str(tmp_path)])
    for path in LESSONS:
        bare = nbformat.read(tmp_path / path.name, as_version=4)
        whole = "\n".join(cell.source for cell in bare.cells)
        assert not re.search(r"\bsolution", whole, re.IGNORECASE)  # "resolution" may stay
        assert whole.count("<details>") == whole.count("</details>") > 0
        for _, answer in exercises(path):
            assert solution_of(answer).strip() not in whole
        assert len(exercises(tmp_path / path.name)) == len(exercises(path))


def test_class_notebooks_are_not_written_over_the_lessons():
    with pytest.raises(SystemExit, match="inside notebooks/"):
        tool.main(["without-solutions", str(tool.NOTEBOOKS)])


# --- run ---
# Each lesson runs whole once, by nbval: see tests/nbval_lessons.py.


@every_lesson
def test_no_later_cell_needs_what_an_exercise_sets(path):
    """What a learner got wrong, or skipped, reaches no other cell: those ask `checks.yours`."""
    cells = code_cells(path)
    ids = {cell.id for cell, _ in exercises(path)}
    set_by_exercises: set[str] = set()
    for cell in cells:
        sets, takes, inside = names(cell.source)
        if cell.id in ids:
            set_by_exercises |= sets
        else:
            assert not (takes | inside) & set_by_exercises, cell.id


def test_a_guest_can_neither_write_nor_leave_this_machine(tmp_path):
    code = (
        "import pathlib, socket, tempfile\nfrom tests import guest\nguest.become()\n"
        "tempfile.TemporaryFile().write(b'1')\n"
        "for trial in (lambda: open('x', 'w'), lambda: pathlib.Path('x').mkdir(),\n"
        "              lambda: socket.create_connection(('a.example', 80))):\n"
        "    try:\n        trial()\n    except OSError as error:\n        print(error.errno)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tool.NOTEBOOKS,
        env={**os.environ, "PYTHONPATH": str(tool.ROOT)},
    )  # fmt: skip
    assert ended.stdout.split() == ["13", "13", "101"], ended.stderr


# --- the tool itself ---


def small_notebook() -> nbformat.NotebookNode:
    shown = {
        "text/plain": "widget",
        "text/html": "<b>still</b>",
        tool.WIDGET_VIEW: {"model_id": "1"},
    }
    output = nbformat.v4.new_output("execute_result", data=shown, execution_count=7)
    cells = [
        nbformat.v4.new_code_cell("widget", outputs=[output], execution_count=7),
        nbformat.v4.new_code_cell("other", outputs=[output], execution_count=8),
        nbformat.v4.new_markdown_cell(
            "<details>\n<summary>Hint</summary>\n\nthink\n\n</details>\n\n<details>\n"
            "<summary>Solution</summary>\n\nsecret\n\n</details>\n\n## Next"
        ),
        nbformat.v4.new_markdown_cell("<details><summary>Solution</summary>secret</details>"),
    ]
    folded = {"jupyter": {"source_hidden": True, "outputs_hidden": True}}
    cells[0].metadata = nbformat.from_dict({"tags": ["keep_output"], "execution": {}} | folded)
    metadata = {"widgets": {"state": {}}, "language_info": {"name": "python", "version": "3.99"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def test_cleaning_keeps_tagged_outputs_and_nothing_that_varies():
    before = small_notebook()
    kept, dropped, *_ = tool.clean(before).cells
    assert kept.outputs[0].data == {"text/plain": "widget", "text/html": "<b>still</b>"}
    assert kept.outputs[0].execution_count == kept.execution_count == 1  # its place, not the 7
    assert kept.metadata == {"tags": ["keep_output"], "jupyter": {"source_hidden": True}}
    assert kept.id == before.cells[0].id
    assert dropped.outputs == [] and dropped.execution_count is None
    clean = tool.clean(before).metadata
    assert set(clean) == {"kernelspec", "language_info"}
    assert clean.language_info.file_extension == ".py"  # nbconvert --to script writes a .txt else
    assert "3.99" not in str(tool.clean(before).metadata)
    assert before.cells[1].outputs and "widgets" in before.metadata, "the original was changed"


def test_solutions_are_cut_out_and_hints_stay():
    text = tool.without_solutions(small_notebook()).cells
    assert [cell.source for cell in text[:2]] == ["widget", "other"]
    assert "think" in text[2].source and "## Next" in text[2].source
    assert "secret" not in text[2].source
    assert len(text) == 3, "a cell that held only a solution should be gone"


def test_a_failing_cell_stops_the_run(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        tool.execute(notebook, tmp_path)


def test_what_is_stored_is_what_a_newcomer_sees(tmp_path, monkeypatch):
    """Not the gallery, nor the solved exercises, of whoever runs it for committing."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "mine"))
    cell = nbformat.v4.new_code_cell(
        "from diffusion_lessons import workspace\nworkspace.user_path()"
    )
    cell.metadata["tags"] = ["keep_output"]
    path = tmp_path / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    tool.main(["run", str(path)])
    (output,) = nbformat.read(path, as_version=4).cells[0].outputs
    found = output["data"]["text/plain"]
    assert "diffusion-lessons" in found and str(tmp_path) not in found
