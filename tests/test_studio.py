"""The studio's Python side: every control, every wrong entry, the gallery. No browser."""

import numpy as np
import pytest
import torch

from diffusion_lessons import pictures, postcards, widgets
from diffusion_lessons.widgets import gallery
from diffusion_lessons.widgets.studio import MOST_KEPT, MOST_PLACES, SUGGESTIONS, described
from diffusion_lessons.workspace import DamagedFile
from tests.small_pipe import small_pipe

HOUSE = ["a red house on snow", "", "0", "3", "2.5"]
PROMPT, NEGATIVE, SEED, STEPS, GUIDANCE = range(5)


@pytest.fixture(scope="module")
def pipe():
    return small_pipe()


@pytest.fixture
def studio(pipe, tmp_path):
    return widgets.studio(lambda: pipe, prompt=HOUSE[0], folder=tmp_path / "gallery")


def ask(studio, *changes):
    """Ask for HOUSE with (place, text) changed; the answer."""
    places = list(HOUSE)
    for place, text in changes:
        places[place] = text
    studio.request = {"id": studio.request["id"] + 1, "places": places}
    assert studio.answer["id"] == studio.request["id"]
    return studio.answer


def frames(answer):
    """What is in the model's hands at each place, and its guesses: uint8 (2, N, H, W, 3)."""
    shape = (2, len(answer["places"]), answer["height"], answer["width"], 3)
    return np.frombuffer(answer["data"], np.uint8).reshape(shape)


def kept_after(studio, of):
    """Keep the picture with this number; what the page hears, the shelf without its free places."""
    studio.keep = {"id": studio.keep["id"] + 1, "of": of}
    assert studio.kept["id"] == studio.keep["id"] and len(studio.kept["pictures"]) == MOST_KEPT
    return studio.kept | {"pictures": [one for one in studio.kept["pictures"] if one]}


# --- pictures ---


def test_the_first_picture_is_there_with_the_model_s_own_numbers(studio):
    assert studio.request["places"] == HOUSE
    assert studio.answer["id"] == 0 and studio.answer["count"] == 2 * 4
    assert studio.answer["words"] == "“a red house on snow” · seed 0 · 3 steps · guidance 2.5"
    assert studio.answer["places"][:2] == ["pure noise", "after step 1 of 3"]


def test_the_way_goes_from_noise_and_a_first_guess_to_the_picture_of_the_pipeline(studio, pipe):
    answer = ask(studio, (SEED, "5"), (NEGATIVE, "night"))
    chance = torch.Generator().manual_seed
    (made,) = pipe(HOUSE[0], negative_prompt="night", generator=chance(5)).images
    assert all(np.array_equal(row[-1], np.asarray(made)) for row in frames(answer))
    first = next(iter(pipe.steps(HOUSE[0], "night", latents=pipe.noise(1, chance(5)))))
    noise, guess = frames(answer)[:, 0].astype(int)
    assert np.array_equal(noise, pictures.to_uint8(pipe.decode(first.x_t))[0])
    assert np.abs(guess - pictures.to_uint8(pipe.decode(first.prediction.x_0))[0]).max() <= 1
    assert np.array_equal(frames(answer), studio.way.frames)


@pytest.mark.parametrize(
    ("place", "text"),
    [(PROMPT, "a blue cat"), (NEGATIVE, "night"), (SEED, "1"), (STEPS, "5"), (GUIDANCE, "6")],
)
def test_every_control_changes_the_picture_and_back_gives_the_same(studio, place, text):
    before = frames(studio.answer)[0, -1]
    assert not np.array_equal(frames(ask(studio, (place, text)))[0, -1], before)
    assert np.array_equal(frames(ask(studio))[0, -1], before)


@pytest.mark.parametrize(("steps", "places"), [("1", 2), ("20", 21), ("21", 21), ("100", 21)])
def test_a_long_way_is_shown_at_some_of_its_places(studio, steps, places):
    words = ask(studio, (STEPS, steps))["places"]
    assert len(words) == len(set(words)) == places <= MOST_PLACES
    assert [words[0], words[-1]] == ["pure noise", f"after step {steps} of {steps}"]


@pytest.mark.parametrize("seed", [" 7 ", "4294967295", "0"])
@pytest.mark.parametrize(("text", "scale"), [("3,5", "3.5"), ("0", "0"), ("30", "30"), ("1", "1")])
def test_seeds_and_scales(studio, seed, text, scale):
    words = ask(studio, (SEED, seed), (GUIDANCE, text))["words"]
    assert words.endswith(f"seed {int(seed)} · 3 steps · guidance {scale}")


# --- what makes no sense ---

