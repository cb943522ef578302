"""A place to make pictures from words: a prompt, the way from noise, a gallery of pictures.

The whole way is drawn in one request, so that the page can go back and forth on it by itself.
"""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import traitlets

from diffusion_lessons import arguments, pictures, postcards

from .asking import Asking, drawing, one_at_a_time
from .gallery import Gallery, Settings
from .page import framed, module, slots, static
from .still import spread

if TYPE_CHECKING:
    from diffusion_lessons.pipeline import TextToImage

MOST_PLACES = 21
"""Most places on the way that are shown; a way of more steps shows some of them, evenly spread."""
MOST_KEPT = 24
"""Most pictures of the gallery that are shown; the others are still in its folder."""
LARGEST_SEED = 2**32 - 1

SUGGESTIONS = (
    "a red house on snow at night",
    "three blue boats on the sea at sunset",
    "a large orange cat on grass by day",
    "a purple balloon under northern lights",
    "a small green cactus and a yellow rocket on sand",
)
_SURPRISES = 200
_STILL = 5  # places on the way in the still version


@dataclass(frozen=True)
class Way:
    """The way of one picture from noise: at each of N places how far it is in words, and `frames`,
    uint8 (2, N, H, W, 3): what the sampler has in its hands, and its guess of the end."""

    settings: Settings
    frames: np.ndarray
    words: list[str]


class Studio(Asking):
    """The widget of `studio`; `way` is that of the picture on show, None before one."""

    _esm = module("studio")
    _css = static("widgets.css") + static("studio.css")

    spoken = (*Asking.spoken, ValueError, TypeError, OSError)
    way: Way | None = None

    suggestions: traitlets.List = traitlets.List(list(SUGGESTIONS)).tag(sync=True)
    surprises: traitlets.List = traitlets.List().tag(sync=True)  # prompts; one is drawn at random
    keep = traitlets.Dict().tag(sync=True)  # page: {"id": n, "of": number of the picture to save}
    kept = traitlets.Dict().tag(sync=True)  # kernel: {"id", "words" or "problem", "pictures"}

    def __init__(
        self, load: Callable[[], TextToImage], prompt: str, folder: Path | str | None
    ) -> None:
        self._load = load
        self._pipe: TextToImage | None = None
        self._gallery = Gallery(folder)
        self._drawn: dict[int, Way] = {}  # the last two, by number
        try:
            card = self._ready().card
        except Exception:  # the first answer will say why
            card = {"num_inference_steps": 8, "guidance_scale": 3}
        usual = [str(card["num_inference_steps"]), f"{card['guidance_scale']:g}"]
        request = {"places": [prompt, "", "0", *usual]}
        scenes = postcards.sample_scenes(_SURPRISES, seed=0)
        super().__init__(
            request,
            self._attempt(self._reply, request),
            surprises=postcards.captions(scenes, seed=0),
            keep={"id": 0},
            kept={"id": 0, "words": "", "pictures": self._shelf()},
        )
        self._answer_in("kept", self._keep, "keep")

    def still(self) -> tuple[str, bytes | None]:
        """Return some places on the way of the picture on show, or the problem without one."""
        if self.way is None:
            return f"<p>{html.escape(self.answer['problem'])}</p>", None
        shown = spread(len(self.way.words), _STILL)
        frames = torch.from_numpy(self.way.frames[0, shown]).permute(0, 3, 1, 2) / 127.5 - 1
        labels = [self.way.words[place] for place in shown]
        picture, width = pictures.on_page(frames, labels)
        alt = f"Noise becomes a picture of: {self.way.settings.prompt}. {'; '.join(labels)}."
        words = f"<p>{html.escape(described(self.way.settings))}</p>"
        return pictures.img_tag(picture, alt, width) + words, picture

    def _reply(self, request: dict) -> dict:
        settings, start = read(request["places"]), time.perf_counter()
        self.way = way = make(self._ready(), settings)
        seconds = time.perf_counter() - start
        number = 1 + max(self._drawn, default=0)
        # The page may still show the picture before, and may want to keep that one.
        self._drawn = dict([*self._drawn.items(), (number, way)][-2:])
        return {
            "number": number,
            **framed(way.frames),
            "places": way.words,
            "alt": f"A picture drawn for the words: {settings.prompt}",
            "words": described(settings),
            "took": f"Drawn in {seconds:.2f} seconds.",
        }

    def _ready(self) -> TextToImage:
        """Return the model, loaded when first needed; after a failure the next call tries again."""
        with one_at_a_time:  # not in inference mode: others may want to train what is loaded
            self._pipe = pipe = self._pipe or self._load()
        return pipe

    def _keep(self, request: dict) -> dict:
        return self._attempt(self._save, request) | {"pictures": self._shelf()}

    def _save(self, request: dict) -> dict:
        way = self._drawn[request["of"]]
        return {"words": f"Saved: {self._gallery.keep(way.frames[0, -1], way.settings)}"}

    def _shelf(self) -> list[dict]:
        """Return the newest pictures of the gallery, as the page needs them."""
        pictures = [
            {
                **framed(kept.pixels),
                "prompt": kept.settings.prompt,
                "words": described(kept.settings),
                "places": [*map(str, asdict(kept.settings).values())],
            }
            for kept in self._gallery.pictures(MOST_KEPT)
        ]
        return slots(pictures, MOST_KEPT)


