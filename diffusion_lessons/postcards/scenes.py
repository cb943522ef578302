"""Scenes, the contents of postcards: the words of the world, and how scenes are sampled.

A scene has attributes, which a caption may name, and a row of dice, numbers in [0, 1) that decide
everything no caption names (where the horizon lies, how a cloud is shaped). Nothing else is random,
so the same scene always gives the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import torch
from torch import Tensor

VALUES: dict[str, tuple[str, ...]] = {
    "sky": ("day", "dawn", "sunset", "night", "aurora"),
    "ground": ("grass", "sand", "snow", "sea"),
    "object": ("house", "tree", "boat", "balloon", "rocket", "mushroom", "cactus", "cat"),
    "colour": ("red", "orange", "yellow", "green", "blue", "purple", "pink"),
    "size": ("small", "large"),
    "position": ("left", "middle", "right"),
    "count": ("one", "two", "three"),
}
SCENE_ATTRIBUTES = ("sky", "ground")
THING_ATTRIBUTES = ("object", "colour", "size", "position", "count")
KINDS = ("single", "group", "pair")
SPLITS = ("train", "held_out")
TRAINING_MIX = {"single": 0.7, "group": 0.15, "pair": 0.15}

#: (object, colour) pairs that no thing has in split="train". Every object and every colour
#: is among them once or twice, so each word is seen in training, but never these two together.
HELD_OUT: frozenset[tuple[str, str]] = frozenset({
    ("house", "blue"), ("tree", "purple"), ("boat", "green"), ("balloon", "orange"),
    ("rocket", "yellow"), ("mushroom", "green"), ("cactus", "pink"), ("cat", "red"),
})  # fmt: skip

Thing = dict[str, "str | None"]


class Description(TypedDict):
    """Words for a scene, from a caption or a prompt; None for what is left open.

    `things` are 0 to 2 dicts from "object", "colour", "size", "position", "count" to word or None.
    """

    sky: str | None
    ground: str | None
    things: list[Thing]


def value_of(description: Mapping, name: str, slot: int | None = None) -> str | None:
    """Return the word for an attribute of the scene (slot None) or of one of its things.

    None stands for an attribute that is left open, and for one of a thing that is not there.
    """
    if slot is None:
        return description[name]
    return description["things"][slot][name] if slot < len(description["things"]) else None


# Numbers in [0, 1) for each choice: its name, and how many it takes.
_DICE = {
    "kind": 1, "sky": 1, "ground": 1, "type": 2, "size": 2, "position": 2, "count": 1, "rare": 1,
    "horizon": 1, "sun": 3, "clouds": 9, "hills": 4, "waves": 2, "tint": 3, "stars": 36,
    "aurora": 4, "hue": 2, "place": 4, "height": 2, "tilt": 6, "nudge": 6,
}  # fmt: skip
_COLUMNS: dict[str, slice] = {}
for _name, _width in _DICE.items():
    _start = max((column.stop for column in _COLUMNS.values()), default=0)
    _COLUMNS[_name] = slice(_start, _start + _width)

_COLOURS = len(VALUES["colour"])
_TYPES = torch.arange(len(VALUES["object"]) * _COLOURS)
_RARE = torch.tensor([
    (VALUES["object"][int(i) // _COLOURS], VALUES["colour"][int(i) % _COLOURS]) in HELD_OUT
    for i in _TYPES
])  # fmt: skip


@dataclass(frozen=True)
class Scenes:
    """N scenes. `scenes[i]`, `scenes[i:j]` and `scenes[mask]` are again `Scenes`.

    Attributes:
        attributes: name to int64 indices into `VALUES[name]`; (N,) for sky and ground, (N, 2) for
            those of things: slot 0 is the thing a caption names first, slot 1 holds -1 where
            there is no second thing. `count` is an index too: 0 stands for "one".
        dice: (N, D) numbers in [0, 1) that decide everything a caption does not name.
    """

    attributes: dict[str, Tensor]
    dice: Tensor

    def __len__(self) -> int:
        return self.dice.shape[0]

    def __getitem__(self, key: int | slice | Tensor) -> Scenes:
        rows = torch.arange(len(self))[key].reshape(-1)
        return Scenes(
            {name: value[rows] for name, value in self.attributes.items()}, self.dice[rows]
        )

    def roll(self, name: str) -> Tensor:
        """Return the dice called `name`, (N, width) in [0, 1)."""
        return self.dice[:, _COLUMNS[name]]


def attributes(scenes: Scenes) -> dict[str, Tensor]:
    """Return a copy of `Scenes.attributes`: the same tensors in a dict of its own."""
    return dict(scenes.attributes)


def kinds(scenes: Scenes) -> Tensor:
    """Return indices into `KINDS`, int64 (N,): one thing, one thing two or three times, or two."""
    single, group, pair = 0, 1, 2
    kind = torch.where(scenes.attributes["count"][:, 0] > 0, group, single)
    return torch.where(scenes.attributes["object"][:, 1] >= 0, pair, kind)


def concatenate(parts: list[Scenes]) -> Scenes:
    """Return the scenes of all `parts`, in order."""
    names = parts[0].attributes
    joined = {name: torch.cat([part.attributes[name] for part in parts]) for name in names}
    return Scenes(joined, torch.cat([part.dice for part in parts]))


def sample_scenes(count: int, seed: int, split: str = "train", kind: str | None = None) -> Scenes:
    """Sample `count` scenes. The first scenes of a seed do not depend on `count`.

    Args:
        count: how many, 0 or more.
        seed: 0 to 2**32 - 1 (torch's generator looks at 32 bits); the same seed, the same scenes.
        split: "train" (no thing has an (object, colour) pair of `HELD_OUT`) or "held_out" (at
            least one thing of every scene has one).
        kind: "single" (one thing, once), "group" (one thing, two or three times), "pair" (two
            different things), or None for the mix of `TRAINING_MIX`.

    Raises:
        ValueError: an unknown split or kind, a negative count, a seed out of range.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed}: it must lie between 0 and {2**32 - 1}")
    if count < 0:
        raise ValueError(f"count is {count}: it must be 0 or more")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}: choose one of {', '.join(SPLITS)}")
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind is {kind!r}: choose one of {', '.join(KINDS)}, or None for the mix")
    generator = torch.Generator().manual_seed(seed)
    dice = torch.rand(count, _COLUMNS["nudge"].stop, generator=generator)
    scenes = Scenes({}, dice)
    _, group, pair = _kind_masks(scenes.roll("kind")[:, 0], kind)
    things = _types(scenes, split, pair)
    there = torch.stack([torch.ones(count, dtype=torch.bool), pair], dim=1)
    count_0 = torch.where(group, 1 + _pick(scenes.roll("count")[:, 0], 2), 0)
    values = {
        "sky": _pick(scenes.roll("sky")[:, 0], len(VALUES["sky"])),
        "ground": _pick(scenes.roll("ground")[:, 0], len(VALUES["ground"])),
        "object": things // _COLOURS,
        "colour": things % _COLOURS,
        "size": _pick(scenes.roll("size"), len(VALUES["size"])),
        "position": _positions(scenes),
        "count": torch.stack([count_0, torch.zeros_like(count_0)], dim=1),
    }
    for name in THING_ATTRIBUTES:
        values[name] = torch.where(there, values[name], -1)
    return Scenes(values, dice)


