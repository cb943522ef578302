"""Any data set in the shape a lesson wants: square pictures in [-1, 1] with labels and captions.

`load("postcards")`, `load("fashion-mnist")` and `load(my_own_data_set)` give the same kind of
object, so a lesson changes its data set by one argument. A loader asked for one thing never
returns another: what cannot be had raises `DataUnavailable` with a sentence that says what to do.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from diffusion_lessons import postcards
from diffusion_lessons.postcards import VALUES, Scenes, words

from . import fashion
from .fashion import DataUnavailable

__all__ = [
    "MAX_SEED",
    "NAMES",
    "SPLITS",
    "Batch",
    "DataUnavailable",
    "PictureSet",
    "load",
    "sample_scenes",
]

SPLITS = ("train", "test")
# Seeds are below it; postcards of the test split are drawn from those above. torch's generator
# on the CPU tells apart only seeds below 2**32.
MAX_SEED = 2**31


@dataclass(frozen=True)
class _World:
    """A part of the postcards: the kind of scene, what is the same in all, what labels tell."""

    kind: str | None
    fixed: dict[str, str]
    factors: tuple[str, ...]


_SINGLE = ("object", "colour", "size", "position", "sky", "ground")
_WORLDS = {
    "postcards": _World(None, {}, (*_SINGLE[:4], "count", *_SINGLE[4:])),
    "single-postcards": _World("single", {}, _SINGLE),
    "sprites": _World(
        "single",
        {"sky": "day", "ground": "grass", "size": "large", "position": "middle"},
        ("object", "colour"),
    ),
}
NAMES = (*_WORLDS, "fashion-mnist")


@dataclass(frozen=True)
class Batch:
    """Clean data with what the network is given besides, as a training step takes them.

    Attributes:
        x_0: pictures, float32 in [-1, 1], (N, C, size, size); or points (N, D), or latents.
        given: labels, int64 (N, K): for each of the set's K `factors` the index of its word, -1
            where nothing is said; K may be 0. Or the context of captions (N, L, D).
        captions: N texts: what the picture shows, or the name of its class.
    """

    x_0: Tensor
    given: Tensor
    captions: list[str]


@dataclass(frozen=True)
class PictureSet:
    """A data set as lessons see it; `load` makes one.

    Attributes:
        name: what it was asked for by, or the class name of a learner's own set.
        size, channels: every picture is (channels, size, size).
        factors: what labels tell: the name of each column and the words that its numbers stand
            for; {"class": ()} where the classes have no names.
        count: how many pictures there are, None for endlessly many.
    """

    name: str
    size: int
    channels: int
    factors: dict[str, tuple[str, ...]]
    count: int | None
    _take: Callable[[int, int], Batch]
    _read: Callable[[Tensor], Batch] | None = None

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

    def all(self) -> Batch:
        """Every picture of the set, in its own order.

        Raises:
            ValueError: there are endlessly many.
        """
        if self._read is None or self.count is None:
            raise ValueError(
                f"{self.name} has no end, so there is no `all`: ask for as many as you need, "
                "such as sample(1000, seed=0)"
            )
        return self._read(torch.arange(self.count))

    def batches(self, count: int, seed: int) -> Callable[[int], Batch]:
        """The pictures for each step of a training, as a function of the step's number.

        They follow from `seed` and that number alone, so a training can stop and go on. An endless
        set gives fresh ones at each step. Of another set every picture comes once, in random
        order, before any comes again (but the rest that fills no batch is left out that time).

        Raises:
            ValueError: `count` less than 1 or more than there are, `seed` not in 0..2000 (each
                has seeds of its own for 1,000,003 steps).
        """
        if not 0 <= seed <= 2000:
            raise ValueError(f"seed is {seed}: choose a whole number from 0 to 2000")
        if count < 1 or (self.count is not None and count > self.count):
            most = "up" if self.count is None else f"to {self.count}, all that {self.name} has"
            raise ValueError(f"count is {count}: choose a number from 1 {most}")
        if self._read is None or self.count is None:
            return lambda step: self.sample(count, seed * 1_000_003 + step)
        read, all_of_them, a_round = self._read, self.count, self.count // count

        @functools.lru_cache(maxsize=1)
        def order(turn: int) -> Tensor:
            dice = torch.Generator().manual_seed(seed * 1_000_003 + turn)
            return torch.randperm(all_of_them, generator=dice)

        def batch(step: int) -> Batch:
            turn, place = divmod(step, a_round)
            return read(order(turn)[place * count : (place + 1) * count])

        return batch


def load(data: str | Any, size: int = 64, channels: int = 3, split: str = "train") -> PictureSet:
    """A data set whose pictures are float32 in [-1, 1], shape (channels, size, size).

    Args:
        data: one of `NAMES`, or your own data set. The names are "postcards" (endless; labels tell
            of the thing that a caption names first), "single-postcards" (those with one thing,
            once), "sprites" (of those, the large ones in the middle, on grass by day) and
            "fashion-mnist" (through torchvision). Your own is in torchvision's manner:
            `len(data)`, and `data[i]` a pair (picture, label). A picture is a PIL image, a tensor
            (C, H, W) or (H, W), or an array (H, W) or (H, W, C); uint8, or float in [0, 1]. A
            label is an int (named by `data.classes`, if there is such a list) or a caption.
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
    return _own(data, size, channels)


