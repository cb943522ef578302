"""The doctor: a fault of each kind is found, said in a sentence, and comes with its fix."""

import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
import torch

from diffusion_lessons import __main__ as command_line
from diffusion_lessons import doctor, workspace


@pytest.mark.parametrize("kernel", [None, "a notebook's, which keeps what it loads"])
def test_a_machine_gets_one_finding_per_check(kernel, monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: kernel)
    findings = doctor.report()
    names = "Python torch device widgets torchvision memory files speed".split()
    assert [finding.name for finding in findings] == [
        n for n in names if n != "torchvision" or not kernel
    ]
    assert all(finding.state in ("ok", "note", "fault") for finding in findings)
    assert all(bool(finding.fix) == (finding.state != "ok") for finding in findings)


def broken(*_, **__):
    raise RuntimeError("CUDA error: no kernel image is available\nlong story")


def free(gigabytes):
    return lambda: SimpleNamespace(available=gigabytes * 1024**3)


def moon():
    raise KeyError("dark")


CUDA = (workspace, "pick_device", lambda: torch.device("cuda"))
AILMENTS = {
    "old Python": (
        "Python", [(sys, "version_info", (3, 9, 2)), ("platform.python_version", lambda: "3.9.2")],
        "fault", "Python 3.9.2 is too old", "with it (README)",
    ),
    "old torch": (
        "torch", [(torch, "__version__", "2.5.1+cpu")],
        "fault", "2.5.1+cpu", "too old", "make setup",
    ),
    "broken device": (
        "device", [CUDA, (torch, "ones", broken)],
        "fault", "cuda", "no kernel image", "CUDA_VISIBLE_DEVICES",
    ),
    "wrong device": (
        "device", [(torch, "ones", torch.zeros)], "fault", "multiplies wrongly", "driver",
    ),
    "no page code": (
        "widgets", [(doctor, "__file__", "/nowhere/doctor.py")], "fault", "static", "README",
    ),
    "enough memory": ("memory", [(psutil, "virtual_memory", free(8.0))], "ok", "8.0 GB"),
    "little memory": ("memory", [(psutil, "virtual_memory", free(1.2))], "note", "1.2 GB", "close"),
    "no memory": ("memory", [(psutil, "virtual_memory", free(0.3))], "fault", "0.3 GB", "close"),
    "nonsense": (
        "speed", [(torch.nn.SiLU, "forward", lambda self, x: x * float("nan"))],
        "fault", "not finite", "make setup",
    ),
    "a check that fails itself": (
        "memory", [(psutil, "virtual_memory", moon)],
        "fault", "could not be examined", "KeyError", "dark", "make setup",
    ),
}  # fmt: skip


def expect(finding, state, *words):
    assert finding.state == state and bool(finding.fix) == (state != "ok")
    assert all(part in finding.text + finding.fix for part in words), finding
    assert "long story" not in finding.text


@pytest.mark.parametrize("ailment", AILMENTS.values(), ids=AILMENTS)
def test_what_ails_a_machine_is_found(monkeypatch, ailment):
    name, changes, state, *words = ailment
    for change in changes:
        monkeypatch.setattr(*change)
    expect(doctor.examine(name), state, *words)


@pytest.mark.parametrize(("threads", "words"), [(1, "1 thread"), (2, "2 threads")])
def test_threads_are_counted_in_english(monkeypatch, threads, words):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert doctor.examine("torch").text.endswith(f", {words}")


def test_torch_that_does_not_load(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    findings = doctor.report()
    expect(findings[1], "fault", "torch does not load", "make setup")
    assert [finding.name for finding in findings] == ["Python", "torch", "widgets", "memory"]


def test_no_widgets(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    expect(doctor.examine("widgets"), "fault", "sliders", "make setup")


def test_whole_missing_and_damaged_files(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace, "data_path", tmp_path.joinpath)
    card = tmp_path / "weights" / "tiny.json"
    card.parent.mkdir()
    card.write_text("{}")
    workspace.write_checksums(tmp_path)
    expect(doctor.examine("files"), "ok", "all 1 files")
    card.write_text("{ }")
    expect(doctor.examine("files"), "fault", "tiny.json is damaged", "download the course again")
    card.unlink()
    expect(doctor.examine("files"), "fault", "tiny.json is missing", "download the course again")


@pytest.mark.parametrize(
    ("states", "code", "last"),
    [(("ok", "note"), 0, "every lesson can run"), (("note", "fault"), 1, "cannot run yet")],
)
def test_the_exit_code_says_if_a_lesson_could_not_run(monkeypatch, capsys, states, code, last):
    findings = [doctor.Finding("it", state, f"see {state}", f"fix {state}") for state in states]
    monkeypatch.setattr(doctor, "report", lambda: findings)
    assert command_line.main(["doctor"]) == code
    printed = capsys.readouterr().out
    assert last in printed.splitlines()[-1]
    for finding in findings:
        assert finding.text in printed and f"What to do: {finding.fix}." in printed


def test_the_doctor_stays_well_where_torch_is_torn(tmp_path, project):
    (tmp_path / "torch.py").write_text("raise OSError('libtorch_cpu.so: file too short')\n")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(project)!r}]\n"
    code += "from diffusion_lessons.__main__ import main; sys.exit(main(['doctor']))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "libtorch_cpu.so: file too short" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


def test_training_something_unknown_names_the_recipes(monkeypatch, capsys):
    recipes = SimpleNamespace(NAMES=("recogniser", "judge"), train=lambda name: print("made", name))
    monkeypatch.setattr("diffusion_lessons.recipes", recipes, raising=False)
    monkeypatch.setitem(sys.modules, "diffusion_lessons.recipes", recipes)
    assert command_line.main(["train", "juge"]) == 2
    assert "'juge' has no recipe. These have one: recogniser, judge." in capsys.readouterr().err
    assert command_line.main(["train", "judge"]) == 0
    assert "made judge" in capsys.readouterr().out