def compose(description: Mapping, seed: int, split: str = "train") -> Scenes:
    """Return one scene that fits a description; whatever that leaves open is sampled.

    Args:
        description: as `parse` returns it; names may also be missing.
        seed: decides all that is left open.
        split: where a colour or an object that is left open comes from. What is described wins.

    Raises:
        ValueError: two things in the same place, or one of two things more than once.
    """
    things = list(description.get("things") or [{}])
    if len(things) == 2 and any(thing.get("count") not in (None, "one") for thing in things):
        raise ValueError("two things, one of them more than once: a scene holds one of each")
    many = len(things) == 1 and things[0].get("count") not in (None, "one")
    kind = "pair" if len(things) == 2 else "group" if many else "single"
    candidates = sample_scenes(4096, seed, split, kind)
    places = [thing.get("position") for thing in things]
    if len(things) == 2 and places[0] is not None and places[0] == places[1]:
        raise ValueError(f"both things are to be at {places[0]!r}: choose two different places")
    wanted: list[tuple[str, int | None, int, int]] = []
    for name, slot, source in (
        *((name, None, description) for name in SCENE_ATTRIBUTES),
        *((name, slot, thing) for slot, thing in enumerate(things) for name in THING_ATTRIBUTES),
    ):
        if source.get(name) is not None:
            wanted.append((name, slot, VALUES[name].index(source[name]), _weight(name, source)))
    agreement = torch.zeros(len(candidates), dtype=torch.int64)
    for name, slot, value, weight in wanted:
        agreement += weight * (_column(candidates, name, slot) == value)
    scene = candidates[int(agreement.argmax())]
    for name, slot, value, _ in wanted:
        _column(scene, name, slot).fill_(value)
    return scene


