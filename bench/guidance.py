"""What guidance buys and what it costs: `python -m bench.guidance`.

The shipped text-to-image model paints the same prompts (single scenes, everything said) from the
same noise at each guidance scale, and with guidance only on a part of the way. The judge says
how many pictures show all that was said; it is blind to a little blur or noise, so beside it stands
how far neighbouring pixels differ. Diversity is how far two pictures of one prompt lie apart
in what no prompt names (`factors`: horizon, sun), relative to postcards of the data. Beside it: the
judge's reading of real postcards, and of those that went through the autoencoder and back. Then the
quality of what ships, at its default steps and scale, kind by kind. The lesson reads
data/bench/guidance.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from bench import results
from diffusion_lessons import postcards, scoring
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards import VALUES, Scenes
from diffusion_lessons.postcards.scenes import SCENE_ATTRIBUTES, value_of
from diffusion_lessons.scoring import factors, recognition
from diffusion_lessons.scoring.statistics import wilson

WEIGHTS = "postcards"
SCALES = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0)
INTERVAL, IN_THE_MIDDLE = (0.25, 0.75), (2.5, 5.0, 7.5, 10.0)
HELD_OUT = (1.0, 2.5, 5.0, 10.0)
PART, PARTS = 5.0, ((0.75, 1.0), (0.5, 1.0), (0.0, 0.5), (0.0, 0.25))  # of held-out pairs, too
PROMPTS, TWICE = 512, 256  # the first 256 prompts are painted a second time, from other noise
SEED = 2_000_000_000  # of scenes and noise; no training uses it
SHIPPED, SHIPPED_SEED = 1024, 2_100_000_000
FINISHED = 128
SAMPLED_AT_ONCE = 128
RIGHT = "everything right"
WHOLE_WAY = (0.0, 1.0)


def settings() -> dict:
    """All that settles the table, besides the code: its data file carries these."""
    parts = (WEIGHTS, "captions", "autoencoder", "judge", "recogniser")
    return {
        "weights_sha256": results.weights(*parts),
        "scales": list(SCALES),
        "interval": list(INTERVAL),
        "scales in the interval": list(IN_THE_MIDDLE),
        "scales of held-out pairs": list(HELD_OUT),
        "parts of the way, and their scale": [list(map(list, PARTS)), PART],
        "prompts": PROMPTS,
        "painted twice": TWICE,
        "seed": SEED,
        "pictures of each kind": SHIPPED,
        "seed of each kind": SHIPPED_SEED,
        "pictures for finish": FINISHED,
        "sampled_at_once": SAMPLED_AT_ONCE,
    }


def points() -> list[tuple[str, float, tuple[float, float]]]:
    """Split, scale and interval of every row, in order."""
    rows = [("train", scale, WHOLE_WAY) for scale in SCALES]
    rows += [("train", scale, INTERVAL) for scale in IN_THE_MIDDLE]
    rows += [("held_out", scale, WHOLE_WAY) for scale in HELD_OUT]
    return rows + [("held_out", PART, part) for part in PARTS]


def paint(
    pipe: TextToImage,
    prompts: Sequence[str],
    seed: int,
    scale: float | None = None,
    interval: tuple[float, float] = WHOLE_WAY,
) -> Tensor:
    """A picture (N, 3, 64, 64) in [-1, 1] for each prompt; picture i starts from noise of seed + i.

    scale: None stands for the pipeline's own; so do the steps.
    """
    painted = []
    for start in range(0, len(prompts), SAMPLED_AT_ONCE):
        said = list(prompts[start : start + SAMPLED_AT_ONCE])
        seeds = range(seed + start, seed + start + len(said))
        noise = pipe.noise(len(said), [torch.Generator().manual_seed(one) for one in seeds])
        *_, last = pipe.steps(said, guidance_scale=scale, latents=noise, interval=interval)
        painted.append(pipe.decode(last.x_next))
    return torch.cat(painted)


# --- fidelity and what guidance burns ---


def fidelity(images: Tensor, scenes: Scenes) -> dict:
    """How much of what was said the judge sees: all of it (95 %, Wilson), and part by part."""
    truth = recognition.by_place(scenes.attributes)
    right = recognition.agreement(recognition.load("judge").read(images), truth)
    every = right.pop("all")
    low, high = wilson(int(every.sum()), len(every))
    return {
        "pictures": len(every),
        RIGHT: round(float(every.float().mean()), 4),
        f"{RIGHT}, 95 % interval": [round(low, 4), round(high, 4)],
        "right by attribute": {n: round(float(v.float().mean()), 4) for n, v in right.items()},
    }


def burnt(images: Tensor) -> dict:
    """Signs of too much guidance: the share of numbers that are cut off at black or white, and the
    mean saturation (largest less smallest of red, green and blue, as a share of the range)."""
    return {
        "clipped": round(float((images.abs() >= 1).float().mean()), 5),
        "saturation": round(float((images.amax(1) - images.amin(1)).mean() / 2), 4),
    }


def grain(images: Tensor) -> float:
    """How far pixels are from their neighbours on the right, on average, in grey levels of 255."""
    return round(float(images.diff(dim=-1).abs().mean() * 127.5), 2)


def finish(pipe: TextToImage, count: int = FINISHED) -> dict:
    """The `grain` of pictures at each scale, beside that of real postcards of the same scenes."""
    scenes = postcards.sample_scenes(count, SEED, kind="single")
    said, real = postcards.captions(scenes, SEED, full=True), postcards.draw(scenes)
    return {
        "pictures": count,
        "by scale": [[scale, grain(paint(pipe, said, SEED, scale))] for scale in SCALES],
        "real": grain(real),
        "through the autoencoder": grain(scoring.there_and_back(pipe.autoencoder, real)),
    }


# --- diversity ---


def apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> dict[str, Tensor]:
    """Squared differences of factors (as `factors.read` gives them), by name, where both are."""
    gaps = {name: (one[name] - other[name]).square() for name in one}
    return {name: gap[gap.isfinite()] for name, gap in gaps.items()}


def spread(gaps: Tensor) -> float:
    """The standard deviation of which pairs with these squared differences are draws of two."""
    return float((gaps.mean() / 2).sqrt())


def diversity(gaps: dict[str, Tensor], data: dict[str, float]) -> dict:
    """The spread of each factor within a prompt over that of the data, with 95 % intervals.

    The intervals come from drawing the pairs again 2,000 times (Efron 1979); `data` is held fixed.
    """
    rows = {}
    for name, gap in gaps.items():
        dice = torch.Generator().manual_seed(0)
        again = gap[torch.randint(len(gap), (2000, len(gap)), generator=dice)]
        shares = (again.mean(1) / 2).sqrt() / data[name]
        low, high = shares.quantile(torch.tensor([0.025, 0.975])).tolist()
        rows[name] = {
            "pairs": len(gap),
            "spread": round(spread(gap) / data[name], 4),
            "95 % interval": [round(low, 4), round(high, 4)],
        }
    return rows


def spread_of_data(count: int) -> dict[str, float]:
    """The spread of each factor between two postcards of one caption, read from the pictures."""
    scenes, other = (postcards.sample_scenes(count, SEED + i, kind="single") for i in (1, 2))
    same = Scenes(scenes.attributes, other.dice)  # what is said stays, the rest is drawn anew
    read = [factors.read(postcards.draw(shown)) for shown in (scenes, same)]
    return {name: spread(gap) for name, gap in apart(*read).items()}


# --- the table ---


def row(
    pipe: TextToImage,
    split: str,
    scale: float,
    interval: tuple[float, float],
    data: dict[str, float],
    prompts: int = PROMPTS,
) -> dict:
    """One line of the table; `prompts` of them, half of which are painted twice."""
    scenes = postcards.sample_scenes(prompts, SEED, split, "single")
    said, twice = postcards.captions(scenes, SEED, full=True), prompts * TWICE // PROMPTS
    images = paint(pipe, said, SEED, scale, interval)
    line = {"split": split, "scale": scale, "interval": list(interval)}
    line |= fidelity(images, scenes) | burnt(images)
    if split == "train":
        other = paint(pipe, said[:twice], SEED + prompts, scale, interval)
        gaps = apart(factors.read(images[:twice]), factors.read(other))
        line["diversity"] = diversity(gaps, data)
    return line


def beside(pipe: TextToImage, prompts: int = PROMPTS) -> dict:
    """What the judge says of real postcards of the same scenes, and of them after the autoencoder:
    no row can be expected to do better."""
    rows = {}
    for split in ("train", "held_out"):
        scenes = postcards.sample_scenes(prompts, SEED, split, "single")
        real = postcards.draw(scenes)
        back = scoring.there_and_back(pipe.autoencoder, real)
        for name, images in (("real", real), ("through the autoencoder", back)):
            rows[f"{name}, {split}"] = fidelity(images, scenes) | burnt(images)
    return rows


def left_open(pipe: TextToImage, count: int = SHIPPED, scale: float | None = None) -> dict:
    """How pictures fill in what their captions leave open, against the data, by the judge.

    scale: as in `paint`.

    For each attribute: the share of each word among the pictures whose caption does not say it, the
    share in the data, and the distance between the two (half the sum of the absolute differences;
    0 is the same, 1 nothing in common), beside that of as many real postcards.
    """
    seed = SHIPPED_SEED + 3
    scenes = postcards.sample_scenes(count, seed, kind="single")
    written = postcards.described_captions(scenes, seed)
    images = paint(pipe, [caption.text for caption in written], seed, scale)
    seen = one_thing(recognition.load("judge").read(images))
    true = _values(scenes)
    data = _values(postcards.sample_scenes(100_000, seed + 1, kind="single"))
    rows = {}
    for name in ("sky", "ground", "colour", "size", "position"):
        unsaid = torch.tensor([
            value_of(caption.description, name, None if name in SCENE_ATTRIBUTES else 0) is None
            for caption in written
        ])  # fmt: skip
        groups = (seen[name][unsaid], true[name][unsaid], data[name])
        rows[name] = _against_the_data(name, *groups)
    return rows


def _against_the_data(name: str, seen: Tensor, real: Tensor, data: Tensor) -> dict:
    """A line of `left_open`, from values of one attribute: of pictures, of as many real postcards
    and of the data."""
    shares, fair, goal = (
        (values[:, None] == torch.arange(len(VALUES[name]))).float().mean(0)
        for values in (seen, real, data)
    )
    return {
        "pictures": len(seen),
        "share of each word": _by_word(name, shares),
        "in the data": _by_word(name, goal),
        "distance": round(float((shares - goal).abs().sum() / 2), 4),
        "distance of real postcards": round(float((fair - goal).abs().sum() / 2), 4),
    }


def _by_word(name: str, shares: Tensor) -> dict[str, float]:
    return {word: round(s, 4) for word, s in zip(VALUES[name], shares.tolist(), strict=True)}


def one_thing(reading: recognition.Reading) -> dict[str, Tensor]:
    """A reading of pictures with one thing: what the first place with a thing shows; -1 where none
    has one. Name to (N,), "position" among them."""
    there = reading["count"] >= 0
    place = there.int().argmax(1)
    seen = {name: reading[name] for name in ("sky", "ground")}
    for name in ("object", "colour", "size"):
        seen[name] = reading[name].gather(1, place[:, None])[:, 0]
    return seen | {"position": torch.where(there.any(1), place, -1)}


def _values(scenes: Scenes) -> dict[str, Tensor]:
    """The attributes of scenes with one thing, name to (N,)."""
    values = scenes.attributes
    return {name: v if v.ndim == 1 else v[:, 0] for name, v in values.items()}


def table(rows: list[dict]) -> str:
    """The figures as a table to print."""
    lines = [
        f"{'split':9}{'scale':>6}{'guided at t':>14}{'all right':>10}{'95 %':>17}{'clipped':>9}"
        f"{'saturation':>12}{'horizon':>9}{'sun x':>7}"
    ]
    for line in rows:
        low, high = line[f"{RIGHT}, 95 % interval"]
        spreads = line.get("diversity", {})
        cells = [f"{spreads[n]['spread']:.2f}" if spreads else "" for n in factors.NAMES]
        lines.append(
            f"{line['split']:9}{line['scale']:6}{'{} to {}'.format(*line['interval']):>14}"
            f"{line[RIGHT]:10.1%}{f'{low:.1%} to {high:.1%}':>17}{line['clipped']:9.2%}"
            f"{line['saturation']:12.3f}{cells[0]:>9}{cells[1]:>7}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure all rows, print the table and write data/bench/guidance.json."""
    results.on_one_core()
    pipe, rows = TextToImage.from_pretrained(WEIGHTS), []
    data = spread_of_data(2048)
    for split, scale, interval in points():
        rows.append(row(pipe, split, scale, interval, data))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    shipped = scoring.follows(lambda said: paint(pipe, said, SHIPPED_SEED), SHIPPED, SHIPPED_SEED)
    what = f"{WEIGHTS}: fidelity, diversity, clipped pixels and finish against guidance"
    figures = {
        "steps": pipe.card["num_inference_steps"],
        "default scale": pipe.card["guidance_scale"],
        "rows": rows,
        "beside": beside(pipe),
        "finish": finish(pipe),
        "spread of the data": {name: round(value, 5) for name, value in data.items()},
        "what ships": shipped,
        "left open": left_open(pipe),
        "left open, without guidance": left_open(pipe, scale=1.0),
    }
    results.write(Path(__file__).stem, what, figures, settings())
    print(table(rows))
    for name, scores in shipped.items():
        low, high = scores["what was said is right, 95 % interval"]
        print(f"{name:42}{scores['what was said is right']:8.1%}  ({low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
