"""Reading a postcard: what a picture shows, said in the same words that made it.

A picture does not tell which of two things its caption names first. So a reading goes by place:
what stands at the left, in the middle, at the right. `by_place` brings the truth into that form.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion_lessons import postcards, workspace
from diffusion_lessons.postcards import VALUES, Scenes
from diffusion_lessons.training.fit import Fit

from .networks import Judge, Reader, Recogniser
from .statistics import wilson

#: The two networks that ship, by the name of their weights. "judge" is for measuring only.
NETWORKS: dict[str, type[Recogniser] | type[Judge]] = {"recogniser": Recogniser, "judge": Judge}
SIZE = 64  # the recognisers look at 64x64; other sizes are resized first
AT_ONCE = 32  # pictures that are read together: each takes megabytes while it is read

Reading = dict[str, Tensor]
_PLACES = len(VALUES["position"])
# Logits of each place: nothing, one, two or three, then what it is.
_AT_A_PLACE = {"count": len(VALUES["count"]) + 1} | {
    name: len(VALUES[name]) for name in ("object", "colour", "size")
}
_OF_THE_SCENE = {name: len(VALUES[name]) for name in ("sky", "ground")}
OUTPUTS = sum(_OF_THE_SCENE.values()) + _PLACES * sum(_AT_A_PLACE.values())


def by_place(attributes: dict[str, Tensor]) -> Reading:
    """The truth about scenes (`postcards.attributes`) in the form of a reading.

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


@functools.cache
def load(name: str) -> Reader:
    """The shipped network `name`, "recogniser" or "judge", ready to read on the CPU.

    Raises:
        ValueError: an unknown name.
        workspace.DamagedFile: its weights are missing or not whole.
    """
    if name not in NETWORKS:
        raise ValueError(f"no network {name!r}: choose one of {', '.join(NETWORKS)}")
    model = NETWORKS[name](OUTPUTS)
    tensors, _ = workspace.load_weights(name)
    workspace.fit_weights(model, tensors, name)
    return model.eval().requires_grad_(False)


def read(images: Tensor, model: Reader) -> Reading:
    """What each picture shows, by place (as in `by_place`).

    Args:
        images: (N, 3, H, W) in [-1, 1]; sizes other than 64 are resized smoothly first.
        model: a network as `load` gives it.
    """
    with torch.inference_mode():
        parts = [model(resized(batch)) for batch in images.split(AT_ONCE)]
    logits = split_logits(torch.cat(parts))
    reading = {name: value.argmax(-1) for name, value in logits.items()}
    reading["count"] = reading["count"] - 1  # 0 is "nothing here"
    for name in ("object", "colour", "size"):
        reading[name] = torch.where(reading["count"] >= 0, reading[name], -1)
    return reading


def features(images: Tensor, model: Reader) -> Tensor:
    """What the last layer of a network sees of each picture: (N, 192); arguments as in `read`."""
    with torch.inference_mode():
        return torch.cat([model.features(resized(batch)) for batch in images.split(AT_ONCE)])


def resized(images: Tensor) -> Tensor:
    """Pictures at the size the recognisers look at."""
    if images.shape[-1] == SIZE:
        return images
    return functional.interpolate(images, size=(SIZE, SIZE), mode="bilinear", antialias=True)


def split_logits(logits: Tensor) -> dict[str, Tensor]:
    """(N, OUTPUTS) to name: (N, choices) for sky and ground, else (N, 3 places, choices)."""
    widths = [*_OF_THE_SCENE.values(), *(_PLACES * width for width in _AT_A_PLACE.values())]
    parts = dict(zip((*_OF_THE_SCENE, *_AT_A_PLACE), logits.split(widths, dim=1), strict=True))
    return {
        name: part.view(len(part), _PLACES, -1) if name in _AT_A_PLACE else part
        for name, part in parts.items()
    }


