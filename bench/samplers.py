"""Quality against the number of steps, for every sampler of lesson 03: `python -m bench.samplers`.

The shipped network `postcards-32` is asked for the same 1,000 postcards by each sampler, with each
number of steps, from the same start noise. The judge says how many show what was asked for (95 %
intervals after Wilson), and its features give a Frechet distance to real postcards, with what as
many other real ones score as the floor. The lesson reads the table from data/bench/samplers.json.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor

from bench import results
from diffusion_lessons import models, sampling, schedule, scoring
from diffusion_lessons.prediction import as_denoiser

WEIGHTS = "postcards-32"
STEPS = {
    "ddpm": (2, 4, 8, 16, 32, 64, 250),
    "ddim": (1, 2, 4, 8, 16, 32, 64),
    "dpm-solver++": (2, 4, 8, 16, 32, 64),
}
PICTURES, SEED = 1000, 0
SAMPLED_AT_ONCE = 100


def settings() -> dict:
    """All that settles the table, besides the code: its data file carries these."""
    network, judge = results.weights(WEIGHTS, "judge").values()
    return {
        "weights": WEIGHTS,
        "weights_sha256": network,
        "judge_sha256": judge,
        "steps": {name: list(steps) for name, steps in STEPS.items()},
        "pictures": PICTURES,
        "seed": SEED,
        "sampled_at_once": SAMPLED_AT_ONCE,
        "clip": True,
    }


class Painter:
    """The shipped network, asked for `count` postcards of its own data set.

    Attributes:
        card: of the weights.
        labels: int64 (count, K), what is asked for.
    """

    def __init__(self, count: int):
        self.model, self.card = models.load_unet(WEIGHTS)
        self.labels = scoring.asked(self.card["data"], count, SEED)
        self._schedule = getattr(schedule, self.card["schedule"])

    def paint(self, sampler: str, steps: int) -> Tensor:
        """Pictures (count, C, size, size) in [-1, 1]; the same start noise whatever is chosen."""
        shape = (self.card["channels"], self.card["size"], self.card["size"])
        painted = []
        for part, labels in enumerate(self.labels.split(SAMPLED_AT_ONCE)):
            chance = torch.Generator().manual_seed(SEED + part)
            x_t = torch.randn(len(labels), *shape, generator=chance)
            denoiser = as_denoiser(self.model, self._schedule, self.card["kind"], labels, clip=True)
            chosen = {"generator": chance} if sampler == "ddpm" else {}
            walk = sampling.SAMPLERS[sampler](
                denoiser, self._schedule, x_t, sampling.times(steps), **chosen
            )
            painted.append(sampling.finish(walk).clamp(-1, 1))
        return torch.cat(painted)


def row(painter: Painter, sampler: str, steps: int) -> dict:
    """One line of the table."""
    started = time.process_time()
    pictures = painter.paint(sampler, steps)
    seconds = (time.process_time() - started) / len(pictures)
    return {
        "sampler": sampler,
        "steps": steps,
        "network_calls": steps,
        "cpu_seconds_per_picture": round(seconds, 5),
        **scoring.score(painter.card["data"], pictures, SEED),
    }


def table(rows: list[dict]) -> str:
    """The figures as a table to print."""
    lines = [
        f"{'sampler':14}{'steps':>6}{'object, colour':>16}{'95 %':>16}{'all':>8}"
        f"{'Frechet':>9}{'+-':>7}{'real':>7}{'s/picture':>11}"
    ]
    for line in rows:
        low, high = line["object and colour right, 95 % interval"]
        lines.append(
            f"{line['sampler']:14}{line['steps']:6}{line['object and colour right']:16.1%}"
            f"{f'{low:.1%} to {high:.1%}':>16}{line['everything right']:8.1%}"
            f"{line['Frechet distance']:9.2f}{line['Frechet distance, standard error']:7.2f}"
            f"{line['Frechet distance of real pictures']:7.2f}"
            f"{line['cpu_seconds_per_picture']:11.4f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure all rows, print the table and write data/bench/samplers.json."""
    results.on_one_core()
    painter, rows = Painter(PICTURES), []
    for sampler, numbers in STEPS.items():
        for steps in numbers:
            rows.append(row(painter, sampler, steps))
            print(table(rows[-1:]).splitlines()[-1], flush=True)
    what = f"{WEIGHTS}: quality against the number of steps, {PICTURES} pictures a row"
    results.write(Path(__file__).stem, what, {"rows": rows}, settings())
    print(table(rows))


if __name__ == "__main__":
    main()
