"""What a LoRA teaches, and what it leaves as it was: `python -m bench.lora`.

The LoRAs that ship are those of the lesson's live training. They, the frozen network and full
fine-tuning for the same CPU-seconds draw the same prompts from the same noise. `scoring.styles`
says how many pictures are in the style, the judge how many show what was asked for. The judge never
saw a style, so beside everything stands the ceiling: what both read in real postcards of each
style. Of sepia, pencil and neon that is next to nothing, which is why no LoRA of these is measured.
Then what is forgotten, the weight from 0 to 1.5, and two styles added.
The lesson reads data/bench/lora.json.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from bench import results
from diffusion_lessons import models, postcards, recipes, workspace
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.scoring import recognition, styles
from diffusion_lessons.scoring.statistics import shares

SHIPPED, FULL = ("lantern", "beams", "cinema"), "lantern"
KINDS = ("single", "single, held-out pairs")
PICTURES, CURVE, WEIGHTS = 256, 64, (0.25, 0.5, 0.75, 1.25, 1.5)
TWO = ("beams", "cinema")
SEED = 2_700_000_000  # of scenes and noise; no training and no choice uses it
AT_ONCE = 64
RATE = 2e-3  # of learning, of full fine-tuning
PACED = 12  # steps of either training by which their times are compared
IN_STYLE, RIGHT, PLAIN = "in the style", "all", "plain"


def settings() -> dict:
    """All that settles the table, besides the code: its data file carries these."""
    names = ("postcards", "captions", "autoencoder", "judge")
    return {
        "weights_sha256": results.weights(*names, *(f"lora-{style}" for style in SHIPPED)),
        "full fine-tuning": FULL,
        "pictures": PICTURES,
        "weights": list(WEIGHTS),
        "pictures at each weight": CURVE,
        "two styles": list(TWO),
        "seed": SEED,
        "at once": AT_ONCE,
        "rate": RATE,
        "steps to compare times": PACED,
    }


def measured(images: Tensor, scenes: postcards.Scenes, style: str) -> dict:
    """Shares of pictures in the style, in none, and of those that show what was said."""
    right, read = recognition.load("judge").agrees(images, scenes), styles.read(images)
    right |= {IN_STYLE: read == styles.NAMES.index(style), PLAIN: read == 0}
    return shares(right, RIGHT, "colour", IN_STYLE, PLAIN)


def scenes_of(kind: str, count: int = PICTURES) -> postcards.Scenes:
    """The first scenes of a kind."""
    return postcards.sample_scenes(count, SEED, *recognition.SCENE_KINDS[kind])


def paint(pipe: TextToImage, scenes: postcards.Scenes) -> Tensor:
    """A picture (N, 3, 64, 64) in [-1, 1] of each scene; number i starts from noise of SEED + i."""
    said, painted = postcards.captions(scenes, SEED, full=True), []
    pipe.fuse_lora()
    for start in range(0, len(said), AT_ONCE):
        part = said[start : start + AT_ONCE]
        dice = [torch.Generator().manual_seed(SEED + start + i) for i in range(len(part))]
        *_, last = pipe.steps(part, latents=pipe.noise(len(part), dice))
        painted.append(pipe.decode(last.x_next))
    return torch.cat(painted)


def by_kind(pipe: TextToImage, style: str) -> dict:
    """What a pipeline draws, kind by kind."""
    every = {kind: scenes_of(kind) for kind in KINDS}
    return {kind: measured(paint(pipe, scenes), scenes, style) for kind, scenes in every.items()}


def ceilings() -> dict:
    """What is read in real postcards of each style, before and after the autoencoder."""
    scenes = scenes_of("single")
    shown = styles.shown(postcards.draw(scenes))
    return {name: measured(images, scenes, name.split(",")[0]) for name, images in shown.items()}


def shipped(style: str) -> dict:
    """The LoRA of a style: what it costs and draws."""
    pipe, name = TextToImage.from_pretrained(), f"lora-{style}"
    pipe.load_lora_weights(name)
    file, (lora, card) = (
        workspace.data_path("weights", f"{name}.safetensors"),
        models.load_lora(name),
    )
    found: dict = {"steps": recipes.RECIPES[name].steps, "bytes": file.stat().st_size}
    found |= {"numbers trained": models.count_parameters(lora), **by_kind(pipe, style)}
    return found | {key: value for key, value in card.items() if key.endswith("of training")}


def by_weight(style: str) -> list[dict]:
    """What the LoRA of a style draws at other weights."""
    pipe, scenes, rows = TextToImage.from_pretrained(), scenes_of("single", CURVE), []
    pipe.load_lora_weights(f"lora-{style}", style)
    for weight in WEIGHTS:
        pipe.set_adapters(style, weight)
        rows.append({"weight": weight} | measured(paint(pipe, scenes), scenes, style))
    return rows


def full_fine_tuning(style: str) -> dict:
    """The same for all weights; and with the LoRAs of the other styles on top, before and after."""
    frozen, pipe = TextToImage.from_pretrained(), TextToImage.from_pretrained()
    weights, cost = all_trained(style)
    pipe.unet.load_state_dict(weights)
    numbers = models.count_parameters(pipe.unet)
    found = cost | {"bytes": 2 * numbers, "numbers trained": numbers} | by_kind(pipe, style)
    return found | {"other styles": others(pipe, style), "of the frozen": others(frozen, style)}


def others(pipe: TextToImage, style: str) -> dict:
    """What the LoRAs of all styles but one draw on a network."""
    scenes, rows = scenes_of("single", CURVE), {}
    for other in SHIPPED:
        if other != style:
            pipe.load_lora_weights(f"lora-{other}")
            rows[other] = measured(paint(pipe, scenes), scenes, other)
    return rows


def all_trained(style: str) -> tuple[dict[str, Tensor], dict]:
    """The weights of full fine-tuning for as long as a LoRA trains; its steps and its seconds."""
    lora = replace(recipes.LIVE_LORA, style=style)
    full = replace(lora, rank=None, learning_rate=RATE)
    paces = {"LoRA": seconds_of_a_step(lora), "all": seconds_of_a_step(full)}
    steps = round(lora.steps * paces["LoRA"] / paces["all"])
    fit, begun = replace(full, steps=steps).begin(style, torch.device("cpu")), time.process_time()
    taken = len(list(fit))
    spent = round(time.process_time() - begun)
    milliseconds = {which: round(1000 * pace) for which, pace in paces.items()}
    cost = {"CPU milliseconds of a step": milliseconds, "CPU seconds of training": spent}
    return fit.ema.state_dict(), {"steps": taken} | cost


def seconds_of_a_step(recipe: recipes.LoRARecipe) -> float:
    """CPU-seconds of a training's step, after its first."""
    fit = iter(recipe.begin("pace", torch.device("cpu")))
    next(fit)
    begun = time.process_time()
    for _ in range(PACED):
        next(fit)
    return (time.process_time() - begun) / PACED


