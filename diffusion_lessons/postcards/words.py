"""From scenes to words: exact descriptions (`describe`) and natural English (`captions`).

`parse` in `reading` goes the other way, from a prompt to a description.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from .lexicon import PHRASES, STANDS, VERBS, plurals
from .scenes import THING_ATTRIBUTES, VALUES, Description, Scenes, Thing


class Caption(NamedTuple):
    """A caption with what it says: `parse(text)` would give `description` back."""

    text: str
    description: Description


# How often captions leave out each attribute that may be left out. An object is always named,
# and so is a count of two or three.
OMITTED = 0.5
# How often the caption of a single thing is a headline without "a": "red house at night".
HEADLINE = 0.2


def describe(scenes: Scenes) -> list[Description]:
    """Describe each scene in full, in the words of `VALUES`.

    Returns:
        One dict per scene: {"sky": "night", "ground": "snow", "things": [thing] or [thing, thing]},
        each thing a dict with "object", "colour", "size", "position" and "count", in the order in
        which captions name them.
    """
    rows = {name: values.tolist() for name, values in scenes.attributes.items()}
    described: list[Description] = []
    for i in range(len(rows["sky"])):
        things: list[Thing] = [
            {name: VALUES[name][rows[name][i][slot]] for name in THING_ATTRIBUTES}
            for slot in (0, 1)
            if rows["object"][i][slot] >= 0
        ]
        sky, ground = VALUES["sky"][rows["sky"][i]], VALUES["ground"][rows["ground"][i]]
        described.append({"sky": sky, "ground": ground, "things": things})
    return described


def captions(scenes: Scenes, seed: int, full: bool = False) -> list[str]:
    """Write a caption in natural English for each scene: "a red house on snow at night".

    Word order and synonyms vary. About half of what may be left out is left out: sky, ground,
    colour, size and position, and now and then the article of a single thing. Never left out are
    the object and a count of two or three. Caption i depends only on scene i, i and the seed.

    Args:
        scenes: N scenes.
        seed: any int.
        full: leave nothing out, so that `parse` gives back exactly what `describe` says.

    Returns:
        N captions. Their words (case and punctuation aside) are those of `lexicon.vocabulary`.
    """
    return [caption.text for caption in described_captions(scenes, seed, full)]


def described_captions(scenes: Scenes, seed: int, full: bool = False) -> list[Caption]:
    """Write the captions of `captions`, each with what it says, so that nobody has to parse it."""
    written = []
    for i, description in enumerate(describe(scenes)):
        dice = Random(f"{seed}/{i}")
        if not full:
            description = _leave_out(description, dice)
        write = _about_one if len(description["things"]) == 1 else _about_two
        written.append(Caption(write(description, dice), description))
    return written


def _pick(dice: Random, choices: tuple[str, ...]) -> str:
    """Choose the first half of the time, else one of the others."""
    if len(choices) == 1 or dice.random() < 0.5:
        return choices[0]
    return choices[1 + int(dice.random() * (len(choices) - 1))]


def _leave_out(description: Description, dice: Random) -> Description:
    """Return the description with about half of it set to None."""

    def perhaps(value: str | None) -> str | None:
        return None if dice.random() < OMITTED else value

    things = [
        thing | {name: perhaps(thing[name]) for name in ("colour", "size", "position")}
        for thing in description["things"]
    ]
    if len(things) == 1 and things[0]["count"] == "one" and dice.random() < HEADLINE:
        things[0]["count"] = None
    sky, ground = perhaps(description["sky"]), perhaps(description["ground"])
    return {"sky": sky, "ground": ground, "things": things}


def _phrase(attribute: str, value: str | None, dice: Random) -> str:
    """Choose a phrase for a value, "" for None."""
    return _pick(dice, PHRASES[attribute][value]) if value else ""


def _noun_phrase(thing: Thing, dice: Random) -> str:
    """Write count, size, colour and object: "two small red houses"."""
    words = _phrase("object", thing["object"], dice)
    if thing["count"] in ("two", "three"):
        start, noun = words.rsplit(" ", 1) if " " in words else ("", words)
        words = f"{start} {_pick(dice, plurals(noun))}"
    size, colour = _phrase("size", thing["size"], dice), _phrase("colour", thing["colour"], dice)
    words = " ".join(f"{size} {colour} {words}".split())
    count = "one" if thing["count"] == "one" and dice.random() < 0.08 else ""
    if thing["count"] == "one" and not count:
        count = "an" if words[0] in "aeiou" else "a"
    elif not count:
        count = _phrase("count", thing["count"], dice)
    return f"{count} {words}".strip()


def _list(*parts: str) -> str:
    """Join the parts that are not empty with commas."""
    return ", ".join(part for part in parts if part)


def _row(*parts: str) -> str:
    """Join the parts that are not empty with spaces."""
    return " ".join(part for part in parts if part)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _is(what: str) -> str:
    """Return the verb after "there": "are" before "two" and "three", else "is"."""
    return "are" if what.startswith(("two ", "three ")) else "is"


def _about_one(description: Description, dice: Random) -> str:
    """Write a caption for one thing, in one of seven word orders."""
    (thing,) = description["things"]
    what = _noun_phrase(thing, dice)
    where = _phrase("position", thing["position"], dice)
    ground = _phrase("ground", description["ground"], dice)
    sky = _phrase("sky", description["sky"], dice)
    order = int(dice.random() * 7)
    if thing["count"] is None and order > 3:  # a headline is no sentence
        order -= 4
    if order == 0:
        return _row(what, ground, sky) if not where else _list(_row(what, ground, sky), where)
    if order == 1:
        return _list(_row(what, where), ground, sky)
    if order == 2:
        start = _list(ground, sky) if dice.random() < 0.5 else _list(sky, ground)
        return _row(f"{start}:" if start else "", what, where)
    if order == 3:
        return _list(where, _row(what, ground), sky)
    if order == 4:
        return _capital(_list(_row("there", _is(what), what, where, ground), sky))
    if order == 5 and (where or ground):
        verb = VERBS.get(str(thing["object"]), STANDS)[thing["count"] in ("two", "three")]
        return _capital(_list(sky, _row(what, verb, where, ground)))
    return _row(what, where, ground, sky)


def _about_two(description: Description, dice: Random) -> str:
    """Write a caption for two things, each with its own place, in one of five word orders."""
    first, second = description["things"]
    ground = _phrase("ground", description["ground"], dice)
    sky = _phrase("sky", description["sky"], dice)
    noun, other_noun = _noun_phrase(first, dice), _noun_phrase(second, dice)
    here = _phrase("position", first["position"], dice)
    there = _phrase("position", second["position"], dice)
    order = int(dice.random() * 5)
    joiner = "and" if order < 3 else _pick(dice, ("and", "next to", "beside", "with"))
    # "a house and a cat on the left" leaves open who is on the left: then the place comes first.
    place_first = here and order in (0, 1, 2) and dice.random() < 0.3
    if place_first or (there and not here):
        both = _row(here, noun, "and", there, other_noun)
    else:
        both = _row(noun, here, joiner, other_noun, there)
    if order == 0:
        return _list(both, _row(ground, sky))
    if order == 1:
        return _list(sky, both, ground)
    if order == 2:
        start = _list(ground, sky) if dice.random() < 0.5 else _list(sky, ground)
        return f"{start}: {both}" if start else both
    if order == 3:
        return _capital(_list(sky, _row("there", _is(both), both), ground))
    return _list(both, ground, sky)
