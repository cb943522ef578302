"""What "Show me" runs: a function for each question, by name, that lets one see the answer."""

from __future__ import annotations

from collections.abc import Callable

from diffusion_lessons.widgets.asking import drawing

from . import about_drawing, about_noise, about_words
from .shown import Shown

DEMONSTRATIONS: dict[str, Callable[[], Shown]] = {
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


def run(name: str) -> Shown:
    """Run the demonstration `name`, one at a time and without gradients.

    Raises ValueError for another name.
    """
    if name not in DEMONSTRATIONS:
        raise ValueError(f"no demonstration {name!r}: choose one of {sorted(DEMONSTRATIONS)}")
    with drawing():
        return DEMONSTRATIONS[name]()
