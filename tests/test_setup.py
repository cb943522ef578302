"""`make setup` and `make lab`: nothing twice, interruptions mended, failures in sentences."""

import ast
import contextlib
import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest
from jupyter_server.serverapp import ServerApp

from tools import setup_course as tool

Disk = namedtuple("Disk", "total used free")
PINS = "# pins\nnumpy==2.4.6\ntorch==2.15.0\ntorchvision==0.29.2\n"
TOOL = Path(tool.__file__)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course whose folder has a space and an umlaut in its name, with nothing installed."""
    root = tmp_path / "Kurs für alle"
    (root / "tools").mkdir(parents=True)
    shutil.copy(TOOL, root / "tools")
    (root / "constraints.txt").write_text(PINS)
    (root / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(tool, "ROOT", root)
    return root


@pytest.fixture
def installs(course, monkeypatch):
    """What would be installed, call by call; the venv is made without doing so."""
    calls = []
    monkeypatch.setattr(tool, "make_venv", lambda: (tool.ROOT / ".venv").mkdir(exist_ok=True))
    monkeypatch.setattr(tool.shutil, "disk_usage", lambda _: Disk(0, 0, 99 * tool.GIGABYTE))
    monkeypatch.setattr(tool, "venv_state", lambda: "good")
    monkeypatch.setattr(tool, "run_installer", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(tool.subprocess, "call", lambda *_, **__: 0)
    return calls


def wheels(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}-cp311-cp311-linux_x86_64.whl").touch()
    return folder


# --- nothing twice ---


def test_a_change_installs_again_and_nothing_else_does(course, installs, monkeypatch):
    tool.setup("")
    for _ in range(2):
        tool.setup("")
        assert len(installs) == 2
    for number, name in ((4, "constraints.txt"), (6, "pyproject.toml")):
        with open(course / name, "a") as file:
            file.write("# changed\n")
        tool.setup("")
        assert len(installs) == number
    monkeypatch.setattr(tool, "ROOT", course.rename(course.with_name("moved")))
    tool.setup("")
    assert len(installs) == 8


def test_the_choice_of_torch_is_remembered_and_can_be_changed(installs):
    tool.setup("cpu")
    assert [call[:2] for call in installs] == [("pip", "install"), ("uv", "pip")]
    tool.setup("")
    assert len(installs) == 2
    tool.setup("default")
    assert installs[2][:2] == ("pip", "uninstall")
    assert len(installs) == 5


# --- interrupted ---


def in_another_process(course, code):
    """Python code that has the tool as `tool`, started in another process."""
    head = (
        f"import sys; sys.path.insert(0, {str(course / 'tools')!r})\nimport setup_course as tool\n"
    )
    return subprocess.Popen([sys.executable, "-c", head + code], stdout=subprocess.PIPE, text=True)


def test_of_two_set_ups_at_once_the_second_waits_and_finds_everything_done(course):
    code = (
        "import shutil, time\n"
        "tool.make_venv = lambda: (tool.ROOT / '.venv').mkdir(exist_ok=True)\n"
        "tool.venv_state, tool.check_disk = (lambda: 'good'), (lambda choice: None)\n"
        "tool.FIRST_IMPORT, tool.venv_python = '', lambda: sys.executable\n"
        "def install(choice):\n"
        "    print('installs', flush=True)\n"
        "    open(tool.ROOT / 'begun', 'w').close()\n"
        "    while not (tool.ROOT / 'go on').exists(): time.sleep(0.01)\n"
        "    assert (tool.ROOT / '.venv' / 'tmp').is_dir(), 'somebody cleared it'\n"
        "tool.install = install\n"
        "tool.setup('cpu')\n"
    )
    first = in_another_process(course, code)
    while not (course / "begun").exists():
        assert first.poll() is None
    second = in_another_process(course, code)
    lines = iter(second.stdout.readline, "")
    assert any("waiting for it" in line for line in lines)
    (course / "go on").touch()
    said = [first.communicate()[0], second.communicate()[0]]
    assert first.returncode == second.returncode == 0
    assert "installs" in said[0] and said[1] == "The course is set up (.venv).\n"


def test_what_a_killed_set_up_has_started_still_keeps_the_next_one_waiting(course):
    """The lock goes on to pip, which a kill of the set-up does not reach."""
    (course / ".venv").mkdir()
    waits = "import sys; print('runs', flush=True); sys.stdin.read()"
    code = (
        f"tool.venv_python = lambda: {sys.executable!r}\n"
        "file = open(tool.ROOT / 'tools' / 'setup_course.py', 'r+b')\n"
        "tool.lock(file)\n"
        f"tool.subprocess.call([sys.executable, '-c', {waits!r}], close_fds=False)\n"
    )
    head = (
        f"import sys; sys.path.insert(0, {str(course / 'tools')!r})\nimport setup_course as tool\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    killed = subprocess.Popen([sys.executable, "-c", head + code], **pipes)
    assert killed.stdout.readline() == "runs\n"
    killed.kill()
    killed.wait()
    with open(course / "tools" / "setup_course.py", "r+b") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        killed.stdin.close()  # what it started ends
        tool.lock(file)


def test_an_interruption_is_explained_leaves_no_stamp_and_keeps_the_choice(
    installs, monkeypatch, capsys
):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tool, "run_installer", interrupted)
        patch.setattr(sys, "argv", ["setup_course.py", "setup", "--torch", "cpu"])
        assert tool.main() == 130
    assert "run the same command again" in capsys.readouterr().err
    tool.setup("")
    assert [call[0] for call in installs] == ["pip", "uv"]


def test_half_installed_packages_are_removed_and_whole_ones_stay(course):
    packages = course / ".venv" / "lib" / "python3.11" / "site-packages"
    for name in ("whole-1.dist-info", "torn-1.dist-info", "~orn"):
        (packages / name).mkdir(parents=True)
        (packages / name / "METADATA").touch()
    (packages / "whole-1.dist-info" / "INSTALLER").touch()
    tool.clear_half_installed()
    assert [path.name for path in packages.iterdir()] == ["whole-1.dist-info"]


def test_a_half_made_venv_is_mended_and_a_broken_one_is_noticed(course):
    venv = course / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (venv / "mine.txt").touch()
    assert tool.venv_state() == "no pip"
    tool.make_venv()
    assert tool.venv_state() == "good"
    assert (venv / "mine.txt").exists()  # what was already there is kept
    tool.venv_python().unlink()
    tool.venv_python().write_text("not a program")
    tool.venv_python().chmod(0o755)
    assert tool.venv_state() == "unusable"


# --- what goes wrong, in sentences ---


@pytest.mark.parametrize("version", [(3, 6, 1), (3, 10, 9), (3, 15, 0)])
def test_a_python_that_does_not_fit(version, monkeypatch):
    for found, advice in ((None, "Install Python 3.12"), ("python3.11", "lab PYTHON=python3.11")):
        monkeypatch.setattr(tool, "runs", lambda name, found=found: name == found)
        with pytest.raises(tool.Stop) as reason:
            tool.check_python(version)
        words = (f"Python 3.{version[1]}, and", "from 3.11 to 3.14", advice)
        assert all(part in str(reason.value) for part in words)


def test_an_old_python_can_read_the_tool_well_enough_to_say_so():
    ast.parse(TOOL.read_text(), feature_version=(3, 6))


def test_a_disk_that_is_too_small_unless_most_is_installed_already(course, monkeypatch):
    monkeypatch.setattr(tool.shutil, "disk_usage", lambda _: Disk(0, 0, 2 * tool.GIGABYTE))
    with pytest.raises(tool.Stop, match="2.0 GB are free"):
        tool.check_disk("default")
    (course / ".venv").mkdir()
    with open(course / ".venv" / "big", "wb") as file:
        file.truncate(8 * tool.GIGABYTE)  # a hole, it takes no room
    tool.check_disk("default")


def test_a_folder_that_may_not_be_written_to(read_only_folder, monkeypatch):
    monkeypatch.setattr(tool, "ROOT", read_only_folder)
    with pytest.raises(tool.Stop, match="may not write there.*\nWhat to do: copy the course"):
        tool.check_writable()


def test_a_home_that_cannot_be_written_to_is_replaced(read_only_folder, monkeypatch, capsys):
    with tempfile.TemporaryDirectory() as root:
        place = Path(root, "my_lessons", ".home")
        place.parent.mkdir()
        monkeypatch.setattr(tool, "ROOT", Path(root))
        monkeypatch.setenv("HOME", root)
        assert tool.another_home() == {} and capsys.readouterr().out == "" and not place.exists()
        for home in (read_only_folder, read_only_folder / "missing"):
            monkeypatch.setenv("HOME", str(home))
            assert tool.another_home() == {"HOME": str(place)} and place.is_dir()
            printed = capsys.readouterr().out
            assert str(home) in printed and str(place) in printed


def test_a_port_in_use_names_the_next_one():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(tool.Stop, match=f"Port {port} is .*\n.*make lab PORT={port + 1}"):
            tool.check_port(port)
    tool.check_port(port)  # free again


def test_of_two_labs_on_one_port_in_the_same_moment_the_second_gets_the_sentence(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with contextlib.ExitStack() as first:
        monkeypatch.setattr(tool.subprocess, "call", lambda *_, **__: 0)
        monkeypatch.setattr(tool, "another_home", dict)
        monkeypatch.setattr(tool.signal, "signal", lambda *_: None)
        real = subprocess.Popen
        monkeypatch.setattr(
            tool.subprocess, "Popen", lambda command, **k: ended(first, port, real, k)
        )
        with pytest.raises(tool.Stop, match=f"Port {port} is already in use"):
            tool.lab(port)


def ended(first, port, start, options):
    """A JupyterLab that found its port taken between the look and its start."""
    first.enter_context(socket.create_server(("127.0.0.1", port)))
    return start([sys.executable, "-c", "raise SystemExit(1)"], **options)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("NewConnectionError: Failed to establish a new connection", "no way to the package"),
        ("ReadTimeoutError: HTTPSConnectionPool", "no way to the package"),
        ("OSError: [Errno 13] Permission denied: '.venv/lib'", "may not write"),
        ("ERROR: No matching distribution found for torch", "not found"),
        ("error: Failed to fetch: `https://...` 403 Forbidden", "or through a firewall"),
        ("", "what follows speaks of a connection"),
    ],
)
def test_the_reason_of_a_failure(course, monkeypatch, log, words):
    reason = tool.reason_of_failure(log)
    assert words in reason and "What to do: " in reason
    monkeypatch.setattr(tool.shutil, "disk_usage", lambda _: Disk(0, 0, 1000))
    assert "disk is full" in tool.reason_of_failure(log)  # also where the log is cut off


def test_of_a_failure_the_log_is_named_and_its_end_shown_and_little_else(
    course, monkeypatch, capsys
):
    (course / ".venv" / "tmp").mkdir(parents=True)
    code = "import sys\nfor i in range(500): print('Collecting', i)\nsys.exit('ERROR: it broke')"
    (course / "noisy.py").write_text(code)
    monkeypatch.setattr(tool, "venv_python", lambda: Path(sys.executable))
    with pytest.raises(tool.Stop) as reason:
        tool.run_installer("noisy")
    said = str(reason.value)
    log = course / ".venv" / "course-setup.log"
    assert str(log) in said and "ERROR: it broke" in said and "What to do: " in said
    assert len(said.splitlines()) <= 9 and len(log.read_text().splitlines()) == 501
    assert capsys.readouterr().out == ""


def test_the_end_of_a_log_is_shown_without_times_and_empty_lines(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "2026-11-29T08:20:57,123 Collecting a\n\n2026-11-29T08:20:57,124   Collecting b\n\n"
    )
    assert tool.last_lines(log, 1) == "  Collecting b"
    assert tool.last_lines(log, 9) == "  Collecting a\n  Collecting b"


def test_without_a_network_the_real_command_says_so(course):
    environment = {name: v for name, v in os.environ.items() if not name.startswith("PIP_")}
    environment.update(PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0")
    environment.update(PIP_CONFIG_FILE=os.devnull)
    ended = subprocess.run(
        [sys.executable, str(course / "tools" / TOOL.name), "setup", "--torch", "cpu"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert tool.NO_NETWORK in ended.stderr and "course-setup.log" in ended.stderr
    assert len((ended.stdout + ended.stderr).splitlines()) <= 25, "a screenful"
    assert "Traceback" not in ended.stderr
    assert not (course / ".venv" / "course-stamp.txt").exists()


def test_make_says_what_to_do_without_python(project):
    if not shutil.which("make"):
        pytest.skip("there is no make here")
    ended = subprocess.run(
        ["make", "setup", "PYTHON=no-such-python"], cwd=project, capture_output=True, text=True
    )
    assert ended.returncode != 0
    assert "no program called no-such-python" in ended.stdout
    assert "What to do: install Python" in ended.stdout


def test_advice_fits_the_system_and_no_other_place_of_the_code_knows_make(project):
    assert tool.line("lab", windows=False, port=8889) == "make lab PORT=8889"
    assert tool.line("lab", windows=True, port=8889) == (
        r"py -3.12 tools\setup_course.py lab --port 8889"
    )
    python = tool.line("lab", windows=True, python="py -3.13")
    assert python == r"py -3.13 tools\setup_course.py lab"
    with_make = re.compile(r"\bmake (lab|setup|reset|disk)\b")
    allowed = {("doctor.py", "make setup")}  # where it says the other line for Windows itself
    for path in [*(project / "diffusion_lessons").rglob("*.py"), *project.glob("tools/*course.py")]:
        tree = ast.parse(path.read_text("utf-8"))
        told = {ast.get_docstring(node, False) for node in ast.walk(tree) if has_docstring(node)}
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) else ""
            if isinstance(text, str) and text not in told and with_make.search(text):
                assert (path.name, text) in allowed, f"{path.name}: Windows has no make: {text}"


def has_docstring(node):
    return isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)


def test_a_sign_of_a_python_that_does_not_run_is_not_recommended(tmp_path, monkeypatch):
    sign = tmp_path / "python3.13"
    sign.write_text("#!/bin/sh\nexit 127\n")
    sign.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert shutil.which("python3.13") == str(sign) and not tool.runs("python3.13")
    assert tool.runs(sys.executable) and not tool.runs("no-such-python")


def test_too_little_room_never_reads_as_enough(course, monkeypatch):
    for free in (2.46, 2.49, 2.499):
        disk = Disk(0, 0, free * tool.GIGABYTE)
        monkeypatch.setattr(tool.shutil, "disk_usage", lambda _, disk=disk: disk)
        with pytest.raises(tool.Stop, match="2.4 GB are free, setting up takes about 2.5 GB"):
            tool.check_disk("cpu")


def test_in_a_codespace_the_page_may_ask_and_its_address_has_the_token(monkeypatch):
    monkeypatch.delenv("CODESPACE_NAME", raising=False)
    assert tool.forwarded(8888) == []
    monkeypatch.setenv("CODESPACE_NAME", "fuzzy-owl")
    monkeypatch.setenv("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN", "app.github.dev")
    app = ServerApp()
    app.parse_command_line([*tool.forwarded(8888), "--IdentityProvider.token=abc"])
    assert app.allow_origin == "https://fuzzy-owl-8888.app.github.dev"
    app.init_configurables()
    assert app.display_url.startswith(f"{app.allow_origin}/lab/tree/my_lessons/00_start_here.ipynb")
    assert "token=" in app.display_url and not app.use_redirect_file


# --- which torch ---


def test_a_folder_of_wheels_brings_its_own_torch(course, installs):
    folder = wheels(course / "my wheels", "torch-2.13.0+cpu", "torchvision-0.28.0+cpu")
    tool.setup(str(folder))
    pins = (course / ".venv" / "course-constraints.txt").read_text().splitlines()
    assert pins[1:] == ["numpy==2.4.6", "torch==2.13.0+cpu", "torchvision==0.28.0+cpu"]
    assert all(call[2:4] == ("--find-links", str(folder)) for call in installs)
    assert all("--no-index" not in call for call in installs)


def test_a_folder_with_everything_needs_no_network_and_lacks_are_announced(
    course, installs, capsys
):
    tool.setup(str(wheels(course / "all", "torch-2.15.0", "hatchling-1.33.0")))
    assert all("--no-index" in call for call in installs)
    assert "no torchvision" in capsys.readouterr().out


@pytest.mark.parametrize("names", [(), ("torch-2.13.0", "torch-2.15.0"), ("torchvision-0.28.0",)])
def test_a_choice_without_exactly_one_torch_is_refused(course, names):
    for choice in ("cpuu", str(wheels(course / "wheels", *names))):
        words = f"TORCH={re.escape(choice)} is neither .*one version of torch .*\nWhat to do: "
        with pytest.raises(tool.Stop, match=words):
            tool.torch_choice(choice)


@pytest.mark.parametrize("card", [False, True])
def test_the_big_download_is_announced_before_it_starts(course, monkeypatch, capsys, card):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(tool, "has_graphics_card", lambda: card)
    tool.announce("default")
    printed = capsys.readouterr().out
    assert "about 3 GB" in printed and "make lab TORCH=cpu" in printed
    assert ("no graphics card" in printed) is not card
    tool.announce("cpu")
    assert "3 GB" not in capsys.readouterr().out
