"""Scores of pictures: do they show what was asked for, and do they look like real ones?"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from diffusion_lessons import arguments, data, postcards
from diffusion_lessons.postcards import VALUES, Description
from diffusion_lessons.postcards.scenes import SCENE_ATTRIBUTES, Thing, value_of
from diffusion_lessons.postcards.styles import styled

from . import clothes, recognition
from .recognition import SCENE_KINDS, Kinds, Reading
from .statistics import frechet, frechet_distance, psnr, shares

_CAPTIONED: Kinds = {
    "single, full captions": ("train", "single"),
    "single of held-out pairs, full captions": ("held_out", "single"),
    "group, full captions": ("train", "group"),
    "pair, full captions": ("train", "pair"),
    "single, varied captions": ("train", "single"),
    "training mix, varied captions": ("train", None),
}
_ONE_THING: Kinds = {kind: how for kind, how in SCENE_KINDS.items() if "single" in kind}


def asked(name: str, count: int, seed: int) -> Tensor:
    """Return labels int64 (count, K) to ask a model for, in the manner of the data set `name`.

    Those of postcards are sampled as the set's own test split is, so no pair of object and colour
    is held out; of Fashion-MNIST every class comes equally often, whatever the seed.
    """
    arguments.choice("name", name, data.NAMES)
    count = arguments.number("count", count, 0, 10**9)
    if name == "fashion-mnist":
        return (torch.arange(count) % 10)[:, None]
    return data.labels(name, data.sample_scenes(name, count, seed, "test"))


def score(name: str, images: Tensor, seed: int) -> dict:
    """Score pictures that a model made when asked for `asked(name, len(images), seed)`.

    Postcards, by the `recognition` judge: the share with the object and the colour that were asked
    for, the share with everything right, and the Frechet distance of its features to those of as
    many fresh postcards. Clothes, by `clothes`: the share of the class asked for, and the Frechet
    distance to the test pictures over that of a 3x3 blur. Beside a distance: what as many real
    pictures score. Shares come with 95 % intervals (Wilson).

    name: one of `data.NAMES`. images: (N, C, size, size) in [-1, 1], N at least 40. seed: as it was
    given to `asked`; real pictures come from the seeds after it. Raises ValueError for too few
    pictures or another shape, `DataUnavailable` or `DamagedFile` where what it needs is not there.
    """
    arguments.choice("name", name, data.NAMES)
    arguments.shape("images", images, ("N", "C", "H", "W"), holds=arguments.FLOATS)
    count, seed = len(images), arguments.number("seed", seed, 0, data.MAX_SEED - 3)
    if count < 40:
        raise ValueError(f"{count} pictures: a Frechet distance and its error need 40")
    if name == "fashion-mnist":
        right = {"class right": clothes.load().read(images) == asked(name, count, seed)[:, 0]}
        distance = "Frechet distance over that of a 3x3 blur"
        metric, real = _clothes_metric(), data.load(name, clothes.SIZE, 1).sample(count, seed + 1)
        measured = [*metric.score(images), metric.score(real.x_0)[0]]
    else:
        judge, images = recognition.load("judge"), images.expand(-1, 3, -1, -1)
        agrees = judge.agrees(images, data.sample_scenes(name, count, seed, "test"))
        right = {"object and colour right": agrees["object"] & agrees["colour"]}
        right["everything right"] = agrees["all"]
        distance = "Frechet distance"
        fresh, floor = _real_postcards(name, count, images.shape[-1], seed)
        measured = [*frechet(judge.features(images), fresh), floor]
    names = distance, "Frechet distance, standard error", "Frechet distance of real pictures"
    distances = {name: round(value, 4) for name, value in zip(names, measured, strict=True)}
    return shares(right, *right) | distances


@functools.lru_cache(8)
def _real_postcards(name: str, count: int, size: int, seed: int) -> tuple[Tensor, float]:
    """Return the judge's features of fresh postcards, and how far those of others are from them."""
    scenes = (data.sample_scenes(name, count, new, "test") for new in (seed + 1, seed + 2))
    fresh, other = (recognition.load("judge").features(postcards.draw(s, size)) for s in scenes)
    return fresh, frechet_distance(other, fresh)


@functools.cache
def _clothes_metric() -> clothes.FrechetMetric:
    real = data.load("fashion-mnist", clothes.SIZE, 1, "test").all().x_0
    return clothes.FrechetMetric(real, clothes.load())


