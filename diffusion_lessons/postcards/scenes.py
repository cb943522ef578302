"""Scenes, the contents of postcards: the words of the world, and how scenes are sampled.

A scene has attributes, which a caption may name, and a row of dice, numbers in [0, 1) that decide
everything no caption names (where the horizon lies, how a cloud is shaped). Nothing else is random,
so the same scene always gives the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, product
from typing import TypedDict

import torch
from torch import Tensor

from diffusion_lessons import arguments

from .lexicon import VALUES

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
_COLUMNS = {
    name: slice(stop - width, stop)
    for (name, width), stop in zip(_DICE.items(), accumulate(_DICE.values()), strict=True)
}

_COLOURS = len(VALUES["colour"])
_RARE = torch.tensor([pair in HELD_OUT for pair in product(VALUES["object"], VALUES["colour"])])


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
        chosen = {name: value[rows] for name, value in self.attributes.items()}
        return Scenes(chosen, self.dice[rows])

    def roll(self, name: str) -> Tensor:
        """Return the dice called `name`, (N, width) in [0, 1)."""
        return self.dice[:, _COLUMNS[name]]


def kinds(scenes: Scenes) -> Tensor:
    """Return indices into `KINDS`, int64 (N,): one thing, one thing two or three times, or two."""
    single, group, pair = 0, 1, 2
    kind = torch.where(scenes.attributes["count"][:, 0] > 0, group, single)
    return torch.where(scenes.attributes["object"][:, 1] >= 0, pair, kind)


def concatenate(parts: list[Scenes]) -> Scenes:
    """Return the scenes of all `parts`, in order."""
    attributes = {name: torch.cat([part.attributes[name] for part in parts]) for name in VALUES}
    return Scenes(attributes, torch.cat([part.dice for part in parts]))


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
    seed = arguments.number("seed", seed, 0, 2**32 - 1)
    count = arguments.number("count", count, 0, 10**9)
    arguments.choice("split", split, SPLITS)
    arguments.choice("kind", kind, (*KINDS, None))
    dice = torch.rand(count, sum(_DICE.values()), generator=torch.Generator().manual_seed(seed))
    scenes = Scenes({}, dice)
    edges = torch.tensor([TRAINING_MIX[name] for name in KINDS]).cumsum(0)[:-1]
    which = torch.bucketize(scenes.roll("kind")[:, 0].contiguous(), edges, right=True)
    if kind is not None:
        which.fill_(KINDS.index(kind))
    group, pair = (which == KINDS.index(name) for name in ("group", "pair"))
    things = _types(scenes, split, pair)
    more = torch.where(group, 1 + _pick(scenes.roll("count")[:, 0], 2), 0)
    places = len(VALUES["position"])
    first, apart = _pick(scenes.roll("position"), torch.tensor([places, places - 1])).unbind(1)
    values = {
        "object": things // _COLOURS,
        "colour": things % _COLOURS,
        "size": _pick(scenes.roll("size"), len(VALUES["size"])),
        "position": torch.stack([first, (first + 1 + apart) % places], dim=1),
        "count": torch.stack([more, torch.zeros_like(more)], dim=1),
    }
    there = torch.stack([torch.ones_like(pair), pair], dim=1)
    scenery = {name: _pick(scenes.roll(name)[:, 0], len(VALUES[name])) for name in SCENE_ATTRIBUTES}
    return Scenes(scenery | {name: torch.where(there, values[name], -1) for name in values}, dice)


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
    several = any(thing.get("count") not in (None, "one") for thing in things)
    if len(things) == 2 and several:
        raise ValueError("two things, one of them more than once: a scene holds one of each")
    places = [thing.get("position") for thing in things]
    if len(things) == 2 and places[0] is not None and places[0] == places[1]:
        raise ValueError(f"both things are to be at {places[0]!r}: choose two different places")
    kind = "pair" if len(things) == 2 else "group" if several else "single"
    candidates = sample_scenes(4096, seed, split, kind)
    agreement, wanted = torch.zeros(len(candidates), dtype=torch.int64), []
    for slot, part in enumerate((description, *things), start=-1):
        for name in SCENE_ATTRIBUTES if slot < 0 else THING_ATTRIBUTES:
            if part.get(name) is None:
                continue
            column, value = candidates.attributes[name], VALUES[name].index(part[name])
            column = column if slot < 0 else column[:, slot]
            # A position counts most, else two things could land in one place; then an object or a
            # colour given without the other: overriding it could make a sampled pair a rare one.
            half = {"object": "colour", "colour": "object"}.get(name, name)
            weight = 100 if name == "position" else 10 if part.get(half) is None else 1
            agreement += weight * (column == value)
            wanted.append((column, value))
    row = int(agreement.argmax())
    for column, value in wanted:
        column[row] = value
    return candidates[row]


def _pick(dice: Tensor, choices: int | Tensor) -> Tensor:
    """Map numbers in [0, 1) to int64 in 0..choices-1, each equally likely."""
    return (dice * choices).long()


def _types(scenes: Scenes, split: str, pair: Tensor) -> Tensor:
    """Return object * number of colours + colour of both slots, int64 (N, 2), always different."""
    dice = scenes.roll("type")
    if split == "train":
        common = (~_RARE).nonzero()[:, 0]
        first = _pick(dice[:, 0], len(common))
        second = (first + 1 + _pick(dice[:, 1], len(common) - 1)) % len(common)
        return common[torch.stack([first, second], dim=1)]
    rare = _RARE.nonzero()[:, 0]
    certain = rare[_pick(dice[:, 0], len(rare))]
    other = (certain + 1 + _pick(dice[:, 1], len(_RARE) - 1)) % len(_RARE)
    swap = pair & (scenes.roll("rare")[:, 0] < 0.5)
    both = torch.stack([certain, other], dim=1)
    return torch.where(swap[:, None], both.flip(1), both)
