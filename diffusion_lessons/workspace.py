"""Where a lesson stands: its seed and device, the files under `data/`, and weights in and out.

Every file that the course ships under `data/` is listed with its SHA-256 in `data/checksums.json`,
so that a damaged or exchanged file is refused by name instead of giving strange pictures.
"""

import contextlib
import ctypes
import glob
import hashlib
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import filelock
import platformdirs
import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save
from torch import Tensor, nn

SHIPPED = ("bench", "pictures", "quiz", "weights")
"""The folders under `data/` that the course ships; whatever else is there is the learner's own."""

FORMAT = 1
"""The version of cards and weights that this package writes; a card without one is of version 1."""

GET_IT_AGAIN = "Fix: download the course again and copy its folder data over yours."

_UNREADABLE = (OSError, SafetensorError, ValueError, KeyError)


class DamagedFile(RuntimeError):
    """A file of the course is missing, cut short, altered or not ours; the message says the fix."""


def start(seed: int = 0) -> torch.device:
    """Seed torch's global generator, make torch compute on one thread, return the fastest device.

    Each notebook calls it first. The course's networks are so small that a second thread saves a
    fifth of the time on a quiet computer. Where anything else runs, two threads wait for each other
    at every layer, and a step of 0.4 s can take 8. `torch.set_num_threads` undoes it.
    In a notebook, what a cell has freed is also returned to the system.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
        shell.events.register("post_run_cell", _return_freed_memory)  # once, however often called
    return pick_device()


def _return_freed_memory(*_: object) -> None:
    """Return what was freed to the system; glibc alone, of all C libraries, keeps 100 MB of it."""
    if sys.platform == "linux":
        getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)(0)


def pick_device() -> torch.device:
    """Return the fastest device of this machine: cuda, else mps (Apple), else cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def data_path(*parts: str) -> Path:
    """Return the path of `parts` under `data/`: beside the package in a clone, else inside it."""
    package = Path(__file__).resolve().parent
    in_clone = (package.parent / "pyproject.toml").is_file()
    return (package.parent / "data" if in_clone else package / "shipped").joinpath(*parts)


