"""Does a small network copy? The control of lesson 02: `python -m bench.copying`.

The lesson's own network, steps and settings (`recipes.LIVE`), trained twice: on 32 sprites that
come back again and again, and on sprites that are fresh at every step. How near are its drawings to
the pictures that it learned from? How near are fresh pictures, which cannot be copies? And how far
off is its guess of a new picture, at each noise level, beside that of the memoriser?
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn

from bench import results
from diffusion_lessons import data, models, pictures, prediction, recipes, scoring, training
from diffusion_lessons.schedule import add_noise, cosine
from diffusion_lessons.scoring import statistics

FEW, FRESH, POOL, SHOWN = 32, 64, 1000, 8
LEVELS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
SOURCES = {"32 sprites": FEW, "fresh sprites": 0}


def settings() -> dict:
    """All that settles the figures, besides the code."""
    return {
        "recipe": dataclasses.asdict(recipes.LIVE), "sprites that come back": FEW,
        "drawings, and fresh pictures": FRESH, "memoriser knows": POOL, "levels": list(LEVELS),
    }  # fmt: skip


def learned(few: int) -> tuple[nn.Module, data.Batch]:
    """A network after the lesson's training, and all that it saw; few: 0 for fresh pictures."""
    live = recipes.LIVE
    source, known = live.source(), None
    batches = source.batches(live.batch, live.seed)
    seen = [batches(step) for step in range(live.steps)]
    if few:
        known = source.sample(few, live.seed)
        rows = [torch.arange(live.batch * step, live.batch * (step + 1)) % few
                for step in range(live.steps)]  # fmt: skip
        seen = [data.Batch(known.x_0[r], known.given[r], []) for r in rows]
    torch.manual_seed(live.seed)
    network = models.UNet(**live.network())
    fit = training.train(
        network, seen.__getitem__, cosine, live.kind, live.steps, live.learning_rate, live.seed,
        live.ema_decay,
    )  # fmt: skip
    for _ in fit:
        pass
    x_0, given = (torch.cat([getattr(batch, name) for batch in seen]) for name in ("x_0", "given"))
    return fit.ema, known or data.Batch(x_0, given, [])


def errors(network: nn.Module, fresh: data.Batch) -> list[dict]:
    """Mean squared errors on new pictures, by noise level, of the network and the memoriser."""
    pool, rows = recipes.LIVE.source().sample(POOL, seed=1), []
    eps = torch.randn(fresh.x_0.shape, generator=torch.Generator().manual_seed(2))
    theirs = prediction.as_denoiser(network, cosine, recipes.LIVE.kind, fresh.given)
    alike = [pool.x_0[(pool.given == given).all(dim=1)] for given in fresh.given]
    for level in LEVELS:
        t = torch.full((len(eps),), level)
        x_t = add_noise(fresh.x_0, eps, t, cosine)
        known = [prediction.exact_denoiser(some, cosine)(x[None], t[:1]).x_0
                 for some, x in zip(alike, x_t, strict=True)]  # fmt: skip
        guesses = {"network": theirs(x_t, t).x_0, "memoriser": torch.cat(known)}
        gaps = {name: float(((x - fresh.x_0) ** 2).mean()) for name, x in guesses.items()}
        rows.append({"t": level, **{name: round(gap, 5) for name, gap in gaps.items()}})
    return rows


def quantiles(gaps: Tensor) -> list[float]:
    """The nearest, the middle and the farthest."""
    return [round(gap, 3) for gap in gaps.quantile(torch.tensor([0.0, 0.5, 1.0])).tolist()]


def main() -> None:
    """Measure, and write data/bench/copying.json and data/pictures/copying.png."""
    rows, shown, labels, guesses = [], [], [], []
    fresh = data.load("sprites", 32, 3, split="test").sample(FRESH, seed=0)
    for name, few in SOURCES.items():
        network, seen = learned(few)
        asked = seen.given[torch.arange(FRESH) % FEW] if few else scoring.asked("sprites", FRESH, 0)
        drawn = recipes.LIVE.make(network.eval(), asked, range(FRESH))
        gaps, places = statistics.nearest(drawn, seen.x_0)
        apart, _ = statistics.nearest(fresh.x_0, seen.x_0)
        rows.append({"learned from": name, "drawn": quantiles(gaps), "fresh": quantiles(apart)})
        print(rows[-1], flush=True)
        shown += [drawn[:SHOWN], seen.x_0[places[:SHOWN]]]
        labels += ["drawn"] * SHOWN + [f"{gap:.2f}" for gap in gaps[:SHOWN]]
        guesses = errors(network, fresh)
    sheet = pictures.grid(torch.cat(shown), labels, columns=SHOWN, zoom=2)
    path = results.ROOT / "data" / "pictures" / "copying.png"
    path.write_bytes(pictures.png(sheet))
    what = "distances to the nearest picture learned from, and errors of guesses of new pictures"
    figures = {"rows": rows, "errors": guesses}
    results.write(Path(__file__).stem, what, figures, settings())


if __name__ == "__main__":
    main()
