"""Any data set in the shape a lesson wants: square pictures in [-1, 1] with labels and captions.

`load("postcards")`, `load("fashion-mnist")` and `load(my_own_data_set)` give the same kind of
object, so a lesson changes its data set by one argument. A loader asked for one thing never
returns another: what cannot be had raises `DataUnavailable` with a sentence that says what to do.
"""

from __future__ import annotations

import errno
import operator
import os
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import postcards
from .postcards import words
from .workspace import data_path, sha256

NAMES = ("postcards", "fashion-mnist")
SPLITS = ("train", "test")
# Seeds are below it; postcards of the test split are drawn from those above. torch's generator
# on the CPU tells apart only seeds below 2**32.
MAX_SEED = 2**31

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


@dataclass(frozen=True)
class Batch:
    """Some pictures and what is known about them.

    Attributes:
        images: float32 in [-1, 1], (N, C, size, size).
        labels: int64 (N,), indices into the set's `classes`; -1 where there is no label.
        captions: N texts: what the picture shows, or the name of its class.
    """

    images: Tensor
    labels: Tensor
    captions: list[str]


@dataclass(frozen=True)
class PictureSet:
    """A data set as lessons see it; `load` makes one.

    Attributes:
        name: what it was asked for by, or the class name of a learner's own set.
        size, channels: every picture is (channels, size, size).
        classes: the names that labels stand for.
        count: how many pictures there are, None for endlessly many.
    """

    name: str
    size: int
    channels: int
    classes: tuple[str, ...]
    count: int | None
    _take: Callable[[int, int], Batch]

    def sample(self, count: int, seed: int) -> Batch:
        """`count` pictures at random, none of them twice; the same seed gives the same ones.

        Raises:
            ValueError: `count` negative or more than there are, `seed` not in 0..2**31 - 1.
        """
        if not 0 <= seed < MAX_SEED:
            raise ValueError(f"seed is {seed}: choose a whole number from 0 to {MAX_SEED - 1}")
        if count < 0 or (self.count is not None and count > self.count):
            most = "up" if self.count is None else f"to {self.count}, all that {self.name} has"
            raise ValueError(f"count is {count}: choose a number from 0 {most}")
        return self._take(count, seed)


def load(data: str | Any, size: int = 64, channels: int = 3, split: str = "train") -> PictureSet:
    """A data set whose pictures are float32 in [-1, 1], shape (channels, size, size).

    Args:
        data: "postcards" (endless; labels name the object of the first thing), "fashion-mnist"
            (through torchvision), or your own data set in torchvision's manner: `len(data)`, and
            `data[i]` a pair (picture, label). A picture is a PIL image, a tensor (C, H, W) or
            (H, W), or an array (H, W) or (H, W, C); uint8, or float in [0, 1]. A label is an int
            (named by `data.classes`, if there is such a list) or a caption.
        size: side in pixels. A picture that is not square loses the ends of its longer side; one
            of 28x28 first gets a black border to 32x32 when `size` is 32, 64, 96...; then it is
            resized (bilinear, antialiased).
        channels: 3 (grey is repeated) or 1 (colour becomes luminance, ITU-R BT.601).
        split: "train" or "test"; of your own data set, pass the part you want.

    Raises:
        ValueError, TypeError: an argument that does not fit, an unknown name, a picture of a kind
            that is not listed above.
        DataUnavailable: Fashion-MNIST is not there, not whole, or torchvision does not work.
    """
    if not isinstance(size, int) or size < 1:
        raise ValueError(f"size is {size!r}: it is a side in pixels, a whole number from 1 up")
    if channels not in (1, 3):
        raise ValueError(f"channels is {channels!r}: choose 3 (colour) or 1 (grey)")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}: choose 'train' or 'test'")
    if isinstance(data, str):
        return _named(data, size, channels, split)
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")) or isinstance(data, Tensor):
        raise TypeError(
            f"a {type(data).__name__} is no data set: give one of {', '.join(NAMES)}, or an object "
            "with len(data) and data[i] -> (picture, label)"
        )
    if split != "train":
        raise ValueError("split='test' is for named data sets; pass the test part of your own one")
    return _stored(type(data).__name__, data, size, channels)


