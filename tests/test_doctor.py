"""The doctor: a fault of each kind is found, said in a sentence, and comes with its fix."""

import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
import torch

from diffusion_lessons import __main__ as command_line
from diffusion_lessons import doctor, workspace


def test_a_healthy_machine_gets_one_finding_per_check():
    findings = doctor.report()
    assert [finding.name for finding in findings] == [
        "Python",
        "torch",
        "device",
        "widgets",
        "torchvision",
        "memory",
        "files",
        "speed",
    ]
    assert all(finding.state in ("ok", "note", "fault") for finding in findings)
    assert all(bool(finding.fix) == (finding.state != "ok") for finding in findings)


def expect(finding, state, *words):
    assert finding.state == state
    assert finding.fix
    for word in words:
        assert word in finding.text + finding.fix


def test_old_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr("platform.python_version", lambda: "3.9.2")
    expect(doctor.examine("Python"), "fault", "Python 3.9.2 is too old", "PYTHON=")


def test_old_torch(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    expect(doctor.examine("torch"), "fault", "2.5.1+cpu", "too old", "make setup")


@pytest.mark.parametrize(("threads", "words"), [(1, "1 thread"), (2, "2 threads")])
def test_threads_are_counted_in_english(monkeypatch, threads, words):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert doctor.examine("torch").text.endswith(f", {words}")


def test_torch_that_does_not_load(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    findings = doctor.report()
    expect(findings[1], "fault", "torch does not load", "make setup")
    assert [finding.name for finding in findings] == ["Python", "torch", "widgets", "memory"]


def test_a_device_that_does_not_work(monkeypatch):
    monkeypatch.setattr(workspace, "pick_device", lambda: torch.device("cuda"))

    def broken(*_, **__):
        raise RuntimeError("CUDA error: no kernel image is available\nlong story")

    monkeypatch.setattr(torch, "ones", broken)
    finding = doctor.examine("device")
    expect(finding, "fault", "cuda", "no kernel image", "CUDA_VISIBLE_DEVICES")
    assert "long story" not in finding.text


def test_a_device_that_multiplies_wrongly(monkeypatch):
    monkeypatch.setattr(torch, "ones", torch.zeros)
    expect(doctor.examine("device"), "fault", "multiplies wrongly")


def test_no_widgets(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    expect(doctor.examine("widgets"), "fault", "sliders", "make setup")


def test_widgets_without_their_page_code(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "__file__", str(tmp_path / "doctor.py"))
    expect(doctor.examine("widgets"), "fault", "static")


@pytest.fixture
def no_torchvision_yet(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)


def test_a_mismatched_pair_is_a_note_and_says_how_to_mend_it(
    no_torchvision_yet, monkeypatch, tmp_path
):
    fake = tmp_path / "torchvision"
    fake.mkdir()
    message = "operator torchvision::nms does not exist"
    (fake / "__init__.py").write_text(f"raise RuntimeError({message!r})\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    finding = doctor.examine("torchvision")
    expect(finding, "note", message, "postcards", "Fashion-MNIST", "same place", "make setup")


def test_a_missing_torchvision_is_a_note(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    expect(doctor.examine("torchvision"), "note", "postcards")


@pytest.mark.parametrize(("free", "state"), [(8.0, "ok"), (1.2, "note"), (0.3, "fault")])
def test_memory(monkeypatch, free, state):
    memory = SimpleNamespace(available=free * 1024**3)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    finding = doctor.examine("memory")
    assert finding.state == state
    assert f"{free:.1f} GB" in finding.text


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace, "data_path", lambda *parts: tmp_path.joinpath(*parts))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "tiny.json").write_text("{}")
    workspace.write_checksums(tmp_path)
    return tmp_path


def test_whole_files(data):
    assert doctor.examine("files").state == "ok"


def test_a_missing_and_a_damaged_file(data):
    (data / "weights" / "tiny.json").write_text("{ }")
    expect(doctor.examine("files"), "fault", "tiny.json is damaged", "download the course again")
    (data / "weights" / "tiny.json").unlink()
    expect(doctor.examine("files"), "fault", "tiny.json is missing", "download the course again")


def test_a_network_that_gives_nonsense(monkeypatch):
    monkeypatch.setattr(torch.nn.SiLU, "forward", lambda self, x: x * float("nan"))
    expect(doctor.examine("speed"), "fault", "not finite")


def test_a_check_that_fails_itself_becomes_a_finding(monkeypatch):
    def moon():
        raise KeyError("dark")

    monkeypatch.setitem(doctor.CHECKS, "moon", (moon, "wait a fortnight"))
    expect(doctor.examine("moon"), "fault", "could not be examined", "KeyError")


@pytest.mark.parametrize(
    ("states", "code", "last"),
    [(("ok", "note"), 0, "every lesson can run"), (("note", "fault"), 1, "cannot run yet")],
)
def test_the_exit_code_says_if_a_lesson_could_not_run(monkeypatch, capsys, states, code, last):
    findings = [
        doctor.Finding("it", state, f"text {n}", f"fix {n}") for n, state in enumerate(states)
    ]
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
