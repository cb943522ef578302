"""Code by code beside refining the whole: `python -m bench.autoregressive`.

`postcards-codes` writes 64 codes, one after another; `postcards` refines the whole in its usual
number of steps. Both have the same captions, autoencoder and world. Each is taken at its own best
settings: those of the first were chosen here, by what the recogniser reads in pictures of other
seeds; those of the second are its card's. All shares are the judge's, with 95 % intervals (Wilson).

The table's cells: what is right, by kind of scene, beside what is right in postcards that went
through autoencoder and tokeniser and back (`ceiling`); calls that wait for each other; millions of
multiply-adds of a picture, guided; milliseconds at batch 1 and 64 (one core, the median of `ROUNDS`
turns); repainting a part; bits of a postcard's codes; how different pictures of one caption are,
as a share of how different postcards are. Then a plan with a diffusion decoder: latents of written
codes, noised as far as `strength` says, are refined by `postcards`; the roughness is how far pixels
are from their neighbours. At larger sizes nothing was trained: multiply-adds there are counted in
networks of the same widths with random weights, and `estimated` says so.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from bench import guidance, results, steering
from bench.turbo import mean, right, roughness
from diffusion_lessons import models, postcards, scoring
from diffusion_lessons.models import CodeWriter, TokenisedAutoencoder
from diffusion_lessons.pipeline import EXAMPLE, PatchByPatch, TextToImage
from diffusion_lessons.pipeline.patch_by_patch import SIDE
from diffusion_lessons.scoring import factors, recognition
from diffusion_lessons.scoring.statistics import shares

CODES, WHOLE = "postcards-codes", "postcards"
SEED, CHOICE_SEED = 2_800_000_000, 2_900_000_000  # of scenes and dice; no training uses them
PICTURES, CHOICES = 256, 128  # of each kind of scene; at each setting, to choose
TEMPERATURES, SCALES = (0.5, 0.75, 1.0), (1.0, 1.5, 2.0, 3.0)
STRENGTHS = (0.2, 0.4, 0.6)
SIDES = (8, 16, 32, 64)
ROUNDS, AT_ONCE = 5, 64
KINDS = {
    kind: recognition.SCENE_KINDS[kind] for kind in ("single", "single, held-out pairs", "pair")
}
RIGHT, THING = "everything right", "object and colour right"


def settings() -> dict:
    """All that settles the tables, besides the code: its data file carries these."""
    weights = results.weights(
        CODES, WHOLE, "tokeniser", "autoencoder", "captions", "judge", "recogniser"
    )
    return {
        "weights_sha256": weights,
        "kinds": list(KINDS),
        "pictures": PICTURES,
        "seed": SEED,
        "temperatures": list(TEMPERATURES),
        "scales": list(SCALES),
        "pictures to choose by": CHOICES,
        "seed of the choice": CHOICE_SEED,
        "strengths": list(STRENGTHS),
        "sides": list(SIDES),
        "rounds": ROUNDS,
    }


def codes_of(
    pipe: PatchByPatch, said: list[str], seed: int, temperature: float | None = None,
    scale: float | None = None, known: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Codes (N, 64) of captions; row i is drawn with the dice of seed + i."""
    rows = []
    for start in range(0, len(said), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        dice = [torch.Generator().manual_seed(seed + start + i) for i in range(len(said[part]))]
        kept = None if known is None else known[part]
        *_, codes = pipe.steps(said[part], temperature, scale, dice, kept)
        rows.append(codes)
    return torch.cat(rows)


def choose(pipe: PatchByPatch) -> list[dict]:
    """What the recogniser reads right in single scenes at each setting, the best first."""
    reader = recognition.load("recogniser")
    scenes = postcards.sample_scenes(CHOICES, CHOICE_SEED, kind="single")
    said, rows = postcards.captions(scenes, CHOICE_SEED, full=True), []
    for temperature, scale in itertools.product(TEMPERATURES, SCALES):
        images = pipe.to_pictures(codes_of(pipe, said, CHOICE_SEED, temperature, scale))
        seen = shares({RIGHT: reader.agrees(images, scenes)["all"]}, RIGHT)
        rows.append({"temperature": temperature, "guidance_scale": scale, **seen})
    return sorted(rows, key=lambda row: -row[RIGHT])


# --- what is right ---


def accuracy(pipe: PatchByPatch, whole: TextToImage) -> dict:
    """By kind of scene: what each model gets right, and both ceilings."""
    tokenised = TokenisedAutoencoder(whole.autoencoder, pipe.tokeniser, whole.scaling_factor)
    rows: dict = {}
    for kind, scenes in recognition.of_kinds(KINDS, PICTURES, SEED):
        said, real = postcards.captions(scenes, SEED, full=True), postcards.draw(scenes)
        images = {
            CODES: pipe.to_pictures(codes_of(pipe, said, SEED)),
            WHOLE: guidance.paint(whole, said, SEED),
            "ceiling of the codes": scoring.there_and_back(tokenised, real),
            "ceiling of the latents": scoring.there_and_back(whole.autoencoder, real),
        }
        rows[kind] = {name: right(made, scenes) for name, made in images.items()}
        if kind == "single":
            rough = {name: roughness(made) for name, made in images.items()}
            rows["roughness"] = rough | {"real postcards": roughness(real)}
    return rows


# --- cost ---


def multiply_adds(work: Callable[[], object]) -> float:
    """Millions of multiply-adds of a call."""
    with FlopCounterMode(display=False) as counter:
        work()
    return round(counter.get_total_flops() / 2e6, 1)


def costs(pipe: PatchByPatch, whole: TextToImage) -> dict:
    """Calls, multiply-adds and milliseconds of each model, guided, without and with decoding."""
    results.on_one_core()
    ways = {
        "codes, cached": lambda said: pipe.to_pictures([*pipe.steps(said)][-1]),
        "codes, not cached": lambda said: pipe.to_pictures(
            [*pipe.steps(said, use_cache=False)][-1]
        ),
        "whole": lambda said: whole.decode([*whole.steps(said)][-1].x_next),
    }
    times: dict[tuple, list[float]] = {}
    for turn, batch, (name, work) in itertools.product(range(ROUNDS + 1), (1, 64), ways.items()):
        slow = batch == 64 and name == "codes, not cached"
        if not (slow and turn > 1):  # half a minute each
            took = results.milliseconds(partial(work, [EXAMPLE] * batch))
            times.setdefault((name, batch), []).append(took)
    pipe._quick, whole._quick = {}, {}  # where torch counts
    rows = {}
    for name, work in ways.items():
        rows[name] = {
            "calls in a row": whole.card["num_inference_steps"] if name == "whole" else SIDE**2,
            "million multiply-adds": multiply_adds(partial(work, [EXAMPLE])),
            **{
                f"milliseconds, batch {n}": round(median(times[name, n][1:]) / n, 2)
                for n in (1, 64)
            },
        }
    latents = torch.zeros(1, 4, SIDE, SIDE)
    rows["decoder"] = {"million multiply-adds": multiply_adds(lambda: whole.decode(latents))}
    return rows


def growth() -> list[dict]:
    """Calls and multiply-adds of both networks as the latents grow, guided. Estimated: networks of
    these widths with random weights. A cached transformer does the work of one pass in which no
    place looks ahead: half of what places look up among each other."""
    context, rows = torch.zeros(2, 32, 128), []
    unet, card = models.load_text_unet(WHOLE)
    steps = card["num_inference_steps"]
    for side in SIDES:
        codes = torch.zeros(2, side**2, dtype=torch.int64)
        x_t, t = torch.zeros(2, 4, side, side), torch.zeros(2)
        writer = CodeWriter(side=side).eval().requires_grad_(False)
        ahead = len(codes) * len(writer.blocks) * side**4 * writer.norm.normalized_shape[0] / 1e6
        rows.append({
            "side": side,
            "estimated": side != SIDE,
            "calls in a row": {"codes": side**2, "whole": steps},
            "million multiply-adds": {
                "codes": round(multiply_adds(partial(writer, codes, context)) - ahead, 1),
                "whole": round(steps * multiply_adds(partial(unet, x_t, t, context)), 1),
            },
        })  # fmt: skip
    return rows


# --- a part, likelihood, diversity, and where both meet ---


def repainting(pipe: PatchByPatch, whole: TextToImage) -> dict:
    """Another thing in the place of one: what is right, and the step across the part's edge as a
    share of that in real postcards."""
    old = postcards.sample_scenes(PICTURES // 2, SEED, kind="single")
    walk = steering.Repainter(whole, old, steering.with_another_thing(old))
    mask = steering.region(*(postcards.object_mask(scenes) for scenes in (old, walk.new)))
    hole = functional.max_pool2d(mask.float(), 64 // SIDE)[:, 0].flatten(1) > 0
    known = pipe.to_codes(walk.images).masked_fill(hole, -1)
    real = postcards.draw(walk.new)
    images = {
        "whole": walk.paint(1.0, mask),
        "codes": pipe.to_pictures(codes_of(pipe, walk.said, SEED, known=known)),
        "codes, all anew": pipe.to_pictures(codes_of(pipe, walk.said, SEED)),
        "real postcards": real,
    }
    judge, found = recognition.load("judge"), {}
    for name, made in images.items():
        agrees = judge.agrees(made, walk.new)
        seen = {THING: agrees["object"] & agrees["colour"], RIGHT: agrees["all"]}
        away = (made - walk.images).abs().mean(1, keepdim=True)[~mask].mean()
        step = (steering.gradient(shown, mask, range(1)) for shown in (made, real))
        found[name] = shares(seen, *seen) | {
            "step across the edge": steering.ratio(*step),
            "off outside, grey levels": round(127.5 * float(away), 2),
        }
    return found


def likelihood(pipe: PatchByPatch) -> dict:
    """Bits of the codes of fresh postcards, after their captions, after none and after another's;
    64 codes drawn at random would take 9 bits each."""
    scenes = postcards.sample_scenes(PICTURES // 2, SEED, kind="single")
    said, codes = postcards.captions(scenes, SEED, full=True), pipe.to_codes(postcards.draw(scenes))
    asked = {"own caption": said, "no caption": [""] * len(said), "another's": said[1:] + said[:1]}
    bits = {name: -pipe.log_likelihood(codes, each) / math.log(2) for name, each in asked.items()}
    return {"at random": 9.0 * SIDE**2} | {name: mean(each) for name, each in bits.items()}


def diversity(pipe: PatchByPatch, whole: TextToImage) -> list[dict]:
    """What is right, and how different two pictures of one caption are, as a share of how different
    two postcards of it are: at the settings of use, and as each model learned it, unguided."""
    scenes = postcards.sample_scenes(PICTURES // 2, SEED, kind="single")
    said, data = postcards.captions(scenes, SEED, full=True), guidance.spread_of_data(PICTURES)
    ways = [
        ("whole", "in use", partial(guidance.paint, whole, said)),
        ("whole", "unguided", partial(guidance.paint, whole, said, scale=1.0)),
    ]
    for name, warm, scale in (
        ("in use", None, None), ("unguided", 1.0, 1.0), ("colder", 0.5, None), ("warmer", 1.0, None)
    ):  # fmt: skip
        ways.append(("codes", name, partial(_written, pipe, said, warm=warm, scale=scale)))
    rows = []
    for model, name, paint in ways:
        one, other = paint(seed=SEED), paint(seed=SEED + len(said))
        gaps = guidance.apart(factors.read(one), factors.read(other))
        spreads = guidance.diversity(gaps, data)
        rows.append({"model": model, "how": name, **right(one, scenes), "diversity": spreads})
    return rows


def _written(
    pipe: PatchByPatch, said: list[str], seed: int, warm: float | None, scale: float | None
) -> Tensor:
    return pipe.to_pictures(codes_of(pipe, said, seed, warm, scale))


def meeting(pipe: PatchByPatch, whole: TextToImage) -> list[dict]:
    """A plan of codes, refined by diffusion: none of it, and from each strength on."""
    scenes = postcards.sample_scenes(PICTURES // 2, SEED, kind="single")
    said = postcards.captions(scenes, SEED, full=True)
    codes = codes_of(pipe, said, SEED)
    with torch.no_grad():
        plan = pipe.tokeniser.decode(codes.unflatten(1, (SIDE, SIDE)))
    ways = [(0.0, 0, whole.decode(plan))]
    for strength in STRENGTHS:
        made = []
        for start in range(0, len(said), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            dice = [torch.Generator().manual_seed(SEED + start + i) for i in range(len(said[part]))]
            noise = whole.noise(len(said[part]), dice)
            walk = [*whole.steps(said[part], latents=noise, x_0=plan[part], strength=strength)]
            made.append(whole.decode(walk[-1].x_next))
        ways.append((strength, len(walk), torch.cat(made)))
    return [
        {"strength": strength, "calls": calls}
        | right(images, scenes)
        | {"roughness": roughness(images)}
        for strength, calls, images in ways
    ]


def main() -> None:
    """Measure, print the tables and write data/bench/autoregressive.json."""
    pipe, whole = PatchByPatch.from_pretrained(CODES), TextToImage.from_pretrained(WHOLE)
    found = {
        "settings tried": choose(pipe),
        "right": accuracy(pipe, whole),
        "repainting a part": repainting(pipe, whole),
        "bits": likelihood(pipe),
        "diversity": diversity(pipe, whole),
        "a plan, refined": meeting(pipe, whole),
        "growth": growth(),
    }
    found["cost"] = costs(pipe, whole)  # last: it leaves the models without what is quick
    for name, rows in found.items():
        print(name)
        for row in rows.items() if isinstance(rows, dict) else enumerate(rows):
            print("  ", *row)
    what = "postcards written code by code, beside postcards refined as a whole"
    results.write(Path(__file__).stem, what, found, settings())


if __name__ == "__main__":
    main()
