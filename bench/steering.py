"""What image-to-image and inpainting change and what they keep: `python -m bench.steering`.

The shipped text-to-image model, at its default steps and scale, starts from real postcards (single
scenes, everything said). Image to image: the same postcard under another sky, at each strength. Is
the sky the new one, and is the old horizon kept within 2 pixels? Beside it the walk with the old
words, which has nothing to change, and a regression of the horizon from the noised latents: what
the start of a walk still knows. Inpainting: another thing in place of the old one, in a region with
room for both. Is the asked thing in it, and is there a seam? A seam is the mean difference of
neighbouring pixels across the region's edge; the rim is the same for the pixels inside along the
edge, as far as `pipeline.RIM`; both as a multiple of those of real postcards of the asked scene.

The judge reads what pictures show, `factors` the horizon; no loss has used either. First seeds,
95 % intervals (Wilson; for seams pictures drawn again 2,000 times, Efron 1979).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from bench import results
from diffusion_lessons import pictures, postcards
from diffusion_lessons.pipeline import RIM, TextToImage, latent_mask, paste
from diffusion_lessons.postcards import VALUES, Scenes
from diffusion_lessons.postcards.layout import horizon
from diffusion_lessons.schedule import add_noise
from diffusion_lessons.scoring import factors, recognition
from diffusion_lessons.scoring.statistics import psnr, shares

WEIGHTS = "postcards"
STRENGTHS = tuple(round(0.1 * tenths, 1) for tenths in range(11))
PICTURES, SEED = 512, 2_200_000_000  # of scenes and noise; no training uses it
REGRESSED = 6000  # postcards for the regression of the horizon; a quarter of them tests it
RIDGES = (1e2, 1e3, 1e4, 1e5)
JUMPS = 4  # how often the resampled walk takes each step
ROOM = 6  # pixels of the region beside the things
WITHIN = 2.0  # pixels
AT_ONCE = 64
SKY, HORIZON, BOTH, RIGHT = "new sky", "old horizon kept", "both", "everything right"
THING, SEAM, EDGE = "asked thing", "gradient across the seam", "gradient in the rim"


def settings() -> dict:
    """All that settles the tables, besides the code: its data file carries these."""
    return {
        "weights_sha256": results.weights(WEIGHTS, "captions", "autoencoder", "judge"),
        "strengths": list(STRENGTHS),
        "pictures": PICTURES,
        "seed": SEED,
        "regressed": REGRESSED,
        "ridges": list(RIDGES),
        "jump_n_sample": JUMPS,
        "room": ROOM,
        "rim": RIM,
        "within": WITHIN,
        "at once": AT_ONCE,
    }


def in_parts(count: int) -> list[slice]:
    """Slices of at most AT_ONCE pictures."""
    return [slice(i, min(i + AT_ONCE, count)) for i in range(0, count, AT_ONCE)]


class Repainter:
    """Postcards, others that differ from them in one way, and the model that goes from one to the
    other.

    Attributes:
        old, new: scenes of the same dice. images: postcards of `old`, (N, 3, 64, 64).
        said: captions of `new`. noise: of seed SEED + i for picture i.
    """

    def __init__(self, pipe: TextToImage, old: Scenes, new: Scenes):
        self.pipe, self.old, self.new = pipe, old, new
        self.images = postcards.draw(old)
        self.said = postcards.captions(new, SEED, full=True)
        self.x_0 = torch.cat([pipe.encode(self.images[part]) for part in in_parts(len(old))])
        seeds = range(SEED, SEED + len(old))
        self.noise = pipe.noise(len(old), [torch.Generator().manual_seed(one) for one in seeds])

    def paint(
        self,
        strength: float,
        mask: Tensor | None = None,
        jump_n_sample: int = 1,
        said: list[str] | None = None,
    ) -> Tensor:
        """Pictures (N, 3, 64, 64) in [-1, 1] as the model decodes them; nothing is pasted."""
        painted = []
        until = None if mask is None else latent_mask(mask)
        for part in in_parts(len(self.said)):
            walk = self.pipe.steps(
                (said or self.said)[part], latents=self.noise[part], x_0=self.x_0[part],
                strength=strength, mask=None if until is None else until[part],
                jump_n_sample=jump_n_sample, generator=torch.Generator().manual_seed(SEED),
            )  # fmt: skip
            latents = self.x_0[part]
            for step in walk:
                latents = step.x_next
            painted.append(self.pipe.decode(latents))
        return torch.cat(painted)

    def horizon_kept(self, images: Tensor) -> Tensor:
        """Whether the horizon lies within 2 pixels of that of the old scene, bool (N,)."""
        apart = factors.read(images)["horizon"] - horizon(self.old)
        return apart.abs() * images.shape[-1] <= WITHIN


# --- image to image ---


def under_another_sky(scenes: Scenes) -> Scenes:
    """The same scenes, each under one of the other skies."""
    skies, dice = len(VALUES["sky"]), torch.Generator().manual_seed(SEED)
    turn = 1 + torch.randint(skies - 1, (len(scenes),), generator=dice)
    sky = (scenes.attributes["sky"] + turn) % skies
    return Scenes(scenes.attributes | {"sky": sky}, scenes.dice)


def kept_and_changed(images: Tensor, walk: Repainter) -> dict:
    """A line of the first table: shares of the pictures, with their intervals."""
    agrees, kept = recognition.load("judge").agrees(images, walk.new), walk.horizon_kept(images)
    right = {SKY: agrees["sky"], HORIZON: kept, BOTH: agrees["sky"] & kept, RIGHT: agrees["all"]}
    return shares(right, *right)


def image_to_image(walk: Repainter) -> list[dict]:
    """A row for each strength, with what the old words keep."""
    was, rows = postcards.captions(walk.old, SEED, full=True), []
    for strength in STRENGTHS:
        row = {"strength": strength} | kept_and_changed(walk.paint(strength), walk)
        same = {HORIZON: walk.horizon_kept(walk.paint(strength, said=was))}
        rows.append(row | {"with the old words": shares(same, *same)})
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    return rows


def left_of_the_horizon(pipe: TextToImage) -> list[dict]:
    """How well a ridge regression on the noised latents around it tells the horizon's height, for
    each strength: the share of its variance, and the share of heights told within 2 pixels."""
    scenes = postcards.sample_scenes(REGRESSED, SEED + 1, kind="single")
    parts = in_parts(REGRESSED)
    x_0 = torch.cat([pipe.encode(postcards.draw(scenes[part])) for part in parts])
    ground = functional.one_hot(scenes.attributes["ground"], len(VALUES["ground"])).float()
    y, dice, rows = 64 * horizon(scenes).double(), torch.Generator().manual_seed(SEED), []
    for strength in STRENGTHS[1:]:
        t = torch.full((REGRESSED,), strength)
        x_t = add_noise(x_0, torch.randn(x_0.shape, generator=dice), t, pipe.schedule)
        x = x_t[:, :, 2:7].flatten(1)  # the horizon lies in line 4 of 8
        x = torch.cat([ground, x, (x[:, None] * ground[:, :, None]).flatten(1)], 1).double()
        missed = torch.cat([
            regression_error(x[of], y[of])
            for of in (scenes.attributes["sky"] == sky for sky in range(len(VALUES["sky"])))
        ])  # fmt: skip
        rows.append({
            "strength": strength,
            "share of the variance": round(float(1 - missed.square().mean() / y.var()), 4),
            **shares({"told within 2 pixels": missed.abs() <= WITHIN}, "told within 2 pixels"),
        })  # fmt: skip
    return rows


def regression_error(x: Tensor, y: Tensor) -> Tensor:
    """What a ridge regression of y (N,) on x (N, D) misses on the last quarter of the rows.

    It is fitted to the first half; the quarter between chooses which of `RIDGES`."""
    fit, chosen = len(y) // 2, len(y) * 3 // 4
    x, level = x - x[:fit].mean(0), y[:fit].mean()
    square, target, eye = x[:fit].T @ x[:fit], x[:fit].T @ (y[:fit] - level), torch.eye(x.shape[1])
    missed = [
        x[fit:] @ torch.linalg.solve(square + ridge * eye.double(), target) + level - y[fit:]
        for ridge in RIDGES
    ]
    return min(missed, key=lambda m: float(m[: chosen - fit].square().mean()))[chosen - fit :]


# --- inpainting ---


def with_another_thing(scenes: Scenes) -> Scenes:
    """The same scenes, each with a thing of another object and another colour, of no held-out
    pair."""
    others = postcards.sample_scenes(20 * len(scenes), SEED + 2, kind="single").attributes
    values, row = {name: scenes.attributes[name].clone() for name in ("object", "colour")}, 0
    for i in range(len(scenes)):
        while any(others[name][row, 0] == values[name][i, 0] for name in values):
            row += 1
        for name, value in values.items():
            value[i, 0] = others[name][row, 0]
        row += 1
    return Scenes(scenes.attributes | values, scenes.dice)


def region(*things: Tensor) -> Tensor:
    """The smallest upright rectangle around all things, masks (N, 1, H, W), and ROOM beside."""
    marked = torch.stack(things).any(0).float()
    room = functional.max_pool2d(marked, 2 * ROOM + 1, stride=1, padding=ROOM) > 0
    return room.any(2, keepdim=True) & room.any(3, keepdim=True)


def edges(mask: Tensor, depth: int = 0) -> Tensor:
    """Where the edge of a region lies that is smaller by `depth` pixels: bool (2, N, 1, H, W),
    between a pixel and the next below, and the next to the right. Not along the picture's own."""
    inside = mask.float()
    for _ in range(depth):
        inside = 1 - functional.max_pool2d(1 - inside, 3, stride=1, padding=1)
    below = functional.pad(inside.diff(dim=2), (0, 0, 0, 1)) != 0
    return torch.stack([below, functional.pad(inside.diff(dim=3), (0, 1)) != 0])


