"""The learner's own copies of the lessons: `python tools/my_lessons.py fill | reset 02 | disk`.

`make lab` opens the copies in `my_lessons/`, which git does not look at. So what a learner writes
never stands in the way of an update, and an update never overwrites what a learner wrote.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INTO: Path | None = None  # the folder of the copies, where it is not `my_lessons` beside them
NOTE = "copied.json"  # in my_lessons: the fingerprints of what each copy was made from


class NoSuchLesson(Exception):
    """A number that no lesson has; the message names those there are."""


def fill() -> list[str]:
    """Copy the lessons that are missing, and bring copies that nobody changed up to date.

    Returns:
        a sentence for each copy that the learner changed while the course has a new version: that
        copy stays as it is.
    """
    said = []
    with _alone():
        made_from = _made_from()
        for lesson in [*lessons(), *beside()]:
            copy, new = mine() / lesson.name, _fingerprint(lesson)
            versions, has = made_from.setdefault(lesson.name, []), None
            if copy.is_file():
                has = _fingerprint(copy)
            told = new in versions
            if has is None or has in (new, *versions):
                if not told:  # before the copy is there: after a kill in between it is known
                    versions.append(new)
                    _write(made_from)
                if has != new:
                    _put(lesson, copy)
            elif not told:
                said.append(
                    f"There is a new version of {lesson.name}. You changed yours, so it stays. To "
                    "take the new one (yours is kept beside it):  "
                    + command("reset", _name(lesson))
                )
    return said


def reset(number: str) -> Path | None:
    """Put a lesson back to the course's version; what the learner had is kept beside it.

    Args:
        number: of the lesson, "02" or "2", or "glossary".

    Returns:
        where the learner's version now lies, or None if there was nothing to keep.

    Raises:
        NoSuchLesson: no lesson has this number.
    """
    brought = [*lessons(), *beside()]
    found = [path for path in brought if _name(path) == number.zfill(2)]
    if not number or not found:
        numbers = ", ".join(map(_name, brought))
        raise NoSuchLesson(
            f"There is no lesson {number!r}: choose one of {numbers}, as in  "
            f"{command('reset', '02')}"
        )
    lesson, kept = found[0], None
    with _alone():
        made_from, copy = _made_from(), mine() / lesson.name
        versions = made_from.setdefault(lesson.name, [])
        if _fingerprint(lesson) not in versions:
            versions.append(_fingerprint(lesson))
            _write(made_from)
        if copy.is_file() and _fingerprint(copy) not in versions:
            kept = _aside(copy)
        _put(lesson, copy)
    return kept


def disk() -> dict[str, int]:
    """How many bytes the course takes, part by part."""
    sizes = {
        "the course itself": _size(ROOT / "data") + _size(ROOT / "notebooks"),
        "its history (.git)": _size(ROOT / ".git"),
        "Python and packages (.venv)": _size(ROOT / ".venv"),
        "your lessons (my_lessons)": _size(mine()),
        "your weights (my_weights)": _size(ROOT / "my_weights"),
    }
    return {name: size for name, size in sizes.items() if size}


def lessons() -> list[Path]:
    """The lessons that the course brings, in order."""
    return sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def beside() -> list[Path]:
    """The notebooks that the lessons link to and that are no lessons: the glossary."""
    return sorted(set((ROOT / "notebooks").glob("*.ipynb")) - set(lessons()))


def mine() -> Path:
    """The folder of the learner's copies."""
    return INTO or ROOT / "my_lessons"