def added() -> dict:
    """Two styles at once, each at half its weight and at all of it: what is read, and is right."""
    pipe, scenes, rows = TextToImage.from_pretrained(), scenes_of("single", CURVE), {}
    for style in TWO:
        pipe.load_lora_weights(f"lora-{style}", style)
    for weight in (0.5, 1.0):
        pipe.set_adapters(TWO, weight)
        images = paint(pipe, scenes)
        rows[str(weight)] = {style: measured(images, scenes, style) for style in styles.NAMES}
    return rows


def main() -> None:
    """Measure all and write data/bench/lora.json."""
    results.on_one_core()
    figures: dict = {
        "ceilings": ceilings(),
        "frozen": by_kind(TextToImage.from_pretrained(), "none"),
        "shipped": {style: shipped(style) for style in SHIPPED},
        "full fine-tuning": {FULL: full_fine_tuning(FULL)},
        "by weight": {FULL: by_weight(FULL)},
        "added": added(),
    }
    what = "LoRAs of three styles: what they teach, cost and leave, beside full fine-tuning"
    results.write(Path(__file__).stem, what, figures, settings())
    for style, line in figures["shipped"].items():
        print(style, {kind: [line[kind][name] for name in (IN_STYLE, RIGHT)] for kind in KINDS})


if __name__ == "__main__":
    main()