def gradient(images: Tensor, mask: Tensor, depths: range) -> Tensor:
    """The mean difference of neighbours across a region's edges at these depths, (N,)."""
    steps = torch.stack([
        functional.pad(images.diff(dim=2), (0, 0, 0, 1)), functional.pad(images.diff(dim=3), (0, 1))
    ]).abs().mean(2, keepdim=True)  # fmt: skip
    where = torch.stack([edges(mask, depth) for depth in depths])
    axes = (0, 1, 3, 4, 5)
    return (where * steps).sum(axes) / where.sum(axes).clamp(min=1)


def ratio(found: Tensor, real: Tensor) -> dict:
    """The mean of `found` (N,) over that of `real`, with a 95 % interval."""
    rows = torch.randint(len(real), (2000, len(real)), generator=torch.Generator().manual_seed(0))
    again = found[rows].mean(1) / real[rows].mean(1)
    ends = again.quantile(torch.tensor([0.025, 0.975])).tolist()
    return {
        "ratio": round(float(found.mean() / real.mean()), 4),
        "95 % interval": [round(end, 4) for end in ends],
    }


def repainted(images: Tensor, mask: Tensor, walk: Repainter, real: Tensor) -> dict:
    """A line of the second table. real: postcards of the asked scene."""
    agrees = recognition.load("judge").agrees(images, walk.new)
    thing = agrees["object"] & agrees["colour"]
    right = {THING: thing, RIGHT: agrees["all"], HORIZON: walk.horizon_kept(images)}
    out = ~mask.expand_as(images)
    equal = torch.from_numpy(pictures.to_uint8(images) == pictures.to_uint8(walk.images))
    away = equal.permute(0, 3, 1, 2) | ~out
    decibels = psnr(images[out], walk.images[out])
    spans = {SEAM: range(1), EDGE: range(1, RIM + 1)}
    return shares(right, *right) | {
        "outside equal": round(float(away.flatten(1).all(1).float().mean()), 4),
        "PSNR outside": round(decibels, 2) if decibels < 200 else None,
        **{
            name: ratio(*(gradient(shown, mask, depths) for shown in (images, real)))
            for name, depths in spans.items()
        },
    }


