"""A cascade beside latents, and what noise on its small pictures is for: `python -m bench.cascade`.

Two second networks enlarge the same small pictures: the one that ships, and one that was trained in
the same way, but on clean small pictures only. It does not ship; this file trains it once, and
keeps it in my_weights/. Small pictures are `generated`, by the first network, or `real`, shrunk
postcards. Of the large ones the judge says how often everything asked for is right, by kind of
scene; the roughness is how far pixels are from their neighbours, of single scenes, which is too
high where blotches are painted and too low where all is blurred. Rows: each network, and the level
to which the small pictures are noised before. Beside them what needs no network (bilinear), real
postcards, and the shipped one in other numbers of steps.

The cost: multiply-adds and milliseconds of a picture (one core, the median of `ROUNDS` turns), and
the CPU seconds that both networks of each way took to train. The first network of `postcards` had
more of these than that of `postcards-flow`, which is as long trained as the cascade or a little
longer. First seeds, 95 % intervals (Wilson; for means, 1.96 standard errors).
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from statistics import median
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from bench import guidance, results
from bench.turbo import SEED, Asked, asked, right, roughness
from diffusion_lessons import models, pictures, postcards, recipes, sampling
from diffusion_lessons.models import Upsampler
from diffusion_lessons.pipeline import Cascade, TextToImage
from diffusion_lessons.recipes import UpsamplerRecipe
from diffusion_lessons.scoring import statistics
from diffusion_lessons.training import resume

CASCADE, UPSAMPLER, LATENTS = "postcards-cascade", "upsampler", ("postcards", "postcards-flow")
PLAIN = "upsampler-plain"  # the one that learned from clean small pictures
LEVELS, STEPS = (0.0, 0.03, 0.1), (1, 4)
PICTURES = 128  # of each kind of scene
ROUNDS, SHOWN, AT_ONCE = 5, 6, 64
PROMPT = "a large red house on the left, on snow at night"
KINDS = ("single", "pair")  # of scenes, see `recognition.SCENE_KINDS`


def recipe() -> UpsamplerRecipe:
    """How the network that ships was trained."""
    found = recipes.RECIPES[UPSAMPLER]
    assert isinstance(found, UpsamplerRecipe)
    return found


def settings() -> dict:
    """All that settles the tables, besides the code: its data file carries these."""
    return {
        "weights_sha256": results.weights(CASCADE, UPSAMPLER, *LATENTS, "captions", "judge"),
        "recipe of the plain network": dataclasses.asdict(without_noise()),
        "kinds": list(KINDS),
        "levels": list(LEVELS),
        "steps": list(STEPS),
        "pictures": PICTURES,
        "seed": SEED,
        "rounds": ROUNDS,
    }


def without_noise() -> UpsamplerRecipe:
    """How the other one is trained: all is the same, but its small pictures are clean."""
    return dataclasses.replace(recipe(), augment=0.0, level=0.0)


def plain() -> Cascade:
    """The other one, trained here the first time."""
    how = without_noise()
    fit = how.begin(PLAIN, torch.device("cpu"))
    resume.carry_out(PLAIN, dataclasses.asdict(how), fit)
    network = cast(Upsampler, fit.ema.half().float().eval().requires_grad_(False))
    return Cascade(network, how.card())


# --- augmentation ---


class Small:
    """Small pictures of each kind, folded: (N, 12, 8, 8), as each way to enlarge takes them."""

    def __init__(self, pipe: TextToImage, kinds: dict[str, Asked]):
        self.generated = {kind: ends(pipe, one.said) for kind, one in kinds.items()}
        self.large = {kind: postcards.draw(one.scenes) for kind, one in kinds.items()}
        self.real = {k: pipe.autoencoder.encode(large)[0] for k, large in self.large.items()}


def ends(pipe: TextToImage, said: list[str]) -> Tensor:
    """Where the first network's walks arrive, number i from noise of SEED + i."""
    dice = [torch.Generator().manual_seed(SEED + i) for i in range(len(said))]
    parts = [slice(start, start + AT_ONCE) for start in range(0, len(said), AT_ONCE)]
    walks = (pipe.steps(said[p], latents=pipe.noise(len(said[p]), dice[p])) for p in parts)
    return torch.cat([sampling.finish(walk) for walk in walks]) / pipe.scaling_factor


def enlarged(cascade: Cascade | None, z: Tensor) -> Tensor:
    """Large pictures of folded small ones; None: without a network."""
    with torch.no_grad():
        if cascade is None:
            small = functional.pixel_shuffle(z, 2).clamp(-1, 1)
            return functional.interpolate(small, scale_factor=4, mode="bilinear")
        return torch.cat([cascade.decode(part) for part in z.split(AT_ONCE)])


def row(cascade: Cascade | None, small: Small, kinds: dict[str, Asked]) -> dict:
    """One line of the table: what is made of generated small pictures, and of real ones."""
    found: dict = {}
    for name, each in (("generated", small.generated), ("real", small.real)):
        images = {kind: enlarged(cascade, z) for kind, z in each.items()}
        found[name] = {kind: right(images[kind], one.scenes) for kind, one in kinds.items()}
        found[name]["roughness"] = roughness(images["single"])
    found["real"]["PSNR"] = round(statistics.psnr(images["single"], small.large["single"]), 2)
    return found


