"""Scores of generated pictures: do they show what was asked for, and do they look like real ones?

The judges only measure: nothing here is ever a loss, nor does it choose weights.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from diffusion_lessons import data, postcards
from diffusion_lessons.models import Autoencoder
from diffusion_lessons.postcards import VALUES, Description
from diffusion_lessons.postcards.scenes import SCENE_ATTRIBUTES, Thing, value_of
from diffusion_lessons.postcards.styles import styled

from . import clothes, recognition
from .recognition import SCENE_KINDS, Reading
from .statistics import frechet_distance, frechet_error, psnr, share


def asked(name: str, count: int, seed: int) -> Tensor:
    """Return labels int64 (count, K) to ask a model for, in the manner of the data set `name`.

    Those of postcards are sampled as the set's own test split is, so no pair of object and colour
    is held out; of Fashion-MNIST every class comes equally often, whatever the seed.
    """
    if name == "fashion-mnist":
        return (torch.arange(count) % 10)[:, None]
    return data.labels(name, data.sample_scenes(name, count, seed, "test"))


def score(name: str, images: Tensor, seed: int) -> dict:
    """Score pictures that a model made when asked for `asked(name, len(images), seed)`.

    Postcards are judged by the `recognition` judge: the share with the object and the colour that
    were asked for, the share with everything right, and the Frechet distance of its features to
    those of as many fresh postcards. Clothes are judged by `clothes`: the share of the class asked
    for, and the Frechet distance to the test pictures over that of a 3x3 blur. The floor beside a
    distance is what as many real pictures score. Shares come with 95 % intervals (Wilson).

    Args:
        name: the data set, one of `data.NAMES`.
        images: (N, C, size, size) in [-1, 1], N at least 40.
        seed: as it was given to `asked`; real pictures come from the seeds after it.

    Raises:
        ValueError: too few pictures, or of a shape that a judge does not take.
        data.DataUnavailable, workspace.DamagedFile: real pictures or a judge cannot be had.
    """
    if len(images) < 40:
        raise ValueError(f"{len(images)} pictures: a Frechet distance and its error need 40")
    scores = _score_clothes if name == "fashion-mnist" else _score_postcards
    return {"pictures": len(images), **scores(name, images, seed)}


def round_trips(model: Autoencoder, count: int, seed: int) -> dict:
    """Score fresh pictures that went through the autoencoder and back, by their latents' means.

    For each kind of scene: the PSNR in decibels, over the picture and inside the things (of the
    mean squared error over all pictures), and how often the judge reads everything right in the
    decoded pictures, beside how often it does in the pictures themselves. Styled ones: the PSNR.

    Args:
        count: pictures of each kind.
        seed: of the scenes; training must not have used it.
    """
    judge, rows = recognition.load("judge"), {}
    for name, (split, kind) in SCENE_KINDS.items():
        scenes = postcards.sample_scenes(count, seed, split, kind)
        images, truth = postcards.draw(scenes), recognition.by_place(postcards.attributes(scenes))
        back = there_and_back(model, images)
        mask = postcards.object_mask(scenes).expand_as(images)
        right, best = (recognition.agreement(judge.read(x), truth)["all"] for x in (back, images))
        rows[name] = {
            "pictures": count,
            "PSNR": round(psnr(back, images), 2),
            "PSNR inside the things": round(psnr(back[mask], images[mask]), 2),
            **share("everything right", right),
            "everything right in the pictures themselves": round(float(best.float().mean()), 4),
        }
    dice = torch.Generator().manual_seed(seed)
    images = styled(postcards.draw(postcards.sample_scenes(count, seed)), 1.0, dice)
    decibels = round(psnr(there_and_back(model, images), images), 2)
    return {**rows, "styled": {"pictures": count, "PSNR": decibels}}


def follows(draw: Callable[[list[str]], Tensor], count: int, seed: int) -> dict:
    """Measure how well a text-to-image model follows captions, by the judge, with 95 % intervals.

    Full captions: everything has to be right. Varied captions, with synonyms and half of it left
    out: what they say has to be, see `matches`.

    Args:
        draw: captions to pictures (N, 3, H, W) in [-1, 1], one each.
        count: captions of each kind.
        seed: of the scenes that the captions are of; training must not have used it.
    """
    judge, rows = recognition.load("judge"), {}
    for name, split, kind, full in (
        ("single, full captions", "train", "single", True),
        ("single of held-out pairs, full captions", "held_out", "single", True),
        ("group, full captions", "train", "group", True),
        ("pair, full captions", "train", "pair", True),
        ("single, varied captions", "train", "single", False),
        ("training mix, varied captions", "train", None, False),
    ):
        scenes = postcards.sample_scenes(count, seed, split, kind)
        written = postcards.described_captions(scenes, seed, full)
        reading = judge.read(draw([caption.text for caption in written]))
        right = matches(reading, [caption.description for caption in written])
        rows[name] = {"pictures": count, **share("what was said is right", right)}
        if full:
            truth = recognition.by_place(postcards.attributes(scenes))
            agreed = recognition.agreement(reading, truth)
            rows[name] |= {part: round(float(v.float().mean()), 4) for part, v in agreed.items()}
    return rows


def matches(reading: Reading, descriptions: Sequence[Description]) -> Tensor:
    """Return for each picture whether it shows what its description says, bool (N,).

    Every thing of the description has to stand at a place of its own, with each attribute that it
    names; nothing else may stand there. Of the scenery only what the description names counts.

    Args:
        reading: of N pictures, as a judge gives it.
        descriptions: N of them, as `postcards.parse` returns them, in the order of the pictures.
    """
    rows = {name: values.tolist() for name, values in reading.items()}
    return torch.tensor([
        _matches({name: values[i] for name, values in rows.items()}, description)
        for i, description in enumerate(descriptions)
    ])  # fmt: skip


def _matches(picture: dict, description: Description) -> bool:
    """Return whether a picture, read by place, shows what a description says."""
    for name in SCENE_ATTRIBUTES:
        value = value_of(description, name)
        if value is not None and VALUES[name].index(value) != picture[name]:
            return False
    things = description["things"]
    taken = [place for place, count in enumerate(picture["count"]) if count >= 0]
    if things and len(taken) != len(things):
        return False
    return any(
        all(_fits(picture, place, thing) for place, thing in zip(places, things, strict=False))
        for places in itertools.permutations(taken)
    )


def _fits(picture: dict, place: int, thing: Thing) -> bool:
    """Return whether what stands at a place has every attribute that is named of a thing."""
    there = {name: picture[name][place] for name in ("object", "colour", "size", "count")}
    there["position"] = place
    return all(
        value is None or VALUES[name].index(value) == there[name] for name, value in thing.items()
    )


def there_and_back(model: Autoencoder, images: Tensor) -> Tensor:
    """Encode pictures (N, 3, H, W) to the mean of their latents and decode them, in [-1, 1]."""
    with torch.inference_mode():
        return torch.cat([model.decode(model.encode(x)[0]).clamp(-1, 1) for x in images.split(128)])


def _score_postcards(name: str, images: Tensor, seed: int) -> dict:
    judge, count = recognition.load("judge"), len(images)
    scenes = data.sample_scenes(name, count, seed, "test")
    images = images.expand(-1, 3, -1, -1)
    truth = recognition.by_place(postcards.attributes(scenes))
    right = recognition.agreement(judge.read(images), truth)
    features, fresh, other = (
        judge.features(pictures)
        for pictures in (
            images,
            *(
                postcards.draw(data.sample_scenes(name, count, new, "test"), images.shape[-1])
                for new in (seed + 1, seed + 2)
            ),
        )
    )
    return {
        **share("object and colour right", right["object"] & right["colour"]),
        **share("everything right", right["all"]),
        "Frechet distance": round(frechet_distance(features, fresh), 4),
        "Frechet distance, standard error": round(frechet_error(features, fresh), 4),
        "Frechet distance of real pictures": round(frechet_distance(other, fresh), 4),
    }


def _score_clothes(name: str, images: Tensor, seed: int) -> dict:
    right = clothes.load().read(images) == asked(name, len(images), seed)[:, 0]
    distance, error = _clothes_metric().score(images)
    real = data.load(name, clothes.SIZE, 1).sample(len(images), seed + 1).x_0
    return {
        **share("class right", right),
        "Frechet distance over that of a 3x3 blur": round(distance, 4),
        "Frechet distance, standard error": round(error, 4),
        "Frechet distance of real pictures": round(_clothes_metric().score(real)[0], 4),
    }


@functools.cache
def _clothes_metric() -> clothes.FrechetMetric:
    """Return the metric against the 10,000 test pictures."""
    real = data.load("fashion-mnist", clothes.SIZE, 1, "test").all().x_0
    return clothes.FrechetMetric(real, clothes.load())
