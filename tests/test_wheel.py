"""A wheel built from the project carries what it needs, and works far away from the project."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from jupyterlab_server.config import get_federated_extensions

LEFT_OUT = shutil.ignore_patterns(".venv", ".git", "__pycache__", "*_cache", "tests")
TRIAL = """
import diffusion_lessons
from diffusion_lessons import doctor, workspace
print(diffusion_lessons.__file__)
print(workspace.data_path("README.md").is_file())
print(*(doctor.examine(name).state for name in ('files', 'widgets')))
from diffusion_lessons import postcards
print(tuple(postcards.draw(postcards.sample_scenes(2, seed=0)).shape))
from diffusion_lessons.pipeline import TextToImage
print(TextToImage.from_pretrained("postcards")("a red house on snow", num_inference_steps=2).images)
print(doctor.SET_UP)
"""


@pytest.fixture(scope="module")
def wheels(project, tmp_path_factory):
    """The wheels, whole and of an editable install, of a copy of the project into whose data/ a
    learner has put files of their own."""
    copy = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(project, copy, ignore=LEFT_OUT)
    for own in ("FashionMNIST/raw/train-images", "weights/.half.safetensors.tmp", "my photo.png"):
        (copy / "data" / own).parent.mkdir(parents=True, exist_ok=True)
        (copy / "data" / own).write_bytes(b"mine")
    folder = tmp_path_factory.mktemp("dist")
    for kind in ("standard", "editable"):
        build = [sys.executable, "-m", "hatchling", "build", "-t", f"wheel:{kind}", "-d"]
        subprocess.run([*build, str(folder / kind)], cwd=copy, check=True, capture_output=True)
    return {path.parent.name: path for path in folder.glob("*/*.whl")}


@pytest.fixture(scope="module")
def wheel(wheels):
    """The wheel that is shipped."""
    return wheels["standard"]


@pytest.mark.parametrize("kind", ["standard", "editable"])
def test_jupyterlab_finds_what_shows_the_picture_of_a_widget_however_it_was_installed(kind, wheels):
    inside = ".data/data/share/jupyter/labextensions/diffusion-lessons/"
    names = [name.partition(inside)[2] for name in zipfile.ZipFile(wheels[kind]).namelist()]
    assert {name for name in names if name} == {"package.json", "static/asleep.js"}


def test_the_wheel_holds_what_is_shipped_and_nothing_of_the_learner_and_is_small(wheel, project):
    names = zipfile.ZipFile(wheel).namelist()
    inside = {n.removeprefix("diffusion_lessons/shipped/") for n in names if "/shipped/" in n}
    listed = json.loads((project / "data" / "checksums.json").read_text())
    lessons = {path.name for path in (project / "notebooks").glob("*.ipynb")}
    beside = {"tools/my_lessons.py", *(f"notebooks/{name}" for name in lessons)}
    assert inside == {"README.md", "checksums.json", *listed, *beside}
    for path in (project / "diffusion_lessons" / "static").iterdir():
        assert f"diffusion_lessons/static/{path.name}" in names
    assert {name.rpartition("/")[2] for name in names} >= {"LICENSE", "LICENSE-CONTENT"}
    assert wheel.stat().st_size < 90_000_000  # in a hosted notebook it is downloaded each time


def test_the_installed_package_works_from_an_empty_folder_and_brings_the_lessons(
    wheel, tmp_path, project
):
    target, empty = tmp_path / "target", tmp_path / "empty"
    empty.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True, cwd=empty)
    environment = dict(os.environ, PYTHONPATH=str(target))
    ended = subprocess.run(
        [sys.executable, "-c", TRIAL], cwd=empty, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    where, readme, states, shape, painted, advice = ended.stdout.splitlines()
    (ours,) = get_federated_extensions([str(target / "share/jupyter/labextensions")]).values()
    script = Path(ours["ext_path"], ours["jupyterlab"]["_build"]["load"])
    assert ours["name"] == "diffusion-lessons" and "activate" in script.read_text("utf-8")
    assert painted.startswith("[<PIL.Image.Image") and "64x64" in painted
    assert where.startswith(str(target)) and "pip install" in advice and "make" not in advice
    for _ in range(2):  # the second time there is nothing to do
        bring = [sys.executable, "-m", "diffusion_lessons", "lessons", "my course"]
        subprocess.run(bring, cwd=empty, env=environment, check=True)
    brought = {path.name for path in (empty / "my course").glob("*.ipynb")}
    assert brought == {path.name for path in (project / "notebooks").glob("*.ipynb")}
    assert (readme, states, shape) == ("True", "ok ok", "(2, 3, 64, 64)")