def agreement(reading: Reading, truth: Reading) -> dict[str, Tensor]:
    """For each picture, what was read right: name to bool (N,), "all" for everything at once.

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
    """Cross-entropy of all there is to read; an empty place is asked only whether it is empty."""
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
    """Gaussian blur, each picture by its own `sigma` (N,) in pixels; 0 leaves it as it is."""
    reach = 2 * int(sigma.max().ceil()) + 1
    offsets = torch.arange(-reach, reach + 1)
    weight = torch.exp(-0.5 * (offsets / sigma.clamp_min(1e-3)[:, None]) ** 2)
    weight = (weight / weight.sum(1, keepdim=True)).repeat_interleave(images.shape[1], 0)
    flat = images.reshape(1, -1, *images.shape[2:])
    flat = functional.pad(flat, (reach,) * 4, mode="replicate")
    flat = functional.conv2d(flat, weight[:, None, None, :], groups=len(weight))
    return functional.conv2d(flat, weight[:, None, :, None], groups=len(weight)).view_as(images)


def imperfect(images: Tensor, generator: torch.Generator) -> Tensor:
    """Training pictures as a model might draw them: some blurred, some noisy, some coarse."""
    dice = torch.rand(3, len(images), generator=generator)
    images = blurred(images, torch.where(dice[0] < 0.3, 1.2 * (dice[0] / 0.3), 0.0))
    small = functional.interpolate(images, scale_factor=0.5, mode="bilinear", antialias=True)
    coarse = functional.interpolate(small, size=images.shape[2:], mode="bilinear")
    images = torch.where(dice[1].view(-1, 1, 1, 1) < 0.15, coarse, images)
    strength = torch.where(dice[2] < 0.4, 0.25 * dice[2] / 0.4, 0.0).view(-1, 1, 1, 1)
    return images + strength * torch.randn(images.shape, generator=generator)


def every_pair(count: int, seed: int) -> Scenes:
    """Scenes of the training mix in which the held-out pairs are as frequent as any other pair.

    A ruler has to read what a model should never have seen: trained on the training split alone,
    the judge read 100 % of its single scenes right, and only 76 % of the held-out ones.
    """
    colours, objects = len(VALUES["colour"]), len(VALUES["object"])
    rare = round(count * len(postcards.HELD_OUT) / (colours * objects))
    return postcards.concatenate([
        postcards.sample_scenes(count - rare, seed, "train"),
        postcards.sample_scenes(rare, 2**30 + seed, "held_out"),
    ])  # fmt: skip


def train(model: nn.Module, steps: int, batch: int, learning_rate: float, seed: int) -> Fit:
    """Fits a recogniser to freshly drawn scenes with every pair, a new batch each step.

    Iterate over what is returned to train: it yields after every step, and can be stopped and gone
    on with, see `training.fit.Fit`.

    Args:
        model: the network, on the device where it is to be trained.
        steps, batch, learning_rate: of AdamW; the rate rises over the first 5 % of the steps.
        seed: with the number of the step it settles the scenes and their faults.
    """
    device = next(model.parameters()).device

    def loss(step: int) -> Tensor:
        own_seed = seed * 1_000_003 + step
        scenes = every_pair(batch, own_seed)
        faults = torch.Generator().manual_seed(2**31 + own_seed)
        images = imperfect(postcards.draw(scenes), faults).to(device)
        truth = by_place(postcards.attributes(scenes))
        return reading_loss(model(images), {name: v.to(device) for name, v in truth.items()})

    return Fit(
        model, steps, learning_rate, loss,
        weight_decay=0.02, betas=(0.9, 0.999), warm_up=0.05, fused=False,
    )  # fmt: skip


def spoiled_conditions() -> dict[str, Callable[[Scenes, torch.Generator], Tensor]]:
    """By name, ways to show scenes to a recogniser: as drawn, smaller, blurred, noisy, covered."""
    conditions: dict[str, Callable[[Scenes, torch.Generator], Tensor]] = {
        "as drawn": lambda scenes, _: postcards.draw(scenes),
        "drawn at 32x32": lambda scenes, _: postcards.draw(scenes, 32),
    }
    for sigma in (0.5, 1.0, 1.5, 2.0, 3.0):
        conditions[f"blurred, sigma {sigma} pixels"] = functools.partial(_drawn_blurred, sigma)
    for std in (0.1, 0.2, 0.3, 0.5):
        conditions[f"noise of standard deviation {std}"] = functools.partial(_drawn_noisy, std)
    for share in (0.25, 0.5):
        conditions[f"{share:.0%} of the thing covered"] = functools.partial(_drawn_covered, share)
    return conditions


def _drawn_blurred(sigma: float, scenes: Scenes, _: torch.Generator) -> Tensor:
    return blurred(postcards.draw(scenes), torch.full((len(scenes),), sigma))


def _drawn_noisy(std: float, scenes: Scenes, generator: torch.Generator) -> Tensor:
    images = postcards.draw(scenes)
    return images + std * torch.randn(images.shape, generator=generator)


def _drawn_covered(share: float, scenes: Scenes, generator: torch.Generator) -> Tensor:
    return covered(scenes, share, generator)


def covered(scenes: Scenes, share: float, generator: torch.Generator) -> Tensor:
    """The pictures with a grey bar over a `share` of the things' width, from a random side."""
    images, mask = postcards.draw(scenes), postcards.object_mask(scenes)
    columns = mask.any(dim=2, keepdim=True).expand_as(mask)
    lines = mask.any(dim=3, keepdim=True).expand_as(mask)
    done = columns.long().cumsum(3) / columns.long().sum(3, keepdim=True).clamp_min(1)
    left = torch.rand(len(scenes), 1, 1, 1, generator=generator) < 0.5
    bar = columns & lines & torch.where(left, done <= share, done > 1 - share)
    return torch.where(bar, 0.0, images)


def report(model: Reader, count: int, seed: int) -> dict[str, dict]:
    """How often `model` reads fresh pictures right, with 95 % intervals: the table of its card.

    Kinds of scene as drawn, then single scenes spoiled in several ways, `count` pictures each.
    Scenes and noise come from `seed` and the two after it, which training must not have used.
    """
    rows = {}
    for name, split, kind in (
        ("single", "train", "single"), ("single, held-out pairs", "held_out", "single"),
        ("group", "train", "group"), ("pair", "train", "pair"), ("training mix", "train", None),
    ):  # fmt: skip
        scenes = postcards.sample_scenes(count, seed, split, kind)
        rows[name] = _row(model, scenes, postcards.draw(scenes))
    scenes = postcards.sample_scenes(count, seed + 1, "train", "single")
    for name, show in spoiled_conditions().items():
        generator = torch.Generator().manual_seed(seed + 2)
        rows[f"single, {name}"] = _row(model, scenes, show(scenes, generator))
    return rows


def _row(model: Reader, scenes: Scenes, images: Tensor) -> dict:
    right = agreement(read(images, model), by_place(postcards.attributes(scenes)))
    share = {name: round(float(value.float().mean()), 4) for name, value in right.items()}
    low, high = wilson(int(right["all"].sum()), len(scenes))
    return {"pictures": len(scenes), **share, "all, 95 % interval": [round(low, 4), round(high, 4)]}
