"""Two processes on the same files, one of them killed half-way: nothing half made, nothing lost.

`SHARED` lists every file of the course that two processes may touch. In each round two processes
write as fast as they can, one is killed at a random moment, the other has to go on, and so has a
third that comes later. `python -m tests.test_two_processes 200` kills 200 times in all.
"""

import dataclasses
import gzip
import hashlib
import io
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion_lessons import checks, quiz, workspace
from diffusion_lessons.checks import EXERCISES, kept
from diffusion_lessons.data import fashion
from diffusion_lessons.quiz import answers, questions
from diffusion_lessons.widgets import gallery
from diffusion_lessons.widgets.choose import choose
from tests.test_fashion import make_stand_in
from tests.test_my_lessons import notebook
from tools import my_lessons, setup_course

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the rounds fork")
ROUNDS = 2
Done = list[tuple[int, int]]


@dataclasses.dataclass(frozen=True)
class Shared:
    """A shared file: `begin` lays it out, process `who` does `step` number n, `examine` raises
    unless it is whole and holds the steps that were `done`."""

    begin: Callable[[Path], None]
    step: Callable[[Path, int, int], None]
    examine: Callable[[Path, Done], None]


def nothing(folder: Path) -> None:
    """The files come with the first step."""


# --- what a learner makes ---


def keep_picture(folder, who, number):
    settings = gallery.Settings(f"process {who}", "", number, 1, 1.0)
    pixels = np.full((16, 16, 3), number % 256, np.uint8)
    gallery.Gallery(folder).keep(pixels, settings)


def pictures_are_there(folder, done):
    found = gallery.Gallery(folder).pictures()
    assert len(found) == len(list(folder.glob("*.png"))), "a picture that cannot be read"
    named = [(int(one.settings.prompt[-1]), one.settings.seed) for one in found]
    assert len({*named}) == len(named) and {*done} <= {*named}


def answer(folder, who, number):
    asked = questions.fifteen()
    sheet = answers.Answers(asked, folder / answers.FILE)
    if number % 8 == 7:
        sheet.begin(missed_only=False)
    name = sheet.order[(2 * number + who) % len(sheet.order)]
    sheet.answer(name, next(iter(sheet.forms[name].options)), sure=False)
    assert sheet.notice == "", sheet.notice


def answers_are_there(folder, done):
    assert not list(folder.glob("*unread*")), "a damaged file was set aside"
    rows = json.loads((folder / answers.FILE).read_text("utf-8"))
    assert len(rows["answers"]) >= min(len({n for _, n in done}), 7)
    assert quiz.start(folder) is not None


def snr(alpha_bar):
    return alpha_bar / (1 - alpha_bar)


def keep_exercise(folder, who, number):
    assert kept.check("snr", snr).passed


def exercise_is_there(folder, done):
    kept._passed.clear()
    assert checks.yours("snr") is not EXERCISES["snr"].function


def keep_taste(folder, who, number):
    asked = choose(torch.zeros(6, 2, 3, 8, 8), ["a"] * 6, [["b", "c"]] * 6, folder=folder)
    asked.chosen = [who] * (1 + number % 6)


def taste_is_there(folder, done):
    chosen = json.loads((folder / "taste.json").read_text())["chosen"]
    assert len(chosen) in range(1, 7) and len({*chosen}) == 1


# --- lessons ---


def lay_out_lessons(folder):
    (folder / "notebooks").mkdir()
    for number in range(3):
        lesson = folder / "notebooks" / f"0{number}_lesson.ipynb"
        lesson.write_text(notebook("old"))
    my_lessons.fill()
    (folder / "my_lessons" / "02_lesson.ipynb").write_text(notebook("precious"))
    for lesson in my_lessons.lessons():
        lesson.write_text(notebook(*["new"] * 200))


def write_and_reset(folder, who, number):
    if number == 0:
        my_lessons.reset("02")  # both at once
    copy = folder / "my_lessons" / f"0{who % 2}_lesson.ipynb"
    workspace.write_whole(copy, notebook(f"by {who} {number}").encode())
    my_lessons.reset(str(who % 2))
    my_lessons.fill()