def user_path(*parts: str) -> Path:
    """Return the path of `parts` in the learner's own folder, which no update touches.

    Linux: ~/.local/share/diffusion-lessons; macOS: ~/Library/Application Support/diffusion-lessons;
    Windows: %LOCALAPPDATA%\\diffusion-lessons. Where there is no home folder, as in some
    containers: a temporary one.
    """
    try:
        own = platformdirs.user_data_path("diffusion-lessons", appauthor=False)
    except RuntimeError:  # neither HOME nor a user of this number
        own = Path("~")
    root = own if own.is_absolute() else Path(tempfile.gettempdir(), "diffusion-lessons")
    return root.joinpath(*parts)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums() -> dict[str, str]:
    """Return the SHA-256 of each shipped file by its name under `data/`; raises DamagedFile."""
    path = data_path("checksums.json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except _UNREADABLE as error:
        raise DamagedFile(f"{path} is missing or unreadable ({error}). {GET_IT_AGAIN}") from error


def list_shipped(root: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that is in the shipped folders of `root` now."""
    files = sorted(p for name in SHIPPED for p in (root / name).rglob("*") if p.is_file())
    return {p.relative_to(root).as_posix(): sha256(p) for p in files if not p.name.startswith(".")}


def write_checksums(root: Path) -> dict[str, str]:
    """Write `root`/checksums.json, which lists the shipped files of `root`, and return the list."""
    sums = list_shipped(root)
    write_whole(root / "checksums.json", (json.dumps(sums, indent=2) + "\n").encode())
    return sums


def verify(name: str) -> Path:
    """Return the path of the shipped file `name` ("weights/judge.safetensors") if it is whole.

    Raises DamagedFile if it is missing, not one of the course's files, or altered.
    """
    path, known = data_path(*name.split("/")), checksums()
    if not path.is_file():
        fault = "is missing"
    elif name not in known:
        fault = "is not one of the course's files, so it is not loaded"
    elif sha256(path) != known[name]:
        fault = (
            f"is damaged: its {path.stat().st_size} bytes are not the ones that "
            "data/checksums.json lists (altered, or cut short while copying)"
        )
    else:
        return path
    raise DamagedFile(f"{path} {fault}. {GET_IT_AGAIN}")


def own_path(*parts: str) -> Path:
    """Return the path of `parts` in `my_weights`, which holds what was trained on this machine.

    Git does not look at it, so an update of the course neither meets nor changes what is in it.
    """
    return data_path().parent.joinpath("my_weights", *parts)


def load_weights(name: str) -> tuple[dict[str, Tensor], dict]:
    """Return the tensors (on the CPU) and the card of the weights `name`.

    They are those of `my_weights` where there are such, else those that the course ships. The card
    is a dict: what the weights are for, how they were trained, what they score. Raises DamagedFile
    if the file or its card is missing, cut short, altered, not the course's or of another version.
    """
    path = own_path(f"{name}.safetensors")
    card_path = path.with_suffix(".json")
    if not path.is_file():
        card_path, path = (verify(f"weights/{name}.{kind}") for kind in ("json", "safetensors"))
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        if not isinstance(card, dict):
            raise ValueError(f"{card_path.name} holds {card!r:.40} in the place of a card")
        tensors = load_file(path)
    except _UNREADABLE as error:
        raise DamagedFile(
            f"{path}, weights that were trained here, or their card cannot be read ({error}). Fix: "
            f"delete {path.name} there; the lessons then use those of the course."
        ) from error
    version = card.get("format", 1)
    if version != FORMAT:
        older = isinstance(version, int) and version < FORMAT
        fix = GET_IT_AGAIN if older else "Fix: update the course, package and data together."
        raise DamagedFile(
            f"{card_path} is of format {version!r}, and this package reads format {FORMAT}: the "
            f"file is {'older' if older else 'newer'} than the package. {fix}"
        )
    return tensors, card


def fit_weights(model: nn.Module, tensors: dict[str, Tensor], name: str) -> None:
    """Put the tensors of the weights `name` into `model`; half precision becomes the model's own.

    Raises DamagedFile, and leaves the model as it was, unless every tensor of the network is among
    them in its shape, and no other: it says which is not, and what to do.
    """
    fault = _misfit({key: tuple(t.shape) for key, t in model.state_dict().items()}, tensors)
    if fault:
        raise DamagedFile(
            f"the weights {name!r} do not fit the {type(model).__name__} that was built for them: "
            f"{fault}. Fix: build the network with the settings in data/weights/{name}.json; if "
            "you did not build it yourself, package and data are of different versions: update "
            f"both together. Weights in my_weights of an earlier version: train {name} again."
        )
    model.load_state_dict(tensors)


def _misfit(needed: dict[str, tuple[int, ...]], tensors: dict[str, Tensor]) -> str:
    """What is wrong with `tensors` for a network that needs these shapes; "" if nothing is."""
    for key, shape in needed.items():
        if key in tensors and tuple(tensors[key].shape) != shape:
            return f"{key!r} has the shape {tuple(tensors[key].shape)}, and the network has {shape}"
    missing = [key for key in needed if key not in tensors]
    keys = missing or [key for key in tensors if key not in needed]
    are = f"and {len(keys) - 1} more are" if len(keys) > 1 else "is"
    return (
        f"{keys[0]!r} {are} {'missing' if missing else 'not part of the network'}" if keys else ""
    )


def save_weights(path: Path | str, tensors: dict[str, Tensor], card: dict) -> None:
    """Write `tensors` to `path` (ending in .safetensors) and `card` beside it as JSON.

    Killed between the two, it leaves no weights: never new ones beside an old card. Raises
    ValueError for another ending, OSError as `write_whole` does.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"{path} must end in .safetensors, not {path.suffix or 'nothing'!r}")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    whole, card_path = save(plain, metadata={"format": "pt"}), path.with_suffix(".json")
    said = (json.dumps(card, indent=2) + "\n").encode()
    drafts = (_draft(path, whole), _draft(card_path, said), _draft(path, b""))
    with drafts[0] as weights, drafts[1] as words, drafts[2] as old, only_one(path):
        if path.exists():
            os.replace(path, old)
        os.replace(words, card_path)
        os.replace(weights, path)


def partial_path(name: str) -> Path:
    """Return where a training of the weights `name` that is not finished is kept."""
    return own_path(f".{name}.partial.safetensors")


def save_partial(name: str, tensors: dict[str, Tensor], notes: dict) -> None:
    """Keep a training of `name` that is not finished: its state, and `notes` that JSON can hold."""
    write_whole(partial_path(name), save(tensors, metadata={"notes": json.dumps(notes)}))


def load_partial(name: str) -> tuple[dict[str, Tensor], dict] | None:
    """Return what `save_partial` kept for `name`, or None. Raises DamagedFile if unreadable."""
    path = partial_path(name)
    if not path.is_file():
        return None
    try:
        whole = path.read_bytes()  # once: safe_open reads head and tensors at different moments
        head = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])
        return load(whole), json.loads(head["__metadata__"]["notes"])
    except _UNREADABLE as error:
        raise DamagedFile(
            f"{path}, a training that was stopped half-way, cannot be read ({error}). "
            "Fix: delete it; the training then starts from the beginning."
        ) from error


def check_writable(path: Path) -> None:
    """Make sure, before hours of work, that `path` can be written at the end; raises OSError."""
    with _draft(path, b""):
        pass


def write_whole(path: Path, content: bytes, new: bool = False) -> None:
    """Write `content` to `path`, whole whoever else writes it and wherever one is killed.

    new: never over a file that is there. Raises OSError (PermissionError in a folder that is
    read-only; FileExistsError if `new`) with a sentence and the fix.
    """
    with _draft(path, content) as draft:
        if new:
            with contextlib.suppress(OSError):
                os.link(draft, path)
                return
            path.touch(exist_ok=False)  # a disk without links, or FileExistsError
        os.replace(draft, path)


@contextlib.contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    """Write `content` beside `path`, to be moved there; what a kill leaves goes after an hour."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > 3600:
                    left.unlink()
        draft.write_bytes(content)
        yield draft
    except OSError as error:
        raise type(error)(
            error.errno,
            f"{path} could not be written ({error.strerror}). Fix: make room, or allow writing in "
            f"{path.parent}, or give another folder",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


@contextlib.contextmanager
def only_one(path: Path, patience_s: float = -1) -> Iterator[None]:
    """Let one process at a time do what it does to `path`, where the disk knows locks.

    Raises TimeoutError after `patience_s` seconds (-1: never), OSError for a read-only folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=patience_s)
    with contextlib.suppress(NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