def _named(name: str, size: int, channels: int, split: str) -> PictureSet:
    """One of the sets of `NAMES`; capitals, and _ for -, do not matter."""
    plain = name.lower().replace("_", "-")
    if plain in _WORLDS:
        return _drawn(plain, size, channels, split)
    if plain == "fashion-mnist":
        return _fashion_mnist(size, channels, split)
    near = get_close_matches(plain, NAMES, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    known = f"{', '.join(NAMES[:-1])} and {NAMES[-1]}"
    raise ValueError(f"unknown data set {name!r}: {hint}There are {known}")


# ---- drawn data sets ------------------------------------------------------------------------


def sample_scenes(name: str, count: int, seed: int, split: str = "train") -> Scenes:
    """What `load(name, split=split).sample(count, seed)` shows, for judging or drawing anew.

    No (object, colour) pair of `postcards.HELD_OUT` is among them, in either split: the splits
    draw from seeds that they do not share.

    Args:
        name: "postcards", "single-postcards" or "sprites".
        count, seed, split: as in `PictureSet.sample` and `load`.
    """
    world = _WORLDS[name]
    shown = postcards.sample_scenes(count, seed + MAX_SEED * (split == "test"), kind=world.kind)
    for attribute, word in world.fixed.items():
        values = shown.attributes[attribute]
        values[values >= 0] = VALUES[attribute].index(word)
    return shown


def labels(name: str, shown: Scenes) -> Tensor:
    """What the labels of the set `name` tell of scenes, int64 (N, K): of the first thing."""
    told = [shown.attributes[factor] for factor in _WORLDS[name].factors]
    return torch.stack([values if values.dim() == 1 else values[:, 0] for values in told], dim=1)


def _drawn(name: str, size: int, channels: int, split: str) -> PictureSet:
    """Postcards, all of them or a part; the pictures are drawn when they are asked for."""
    factors = {factor: VALUES[factor] for factor in _WORLDS[name].factors}

    def take(count: int, seed: int) -> Batch:
        shown = sample_scenes(name, count, seed, split)
        images = _with_channels(postcards.draw(shown, size).float(), channels)
        captions = words.captions(shown, seed + MAX_SEED * (split == "test"))
        return Batch(images, labels(name, shown), captions)

    take(0, 0)  # a size that cannot be drawn is refused now
    return PictureSet(name, size, channels, factors, None, take)


# ---- stored data sets -----------------------------------------------------------------------


def _stored(
    name: str, size: int, channels: int, classes: tuple[str, ...], count: int,
    read: Callable[[Tensor], Batch],
) -> PictureSet:  # fmt: skip
    """A set of `count` pictures with one label each; `read` gives those of some indices."""

    def take(wanted: int, seed: int) -> Batch:
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
        return read(order[:wanted])

    return PictureSet(name, size, channels, {"class": classes}, count, take, read)


def _fashion_mnist(size: int, channels: int, split: str) -> PictureSet:
    """Fashion-MNIST, many pictures at a time."""
    pixels, targets, classes = fashion.fashion_mnist(split)
    at_a_time = 2048

    def read(rows: Tensor) -> Batch:
        images, labels = (
            torch.zeros(len(rows), channels, size, size, dtype=torch.float32),
            targets[rows],
        )
        for start in range(0, len(rows), at_a_time):
            part = pixels[rows[start : start + at_a_time], None].float() / 255
            images[start : start + at_a_time] = _fit(part, size, channels)
        return Batch(images, labels[:, None], [classes[label] for label in labels.tolist()])

    return _stored("fashion-mnist", size, channels, classes, len(pixels), read)


def _own(pairs: Any, size: int, channels: int) -> PictureSet:
    """A learner's set of (picture, label) pairs, read one by one when they are asked for."""
    name = type(pairs).__name__
    classes = tuple(str(name) for name in getattr(pairs, "classes", ()))

    def one(index: int) -> tuple[Tensor, int, str]:
        try:
            picture, label = _pair(pairs[index])
            return _fit(_pixels(picture)[None], size, channels)[0], *_label(label, classes)
        except (TypeError, ValueError, OSError) as error:  # the last: a broken file
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"item {index} of {name}: {error}") from error

    def read(rows: Tensor) -> Batch:
        images = torch.zeros(len(rows), channels, size, size, dtype=torch.float32)
        labels, captions = torch.zeros(len(rows), 1, dtype=torch.int64), []
        for i, index in enumerate(rows.tolist()):
            images[i], labels[i, 0], caption = one(index)
            captions.append(caption)
        return Batch(images, labels, captions)

    if len(pairs) == 0:
        raise ValueError(f"{name} is empty: it has no pictures")
    one(0)  # a set that cannot be read says so now, not in the middle of a lesson
    return _stored(name, size, channels, classes, len(pairs), read)


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
        picture = ImageOps.exif_transpose(picture)  # photographs lie on their side in the file
        if picture.has_transparency_data:  # what cannot be seen has colours, too
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture).convert("RGB")
        picture = np.array(picture.convert("L" if picture.mode in ("1", "L") else "RGB"))
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
    if not (low >= 0 and high <= 1):  # also true for nan
        raise ValueError(
            f"a float picture from {low:.3g} to {high:.3g}: give [0, 1], as ToTensor does "
            "(leave out Normalize: load moves pictures to [-1, 1] itself)"
        )
    return picture.float()


def _fit(pixels: Tensor, size: int, channels: int) -> Tensor:
    """(N, 1 or 3, H, W) in [0, 1] to (N, channels, size, size) in [-1, 1]; see `load` for how."""
    height, width = pixels.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    pixels = pixels[..., top : top + side, left : left + side]
    if side == 28 and size % 32 == 0:
        pixels = F.pad(pixels, (2, 2, 2, 2))
    if pixels.shape[-1] != size:
        pixels = F.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    return _with_channels(pixels.clamp(0, 1) * 2 - 1, channels)


def _with_channels(images: Tensor, channels: int) -> Tensor:
    """(..., 1 or 3, H, W) with the number of channels asked for; luminance of ITU-R BT.601."""
    if images.shape[-3] == channels:
        return images
    if channels == 3:
        return images.expand(*images.shape[:-3], 3, *images.shape[-2:]).contiguous()
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    return (images * weights).sum(-3, keepdim=True).clamp(-1, 1)
