"""Prompts read back by `parse`: what people really type, and what they get when it goes wrong."""

import random

import pytest

from diffusion_lessons.postcards.lexicon import MEANINGS, plurals
from diffusion_lessons.postcards.reading import PromptError, UnknownWord, parse
from diffusion_lessons.postcards.scenes import VALUES

TRAITS = ("object", "colour", "size", "position", "count")


def scene(*things, sky=None, ground=None):
    """What `parse` returns, written short: only what is said."""
    return {
        "sky": sky,
        "ground": ground,
        "things": [dict.fromkeys(TRAITS) | thing for thing in things],
    }


def house(**said):
    return {"object": "house", **said}


def boat(**said):
    return {"object": "boat", **said}


def cat(**said):
    return {"object": "cat", **said}


@pytest.mark.parametrize(
    "prompt, said",
    [
        ("", scene()),
        (" \n\t ", scene()),
        ("the", scene()),
        ("house", scene(house())),
        ("the house", scene(house())),
        ("houses", scene(house())),
        ("a house", scene(house(count="one"))),
        ("one house", scene(house(count="one"))),
        ("1 house", scene(house(count="one"))),
        ("an orange cat", scene(cat(colour="orange", count="one"))),
        ("2 boats", scene(boat(count="two"))),
        ("a pair of sailing boats", scene(boat(count="two"))),
        ("A couple of boats!", scene(boat(count="two"))),
        ("a trio of cacti", scene({"object": "cactus", "count": "three"})),
        ("three cactuses", scene({"object": "cactus", "count": "three"})),
        ("at night", scene(sky="night")),
        ("on a starry night", scene(sky="night")),
        ("a sunny day", scene(sky="day")),
        ("northern lights", scene(sky="aurora")),
        ("the aurora at night", scene(sky="aurora")),
        ("the night sky", scene(sky="night")),
        ("in the meadow", scene(ground="grass")),
        ("something red", scene({"colour": "red"})),
        ("red", scene({"colour": "red"})),
        ("two things on the left", scene({"count": "two", "position": "left"})),
        ("a hot-air balloon", scene({"object": "balloon", "count": "one"})),
        ("a space-ship", scene({"object": "rocket", "count": "one"})),
        ("two sail boats", scene(boat(count="two"))),
        ("a navy blue boat", scene(boat(colour="blue", count="one"))),
        ("a house on the left side of the picture", scene(house(position="left", count="one"))),
        ("a house on the left of the image", scene(house(position="left", count="one"))),
        ("a house on the left-hand side", scene(house(position="left", count="one"))),
        ("there's a house on snow", scene(house(count="one"), ground="snow")),
        ("a tiny house — on sand", scene(house(size="small", count="one"), ground="sand")),
        ("a cat beside the sea", scene(cat(count="one"), ground="sea")),
        ("draw me a cat, please", scene(cat(count="one"))),
        (
            "a red house on snow at night",
            scene(house(colour="red", count="one"), sky="night", ground="snow"),
        ),
        (
            "on snow, at night: three large blue boats on the right",
            scene(
                boat(count="three", size="large", colour="blue", position="right"),
                sky="night",
                ground="snow",
            ),
        ),
    ],
)
def test_one_thing(prompt, said):
    assert parse(prompt) == said


LEFT_RED_HOUSE = house(colour="red", position="left", count="one")
RIGHT_SMALL_CAT = cat(size="small", position="right", count="one")


@pytest.mark.parametrize(
    "prompt",
    [
        "a red house on the left and a small cat on the right",
        "on the left a red house and on the right a small cat",
        "On the left, a red house; on the right, a small cat.",
        "on the left, a red house, on the right, a small cat",
        "a red house on the left, and, on the right, a small cat",
        "a red house on the left next to a small cat on the right",
        "a red house on the left beside a small cat on the right",
        "a red house on the left with a small cat on the right",
        "a red house on the left plus a small cat on the right",
        "a red house on the left & a small cat on the right",
        "a red house on the left a small cat on the right",
        "a house, red, on the left, and a cat, small, on the right",
        "a house on the left, red, and a cat on the right, small",
    ],
)
def test_words_belong_to_the_thing_in_whose_part_they_stand(prompt):
    assert parse(prompt) == scene(LEFT_RED_HOUSE, RIGHT_SMALL_CAT)
    scenery = f"At night, {prompt.rstrip('.')}, in the snow."
    assert parse(scenery) == scene(LEFT_RED_HOUSE, RIGHT_SMALL_CAT, sky="night", ground="snow")