def _named(name: str, size: int, channels: int, split: str) -> PictureSet:
    """One of the sets of `NAMES`; capitals, and _ for -, do not matter."""
    plain = name.lower().replace("_", "-")
    if plain == "postcards":
        return _postcards(size, channels, split)
    if plain == "fashion-mnist":
        return _stored(plain, _open_fashion_mnist(split), size, channels)
    near = get_close_matches(plain, NAMES, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"unknown data set {name!r}: {hint}There are {' and '.join(NAMES)}")


# ---- postcards ------------------------------------------------------------------------------


def _postcards(size: int, channels: int, split: str) -> PictureSet:
    """Postcards of the training mix; the two splits draw from seeds that they do not share."""
    offset = MAX_SEED if split == "test" else 0

    def take(count: int, seed: int) -> Batch:
        scenes = postcards.sample_scenes(count, seed + offset)
        images = _with_channels(postcards.draw(scenes, size), channels)
        labels = postcards.attributes(scenes)["object"][:, 0].clone()
        return Batch(images, labels, words.captions(scenes, seed + offset))

    take(0, 0)  # a size that cannot be drawn is refused now
    return PictureSet("postcards", size, channels, postcards.VALUES["object"], None, take)


# ---- stored data sets -----------------------------------------------------------------------


def _stored(name: str, pairs: Any, size: int, channels: int) -> PictureSet:
    """A set of (picture, label) pairs, read when they are asked for."""
    classes = tuple(str(name) for name in getattr(pairs, "classes", ()))

    def read(index: int) -> tuple[Tensor, int, str]:
        try:
            picture, label = _pair(pairs[index])
            return _fit(_pixels(picture), size, channels), *_label(label, classes)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"item {index} of {name}: {error}") from error

    def take(count: int, seed: int) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(pairs), generator=generator)[:count].tolist()
        images, labels = torch.zeros(count, channels, size, size), torch.zeros(count).long()
        captions = []
        for i, index in enumerate(chosen):
            images[i], labels[i], caption = read(index)
            captions.append(caption)
        return Batch(images, labels, captions)

    if len(pairs) == 0:
        raise ValueError(f"{name} is empty: it has no pictures")
    read(0)  # a set that cannot be read says so now, not in the middle of a lesson
    return PictureSet(name, size, channels, classes, len(pairs), take)


def _pair(item: Any) -> tuple[Any, Any]:
    """The picture and the label of one item."""
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        kind = f"{len(item)} parts" if isinstance(item, (tuple, list)) else type(item).__name__
        raise TypeError(f"an item is a pair (picture, label), and this one is {kind}")
    return item[0], item[1]


def _label(label: Any, classes: tuple[str, ...]) -> tuple[int, str]:
    """(index of the class or -1, caption) from what a data set gives as a label."""
    if isinstance(label, str):
        return (classes.index(label) if label in classes else -1), label
    try:
        index = operator.index(label)
    except TypeError:
        raise TypeError(f"a label is an int or a caption, not {type(label).__name__}") from None
    if classes and not 0 <= index < len(classes):
        raise ValueError(f"label {index} has no name: there are {len(classes)} classes, from 0")
    return index, classes[index] if classes else f"class {index}"


