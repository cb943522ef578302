"""Straight paths against curved ones, at equal cost: `python -m bench.flow`.

The race: networks of the shipped size are trained from scratch on the same latents (single scenes,
everything said), in the same steps from the same seeds. One side is lesson 05's way, the cosine
schedule and v, walked by DDIM; the other is rectified flow: the straight schedule and the velocity,
walked by Euler. Both samplers are of first order. The CPU seconds and the FLOPs of each side stand
beside. Then the networks that ship, each by two samplers; and the times of the flow shifted.

Of each walk, by the number of network calls: the share of fresh prompts of which the judge reads
everything right, and how far the latents are (root mean square) from where a fine walk of the same
network, from the same noise, arrives. Of the fine walk itself: its length over the distance from
its start to its end, less 1; 0 is a straight line. Intervals of the race are 95 %, from seeds and
pictures drawn again 2,000 times (Efron 1979); of what ships, Wilson's. Every run is kept in build/,
so that an interrupted measurement goes on where it was.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from bench import results
from diffusion_lessons import (
    conditioning,
    models,
    postcards,
    recipes,
    sampling,
    schedule,
    training,
)  # fmt: skip
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.recipes import TextToImageRecipe
from diffusion_lessons.sampling import SampleStep
from diffusion_lessons.scoring import recognition
from diffusion_lessons.scoring.statistics import shares

SIDES = {"cosine": ("cosine", "v", "ddim"), "flow": ("flow", "velocity", "euler")}
SEEDS, STEPS, LATENTS = (0, 1, 2), 240, 12_288
SHIPPED = {"postcards": ("ddim",), "postcards-flow": ("euler",)}
CALLS, SHIFTS, SHIFTED = (1, 2, 4, 8, 16), (1 / 3, 1.0, 3.0, 9.0), (4, 8)
PICTURES, SEED = 192, 2_300_000_000  # of scenes and noise; no training uses it
FINE, FOLLOWED = 32, 64  # steps of the fine walk, and pictures that it is taken for
SCALE, AT_ONCE, AGAIN = 2.5, 64, 2000
RIGHT, OFF, DETOUR = "everything right", "distance to the end", "detour"
KEPT = results.ROOT / "build" / "flow"


def recipe(side: str, seed: int) -> TextToImageRecipe:
    """How a network of the race is trained: as `postcards`, but shorter, and on single scenes."""
    way, kind, _ = SIDES[side]
    whole = recipes.RECIPES["postcards"]
    assert isinstance(whole, TextToImageRecipe)
    return dataclasses.replace(
        whole, schedule=way, kind=kind, seed=seed, half=False,
        pictures=LATENTS, kinds={"single": 1.0}, full=1.0,
        steps=STEPS, learning_rate=2e-2, ema_decay=0.99,
    )  # fmt: skip


def settings() -> dict:
    """All that settles the tables, besides the code: its data file carries these."""
    return {
        "weights_sha256": results.weights(*SHIPPED, "captions", "autoencoder", "judge"),
        "recipes": {side: dataclasses.asdict(recipe(side, SEEDS[0])) for side in SIDES},
        "samplers": {side: sampler for side, (_, _, sampler) in SIDES.items()},
        "seeds": list(SEEDS),
        "shipped": {name: list(samplers) for name, samplers in SHIPPED.items()},
        "calls": list(CALLS),
        "shifts": list(SHIFTS),
        "calls of shifted walks": list(SHIFTED),
        "pictures": PICTURES,
        "seed": SEED,
        "fine steps": FINE,
        "pictures of the fine walk": FOLLOWED,
        "guidance scale": SCALE,
        "at once": AT_ONCE,
    }


# --- walks ---


class Walker:
    """A text-to-image model that is asked for the same scenes from the same noise each time."""

    def __init__(self, pipe: TextToImage, count: int):
        self.pipe, self.unet = pipe, models.QuickUNet(pipe.unet)
        self.scenes = postcards.sample_scenes(count, SEED, kind="single")
        said = postcards.captions(self.scenes, SEED, full=True)
        self.context = pipe.encode_prompt(said)
        seeds = range(SEED, SEED + count)
        self.noise = pipe.noise(count, [torch.Generator().manual_seed(seed) for seed in seeds])

    def steps(self, sampler: str, times: Tensor, part: slice) -> list[SampleStep]:
        """The steps of a guided walk, for some of the scenes."""
        pipe = self.pipe
        denoiser = conditioning.guided(
            self.unet, pipe.schedule, pipe.kind, self.context[part], pipe.null_context, SCALE
        )
        return [*getattr(sampling, sampler)(denoiser, pipe.schedule, self.noise[part], times)]

    def ends(self, sampler: str, times: Tensor) -> Tensor:
        """Where walks arrive, (count, 4, 8, 8)."""
        parts = [slice(start, start + AT_ONCE) for start in range(0, len(self.noise), AT_ONCE)]
        return torch.cat([self.steps(sampler, times, part)[-1].x_next for part in parts])

    def right(self, ends: Tensor) -> Tensor:
        """Whether the judge reads everything right, bool (count,)."""
        pictures = torch.cat([self.pipe.decode(part) for part in ends.split(AT_ONCE)])
        return recognition.load("judge").agrees(pictures, self.scenes)["all"]

    def followed(self, sampler: str, count: int) -> tuple[Tensor, float]:
        """Where fine walks of the first scenes arrive, and their `detour`, on average."""
        parts, ends, detours = range(0, count, AT_ONCE), [], []
        for start in parts:
            part = slice(start, min(start + AT_ONCE, count))
            walk = self.steps(sampler, sampling.times(FINE), part)
            way = torch.stack([walk[0].x_t] + [step.x_next for step in walk])
            ends.append(way[-1])
            detours.append(detour(way))
        return torch.cat(ends), float(torch.cat(detours).mean())


def detour(way: Tensor) -> Tensor:
    """The length of ways over the distance from their start to their end, less 1.

    way: (steps + 1, N, ...), the stops of N ways. Returns (N,); 0 is a straight line.
    """
    length = sum((b - a).flatten(1).norm(dim=1) for a, b in pairwise(way))
    return length / (way[-1] - way[0]).flatten(1).norm(dim=1) - 1


def root_mean_square(ends: Tensor, goal: Tensor) -> float:
    """How far walks end from where they should, over all numbers of their latents."""
    return float((ends[: len(goal)] - goal).square().mean().sqrt())


def measured(walker: Walker, sampler: str) -> dict:
    """By the number of calls: which pictures are right, and how far they are from the end."""
    goal, longer = walker.followed(sampler, FOLLOWED)
    found: dict = {"right": [], OFF: [], DETOUR: longer}
    for calls in CALLS:
        ends = walker.ends(sampler, sampling.times(calls))
        found["right"].append(walker.right(ends))
        found[OFF].append(root_mean_square(ends, goal))
    found["right"] = torch.stack(found["right"])  # (calls, pictures)
    return found


# --- the race ---


def latents() -> tuple[postcards.Scenes, Tensor]:
    """The scenes and their latents that all networks of the race learn from."""
    shared = recipe("cosine", SEEDS[0])
    kept = KEPT / "latents.pt"
    if not kept.is_file():
        _, found = shared.latents(torch.device("cpu"))
        keep(kept, found)
    return shared.scenes(), torch.load(kept)


def keep(path: Path, found: object) -> None:
    """Write what `torch.load` reads, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    torch.save(found, half)
    half.replace(path)


