"""What a few choices teach a model, and what it forgets of them: `python -m bench.taste`.

`recipes.LIVE_TASTE` draws pairs of pictures of prompts that leave the sky open; a rule chooses, by
what the recogniser sees; a LoRA is tuned to its choices, for several seeds of pairs. Then the tuned
and the frozen model paint NEW prompts from the same fresh noise, and the same rule, now by the
judge, says which of the two pictures it likes better: the win rate, where a tie is half a win.
Obedience: what the prompt says is right, by the judge, in those prompts and in full ones. Beside it
what the tuning does to the absolute loss of the pictures that were chosen, and all this again at
twice the weight. The lesson reads data/bench/taste.json.
"""

from __future__ import annotations

import functools
import time
from dataclasses import asdict, replace
from pathlib import Path
from statistics import NormalDist

import torch
from torch import Tensor

from bench import results
from diffusion_lessons import postcards
from diffusion_lessons.models import LoRA
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards import VALUES
from diffusion_lessons.recipes import LIVE_TASTE, taste
from diffusion_lessons.scoring import matches, recognition
from diffusion_lessons.scoring.statistics import shares

NIGHT = "prefers night skies"
SEEDS = (0, 1, 2)
#: The weight of the LoRA, by name.
TUNED = {"40 choices": 1.0, "40 choices, twice the weight": 2.0}
PICTURES, SEED = 128, 2_400_000_000  # of each kind of prompt and seed of choices; no training's
WIN = "win rate"
OPEN, FULL = "sky left open", "full captions"


def settings() -> dict:
    """All that settles the table, besides the code: its data file carries these."""
    return {
        "weights_sha256": results.weights(
            "postcards", "captions", "autoencoder", "recogniser", "judge"
        ),
        "taste": asdict(LIVE_TASTE),
        "seeds": list(SEEDS),
        "tuned": TUNED,
        "pictures": PICTURES,
        "seed": SEED,
    }


class New:
    """New prompts and noise, others for each seed of choices, and what the frozen model paints."""

    def __init__(self, pipe: TextToImage, seed: int):
        self.seed = SEED + 1_000 * seed
        scenes = postcards.sample_scenes(PICTURES, self.seed, kind="single")
        full = postcards.described_captions(scenes, self.seed, full=True)
        self.asked = {OPEN: LIVE_TASTE.prompts(PICTURES, self.seed), FULL: full}
        self.frozen = self.painted(pipe)

    def painted(self, pipe: TextToImage) -> dict[str, Tensor]:
        """Pictures of all prompts, each from noise of its own."""
        return {
            kind: taste.paint(pipe, [one.text for one in captions], self.seed)[1]
            for kind, captions in self.asked.items()
        }

    def seen(self, images: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the judge reads in each picture: whether it obeys, how the rule likes it, its sky;
        and how rough it is."""
        judge = recognition.load("judge")
        found = {"liked": taste.RULES[NIGHT](images[OPEN], judge).float()}
        for kind, captions in self.asked.items():
            reading = judge.read(images[kind])
            found[kind] = matches(reading, [caption.description for caption in captions])
            found[f"sky, {kind}"] = reading["sky"]
            rough = [images[kind].diff(dim=axis).abs().mean((1, 2, 3)) for axis in (2, 3)]
            found[f"roughness, {kind}"] = torch.stack(rough).mean(0)
        return found


@functools.cache
def pairs_of(pipe: TextToImage, seed: int) -> taste.Pairs:
    """The pairs of a seed: no change of the recipe touches them."""
    return replace(LIVE_TASTE, seed=seed).draw(pipe, recognition.load("recogniser"))


@functools.cache
def learned(pipe: TextToImage, seed: int) -> tuple[LoRA, list[int], dict]:
    """A LoRA tuned to what the rule chooses, these choices, and what it cost."""
    live, pairs = replace(LIVE_TASTE, seed=seed), pairs_of(pipe, seed)
    chosen = taste.choices(NIGHT, pairs.images, recognition.load("recogniser"))
    fit, begun = live.begin(pipe, pairs, chosen), time.process_time()
    losses, seconds = [done.loss for done in fit], time.process_time() - begun
    cost = {"CPU seconds": round(seconds, 1), "loss at the end": round(sum(losses[-10:]) / 10, 4)}
    return fit.ema, chosen, cost  # type: ignore[return-value]


def tuned(pipe: TextToImage, new: New, name: str, seed: int) -> dict:
    """What is seen in pictures of the frozen and of a tuned model, what the tuning cost, and how
    the losses of what was chosen between have changed."""
    lora, chosen, cost = learned(pipe, seed)
    change = taste.change(pipe, lora, pairs_of(pipe, seed), chosen, TUNED[name])
    pipe.load_lora_weights(lora, "taste")
    pipe.set_adapters("taste", TUNED[name])
    pipe.fuse_lora()
    seen = new.seen(new.painted(pipe))
    pipe.unload_lora_weights()
    moved = {"change of the loss": {key: round(value, 5) for key, value in change.items()}}
    return {"seed": seed} | cost | moved | {"seen": seen, "before": new.seen(new.frozen)}


def win_rate(after: Tensor, before: Tensor) -> dict:
    """How often the first of two scores (N,) is the larger, a tie as half, with its interval."""
    won = (after > before).float() + 0.5 * (after == before)
    half = NormalDist().inv_cdf(0.975) * won.std().item() / len(won) ** 0.5
    ends = [round(won.mean().item() + side * half, 4) for side in (-1, 1)]
    return {WIN: round(won.mean().item(), 4), f"{WIN}, 95 % interval": ends}


def pooled(rows: list[dict]) -> dict:
    """What all pictures of all seeds say together."""
    both = {
        when: {name: torch.cat([row[when][name] for row in rows]) for name in rows[0][when]}
        for when in ("before", "seen")
    }
    now, before = both["seen"], both["before"]
    found = win_rate(now["liked"], before["liked"])
    found["win rate of each seed"] = [
        win_rate(row["seen"]["liked"], row["before"]["liked"])[WIN] for row in rows
    ]
    for when, seen in (("", now), ("frozen, ", before)):
        obeyed = {f"{when}{kind}": seen[kind] for kind in (OPEN, FULL)}
        found |= shares(obeyed, *obeyed)
        parts = torch.bincount(seen[f"sky, {OPEN}"], minlength=len(VALUES["sky"])) / len(seen[OPEN])
        skies = zip(VALUES["sky"], parts.tolist(), strict=True)
        found[f"{when}skies"] = {sky: round(part, 4) for sky, part in skies}
        for kind in (OPEN, FULL):
            rough = seen[f"roughness, {kind}"].mean().item()
            found[f"{when}roughness, {kind}"] = round(rough, 4)
    for name in ("seed", "CPU seconds", "loss at the end", "change of the loss"):
        found[name] = [row[name] for row in rows]
    return found


def main() -> None:
    """Measure all and write data/bench/taste.json."""
    results.on_one_core()
    pipe, figures = TextToImage.from_pretrained(), {}
    new = {seed: New(pipe, seed) for seed in SEEDS}
    for name in TUNED:
        line = pooled([tuned(pipe, new[seed], name, seed) for seed in SEEDS])
        print(name, line[WIN], [line[f"{when}{FULL}"] for when in ("frozen, ", "")], flush=True)
        figures[name] = line
    what = "a LoRA tuned to choices between two pictures: win rates, obedience, absolute losses"
    results.write(Path(__file__).stem, what, {"pooled": figures}, settings())


if __name__ == "__main__":
    main()
