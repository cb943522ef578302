"""The layout of a postcard: the horizon, and each single object's place and height.

Units are picture widths: x runs from 0 (left) to 1 (right), y from 0 (top) to 1 (bottom).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .lexicon import VALUES
from .scenes import Scenes

# Width of each object when its height is 1, and how tall it is drawn compared with the others.
WIDTH = {
    "house": 1.04, "tree": 0.80, "boat": 1.04, "balloon": 0.72,
    "rocket": 0.62, "mushroom": 1.00, "cactus": 0.74, "cat": 0.84,
}  # fmt: skip
_STATURE = {
    "house": 0.86, "tree": 1.0, "boat": 0.92, "balloon": 1.06,
    "rocket": 1.06, "mushroom": 0.84, "cactus": 1.0, "cat": 0.92,
}  # fmt: skip
FLYING = {"balloon": 0.11, "rocket": 0.07}  # how far above its shadow it hangs

# Heights as (small, large); a group's members and a pair's things are drawn a little smaller.
_HEIGHT = {"one": (0.265, 0.50), "two": (0.225, 0.37), "three": (0.20, 0.315), "pair": (0.25, 0.42)}
# Where the middle of a thing stands for left, middle, right.
_PLACE = {"one": (0.25, 0.50, 0.75), "two": (0.30, 0.50, 0.70), "three": (0.33, 0.50, 0.67)}
# In a pair neighbours move apart, so that neither hides the other.
_PAIR_PLACE = {(0, 1): (0.21, 0.57), (1, 2): (0.43, 0.79), (0, 2): (0.23, 0.77)}
# Offsets of a group's members from its middle: sideways in widths, downwards in heights.
_MEMBERS: dict[str, list[tuple[float, float]]] = {
    "one": [(0, 0)],
    "two": [(-0.55, -0.06), (0.55, 0.06)],
    "three": [(-0.70, -0.14), (0.70, -0.10), (0.0, 0.17)],
}
_MARGIN = 0.035


@dataclass(frozen=True)
class Placed:
    """M single objects, one row each (a thing of count 3 has three rows).

    Attributes:
        scene, slot, object, colour: (M,) int64; `scene` says in which scene it stands.
        x, base, height, tilt: (M,) float32; middle, foot and height in picture widths, tilt in
            radians; `base` is where its shadow lies, a flying object hangs above it.
        depth: (M,) int64, the order of painting within its scene: 0 is farthest.
    """

    scene: Tensor
    slot: Tensor
    object: Tensor
    colour: Tensor
    x: Tensor
    base: Tensor
    height: Tensor
    tilt: Tensor
    depth: Tensor

    def __getitem__(self, rows: Tensor) -> Placed:
        return Placed(**{name: value[rows] for name, value in vars(self).items()})


def horizon(scenes: Scenes) -> Tensor:
    """Return the height of the horizon, float32 (N,), 0.50 to 0.62 from the top."""
    return 0.50 + 0.12 * scenes.roll("horizon")[:, 0]


def place(scenes: Scenes) -> Placed:
    """Put every object of every scene in its place."""
    n = len(scenes)
    slots, members = 2, 3
    arrange = _arrangement(scenes)
    per_object = {
        "scene": torch.arange(n).view(n, 1, 1).expand(n, slots, members),
        "slot": torch.arange(slots).view(1, slots, 1).expand(n, slots, members),
        "object": scenes.attributes["object"].unsqueeze(2).expand(n, slots, members),
        "colour": scenes.attributes["colour"].unsqueeze(2).expand(n, slots, members),
        **arrange,
    }
    number = scenes.attributes["count"].unsqueeze(2)
    there = torch.arange(members).view(1, 1, members) <= number
    far_first = torch.where(there, arrange["base"], 2.0).reshape(n, -1).argsort(dim=1, stable=True)
    per_object["depth"] = far_first.argsort(dim=1).view(n, slots, members)
    return Placed(**{name: value[there] for name, value in per_object.items()})


def _arrangement(scenes: Scenes) -> dict[str, Tensor]:
    """Return x, base, height and tilt of every possible member, each (N, 2 slots, 3 members)."""
    a, n = scenes.attributes, len(scenes)
    pair = (a["object"][:, 1] >= 0).long()
    crowd = torch.where(pair[:, None] > 0, 3, a["count"].clamp_min(0))  # (N, 2) row in the tables
    heights = torch.tensor([_HEIGHT[name] for name in ("one", "two", "three", "pair")])
    width, stature = (
        torch.tensor([t[o] for o in VALUES["object"]])[a["object"]] for t in (WIDTH, _STATURE)
    )
    height = heights[crowd, a["size"].clamp_min(0)] * stature * (0.95 + 0.1 * scenes.roll("height"))
    dice = scenes.roll("place").view(n, 2, 2)
    x = _middle(a["position"], crowd) + 0.045 * (dice[..., 0] - 0.5)
    reach = width * height * torch.tensor([0.5, 1.05, 1.20, 0.5])[crowd] + _MARGIN
    x = torch.minimum(torch.maximum(x, reach), 1 - reach)
    near = torch.where(a["size"] > 0, 0.81, 0.76) + 0.10 * dice[..., 1]
    offsets = torch.zeros(4, 3, 2)
    for row, members in enumerate(_MEMBERS.values()):
        offsets[row, : len(members)] = torch.tensor(members, dtype=torch.float32)
    dx, dy = offsets[crowd].unbind(-1)
    nudge = scenes.roll("nudge").view(n, 2, 3) - 0.5
    tall = height.unsqueeze(2).expand(n, 2, 3)
    return {
        "x": x.unsqueeze(2) + dx * (width * height).unsqueeze(2),
        "base": near.unsqueeze(2) + (dy + 0.05 * nudge * (crowd.unsqueeze(2) % 3 > 0)) * tall,
        "height": tall,
        "tilt": 0.12 * (scenes.roll("tilt").view(n, 2, 3) - 0.5),
    }


def _middle(position: Tensor, crowd: Tensor) -> Tensor:
    """Return where each thing's middle belongs, before jitter, (N, 2)."""
    alone = torch.tensor([_PLACE[name] for name in ("one", "two", "three", "one")])
    together = torch.zeros(3, 3, 2)
    for (left, right), places in _PAIR_PLACE.items():
        together[left, right] = torch.tensor(places)
        together[right, left] = torch.tensor(places[::-1])
    first, second = position.clamp_min(0).unbind(1)
    apart = together[first, second]
    return torch.where(crowd == 3, apart, alone[crowd, position.clamp_min(0)])
