"""Poor, full and written captions of the same pictures, one network: `python -m bench.captions`.

Four networks of one size are trained on the same latents in the same steps, from the same first
weights; only the captions differ, and each picture's say the same whenever it is drawn:

- poor: as on the web. The thing, half of the time its colour; one in ten is another picture's.
- full: everything, and right.
- written: what the course's recogniser reads in the picture, its mistakes included. In clean
  postcards it makes next to none, so here it looks through noise, as a captioner that errs.
- mixed: 95 in 100 full, 5 poor: the shares of written and found ones that DALL-E 3 was trained on
  (Betker et al. 2023).

Each then paints the same fresh scenes for full prompts, for short ones (poor, but right), and for
the short ones after `postcards.expand`, from the same noise. The judge says whether what the prompt
says is right; of expanded ones, what the short prompt says and what the expanded one says. And the
Frechet distance of the judge's features to real postcards tells whether the pictures, right or not,
look like postcards at all. Intervals are Wilson's. Every run is kept in build/, so that an
interrupted measurement goes on where it was. The sheet is data/pictures/captions.png: the first
seeds of each network.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from bench import guidance, results
from diffusion_lessons import conditioning, models, pictures, postcards, recipes, schedule, training
from diffusion_lessons.data import Batch
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards import VALUES, Description, Scenes
from diffusion_lessons.postcards.words import write
from diffusion_lessons.recipes import TextToImageRecipe
from diffusion_lessons.scoring import matches, recognition
from diffusion_lessons.scoring.statistics import frechet_distance, shares

SETS = ("poor", "full", "written", "mixed")
SHORT, FULL, EXPANDED = "short", "full", "expanded"
PROMPTS = (FULL, SHORT, EXPANDED)
COLOUR_LEFT_OUT, ELSEWHERE, MIXED_IN = 0.5, 0.1, 0.05
NOISE = 0.5  # of the pictures that the recogniser reads; they are in [-1, 1]
PICTURES, SEED = 256, 2_500_000_000  # of scenes and noise; no training uses it
SHOWN = 3  # of each network and kind of prompt on the sheet
SAID, ALL = "what was said is right", "everything right"
KEPT = results.ROOT / "build" / "captions"
SHEET = results.ROOT / "data" / "pictures" / "captions.png"
HOW: TextToImageRecipe = dataclasses.replace(recipes.LIVE_LATENT, seed=8, pictures=6144)
Captions = Callable[[list[int], Random], list[str]]  # rows and dice to a caption of each


def settings() -> dict:
    """All that settles the tables, besides the code: its data file carries these."""
    return {
        "weights_sha256": results.weights("captions", "autoencoder", "recogniser", "judge"),
        "recipe": dataclasses.asdict(HOW),
        "sets": list(SETS),
        "poor captions": {"colour left out": COLOUR_LEFT_OUT, "another picture's": ELSEWHERE},
        "poor captions among mixed": MIXED_IN,
        "noise before the recogniser": NOISE,
        "pictures": PICTURES,
        "seed": SEED,
    }


# --- what captions say ---


def poor(full: list[Description], seed: int, elsewhere: float = ELSEWHERE) -> list[Description]:
    """What poor captions say of scenes; `elsewhere`: the share that is the next picture's."""
    said = []
    for i in range(len(full)):
        dice = Random(f"poor/{seed}/{i}")
        thing = full[(i + (dice.random() < elsewhere)) % len(full)]["things"][0]
        colour = None if dice.random() < COLOUR_LEFT_OUT else thing["colour"]
        left = {"size": None, "position": None, "colour": colour}
        said.append(Description(sky=None, ground=None, things=[thing | left]))
    return said


def written(scenes: Scenes) -> list[Description]:
    """What the recogniser reads in noisy pictures of scenes: at most two things, perhaps none."""
    images, dice = postcards.draw(scenes), torch.Generator().manual_seed(HOW.seed)
    images += NOISE * torch.randn(images.shape, generator=dice)
    reading = recognition.load("recogniser").read(images)
    rows = {name: values.tolist() for name, values in reading.items()}
    return [
        Description(
            sky=VALUES["sky"][rows["sky"][i]],
            ground=VALUES["ground"][rows["ground"][i]],
            things=[
                {name: VALUES[name][rows[name][i][place]] for name in recognition.AT_A_PLACE}
                | {"position": position}
                for place, position in enumerate(VALUES["position"])
                if rows["count"][i][place] >= 0
            ][:2],
        )
        for i in range(len(scenes))
    ]