def inpainting(walk: Repainter) -> tuple[list[dict], dict]:
    """A row for each way to repaint, and what real postcards score beside them."""
    real = postcards.draw(walk.new)
    mask = region(*(postcards.object_mask(scenes) for scenes in (walk.old, walk.new)))
    rows = []
    for rounds in (1, JUMPS):
        painted = walk.paint(1.0, mask, rounds)
        ways = {
            "as decoded": painted,
            "pasted at a sharp edge": torch.where(mask, painted, walk.images),
            "pasted": paste(painted, walk.images, mask),
        }
        for name, images in ways.items():
            line = {"way": name, "jump_n_sample": rounds}
            rows.append(line | repainted(images, mask, walk, real))
    back = torch.cat([walk.pipe.decode(walk.pipe.encode(real[p])) for p in in_parts(len(real))])
    shown = {"real": real, "through the autoencoder": back, "old": walk.images}
    return rows, {name: repainted(images, mask, walk, real) for name, images in shown.items()}


# --- the tables ---


def table(rows: list[dict]) -> str:
    """The figures of image to image as a table to print."""
    lines = [
        f"{'strength':10}{SKY:>10}{HORIZON:>20}{'95 %':>18}{BOTH:>8}{'with the old words':>20}"
    ]
    for line in rows:
        low, high = line[f"{HORIZON}, 95 % interval"]
        lines.append(
            f"{line.get('strength', line.get('way')):<16}{line[SKY]:8.1%}{line[HORIZON]:18.1%}"
            f"{f'{low:.1%} to {high:.1%}':>18}{line[BOTH]:8.1%}"
            + (f"{line['with the old words'][HORIZON]:20.1%}" if "strength" in line else "")
        )
    return "\n".join(lines)