@pytest.mark.parametrize(
    "prompt, things",
    [
        ("house and boat", [house(), boat()]),
        ("boat, house", [boat(), house()]),
        ("left house right boat", [house(position="left"), boat(position="right")]),
        ("house left boat right", [house(position="left"), boat(position="right")]),
        ("house boat right", [house(), boat(position="right")]),
        ("red house blue boat", [house(colour="red"), boat(colour="blue")]),
        ("a house by a small boat", [house(count="one"), boat(size="small", count="one")]),
        ("red boat and blue boat", [boat(colour="red"), boat(colour="blue")]),
        ("boats, red and small, and a cat", [boat(colour="red", size="small"), cat(count="one")]),
        ("a house with the northern lights and a cat", [house(count="one"), cat(count="one")]),
        ("a house and a boat, red", [house(count="one"), boat(colour="red", count="one")]),
        ("a cat and something red", [cat(count="one"), {"colour": "red"}]),
    ],
)
def test_two_things(prompt, things):
    assert parse(prompt)["things"] == scene(*things)["things"]


def test_every_known_word_is_understood_alone_and_in_capitals():
    for attribute, values in MEANINGS.items():
        for value, words in values.items():
            for word in words.split():
                forms = (word, *plurals(word)) if attribute == "object" else (word,)
                for form in (*forms, *(form.upper() for form in forms)):
                    said = parse(form)
                    found = said if attribute in ("sky", "ground") else said["things"][0]
                    assert found[attribute] == value, form


def test_the_order_of_the_words_does_not_matter_for_one_thing():
    dice = random.Random(0)
    for _ in range(500):
        chosen = {name: dice.choice(words) for name, words in VALUES.items()}
        words = list(chosen.values())
        dice.shuffle(words)
        joined = dice.choice([" ", ", ", "; "]).join(words)
        said = parse(dice.choice([joined, joined.upper(), joined.title()]))
        assert said["things"] == [{name: chosen[name] for name in TRAITS}], joined
        assert (said["sky"], said["ground"]) == (chosen["sky"], chosen["ground"]), joined


def test_british_and_american_spelling():
    british = parse("a red-coloured cat in the centre")
    assert british == parse("a red-colored cat in the center")
    assert british == scene(cat(colour="red", position="middle", count="one"))


@pytest.mark.parametrize(
    "prompt, message",
    [
        ("a purpel house", "'purpel': did you mean 'purple'?"),
        ("A PURPEL house", "'purpel': did you mean 'purple'?"),
        ("a red hosue", "'hosue': did you mean 'house'?"),
        ("baloon", "'baloon': did you mean 'balloon'?"),
        ("a house wiht snow", "'wiht': did you mean 'with'?"),
        ("a bule rockt", "'bule': did you mean 'blue'? 'rockt': did you mean 'rocket'?"),
    ],
)
def test_a_misspelt_word_is_offered_the_nearest(prompt, message):
    with pytest.raises(UnknownWord) as error:
        parse(prompt)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "typos, word",
    [
        ("hous huose hose housse hause hus huoses", "house"),
        ("baot boaat bota bot", "boat"),
        ("nigth nihgt nightt", "night"),
        ("purpel purpple puple prple", "purple"),
        ("baloon ballon ballons baloons", "balloon"),
        ("rockt roket rokcet", "rocket"),
        ("mushrom mushroon", "mushroom"),
        ("cactas cactuss kacktus", "cactus"),
        ("yelow yello", "yellow"),
        ("tow", "two"),
        ("teh", "the"),
    ],
)
def test_the_first_word_offered_for_a_typo_is_the_singular(typos, word):
    for typo in typos.split():
        with pytest.raises(UnknownWord, match=f"'{typo}': did you mean '{word}'"):
            parse(typo)


