"""What the student of few calls paints, beside its teacher at equal calls: `python -m bench.turbo`.

Each row is a painter: a network, the calls of it that a picture takes, and the guidance scale. The
judge says how often everything asked for is right, by kind of scene. That alone does not see blur,
so beside it stand, on single scenes: the distance of a pixel's colour from the teacher's picture of
the same noise (10 guided steps), on average, in grey levels of 255; roughness, how far pixels are
from their neighbours, also where the caption leaves things open; and diversity, see
`bench.guidance`. The rows "real" and "another noise" say what these are worth. First seeds, 95 %
intervals (Wilson; for means, 1.96 standard errors; for diversity, pairs drawn again).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from bench import guidance, results
from diffusion_lessons import postcards, scoring
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.scoring import factors, recognition
from diffusion_lessons.scoring.statistics import shares

TEACHER, STUDENT = "postcards", "postcards-turbo"
PICTURES, SEED = 192, 2_300_000_000  # of scenes and noise; no training uses it
GREY = 127.5
KINDS = recognition.SCENE_KINDS
RIGHT = "everything right"


class Painter(NamedTuple):
    """A network by its name, the steps of its sampler, and the scale of guidance."""

    weights: str
    steps: int
    scale: float

    @property
    def calls(self) -> int:
        """The answers of the network that a picture takes: two for each guided step."""
        return self.steps * (1 if self.scale == 1 else 2)


LONG = Painter(TEACHER, 10, 2.5)
PAINTERS = (
    *(Painter(STUDENT, calls, 1.0) for calls in (1, 2, 4)),
    *(Painter(TEACHER, calls, 1.0) for calls in (1, 2, 4)),
    *(Painter(TEACHER, steps, 2.5) for steps in (1, 2)),
    Painter(STUDENT, 2, 2.5),
    LONG,
)


def settings() -> dict:
    """All that settles the table, besides the code: its data file carries these."""
    return {
        "weights_sha256": results.weights(
            TEACHER, STUDENT, "captions", "autoencoder", "judge", "recogniser"
        ),
        "painters": [list(painter) for painter in PAINTERS],
        "pictures": PICTURES,
        "seed": SEED,
    }


def paint(pipe: TextToImage, painter: Painter, said: list[str], seed: int = SEED) -> Tensor:
    """A picture (N, 3, 64, 64) in [-1, 1] for each caption, number i from noise of seed + i."""
    pipe.card["num_inference_steps"] = painter.steps
    return guidance.paint(pipe, said, seed, painter.scale)


def mean(each: Tensor) -> dict:
    """The mean of a number of each picture, and its 95 % interval."""
    middle, half = float(each.mean()), 1.96 * float(each.std()) / len(each) ** 0.5
    ends = [round(middle - half, 2), round(middle + half, 2)]
    return {"mean": round(middle, 2), "95 % interval": ends}


def roughness(images: Tensor) -> dict:
    """How far pixels are from their neighbours on the right, in grey levels of 255."""
    return mean(GREY * images.diff(dim=-1).abs().mean((1, 2, 3)))


def colour_distance(images: Tensor, other: Tensor) -> dict:
    """How far a pixel's colour is from that in the other picture, in grey levels of 255."""
    return mean(GREY * (images - other).square().sum(dim=1).sqrt().mean((1, 2)))


class Asked(NamedTuple):
    """Scenes of one kind, and their captions, which say everything."""

    scenes: postcards.Scenes
    said: list[str]


def asked(count: int) -> dict[str, Asked]:
    """What is asked for, by kind."""
    drawn = recognition.of_kinds(KINDS, count, SEED)
    return {kind: Asked(s, postcards.captions(s, SEED, full=True)) for kind, s in drawn}


def right(images: Tensor, scenes: postcards.Scenes) -> dict:
    """How often the judge reads everything right."""
    return shares({RIGHT: recognition.load("judge").agrees(images, scenes)["all"]}, RIGHT)


def row(
    pipe: TextToImage, painter: Painter, kinds: dict[str, Asked], long: Tensor, spread: dict
) -> dict:
    """One line of the table. long: the teacher's pictures of the single scenes."""
    painted = {kind: paint(pipe, painter, one.said) for kind, one in kinds.items()}
    scenes, said = kinds["single"]
    again = paint(pipe, painter, said, SEED + len(said))
    gaps = guidance.apart(factors.read(painted["single"]), factors.read(again))
    open_ones = paint(pipe, painter, postcards.captions(scenes, SEED))
    return {
        **painter._asdict(),
        "calls": painter.calls,
        **{kind: right(images, kinds[kind].scenes) for kind, images in painted.items()},
        "colour distance": colour_distance(painted["single"], long),
        "roughness": roughness(painted["single"]),
        "roughness, much left open": roughness(open_ones),
        "diversity": guidance.diversity(gaps, spread),
        **guidance.burnt(painted["single"]),
    }


def beside(pipe: TextToImage, kinds: dict[str, Asked], long: Tensor) -> dict:
    """What the figures are of real postcards, of these after the autoencoder, and, for the colour
    distance, of the teacher's pictures of other noise."""
    scenes, said = kinds["single"]
    real = postcards.draw(scenes)
    back = scoring.there_and_back(pipe.autoencoder, real)
    other = paint(pipe, LONG, said, SEED + 2 * len(said))
    shown = (("real", real), ("through the autoencoder", back))
    return {
        name: {**right(images, scenes), "roughness": roughness(images), **guidance.burnt(images)}
        for name, images in shown
    } | {"another noise": {"colour distance": colour_distance(other, long)}}


def table(rows: list[dict]) -> str:
    """The rows as a table to print."""
    heads = [*KINDS, "colour", "rough", "open", "horizon", "sun x", "clipped"]
    lines = [f"{'':34}" + "".join(f"{head[:18]:>19}" for head in heads)]
    for line in rows:
        name = f"{line['weights']}, {line['steps']} x scale {line['scale']:g}"
        cells = [f"{line[kind][RIGHT]:.3f}" for kind in KINDS]
        measured = ("colour distance", "roughness", "roughness, much left open")
        cells += [f"{line[what]['mean']:.2f}" for what in measured]
        cells += [f"{line['diversity'][n]['spread']:.2f}" for n in factors.NAMES]
        cells.append(f"{line['clipped']:.4f}")
        lines.append(f"{name:34}" + "".join(f"{cell:>19}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table and write data/bench/turbo.json."""
    pipes = {name: TextToImage.from_pretrained(name) for name in (TEACHER, STUDENT)}
    kinds, spread, rows = asked(PICTURES), guidance.spread_of_data(2048), []
    long = paint(pipes[TEACHER], LONG, kinds["single"].said)
    for painter in PAINTERS:
        rows.append(row(pipes[painter.weights], painter, kinds, long, spread))
        print(table(rows[-1:]), flush=True)
    what = "few calls: the student beside its teacher, by the judge and by what it does not see"
    figures = {"rows": rows, "beside": beside(pipes[TEACHER], kinds, long)}
    results.write(Path(__file__).stem, what, figures, settings())


if __name__ == "__main__":
    main()