def _weight(name: str, source: Mapping) -> int:
    """Return how much it counts that a candidate in `compose` already has this attribute.

    A position counts most, else two things could land in one place; then an object or a colour
    given without the other, else overriding it could turn a sampled pair into a held-out one.
    """
    other = {"object": "colour", "colour": "object"}.get(name)
    if other is not None and source.get(other) is None:
        return 10
    return 100 if name == "position" else 1


def _column(scenes: Scenes, name: str, slot: int | None) -> Tensor:
    """Return a view of one attribute: of the scene (slot None) or of one of its things."""
    values = scenes.attributes[name]
    return values if slot is None else values[:, slot]


def _pick(dice: Tensor, choices: int) -> Tensor:
    """Map numbers in [0, 1) to int64 in 0..choices-1, each equally likely."""
    return (dice * choices).long()


def _kind_masks(dice: Tensor, kind: str | None) -> list[Tensor]:
    """Return for each kind a mask of the scenes that are of it, bool (N,)."""
    if kind is not None:
        return [torch.full(dice.shape, name == kind) for name in KINDS]
    edges = torch.tensor([TRAINING_MIX[name] for name in KINDS]).cumsum(0)[:-1]
    choice = torch.bucketize(dice.contiguous(), edges, right=True)
    return [choice == index for index in range(len(KINDS))]


def _types(scenes: Scenes, split: str, pair: Tensor) -> Tensor:
    """Return object * number of colours + colour of both slots, int64 (N, 2), always different."""
    dice = scenes.roll("type")
    common, rare = _TYPES[~_RARE], _TYPES[_RARE]
    if split == "train":
        first = _pick(dice[:, 0], len(common))
        second = (first + 1 + _pick(dice[:, 1], len(common) - 1)) % len(common)
        return common[torch.stack([first, second], dim=1)]
    certain = rare[_pick(dice[:, 0], len(rare))]
    other = (certain + 1 + _pick(dice[:, 1], len(_TYPES) - 1)) % len(_TYPES)
    swap = pair & (scenes.roll("rare")[:, 0] < 0.5)
    return torch.where(
        swap[:, None], torch.stack([other, certain], 1), torch.stack([certain, other], 1)
    )


def _positions(scenes: Scenes) -> Tensor:
    """Return two different positions, int64 (N, 2)."""
    dice, choices = scenes.roll("position"), len(VALUES["position"])
    first = _pick(dice[:, 0], choices)
    return torch.stack([first, (first + 1 + _pick(dice[:, 1], choices - 1)) % choices], dim=1)