def command(*words: str) -> str:
    """The line that a learner types for this tool, with `make` or where there is none."""
    if not INTO and shutil.which("make") and (ROOT / ".venv").is_dir():
        return "make " + " LESSON=".join(words)
    whole = [sys.executable, str(Path(__file__).resolve()), *words]
    whole += ["--into", str(INTO)] if INTO else []
    return subprocess.list2cmdline(whole) if os.name == "nt" else shlex.join(whole)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Make `my_lessons`, and let one process at a time fill it or reset a lesson."""
    mine().mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as lock:
        with contextlib.suppress(ImportError, NotImplementedError):  # or this disk has no locks
            import filelock

            lock.enter_context(filelock.FileLock(mine() / ".lock"))
        yield


def _aside(copy: Path) -> Path:
    """Rename what a learner wrote to a name that no file has; return it."""
    now, number = time.strftime("%Y-%m-%d %H.%M.%S"), 1
    while (kept := copy.with_name(f"{copy.stem} (mine, {now}).ipynb")).exists():
        number += 1
        now = f"{now.partition(' no ')[0]} no {number}"
    return copy.rename(kept)


def _put(lesson: Path, copy: Path) -> None:
    """Copy under another name first: a full disk or a Ctrl-C leaves the old copy or all of the new
    one. Half a copy would be taken for one that the learner changed, and stay."""
    draft = copy.with_name(f".{copy.name}.tmp")
    try:
        shutil.copyfile(lesson, draft)
        _hide_answers(draft)
        _trust(draft)
        draft.replace(copy)
    finally:
        draft.unlink(missing_ok=True)


def _hide_answers(copy: Path) -> None:
    """Drop the stored outputs after each `NAME = widgets.guess(` up to its `NAME.compare(`."""
    notebook, asked, hidden = json.loads(copy.read_text(encoding="utf-8")), set[str](), False
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            if asked and cell.get("outputs"):
                cell["outputs"], cell["execution_count"], hidden = [], None, True
            asked -= set(re.findall(r"(\w+)\.compare\(", source))
            asked |= set(re.findall(r"(\w+) = widgets\.guess\(", source))
    if hidden:
        copy.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _trust(copy: Path) -> None:
    """Sign a copy, as `jupyter trust` does: else JupyterLab shows the map of the model as a bare
    list until its cell has run. Where that cannot be done, the list stays."""
    with contextlib.suppress(ImportError, OSError, RuntimeError):  # the last: no home
        import nbformat
        from nbformat.sign import NotebookNotary

        NotebookNotary().sign(nbformat.read(copy, as_version=4))


def _name(path: Path) -> str:
    """What a learner calls a notebook: "02", or "glossary"."""
    return path.name[:2] if path in lessons() else path.stem


def _fingerprint(path: Path) -> str:
    """Of what stands in the cells of a notebook: running it changes nothing of this."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        parts = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
        while parts and not parts[-1][1].strip():
            parts.pop()  # Shift-Enter in the last cell has added it
        written = json.dumps(parts)
    except (ValueError, KeyError, TypeError):
        written = path.read_bytes().hex()  # no notebook: every byte counts
    return hashlib.sha256(written.encode()).hexdigest()


def _made_from() -> dict[str, list[str]]:
    """Lesson to the fingerprints of all versions that its copy was made from; a note that is
    missing or damaged counts as empty: nothing is lost, since a copy that it does not speak of is
    taken for changed."""
    try:
        note = json.loads((mine() / NOTE).read_text(encoding="utf-8"))
        return {name: [made] if isinstance(made, str) else [*made] for name, made in note.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(made_from: dict[str, list[str]]) -> None:
    draft = mine() / f".{NOTE}.tmp"
    draft.write_text(json.dumps(made_from, indent=1) + "\n", encoding="utf-8")
    draft.replace(mine() / NOTE)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def main() -> int:
    """Read the command line and do what it says; return the exit code."""
    parser = argparse.ArgumentParser(description="Your own copies of the lessons.")
    parser.add_argument("command", choices=("fill", "reset", "disk"))
    parser.add_argument("lesson", nargs="?", default="", help="for reset: its number, such as 02")
    parser.add_argument(
        "--into", type=Path, help="the folder of the copies, in place of my_lessons"
    )
    arguments = parser.parse_args()
    global INTO
    INTO = arguments.into and arguments.into.resolve()
    try:
        if arguments.command == "fill":
            for sentence in fill():
                print(sentence)
        elif arguments.command == "reset":
            kept = reset(arguments.lesson)
            print(f"Lesson {arguments.lesson} is as the course brings it.")
            yours = (
                f"is kept as {kept.relative_to(mine().parent)}" if kept else "held nothing to keep"
            )
            print(f"Your copy {yours}.")
        else:
            for name, size in disk().items():
                print(f"{size / 1e6:9,.0f} MB  {name}")
    except NoSuchLesson as reason:
        print(reason, file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"{error.filename}: {error.strerror}.\nWhat to do: copy the course to a folder of your "
            "own, for example in your home, and run the same command there.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