def run(side: str, seed: int, scenes: postcards.Scenes, x_0: Tensor) -> dict:
    """Train one network of the race and measure it."""
    how = recipe(side, seed)
    torch.manual_seed(seed)
    unet = models.TextUNet(**how.network())
    fit = training.train(
        unet, how.batches(scenes, x_0, torch.device("cpu")), getattr(schedule, how.schedule),
        how.kind, how.steps, how.learning_rate, seed, how.ema_decay,
    )  # fmt: skip
    with FlopCounterMode(display=False) as counter:
        next(iter(fit))
    started = time.process_time()
    for _ in fit:
        pass
    seconds = (time.process_time() - started) * STEPS / (STEPS - 1)  # the first was counted
    unet.load_state_dict(fit.ema.state_dict())
    walker = Walker(how.pipeline(unet.eval().requires_grad_(False)), PICTURES)
    return {
        "CPU seconds of training": seconds,
        "FLOPs of training": counter.get_total_flops() * STEPS,
        **measured(walker, SIDES[side][2]),
    }


def runs() -> dict[tuple[str, int], dict]:
    """All runs of the race, those that are kept and those that are not yet made."""
    found: dict[tuple[str, int], dict] = {}
    for seed in SEEDS:
        for side in SIDES:
            kept = KEPT / f"{side}-{seed}-{results.fingerprint(race_settings())[:12]}.pt"
            if not kept.is_file():
                keep(kept, run(side, seed, *latents()))
            found[side, seed] = torch.load(kept)
            at_last = found[side, seed]["right"].float().mean(dim=1)
            print(f"{side}, seed {seed}: right by calls {[round(float(s), 3) for s in at_last]}")
    return found


def race_settings() -> dict:
    """What settles a run of the race: nothing of the networks that ship."""
    all_of_it = settings()
    return {name: all_of_it[name] for name in all_of_it if name not in ("weights_sha256", "shipped",
            "shifts", "calls of shifted walks")}  # fmt: skip


