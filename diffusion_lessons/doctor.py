"""Is this machine ready? One finding per thing that a lesson needs, in a sentence with the fix.

`python -m diffusion_lessons doctor` prints it, and `00_start_here` shows it. At the top only the
standard library is imported: the doctor must stay well where the patient is not.
"""

from __future__ import annotations

import importlib
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_SETUP = r"py -3.12 tools\setup_course.py setup" if sys.platform == "win32" else "make setup"
_AGAIN = f"remove the folder .venv and run:  {_SETUP}"
IN_CLONE = (Path(__file__).parents[1] / "pyproject.toml").is_file()
SET_UP = _AGAIN if IN_CLONE else "pip install the course again, and start the kernel anew"


@dataclass(frozen=True)
class Finding:
    """What the doctor found: `state` is "ok", "note" or "fault"; `fix` is empty if it is "ok"."""

    name: str
    state: str
    text: str
    fix: str = ""


class Fault(Exception):
    """What keeps a lesson from running. What follows " Fix: " goes before the fix of CHECKS."""


class Note(Fault):
    """What is missing, and every lesson still runs."""


def python() -> str:
    """Examine Python: 3.11 or newer."""
    if tuple(sys.version_info[:2]) < (3, 11):
        raise Fault(
            f"Python {platform.python_version()} is too old, the course needs 3.11 or newer"
        )
    return f"Python {platform.python_version()} on {platform.system()}"


def torch_loads() -> str:
    """Examine torch: it loads, and is 2.6 or newer."""
    try:
        torch = importlib.import_module("torch")
    except Exception as error:  # a torn installation fails in many ways
        raise Fault(f"torch does not load ({first_line(error)})") from error
    threads = torch.get_num_threads()
    found = f"torch {torch.__version__}, {threads} thread{'' if threads == 1 else 's'}"
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        raise Fault(f"{found}: too old, the course needs 2.6")
    return found


def device() -> str:
    """Examine the device that `workspace.start` picks: it can multiply."""
    import torch

    from . import workspace

    picked = workspace.pick_device()
    words = {"cpu": "the processor (cpu)", "cuda": "a graphics card (cuda)", "mps": "Apple's mps"}
    try:
        ones = torch.ones(8, 8, device=picked)
        wrong = "" if (ones @ ones).sum().item() == 512 else "it multiplies wrongly"
    except Exception as error:  # drivers fail in many ways, and the doctor must live to tell
        wrong = first_line(error)
    if wrong:
        raise Fault(f"{words[picked.type]} is there and does not work ({wrong})")
    return f"lessons run on {words[picked.type]}"


def widgets() -> str:
    """Examine the packages that draw sliders, and the course's own page code."""
    try:
        packages = {name: importlib.import_module(name) for name in ("anywidget", "ipywidgets")}
    except ImportError as error:
        raise Fault(f"sliders cannot be drawn ({error})") from error
    if not list(Path(__file__).parent.glob("static/*.js")):
        again = "Fix: get the course again (README, 'Two commands')"
        raise Fault(f"the files in diffusion_lessons/static are missing. {again}")
    return " and ".join(f"{name} {package.__version__}" for name, package in packages.items())


def torchvision() -> str:
    """Examine torchvision: it loads beside this torch, as it does if both are from one place."""
    from .data import DataUnavailable, fashion

    try:
        return f"torchvision {fashion.load_torchvision().__version__} fits this torch"
    except DataUnavailable as error:
        raise Note(str(error)) from error


def memory() -> str:
    """Examine the free memory: half a gigabyte for a lesson, and better two."""
    import psutil

    free = psutil.virtual_memory().available / 1024**3
    text = f"{free:.1f} GB of memory are free"
    if free < 2:
        raise (Note if free >= 0.5 else Fault)(f"{text}, and a lesson takes up to 2 GB")
    return text


def files() -> str:
    """Examine every file that the course ships under `data/`: it is there and whole."""
    from . import workspace

    names = list(map(workspace.verify, workspace.checksums()))  # or DamagedFile, with its fix
    own = sorted(path.stem for path in workspace.own_path().glob("[!.]*.safetensors"))
    used = f"; your own weights are used for {', '.join(own)} (my_weights)" if own else ""
    return f"all {len(names)} files of the course are there and whole{used}"


def speed() -> str:
    """Examine a forward pass of a small network on 16 pictures of 64x64, after one to warm up."""
    import torch
    from torch import nn

    from . import workspace

    picked = workspace.pick_device()
    images = torch.randn(16, 3, 64, 64, generator=torch.Generator().manual_seed(0)).to(picked)
    network = nn.Sequential(nn.Conv2d(3, 32, 3), nn.SiLU(), nn.Conv2d(32, 3, 3)).to(picked)
    with torch.inference_mode():
        network(images)
        begin = time.perf_counter()
        output = network(images).cpu()
        seconds = time.perf_counter() - begin
    if not output.isfinite().all():
        raise Fault("a small network gives values that are not finite")
    return f"16 pictures through a small network: {1000 * seconds:.0f} ms"


CHECKS: dict[str, tuple[Callable[[], str], str]] = {
    "Python": (python, "install Python 3.12, and set the course up again with it (README)"),
    "torch": (torch_loads, SET_UP),
    "device": (
        device,
        "update its driver, or hide it: set CUDA_VISIBLE_DEVICES to -1, start again",
    ),
    "widgets": (widgets, SET_UP),
    "torchvision": (torchvision, SET_UP),
    "memory": (memory, "close other programs and notebooks (Kernel, Shut Down All Kernels)"),
    "files": (files, "download the course again"),
    "speed": (speed, SET_UP),
}
"""What is examined, how (it says what is well, or raises), what to do; first what to mend first."""
WITHOUT_TORCH = ("Python", "torch", "widgets", "memory")


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def examine(name: str) -> Finding:
    """Make one of CHECKS; a check that fails itself becomes a fault instead of a traceback."""
    check, fix = CHECKS[name]
    try:
        return Finding(name, "ok", check())
    except Exception as error:
        text, _, own = str(error).partition(" Fix: ")
        if not (own or isinstance(error, Fault)):
            text = f"could not be examined ({type(error).__name__}: {first_line(error)})"
            own = SET_UP
        state = "note" if isinstance(error, Note) else "fault"
        return Finding(name, state, text.rstrip("."), own.rstrip(".") or fix)


def report() -> list[Finding]:
    """Return one finding per check; without a torch that loads, of those that need none.

    In a notebook torchvision is left out: its 200 MB would stay in the kernel, and the lessons that
    may need it say themselves when it does not fit.
    """
    torn = examine("torch").text.startswith("torch does not load")
    in_notebook = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    names = WITHOUT_TORCH if torn else CHECKS
    return [examine(name) for name in names if not (in_notebook and name == "torchvision")]


def show(findings: list[Finding] | None = None) -> None:
    """Print the findings (by default fresh ones) and whether the lessons can run."""
    findings = report() if findings is None else findings
    for finding in findings:
        print(f"{finding.state:<5} {finding.name:<12} {finding.text}.")
        if finding.fix:
            print(f"{'':<5} {'':<12} What to do: {finding.fix}.")
    if any(finding.state == "fault" for finding in findings):
        print("\nSome lessons cannot run yet: mend what is called 'fault', from the top.")
    else:
        print("\nThis machine is ready: every lesson can run.")
