"""A transformer in the U-Net's place, at equal cost: `python -m bench.transformer`.

Cost: parameters, multiply-adds of a call, CPU seconds of a training step. Both networks take turns,
so that a slower minute hits both.

The race: both are trained from scratch on the same latents (single scenes, everything said), by
the same flow, from the same seeds, with as many steps each as come to the same CPU seconds. After
each quarter the judge reads what the averaged weights paint for the same prompts from the same
noise. Each run keeps its state in build/, so that an interrupted measurement goes on from its last
quarter; `python -m bench.transformer unet 0` takes one run, and writes the table of those there
are.

Growth: multiply-adds and milliseconds of a call as latents grow. Words stay as many, so that at
first a transformer grows more slowly than its number of places.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bench import results
from diffusion_lessons import conditioning, postcards, recipes, sampling, schedule
from diffusion_lessons.models import TextUNet, Transformer, count_parameters
from diffusion_lessons.recipes import TextToImageRecipe
from diffusion_lessons.scoring import recognition
from diffusion_lessons.scoring.statistics import shares
from diffusion_lessons.training import train
from diffusion_lessons.training.fit import Fit

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "unet": lambda: TextUNet(widths=(96, 192), blocks=(1, 3)),
    "transformer": lambda: Transformer(width=192, depth=4, patch=2),
}
STEPS = {"unet": 256, "transformer": 240}  # the same CPU seconds, see "training step"
LEARNING_RATES = {"unet": 2e-2, "transformer": 1e-2}  # of 1e-2 and 2e-2, and 4e-3 and 1e-2
SEEDS, QUARTERS, LATENTS = (0, 1, 2), 4, 12_288
SIDES, REPEATS, TURNS = (8, 16, 32, 64), 7, 9
PICTURES, CALLS, SCALE, SEED = 192, 8, 2.5, 2_400_000_000  # no training uses this seed
AT_ONCE = 64
RIGHT, SECONDS = "everything right", "CPU seconds"
KEPT = results.ROOT / "build" / "transformer"


def recipe(name: str, seed: int) -> TextToImageRecipe:
    """How a network of the race is trained: as `postcards`, but by flow, and on single scenes."""
    whole = recipes.RECIPES["postcards"]
    assert isinstance(whole, TextToImageRecipe)
    return dataclasses.replace(
        whole, schedule="flow", kind="velocity", seed=seed, half=False,
        pictures=LATENTS, kinds={"single": 1.0}, full=1.0,
        steps=STEPS[name], learning_rate=LEARNING_RATES[name], ema_decay=0.99,
    )  # fmt: skip


def settings() -> dict:
    """All that settles the tables, besides the code: its data file carries these."""
    return {
        "weights_sha256": results.weights("captions", "autoencoder", "judge"),
        "networks": {"unet": [[96, 192], [1, 3]], "transformer": {"width": 192, "depth": 4}},
        "recipes": {name: dataclasses.asdict(recipe(name, SEEDS[0])) for name in NETWORKS},
        "seeds": list(SEEDS),
        "quarters": QUARTERS,
        "pictures": PICTURES,
        "seed": SEED,
        "calls": CALLS,
        "guidance scale": SCALE,
        "sides of latents": list(SIDES),
        "repeats": REPEATS,
        "turns": TURNS,
    }


# --- cost and growth ---


def asked(side: int = 8, batch: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """What a network is called with: latents of a side, times, the context of 32 words."""
    dice = torch.Generator().manual_seed(0)
    sizes = ((batch, 4, side, side), (batch, conditioning.LENGTH, 128))
    x_t, context = (torch.randn(size, generator=dice) for size in sizes)
    return x_t, torch.full((batch,), 0.5), context


def multiply_adds(network: nn.Module, side: int) -> float:
    """Millions of them in a call for one latent."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*asked(side))
    return round(counter.get_total_flops() / 2e6, 1)


def cpu(work: Callable[[], object]) -> float:
    """The CPU seconds of `work`."""
    started = time.process_time()
    work()
    return time.process_time() - started


