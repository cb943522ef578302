"""The layout of a postcard: the horizon, and each single object's place and height.

Units are picture widths: x runs from 0 (left) to 1 (right), y from 0 (top) to 1 (bottom).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .lexicon import VALUES
from .scenes import Scenes

# Of each object: its width when its height is 1, how tall it is drawn compared with the others, and
# how far above its shadow it hangs.
_OBJECTS = {
    "house": (1.04, 0.86, 0), "tree": (0.80, 1.0, 0), "boat": (1.04, 0.92, 0),
    "balloon": (0.72, 1.06, 0.11), "rocket": (0.62, 1.06, 0.07), "mushroom": (1.00, 0.84, 0),
    "cactus": (0.74, 1.0, 0), "cat": (0.84, 0.92, 0),
}  # fmt: skip
WIDTH, _STATURE, LIFT = torch.tensor([_OBJECTS[name] for name in VALUES["object"]]).unbind(1)

# The rows of these tables: a thing once, twice, three times, and as a part of a pair.
# Heights as (small, large); a group's members and a pair's things are drawn a little smaller.
_HEIGHT = torch.tensor([[0.265, 0.50], [0.225, 0.37], [0.20, 0.315], [0.25, 0.42]])
# How far it reaches to each side, in widths.
_REACH = torch.tensor([0.5, 1.05, 1.20, 0.5])
# Offsets of a group's members from its middle: sideways in widths, downwards in heights.
_MEMBERS = torch.tensor([
    [[0, 0], [0, 0], [0, 0]], [[-0.55, -0.06], [0.55, 0.06], [0, 0]],
    [[-0.70, -0.14], [0.70, -0.10], [0, 0.17]], [[0, 0], [0, 0], [0, 0]],
])  # fmt: skip
# Where the middle of a thing stands for left, middle, right; that of a pair's depends on the other.
_PLACE = torch.tensor([[0.25, 0.50, 0.75], [0.30, 0.50, 0.70], [0.33, 0.50, 0.67]])
# In a pair neighbours move apart, so that neither hides the other: by the place of this and that.
_APART = torch.tensor([[0, 0.21, 0.23], [0.57, 0, 0.43], [0.77, 0.79, 0]])
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
    a, n = scenes.attributes, len(scenes)
    pair = a["object"][:, 1:] >= 0
    crowd = torch.where(pair, 3, a["count"].clamp_min(0))  # (N, 2), a row of the tables
    width = WIDTH[a["object"]]
    height = _HEIGHT[crowd, a["size"].clamp_min(0)] * _STATURE[a["object"]]
    height = height * (0.95 + 0.1 * scenes.roll("height"))
    position, dice = a["position"].clamp_min(0), scenes.roll("place").view(n, 2, 2)
    alone = _PLACE[crowd % 3, position]
    x = torch.where(pair, _APART[position, position.flip(1)], alone) + 0.045 * (dice[..., 0] - 0.5)
    reach = width * height * _REACH[crowd] + _MARGIN
    x = torch.minimum(torch.maximum(x, reach), 1 - reach)
    near = torch.where(a["size"] > 0, 0.81, 0.76) + 0.10 * dice[..., 1]
    # From here on (N, 2 slots, 3 members), whether there or not.
    dx, dy = _MEMBERS[crowd].unbind(-1)
    tall = height.unsqueeze(2).expand(n, 2, 3)
    nudge, tilt = (scenes.roll(name).view(n, 2, 3) - 0.5 for name in ("nudge", "tilt"))
    base = near.unsqueeze(2) + (dy + 0.05 * nudge * (crowd.unsqueeze(2) % 3 > 0)) * tall
    there = torch.arange(3) <= a["count"].unsqueeze(2)
    far_first = torch.where(there, base, 2.0).flatten(1).argsort(dim=1, stable=True)
    per_object = {
        "scene": torch.arange(n).view(n, 1, 1).expand(n, 2, 3),
        "slot": torch.arange(2).view(1, 2, 1).expand(n, 2, 3),
        "object": a["object"].unsqueeze(2).expand(n, 2, 3),
        "colour": a["colour"].unsqueeze(2).expand(n, 2, 3),
        "x": x.unsqueeze(2) + dx * (width * height).unsqueeze(2),
        "base": base,
        "height": tall,
        "tilt": 0.12 * tilt,
        "depth": far_first.argsort(dim=1).view(n, 2, 3),
    }
    return Placed(**{name: value[there] for name, value in per_object.items()})
