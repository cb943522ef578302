"""A wheel built from the project carries what it needs, and works far away from the project."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

LEFT_OUT = shutil.ignore_patterns(".venv", ".git", "__pycache__", "*_cache", "notebooks", "tests")
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
"""


@pytest.fixture(scope="module")
def wheel(project, tmp_path_factory):
    """The wheel of a copy of the project into whose data/ a learner has put files of their own."""
    copy = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(project, copy, ignore=LEFT_OUT)
    for own in ("FashionMNIST/raw/train-images", "weights/.half.safetensors.tmp", "my photo.png"):
        (copy / "data" / own).parent.mkdir(parents=True, exist_ok=True)
        (copy / "data" / own).write_bytes(b"mine")
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=copy, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_what_is_shipped_and_nothing_of_the_learner_and_is_small(wheel, project):
    names = zipfile.ZipFile(wheel).namelist()
    inside = {n.removeprefix("diffusion_lessons/shipped/") for n in names if "/shipped/" in n}
    listed = json.loads((project / "data" / "checksums.json").read_text())
    assert inside == {"README.md", "checksums.json", *listed}
    for path in (project / "diffusion_lessons" / "static").iterdir():
        assert f"diffusion_lessons/static/{path.name}" in names
    assert {name.rpartition("/")[2] for name in names} >= {"LICENSE", "LICENSE-CONTENT"}
    assert wheel.stat().st_size < 40_000_000  # in a hosted notebook it is downloaded each time


def test_the_installed_package_works_from_an_empty_folder(wheel, tmp_path):
    target, empty = tmp_path / "target", tmp_path / "empty"
    empty.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True, cwd=empty)
    environment = dict(os.environ, PYTHONPATH=str(target))
    ended = subprocess.run(
        [sys.executable, "-c", TRIAL], cwd=empty, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    where, readme, states, shape, painted = ended.stdout.splitlines()
    assert painted.startswith("[<PIL.Image.Image") and "64x64" in painted
    assert where.startswith(str(target))
    assert (readme, states, shape) == ("True", "ok ok", "(2, 3, 64, 64)")
