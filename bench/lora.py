"""What a LoRA teaches, and what it leaves as it was: `python -m bench.lora`.

The LoRAs that ship, and full fine-tuning for the steps of the lesson's live training, draw the same
prompts from the same noise. `scoring.styles` says how many pictures are in the style. The judge
never saw one, and can read hardly anything in sepia and pencil; so it is trained on here, for 300
steps with styled postcards, to a second judge that says what the pictures show. Both styles take
colours away: beside "all" stands all but the colour, and beside everything the ceiling, what both
judges read in real postcards of that style. Then the weight from 0 to 1.5, and two styles added.
The lesson reads data/bench/lora.json.
"""

from __future__ import annotations

import copy
import functools
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from bench import results
from diffusion_lessons import models, postcards, recipes, workspace
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards.styles import styled
from diffusion_lessons.recipes import RecogniserRecipe
from diffusion_lessons.scoring import recognition, styles
from diffusion_lessons.scoring.recognition import PostcardEvaluator
from diffusion_lessons.scoring.statistics import shares
from diffusion_lessons.training.fit import Fit

SHIPPED, FULL = ("sepia", "poster", "pencil"), "sepia"
KINDS = ("single", "single, held-out pairs")
PICTURES, CURVE, WEIGHTS = 128, 48, (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
TWO = ("sepia", "pencil")
SEED = 2_300_000_000  # of scenes and noise; no training uses it
AT_ONCE = 64
JUDGE = {"seed": 77, "steps": 300, "batch": 56}
RATES = 1e-3, 2e-3  # of learning: the judge of styles, full fine-tuning
IN_STYLE, RIGHT, SHAPES = "in the style", "all", "all but the colour"


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
        "judge of styles": JUDGE,
        "rates": list(RATES),
    }


@functools.cache
def judge_of_styles() -> PostcardEvaluator:
    """The judge, trained on with postcards of which a fifth is plain and a fifth in each style."""
    network = copy.deepcopy(recognition.load("judge").network).requires_grad_(True)

    def loss(step: int) -> Tensor:
        seed = JUDGE["seed"] * 1_000_003 + step
        scenes = recognition.every_pair(JUDGE["batch"], seed)
        dice = torch.Generator().manual_seed(2**31 + seed)
        images = recognition.imperfect(styled(postcards.draw(scenes), 0.8, dice), dice)
        truth = recognition.by_place(scenes.attributes)
        return recognition.reading_loss(network(images), truth)

    for _ in Fit(network, JUDGE["steps"], RATES[0], loss, **RecogniserRecipe.fitting):
        pass
    return PostcardEvaluator(network.eval())


def measured(
    images: Tensor, scenes: postcards.Scenes, style: str, judge: PostcardEvaluator | None = None
) -> dict:
    """Shares of pictures in the style, and of those that show what was said."""
    right = (judge or judge_of_styles()).agrees(images, scenes)
    shapes = [right[name] for name in right if name not in (RIGHT, "colour")]
    right |= {SHAPES: torch.stack(shapes).all(0)}
    right |= {IN_STYLE: styles.read(images) == styles.NAMES.index(style)}
    return shares(right, RIGHT, SHAPES, IN_STYLE, "colour")


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
    """What both judges read in real postcards of each style, before and after the autoencoder."""
    scenes, rows = scenes_of("single"), {}
    for name, images in styles.shown(postcards.draw(scenes)).items():
        by = {"judge": recognition.load("judge"), "judge of styles": judge_of_styles()}
        style = name.split(",")[0]
        rows[name] = {who: measured(images, scenes, style, which) for who, which in by.items()}
    return rows


def shipped(style: str) -> dict:
    """The LoRA of a style: what it costs, draws, and draws at other weights."""
    pipe, name = TextToImage.from_pretrained(), f"lora-{style}"
    pipe.load_lora_weights(name)
    file, scenes = workspace.data_path("weights", f"{name}.safetensors"), scenes_of("single", CURVE)
    lora, card = models.load_lora(name)
    found: dict = {"steps": recipes.RECIPES[name].steps, "bytes": file.stat().st_size}
    found |= {"numbers trained": models.count_parameters(lora), **by_kind(pipe, style)}
    found |= {key: value for key, value in card.items() if key.endswith("seconds of training")}
    found["by weight"] = []
    for weight in WEIGHTS:
        pipe.set_adapters(name, weight)
        line = measured(paint(pipe, scenes), scenes, style)
        found["by weight"].append({"weight": weight} | line)
    return found


def full_fine_tuning(style: str) -> dict:
    """The same for all weights, trained for the steps of the live training."""
    pipe = TextToImage.from_pretrained()
    weights, steps, seconds = all_trained(style)
    pipe.unet.load_state_dict(weights)
    numbers = models.count_parameters(pipe.unet)
    cost = {"steps": steps, "bytes": 2 * numbers, "numbers trained": numbers}
    return cost | {"CPU seconds of training": seconds} | by_kind(pipe, style)


def all_trained(style: str) -> tuple[dict[str, Tensor], int, int]:
    """The weights of full fine-tuning, its steps and its seconds."""
    recipe = replace(recipes.LIVE_LORA, style=style, rank=None, learning_rate=RATES[1])
    fit, begun = recipe.begin(style, torch.device("cpu")), time.process_time()
    steps = len(list(fit))
    return fit.ema.state_dict(), steps, round(time.process_time() - begun)


def added() -> dict:
    """Two styles at once, each at half its weight and at all of it: what is read, and is right."""
    pipe, scenes, rows = TextToImage.from_pretrained(), scenes_of("single", CURVE), {}
    for style in TWO:
        pipe.load_lora_weights(f"lora-{style}")
    for weight in (0.5, 1.0):
        pipe.set_adapters([f"lora-{style}" for style in TWO], weight)
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
        "added": added(),
    }
    what = "LoRAs of three styles: what they teach, cost and leave, beside full fine-tuning"
    results.write(Path(__file__).stem, what, figures, settings())
    for style, line in figures["shipped"].items():
        print(style, {kind: [line[kind][name] for name in (IN_STYLE, SHAPES)] for kind in KINDS})


if __name__ == "__main__":
    main()