def in_words(said: Description, dice: Random) -> str:
    """A caption that says this; where there is no thing to tell of, none."""
    return write(said, dice) if said["things"] else ""


def captions_of(name: str, scenes: Scenes) -> Captions:
    """How the pictures of a set are captioned."""
    full = postcards.describe(scenes)
    short = poor(full, HOW.seed)
    first = kept("read.pt", written, scenes) if name == "written" else full
    first = short if name == "poor" else first
    other = short if name == "mixed" else first

    def caption(rows: list[int], dice: Random) -> list[str]:
        return [in_words((other if dice.random() < MIXED_IN else first)[row], dice) for row in rows]

    return caption


# --- training ---


def kept(name: str, make: Callable[..., Any], *of: Any) -> Any:
    """What lies in build/ under this name; where nothing does, what `make` returns is put there."""
    path = KEPT / results.fingerprint(settings())[:12] / name
    if not path.is_file():
        found = make(*of)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(found, path.with_suffix(".half"))
        path.with_suffix(".half").replace(path)
    return torch.load(path)


def encoded() -> Tensor:
    """The latents of the scenes to learn from."""
    return HOW.latents(torch.device("cpu"))[1].half()


def batches(name: str, scenes: Scenes, latents: Tensor) -> Callable[[int], Batch]:
    """The batches of one set: the same pictures and dropped captions in each, other words."""
    encoder, caption = (
        models.load_caption_reader(HOW.captions)[0].encoder,
        captions_of(name, scenes),
    )

    @torch.no_grad()
    def encode(said: list[str]) -> Tensor:
        return encoder(conditioning.word_numbers(said))

    def batch(step: int) -> Batch:
        seed = HOW.step_seed(step)
        dice = torch.Generator().manual_seed(2**30 + seed)
        rows = torch.randint(len(latents), (HOW.batch,), generator=dice)
        said, thrown = caption(rows.tolist(), Random(seed)), torch.rand(HOW.batch, generator=dice)
        given = conditioning.drop_captions(encode(said), encode([""]), HOW.p_uncond, thrown)
        return Batch(latents[rows], given, said)

    return batch


def trained(name: str, scenes: Scenes, latents: Tensor) -> dict:
    """The weights of the network of one set, and the CPU seconds it took."""
    torch.manual_seed(HOW.seed)
    started = time.process_time()
    fit = training.train(
        models.TextUNet(**HOW.network()), batches(name, scenes, latents),
        getattr(schedule, HOW.schedule), HOW.kind, HOW.steps, HOW.learning_rate, HOW.seed,
        HOW.ema_decay,
    )  # fmt: skip
    losses = [done.loss for done in fit]
    return {
        "weights": fit.ema.state_dict(),
        "CPU seconds of training": round(time.process_time() - started, 1),
        "loss at the end": round(sum(losses[-50:]) / 50, 4),
    }


def network(found: dict) -> TextToImage:
    """The whole text-to-image model around trained weights."""
    unet = models.TextUNet(**HOW.network())
    unet.load_state_dict(found["weights"])
    return HOW.pipeline(unet.eval().requires_grad_(False))


# --- measuring ---


def pictures_of(pipe: TextToImage, asked: Asked) -> dict[str, Tensor]:
    """What a network paints for each kind of prompt, from the same noise."""
    return {p: guidance.paint(pipe, asked.prompts[p], SEED).half() for p in PROMPTS}


