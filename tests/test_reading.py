"""Prompts as people type them: what `parse` understands, and the sentence when it does not."""

import random

import pytest

from diffusion_lessons.postcards.lexicon import MEANING_OF, PHRASES, VALUES
from diffusion_lessons.postcards.reading import PromptError, UnknownWord, parse, parse_words
from diffusion_lessons.postcards.scenes import THING_ATTRIBUTES


def scene(*things, sky=None, ground=None):
    """A description, written short: only what is not left open."""
    return {
        "sky": sky,
        "ground": ground,
        "things": [dict.fromkeys(THING_ATTRIBUTES) | thing for thing in things],
    }


def house(**attributes):
    return {"object": "house", **attributes}


def boat(**attributes):
    return {"object": "boat", **attributes}


def cat(**attributes):
    return {"object": "cat", **attributes}


@pytest.mark.parametrize(
    "prompt, description",
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
def test_one_thing(prompt, description):
    assert parse(prompt) == description


PHRASES_OF_SEVERAL_WORDS = sorted(
    {
        *(p for values in PHRASES.values() for phrases in values.values() for p in phrases),
        "a couple of boats", "a cat next to a tree", "a space ship", "a sail boat", "polar lights",
        "a house on the left side of the picture", "on the left hand side", "a red coloured house",
    }
)  # fmt: skip


@pytest.mark.parametrize(
    "space", ["  ", "\t", "\n", " \r\n ", "\u00a0", "\u2003", "\u200b", "_", "__"]
)
def test_a_phrase_is_recognised_whatever_stands_between_its_words(space):
    phrases = [p for p in PHRASES_OF_SEVERAL_WORDS if " " in p]
    assert len(phrases) > 35
    for phrase in phrases:
        prompt = phrase + " houses" if phrase.endswith(" of") else phrase
        for text in (prompt, f"{prompt} by day" if "house" in prompt else prompt):
            assert parse_words(space.join(text.split(" "))) == parse_words(text), text


def test_a_soft_hyphen_is_no_letter():
    assert parse("a bal\u00adloon") == parse("a balloon")


def test_the_words_of_a_prompt_are_handed_on():
    words = ["a", "two", "red", "houses", "beside", "the", "sea"]
    assert parse_words("A pair of red houses, next to the sea!")[1] == words


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
    for word, (attribute, value) in MEANING_OF.items():
        for form in (word, word.upper()):
            parsed = parse(form)
            found = parsed if attribute in ("sky", "ground") else parsed["things"][0]
            assert found[attribute] == value, form


def test_the_order_of_the_words_does_not_matter_for_one_thing():
    dice = random.Random(0)
    for _ in range(500):
        chosen = {name: dice.choice(words) for name, words in VALUES.items()}
        words = list(chosen.values())
        dice.shuffle(words)
        joined = dice.choice([" ", ", ", "; "]).join(words)
        parsed = parse(dice.choice([joined, joined.upper(), joined.title()]))
        assert parsed["things"] == [{name: chosen[name] for name in THING_ATTRIBUTES}], joined
        assert (parsed["sky"], parsed["ground"]) == (chosen["sky"], chosen["ground"]), joined


def test_british_and_american_spelling():
    british = parse("a red-coloured cat in the centre")
    assert british == parse("a red-colored cat in the center")
    assert british == scene(cat(colour="red", position="middle", count="one"))


# What is offered for words that this world lacks: misspellings, then words that are none.
OFFERED = {
    "hous huose hose housse hause huoses hosue HOSUE": "did you mean 'house'?",
    "baot boaat bota bot baots": "did you mean 'boat'?",
    "nigth nihgt nightt": "did you mean 'night'?",
    "purpel PURPEL purpple puple prple": "did you mean 'purple'?",
    "baloon ballon ballons baloons": "did you mean 'balloon'?",
    "rockt roket rokcet": "did you mean 'rocket'?",
    "mushrom mushroon": "did you mean 'mushroom'?",
    "cactas cactuss kacktus": "did you mean 'cactus'?",
    "yelow yello": "did you mean 'yellow'?",
    "kittys kity kiten": "did you mean 'kitt",
    "sunsett": "did you mean 'sunset'?",
    "tow": "did you mean 'two'?",
    "teh": "did you mean 'the'?",
    "wiht": "did you mean 'with'?",
    "bule": "did you mean 'blue'?",
    "haus castel castle car kat train lake horse mouse coat goat bear bird": "not a word",
    "desk dust pine palm street knight swan duck flower mountain leaf branch garden": "not a word",
    "shop hole glass thin tall sad slow twin gigantic down read pin pick line life": "not a word",
    "light dark bright pale grey gray": "is not a colour of this world: choose red, orange",
    "pair trio couple four 4 0 -1 2.5": "is not a count of this world: choose one, two or three",
    "behind between": "is not a position of this world: choose left, middle or right",
}


@pytest.mark.parametrize("words", OFFERED)
def test_what_is_offered_for_a_word_that_this_world_lacks_is_sensible(words):
    for word in words.split():
        with pytest.raises(UnknownWord) as error:
            parse(f"{word} house" if word.islower() else word)
        assert str(error.value).startswith(f"'{word.lower()}'"), word
        assert OFFERED[words] in str(error.value), (word, str(error.value))
        if "did you mean" not in OFFERED[words]:
            assert "did you mean" not in str(error.value), (word, str(error.value))


@pytest.mark.parametrize(
    "prompt, message",
    [
        ("a bule rockt", "'bule': did you mean 'blue'? 'rockt': did you mean 'rocket'?"),
        (
            "a light blue house",
            "'light' is not a colour of this world: choose red, orange, yellow,",
        ),
        ("two kittys", "'kittys': did you mean 'kitty'?"),
    ],
)
def test_each_unknown_word_gets_its_sentence(prompt, message):
    with pytest.raises(UnknownWord) as error:
        parse(prompt)
    assert str(error.value).startswith(message)


def test_two_kitties_are_two_cats():
    assert parse("two kitties") == parse("two cats")


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
    signs = [",", ", and", ".", "&", "-", "_", "'", "\x00"]
    words = [*MEANING_OF, *signs, "a", "an", "and", "with", "the", "on"]
    for _ in range(3000):
        prompt = dice.choice(["", " "]).join(dice.choices(words, k=dice.randrange(12)))
        try:
            parsed = parse(prompt)
        except PromptError as error:
            assert str(error)
            continue
        assert set(parsed) == {"sky", "ground", "things"} and len(parsed["things"]) <= 2
        for thing in parsed["things"]:
            assert all(value is None or value in VALUES[name] for name, value in thing.items())
