"""Run every test, as `make test` does, and say at the end what ran, and how long it took.

    python -m tools.run_tests          everything
    python -m tools.run_tests --fast   what a developer runs between two edits: under two minutes
    python -m tools.run_tests --lessons   the lessons alone, whose outputs the site shows

Three groups, one after the other, each spread over processes of one thread: the package and the
lessons (each run whole, once) over two, the browser, which waits more than it computes, over three.
Without a Chromium the third cannot run, without a Firefox some of its tests are left out; that is
said plainly, and where the environment variable CI is set it is a failure. Outside CI a lesson is
skipped, and named, if neither it nor the package, the data or the pinned versions have changed
since it last passed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.browser.lab import find_chromium, find_firefox
from tests.nbval_lessons import FOLDER, prepare
from tools import notebooks

ROOT = Path(__file__).resolve().parent.parent
PYTEST = [
    sys.executable, "-m", "pytest", "-q", "-n", "2", "--durations=10", "--durations-min=0.1",
    "--no-loadscope-reorder", "--dist", "loadfile",
]  # fmt: skip
PACKAGE = [*PYTEST, "tests", "--ignore=tests/browser"]
LESSONS = [
    *PYTEST, "-p", "tests.nbval_lessons", "--nbval-lax",
    "--nbval-current-env", "--nbval-cell-timeout=600",
]  # fmt: skip
BROWSER = [*PYTEST[:-1], "load", "--maxschedchunk=1", "-n", "3", "tests/browser"]
FAST_LESSON = "01"
PASSED = FOLDER / "passed.json"

NO_BROWSER = """THE BROWSER TESTS DID NOT RUN: there is no Chromium on this machine.
How to get it: on Debian or Ubuntu  sudo apt install chromium ; elsewhere install Chromium or Chrome
and put it on the PATH. Then run  make test  again."""
NO_FIREFOX = """SOME BROWSER TESTS DO NOT RUN: there is no Firefox on this machine.
How to get it: on Debian  sudo apt install firefox-esr ; elsewhere install Firefox and put it on the
PATH. Then run  make test  again."""


@dataclass
class Group:
    """How one group of tests ended: "passed", "FAILED" or why it did not run; in how many seconds;
    the lines with its slowest tests; the lines with files of which tests were left out."""

    end: str
    seconds: float = 0.0
    slowest: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def run(name: str, command: list[str]) -> Group:
    """Run one group, show what it prints as it comes, and return how it ended."""
    print(f"\n== {name}", flush=True)
    environment = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    start, slowest, left_out = time.monotonic(), [], []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            if re.match(r"[\d.]+s (call|setup|teardown) ", line):
                slowest.append(line.rstrip())
            if line.startswith("not run in Firefox: "):
                left_out.append(line.rstrip())
    end = "FAILED" if process.returncode else "passed"
    return Group(end, time.monotonic() - start, tuple(slowest), tuple(left_out))


def fingerprint(lesson: Path) -> str:
    """Return a hash of all that the outcome of a lesson depends on."""
    digest = hashlib.sha256()
    package = sorted((ROOT / "diffusion_lessons").rglob("*.*"))
    for path in [lesson, *package, ROOT / "data" / "checksums.json", ROOT / "constraints.txt"]:
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def longest_first(lessons: list[Path]) -> list[Path]:
    """Sort lessons by the seconds that were measured, those that were not before all others: of two
    processes that take one after the other, neither is idle for long at the end."""
    seconds = json.loads((ROOT / "data" / "bench" / "lesson_times.json").read_text())["seconds"]
    return sorted(lessons, key=lambda path: -seconds.get(path.stem, {"whole": 1e9})["whole"])


def run_lessons(paths: list[Path]) -> Group:
    """Run each lesson once, the longest first, except those that passed as they are."""
    before = json.loads(PASSED.read_text()) if PASSED.is_file() and not os.environ.get("CI") else {}
    before = {name: print_ for name, print_ in before.items() if (FOLDER / name).is_file()}
    prints = {path.name: fingerprint(path) for path in paths}
    ready = [path for path in paths if before.get(path.name) != prints[path.name]]
    for path in set(paths) - set(ready):
        print(f"skipped: {path.name}, unchanged since it last passed, as are package and data")
    if not ready:
        return Group("passed before, unchanged")
    PASSED.parent.mkdir(parents=True, exist_ok=True)
    others = {name: before[name] for name in before.keys() - {path.name for path in ready}}
    PASSED.write_text(json.dumps(others, indent=1))  # what is copied now has not run
    copies = [str(prepare(path)) for path in longest_first(ready)]
    group = run("the lessons, each from top to bottom", [*LESSONS, *copies])
    if group.end == "passed":
        PASSED.write_text(json.dumps(others | {p.name: prints[p.name] for p in ready}, indent=1))
    return group


def run_browser() -> Group:
    """Run the tests in both browsers, or say how to get the one that is missing."""
    chromium, firefox = find_chromium(), find_firefox()
    if not chromium:
        print("\n" + NO_BROWSER)
        return Group("FAILED, it did not run" if os.environ.get("CI") else "DID NOT RUN")
    group = run(f"the browser, {chromium} and {firefox or 'no Firefox'}", BROWSER)
    if not firefox:
        print("\n" + NO_FIREFOX)
        group.end = "FAILED, no Firefox" if os.environ.get("CI") else f"{group.end}, NOT IN FIREFOX"
    return group


def main(arguments: list[str] | None = None) -> int:
    """Run the groups, print a summary, and return 0 only if nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="the light tests and one lesson")
    parser.add_argument("--lessons", action="store_true", help="the lessons alone")
    given = parser.parse_args(arguments)
    fast, lessons = given.fast, notebooks.lessons()
    if given.lessons:
        return int(run_lessons(lessons).end.startswith("FAILED"))
    groups = {"the package": run("the package", [*PACKAGE, *(["-m", "not slow"] if fast else [])])}
    if fast:
        lessons = [path for path in lessons if path.name.startswith(FAST_LESSON)]
    groups["the lessons"] = run_lessons(lessons)
    if not fast:
        groups["the browser"] = run_browser()
    print("\nThe slowest tests of each group, and how each group ended:")
    for name, group in groups.items():
        print("\n".join([f"\n{name}:", *group.slowest]))
    print()
    for name, group in groups.items():
        print(f"{name}: {group.end}, {group.seconds / 60:.1f} minutes")
        for line in group.left_out:
            print(f"  {line}")
    return int(any(group.end.startswith("FAILED") for group in groups.values()))


if __name__ == "__main__":
    sys.exit(main())
