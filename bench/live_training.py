"""The live training of lesson 02, for three seeds on one core: `python -m bench.live_training`.

What the lesson trains is `recipes.LIVE`, here and there, so the two cannot drift apart. For each
seed: the CPU-seconds of its steps without the lesson's pictures and curves, and what the judge
reads in fresh pictures, made as the recipe says.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from pathlib import Path

import torch

from bench import results
from diffusion_lessons import recipes, scoring
from diffusion_lessons.recipes import GeneratorRecipe

SEEDS, PICTURES = (0, 1, 2), 512
PROMISED_SECONDS, PROMISED_SHARE = 90, 0.75
RIGHT = "object and colour right"


def settings() -> dict:
    """All that settles the figures, besides the code."""
    return {
        "recipe": dataclasses.asdict(recipes.LIVE),
        "seeds": list(SEEDS),
        "pictures": PICTURES,
        "judge_sha256": results.weights("judge")["judge"],
    }


def one_seed(recipe: GeneratorRecipe, seed: int, pictures: int) -> dict:
    """Train by `recipe` with another seed, draw so many of what `scoring.asked` asks, score."""
    recipe = dataclasses.replace(recipe, seed=seed)
    began = time.process_time()
    fit = recipe.begin("live", torch.device("cpu"))
    for _ in fit:
        pass
    seconds = time.process_time() - began
    fresh = recipes.FRESH_SEED + seed
    labels = scoring.asked(recipe.data, pictures, fresh)
    drawn = recipe.make(fit.ema.eval(), labels, range(fresh, fresh + pictures))
    return {
        "seed": seed,
        "cpu_seconds": round(seconds, 1),
        **scoring.score(recipe.data, drawn, fresh),
    }


def main() -> None:
    """Measure, print the table and write data/bench/live_training.json."""
    results.on_one_core()
    rows = []
    for seed in SEEDS:
        rows.append(one_seed(recipes.LIVE, seed, PICTURES))
        print(f"seed {seed}: {rows[-1]['cpu_seconds']} s, {rows[-1][RIGHT]:.1%} right", flush=True)
    what = "the live training of lesson 02: CPU-seconds, and the judge's score"
    longest = max(row["cpu_seconds"] for row in rows)
    share = round(statistics.mean(row[RIGHT] for row in rows), 4)
    figures = {"rows": rows, "longest_cpu_seconds": longest, "mean_share": share}
    results.write(Path(__file__).stem, what, figures, settings())
    print(
        f"longest {longest} s (promised: under {PROMISED_SECONDS}), "
        f"mean {share:.1%} right (promised: {PROMISED_SHARE:.0%})"
    )


if __name__ == "__main__":
    main()
