"""The rooms of the package: a room imports only from lower floors (see CONTRIBUTING.md)."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

FLOORS = (
    {"__init__", "arguments", "workspace"},
    {"postcards", "schedule"},
    {"data", "models", "pictures", "prediction"},
    {"conditioning", "diagram", "sampling", "training"},
    {"latents", "scoring"},
    {"pipeline"},
    {"widgets", "checks"},
    {"recipes", "doctor", "quiz"},
    {"__main__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
PACKAGE = Path(__file__).resolve().parent.parent / "diffusion_lessons"
FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path):
    """ "checks.near" for diffusion_lessons/checks/near.py, "checks" for its __init__.py."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in FILES}


def course_imports(path):
    """The modules of the package that a file imports, wherever in the file it does."""
    home = path.relative_to(PACKAGE).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                stem = ("diffusion_lessons", *home)[: len(home) + 2 - node.level]
                base = ".".join((*stem, *filter(None, [base])))
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return {known_module(name) for name in found if name.startswith("diffusion_lessons.")}


def known_module(name):
    """The longest part of a dotted name that is a module of the package."""
    name = name.removeprefix("diffusion_lessons.")
    while name not in MODULES and "." in name:
        name = name.rpartition(".")[0]
    return name if name in MODULES else "__init__"


def room(module):
    return module.partition(".")[0]


def test_every_room_has_a_floor_and_no_file_waits_for_itself():
    assert {room(module) for module in MODULES} <= set(FLOOR)
    graph = {module_of(path): course_imports(path) - {module_of(path)} for path in FILES}
    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_go_down(path):
    here = room(module_of(path))
    for other in map(room, course_imports(path)):
        assert other == here or FLOOR[other] < FLOOR[here], f"{here} must not import {other}"


def test_the_test_itself_sees_each_way_to_import(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "MODULES", {"a", "b", "c", "r", "r.x"})
    (tmp_path / "r").mkdir()
    file = tmp_path / "r" / "y.py"
    file.write_text(
        "import diffusion_lessons.a as q\nfrom diffusion_lessons import b\n"
        "def f():\n    from diffusion_lessons.c import thing\nfrom .x import z\nfrom ..b import t\n"
    )
    assert course_imports(file) == {"a", "b", "c", "r.x"}


def test_torchvision_is_imported_in_one_place_and_only_when_asked_for():
    texts = {module_of(path): path.read_text(encoding="utf-8") for path in FILES}
    uses = re.compile(r"^\s*(?:import|from) torchvision|import_module\(.torchvision", re.MULTILINE)
    assert [module for module, text in texts.items() if uses.search(text)] == ["data.fashion"]
    rooms = ", ".join(sorted(f"diffusion_lessons.{m}" for m in MODULES if m != "__main__"))
    code = f"import sys, {rooms}; print([m for m in sys.modules if m.startswith('torchvision')])"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent
    )
    assert ended.stdout.strip() == "[]", ended.stderr