def _pixels(picture: Any) -> Tensor:
    """A PIL image, tensor or array as float32 in [0, 1], (1 or 3, H, W)."""
    if hasattr(picture, "mode") and hasattr(picture, "convert"):  # a PIL image
        if picture.mode in ("F", "I") or picture.mode.startswith("I;"):
            raise ValueError(f"a PIL image of mode {picture.mode!r}: convert it to 'L' or 'RGB'")
        picture = np.array(picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB"))
    if isinstance(picture, np.ndarray):
        picture = torch.from_numpy(np.ascontiguousarray(picture))
        picture = picture.movedim(-1, 0) if picture.ndim == 3 else picture
    if not isinstance(picture, Tensor):
        raise TypeError(f"a picture is a PIL image, tensor or array, not {type(picture).__name__}")
    picture = picture[None] if picture.ndim == 2 else picture
    if picture.ndim != 3 or picture.shape[0] not in (1, 3) or 0 in picture.shape:
        raise ValueError(
            f"a picture of shape {tuple(picture.shape)}: give a tensor (C, H, W) or an array "
            "(H, W, C) with 1 or 3 channels"
        )
    if picture.dtype == torch.uint8:
        return picture.float() / 255
    if not picture.is_floating_point():
        raise TypeError(f"a picture of {picture.dtype}: give uint8, or float in [0, 1]")
    low, high = float(picture.min()), float(picture.max())
    if not (0 <= low and high <= 1):  # also true for nan
        raise ValueError(
            f"a float picture from {low:.3g} to {high:.3g}: give [0, 1], as ToTensor does "
            "(leave out Normalize: load moves pictures to [-1, 1] itself)"
        )
    return picture.float()


def _fit(pixels: Tensor, size: int, channels: int) -> Tensor:
    """(1 or 3, H, W) in [0, 1] to (channels, size, size) in [-1, 1]; see `load` for how."""
    height, width = pixels.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    pixels = pixels[:, top : top + side, left : left + side]
    if side == 28 and size % 32 == 0:
        pixels = F.pad(pixels, (2, 2, 2, 2))
    if pixels.shape[-1] != size:
        shape = (size, size)
        pixels = F.interpolate(pixels[None], shape, mode="bilinear", antialias=True)[0]
    return _with_channels(pixels.clamp(0, 1) * 2 - 1, channels)


def _with_channels(images: Tensor, channels: int) -> Tensor:
    """(..., 1 or 3, H, W) with the number of channels asked for; luminance of ITU-R BT.601."""
    if images.shape[-3] == channels:
        return images
    if channels == 3:
        return images.expand(*images.shape[:-3], 3, *images.shape[-2:]).contiguous()
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    return (images * weights).sum(-3, keepdim=True).clamp(-1, 1)


# ---- Fashion-MNIST --------------------------------------------------------------------------


def _open_fashion_mnist(split: str) -> Any:
    """torchvision's FashionMNIST, found or downloaded, its files checked."""
    datasets = _torchvision_datasets()
    root = _fashion_root()
    raw = root / "FashionMNIST" / "raw"
    if (raw.parent / "processed").exists():
        raise DataUnavailable(
            f"{raw.parent / 'processed'} is from an old version of torchvision, which would read "
            "it instead of the checked files. Fix: delete that folder and try again."
        )
    if not all((raw / name).is_file() for name in FASHION_SHA256):
        _unpack_or_download(datasets.FashionMNIST, root, raw)
    _check_whole(raw)
    return datasets.FashionMNIST(str(root), train=split == "train")


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


def _fashion_root() -> Path:
    """The folder that holds FashionMNIST/raw, or the one to download it into.

    Looked for where DIFFUSION_LESSONS_DATA points, in the course's data/, in the user's cache.
    """
    named = os.environ.get("DIFFUSION_LESSONS_DATA")
    own = Path.home() / ".cache" / "diffusion-lessons"
    roots = [Path(named).expanduser()] if named else []
    roots += [data_path(), own]
    for root in roots:
        raw = root / "FashionMNIST" / "raw"
        if all((raw / n).is_file() or (raw / f"{n}.gz").is_file() for n in FASHION_SHA256):
            return root
    is_clone = data_path().parent != Path(__file__).resolve().parent
    return roots[0] if named or is_clone else own


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