class Asked:
    """What all networks are asked for: fresh scenes, and three prompts for each."""

    def __init__(self, count: int = PICTURES):
        self.scenes = postcards.sample_scenes(count, SEED, kind="single")
        full = postcards.describe(self.scenes)
        self.descriptions = {FULL: full, SHORT: poor(full, SEED, 0.0)}
        self.prompts = {
            name: [write(said, Random(f"{SEED}/{i}")) for i, said in enumerate(descriptions)]
            for name, descriptions in self.descriptions.items()
        }
        self.prompts[EXPANDED] = [
            postcards.expand(prompt, SEED + PICTURES + i)
            for i, prompt in enumerate(self.prompts[SHORT])
        ]
        self.descriptions[EXPANDED] = [*map(postcards.parse, self.prompts[EXPANDED])]

    def real(self) -> tuple[Tensor, Tensor]:
        """The judge's features of real postcards, and of as many others."""
        judge = recognition.load("judge")
        others = (postcards.sample_scenes(PICTURES, SEED + n, kind="single") for n in (1, 2))
        one, other = (judge.features(postcards.draw(scenes)) for scenes in others)
        return one, other


def row(images: Tensor, prompt: str, asked: Asked, real: Tensor) -> dict:
    """What the judge says of pictures of one kind of prompt."""
    judge, short = recognition.load("judge"), SHORT if prompt == EXPANDED else prompt
    reading = judge.read(images)
    right = {SAID: matches(reading, asked.descriptions[short])}
    if prompt != SHORT:
        right[ALL] = matches(reading, asked.descriptions[prompt])
    right["one thing"] = (reading["count"] >= 0).sum(1) == 1
    seen = guidance.one_thing(reading)
    return {
        **shares(right, *right),
        "Frechet distance": round(frechet_distance(judge.features(images), real), 1),
        "share of each word": {
            name: {
                word: round(float((seen[name] == n).float().mean()), 4)
                for n, word in enumerate(VALUES[name])
            }
            for name in ("sky", "ground", "size", "position")
        },
    }


def read_well(scenes: Scenes) -> dict:
    """How often the written captions are right, and the same of clean pictures."""
    full = postcards.describe(scenes)
    said = kept("read.pt", written, scenes)
    right = torch.tensor([one == other for one, other in zip(said, full, strict=True)])
    clean = recognition.load("recogniser").agrees(postcards.draw(scenes[:1024]), scenes[:1024])
    return {
        "through noise": shares({ALL: right}, ALL),
        "in clean postcards": shares({ALL: clean["all"]}, ALL),
    }


def sheet(painted: dict[str, dict[str, Tensor]]) -> None:
    """Write the first pictures of each network, a line of each, by the kind of prompt.

    Of the 256 levels of a colour 64 are kept: that halves the file, and nobody sees it."""
    shown = [painted[name][prompt][:SHOWN].float() for name in SETS for prompt in PROMPTS]
    labels = [f"{name}, {p}" if n == 0 else "" for name in SETS for p in PROMPTS
              for n in range(SHOWN)]  # fmt: skip
    grid = pictures.grid(
        (torch.cat(shown) * 32).round() / 32, labels, columns=len(PROMPTS) * SHOWN, zoom=2
    )
    SHEET.write_bytes(pictures.png(grid))


def main() -> None:
    """Train, measure, print the table and write data/bench/captions.json and the sheet."""
    results.on_one_core()
    scenes, asked = HOW.scenes(), Asked()
    latents = kept("latents.pt", encoded).float()
    real, other = asked.real()
    found: dict[str, dict] = {}
    painted: dict[str, dict[str, Tensor]] = {}
    for name in SETS:
        whole = kept(f"{name}-network.pt", trained, name, scenes, latents)
        painted[name] = kept(f"{name}-painted.pt", pictures_of, network(whole), asked)
        found[name] = {key: whole[key] for key in whole if key != "weights"}
        found[name] |= {p: row(painted[name][p].float(), p, asked, real) for p in PROMPTS}
        for prompt in PROMPTS:
            line = {key: value for key, value in found[name][prompt].items() if "word" not in key}
            print(f"{name:8} {prompt:9} {line}", flush=True)
    sheet(painted)
    figures = {
        "written captions": read_well(scenes),
        "sets": found,
        "Frechet distance of real postcards": round(frechet_distance(other, real), 1),
        "prompts of the sheet": {p: asked.prompts[p][:SHOWN] for p in PROMPTS},
    }
    what = "poor, full and written captions: right on short and on full prompts, and on expanded"
    results.write(Path(__file__).stem, what, figures, settings())


if __name__ == "__main__":
    main()
