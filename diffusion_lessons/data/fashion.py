"""Fashion-MNIST: found on this machine or downloaded, its files checked, read in one go.

What cannot be had raises `DataUnavailable` with a sentence that says what to do.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusion_lessons.workspace import data_path, sha256, user_path

#: SHA-256 of the four unpacked files of Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, arXiv
#: 1708.07747). torchvision checks only the packed ones, and reads an altered unpacked file.
FASHION_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


class DataUnavailable(RuntimeError):
    """A data set that cannot be had here and now; the message says why and what to do."""


def fashion_mnist(split: str) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Fashion-MNIST through torchvision: found, or unpacked, or downloaded; its files checked.

    Args:
        split: "train" (60,000 pictures) or "test" (10,000).

    Returns:
        Pictures uint8 (N, 28, 28), labels int64 (N,), and the names of the ten classes.

    Raises:
        DataUnavailable: it is not there, not whole, or torchvision does not work.
    """
    datasets = _torchvision_datasets()
    root = _root()
    raw = root / "FashionMNIST" / "raw"
    if (raw.parent / "processed").exists():
        raise DataUnavailable(
            f"{raw.parent / 'processed'} is from an old version of torchvision, which would read "
            "it instead of the checked files. Fix: delete that folder and try again."
        )
    if not all((raw / name).is_file() for name in FASHION_SHA256):
        _unpack_or_download(datasets.FashionMNIST, root, raw)
    _check_whole(raw)
    found = datasets.FashionMNIST(str(root), train=split == "train")
    return found.data, found.targets, tuple(found.classes)


def _torchvision_datasets() -> Any:
    """The module `torchvision.datasets`. Imported here only: a torchvision that does not fit its
    torch raises RuntimeError or AttributeError, and must not stop lessons on postcards."""
    try:
        from torchvision import datasets
    except ModuleNotFoundError as error:
        if error.name != "torchvision":
            raise
        fix = "torchvision is not installed. Install it from where torch came from"
        raise DataUnavailable(f"{fix}: run `make setup`, or `pip install torchvision`.") from error
    except Exception as error:
        raise DataUnavailable(
            f"torchvision does not work with torch {torch.__version__} ({type(error).__name__}: "
            f"{error}). The two must be a pair that was built together, both from the same place. "
            "Fix: install both with one command, `make setup` or `pip install --force-reinstall "
            "torch torchvision`, and start the kernel again."
        ) from error
    return datasets


def _root() -> Path:
    """The folder that holds FashionMNIST/raw, or the one to download it into.

    Looked for where DIFFUSION_LESSONS_DATA points, in the course's data/, in the user's own folder.
    """
    named = os.environ.get("DIFFUSION_LESSONS_DATA")
    own = user_path("data")
    roots = [Path(named).expanduser()] if named else []
    roots += [data_path(), own]
    for root in roots:
        raw = root / "FashionMNIST" / "raw"
        if all((raw / n).is_file() or (raw / f"{n}.gz").is_file() for n in FASHION_SHA256):
            return root
    installed = Path(__file__).resolve().parents[1] in data_path().parents
    return own if installed and not named else roots[0]


def _unpack_or_download(fashion_mnist: Any, root: Path, raw: Path) -> None:
    """Let torchvision unpack the .gz files, after downloading those that are missing or broken."""
    packed = all((raw / f"{name}.gz").is_file() for name in FASHION_SHA256)
    print("Unpacking" if packed else "Downloading (31 MB)", f"Fashion-MNIST in {raw}", flush=True)
    try:
        fashion_mnist(str(root), download=True)
    except Exception as error:
        raise DataUnavailable(_why_not(error, raw)) from error


def _why_not(error: Exception, raw: Path) -> str:
    """A sentence on why Fashion-MNIST could not be brought into `raw`, and what to do."""
    number = getattr(error, "errno", None)
    if number == errno.ENOSPC:
        return f"Fashion-MNIST needs 90 MB in {raw} and the disk is full. Make room and try again."
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


def _check_whole(raw: Path) -> None:
    """Raise DataUnavailable unless the four unpacked files are the published ones."""
    for name, expected in FASHION_SHA256.items():
        try:
            found = sha256(raw / name)
        except OSError as error:
            raise DataUnavailable(
                f"{raw / name} cannot be read ({error.strerror}). Fix: make it readable for you, "
                "or delete it and try again; it is then unpacked or downloaded anew."
            ) from error
        if found != expected:
            raise DataUnavailable(
                f"{raw / name} is not the published file (SHA-256 differs): it was altered or only "
                f"half unpacked, and is not used. Fix: delete {name} and try again; it is then "
                "unpacked or downloaded anew."
            )