def lessons_are_there(folder, done):
    assert my_lessons.fill() == []
    for lesson in my_lessons.lessons():
        copy = folder / "my_lessons" / lesson.name
        text = json.loads(copy.read_text("utf-8"))["cells"][0]["source"]
        assert text == "new" or text.startswith("by "), text
    written = "".join(path.read_text("utf-8") for path in folder.glob("my_lessons/*.ipynb"))
    assert all(f"by {who} {n}" in written for who, n in done) and "precious" in written
    assert len(my_lessons._made_from()) == 3


# --- data and weights ---


def lay_out_packed(folder):
    datasets = fashion.load_torchvision().datasets
    raw = folder / "packed"
    fashion.FASHION_SHA256 = make_stand_in(raw, 6000, 20)
    for path in [*raw.iterdir()]:
        raw.joinpath(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in raw.iterdir()}
    datasets.FashionMNIST.resources = [*sums.items()]
    datasets.FashionMNIST.mirrors = ["http://127.0.0.1:9/"]


def unpack(folder, who, number):
    root = folder / f"data-{number}"
    raw = root / "FashionMNIST" / "raw"
    if not raw.exists():
        mine = folder / f"bring-{who}-{number}"
        shutil.copytree(folder / "packed", mine)
        raw.parent.mkdir(parents=True, exist_ok=True)
        try:
            mine.rename(raw)
        except OSError:
            shutil.rmtree(mine)
    os.environ["DIFFUSION_LESSONS_DATA"] = str(root)
    assert len(fashion.fashion_mnist("train")[0]) == 6000


def data_are_there(folder, done):
    for number in {n for _, n in done}:
        unpack(folder, 0, number)
    for root in folder.glob("data-*"):
        unpack(folder, 0, int(root.name[5:]))
        for name, expected in fashion.FASHION_SHA256.items():
            assert workspace.sha256(root / "FashionMNIST" / "raw" / name) == expected
        assert not (root / "FashionMNIST" / ".half").exists()


def keep_weights(folder, who, number):
    value = 1000 * who + number
    tensors = {"weight": torch.full((20_000,), float(value))}
    workspace.save_weights(workspace.own_path("tiny.safetensors"), tensors, {"value": value})


def weights_are_there(folder, done):
    if workspace.own_path("tiny.safetensors").exists():  # else killed in between: the course's are
        tensors, card = workspace.load_weights("tiny")
        assert (tensors["weight"] == card["value"]).all()


def keep_partial(folder, who, number):
    value = 1000 * who + number
    workspace.save_partial("tiny", {"weight": torch.full((20_000,), float(value))}, {"step": value})
    tensors, notes = workspace.load_partial("tiny")
    assert (tensors["weight"] == notes["step"]).all()


def partial_is_there(folder, done):
    tensors, notes = workspace.load_partial("tiny")
    assert (tensors["weight"] == notes["step"]).all()


# --- set-up ---


def fake_install(choice):
    """What pip does, in small: files, and INSTALLER last. Raises where another one interferes."""
    packages = setup_course.ROOT / ".venv" / "lib" / "python3" / "site-packages"
    for name in ("one", "two"):
        info = packages / f"{name}-1.dist-info"
        if not info.exists():
            info.mkdir(parents=True)
            (setup_course.ROOT / ".venv" / "tmp" / name).write_text("archive")
            (packages / f"{name}.py").write_text("whole = True\n" * 500)
            (info / "INSTALLER").write_text("pip")
            (setup_course.ROOT / ".venv" / "tmp" / name).unlink()


def lay_out_setup(folder):
    setup_course.venv_state = lambda: "good" if (setup_course.ROOT / ".venv").is_dir() else "none"
    setup_course.make_venv = lambda: (setup_course.ROOT / ".venv").mkdir(exist_ok=True)
    setup_course.install = fake_install
    setup_course.subprocess = type("NoImport", (), {"call": staticmethod(lambda *_, **__: 0)})
    setup_course.check_disk = lambda choice: None


def set_up(folder, who, number):
    setup_course.ROOT = folder / f"course-{number}"
    (setup_course.ROOT / "tools").mkdir(parents=True, exist_ok=True)
    for name in ("tools/setup_course.py", "constraints.txt", "pyproject.toml"):
        (setup_course.ROOT / name).touch()
    setup_course.setup("cpu")


