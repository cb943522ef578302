"""`make test` itself: a group that fails is named and counts; no lesson runs twice."""

import re
import sys
from pathlib import Path

import pytest

from tests.browser import lab
from tools import notebooks, run_tests

PASSES = [sys.executable, "-c", "pass"]
FAILS = [sys.executable, "-c", "raise SystemExit(1)"]


@pytest.fixture
def lesson(tmp_path, monkeypatch) -> Path:
    """The only lesson of a course whose tests all pass, with both browsers at hand, outside CI."""
    path = tmp_path / "01_small.ipynb"
    path.write_text("{}")
    for name in ("PACKAGE", "LESSONS", "BROWSER"):
        monkeypatch.setattr(run_tests, name, PASSES)
    monkeypatch.setattr(run_tests, "FOLDER", tmp_path)
    monkeypatch.setattr(run_tests, "PASSED", tmp_path / "passed.json")
    monkeypatch.setattr(run_tests, "prepare", lambda path: path)
    monkeypatch.setattr(run_tests, "find_chromium", lambda: "chromium")
    monkeypatch.setattr(run_tests, "find_firefox", lambda: "firefox")
    monkeypatch.setattr(notebooks, "lessons", lambda: [path])
    monkeypatch.delenv("CI", raising=False)
    return path


@pytest.mark.parametrize("group", ["package", "lessons", "browser"])
def test_a_group_that_fails_is_named_and_fails_the_run(group, lesson, monkeypatch, capsys):
    assert run_tests.main([]) == 0 and "FAILED" not in capsys.readouterr().out
    lesson.write_text('{"changed": 1}')
    monkeypatch.setattr(run_tests, group.upper(), FAILS)
    assert run_tests.main([]) == 1
    ends = capsys.readouterr().out
    assert re.findall(r"^(.+): FAILED, [\d.]+ minutes$", ends, re.MULTILINE) == [f"the {group}"]


def test_the_site_asks_for_the_lessons_alone(lesson, monkeypatch):
    monkeypatch.setattr(run_tests, "PACKAGE", FAILS)
    monkeypatch.setattr(run_tests, "BROWSER", FAILS)
    assert run_tests.main(["--lessons"]) == 0 and lesson.name in run_tests.PASSED.read_text()
    lesson.write_text('{"changed": 1}')
    monkeypatch.setattr(run_tests, "LESSONS", FAILS)
    assert run_tests.main(["--lessons"]) == 1


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_without_a_browser_the_run_says_so_and_fails_in_ci(ci, code, lesson, monkeypatch, capsys):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(run_tests, "find_chromium", lambda: None)
    assert run_tests.main([]) == code
    assert "THE BROWSER TESTS DID NOT RUN" in capsys.readouterr().out


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_without_firefox_the_run_names_what_is_left_out_and_fails_in_ci(
    ci, code, lesson, monkeypatch, capsys
):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(run_tests, "find_firefox", lambda: None)
    line = "not run in Firefox: tests/browser/test_site.py, 2 tests"
    monkeypatch.setattr(run_tests, "BROWSER", [sys.executable, "-c", f"print({line!r})"])
    assert run_tests.main([]) == code
    said = capsys.readouterr().out
    assert "SOME BROWSER TESTS DO NOT RUN" in said and said.endswith(f"minutes\n  {line}\n")


def test_a_failure_beside_a_missing_firefox_is_a_failure(lesson, monkeypatch):
    monkeypatch.setattr(run_tests, "find_firefox", lambda: None)
    monkeypatch.setattr(run_tests, "BROWSER", FAILS)
    assert run_tests.main([]) == 1


def test_a_lesson_that_passed_as_it_is_is_skipped_outside_ci_alone(lesson, monkeypatch, capsys):
    skipped = f"skipped: {lesson.name}"
    monkeypatch.setattr(run_tests, "LESSONS", FAILS)
    assert run_tests.main([]) == 1 and run_tests.PASSED.read_text() == "{}"
    monkeypatch.setattr(run_tests, "LESSONS", PASSES)
    assert run_tests.main([]) == 0 and skipped not in capsys.readouterr().out
    monkeypatch.setattr(run_tests, "LESSONS", FAILS)  # fails wherever it is run
    assert run_tests.main([]) == 0 and skipped in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    assert run_tests.main([]) == 1 and skipped not in capsys.readouterr().out
    monkeypatch.delenv("CI")
    lesson.write_text('{"changed": 1}')
    assert run_tests.main([]) == 1 and skipped not in capsys.readouterr().out


def test_the_longest_lessons_start_first_and_new_ones_before_them(tmp_path):
    new = tmp_path / "10_new.ipynb"
    first, second, *_, last = run_tests.longest_first([*notebooks.lessons(), new])
    assert first == new and second.name[:2] in ("02", "04", "05", "07") and last.name[:2] == "09"


def test_no_lesson_is_run_twice(project):
    """One full pass runs a lesson's cells as they are; these files run other notebooks."""
    others = {
        "test_half_solved": "the part of two lessons that hangs on the learner's own",
        "test_lesson_data": "lessons on other pictures",
        "test_notebooks": "a cell that fails",
    }
    runs = re.compile(r"tool\.execute\(")
    files = (project / "tests").rglob("*.py")
    found = {path.stem for path in files if runs.search(path.read_text(encoding="utf-8"))}
    assert found == set(others)


@pytest.mark.parametrize(
    ("system", "find", "place"),
    [
        ("darwin", "chromium", "Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
        ("darwin", "chromium", "Applications/Chromium.app/Contents/MacOS/Chromium"),
        ("darwin", "firefox", "Applications/Firefox.app/Contents/MacOS/firefox"),
        ("win32", "chromium", "Google/Chrome/Application/chrome.exe"),
        ("win32", "firefox", "Mozilla Firefox/firefox.exe"),
    ],
)
def test_a_browser_is_found_where_macos_and_windows_keep_it(
    system, find, place, monkeypatch, tmp_path
):
    find = {"chromium": lab.find_chromium, "firefox": lab.find_firefox}[find]
    monkeypatch.setattr(lab.shutil, "which", lambda name: None)
    monkeypatch.setattr(lab.sys, "platform", system)
    monkeypatch.setattr(lab.Path, "home", lambda: tmp_path)
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert find() is None
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).touch()
    assert find() == str(tmp_path / place)
