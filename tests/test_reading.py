"""Prompts as people type them: what `parse` understands, and the sentence when it does not."""

import random

import pytest

from diffusion_lessons.postcards.lexicon import MEANING_OF, PHRASES, VALUES
from diffusion_lessons.postcards.reading import PromptError, UnknownWord, parse, parse_words
from diffusion_lessons.postcards.scenes import THING_ATTRIBUTES

ATTRIBUTE = {value: name for name, values in VALUES.items() for value in values}


def meaning(text):
    """A description from its values: "night snow: one red house, cat"."""
    scenery, things = ([p.split() for p in part.split(",")] for part in text.split(":"))
    words = lambda part: {ATTRIBUTE[value]: value for value in part}  # noqa: E731
    things = [dict.fromkeys(THING_ATTRIBUTES) | words(thing) for thing in things if thing]
    return {"sky": None, "ground": None, "things": things} | words(scenery[0])


# What is said: the prompts that say it.
ONE_THING = {
    ":": ["", " \n\t ", "the"],
    ": house": ["house", "the house", "houses"],
    ": one house": ["a house", "one house", "1 house"],
    ": one cat": ["draw me a cat, please"],
    ": two cat": ["two cats", "two kitties"],
    ": one orange cat": ["an orange cat"],
    ": one red middle cat": [
        "a red-coloured cat in the centre", "a red-colored cat in the center",
    ],
    ": two boat": ["2 boats", "a pair of sailing boats", "A couple of boats!", "two sail boats"],
    ": one blue boat": ["a navy blue boat"],
    ": three cactus": ["a trio of cacti", "three cactuses"],
    ": one balloon": ["a hot-air balloon", "a bal\u00adloon"],  # a soft hyphen is no letter
    ": one rocket": ["a space-ship"],
    ": red": ["something red", "red"],
    ": two left": ["two things on the left"],
    ": one left house": [
        "a house on the left side of the picture", "a house on the left of the image",
        "a house on the left-hand side",
    ],
    "night:": ["at night", "on a starry night", "the night sky"],
    "day:": ["a sunny day"],
    "aurora:": ["northern lights", "the aurora at night"],
    "grass:": ["in the meadow"],
    "snow: one house": ["there's a house on snow"],
    "sand: one small house": ["a tiny house — on sand"],
    "sea: one cat": ["a cat beside the sea"],
    "snow night: one red house": ["a red house on snow at night"],
    "snow night: three large blue right boat": [
        "on snow, at night: three large blue boats on the right"
    ],
}  # fmt: skip
TWO_THINGS = {
    ": house, boat": ["house and boat"],
    ": boat, house": ["boat, house"],
    ": left house, right boat": ["left house right boat", "house left boat right"],
    ": house, right boat": ["house boat right"],
    ": red house, blue boat": ["red house blue boat"],
    ": one house, one small boat": ["a house by a small boat"],
    ": red boat, blue boat": ["red boat and blue boat"],
    ": red small boat, one cat": ["boats, red and small, and a cat"],
    "aurora: one house, one cat": ["a house with the northern lights and a cat"],
    ": one house, one red boat": ["a house and a boat, red"],
    ": one cat, red": ["a cat and something red"],
    ": one left red house, one small right cat": [
        "a red house on the left and a small cat on the right",
        "on the left a red house and on the right a small cat",
        "On the left, a red house; on the right, a small cat.",
        "on the left, a red house, on the right, a small cat",
        "a red house on the left, and, on the right, a small cat",
        *(f"a red house on the left{joiner} a small cat on the right"
          for joiner in (" next to", " beside", " with", " plus", " &", "")),
        "a house, red, on the left, and a cat, small, on the right",
        "a house on the left, red, and a cat on the right, small",
    ],
}  # fmt: skip


@pytest.mark.parametrize("said", [*ONE_THING, *TWO_THINGS])
def test_what_is_said_is_understood(said):
    """A word belongs to the thing in whose part it stands; scenery may stand around it all."""
    for prompt in (ONE_THING | TWO_THINGS)[said]:
        assert parse(prompt) == meaning(said), prompt
        if said.startswith(": one left red"):
            scenery = f"At night, {prompt.rstrip('.')}, in the snow."
            assert parse(scenery) == meaning("night snow" + said), scenery


