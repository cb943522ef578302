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

from . import about_codes, about_drawing, about_latents, about_noise, about_words

DEMONSTRATIONS: dict[str, Callable[..., tuple[dict, Tensor | None]]] = {
    function.__name__: function
    for function in (
        about_latents.one_call_and_more,
        about_noise.shares_of_the_mix,
        about_noise.still_in_question,
        about_words.exchanged_vectors,
        about_words.words_alike,
        about_noise.told_of_another,
        about_noise.last_increment,
        about_words.parts_at_work,
        about_latents.random_latents,
        about_latents.one_place,
        about_latents.ten_rounds,
        about_drawing.what_a_step_needs,
        about_words.guidance_early_and_late,
        about_words.ignored_early_or_late,
        about_latents.another_sky,
        about_drawing.start_or_chance,
        about_latents.two_rulers,
        about_codes.a_part_anew,
        about_codes.waiting_and_work,
        about_codes.four_wishes,
        about_codes.what_a_half_hears,
        about_words.with_a_drawing,
    )
}


def run(name: str, words: str, picture: dict | None = None, settings: dict | None = None) -> dict:
    """Run a demonstration without gradients, and fill its findings in.

    The arguments are those of data/quiz. Return what the page shows: "words", "picture" (a data
    URL, or ""), its "alt" and "width"; and "found". Raises ValueError for an unknown name.
    """
    if name not in DEMONSTRATIONS:
        raise ValueError(f"no demonstration {name!r}: choose one of {sorted(DEMONSTRATIONS)}")
    with drawing():
        found, images = DEMONSTRATIONS[name](**settings or {})
    page = {"words": words.format_map(found), "picture": "", "alt": "", "width": 0, "found": found}
    if picture and images is not None:
        labels = [label.format_map(found) for label in picture["labels"]]
        zoom = max(1, 128 // images.shape[-1])
        data, width = pictures.on_page(images, labels, picture.get("columns", 8), zoom)
        source = f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
        page |= {"picture": source, "alt": picture["alt"], "width": width}
    return page
