"""What every measurement shares: its clock, the machine in words, and its data file."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from diffusion_lessons import workspace

ROOT = Path(__file__).resolve().parent.parent


def path_of(name: str) -> Path:
    """The data file of the measurement `name`: data/bench/NAME.json."""
    return ROOT / "data" / "bench" / f"{name}.json"


def read(name: str) -> dict:
    """What the data file of the measurement `name` holds; nothing where there is none yet."""
    path = path_of(name)
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def write(
    name: str, what: str, figures: dict, settings: dict | None = None, packages: Sequence[str] = ()
) -> None:
    """Write the data file of the measurement `name`, whole or not at all, and say so.

    It holds `what` was measured, the settings and their sum, the figures, the machine, and the
    versions of Python, torch and other packages.
    """
    settled = {"settings": settings, "settings_sha256": fingerprint(settings)} if settings else {}
    measured_on = {"machine": machine(), "versions": versions("torch", *packages)}
    result = {"what": what} | settled | figures | measured_on
    workspace.write_whole(path_of(name), (json.dumps(result, indent=2) + "\n").encode())
    print(f"\nwritten to {path_of(name).relative_to(ROOT)}")


def fingerprint(settings: dict) -> str:
    """SHA-256 of settings: a data file made with other ones has another."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def weights(*names: str) -> dict[str, str | None]:
    """SHA-256 of shipped weights by their names, for settings."""
    sums = workspace.checksums()
    return {name: sums.get(f"weights/{name}.safetensors") for name in names}


def load() -> float | None:
    """How busy the machine is with other work; None where it does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def milliseconds(work: Callable[[], object], times: int = 1) -> float:
    """Wall-clock milliseconds of one call, the mean of `times`."""
    started = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - started) / times * 1000


def machine() -> str:
    """This machine in words."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def versions(*packages: str) -> dict[str, str]:
    """Python's version and those of installed packages."""
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def on_one_core() -> None:
    """Let torch use one thread, so that the seconds of the process are those of one core."""
    torch.set_num_threads(1)
