"""Demonstrations about the models that paint latents: their calls, their start, their decoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

import torch
from torch import Tensor

from diffusion_lessons import pipeline, postcards, sampling
from diffusion_lessons.postcards.words import write
from diffusion_lessons.scoring import factors, recognition, tables

FULL = "a large red house on the left, on snow at night"


@cache
def model(name: str = "postcards", controlnet: str | None = None) -> pipeline.TextToImage:
    """Load a text-to-image model of the course, once."""
    return pipeline.TextToImage.from_pretrained(name, controlnet)


def painted(pipe: pipeline.TextToImage, prompts: Sequence[str], **settings: Any) -> Tensor:
    """Paint prompts, each from noise of its own; `settings` are those of the model's `steps`."""
    noise = pipe.noise(len(prompts), torch.Generator().manual_seed(0))
    return pipe.decode(sampling.finish(pipe.steps(prompts, latents=noise, **settings)))


def right(images: Tensor, descriptions: Sequence[postcards.Description]) -> int:
    """Count the pictures in which the judge reads all that was said."""
    return int(tables.matches(recognition.load("judge").read(images), descriptions).sum())


def one_call_and_more(first: str, second: str, calls: list[int]) -> tuple[dict, Tensor]:
    """Paint "a house" 12 times with two models: how far pixels are from their neighbours, in grey
    levels, and how much the 12 pictures differ."""
    found, shown = {}, []
    for place, name in enumerate((first, second), 1):
        for steps in calls:
            settings = {"num_inference_steps": steps, "guidance_scale": 1.0}
            images = painted(model(name), ["a house"] * 12, **settings)
            found[f"rough {place} {steps}"] = _rough(images)
            found[f"spread {place} {steps}"] = images.std(dim=0).mean().item()
            shown.append(images[:3])
    return found, torch.cat(shown)


def two_rulers(pairs: bool) -> tuple[dict, Tensor]:
    """Let the judge count after one unguided call and after ten calls, and measure beside it.
    `pairs`: 48 captions of two things, all unguided; else one prompt 24 times, ten calls guided."""
    said = [postcards.Caption(FULL, postcards.parse(FULL))] * 24
    if pairs:
        scenes = postcards.sample_scenes(48, seed=3, kind="pair")
        said = postcards.described_captions(scenes, 3, True)
    found: dict[str, float] = {"all": len(said)}
    shown = []
    for steps, scale in ((1, 1.0), (10, 1.0 if pairs else 2.5)):
        settings = {"num_inference_steps": steps, "guidance_scale": scale}
        images = painted(model(), [one.text for one in said], **settings)
        found[f"right {steps}"] = right(images, [one.description for one in said])
        found[f"rough {steps}"] = _rough(images)
        found[f"spread {steps}"] = images.std(dim=0).mean().item()
        shown.append(images[:4])
    return found, torch.cat(shown)


def random_latents() -> tuple[dict, Tensor]:
    """Plain noise, decoded, beside the latents of real postcards, decoded."""
    pipe, dice = model(), torch.Generator().manual_seed(0)
    real = pipe.encode(postcards.draw(postcards.sample_scenes(4, seed=1, kind="single")))
    found, shown = {"grain": _rough(torch.randn(4, 3, 64, 64, generator=dice).clamp(-1, 1))}, []
    for name, z in (("real", real), ("random", torch.randn(4, 4, 8, 8, generator=dice))):
        shown.append(pipe.decode(z))
        again = pipe.encode(shown[-1])
        found |= {name: ((again - z).std() / z.std()).item(), f"rough {name}": _rough(shown[-1])}
    return found, torch.cat(shown)


def one_place() -> tuple[dict, Tensor]:
    """Exchange one of the 64 places of a latent for another postcard's, and decode: how many of
    4,096 pixels change by more than a grey level, on average over places."""
    pipe, changed = model(), []
    z = pipe.encode(postcards.draw(postcards.sample_scenes(16, seed=1, kind="single")))
    before = pipe.decode(z)
    for row, column in ((2, 5), (3, 3), (5, 2), (4, 4)):
        other = z.clone()
        other[:, :, row, column] = z.roll(1, dims=0)[:, :, row, column]
        off = 127.5 * (pipe.decode(other) - before).abs().amax(dim=1)
        changed.append((off > 1).float().mean() * off[0].numel())
    where = (off[:4, None] > 1).float().expand(-1, 3, -1, -1)
    shown = torch.cat([before[:4], pipe.decode(other)[:4], 2 * where - 1])
    return {"pixels": torch.stack(changed).mean().item()}, shown


def ten_rounds() -> tuple[dict, Tensor]:
    """Paint postcards again at strength 0.5 with their own words, ten times in a row: how far they
    are then from where they began, beside pictures painted anew, in grey levels; and how rough."""
    pipe = model()
    scenes = postcards.sample_scenes(16, seed=7, kind="single")
    said = [postcards.Description(**one) for one in postcards.describe(scenes)]
    prompts, begun = [write(one, Random(0)) for one in said], postcards.draw(scenes)
    images, kept = begun, {}
    for number in range(1, 11):
        noise = pipe.noise(16, torch.Generator().manual_seed(number))
        walk = pipe.steps(prompts, latents=noise, x_0=pipe.encode(images), strength=0.5)
        kept[number] = images = pipe.decode(sampling.finish(walk))
    shown = {"one": kept[1], "ten": kept[10], "anew": painted(pipe, prompts)}
    found = {name: 127.5 * (one - begun).abs().mean().item() for name, one in shown.items()}
    found |= {f"rough {name}": _rough(one) for name, one in shown.items()}
    found["right"] = right(images, said)
    return found, torch.cat([one[:4] for one in (begun, *shown.values())])


def another_sky(strength: float) -> tuple[dict, Tensor]:
    """24 postcards by day, painted again under a night sky from a start of some strength: how many
    have the new sky, and how many horizons stay, within two pixels of 64."""
    scenes, pipe, dice = postcards.sample_scenes(200, seed=7, kind="single"), model(), Random(0)
    scenes = scenes[scenes.attributes["sky"] == postcards.VALUES["sky"].index("day")][:24]
    said = [one | {"sky": "night"} for one in postcards.describe(scenes)]
    old = postcards.draw(scenes)
    prompts = [write(postcards.Description(**one), dice) for one in said]
    new = painted(pipe, prompts, x_0=pipe.encode(old), strength=strength)
    before, after = (factors.read(images)["horizon"] for images in (old, new))
    kept, by_chance = (
        int(((other - before).abs() < 2 / 64).sum()) for other in (after, before.roll(1))
    )
    sky = recognition.load("judge").read(new)["sky"] == postcards.VALUES["sky"].index("night")
    found = {"night": int(sky.sum()), "kept": kept, "by chance": by_chance}
    return found, torch.cat([old[:5], new[:5]])


def _rough(images: Tensor) -> float:
    """How far a pixel is from its neighbour on the right, in grey levels of 255."""
    return 127.5 * images.diff(dim=-1).abs().mean().item()
