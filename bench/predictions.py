"""Noise, clean picture or v? The comparison of lesson 02: `python -m bench.predictions`.

The same small network, data, noise and number of steps for each kind; only what it is trained to
say differs. Once the picture is folded coarsely, so that a place has to carry 48 numbers, and once
finely, with 12. The networks are plain: nothing is scaled or added before or after them.
"""

from __future__ import annotations

import itertools

import torch

from bench import results
from diffusion_lessons import data, models, pictures, sampling, schedule, scoring, training
from diffusion_lessons.prediction import as_denoiser

KINDS, PATCHES, SEEDS = ("eps", "x_0", "v"), (4, 2), (0, 1, 2)
WIDTHS, BLOCKS, STEPS, BATCH, LEARNING_RATE, EMA_DECAY = (32, 64), (1, 2), 120, 16, 0.02, 0.99
PICTURES, SAMPLING_STEPS, SHOWN = 128, 12, 8
RIGHT = "object and colour right"


def settings() -> dict:
    """All that settles the figures, besides the code."""
    return {
        "kinds": list(KINDS), "patches": list(PATCHES), "seeds": list(SEEDS), "data": "sprites",
        "widths": list(WIDTHS), "blocks": list(BLOCKS), "steps": STEPS, "batch": BATCH,
        "learning_rate": LEARNING_RATE, "ema_decay": EMA_DECAY, "pictures": PICTURES,
        "sampling_steps": SAMPLING_STEPS,
    }  # fmt: skip


def learned(kind: str, patch: int, seed: int) -> torch.Tensor:
    """Pictures (N, 3, 32, 32) of a network that was trained to say `kind`."""
    source = data.load("sprites", 32, 3)
    torch.manual_seed(seed)
    sizes = [len(words) for words in source.factors.values()]
    network = models.UNet(3, WIDTHS, BLOCKS, patch, sizes)
    batches = source.batches(BATCH, seed)
    fit = training.train(
        network, batches, schedule.cosine, kind, STEPS, LEARNING_RATE, seed, EMA_DECAY
    )
    for _ in fit:
        pass
    start = torch.randn(PICTURES, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    denoiser = as_denoiser(fit.ema, schedule.cosine, kind, scoring.asked("sprites", PICTURES, seed))
    times = sampling.times(SAMPLING_STEPS)
    return sampling.finish(sampling.dpm_solver(denoiser, schedule.cosine, start, times))


def main() -> None:
    """Measure, and write data/bench/predictions.json and data/pictures/predictions.png."""
    rows, shown, labels = [], [], []
    for patch, kind, seed in itertools.product(PATCHES, KINDS, SEEDS):
        images = learned(kind, patch, seed)
        share = scoring.score("sprites", images, seed)[RIGHT]
        rows.append({"patch": patch, "kind": kind, "seed": seed, RIGHT: share})
        print(rows[-1], flush=True)
        if seed == 0:
            shown.append(images[:SHOWN])
            labels += [f"{kind}, {patch}x{patch}"] * SHOWN
    sheet = pictures.grid(torch.cat(shown), labels, columns=SHOWN, zoom=3)
    path = results.ROOT / "data" / "pictures" / "predictions.png"
    path.write_bytes(pictures.png(sheet))
    what = "share of sprites judged right after 120 steps, by what the network is to say"
    results.write("predictions", what, {"rows": rows}, settings())


if __name__ == "__main__":
    main()
