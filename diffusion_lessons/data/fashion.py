"""Fashion-MNIST: found on this machine or downloaded, its files checked, read in one go.

What cannot be had raises `DataUnavailable` with a sentence that says what to do.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusion_lessons.workspace import data_path, only_one, sha256, user_path

FASHION_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""Of the four unpacked files of Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747).
torchvision checks only the packed ones, and reads an altered unpacked file."""


class DataUnavailable(RuntimeError):
    """A data set that cannot be had here and now; the message says why and what to do."""


def load_torchvision() -> Any:
    """Return torchvision, with its data sets; the package imports it here and nowhere else.

    A torchvision that does not fit its torch raises errors of many kinds: here they become
    DataUnavailable, so that lessons on postcards run and the doctor lives to tell.
    """
    try:
        import torchvision.datasets
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "torchvision"
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        fault = f"does not work with torch {torch.__version__} ({why})"
        raise DataUnavailable(
            f"torchvision {'is not installed' if missing else fault}: the lessons run on "
            "postcards, Fashion-MNIST does not. The two must be a pair that was built together, "
            "both from the same place. Fix: remove the folder .venv and set the course up again (a "
            "folder named by TORCH=... must hold torchvision too), or `pip install "
            "--force-reinstall torch torchvision`, and start the kernel again."
        ) from error
    return torchvision


def fashion_mnist(split: str) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Return Fashion-MNIST's pictures uint8 (N, 28, 28), labels int64 (N,), names of its classes.

    split: "train" (60,000 pictures) or "test" (10,000). Raises DataUnavailable where it is not
    there, not whole, or torchvision does not work.
    """
    reader, root = load_torchvision().datasets.FashionMNIST, _root()
    raw, old = root / "FashionMNIST" / "raw", root / "FashionMNIST" / "processed"
    if old.exists():
        raise DataUnavailable(
            f"{old} is from an old version of torchvision, which would read it instead of the "
            "checked files. Fix: delete that folder and try again."
        )
    draft = raw.parent / ".half"
    if draft.exists() or not all((raw / name).is_file() for name in FASHION_SHA256):
        try:
            with only_one(raw.parent):
                if not all((raw / name).is_file() for name in FASHION_SHA256):
                    _bring(reader, raw, draft)  # else another process was faster
                shutil.rmtree(draft, ignore_errors=True)
        except Exception as error:
            raise DataUnavailable(_why_not(error, raw)) from error
    for name, expected in FASHION_SHA256.items():
        fault, fix = "is not the published file: it was altered or only half unpacked", ""
        try:
            if sha256(raw / name) == expected:
                continue
        except OSError as error:
            fault, fix = f"cannot be read ({error.strerror})", "make it readable for you, or "
        raise DataUnavailable(
            f"{raw / name} {fault}. Fix: {fix}delete it and try again; it is then unpacked or "
            "downloaded again."
        )
    found = reader(str(root), train=split == "train")
    return found.data, found.targets, tuple(found.classes)


def _bring(reader: Any, raw: Path, draft: Path) -> None:
    """Download what is not there and unpack it, all in `draft`; then move it into `raw`.

    So what another process reads in `raw`, or a kill leaves there, is whole.
    """
    packed = all((raw / f"{name}.gz").is_file() for name in FASHION_SHA256)
    print("Unpacking" if packed else "Downloading (31 MB)", f"Fashion-MNIST in {raw}", flush=True)
    inside = draft / "FashionMNIST" / "raw"
    for folder in (raw, inside):
        folder.mkdir(parents=True, exist_ok=True)
    for name in FASHION_SHA256:
        (inside / name).unlink(missing_ok=True)
        if (raw / f"{name}.gz").is_file():
            shutil.copyfile(raw / f"{name}.gz", inside / f"{name}.gz")
    reader(str(draft), download=True)  # it keeps the packed files that are whole
    for path in inside.iterdir():
        path.replace(raw / path.name)


def _root() -> Path:
    """The first of the places where FashionMNIST/raw may lie, or the one to download it into."""
    named, own = os.environ.get("DIFFUSION_LESSONS_DATA"), user_path("data")
    roots = [*([Path(named).expanduser()] if named else []), data_path(), own]
    for root in roots:
        raw = root / "FashionMNIST" / "raw"
        if all((raw / n).is_file() or (raw / f"{n}.gz").is_file() for n in FASHION_SHA256):
            return root
    installed = Path(__file__).resolve().parents[1] in data_path().parents
    return own if installed and not named else roots[0]


def _why_not(error: Exception, raw: Path) -> str:
    """A sentence on why Fashion-MNIST could not be brought into `raw`, and what to do."""
    number = getattr(error, "errno", None)
    if number == errno.ENOSPC:
        return f"Fashion-MNIST needs 120 MB in {raw} and the disk is full. Make room and try again."
    if number in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return (
            f"Fashion-MNIST cannot be unpacked in {raw}: nothing can be written there "
            f"({os.strerror(number)}). Fix: make a folder that you can write to, copy FashionMNIST "
            "into it if you have it, and set DIFFUSION_LESSONS_DATA to that folder."
        )
    return (
        f"Fashion-MNIST is not in {raw} (or not whole) and could not be downloaded "
        f"({type(error).__name__}: {' '.join(str(error).split())[:300]}). Fix: connect to the "
        "network and try again, or copy the four .gz files of Fashion-MNIST from another computer "
        "into that folder, or set DIFFUSION_LESSONS_DATA to a folder that has FashionMNIST/raw."
    )
