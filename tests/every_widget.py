"""One of each widget of the course, small and quick to make, for tests of all of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import numpy as np
import torch

from diffusion_lessons import quiz, widgets
from diffusion_lessons.widgets import Bars, Choice, Curve, Pictures, Points, Slider, Text
from diffusion_lessons.widgets.page import PageWidget
from tests.small_pipe import small_pipe

STOPS, N = 12, 7
OPTIONS = ["linear", "cosine"]
HOUSE = "a red house on snow"
TITLE = "Draw what the network shall learn"
GENERATOR = torch.Generator().manual_seed(0)
FRAMES = torch.rand(2, STOPS, 3, 8, 8, generator=GENERATOR) * 2 - 1
HEIGHTS = np.random.default_rng(0).random((2, STOPS, 5))
RATIO = np.array([np.linspace(0, 1, STOPS) * 9, [np.inf, *np.linspace(3, 1e-7, STOPS - 1)]])
PATHS = torch.rand(2, STOPS, N, 2, generator=GENERATOR) * 2 - 1
PLACES = torch.cartesian_prod(torch.linspace(-1, 1, 3), torch.linspace(-1, 1, 3))


def scrubber(index: int = 0, choice: int = 0) -> PageWidget:
    """Two schedules: pictures, bars and a curve; the page opens at stop `index` of `choice`."""
    stops = [[f"stop {c}.{i}" for i in range(STOPS)] for c in range(2)]
    scrubber = widgets.scrub(
        slider=("level", stops),
        panels=[
            Pictures("picture", FRAMES, "noise"),
            Bars("values", HEIGHTS, np.linspace(0, 1, 6), ("flat", np.ones(5)), "five bars"),
            Curve("ratio", np.arange(STOPS), {"SNR": RATIO}, "a line", log_y=True),
        ],
        words=[[f"It is {word}!" for word in some] for some in stops],
        choose=("schedule", OPTIONS),
    )
    scrubber.index, scrubber.choice = index, choice
    return scrubber


def moving_points(choice: int = 0) -> PageWidget:
    """Two samplers: points that move, with faint ones behind, arrows and trails."""
    arrows = torch.ones(STOPS, 9, 2) * torch.arange(1, STOPS + 1).view(-1, 1, 1)
    given = {"behind": ("data", PATHS[0, 0]), "arrows": ("score", PLACES, arrows), "trails": 3}
    words = [f"stop {i}" for i in range(STOPS)]
    panel = Points("paths", PATHS, "points that move", **given)
    options = ["random", "straight"]
    scrubber = widgets.scrub(("t", words), [panel], [words] * 2, ("sampler", options))
    scrubber.choice = choice
    return scrubber


def draw(values: dict, generator: torch.Generator) -> tuple[torch.Tensor, str, str]:
    """Two pictures of noise, for `live`."""
    images = torch.rand(2, 3, 8, 8, generator=generator) * 2 - 1
    return images, f"noise of {values}", f"drawn from seed {values['seed']}"


def live(start: int = 0) -> PageWidget:
    """A slider alone."""
    return widgets.live(draw, [Slider("seed", 0, 9, start=start)])


def live_of_three() -> PageWidget:
    """A slider, a text, a choice; a caption under each picture."""
    controls = [Slider("seed", 0, 9), Text("prompt", "a cat"), Choice("kind", OPTIONS)]
    return widgets.live(draw, controls, ["before", "after"])


REGION = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
REGION[..., 20:44, 16:38] = True


def painted(marked: torch.Tensor, prompt: str) -> tuple[torch.Tensor, str, list[str]]:
    """Two pictures that tell marks and words apart, for `mark` and `sketch`."""
    if "dragon" in prompt:
        raise ValueError("there are no dragons here")
    light = torch.full((1, 3, 64, 64), len(prompt) / 50 - 1)
    images = torch.cat((light, marked.float().expand_as(light)))
    return images, f"what was made of {prompt!r}", ["plain", "pasted, seam 1.2"]


def marking(marked: torch.Tensor | None = REGION) -> PageWidget:
    """A picture, a rectangle of it marked."""
    picture = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    return widgets.mark(picture, lambda _, *asked: painted(*asked), "a cat", marked)


PROMPTS = ["a red house", "a cat on snow", "two boats"]
PAIRS = torch.rand(3, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
SEEN = [(f"left picture {i}", f"right picture {i}") for i in range(3)]
RULE = "prefers the darker one", [1, -1, 0]


def choosing(folder: str | None = None) -> PageWidget:
    """Three pairs, and a rule; the choices are kept in a folder that is thrown away."""
    return widgets.choose(PAIRS, PROMPTS, SEEN, RULE, folder or tempfile.mkdtemp())


def watched() -> PageWidget:
    """A training that ended early, with a stage of pictures and one of points."""
    with widgets.watch(total=40, alt="sprites the network draws") as view:
        for step in range(1, 31):
            view.step(step, 1 / step)
        view.pictures(torch.zeros(4, 3, 5, 5), "after 30 steps")
        view.points(PATHS[0, 0], "after 31 steps", behind=PATHS[1, 0])
    return view


def studio() -> PageWidget:
    """A studio on small networks that have learned nothing; its gallery is thrown away."""
    pipe = small_pipe()
    return widgets.studio(lambda: pipe, prompt=HOUSE, folder=tempfile.mkdtemp())


def asked() -> PageWidget:
    """The quiz, its answers kept in a folder that is thrown away."""
    return quiz.start(tempfile.mkdtemp())


EVERY: dict[str, Callable[[], PageWidget]] = {
    "scrub": scrubber,
    "scrub points": moving_points,
    "live": live_of_three,
    "guess": lambda: widgets.guess("How much?", ["a half", "a third"]),
    "guess a number": lambda: widgets.guess("How many?"),
    "plane": lambda: widgets.plane(TITLE),
    "mark": marking,
    "choose": choosing,
    "sketch": lambda: widgets.sketch(painted, "a cat"),
    "watch": watched,
    "watch at first": lambda: widgets.watch(total=10, alt="sprites"),
    "studio": studio,
    "quiz": asked,
}
