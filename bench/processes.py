"""Pictures a second in one process and in two, by torchrun: `python -m bench.processes`.

The network, batch and precision of the recipe `postcards`, on latents and contexts that are noise,
for the time of a step does not depend on what they show. One thread for each process. Worth
something on quiet cores alone, so how busy the machine was is written down too.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from bench import results
from diffusion_lessons import conditioning, postcards, recipes
from diffusion_lessons.data import Batch
from diffusion_lessons.training import Batches, distributed

RECIPE, WARM, STEPS, ROUNDS = recipes.RECIPES["postcards"], 5, 40, 3


def settings() -> dict:
    """All that settles the figures, besides the code."""
    return {"recipe": dataclasses.asdict(RECIPE), "warm": WARM, "steps": STEPS}


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoiseRecipe(recipes.TextToImageRecipe):
    """The recipe `postcards`, on noise."""

    def latents(self, device: torch.device) -> tuple[postcards.Scenes, Tensor]:
        """Return a few scenes, and noise for latents."""
        noise = torch.randn(512, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        return postcards.sample_scenes(1, 0), noise

    def batches(
        self, scenes: postcards.Scenes, latents: Tensor, device: torch.device,
        drop: Callable[..., Tensor] = conditioning.drop_captions,
    ) -> Batches:  # fmt: skip
        """Return the same batch of noise for every step."""
        context = torch.randn(self.batch, 32, 128, generator=torch.Generator().manual_seed(0))
        return lambda step: Batch(latents[: self.batch], context, [])


def worker() -> None:
    """Time steps in this process, which torchrun may have started; the first one prints them."""
    with distributed.processes():
        fit = NoiseRecipe(**vars(RECIPE)).begin("postcards", torch.device("cpu"))
        steps = iter(fit)
        for _ in range(WARM):
            next(steps)
        started = time.perf_counter()
        for _ in range(STEPS):
            next(steps)
        seconds = time.perf_counter() - started
        if distributed.rank() == 0:
            print(json.dumps(RECIPE.batch * STEPS / seconds))


def pictures_a_second(processes: int) -> float:
    """Start the workers and return what they trained in a second, together."""
    run = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    command = [sys.executable, "-m", *run, "bench.processes", "worker"]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}  # torchrun says so to several processes only
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=results.ROOT, env=alone
    )
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure in turn, and write data/bench/processes.json."""
    before, rows = results.load(), []
    for _ in range(ROUNDS):
        one, two = pictures_a_second(1), pictures_a_second(2)
        row = {"one": round(one, 1), "two": round(two, 1), "ratio": round(two / one, 2)}
        rows.append(row)
        print(row, flush=True)
    middle = sorted(row["ratio"] for row in rows)[ROUNDS // 2]
    figures = {"rows": rows, "median ratio": middle, "load before": before}
    what = "pictures of training a second, in one process and in two of torchrun's, in turn"
    results.write(Path(__file__).stem, what, figures, settings())


if __name__ == "__main__":
    worker() if sys.argv[1:] == ["worker"] else main()