def interval(values: Tensor) -> list[float]:
    """The 95 % interval of a mean over seeds and pictures, (S, N), from both drawn again."""
    dice, (seeds, pictures) = torch.Generator().manual_seed(0), values.shape
    again = [
        values[torch.randint(seeds, (seeds,), generator=dice)][
            :, torch.randint(pictures, (pictures,), generator=dice)
        ].mean()
        for _ in range(AGAIN)
    ]
    ends = torch.stack(again).quantile(torch.tensor([0.025, 0.975]))
    return [round(float(end), 4) for end in ends]


def with_interval(name: str, values: Tensor) -> dict:
    """A mean over seeds and pictures, (S, N), with its interval."""
    return {name: round(float(values.mean()), 4), f"{name}, 95 % interval": interval(values)}


def race(found: dict[tuple[str, int], dict]) -> dict:
    """The table of the race: each side by the number of calls, and the difference of the two."""
    sides = {side: [found[side, seed] for seed in SEEDS] for side in SIDES}
    right = {s: torch.stack([one["right"].float() for one in each]) for s, each in sides.items()}
    rows = []
    for place, calls in enumerate(CALLS):
        row: dict = {"calls": calls}
        for side, each in sides.items():
            row[side] = with_interval(RIGHT, right[side][:, place])
            row[side] |= {"by seed": [round(float(v.mean()), 4) for v in right[side][:, place]]}
            row[side] |= {OFF: [round(one[OFF][place], 4) for one in each]}
        more = right["flow"][:, place] - right["cosine"][:, place]  # same prompts, same noise
        rows.append(row | {"flow less cosine": with_interval(RIGHT, more)})
    cost = {
        side: {
            "CPU seconds of training": [round(one["CPU seconds of training"], 1) for one in each],
            "TFLOPs of training": [round(one["FLOPs of training"] / 1e12, 2) for one in each],
            DETOUR: [round(one[DETOUR], 4) for one in each],
        }
        for side, each in sides.items()
    }
    return {"seeds": len(SEEDS), "pictures": PICTURES, "rows": rows, "sides": cost}


# --- what ships ---


def shipped(walkers: dict[str, Walker]) -> list[dict]:
    """A row for each shipped network, each of its samplers and each number of calls."""
    rows = []
    for name, walker in walkers.items():
        for sampler in SHIPPED[name]:
            found = measured(walker, sampler)
            for place, calls in enumerate(CALLS):
                row = {"weights": name, "sampler": sampler, "calls": calls}
                row |= shares({RIGHT: found["right"][place]}, RIGHT)
                rows.append(row | {
                    OFF: round(found[OFF][place], 4), DETOUR: round(found[DETOUR], 4),
                })  # fmt: skip
    return rows


def shifted(walker: Walker) -> list[dict]:
    """A row for each shift of the times of the shipped flow, by Euler."""
    goal, _ = walker.followed("euler", FOLLOWED)
    rows = []
    for calls in SHIFTED:
        for shift in SHIFTS:
            ends = walker.ends("euler", sampling.times(calls, shift))
            row = {"shift": round(shift, 4), "calls": calls, OFF: root_mean_square(ends, goal)}
            rows.append(row | shares({RIGHT: walker.right(ends)}, RIGHT))
            rows[-1][OFF] = round(rows[-1][OFF], 4)
    return rows


def table(raced: dict, rows: Sequence[dict]) -> str:
    """The figures to print."""
    lines = [f"{'calls':>5}{'cosine':>9}{'flow':>9}{'flow less cosine, 95 %':>28}"]
    for row in raced["rows"]:
        more = row["flow less cosine"]
        low, high = more[f"{RIGHT}, 95 % interval"]
        between = f"{more[RIGHT]:+.1%} ({low:+.1%} to {high:+.1%})"
        shown = "".join(f"{row[side][RIGHT]:9.1%}" for side in SIDES)
        lines.append(f"{row['calls']:5}{shown}{between:>28}")
    for side, cost in raced["sides"].items():
        lines.append(f"{side}: {cost}")
    for row in rows:
        low, high = row[f"{RIGHT}, 95 % interval"]
        lines.append(
            f"{row.get('weights', 'shift'):15}{row.get('sampler', row.get('shift'))!s:12}"
            f"{row['calls']:3}{row[RIGHT]:8.1%} ({low:.1%} to {high:.1%})  off {row[OFF]:.3f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure all rows, print the tables and write data/bench/flow.json."""
    results.on_one_core()
    raced = race(runs())
    ready = [name for name, found in results.weights(*SHIPPED).items() if found]
    walkers = {name: Walker(TextToImage.from_pretrained(name), PICTURES) for name in ready}
    by_calls = shipped(walkers)
    by_shift = shifted(walkers["postcards-flow"]) if "postcards-flow" in walkers else []
    figures = {"race": raced, "shipped": by_calls, "shifted": by_shift}
    what = "rectified flow against the cosine schedule: right and distance by the number of calls"
    results.write(Path(__file__).stem, what, figures, settings())
    print(table(raced, [*by_calls, *by_shift]))


if __name__ == "__main__":
    main()