WRONG = {
    "an unknown word": ((PROMPT, "a red dragon"), "dragon"),
    "no words": ((PROMPT, ""), "There are no words yet. Write what the picture is to show"),
    "blanks": ((PROMPT, "  \t "), "There are no words yet"),
    "10,000 characters": ((PROMPT, "a house " * 1250), "characters and at most 1,000"),
    "one word of 10,000": ((PROMPT, "a" * 10_000), "10,000 characters"),
    "html": ((PROMPT, "<img src=x onerror=alert(1)>"), "<"),
    "two things at once": ((PROMPT, "a house by day at night"), "day"),
    "unknown in the negative": ((NEGATIVE, "dragons"), "dragon"),
    "a seed in words": ((SEED, "lucky"), "The seed is 'lucky': write any whole number"),
    "a seed below 0": ((SEED, "-1"), "The seed is -1: give a whole number from 0 to 4294967295"),
    "a seed too large": ((SEED, "1" + "0" * 30), "give a whole number from 0 to 4294967295"),
    "half a seed": ((SEED, "1.5"), "The seed is '1.5'"),
    "no steps": ((STEPS, "0"), "is 0: give a whole number from 1 to 1000"),
    "too many steps": ((STEPS, "100000"), "is 100000: give a whole number from 1 to 1000"),
    "steps in words": ((STEPS, "many"), "The number of steps is 'many': write a whole number"),
    "guidance in words": ((GUIDANCE, "high"), "The guidance is 'high': write a number, such as 3"),
    "negative guidance": ((GUIDANCE, "-1"), "is -1.0: give a number from 0"),
    "endless guidance": ((GUIDANCE, "inf"), "write a number"),
    "no number": ((GUIDANCE, "nan"), "write a number"),
    "nothing": ((GUIDANCE, ""), "The guidance is ''"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_entry_gives_a_sentence_and_the_picture_before_stays(studio, name):
    change, part = WRONG[name]
    way, before = studio.way, {**studio.answer}
    answer = ask(studio, change)
    assert answer == before | {"id": answer["id"], "problem": answer["problem"]}
    assert part in answer["problem"]
    assert not answer["problem"].startswith(("ValueError", "UnknownWord", "TypeError"))
    assert len(answer["problem"]) < 600
    assert studio.way is way
    assert "problem" not in ask(studio)  # and the next one is drawn


def test_missing_weights_are_a_sentence_and_loaded_as_soon_as_they_are_there(pipe, tmp_path):
    there = []

    def load():
        if not there:
            raise DamagedFile("postcards.safetensors is missing. Fix: get the course again.")
        return pipe

    studio = widgets.studio(load, prompt=HOUSE[0], folder=tmp_path)
    assert studio.answer["problem"].startswith("postcards.safetensors is missing. Fix: ")
    page, picture = studio.still()
    assert "is missing" in page and picture is None and studio.way is None
    there.append(True)
    assert len(ask(studio)["places"]) == 4


def test_an_error_that_is_no_sentence_is_named(tmp_path):
    studio = widgets.studio(lambda: {}["parts"], folder=tmp_path)
    assert studio.answer["problem"] == "KeyError: 'parts'"


def test_a_model_loaded_by_a_request_is_loaded_once_and_can_still_be_trained(tmp_path):
    made = []

    def load():
        made.append(small_pipe())
        return made[-1]

    studio = widgets.studio(load, folder=tmp_path)
    before = torch.get_rng_state()
    ask(studio, (SEED, "3"))
    assert torch.equal(torch.get_rng_state(), before) and torch.is_grad_enabled()
    assert len(made) == 1
    assert not any(weight.is_inference() for weight in made[0].unet.parameters())


# --- the gallery ---


def test_what_is_saved_is_the_picture_on_show_with_its_settings_which_draw_it_again(studio, pipe):
    answer = ask(studio, (SEED, "4"), (NEGATIVE, "night"), (GUIDANCE, "3,25"))
    heard = kept_after(studio, answer["number"])
    (kept,) = gallery.Gallery(studio._gallery.folder).pictures()
    assert heard["words"] == f"Saved: {kept.path}"
    assert kept.path.name == "0001-a-red-house-on-snow.png"
    assert np.array_equal(kept.pixels, frames(answer)[0, -1])
    assert kept.settings == gallery.Settings(HOUSE[0], "night", 4, 3, 3.25)
    places = heard["pictures"][0]["places"]
    assert places == [HOUSE[0], "night", "4", "3", "3.25"]
    ask(studio)
    assert ask(studio, *enumerate(places))["data"] == answer["data"]
    other = widgets.studio(lambda: pipe, folder=studio._gallery.folder)  # in the next lesson
    assert [one.get("prompt") for one in other.kept["pictures"][:2]] == [HOUSE[0], None]
    assert other.kept["words"] == ""


def test_a_picture_that_gives_way_while_save_is_pressed_is_still_the_one_saved(studio):
    first = ask(studio)
    ask(studio, (SEED, "9"))  # came in between
    ask(studio, (SEED, "wrong"))
    heard = kept_after(studio, first["number"])
    assert heard["pictures"][0]["places"][SEED] == "0"


def test_a_folder_that_cannot_be_written_gives_a_sentence_and_the_picture_is_on_the_shelf(
    pipe, tmp_path
):
    (tmp_path / "file").write_text("where a folder is needed")
    studio = widgets.studio(lambda: pipe, prompt=HOUSE[0], folder=tmp_path / "file" / "gallery")
    heard = kept_after(studio, 1)
    assert "could not be written" in heard["problem"] and "[Errno" not in heard["problem"]
    assert [one["prompt"] for one in heard["pictures"]] == [HOUSE[0]]


# --- what is offered, what is left behind ---


def test_suggestions_and_surprises_can_be_drawn(studio, pipe):
    assert len(set(studio.suggestions)) == len(SUGGESTIONS) >= 4
    assert len(studio.surprises) >= 100
    for text in [*studio.suggestions, *studio.surprises]:
        assert postcards.parse(text)["things"]
        assert pipe.encode_prompt([text]).shape[0] == 1


def test_a_reader_of_the_stored_notebook_sees_the_way_in_one_picture(studio):
    page, picture = studio.still()
    assert picture.startswith(b"\x89PNG")
    assert 'alt="Noise becomes a picture of: a red house on snow. pure noise; after' in page
    assert "seed 0 · 3 steps" in page and "seconds" not in page
    settings = gallery.Settings("<b>", "<i>", 0, 1, 1.0)
    assert described(settings) == "“<b>”, away from “<i>” · seed 0 · 1 step · guidance 1"
