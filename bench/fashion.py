"""Fashion-MNIST from scratch on one core: this course's network beside two libraries.

    python -m bench.fashion [--long] [--only NAME ...]

Each contestant trains for 60 and for 300 CPU-seconds (--long: also 900), anew each time, on the
60,000 training pictures; then it draws 1,000 pictures, which `scoring.clothes` scores:
the Frechet distance to the 10,000 test pictures in the features of a classifier that only
measures, over the same distance of the test pictures under a 3x3 box blur. 0 is perfect, 1 is as
far off as that blur. Beside it stand the floor (real training pictures scored in the same way)
and, against copying, the median distance to the nearest training picture. With --only, the rows
of the other contestants stay as they are in the data file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from bench import results
from bench.comparators import DenoisingDiffusionPytorch, Diffusers
from bench.ours import Ours
from bench.race import Contestant, Track, copying, run
from diffusion_lessons import data, models
from diffusion_lessons.scoring import clothes

CONTESTANTS = {made.name: made for made in (Ours, Diffusers, DenoisingDiffusionPytorch)}
BUDGETS, LONG = (60, 300), 900
PICTURES, SEED = 1000, 0
WHAT = (
    "Fashion-MNIST from scratch on one core: Frechet distance of 1,000 drawn pictures to the "
    "10,000 test pictures, over that of the test pictures blurred by a 3x3 box"
)


def everything(split: str) -> tuple[Tensor, Tensor]:
    """All pictures (N, 1, 28, 28) of a split of Fashion-MNIST and their classes (N,)."""
    pictures = data.load("fashion-mnist", size=28, channels=1, split=split)
    batch = pictures.sample(pictures.count or 0, seed=SEED)
    return batch.x_0, batch.given.flatten()


def real_rows(track: Track, test: Tensor) -> dict[str, float]:
    """What real pictures score: the floor, and the distances that are no sign of copying."""
    training, error = track.metric.score(track.images[: track.pictures])
    unseen, _ = track.metric.score(test[: track.pictures])
    few = clothes.box_blurred(test[: track.pictures])
    return {
        "blur_in_squared_features": round(track.metric.scale, 4),
        "floor": round(training, 4),
        "floor_standard_error": round(error, 4),
        "test_pictures_among_themselves": round(unseen, 4),
        "as_few_test_pictures_blurred": round(track.metric.score(few)[0], 4),
        "distance_of_test_pictures_to_nearest_training_picture": round(
            copying(test[: track.pictures], track.images), 4
        ),
    }


def settings() -> dict:
    """All that settles what is measured, beside the contestants' own settings."""
    return {
        "pictures_scored": PICTURES,
        "seed": SEED,
        "judge_sha256": results.weights(clothes.NAME)[clothes.NAME],
    }


def measure(contestant: Callable[[], Contestant], track: Track, budgets: tuple[float, ...]) -> dict:
    """All rows of one contestant, with its settings; each budget starts from nothing."""
    rows = []
    for budget in budgets:
        torch.manual_seed(SEED)
        entrant = contestant()
        print(f"{entrant.name}: {budget} CPU-seconds of training ...", flush=True)
        rows.append(run(entrant, track, budget, SEED))
    return {
        "settings": entrant.settings,
        "parameters": models.count_parameters(entrant.model),
        "versions": results.versions("torch", *entrant.packages),
        "machine": results.machine(),
        "rows": rows,
    }


def table(result: dict) -> str:
    """The figures as a table to print, with each score over ours."""
    own_rows = result["contestants"].get("ours", {"rows": []})["rows"]
    ours = {row["budget"]: row["score"] for row in own_rows}
    lines = [
        f"{'':28}{'training':>9}{'steps':>8}{'score':>8}{'+-':>7}{'/ ours':>8}"
        f"{'s/picture':>11}{'nearest':>9}"
    ]
    for name, entry in result["contestants"].items():
        for row in entry["rows"]:
            ratio = row["score"] / ours[row["budget"]] if row["budget"] in ours else float("nan")
            lines.append(
                f"{name:28}{row['budget']:7} s{row['steps']:8}{row['score']:8.2f}"
                f"{row['standard_error']:7.2f}{ratio:8.1f}{row['cpu_seconds_per_picture']:11.3f}"
                f"{row['distance_to_nearest_training_picture']:9.3f}"
            )
    real = result["real"]
    near = real["distance_of_test_pictures_to_nearest_training_picture"]
    lines.append(f"{'real training pictures':45}{real['floor']:8.2f}")
    lines.append(f"{'real test pictures':71}{near:18.3f}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Run the race, print the table and write data/bench/fashion.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help=f"also {LONG} CPU-seconds of training")
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    chosen = parser.parse_args(arguments)
    results.on_one_core()
    images, labels = everything("train")
    test, _ = everything("test")
    track = Track(images, labels, clothes.FrechetMetric(test, clothes.load()), PICTURES)
    known = results.read(Path(__file__).stem)
    entries = known.get("contestants", {}) if known.get("settings") == settings() else {}
    budgets = (*BUDGETS, LONG) if chosen.long else BUDGETS
    for name in chosen.only:
        entries[name] = measure(CONTESTANTS[name], track, budgets)
    found = {name: entries[name] for name in CONTESTANTS if name in entries}
    figures = {"real": real_rows(track, test), "contestants": found}
    results.write(Path(__file__).stem, WHAT, figures, settings())
    print(table(figures))


if __name__ == "__main__":
    main()