def studio(
    load: Callable[[], TextToImage], prompt: str = SUGGESTIONS[0], folder: Path | str | None = None
) -> Studio:
    """Make pictures from words, watch each come out of noise, and keep those one likes.

    `load` gives the model, such as `TextToImage.from_pretrained`; it is called when a picture is
    first needed. Where it fails, or where a setting makes no sense, a sentence says so in the page,
    the picture before stays, and the next try starts again. A first picture is drawn at once, with
    the number of steps and the scale that the model's card names. What is kept goes to `folder`
    (None: the learner's own, the same for all lessons), see `widgets.gallery.Gallery`.
    """
    return Studio(load, prompt, folder)


def read(places: Iterable[str]) -> Settings:
    """Return the settings in the page's fields. Raises ValueError with a sentence."""
    prompt, negative, *numbers = (str(place).strip() for place in places)
    if not prompt:
        raise ValueError(
            "There are no words yet. Write what the picture is to show, such as "
            f"'{SUGGESTIONS[0]}', or press Surprise me."
        )
    values = []
    for (name, kind, allowed), text in zip(_NUMBERS, numbers, strict=True):
        value = arguments.typed(text)
        if not math.isfinite(value) or (kind is int and value % 1):
            raise ValueError(f"The {name} is {text!r}: write {allowed}.")
        values.append(kind(value))
    arguments.number("The seed", values[0], 0, LARGEST_SEED)
    return Settings(prompt, negative, *values)


_NUMBERS: tuple[tuple[str, type, str], ...] = (
    ("seed", int, f"any whole number, such as 7, from 0 to {LARGEST_SEED}"),
    ("number of steps", int, "a whole number, such as 8"),
    ("guidance", float, "a number, such as 3 (1 is off, 0 ignores the words)"),
)


def make(pipe: TextToImage, settings: Settings) -> Way:
    """Draw a picture and its way from noise. Raises what `pipe.steps` raises."""
    with drawing():
        wanted = asdict(settings) | {"negative_prompt": settings.negative_prompt or None}
        noise = pipe.noise(1, torch.Generator().manual_seed(wanted.pop("seed")))
        steps = list(pipe.steps(**wanted, latents=noise))
        held = [*(step.x_t for step in steps), steps[-1].x_next]  # the last is the picture itself
        guesses = [*(step.prediction.x_0 for step in steps), steps[-1].x_next]
        shown = spread(len(held), MOST_PLACES)
        latents = torch.cat([row[i] for row in (held, guesses) for i in shown])
        frames = pictures.to_uint8(pipe.decode(latents))
    words = ["pure noise", *(f"after step {i} of {len(steps)}" for i in shown[1:])]
    return Way(settings, frames.reshape(2, -1, *frames.shape[1:]), words)


def described(settings: Settings) -> str:
    """Return the settings in a line."""
    away = f", away from “{settings.negative_prompt}”" if settings.negative_prompt else ""
    steps = f"{settings.num_inference_steps} step{'s' * (settings.num_inference_steps != 1)}"
    numbers = f"seed {settings.seed} · {steps} · guidance {settings.guidance_scale:g}"
    return f"“{settings.prompt}”{away} · {numbers}"
