"""A picture as a prompt, and who wins where words contradict it: `python -m bench.ip_adapter`.

The shipped text-to-image model with its IP-Adapter, at its default steps and scale, is given real
postcards (single scenes). First without words: which attributes of the picture are in what is
drawn, at each scale? Below stands an unrelated picture (floor), above the thing said in words
(ceiling). Then in conflict: the words name one attribute, the picture shows another. Beside that:
what guidance may do with the picture, fewer steps, held-out pairs, and whether it copies: how far
what is drawn is from its picture, and how far from another one of the same thing.

The judge reads what pictures show; no loss has used it. First seeds, 95 % intervals (Wilson).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from bench import results
from bench.guidance import one_thing
from diffusion_lessons import postcards, sampling
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards import VALUES, Scenes
from diffusion_lessons.postcards.lexicon import PHRASES
from diffusion_lessons.scoring import recognition
from diffusion_lessons.scoring.statistics import shares

WEIGHTS, ADAPTER = "postcards", "ip-adapter"
SCALES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
STEPS = (6, 8)
PICTURES, SEED = 128, 2_400_000_000  # of scenes and noise; no training uses it
IN_CONFLICT = 128  # pictures of each cell
AT_ONCE = 64
SEEN = ("object", "colour", "size", "position", "sky", "ground")
BOTH = "object and colour"
CONFLICTS = ("colour", "object", "sky")
REST = "rest of the thing from the picture"


def settings() -> dict:
    """All that settles the tables, besides the code: its data file carries these."""
    return {
        "weights_sha256": results.weights(WEIGHTS, ADAPTER, "recogniser", "judge"),
        "scales": list(SCALES),
        "steps": list(STEPS),
        "pictures": PICTURES,
        "pictures in conflict": IN_CONFLICT,
        "seed": SEED,
    }


def values(scenes: Scenes) -> dict[str, Tensor]:
    """What scenes with one thing show, name to (N,)."""
    return {name: scenes.attributes[name].view(len(scenes), -1)[:, 0] for name in SEEN}


def of_the_same_things(scenes: Scenes) -> Scenes:
    """Other scenes of the same objects and colours; all else is drawn anew."""
    other = postcards.sample_scenes(len(scenes), SEED + 1, kind="single")
    same = {name: scenes.attributes[name] for name in ("object", "colour")}
    return Scenes(other.attributes | same, other.dice)


def paint(
    pipe: TextToImage,
    said: list[str],
    pictures: Tensor | None,
    scale: float,
    steps: int | None = None,
    guidance_scale: float | None = None,
) -> Tensor:
    """A picture (N, 3, 64, 64) in [-1, 1] for each of the words and pictures; number i from noise
    of SEED + i. scale: of the adapter."""
    pipe.set_ip_adapter_scale(scale)
    painted = []
    for start in range(0, len(said), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        dice = [torch.Generator().manual_seed(SEED + start + i) for i in range(len(said[part]))]
        walk = pipe.steps(
            said[part], None, steps, guidance_scale, pipe.noise(len(dice), dice),
            ip_adapter_image=None if pictures is None else (pictures[part] + 1) / 2,
        )  # fmt: skip
        painted.append(pipe.decode(sampling.finish(walk)))
    return torch.cat(painted)


def read(images: Tensor) -> dict[str, Tensor]:
    """What the judge sees, name to (N,)."""
    return one_thing(recognition.load("judge").read(images))


def taken_over(images: Tensor, scenes: Scenes) -> dict:
    """Shares of the pictures that show what the scenes show, attribute by attribute."""
    seen, shown = read(images), values(scenes)
    right = {name: seen[name] == shown[name] for name in SEEN}
    right[BOTH] = right["object"] & right["colour"]
    return shares(right, *right)


def without_words(pipe: TextToImage, scenes: Scenes, real: Tensor) -> dict:
    """A row for each scale, and what stands beside them."""
    nothing, drawn = [""] * len(scenes), {}
    for scale in SCALES:
        drawn[scale] = paint(pipe, nothing, real, scale)
    things = (values(scenes)[name] for name in ("colour", "object"))
    said = [f"a {VALUES['colour'][c]} {VALUES['object'][o]}" for c, o in zip(*things, strict=True)]
    rare = postcards.sample_scenes(len(scenes), SEED, "held_out", "single")
    shown = {
        "an unrelated picture": paint(pipe, nothing, real.roll(1, 0), 1.0),
        "the thing in words alone": paint(pipe, said, None, 1.0),
        "the pictures themselves": real,
        # Without words guidance changes nothing where both halves of a step look at the picture.
        "the picture in both halves": paint(pipe, nothing, real, 1.0, guidance_scale=1.0),
        **{f"{n} steps": paint(pipe, nothing, real, 1.0, n) for n in STEPS},
    }
    beside = [{"shown": name} | taken_over(images, scenes) for name, images in shown.items()]
    held_out = taken_over(paint(pipe, nothing, postcards.draw(rare), 1.0), rare)
    return {
        "without words": [{"scale": n} | taken_over(drawn[n], scenes) for n in SCALES],
        "beside": [*beside, {"shown": "held-out pairs"} | held_out],
        "distances": distances(drawn[1.0], scenes, real),
    }


# --- words against the picture ---


def other(name: str, scenes: Scenes) -> Tensor:
    """Another value than each scene's own of an attribute, (N,)."""
    count, dice = len(VALUES[name]), torch.Generator().manual_seed(SEED)
    own = values(scenes)[name]
    return (own + 1 + torch.randint(count - 1, own.shape, generator=dice)) % count


