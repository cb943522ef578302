"""Is this machine ready? One finding per thing that a lesson needs, in a sentence with the fix.

`python -m diffusion_lessons doctor` prints the report, and `00_start_here` shows it. At the top
only the standard library is imported, and the syntax is old: the doctor must stay well where the
patient is not.
"""

from __future__ import annotations

import importlib
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GIGABYTE = 1024**3


@dataclass(frozen=True)
class Finding:
    """What the doctor found about one thing.

    `state` is "ok", "note" (something is missing, and every lesson still runs) or "fault" (a lesson
    could not run). `fix` is empty where nothing needs to be done.
    """

    name: str
    state: str
    text: str
    fix: str = ""


def check_python() -> Finding:
    """Python 3.11 or newer."""
    found = f"Python {platform.python_version()}"
    if tuple(sys.version_info[:2]) >= (3, 11):
        return Finding("Python", "ok", f"{found} on {platform.system()}")
    return Finding(
        "Python",
        "fault",
        f"{found} is too old, the course needs 3.11 or newer",
        "install Python 3.12 and run:  make lab PYTHON=python3.12",
    )


def check_torch() -> Finding:
    """torch loads, and is 2.6 or newer."""
    try:
        torch = importlib.import_module("torch")
    except Exception as error:  # a torn installation fails in many ways
        text = f"torch does not load ({first_line(error)})"
        return Finding("torch", "fault", text, "remove the folder .venv and run:  make setup")
    threads = torch.get_num_threads()
    found = f"torch {torch.__version__}, {threads} thread{'' if threads == 1 else 's'}"
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 6):
        return Finding("torch", "ok", found)
    return Finding("torch", "fault", f"{found}: too old, the course needs 2.6", "run:  make setup")


def check_device() -> Finding:
    """The device that `workspace.start` picks can multiply."""
    import torch

    from . import workspace

    device = workspace.pick_device()
    words = {"cpu": "the processor (cpu)", "cuda": "a graphics card (cuda)", "mps": "Apple's mps"}
    try:
        ones = torch.ones(8, 8, device=device)
        if (ones @ ones).sum().item() == 512:
            return Finding("device", "ok", f"lessons run on {words[device.type]}")
        wrong = "it multiplies wrongly"
    except Exception as error:  # drivers fail in many ways, and the doctor must live to tell
        wrong = first_line(error)
    return Finding(
        "device",
        "fault",
        f"{words[device.type]} is there and does not work ({wrong})",
        "update its driver, or hide the card: start with  CUDA_VISIBLE_DEVICES= make lab",
    )


def check_widgets() -> Finding:
    """The packages that draw sliders, and the course's own page code."""
    try:
        versions = [
            f"{name} {importlib.import_module(name).__version__}"
            for name in ("anywidget", "ipywidgets")
        ]
    except ImportError as error:
        return Finding("widgets", "fault", f"sliders cannot be drawn ({error})", "run:  make setup")
    if not list(Path(__file__).parent.glob("static/*.js")):
        text = "the files in diffusion_lessons/static are missing"
        return Finding("widgets", "fault", text, "get the course again (README, 'Two commands')")
    return Finding("widgets", "ok", " and ".join(versions))


def check_torchvision() -> Finding:
    """torchvision loads beside this torch; it does not if the two are from different places."""
    import torch

    try:
        version = importlib.import_module("torchvision").__version__
    except Exception as error:  # a mismatched pair raises RuntimeError, not ImportError
        return Finding(
            "torchvision",
            "note",
            f"torchvision does not fit torch {torch.__version__} ({first_line(error)}): "
            "the lessons run on postcards, Fashion-MNIST does not",
            "get both from the same place: remove the folder .venv and run  make setup  "
            "(a folder named by TORCH=... must hold torchvision too)",
        )
    return Finding("torchvision", "ok", f"torchvision {version} fits torch {torch.__version__}")


def check_memory() -> Finding:
    """Enough free memory for a lesson: half a gigabyte, and better two."""
    import psutil

    free = psutil.virtual_memory().available / GIGABYTE
    text = f"{free:.1f} GB of memory are free"
    if free >= 2:
        return Finding("memory", "ok", text)
    return Finding(
        "memory",
        "note" if free >= 0.5 else "fault",
        f"{text}, and a lesson takes up to 2 GB",
        "close other notebooks (Kernel, Shut Down All Kernels) and other programs",
    )


def check_files() -> Finding:
    """Every file that the course ships under `data/` is there and whole."""
    from . import workspace

    try:
        names = workspace.checksums()
        for name in names:
            workspace.verify(name)
    except workspace.DamagedFile as error:
        sentence, _, fix = str(error).partition(" Fix: ")
        return Finding("files", "fault", sentence.rstrip("."), fix)
    own = sorted(path.stem for path in workspace.own_path().glob("[!.]*.safetensors"))
    used = f"; your own weights are used for {', '.join(own)} (my_weights)" if own else ""
    return Finding("files", "ok", f"all {len(names)} files of the course are there and whole{used}")


def check_speed() -> Finding:
    """One forward pass of a small network on 16 pictures of 64x64, timed after one to warm up."""
    import torch
    from torch import nn

    from . import workspace

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(16, 3, 64, 64, generator=generator)
    device = workspace.pick_device()
    network = nn.Sequential(nn.Conv2d(3, 32, 3), nn.SiLU(), nn.Conv2d(32, 3, 3)).to(device)
    with torch.inference_mode():
        network(images.to(device))
        begin = time.perf_counter()
        output = network(images.to(device)).cpu()
        seconds = time.perf_counter() - begin
    if not output.isfinite().all():
        fix = "remove the folder .venv and run:  make setup"
        return Finding("speed", "fault", "a small network gives values that are not finite", fix)
    return Finding("speed", "ok", f"16 pictures through a small network: {1000 * seconds:.0f} ms")


WITHOUT_TORCH = (check_python, check_torch, check_widgets, check_memory)
CHECKS = (
    check_python,
    check_torch,
    check_device,
    check_widgets,
    check_torchvision,
    check_memory,
    check_files,
    check_speed,
)


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def examine(check: Callable[[], Finding]) -> Finding:
    """Run one check; a check that fails itself becomes a fault instead of a traceback."""
    try:
        return check()
    except Exception as error:
        name = check.__name__[len("check_") :]
        text = f"could not be examined ({type(error).__name__}: {first_line(error)})"
        return Finding(name, "fault", text, "remove the folder .venv and run:  make setup")


def report() -> list[Finding]:
    """Return one finding per check, in the order in which a learner should mend them.

    Without a torch that loads, only what can be examined without it is.
    """
    torch_loads = not examine(check_torch).text.startswith("torch does not load")
    return [examine(check) for check in (CHECKS if torch_loads else WITHOUT_TORCH)]


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
