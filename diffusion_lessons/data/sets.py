"""Any data set in the shape a lesson wants: square pictures in [-1, 1] with labels and captions.

`load("postcards")`, `load("fashion-mnist")` and `load(my_own_data_set)` give the same kind of
object, so a lesson changes its data set by one argument. What cannot be had is never replaced.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor

from diffusion_lessons import arguments, postcards
from diffusion_lessons.postcards import VALUES, Scenes, words

from . import fashion
from .pixels import fit, read_pixels, with_channels

MAX_SEED = 2**31
"""Seeds are below it; postcards of the test split are drawn from those above. torch's generator on
the CPU tells apart only seeds below 2**32."""
_SEEDS_OF_A_TRAINING = 1_000_003
_AT_A_TIME = 2048  # pictures of Fashion-MNIST that are resized together


@dataclass(frozen=True)
class _World:
    """A part of the postcards: the kind of scene, what labels tell, what is the same in all."""

    kind: str | None
    factors: tuple[str, ...]
    fixed: dict[str, str]


_SINGLE = ("object", "colour", "size", "position", "sky", "ground")
_SPRITE = {"sky": "day", "ground": "grass", "size": "large", "position": "middle"}
_WORLDS = {
    "postcards": _World(None, (*_SINGLE[:4], "count", *_SINGLE[4:]), {}),
    "single-postcards": _World("single", _SINGLE, {}),
    "sprites": _World("single", ("object", "colour"), _SPRITE),
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
        weight: of each number's error, the shape of x_0, where they do not all count alike.
    """

    x_0: Tensor
    given: Tensor
    captions: list[str]
    weight: Tensor | None = None


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
    _make: Callable[..., Batch]  # of the indices of pictures; of count and seed in an endless set

    def sample(self, count: int, seed: int) -> Batch:
        """`count` pictures at random, none of them twice; the same seed gives the same ones.

        Raises ValueError for more than there are, and for a `seed` not in 0..2**31 - 1.
        """
        count, seed = self._fitting(count, 0, seed, MAX_SEED - 1)
        if self.count is None:
            return self._make(count, seed)
        return self._make(_shuffled(self.count, seed)[:count])

    def all(self) -> Batch:
        """Every picture of the set, in its own order. Raises ValueError where there is no end."""
        if self.count is None:
            hint = "ask for as many as you need, such as sample(1000, seed=0)"
            raise ValueError(f"{self.name} has no end, so there is no `all`: {hint}")
        return self._make(torch.arange(self.count))

    def batches(self, count: int, seed: int) -> Callable[[int], Batch]:
        """The pictures for each step of a training, as a function of the step's number.

        They follow from `seed` and that number alone, so a training can stop and go on. An endless
        set gives fresh ones at each step. Of another set every picture comes once, in random
        order, before any comes again (but the rest that fills no batch is left out that time).
        Raises ValueError for more than there are, and for a `seed` not in 0..2000 (each has seeds
        of its own for 1,000,003 steps).
        """
        count, seed = self._fitting(count, 1, seed, 2000)
        first = seed * _SEEDS_OF_A_TRAINING
        if self.count is None:
            return lambda step: self.sample(count, first + step)
        order, a_round = functools.lru_cache(maxsize=1)(_shuffled), self.count // count

        def batch(step: int) -> Batch:
            turn, place = divmod(step, a_round)
            return self._make(order(self.count, first + turn)[place * count : (place + 1) * count])

        return batch

    def _fitting(self, count: int, least: int, seed: int, largest: int) -> tuple[int, int]:
        hint = "" if self.count is None else f", all that {self.name} has"
        most = MAX_SEED if self.count is None else self.count
        seed = arguments.number("seed", seed, 0, largest)
        return arguments.number("count", count, least, most, hint), seed