def against(name: str, said: Tensor, scenes: Scenes) -> list[str]:
    """Words that contradict the picture in one attribute: "a blue house" names the picture's own
    object, "a cat" leaves the colour open, "at night" all but the sky."""
    things = [VALUES["object"][row] for row in values(scenes)["object"]]
    words = [PHRASES[name][VALUES[name][row]][0] for row in said]
    if name == "colour":
        return [f"a {word} {thing}" for word, thing in zip(words, things, strict=True)]
    return [f"a {word}" for word in words] if name == "object" else words


def conflict(pipe: TextToImage, name: str, scenes: Scenes, real: Tensor) -> list[dict]:
    """A row for each scale: how often the words win, the picture, or neither; and how often the
    rest of the thing is the picture's."""
    said, shown, rows = other(name, scenes), values(scenes), []
    kept = [part for part in ("object", "colour") if part != name]
    for scale in SCALES:
        seen = read(paint(pipe, against(name, said, scenes), real, scale))
        words, picture = seen[name] == said, seen[name] == shown[name]
        rest = torch.stack([seen[part] == shown[part] for part in kept]).all(0)
        wins = {"words": words, "picture": picture, "neither": ~(words | picture)}
        wins[REST] = rest
        rows.append({"scale": scale} | shares(wins, *wins))
    return rows


# --- the tables ---


def distances(images: Tensor, scenes: Scenes, real: Tensor) -> dict:
    """How far pictures are from those they were given: the root of the mean squared difference of
    the pixels, on average. Beside it: from others of the same things, and from any others."""
    twins = postcards.draw(of_the_same_things(scenes))
    pairs = {
        "from the picture": (images, real),
        "from another of the same thing": (images, twins),
        "from any other": (images, real.roll(1, 0)),
        "two postcards of the same thing": (real, twins),
    }
    return {
        name: round(float((one - two).square().mean((1, 2, 3)).sqrt().mean()), 4)
        for name, (one, two) in pairs.items()
    }


def table(rows: list[dict], names: tuple[str, ...]) -> str:
    """Some shares of rows as a table to print."""
    lines = [f"{'':26}" + "".join(f"{name[:18]:>20}" for name in names)]
    for row in rows:
        cells = ""
        for name in names:
            low, high = row[f"{name}, 95 % interval"]
            cells += f"{row[name]:8.1%} {f'{low:.0%}-{high:.0%}':>11}"
        lines.append(f"{next(iter(row.values())):<26}{cells}")
    return "\n".join(lines)


def main() -> None:
    """Measure all, print the tables and write data/bench/ip_adapter.json."""
    results.on_one_core()
    pipe = TextToImage.from_pretrained(WEIGHTS)
    pipe.load_ip_adapter(ADAPTER)
    scenes = postcards.sample_scenes(PICTURES, SEED, kind="single")
    real, few = postcards.draw(scenes), slice(IN_CONFLICT)
    figures: dict = {"steps": pipe.card["num_inference_steps"]}
    figures |= {"scale": pipe.card["guidance_scale"]} | without_words(pipe, scenes, real)
    for title in ("without words", "beside"):
        print(table(figures[title], (BOTH, *SEEN)), flush=True)
    figures["in conflict"] = {}
    for name in CONFLICTS:
        rows = figures["in conflict"][name] = conflict(pipe, name, scenes[few], real[few])
        print(name, table(rows, ("words", "picture", "neither", REST)), sep="\n", flush=True)
    what = f"{ADAPTER}: what is taken from a picture, and who wins where words contradict it"
    results.write(Path(__file__).stem, what, figures, settings())


if __name__ == "__main__":
    main()
