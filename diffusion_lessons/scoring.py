"""How good made pictures are: do they show what was asked for, and do they look like real ones?

The judges only measure: nothing here is ever a loss, nor does it choose weights.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from . import data, postcards, recognition, ruler
from .measure import frechet_distance, frechet_error, wilson


def asked(name: str, count: int, seed: int) -> Tensor:
    """Labels int64 (count, K) to ask a model for, in the manner of the data set `name`.

    Those of postcards are sampled as the set's own test split is, so no pair of object and colour
    is held out; of Fashion-MNIST every class comes equally often, whatever the seed.
    """
    if name == "fashion-mnist":
        return (torch.arange(count) % 10)[:, None]
    return data.labels(name, data.scenes(name, count, seed, "test"))


def score(name: str, images: Tensor, seed: int) -> dict:
    """Scores of pictures that a model made when asked for `asked(name, len(images), seed)`.

    Postcards are judged by `recognition`'s judge: the share with the object and the colour that
    were asked for, the share with everything right, and the Frechet distance of its features to
    those of as many fresh postcards. Clothes are judged by `ruler`: the share of the class asked
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
    if name == "fashion-mnist":
        return _score_clothes(images, seed)
    return _score_postcards(name, images, seed)


def _score_postcards(name: str, images: Tensor, seed: int) -> dict:
    judge, count = recognition.load("judge"), len(images)
    truth = recognition.by_place(postcards.attributes(data.scenes(name, count, seed, "test")))
    if images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1)
    right = recognition.agreement(recognition.read(images, judge), truth)
    fresh, other = (
        recognition.features(
            postcards.draw(data.scenes(name, count, new, "test"), images.shape[-1]), judge
        )
        for new in (seed + 1, seed + 2)
    )
    seen = recognition.features(images, judge)
    return {
        "pictures": count,
        **_share("object and colour right", right["object"] & right["colour"]),
        **_share("everything right", right["all"]),
        "Frechet distance": round(frechet_distance(seen, fresh), 4),
        "Frechet distance, standard error": round(frechet_error(seen, fresh), 4),
        "Frechet distance of real pictures": round(frechet_distance(other, fresh), 4),
    }


def _score_clothes(images: Tensor, seed: int) -> dict:
    judge, count = ruler.load_judge(), len(images)
    with torch.inference_mode():
        said = judge.head(ruler.features(images, judge)).argmax(1)
    distance, error = _clothes_ruler().score(images)
    real = data.load("fashion-mnist", ruler.SIZE, 1).sample(count, seed + 1).images
    return {
        "pictures": count,
        **_share("class right", said == asked("fashion-mnist", count, seed)[:, 0]),
        "Frechet distance over that of a 3x3 blur": round(distance, 4),
        "Frechet distance, standard error": round(error, 4),
        "Frechet distance of real pictures": round(_clothes_ruler().score(real)[0], 4),
    }


@functools.cache
def _clothes_ruler() -> ruler.Ruler:
    """The ruler with the 10,000 test pictures laid along it."""
    real = data.load("fashion-mnist", ruler.SIZE, 1, "test").all().images
    return ruler.Ruler(real, ruler.load_judge())


def _share(name: str, right: Tensor) -> dict:
    """How often something was right, and between which shares the truth probably lies."""
    low, high = wilson(int(right.sum()), len(right))
    return {
        name: round(float(right.float().mean()), 4),
        f"{name}, 95 % interval": [round(low, 4), round(high, 4)],
    }