def round_trips(model: Any, count: int, seed: int) -> dict:
    """Score fresh pictures that went through the autoencoder and back, by their latents' means.

    For each kind of scene: the PSNR in decibels, over the picture and inside the things (of the
    mean squared error over all pictures), and how often the judge reads everything right in the
    decoded pictures, beside how often it does in the pictures themselves. Styled ones: the PSNR.

    model: as in `there_and_back`. count: pictures of each kind. seed: of the scenes; training must
    not have used it.
    """
    judge, rows = recognition.load("judge"), {}
    for name, scenes in recognition.of_kinds(SCENE_KINDS, count, seed):
        images, mask = postcards.draw(scenes), postcards.object_mask(scenes).expand(-1, 3, -1, -1)
        back, right = there_and_back(model, images), "everything right"
        agrees = {right: judge.agrees(back, scenes)["all"]}
        agrees[f"{right} in the pictures themselves"] = judge.agrees(images, scenes)["all"]
        rows[name] = shares(agrees, right) | {
            "PSNR": round(psnr(back, images), 2),
            "PSNR inside the things": round(psnr(back[mask], images[mask]), 2),
        }
    dice = torch.Generator().manual_seed(seed)
    images = styled(postcards.draw(postcards.sample_scenes(count, seed)), 1.0, dice)
    decibels = round(psnr(there_and_back(model, images), images), 2)
    return {**rows, "styled": {"pictures": count, "PSNR": decibels}}


def there_and_back(model: Any, images: Tensor) -> Tensor:
    """Encode pictures (N, 3, H, W) to the mean of their latents and decode them, in [-1, 1].

    model: an autoencoder, or what stands in its place."""
    arguments.tensor("images", images)
    with torch.inference_mode():
        return torch.cat([model.decode(model.encode(x)[0]).clamp(-1, 1) for x in images.split(128)])


def follows(draw: Callable[[list[str]], Tensor], count: int, seed: int) -> dict:
    """Measure how well a text-to-image model follows captions, by the judge, with 95 % intervals:
    what they say has to be right (see `matches`), in full captions that is everything.

    draw: captions to pictures (N, 3, H, W) in [-1, 1], one each. count: captions of each kind.
    seed: of the scenes that the captions are of; training must not have used it.
    """
    judge, rows, said = recognition.load("judge"), {}, "what was said is right"
    for name, scenes in recognition.of_kinds(_CAPTIONED, count, seed):
        full = name.endswith("full captions")
        written = postcards.described_captions(scenes, seed, full)
        reading = judge.read(draw([caption.text for caption in written]))
        right = {said: matches(reading, [caption.description for caption in written])}
        if full:
            truth = recognition.by_place(scenes.attributes)
            right |= recognition.agreement(reading, truth)
        rows[name] = shares(right, said)
    return rows


def takes_over(draw: Callable[[Tensor], Tensor], count: int, seed: int) -> dict:
    """Measure how often a model draws the things of pictures, in their colours and numbers, and
    nothing else, by the judge, with 95 % intervals.

    draw: pictures (N, 3, 64, 64) in [-1, 1] to one each. count, seed: as in `follows`.
    """
    judge, rows, taken = recognition.load("judge"), {}, "things taken over"
    for name, scenes in recognition.of_kinds(_ONE_THING, count, seed):
        shown = postcards.describe(scenes)
        for thing in itertools.chain(*(said["things"] for said in shown)):
            thing |= {"size": None, "position": None}
        only = [Description(sky=None, ground=None, things=said["things"]) for said in shown]
        rows[name] = shares({taken: matches(judge.read(draw(postcards.draw(scenes))), only)}, taken)
    return rows


def matches(reading: Reading, descriptions: Sequence[Description]) -> Tensor:
    """Return for each picture whether it shows what its description says, bool (N,).

    Every thing of the description has to stand at a place of its own, with each attribute that it
    names; nothing else may stand there. Of the scenery only what the description names counts.
    """
    rows = zip(*(values.tolist() for values in reading.values()), strict=True)
    return torch.tensor([
        _matches(dict(zip(reading, row, strict=True)), description)
        for row, description in zip(rows, descriptions, strict=True)
    ])  # fmt: skip


def _matches(picture: dict, description: Description) -> bool:
    """Return whether a picture, read by place, shows what a description says."""

    def fits(place: int, thing: Thing) -> bool:
        there = {name: picture[name][place] for name in recognition.AT_A_PLACE}
        there["position"] = place
        return all(value in (None, VALUES[name][there[name]]) for name, value in thing.items())

    things = description["things"]
    taken = [place for place, count in enumerate(picture["count"]) if count >= 0]
    return (
        len(things) in (0, len(taken))
        and all(
            value_of(description, name) in (None, VALUES[name][picture[name]])
            for name in SCENE_ATTRIBUTES
        )
        and any(all(map(fits, places, things)) for places in itertools.permutations(taken))
    )
