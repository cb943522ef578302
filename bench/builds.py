"""This build beside an earlier one, in turn on one core: `python -m bench.builds`.

Each build draws the same guided picture, a batch of 64 and takes one training step of the U-Net, in
a process of its own; the two take turns, so that a slower minute hits both. Then a picture of the
same prompt as soon as it can be had: by 10 guided steps in the earlier build, by the student's two
calls now. CPU seconds are compared, which other work on the machine disturbs less than the clock.
The earlier build is taken from git; without its commit there is nothing to compare, and a sentence
says so.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, cast

from bench import results

EARLIER = "c337b74"
SOONEST = "picture as soon as it can be had"
JOBS = {
    "guided picture, 10 steps": 15, "64 pictures in a batch": 2, "training step": 10, SOONEST: 25,
}  # rounds  # fmt: skip
WORKER = """
import sys, time, torch
from diffusion_lessons import models, recipes, schedule, training
from diffusion_lessons.data import Batch
from diffusion_lessons.pipeline import TextToImage

torch.set_num_threads(1)
PROMPT = "a large red house on the left, on snow at night"
pipe = TextToImage.from_pretrained("postcards")

try:
    student = TextToImage.from_pretrained("postcards-turbo")
except Exception:  # there was none
    student = pipe

def draw(count):
    dice = torch.Generator().manual_seed(0)
    return pipe(PROMPT, None, 10, 2.5, count, dice, "pt").images

def draw_soon():
    return student(PROMPT, generator=torch.Generator().manual_seed(0), output_type="pt").images

torch.manual_seed(0)
batch = Batch(torch.randn(32, 4, 8, 8), torch.randn(32, 32, 128), [""] * 32)
unet = models.TextUNet(**recipes.RECIPES["postcards"].network())
steps = iter(training.train(unet, lambda step: batch, schedule.cosine, "x_0", 10**6, 0.001))
jobs = [lambda: draw(1), lambda: draw(64), lambda: next(steps), draw_soon]
for line in sys.stdin:
    started = time.process_time()
    result = jobs[int(line)]()
    print(time.process_time() - started, flush=True)
    if line.strip() == "0":
        pixels = (result * 255).round().byte().flatten().tolist()
        print(*pixels, flush=True)
"""


def unpack(commit: str, folder: Path) -> bool:
    """Write package and data of a commit into a folder; False where git does not have it."""
    command = ["git", "-C", str(results.ROOT), "archive", commit, "diffusion_lessons", "data"]
    archive = subprocess.run([*command, "pyproject.toml"], capture_output=True)
    if archive.returncode == 0:
        subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return archive.returncode == 0


class Build:
    """A process that runs the jobs with the package in `folder`."""

    def __init__(self, folder: Path):
        environment = dict(os.environ, PYTHONPATH=str(folder), OMP_NUM_THREADS="1")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", WORKER], env=environment, cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.pixels: list[int] = []

    def seconds(self, job: int) -> float:
        """Run a job once; CPU seconds."""
        asks, replies = cast(IO[str], self.process.stdin), cast(IO[str], self.process.stdout)
        asks.write(f"{job}\n")
        asks.flush()
        seconds = float(replies.readline())
        if job == 0:
            self.pixels = [int(value) for value in replies.readline().split()]
        return seconds

    def end(self) -> None:
        """End the process."""
        cast(IO[str], self.process.stdin).close()
        self.process.wait()


def compare(earlier: Build, now: Build) -> dict:
    """Median CPU milliseconds of each job by build, and their ratio; the first round warms up."""
    rows = {}
    for job, (name, rounds) in enumerate(JOBS.items()):
        took = [(earlier.seconds(job), now.seconds(job)) for _ in range(rounds + 1)][1:]
        before, after = (statistics.median(column) for column in zip(*took, strict=True))
        rows[name] = {
            "earlier, ms": round(before * 1000, 1),
            "now, ms": round(after * 1000, 1),
            "ratio": round(before / after, 2),
        }
    return rows


def main() -> None:
    """Measure, print the rows and write data/bench/builds.json."""
    with tempfile.TemporaryDirectory() as folder:
        if not unpack(EARLIER, Path(folder)):
            print(f"Builds: git does not have {EARLIER} here, so there is nothing to compare with.")
            return
        builds = [Build(Path(folder)), Build(results.ROOT)]
        try:
            rows = compare(*builds)
        finally:
            for build in builds:
                build.end()
    apart = max(abs(a - b) for a, b in zip(*(build.pixels for build in builds), strict=True))
    for name, row in rows.items():
        print(f"{name:32}{row['earlier, ms']:10.1f}{row['now, ms']:10.1f}{row['ratio']:7.2f}x")
    print(f"the picture differs by at most {apart} of 255")
    what = "this build beside an earlier one, in turn on one core, CPU milliseconds"
    figures = {
        "earlier": EARLIER,
        "rows": rows,
        "largest difference of the picture, of 255": apart,
    }
    results.write(Path(__file__).stem, what, figures)


if __name__ == "__main__":
    main()
