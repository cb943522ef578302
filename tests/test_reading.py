"""Prompts as people type them: what `parse` understands, and the sentence when it does not."""

import random

import pytest

from diffusion_lessons.postcards.lexicon import MEANING_OF, PHRASES, VALUES
from diffusion_lessons.postcards.reading import PromptError, UnknownWord, parse, parse_words
from diffusion_lessons.postcards.scenes import THING_ATTRIBUTES
from tests.claims import tables

ATTRIBUTE = {value: name for name, values in VALUES.items() for value in values}


def meaning(text):
    """A description from its values: "night snow: one red house, cat"."""
    scenery, things = ([p.split() for p in part.split(",")] for part in text.split(":"))
    words = lambda part: {ATTRIBUTE[value]: value for value in part}  # noqa: E731
    things = [dict.fromkeys(THING_ATTRIBUTES) | words(thing) for thing in things if thing]
    return {"sky": None, "ground": None, "things": things} | words(scenery[0])


TABLES = tables(__file__)
SAID = TABLES["said"]
"""What is said: the prompts that say it."""


@pytest.mark.parametrize("said", SAID)
def test_what_is_said_is_understood(said):
    """A word belongs to the thing in whose part it stands; scenery may stand around it all."""
    for prompt in SAID[said]:
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


OFFERED = TABLES["offered"]
"""What is offered for words that this world lacks: misspellings, then words that are none."""


@pytest.mark.parametrize("words", OFFERED)
def test_what_is_offered_for_a_word_that_this_world_lacks_is_sensible(words):
    for word in words.split():
        with pytest.raises(UnknownWord) as error:
            parse(f"{word} house" if word.islower() else word)
        assert str(error.value).startswith(f"'{word.lower()}'"), word
        assert OFFERED[words] in str(error.value), (word, str(error.value))
        offers = "did you mean" in OFFERED[words]
        assert ("did you mean" in str(error.value)) == offers, (word, str(error.value))


LONG = {
    UnknownWord: {"x" * 900: TABLES["refused"]["UnknownWord"]["a zebra"]},
    PromptError: {
        "house " * 150: ["150 things"],
        "x" * 10_000: ["10,000", "1,000"],
        "a house, " * 1_200: ["1,000"],
    },
}
REFUSED = {kind: TABLES["refused"][kind.__name__] | LONG[kind] for kind in LONG} | {
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
