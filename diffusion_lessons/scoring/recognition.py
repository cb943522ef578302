"""Recognising what a postcard shows, in the attributes that it was drawn from.

A picture does not tell which of two things its caption names first. So a reading goes by place:
left, middle, right. `by_place` brings the truth into that form.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import postcards
from diffusion_lessons.postcards import VALUES, Scenes

from .evaluator import Evaluator
from .networks import Judge, Reader, Recogniser
from .statistics import share

#: The two networks that ship, by the name of their weights. "judge" is for measuring only.
NETWORKS: dict[str, type[Recogniser] | type[Judge]] = {"recogniser": Recogniser, "judge": Judge}
SIZE = 64  # width and height of the pictures that the networks look at

#: Kinds of scene that are scored: name -> (split, kind) of `postcards.sample_scenes`.
SCENE_KINDS: dict[str, tuple[str, str | None]] = {
    "single": ("train", "single"), "single, held-out pairs": ("held_out", "single"),
    "group": ("train", "group"), "pair": ("train", "pair"),
}  # fmt: skip

Reading = dict[str, Tensor]
Condition = Callable[[Scenes, torch.Generator], Tensor]
_PLACES = len(VALUES["position"])
# Logits of each place: nothing, one, two or three, then what it is.
_AT_A_PLACE = {"count": len(VALUES["count"]) + 1} | {
    name: len(VALUES[name]) for name in ("object", "colour", "size")
}
_OF_THE_SCENE = {name: len(VALUES[name]) for name in ("sky", "ground")}
OUTPUTS = sum(_OF_THE_SCENE.values()) + _PLACES * sum(_AT_A_PLACE.values())


def by_place(attributes: dict[str, Tensor]) -> Reading:
    """Bring the truth about scenes (`postcards.attributes`) into the form of a reading.

    Returns:
        name to int64: (N,) for sky and ground; (N, 3) for count, object, colour and size of what
        stands at left, middle and right, as indices into `VALUES`, -1 where nothing stands.
    """
    position = attributes["position"]
    rows = torch.arange(len(position))
    reading = {name: attributes[name].clone() for name in _OF_THE_SCENE}
    for name in _AT_A_PLACE:
        reading[name] = torch.full((len(position), _PLACES), -1)
        for slot in range(position.shape[1]):
            there = position[:, slot] >= 0
            reading[name][rows[there], position[there, slot]] = attributes[name][there, slot]
    return reading


def split_logits(logits: Tensor) -> dict[str, Tensor]:
    """Split (N, OUTPUTS) by name: (N, values) for sky and ground, else (N, 3 places, values)."""
    widths = [*_OF_THE_SCENE.values(), *(_PLACES * width for width in _AT_A_PLACE.values())]
    parts = dict(zip((*_OF_THE_SCENE, *_AT_A_PLACE), logits.split(widths, dim=1), strict=True))
    return {
        name: part.view(len(part), _PLACES, -1) if name in _AT_A_PLACE else part
        for name, part in parts.items()
    }


def agreement(reading: Reading, truth: Reading) -> dict[str, Tensor]:
    """Compare readings with the truth: name to bool (N,), "all" for everything at once.

    "position" is right when something stands exactly where something should; a thing's object,
    colour, size and count are right when they are so at every place where a thing should stand.
    """
    should = truth["count"] >= 0
    right = {name: reading[name] == truth[name] for name in _OF_THE_SCENE}
    for name in ("object", "colour", "size", "count"):
        right[name] = ((reading[name] == truth[name]) | ~should).all(dim=1)
    right["position"] = ((reading["count"] >= 0) == should).all(dim=1)
    right["all"] = torch.stack(list(right.values())).all(dim=0)
    return right


def reading_loss(logits: Tensor, truth: Reading) -> Tensor:
    """Return the cross-entropy of everything; at an empty place only that it is empty counts."""
    parts = split_logits(logits)
    loss = sum(functional.cross_entropy(parts[name], truth[name]) for name in _OF_THE_SCENE)
    loss = loss + functional.cross_entropy(
        parts["count"].flatten(0, 1), truth["count"].flatten() + 1
    )
    for name in ("object", "colour", "size"):
        loss = loss + functional.cross_entropy(
            parts[name].flatten(0, 1), truth[name].flatten(), ignore_index=-1
        )
    return loss


def blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur each picture with its own Gaussian, `sigma` (N,) in pixels; 0 leaves it as it is."""
    reach = 2 * int(sigma.max().ceil()) + 1
    offsets = torch.arange(-reach, reach + 1)
    weight = torch.exp(-0.5 * (offsets / sigma.clamp_min(1e-3)[:, None]) ** 2)
    weight = (weight / weight.sum(1, keepdim=True)).repeat_interleave(images.shape[1], 0)
    flat = images.reshape(1, -1, *images.shape[2:])
    flat = functional.pad(flat, (reach,) * 4, mode="replicate")
    flat = functional.conv2d(flat, weight[:, None, None, :], groups=len(weight))
    return functional.conv2d(flat, weight[:, None, :, None], groups=len(weight)).view_as(images)