PHRASES_OF_SEVERAL_WORDS = [
    *(p for values in PHRASES.values() for phrases in values.values() for p in phrases if " " in p),
    "a couple of boats", "a cat next to a tree", "a space ship", "a sail boat", "polar lights",
    "a house on the left side of the picture", "on the left hand side", "a red coloured house",
]  # fmt: skip


@pytest.mark.parametrize("space", "  |\t|\n| \r\n |\u00a0|\u2003|\u200b|_|__".split("|"))
def test_a_phrase_is_recognised_whatever_stands_between_its_words(space):
    assert len(PHRASES_OF_SEVERAL_WORDS) > 35
    for phrase in PHRASES_OF_SEVERAL_WORDS:
        prompt = phrase + " houses" if phrase.endswith(" of") else phrase
        for text in (prompt, f"{prompt} by day" if "house" in prompt else prompt):
            assert parse_words(space.join(text.split(" "))) == parse_words(text), text


def test_the_words_of_a_prompt_are_handed_on():
    words = ["a", "two", "red", "houses", "beside", "the", "sea"]
    assert parse_words("A pair of red houses, next to the sea!")[1] == words


def test_every_known_word_is_understood_alone_and_in_capitals():
    for word, (attribute, value) in MEANING_OF.items():
        for form in (word, word.upper()):
            parsed = parse(form)
            found = parsed if attribute in ("sky", "ground") else parsed["things"][0]
            assert found[attribute] == value, form


def test_the_order_of_the_words_does_not_matter_for_one_thing():
    dice = random.Random(0)
    for _ in range(500):
        sky, ground, *thing = (dice.choice(words) for words in VALUES.values())
        words = dice.sample([sky, ground, *thing], 2 + len(thing))
        joined = dice.choice([" ", ", ", "; "]).join(words)
        parsed = parse(dice.choice([joined, joined.upper(), joined.title()]))
        assert parsed == meaning(f"{sky} {ground}: {' '.join(thing)}"), joined


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
        offers = "did you mean" in OFFERED[words]
        assert ("did you mean" in str(error.value)) == offers, (word, str(error.value))


REFUSED = {
    UnknownWord: {
        "a bule rockt": ["'bule': did you mean 'blue'? 'rockt': did you mean 'rocket'?"],
        "a light blue house": ["'light' is not a colour of this world: choose red, orange, yellow"],
        "two kittys": ["'kittys': did you mean 'kitty'?"],
        **dict.fromkeys(
            ["a zebra", "une maison", "house 🏠", "<b>house</b>", "x" * 900],
            ("not a word", *"aurora sand cactus pink large middle three".split()),
        ),
    },
    PromptError: {
        "a red blue house": ["'red'", "'blue'", "colour", "house", "yellow"],
        "a small house, large": ["'small'", "'large'", "size"],
        "a house on the left in the centre": ["'left'", "'centre'", "left, middle or right"],
        "one house, two": ["'one'", "'two'", "count"],
        "a boat at night at dawn": ["'night'", "'dawn'", "sky", "sunset"],
        "a boat on sand in the snow": ["'sand'", "'snow'", "ground", "grass"],
        "a house, a boat and a cat": ["3 things", "house, boat, cat", "two", "'three boats'"],
        "house " * 150: ["150 things"],
        "no house": ["'no'", "negation", "negative prompt"],
        "a house without snow": ["'without'", "negation"],
        **dict.fromkeys(["it isn't night", "it isn’t night"], ("'not'", "negation")),
        "a house to the left of a boat": ["'left of'", "on the left and"],
        "a red house, on the left, a blue boat": ["'left'", "house", "boat", "'and'"],
        "a house on green grass": ["'green grass'", "colour", "leave out 'green'"],
        "a cat under a huge blue sky": ["'huge sky'", "size"],
        "x" * 10_000: ["10,000", "1,000"],
        "a house, " * 1_200: ["1,000"],
    },
    TypeError: {
        prompt: [f"a str, and was given {type(prompt).__name__}"]
        for prompt in (None, 3, b"house", ("a house",), True)
    },
}


@pytest.mark.parametrize(
    ("kind", "prompt"), [(kind, prompt) for kind in REFUSED for prompt in REFUSED[kind]]
)
def test_what_cannot_be_read_or_is_not_clear_gets_a_sentence(kind, prompt):
    with pytest.raises(kind) as error:
        parse(prompt)
    assert type(error.value) is kind and len(str(error.value)) < 600
    assert all(word in str(error.value) for word in REFUSED[kind][prompt]), error.value


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
