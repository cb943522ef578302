"""What every measurement shares: one core, the machine in words, and its data file."""

from __future__ import annotations

import hashlib
import json
import os
import platform
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


def write(name: str, result: dict) -> None:
    """Write the data file of the measurement `name`, whole or not at all, and say so."""
    workspace.write_whole(path_of(name), (json.dumps(result, indent=2) + "\n").encode())
    print(f"\nwritten to {path_of(name).relative_to(ROOT)}")


def fingerprint(settings: dict) -> str:
    """SHA-256 of settings: a data file made with other ones has another."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def machine() -> str:
    """This machine in words."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def versions(*packages: str) -> dict[str, str]:
    """Python's version and those of installed packages."""
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def on_one_core() -> None:
    """Let torch use one thread, so that the seconds of the process are those of one core."""
    torch.set_num_threads(1)
