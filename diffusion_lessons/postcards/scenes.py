"""What a postcard shows: the words of the world, and scenes sampled from them.

A scene is two things: its attributes, which a caption may name, and a row of dice, numbers in
[0, 1) that settle everything no caption names (where the horizon lies, how a cloud is shaped).
Nothing else is random, so the same scene always gives the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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

# One number in [0, 1) for each choice; the name says what it settles, the number how many.
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
            what a thing has: slot 0 is the thing a caption names first, slot 1 holds -1 where
            there is no second thing. `count` is an index too: 0 stands for "one".
        dice: (N, D) numbers in [0, 1) that settle everything a caption does not name.
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
        """The dice called `name`, (N, width) in [0, 1)."""
        return self.dice[:, _COLUMNS[name]]


def attributes(scenes: Scenes) -> dict[str, Tensor]:
    """What each scene shows, as indices into `VALUES`; shapes as in `Scenes.attributes`."""
    return dict(scenes.attributes)


def kinds(scenes: Scenes) -> Tensor:
    """(N,) int64 indices into `KINDS`: one thing, one thing two or three times, two things."""
    single, group, pair = 0, 1, 2
    kind = torch.where(scenes.attributes["count"][:, 0] > 0, group, single)
    return torch.where(scenes.attributes["object"][:, 1] >= 0, pair, kind)


def concatenate(parts: list[Scenes]) -> Scenes:
    """The scenes of all `parts`, in order."""
    names = parts[0].attributes
    joined = {name: torch.cat([part.attributes[name] for part in parts]) for name in names}
    return Scenes(joined, torch.cat([part.dice for part in parts]))


def sample_scenes(count: int, seed: int, split: str = "train", kind: str | None = None) -> Scenes:
    """`count` scenes drawn at random. The first scenes of a seed do not depend on `count`.

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


def compose(said: Mapping, seed: int, split: str = "train") -> Scenes:
    """One scene that shows what was said; whatever was not said is sampled from `split`.

    Args:
        said: as `parse` returns it: "sky" and "ground" a word or None, "things" a list of 0 to 2
            dicts from "object", "colour", "size", "position", "count" to a word or None.
        seed: settles all that was not said.
        split: from which split the unsaid colour or object comes. What was said always wins.

    Raises:
        ValueError: two things said to be in the same place, or one of two said to be many.
    """
    things = list(said.get("things") or [{}])
    if len(things) == 2 and any(thing.get("count") not in (None, "one") for thing in things):
        raise ValueError("two things are said, one of them more than once: say one of each")
    many = len(things) == 1 and things[0].get("count") not in (None, "one")
    kind = "pair" if len(things) == 2 else "group" if many else "single"
    candidates = sample_scenes(4096, seed, split, kind)
    places = [thing.get("position") for thing in things]
    if len(things) == 2 and places[0] is not None and places[0] == places[1]:
        raise ValueError(
            f"both things are said to be at {places[0]!r}: choose two different places"
        )
    asked: list[tuple[str, int | None, Mapping, int]]
    asked = [(name, None, said, 1) for name in SCENE_ATTRIBUTES]
    for place, thing in enumerate(things):
        asked += [(name, place, thing, _care(name, thing)) for name in THING_ATTRIBUTES]
    wanted = [
        (name, slot, VALUES[name].index(source[name]), care)
        for name, slot, source, care in asked
        if source.get(name) is not None
    ]
    agreement = torch.zeros(len(candidates), dtype=torch.int64)
    for name, slot, value, care in wanted:
        agreement += care * (_column(candidates, name, slot) == value)
    scene = candidates[int(agreement.argmax())]
    for name, slot, value, _ in wanted:
        _column(scene, name, slot).fill_(value)
    return scene


def _care(name: str, thing: Mapping) -> int:
    """How much a candidate in `compose` must agree already, before the rest is overridden.

    A position first, else two things could land in one place; then an object or a colour said
    without the other, else overriding it could turn a sampled pair into a held-out one.
    """
    other = {"object": "colour", "colour": "object"}.get(name)
    if other is not None and thing.get(other) is None:
        return 10
    return 100 if name == "position" else 1


def _column(scenes: Scenes, name: str, slot: int | None) -> Tensor:
    """A view of one attribute: of the scene (slot None) or of one of its things."""
    values = scenes.attributes[name]
    return values if slot is None else values[:, slot]


def _pick(dice: Tensor, choices: int) -> Tensor:
    """Numbers in [0, 1) to int64 in 0..choices-1, each equally likely."""
    return (dice * choices).long()


def _kind_masks(dice: Tensor, kind: str | None) -> list[Tensor]:
    """For each kind a (N,) bool mask of the scenes that are of it."""
    if kind is not None:
        return [torch.full(dice.shape, name == kind) for name in KINDS]
    edges = torch.tensor([TRAINING_MIX[name] for name in KINDS]).cumsum(0)[:-1]
    choice = torch.bucketize(dice.contiguous(), edges, right=True)
    return [choice == index for index in range(len(KINDS))]


def _types(scenes: Scenes, split: str, pair: Tensor) -> Tensor:
    """(N, 2) int64: object * number of colours + colour, for both slots, never the same twice."""
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
    """(N, 2) int64: two different positions."""
    dice, choices = scenes.roll("position"), len(VALUES["position"])
    first = _pick(dice[:, 0], choices)
    return torch.stack([first, (first + 1 + _pick(dice[:, 1], choices - 1)) % choices], dim=1)