def _shuffled(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def load(data: str | Any, size: int = 64, channels: int = 3, split: str = "train") -> PictureSet:
    """A data set whose pictures are float32 in [-1, 1], shape (channels, size, size).

    Args:
        data: "postcards" (endless; labels tell of the thing that a caption names first),
            "single-postcards" (those with one thing, once), "sprites" (of those, the large ones in
            the middle, on grass by day), "fashion-mnist" (through torchvision) or your own, in
            torchvision's manner: `len(data)`, and `data[i]` a pair (picture, label). A picture is
            a PIL image, a tensor (C, H, W) or (H, W), or an array (H, W) or (H, W, C); uint8, or
            float in [0, 1]. A label is a caption, or an int that `data.classes` may name.
        size: side in pixels. A picture that is not square loses the ends of its longer side; one
            of 28x28 first gets a black border to 32x32 when `size` is 32, 64, 96...; then it is
            resized (bilinear, antialiased).
        channels: 3 (grey is repeated) or 1 (colour becomes luminance, ITU-R BT.601).
        split: "train" or "test"; of your own data set, pass the part you want.

    Raises ValueError or TypeError for what does not fit, DataUnavailable as `fashion_mnist` does.
    """
    size = arguments.number("size", size, 1, 4096, ", a side in pixels")
    channels = arguments.number("channels", channels, 1, 3, ": 3 (colour) or 1 (grey)")
    arguments.choice("channels", channels, (3, 1))
    arguments.choice("split", split, ("train", "test"))
    if isinstance(data, str):
        name = data.lower().replace("_", "-")
        if name in NAMES:
            return (_drawn if name in _WORLDS else _fashion_mnist)(name, size, channels, split)
        near = get_close_matches(name, NAMES, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown data set {data!r}: {hint}There are {', '.join(NAMES)}")
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")) or isinstance(data, Tensor):
        hint = "an object with len(data) and data[i] -> (picture, label)"
        names = ", ".join(NAMES)
        raise TypeError(f"a {type(data).__name__} is no data set: give one of {names}, or {hint}")
    if split != "train":
        raise ValueError("split='test' is for named data sets; pass the test part of your own one")
    return _own(data, size, channels)


def sample_scenes(name: str, count: int, seed: int, split: str = "train") -> Scenes:
    """What `load(name, split=split).sample(count, seed)` shows, for judging or drawing it again.

    name: "postcards", "single-postcards" or "sprites". No (object, colour) pair of
    `postcards.HELD_OUT` is among them, in either split: the splits draw from seeds that they do
    not share.
    """
    arguments.choice("name", name, tuple(_WORLDS))
    seed = arguments.number("seed", seed, 0, MAX_SEED - 1)
    world = _WORLDS[name]
    scenes = postcards.sample_scenes(count, seed + MAX_SEED * (split == "test"), kind=world.kind)
    for attribute, word in world.fixed.items():
        values = scenes.attributes[attribute]
        values[values >= 0] = VALUES[attribute].index(word)
    return scenes


def labels(name: str, scenes: Scenes) -> Tensor:
    """What the labels of the set `name` tell of scenes, int64 (N, K): of the first thing."""
    columns = [scenes.attributes[factor] for factor in _WORLDS[name].factors]
    return torch.stack([values if values.dim() == 1 else values[:, 0] for values in columns], dim=1)


def _drawn(name: str, size: int, channels: int, split: str) -> PictureSet:
    """Postcards, all of them or a part; the pictures are drawn when they are asked for."""

    def make(count: int, seed: int) -> Batch:
        scenes = sample_scenes(name, count, seed, split)
        images = with_channels(postcards.draw(scenes, size).float(), channels)
        captions = words.captions(scenes, seed + MAX_SEED * (split == "test"))
        return Batch(images, labels(name, scenes), captions)

    make(0, 0)  # a size that cannot be drawn is refused now
    factors = {factor: VALUES[factor] for factor in _WORLDS[name].factors}
    return PictureSet(name, size, channels, factors, None, make)


def _fashion_mnist(name: str, size: int, channels: int, split: str) -> PictureSet:
    """Fashion-MNIST, many pictures at a time."""
    pixels, targets, classes = fashion.fashion_mnist(split)

    def make(rows: Tensor) -> Batch:
        images = torch.zeros(len(rows), channels, size, size, dtype=torch.float32)
        for part, place in zip(rows.split(_AT_A_TIME), images.split(_AT_A_TIME), strict=True):
            place[:] = fit(pixels[part, None].float() / 255, size, channels)
        found = targets[rows]
        return Batch(images, found[:, None], [classes[label] for label in found.tolist()])

    return PictureSet(name, size, channels, {"class": classes}, len(pixels), make)


def _own(pairs: Any, size: int, channels: int) -> PictureSet:
    """A learner's set of (picture, label) pairs, read one by one when they are asked for."""
    name, classes = type(pairs).__name__, _classes(pairs)

    def read(index: int) -> tuple[Tensor, int, str]:
        try:
            picture, label = _pair(pairs[index])
            return fit(read_pixels(picture)[None], size, channels)[0], *_label(label, classes)
        except Exception as error:  # a broken file has many: OSError, SyntaxError, EOFError...
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"item {index} of {name}{_file(pairs, index)}: {error}") from error

    def make(rows: Tensor) -> Batch:
        images = torch.zeros(len(rows), channels, size, size, dtype=torch.float32)
        given, captions = torch.zeros(len(rows), 1, dtype=torch.int64), [""] * len(rows)
        for i, index in enumerate(rows.tolist()):
            images[i], given[i, 0], captions[i] = read(index)
        return Batch(images, given, captions)

    if len(pairs) == 0:
        raise ValueError(f"{name} is empty: it has no pictures")
    read(0)  # a set that cannot be read says so now, not in the middle of a lesson
    return PictureSet(name, size, channels, {"class": classes}, len(pairs), make)


def _classes(pairs: Any) -> tuple[str, ...]:
    """The names of the classes, also where one set is wrapped in another, or several are joined."""
    if (own := getattr(pairs, "classes", None)) is not None:
        return tuple(map(str, own))
    inside = getattr(pairs, "datasets", None) or [getattr(pairs, "dataset", None)]
    found = {() if one is None else _classes(one) for one in inside}
    return found.pop() if len(found) == 1 else ()


def _file(pairs: Any, index: int) -> str:
    """The name of an item's file, in brackets, where a folder of pictures says it."""
    while hasattr(pairs, "indices") and hasattr(pairs, "dataset"):
        pairs, index = pairs.dataset, pairs.indices[index]
    samples = getattr(pairs, "samples", None)
    return f" ({samples[index][0]})" if isinstance(samples, list) else ""


def _pair(item: Any) -> tuple[Any, Any]:
    """The picture and the label of one item."""
    if isinstance(item, (tuple, list)) and len(item) == 2:
        return item[0], item[1]
    kind = f"{len(item)} parts" if isinstance(item, (tuple, list)) else type(item).__name__
    raise TypeError(f"an item is a pair (picture, label), and this one is {kind}")


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