def imperfect(images: Tensor, generator: torch.Generator) -> Tensor:
    """Spoil pictures for training as a model might: some blurred, some noisy, some coarse."""
    dice = torch.rand(3, len(images), generator=generator)
    images = blurred(images, torch.where(dice[0] < 0.3, 1.2 * (dice[0] / 0.3), 0.0))
    small = functional.interpolate(images, scale_factor=0.5, mode="bilinear", antialias=True)
    coarse = functional.interpolate(small, size=images.shape[2:], mode="bilinear")
    images = torch.where(dice[1].view(-1, 1, 1, 1) < 0.15, coarse, images)
    strength = torch.where(dice[2] < 0.4, 0.25 * dice[2] / 0.4, 0.0).view(-1, 1, 1, 1)
    return images + strength * torch.randn(images.shape, generator=generator)


def every_pair(count: int, seed: int) -> Scenes:
    """Sample the training mix, with the held-out pairs as frequent as any other pair.

    A judge has to read what a model should never have seen: trained on the training split alone,
    the judge read 100 % of its single scenes right, and only 76 % of the held-out ones.
    """
    colours, objects = len(VALUES["colour"]), len(VALUES["object"])
    rare = round(count * len(postcards.HELD_OUT) / (colours * objects))
    return postcards.concatenate([
        postcards.sample_scenes(count - rare, seed, "train"),
        postcards.sample_scenes(rare, 2**30 + seed, "held_out"),
    ])  # fmt: skip


def spoiled_conditions() -> dict[str, Condition]:
    """Return, by name, ways to spoil pictures: as drawn, smaller, blurred, noisy, covered."""

    def blur(sigma: float, scenes: Scenes, _: torch.Generator) -> Tensor:
        return blurred(postcards.draw(scenes), torch.full((len(scenes),), sigma))

    def noise(std: float, scenes: Scenes, generator: torch.Generator) -> Tensor:
        images = postcards.draw(scenes)
        return images + std * torch.randn(images.shape, generator=generator)

    return {
        "as drawn": lambda scenes, _: postcards.draw(scenes),
        "drawn at 32x32": lambda scenes, _: postcards.draw(scenes, 32),
        **{
            text.format(strength): functools.partial(spoil, strength)
            for text, spoil, strengths in (
                ("blurred, sigma {} pixels", blur, (0.5, 1.0, 1.5, 2.0, 3.0)),
                ("noise of standard deviation {}", noise, (0.1, 0.2, 0.3, 0.5)),
                ("{:.0%} of the thing covered", covered, (0.25, 0.5)),
            )
            for strength in strengths
        },
    }


