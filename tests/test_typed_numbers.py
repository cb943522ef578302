"""Numbers as people type them: decimal commas, spaces, thousands, signs; one reading for all."""

import math

import pytest

from diffusion_lessons import arguments, widgets
from diffusion_lessons.widgets.studio import LARGEST_SEED, read
from tests.typed_numbers import TYPED


@pytest.mark.parametrize("text", TYPED)
def test_what_is_typed_is_the_number_that_is_meant(text):
    found = arguments.typed(text)
    wanted = TYPED[text]
    assert (not math.isfinite(found)) if wanted is None else found == wanted


@pytest.mark.parametrize("text", TYPED)
def test_each_field_of_the_studio_reads_it(text):
    number = TYPED[text]
    for place, whole in enumerate((True, True, False), start=2):
        places = ["a cat", "", "1", "8", "2.5"]
        places[place] = text
        fits = number is not None and not (whole and number % 1)
        if fits and (place != 2 or 0 <= number <= LARGEST_SEED):
            settings = read(places)
            found = (settings.seed, settings.num_inference_steps, settings.guidance_scale)
            assert found[place - 2] == number and isinstance(found[place - 2], int) == whole
        else:
            with pytest.raises(ValueError, match=r"is .*: (write|give) "):
                read(places)


def test_a_guess_that_was_typed_is_compared_as_it_is_meant(capsys):
    guess = widgets.guess("How much?")
    for text, number in TYPED.items():
        if number is not None:
            guess.committed = text
            assert guess._verdict(number) == "✓ Close."