def courses_are_there(folder, done):
    for root in folder.glob("course-*"):
        set_up(folder, 0, int(root.name[7:]))
        assert setup_course.is_complete("cpu") and not (root / ".venv" / "tmp").exists()
        for name in ("one", "two"):
            whole = root / ".venv" / "lib" / "python3" / "site-packages" / f"{name}.py"
            assert whole.read_text() == "whole = True\n" * 500


SHARED = {
    "gallery": Shared(nothing, keep_picture, pictures_are_there),
    "quiz": Shared(nothing, answer, answers_are_there),
    "kept exercises": Shared(nothing, keep_exercise, exercise_is_there),
    "taste": Shared(nothing, keep_taste, taste_is_there),
    "my_lessons": Shared(lay_out_lessons, write_and_reset, lessons_are_there),
    "Fashion-MNIST": Shared(lay_out_packed, unpack, data_are_there),
    "weights and card": Shared(nothing, keep_weights, weights_are_there),
    "stopped training": Shared(nothing, keep_partial, partial_is_there),
    "set-up": Shared(lay_out_setup, set_up, courses_are_there),
}


def alone(folder: Path) -> None:
    """From now on this process, a fork, has all its places in `folder`, and prints nothing."""
    sys.stdout = io.StringIO()
    workspace.own_path = (folder / "my_weights").joinpath
    fashion.data_path, kept.user_path = (folder / "data").joinpath, folder.joinpath
    my_lessons.ROOT = folder
    os.environ["JUPYTER_DATA_DIR"] = str(folder / "jupyter")


def keep_on(shared: Shared, folder: Path, who: int, told: int, most: int) -> None:
    """Take steps and tell of each when it is done."""
    alone(folder)
    for number in range(most):
        shared.step(folder, who, number)
        os.write(told, f"{who} {number}\n".encode())


def round_of(shared: Shared, chance: random.Random) -> int:
    """One round: two processes, one killed, a third one; returns how many steps were done."""
    fork = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        alone(folder)
        shared.begin(folder)
        read, told = os.pipe()
        killed = fork.Process(target=keep_on, args=(shared, folder, 0, told, 10_000))
        other = fork.Process(target=keep_on, args=(shared, folder, 1, told, 10))
        for process in (killed, other):
            process.start()
        time.sleep(chance.uniform(0, 0.08))
        os.kill(killed.pid, signal.SIGKILL)
        killed.join()
        assert killed.exitcode == -signal.SIGKILL, "it ended before it was killed"
        other.join(120)
        assert other.exitcode == 0, "the other process fell over"
        third = fork.Process(target=keep_on, args=(shared, folder, 2, told, 2))
        third.start()
        third.join(120)
        assert third.exitcode == 0, "a process that came later fell over"
        os.close(told)
        with os.fdopen(read) as lines:
            done = [tuple(map(int, line.split())) for line in lines]
        shared.examine(folder, done)
        return len(done)


def rounds(name: str, number: int, seed: int) -> int:
    """So many rounds with one of SHARED, in a process of its own; returns the steps done."""
    read, told = os.pipe()

    def work():
        chance = random.Random(seed)
        os.write(told, str(sum(round_of(SHARED[name], chance) for _ in range(number))).encode())

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    os.close(told)
    with os.fdopen(read) as said:
        assert process.exitcode == 0, f"{name}: see above"
        return int(said.read())


@pytest.mark.parametrize("name", SHARED)
def test_a_kill_half_way_leaves_nothing_half_made_and_loses_nothing(name):
    assert rounds(name, ROUNDS, seed=sum(map(ord, name))) >= 12 * ROUNDS


def main(kills: int) -> None:
    """Kill so many processes, as many with each of SHARED."""
    for name, each in zip(SHARED, count(0)):
        number = kills // len(SHARED) + (each < kills % len(SHARED))
        begin = time.monotonic()
        steps = rounds(name, number, seed=each)
        print(f"{name:<20} {number} killed, {steps} steps done, {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]))