def in_turn(works: Mapping[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """The median CPU seconds of each; they take turns, and the first turn does not count."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(turns + 1):
        for name, work in works.items():
            spent = cpu(work)
            if turn:
                took[name].append(spent)
    return {name: statistics.median(each) for name, each in took.items()}


def cost() -> dict[str, dict]:
    """Parameters, multiply-adds, and CPU seconds of a training step, of both networks."""
    batch = recipe("unet", 0).batch
    x_t, t, context = asked(batch=batch)

    def steps(network: nn.Module) -> Callable[[], object]:
        loss = lambda step: (network(x_t, t, context) - x_t).square().mean()  # noqa: E731
        fit = Fit(network, 1000, 1e-3, loss, ema_decay=0.99)
        return iter(fit).__next__

    networks = {name: build() for name, build in NETWORKS.items()}
    took = in_turn({name: steps(network) for name, network in networks.items()}, TURNS)
    return {
        name: {
            "parameters": count_parameters(network),
            "million multiply-adds": multiply_adds(network, 8),
            "training step": round(took[name], 4),
            "steps": STEPS[name],
            "steps times step": round(STEPS[name] * took[name], 1),
        }
        for name, network in networks.items()
    }


@torch.inference_mode()
def growth() -> list[dict]:
    """A row for each side of the latents: multiply-adds, and CPU milliseconds, of one call."""
    networks, rows = {name: build().eval() for name, build in NETWORKS.items()}, []
    for side in SIDES:
        works = {name: partial(network, *asked(side)) for name, network in networks.items()}
        took = in_turn(works, REPEATS)
        rows.append({"side": side} | {
            name: {
                "million multiply-adds": multiply_adds(network, side),
                "CPU milliseconds": round(took[name] * 1000, 2),
            }
            for name, network in networks.items()
        })  # fmt: skip
    return rows


# --- the race ---


def latents() -> tuple[postcards.Scenes, Tensor]:
    """The scenes to learn from and their latents; encoded once, then kept."""
    how = recipe("unet", recipes.RECIPES["postcards"].seed)
    path, scenes = KEPT / "latents.pt", how.scenes()
    if not path.exists():
        _, x_0 = how.latents(torch.device("cpu"))
        KEPT.mkdir(parents=True, exist_ok=True)
        torch.save(x_0.half(), path)
    return scenes, torch.load(path).float()


class Painter:
    """The same prompts and the same noise for all networks."""

    def __init__(self, count: int = PICTURES):
        self.scenes = postcards.sample_scenes(count, SEED, kind="single")
        self.said = postcards.captions(self.scenes, SEED, full=True)
        self.judge = recognition.load("judge")

    @torch.inference_mode()
    def right(self, network: nn.Module) -> Tensor:
        """Whether the judge reads everything right in what a network paints, bool (N,)."""
        pipe, painted = recipe("unet", 0).pipeline(network.eval()), []
        for start in range(0, len(self.said), AT_ONCE):
            said = self.said[start : start + AT_ONCE]
            dice = [torch.Generator().manual_seed(SEED + start + i) for i in range(len(said))]
            denoiser = conditioning.guided(
                network, schedule.flow, "velocity", pipe.encode_prompt(said), pipe.null_context,
                SCALE,
            )  # fmt: skip
            noise, times = pipe.noise(len(said), dice), sampling.times(CALLS)
            walk = sampling.euler(denoiser, schedule.flow, noise, times)
            painted.append(pipe.decode(sampling.finish(walk)))
        return self.judge.agrees(torch.cat(painted), self.scenes)["all"]


def run(name: str, seed: int) -> list[dict]:
    """Train one network, or go on with it: a row for each quarter, of the CPU seconds spent on
    training and the share that is right."""
    path = KEPT / f"{name}-{seed}.pt"
    how, painter = recipe(name, seed), Painter()
    torch.manual_seed(seed)
    batches = how.batches(*latents(), torch.device("cpu"))
    fit = train(
        NETWORKS[name](), batches, schedule.flow, "velocity", how.steps, how.learning_rate, seed,
        how.ema_decay,
    )  # fmt: skip
    spent, rows, print_of = 0.0, [], results.fingerprint(dataclasses.asdict(how))
    if path.exists() and (kept := torch.load(path))["recipe"] == print_of:
        spent, rows = kept["spent"], kept["rows"]
        if len(rows) < QUARTERS:
            fit.restore(kept["state"], kept["step"])
    if len(rows) == QUARTERS:
        return rows
    started = time.process_time()
    for done in fit:
        if (done.step + 1) % (how.steps // QUARTERS):
            continue
        spent += time.process_time() - started
        right = painter.right(fit.ema)
        row = {"steps": done.step + 1, SECONDS: round(spent, 1), "loss": round(done.loss, 4)}
        rows.append(row | shares({RIGHT: right}, RIGHT) | {"seen": right.int().tolist()})
        kept = {"recipe": print_of, "spent": spent, "rows": rows, "step": fit.step}
        kept["state"] = fit.state() if len(rows) < QUARTERS else {}
        torch.save(kept, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)
        print(name, seed, {key: value for key, value in rows[-1].items() if key != "seen"})
        fit.model.train()
        started = time.process_time()
    return rows


def race(there: dict[str, list[list[dict]]]) -> list[dict]:
    """A row for each network and quarter: means over the seeds, with a 95 % interval from seeds and
    pictures drawn again 2,000 times (Efron 1979)."""
    rows = []
    for name, runs in there.items():
        for quarter in range(QUARTERS if runs else 0):
            each = [one[quarter] for one in runs]
            right = torch.tensor([one["seen"] for one in each]).double()  # (seeds, pictures)
            ends = interval(right)
            rows.append({
                "network": name, "steps": each[0]["steps"], "seeds": len(each),
                SECONDS: round(statistics.mean(one[SECONDS] for one in each), 1),
                RIGHT: round(float(right.mean()), 4), f"{RIGHT}, 95 % interval": ends,
                "each seed": [one[RIGHT] for one in each],
            })  # fmt: skip
    return rows


def interval(right: Tensor, again: int = 2000) -> list[float]:
    """The 95 % interval of the mean of (seeds, pictures), both drawn again."""
    dice = torch.Generator().manual_seed(0)
    seeds = torch.randint(len(right), (again, len(right), 1), generator=dice)
    seen = torch.randint(right.shape[1], (again, 1, right.shape[1]), generator=dice)
    means = right[seeds, seen].flatten(1).mean(1)
    return [round(end, 4) for end in means.quantile(torch.tensor([0.025, 0.975]).double()).tolist()]


def table(figures: dict) -> str:
    """The figures as tables to print."""
    lines = [f"{'':12}{'parameters':>11}{'M mult-adds':>12}{'s a step':>10}{'steps':>7}{'s':>8}"]
    for name, line in figures["cost"].items():
        parameters, work, step, steps, total = line.values()
        lines.append(f"{name:12}{parameters:11,}{work:12.1f}{step:10.3f}{steps:7}{total:8.1f}")
    lines += [f"\n{'latents':8}" + "".join(f"{name + ', M / ms':>24}" for name in NETWORKS)]
    for line in figures["growth"]:
        cells = ["{:.1f} / {:.2f}".format(*line[name].values()) for name in NETWORKS]
        lines.append(f"{line['side']:8}" + "".join(f"{cell:>24}" for cell in cells))
    lines += [f"\n{'network':12}{'steps':>6}{'CPU s':>8}{'right':>8}{'95 %':>16}  each seed"]
    for line in figures["race"]:
        low, high = line[f"{RIGHT}, 95 % interval"]
        lines.append(
            f"{line['network']:12}{line['steps']:6}{line[SECONDS]:8.1f}{line[RIGHT]:8.1%}"
            f"{f'{low:.1%} to {high:.1%}':>16}  {line['each seed']}"
        )
    return "\n".join(lines)


def main(chosen: Sequence[str] = ()) -> None:
    """Take all runs, or the chosen one, a network and a seed, or for "table" none of them; write
    data/bench/transformer.json of those that are kept.

    Cost and growth are measured again only where the file has other settings."""
    results.on_one_core()
    runs = [(name, seed) for seed in SEEDS for name in NETWORKS]
    if chosen:
        runs = [one for one in runs if [one[0], str(one[1])] == list(chosen)]
    for name, seed in runs:
        run(name, seed)
    there = {name: [run(name, seed) for seed in SEEDS if finished(name, seed)] for name in NETWORKS}
    before = results.read(Path(__file__).stem)
    same = before.get("settings_sha256") == results.fingerprint(settings())
    figures = {
        "cost": before["cost"] if same else cost(),
        "growth": before["growth"] if same else growth(),
        "race": race(there),
    }
    what = "a U-Net and a transformer of equal cost: right against CPU seconds, and growth"
    results.write(Path(__file__).stem, what, figures, settings())
    print(table(figures))


def finished(name: str, seed: int) -> bool:
    """Whether a run of this recipe is kept whole."""
    path = KEPT / f"{name}-{seed}.pt"
    if not path.exists():
        return False
    kept = torch.load(path)
    same = kept["recipe"] == results.fingerprint(dataclasses.asdict(recipe(name, seed)))
    return same and len(kept["rows"]) == QUARTERS


if __name__ == "__main__":
    main(sys.argv[1:])
