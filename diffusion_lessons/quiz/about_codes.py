"""Demonstrations about codes: a picture written one code after another, beside diffusion."""

from __future__ import annotations

from functools import cache
from random import Random

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from diffusion_lessons import conditioning, pipeline, postcards, sampling, schedule
from diffusion_lessons.postcards.words import write

from .about_latents import FULL, model, painted, right


@cache
def _writer() -> pipeline.PatchByPatch:
    return pipeline.PatchByPatch.from_pretrained("postcards-codes")


def waiting_and_work() -> tuple[dict, None]:
    """Count, for one postcard of each painter, the calls that wait for each other, and millions of
    multiplications."""
    dice, painter = torch.Generator().manual_seed(0), model()
    told = painter.encode_prompt([FULL]), painter.null_context
    guess = conditioning.guided(painter.unet, painter.schedule, painter.kind, *told, 2.5)
    start = guess, painter.schedule, painter.noise(1, dice), sampling.times(10)
    walks = {
        "codes": _writer().steps([FULL], generator=dice),
        "diffusion": painter.sampler(*start),
    }
    found: dict[str, float] = {}
    for name, walk in walks.items():
        with FlopCounterMode(display=False) as counter:
            found[f"calls {name}"] = sum(1 for _ in walk)
        found[f"work {name}"] = counter.get_total_flops() / 2e6
    return found, None


def a_part_anew() -> tuple[dict, Tensor]:
    """Have both painters put another postcard's thing in the place of one: how many are right, and
    the step in colour across the edges of the part, as a multiple of that in real postcards."""
    scenes = postcards.sample_scenes(200, seed=71, kind="single")
    middle = postcards.VALUES["position"].index("middle")
    scenes = scenes[scenes.attributes["position"][:, 0] == middle][:32]
    shown = postcards.describe(scenes)
    said = [
        postcards.Description(**here | {"things": there["things"]})
        for here, there in zip(shown, shown[1:] + shown[:1], strict=True)
    ]
    prompts, old = [write(one, Random(0)) for one in said], postcards.draw(scenes)
    hole = torch.zeros(8, 8, dtype=torch.bool)
    hole[2:7, 2:6] = True
    mask = hole.repeat_interleave(8, 0).repeat_interleave(8, 1)
    known = _writer().to_codes(old).masked_fill(hole.flatten(), -1)
    *_, codes = _writer().steps(prompts, generator=torch.Generator().manual_seed(0), known=known)
    until = pipeline.latent_mask(mask[None, None])
    start = {"x_0": model().encode(old), "strength": 1.0, "mask": until}
    made = {"codes": _writer().to_pictures(codes), "diffusion": painted(model(), prompts, **start)}
    found: dict[str, float] = {}
    for name, images in made.items():
        found |= {name: right(images, said), f"step {name}": _edge(images, mask) / _edge(old, mask)}
    return found, torch.cat([one[:4] for one in (old, old.masked_fill(mask, 0), *made.values())])


def four_wishes(wishes: list[str]) -> tuple[dict, Tensor]:
    """Paint four wishes 12 times each with both painters, and let the judge count."""
    prompts = [wish for wish in wishes for _ in range(12)]
    dice = torch.Generator().manual_seed(0)
    *_, codes = _writer().steps(prompts, generator=dice)
    images = torch.stack([painted(model(), prompts), _writer().to_pictures(codes)], dim=1)
    found = {}
    places = zip(("first", "second", "third", "fourth"), wishes, images.split(12), strict=True)
    for place, wish, pairs in places:
        for name, each in zip(("diffusion", "codes"), pairs.unbind(dim=1), strict=True):
            found[f"{name} {place}"] = right(each, [postcards.parse(wish)] * 12)
    return found, images[::12].flatten(0, 1)


def what_a_half_hears() -> tuple[dict, None]:
    """Put another postcard's half beside a half: how much the answer there changes, at most."""
    scenes = postcards.sample_scenes(2, seed=3, kind="single")
    writer, painter = _writer(), model()
    images, t = postcards.draw(scenes), torch.full((2,), 0.5)
    codes, dice = writer.to_codes(images), torch.Generator().manual_seed(0)
    z = painter.encode(images)
    x_t = schedule.add_noise(z, torch.randn(z.shape, generator=dice), t, painter.schedule)
    context = painter.encode_prompt([FULL] * 2)
    upper, lower = slice(0, 4), slice(4, 8)
    found = {}
    for missing, left, name in ((upper, lower, "upper"), (lower, upper, "lower")):

        def swapped(half: Tensor, left: slice = left) -> Tensor:
            """The same rows of places (2, ..., 8, 8), with the rest of the other postcard."""
            rows = half.clone()
            rows[..., left, :] = half.flip(0)[..., left, :]
            return rows

        squares = codes.unflatten(1, (8, 8))
        said = [
            writer.writer(each.flatten(1), context).unflatten(1, (8, 8))[:, missing]
            for each in (squares, swapped(squares))
        ]
        guessed = [painter.unet(each, t, context)[:, :, missing] for each in (x_t, swapped(x_t))]
        found[f"transformer {name}"] = (said[0] - said[1]).abs().max().item()
        found[f"diffusion {name}"] = (guessed[0] - guessed[1]).abs().max().item()
    return found, None


def _edge(images: Tensor, mask: Tensor) -> float:
    """How far pixels are apart that the edge of a part lies between."""
    steps = [images.diff(dim=dim).abs()[..., mask.diff(dim=dim) != 0] for dim in (-1, -2)]
    return torch.cat([step.flatten() for step in steps]).mean().item()
