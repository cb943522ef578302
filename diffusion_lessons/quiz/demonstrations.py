"""What "Show me" runs: for each question a function that finds what shows its answer to be true.

It returns what it found, by name, and pictures (N, C, H, W) in [-1, 1] or None. The sentence and
the labels that its findings are put into stand with the question, in data/quiz.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from torch import Tensor

from diffusion_lessons import pictures
from diffusion_lessons.widgets.asking import drawing

from . import about_drawing, about_noise, about_words

DEMONSTRATIONS: dict[str, Callable[[], tuple[dict, Tensor | None]]] = {
    function.__name__: function
    for function in (
        about_drawing.guesses_sharpen,
        about_noise.share_that_is_left,
        about_noise.mean_of_two,
        about_noise.solved_for_the_picture,
        about_noise.last_increment,
        about_words.parts_at_work,
        about_words.random_latents,
        about_drawing.noise_at_the_end,
        about_words.line_through_both,
        about_drawing.same_seed_other_word,
        about_noise.variance_of_the_noise,
        about_drawing.few_steps_are_enough,
        about_drawing.calls_that_wait,
        about_words.four_wishes,
        about_words.size_of_latents,
    )
}


def run(name: str, words: str, picture: dict | None = None) -> dict:
    """Run a demonstration without gradients, and fill its findings in.

    The arguments are those of data/quiz. Return what the page shows: "words", "picture" (a data
    URL, or ""), its "alt" and "width"; and "found". Raises ValueError for an unknown name.
    """
    if name not in DEMONSTRATIONS:
        raise ValueError(f"no demonstration {name!r}: choose one of {sorted(DEMONSTRATIONS)}")
    with drawing():
        found, images = DEMONSTRATIONS[name]()
    page = {"words": words.format_map(found), "picture": "", "alt": "", "width": 0, "found": found}
    if picture and images is not None:
        labels = [label.format_map(found) for label in picture["labels"]]
        zoom = max(1, 128 // images.shape[-1])
        data, width = pictures.on_page(images, labels, picture.get("columns", 8), zoom)
        source = f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
        page |= {"picture": source, "alt": picture["alt"], "width": width}
    return page