def covered(part: float, scenes: Scenes, generator: torch.Generator) -> Tensor:
    """Draw the scenes with a grey bar over a part of the things' width, from a random side."""
    images, mask = postcards.draw(scenes), postcards.object_mask(scenes)
    columns = mask.any(dim=2, keepdim=True).expand_as(mask)
    lines = mask.any(dim=3, keepdim=True).expand_as(mask)
    done = columns.long().cumsum(3) / columns.long().sum(3, keepdim=True).clamp_min(1)
    left = torch.rand(len(scenes), 1, 1, 1, generator=generator) < 0.5
    bar = columns & lines & torch.where(left, done <= part, done > 1 - part)
    return torch.where(bar, 0.0, images)


class PostcardEvaluator(Evaluator[Reader]):
    """One of the recognisers: says what a picture (3, H, W) shows, by place (see `by_place`)."""

    at_once = 32  # each picture takes megabytes while it is read
    fitting: ClassVar = {
        "weight_decay": 0.02, "betas": (0.9, 0.999), "warm_up": 0.05, "fused": False,
    }  # fmt: skip

    def prepare(self, images: Tensor) -> Tensor:
        """Return the pictures at the size the recognisers look at, 64x64, resized smoothly."""
        if images.shape[-1] == SIZE:
            return images
        return functional.interpolate(images, size=(SIZE, SIZE), mode="bilinear", antialias=True)

    def read(self, images: Tensor) -> Reading:
        """Say what each picture (N, 3, H, W) in [-1, 1] shows, by place."""
        logits = split_logits(self.logits(images))
        reading = {name: value.argmax(-1) for name, value in logits.items()}
        reading["count"] = reading["count"] - 1  # 0 is "nothing here"
        for name in ("object", "colour", "size"):
            reading[name] = torch.where(reading["count"] >= 0, reading[name], -1)
        return reading

    def loss(self, step: int, batch: int, seed: int, *examples: Tensor) -> Tensor:
        """Return the `reading_loss` on freshly drawn scenes of every pair, some spoiled."""
        device = next(self.network.parameters()).device
        own_seed = seed * 1_000_003 + step
        scenes = every_pair(batch, own_seed)
        faults = torch.Generator().manual_seed(2**31 + own_seed)
        images = imperfect(postcards.draw(scenes), faults).to(device)
        truth = by_place(postcards.attributes(scenes))
        truth = {name: value.to(device) for name, value in truth.items()}
        return reading_loss(self.network(images), truth)

    def report(self, count: int, seed: int) -> dict[str, dict]:
        """Measure how often fresh pictures are read right, with 95 % intervals: a card's table.

        Kinds of scene as drawn, then single scenes spoiled in several ways, `count` pictures each.
        Scenes and noise come from `seed` and the two after it, which training must not have used.
        """
        rows = {}
        for name, (split, kind) in {**SCENE_KINDS, "training mix": ("train", None)}.items():
            scenes = postcards.sample_scenes(count, seed, split, kind)
            rows[name] = self._row(scenes, postcards.draw(scenes))
        scenes = postcards.sample_scenes(count, seed + 1, "train", "single")
        for name, spoil in spoiled_conditions().items():
            generator = torch.Generator().manual_seed(seed + 2)
            rows[f"single, {name}"] = self._row(scenes, spoil(scenes, generator))
        return rows

    def _row(self, scenes: Scenes, images: Tensor) -> dict:
        right = agreement(self.read(images), by_place(postcards.attributes(scenes)))
        shares = {name: round(float(value.float().mean()), 4) for name, value in right.items()}
        return {"pictures": len(scenes), **shares, **share("all", right["all"])}


@functools.cache
def load(name: str) -> PostcardEvaluator:
    """Return a shipped network, "recogniser" or "judge", ready to read pictures on the CPU.

    Raises:
        ValueError: an unknown name.
        workspace.DamagedFile: its weights are missing or not whole.
    """
    if name not in NETWORKS:
        raise ValueError(f"no network {name!r}: choose one of {', '.join(NETWORKS)}")
    return PostcardEvaluator(NETWORKS[name](OUTPUTS)).load(name)
