"""The code's style: ruff, its formatter and mypy have nothing to say about any file.

What they look for stands in pyproject.toml: among the rest that every public name of the package
says what it does, and that every function names the types of what it takes and gives.
"""

import subprocess
import sys

import pytest

CHECKS = {
    "ruff": ("ruff", "check", "."),
    "ruff's formatter": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
}


@pytest.mark.parametrize("name", CHECKS)
def test_it_has_nothing_to_say(name, project):
    cache = [] if name == "mypy" else ["--no-cache"]
    said = subprocess.run(
        [sys.executable, "-m", *CHECKS[name], *cache], capture_output=True, text=True, cwd=project
    )
    assert said.returncode == 0, f"make lint\n{said.stdout}{said.stderr}"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("mypy", "def twice(x: int) -> str:\n    return 2 * x\n"),
        ("mypy", "def untyped(x):\n    return x\n"),
        ("ruff", '"""A module."""\n\n\ndef undocumented() -> None:\n    return\n'),
    ],
)
def test_a_fault_is_found(name, code, project, tmp_path):
    file = tmp_path / "fault.py"
    file.write_text(code)
    command = [sys.executable, "-m", *CHECKS[name][: -1 if name == "ruff" else None], str(file)]
    settings = ["--config-file" if name == "mypy" else "--config", str(project / "pyproject.toml")]
    cache = ["--cache-dir", str(tmp_path / "cache")] if name == "mypy" else ["--no-cache"]
    said = subprocess.run([*command, *settings, *cache], capture_output=True, text=True)
    assert said.returncode == 1 and "fault.py" in said.stdout, said.stdout + said.stderr