def table_of_inpainting(rows: list[dict]) -> str:
    """The figures of inpainting as a table to print."""
    lines = [f"{'way':24}{'rounds':>7}{THING:>13}{HORIZON:>18}{'equal':>8}{'seam':>7}{'rim':>7}"]
    for line in rows:
        lines.append(
            f"{line['way']:24}{line.get('jump_n_sample', ''):>7}{line[THING]:13.1%}"
            f"{line[HORIZON]:18.1%}{line['outside equal']:8.1%}"
            f"{line[SEAM]['ratio']:7.2f}{line[EDGE]['ratio']:7.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure all rows, print the tables and write data/bench/steering.json."""
    results.on_one_core()
    pipe = TextToImage.from_pretrained(WEIGHTS)
    scenes = postcards.sample_scenes(PICTURES, SEED, kind="single")
    sky = Repainter(pipe, scenes, under_another_sky(scenes))
    shown = {"real": postcards.draw(sky.new), "old": sky.images}
    beside = {name: kept_and_changed(images, sky) for name, images in shown.items()}
    rows = image_to_image(sky)
    ways, others = inpainting(Repainter(pipe, scenes, with_another_thing(scenes)))
    figures = {
        "steps": pipe.card["num_inference_steps"],
        "scale": pipe.card["guidance_scale"],
        "image to image": rows,
        "beside image to image": beside,
        "left of the horizon": left_of_the_horizon(pipe),
        "inpainting": ways,
        "beside inpainting": others,
    }
    what = f"{WEIGHTS}: what image-to-image and inpainting change, and what they keep"
    results.write(Path(__file__).stem, what, figures, settings())
    print(table(rows + [{"way": name} | line for name, line in beside.items()]))
    print(table_of_inpainting(ways + [{"way": name} | line for name, line in others.items()]))


if __name__ == "__main__":
    main()