@pytest.mark.parametrize("word", ["haus", "castel", "castle", "car", "kat", "train", "lake"])
def test_a_word_that_is_only_a_little_alike_is_not_offered(word):
    with pytest.raises(UnknownWord, match=f"'{word}': not a word of this world"):
        parse(word)


@pytest.mark.parametrize("prompt", ["a zebra", "une maison", "house 🏠", "<b>house</b>", "x" * 900])
def test_a_word_with_nothing_near_gets_the_words_of_the_world(prompt):
    with pytest.raises(UnknownWord) as error:
        parse(prompt)
    for value in ("aurora", "sand", "cactus", "pink", "large", "middle", "three"):
        assert value in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    "prompt, words",
    [
        ("a grey cat", ["'grey'", "colour", "red, orange", "pink"]),
        ("a gray cat", ["'gray'", "colour"]),
        ("four boats", ["'four'", "count", "one, two or three"]),
        ("4 boats", ["'4'", "one, two or three"]),
        ("0 boats", ["'0'", "one, two or three"]),
        ("-1 boats", ["'-1'", "one, two or three"]),
        ("2.5 boats", ["'2.5'", "one, two or three"]),
        ("a house behind", ["'behind'", "position", "left, middle or right"]),
    ],
)
def test_a_word_that_this_world_lacks_is_named_with_the_ones_it_has(prompt, words):
    with pytest.raises(UnknownWord) as error:
        parse(prompt)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize(
    "prompt, words",
    [
        ("a red blue house", ["'red'", "'blue'", "colour", "house", "yellow"]),
        ("a small house, large", ["'small'", "'large'", "size"]),
        ("a house on the left in the centre", ["'left'", "'centre'", "left, middle or right"]),
        ("one house, two", ["'one'", "'two'", "count"]),
        ("a boat at night at dawn", ["'night'", "'dawn'", "sky", "sunset"]),
        ("a boat on sand in the snow", ["'sand'", "'snow'", "ground", "grass"]),
        ("a house, a boat and a cat", ["3 things", "house, boat, cat", "two", "'three boats'"]),
        ("house " * 150, ["150 things"]),
        ("no house", ["'no'", "negation", "negative prompt"]),
        ("a house without snow", ["'without'", "negation"]),
        ("it isn't night", ["'not'", "negation"]),
        ("it isn’t night", ["'not'", "negation"]),
        ("a house to the left of a boat", ["'left of'", "on the left and"]),
        ("a red house, on the left, a blue boat", ["'left'", "house", "boat", "'and'"]),
        ("a house on green grass", ["'green grass'", "colour", "leave out 'green'"]),
        ("a cat under a huge blue sky", ["'huge sky'", "size"]),
        ("x" * 10_000, ["10,000", "1,000"]),
        ("a house, " * 1_200, ["1,000"]),
    ],
)
def test_what_cannot_be_shown_or_is_not_clear_gets_a_sentence(prompt, words):
    with pytest.raises(PromptError) as error:
        parse(prompt)
    assert not isinstance(error.value, UnknownWord)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize("prompt", [None, 3, b"house", ["a house"], True])
def test_only_a_str_is_a_prompt(prompt):
    with pytest.raises(TypeError, match=f"a str, and was given {type(prompt).__name__}"):
        parse(prompt)


def test_any_text_gives_an_answer_or_a_sentence():
    """Random mixtures of words, signs and letters never end in any other error."""
    dice = random.Random(1)
    words = [w for values in MEANINGS.values() for v in values.values() for w in v.split()]
    words += ["a", "an", "and", ",", ", and", "with", ".", "&", "the", "on", "-", "_", "'", "\x00"]
    for _ in range(3000):
        prompt = dice.choice(["", " "]).join(dice.choices(words, k=dice.randrange(12)))
        try:
            said = parse(prompt)
        except PromptError as error:
            assert str(error)
            continue
        assert set(said) == {"sky", "ground", "things"} and len(said["things"]) <= 2
        for thing in said["things"]:
            assert all(value is None or value in VALUES[name] for name, value in thing.items())
