"""pyproject.toml, constraints.txt, environment.yml and CITATION.cff say the same."""

import ast
import json
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import diffusion_lessons
from diffusion_lessons import recipes
from diffusion_lessons.workspace import sha256
from tools import setup_course

ONE_SYSTEM_ONLY = ("nvidia-", "cuda-", "triton", "pywinpty", "appnope", "colorama", "pip")
NEWEST_PYTHON = "3.14.0"  # of those that README promises
IMPORT_NAMES = {"pillow": "PIL", "ipython": "IPython", "pyyaml": "yaml"}


@pytest.fixture(scope="module")
def described(project):
    return tomllib.loads((project / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pins(project):
    """Each pin of constraints.txt: canonical name to version."""
    lines = (project / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs)
    return {canonicalize_name(name): version for name, version in pairs}


def requirements(described, *groups):
    """Name to specifier of what the project needs, for the base ("") and the named extras."""
    extras = described["optional-dependencies"]
    lines = [line for group in groups for line in extras.get(group, described["dependencies"])]
    return {canonicalize_name(r.name): r.specifier for r in map(Requirement, lines)}


def test_every_requirement_is_pinned_within_its_range(described, pins):
    for name, specifier in requirements(described, "", "lab", "test", "bench").items():
        assert name in pins, f"constraints.txt has no pin for {name}"
        assert pins[name] in specifier, f"{name} {pins[name]} is not {specifier}"


def test_a_hosted_notebook_keeps_the_versions_it_has(described):
    """Another IPython under a running kernel ends in crashes; Colab's of autumn 2026 are old."""
    colab = {
        "ipython": "7.34.0",
        "traitlets": "5.7.1",
        "ipywidgets": "7.7.1",
        "ipykernel": "6.17.1",
    }
    needed = requirements(described, "")
    assert not {name for name in colab if name in needed and colab[name] not in needed[name]}


def test_everything_that_gets_installed_is_pinned(described, pins):
    waiting, seen = list(requirements(described, "", "lab", "test")), set()
    environment = {**default_environment(), "extra": ""}
    while waiting:
        seen.add(name := waiting.pop())
        for needed in map(Requirement, metadata.requires(name) or []):
            applies = not needed.marker or needed.marker.evaluate(environment)
            if applies and canonicalize_name(needed.name) not in seen:
                waiting.append(canonicalize_name(needed.name))
    free = {name for name in seen if name.startswith(ONE_SYSTEM_ONLY)}
    assert seen - free <= set(pins), f"add to constraints.txt: {sorted(seen - free - set(pins))}"


def test_torch_and_torchvision_are_pinned_as_a_matched_pair(pins):
    if metadata.version("torchvision").split("+")[0] != pins["torchvision"]:
        pytest.skip("another torch is installed on purpose (TORCH=...)")
    wants = [Requirement(line) for line in metadata.requires("torchvision")]
    torch = next(requirement for requirement in wants if requirement.name == "torch")
    assert pins["torch"] in torch.specifier


def test_conda_users_get_the_same_ranges(project, described):
    environment = yaml.safe_load((project / "environment.yml").read_text())
    *packages, last = environment["dependencies"]
    assert last == {"pip": ["-e ."]}
    found = {canonicalize_name(r.name): r.specifier for r in map(Requirement, packages)}
    found["torch"] = found.pop("pytorch")  # conda's name for it
    named = str(found.pop("python")).removeprefix("==").removesuffix(".*")
    assert f"{named}.0" in SpecifierSet(described["requires-python"])
    del found["pip"]
    assert found == requirements(described, "", "lab")


def test_the_oldest_python_and_the_version_are_the_same_everywhere(project, described):
    oldest = ".".join(map(str, setup_course.OLDEST))
    assert described["requires-python"] == f">={oldest}"
    assert setup_course.OLDEST <= sys.version_info[:2] <= setup_course.NEWEST
    citation = yaml.safe_load((project / "CITATION.cff").read_text())
    assert citation["version"] == diffusion_lessons.__version__


def test_what_the_package_imports_is_declared(project, described):
    declared = {IMPORT_NAMES.get(n, n).replace("-", "_") for n in requirements(described, "")}
    imported = set()
    for path in (project / "diffusion_lessons").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.partition(".")[0])
    assert imported - set(sys.stdlib_module_names) - {"diffusion_lessons"} <= declared


@pytest.mark.parametrize("python", ["3.11.0", NEWEST_PYTHON])
def test_every_pin_can_be_installed_on_each_python_promised(pins, python):
    for name in pins:
        try:
            needed = metadata.metadata(name).get("Requires-Python") or ""
        except metadata.PackageNotFoundError:
            continue  # of another system, or of `make bench` alone
        if metadata.version(name) == pins[name]:
            assert SpecifierSet(needed).contains(python), f"{name} {pins[name]} needs {needed}"


def test_a_clone_by_git_for_windows_has_the_same_bytes(project, tmp_path):
    if not (project / ".git").exists():
        pytest.skip("not a clone")
    clone = ["git", "clone", "-q", "-c", "core.autocrlf=true", str(project), str(tmp_path / "c")]
    subprocess.run(clone, check=True)
    listed = json.loads((project / "data" / "checksums.json").read_text())
    changed = [n for n, sha in listed.items() if sha256(tmp_path / "c" / "data" / n) != sha]
    assert not changed, "see .gitattributes"


def test_readme_names_every_network_that_can_be_trained(project):
    text = (project / "README.md").read_text("utf-8")
    missing = {name for name in recipes.NAMES if f"`{name}`" not in text}
    assert not missing