def used(cascade: Cascade, **how: float) -> Cascade:
    """The same network at another "level", or in another number of "steps"."""
    card = {"schedule": recipe().schedule, "kind": recipe().kind}
    return Cascade(cascade.upsampler, card | {"level": cascade.level, "steps": cascade.steps} | how)


def augmentation(shipped: Cascade, small: Small, kinds: dict[str, Asked]) -> dict:
    """Both networks, by level; the shipped one by steps; and what stands beside them."""
    other = plain()
    rows = [{"network": PLAIN, "level": 0.0, **row(other, small, kinds)}]
    rows += [
        {"network": UPSAMPLER, "level": level, **row(used(shipped, level=level), small, kinds)}
        for level in LEVELS
    ]
    by_steps = [{"steps": n, **row(used(shipped, steps=n), small, kinds)} for n in STEPS]
    beside = {"bilinear": row(None, small, kinds)}
    beside["real postcards"] = {
        kind: right(small.large[kind], one.scenes) for kind, one in kinds.items()
    } | {"roughness": roughness(small.large["single"])}
    save_picture(shipped, other, small)
    return {"by level": rows, "by steps": by_steps, "beside": beside}


def save_picture(shipped: Cascade, other: Cascade, small: Small) -> None:
    """Write data/pictures/cascade.png: the same generated small pictures, enlarged by both."""
    z = small.generated["single"][:SHOWN]
    rows = [functional.interpolate(functional.pixel_shuffle(z, 2).clamp(-1, 1), scale_factor=4)]
    rows += [enlarged(one, z) for one in (other, shipped)]
    names = ["16x16, as generated", "learned from clean ones", "learned from noised ones"]
    labels = [label for name in names for label in [name] + [""] * (len(z) - 1)]
    sheet = pictures.grid(torch.cat(rows), labels, columns=len(z), zoom=2)
    path = results.ROOT / "data" / "pictures" / "cascade.png"
    path.write_bytes(pictures.png(sheet))


# --- cost ---


def multiply_adds(pipe: TextToImage) -> dict:
    """Millions of multiply-adds of a picture: of all calls of the first network, and of what makes
    pictures of its latents."""
    pipe._quick = {}  # where torch counts them
    if isinstance(pipe.autoencoder, Cascade):
        pipe.autoencoder._quick = pipe.autoencoder.upsampler.forward
    found = {}
    with FlopCounterMode(display=False) as first:
        *_, last = pipe.steps(PROMPT)
    with FlopCounterMode(display=False) as second:
        pipe.decode(last.x_next)
    for name, counter in (("network", first), ("decoder", second)):
        found[name] = round(counter.get_total_flops() / 2e6, 1)
    return found


def costs(names: tuple[str, ...], kinds: dict[str, Asked]) -> list[dict]:
    """What each way costs, and what it gets right for that; all take turns."""
    results.on_one_core()
    pipes = {name: TextToImage.from_pretrained(name) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(ROUNDS + 1):  # the first turn builds what is quick
        for name, pipe in pipes.items():
            times[name].append(results.milliseconds(partial(pipe, PROMPT)))
    rows = []
    for name, pipe in pipes.items():
        _, decoder = models.load_decoder(pipe.card["parts"]["autoencoder"])
        taken = "CPU seconds of training"
        painted = {kind: guidance.paint(pipe, one.said, SEED) for kind, one in kinds.items()}
        rows.append({
            "model": name,
            "milliseconds": round(median(times[name][1:]), 1),
            taken: {"network": pipe.card[taken], "decoder": decoder[taken]},
            **{kind: right(images, kinds[kind].scenes) for kind, images in painted.items()},
            "roughness": roughness(painted["single"]),
            "million multiply-adds": multiply_adds(pipe),
        })  # fmt: skip
    return rows


def table(rows: list[dict], names: tuple[str, ...]) -> str:
    """Rows as a table to print: of each the columns `names`, and what is right."""
    lines = []
    for line in rows:
        cells = [f"{name} {line[name]}" for name in names]
        for what in ("generated", "real"):
            part = line.get(what, line if what == "generated" else None)
            if part is not None:
                cells += [what] + [f"{part[kind]['everything right']:.3f}" for kind in KINDS]
                cells += [f"rough {part['roughness']['mean']:.2f}"]
        lines.append("  ".join(cells))
    return "\n".join(lines)


def main() -> None:
    """Measure, print the tables and write data/bench/cascade.json."""
    pipe, all_kinds = TextToImage.from_pretrained(CASCADE), asked(PICTURES)
    kinds = {kind: all_kinds[kind] for kind in KINDS}
    assert isinstance(pipe.autoencoder, Cascade)
    small = Small(pipe, kinds)
    found = augmentation(pipe.autoencoder, small, kinds)
    print(table(found["by level"], ("network", "level")))
    print(table(found["by steps"], ("steps",)))
    found["cost"] = costs((*LATENTS, CASCADE), kinds)
    print(table(found["cost"], ("model", "milliseconds", "million multiply-adds")))
    what = (
        "a cascade: noise on its small pictures in training and in use, and its cost and latents'"
    )
    results.write(Path(__file__).stem, what, found, settings())


if __name__ == "__main__":
    main()
