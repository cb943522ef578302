"""How closely pictures follow an outline, and what that costs: `python -m bench.controlnet`.

The shipped text-to-image model with the shipped branch, at its default guidance scale, draws single
scenes: everything said, with the outlines of their things and their horizons, at each conditioning
scale, then in fewer steps. A reader of outlines finds the things, the judge reads what is shown,
and `factors` the horizon; no loss has used any of them. Beside it real postcards, as drawn and
through the autoencoder: more than that the readers cannot find. Below it real postcards of other
scenes. And outlines of other scenes: what is followed where the caption contradicts them. First
seeds, 95 % intervals.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench import results
from diffusion_lessons import postcards
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards import Scenes
from diffusion_lessons.postcards.layout import horizon
from diffusion_lessons.postcards.outline import outline
from diffusion_lessons.scoring import factors, outlines, recognition
from diffusion_lessons.scoring.statistics import shares

WEIGHTS, BRANCH = "postcards", "controlnet-outline"
SCALES, STEPS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5), (6, 8)  # and the default
PICTURES, SEED = 192, 2_300_000_000  # of scenes and noise; no training uses it
WITHIN = 2.0  # pixels
TIMED, AT_ONCE = 15, 64
OBEYED, KEPT, OVERLAP = "caption obeyed", "horizon within 2 pixels", "median overlap"
ERROR, TOOK = "median horizon error", "CPU milliseconds"


def settings() -> dict:
    """All that settles the tables, besides the code: its data file carries these."""
    used = (WEIGHTS, BRANCH, "captions", "autoencoder", "judge", "recogniser", outlines.NAME)
    return {
        "weights_sha256": results.weights(*used),
        "scales": list(SCALES),
        "steps": list(STEPS),
        "pictures": PICTURES,
        "seed": SEED,
        "within": WITHIN,
        "at once": AT_ONCE,
    }


def draw(pipe: TextToImage, scenes: Scenes, lines: Tensor, **chosen: Any) -> Tensor:
    """Pictures (N, 3, 64, 64) in [-1, 1] of scenes by their captions and these outlines."""
    said, images = postcards.captions(scenes, SEED, full=True), []
    for rows in torch.arange(len(scenes)).split(AT_ONCE):
        noise = pipe.noise(len(rows), [torch.Generator().manual_seed(SEED + int(i)) for i in rows])
        asked, drawings = [said[row] for row in rows], list(lines[rows])
        *_, last = pipe.steps(asked, latents=noise, control_image=drawings, **chosen)
        images.append(pipe.decode(last.x_next))
    return torch.cat(images)


def followed(images: Tensor, scenes: Scenes, drawn: Scenes) -> dict:
    """A line of a table: are captions of `scenes` obeyed, and outlines of `drawn`?"""
    agrees = recognition.load("judge").agrees(images, scenes)
    apart = 64 * (factors.read(images)["horizon"] - horizon(drawn)).abs()
    right = {OBEYED: agrees.pop("all"), KEPT: apart <= WITHIN}
    overlap = outlines.overlap(outlines.load().read(images), drawn)
    return shares(right | agrees, *right) | overlap | {ERROR: round(float(apart.median()), 3)}


def milliseconds(pipe: TextToImage, line: Tensor, said: str, steps: int) -> float:
    """The CPU milliseconds of a call, from its words to its picture, the median of TIMED."""
    took = []
    for _ in range(TIMED + 1):  # not the first, for which the engine is built
        started = time.process_time()
        pipe(said, num_inference_steps=steps, control_image=line)
        took.append(1000 * (time.process_time() - started))
    return round(statistics.median(took[1:]), 1)


def table(rows: list[dict]) -> str:
    """The figures as a table to print."""
    lines = [f"{'':26}{OVERLAP:>15}{'95 %':>16}{OBEYED:>16}{KEPT:>25}{ERROR:>22}{TOOK:>18}"]
    for row in rows:
        low, high = row[f"{OVERLAP}, 95 % interval"]
        lines.append(
            f"{row['name']:26}{row[OVERLAP]:15.3f}{f'{low:.3f} to {high:.3f}':>16}"
            f"{row[OBEYED]:16.1%}{row[KEPT]:25.1%}{row[ERROR]:22.2f}{row.get(TOOK, ''):>18}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure all rows, print the table and write data/bench/controlnet.json."""
    results.on_one_core()
    pipe = TextToImage.from_pretrained(WEIGHTS, controlnet=BRANCH)
    scenes = postcards.sample_scenes(PICTURES, SEED, kind="single")
    others = scenes[torch.arange(PICTURES).roll(1)]
    lines, real, said = outline(scenes), postcards.draw(scenes), postcards.captions(scenes, SEED)[0]
    back = torch.cat([pipe.decode(pipe.encode(part)) for part in real.split(AT_ONCE)])
    rows: list[dict] = []
    for scale in SCALES:
        images = draw(pipe, scenes, lines, controlnet_conditioning_scale=scale)
        rows.append({"name": f"scale {scale}", "scale": scale} | followed(images, scenes, scenes))
        if scale == 1:
            rows[-1][TOOK] = milliseconds(pipe, lines[0], said, pipe.card["num_inference_steps"])
    for steps in STEPS:
        row = {"name": f"{steps} steps", "steps": steps}
        row[TOOK] = milliseconds(pipe, lines[0], said, steps)
        images = draw(pipe, scenes, lines, num_inference_steps=steps)
        rows.append(row | followed(images, scenes, scenes))
    for name, images, drawn in (
        ("real", real, scenes), ("through the autoencoder", back, scenes),
        ("other scenes", real, others),
        ("outlines of other scenes", draw(pipe, scenes, outline(others)), others),
    ):  # fmt: skip
        rows.append({"name": name} | followed(images, scenes, drawn))
    what = f"{WEIGHTS} with {BRANCH}: how closely pictures follow an outline"
    results.write(Path(__file__).stem, what, {"rows": rows}, settings())
    print(table(rows))


if __name__ == "__main__":
    main()
