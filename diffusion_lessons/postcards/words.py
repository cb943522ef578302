"""From scenes to words: exact descriptions (`describe`) and natural English (`captions`).

`parse` in `reading` goes the other way, from a prompt to a description.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from diffusion_lessons import arguments

from .lexicon import PHRASES, VALUES, VERBS, plurals
from .scenes import THING_ATTRIBUTES, Description, Scenes, Thing


class Caption(NamedTuple):
    """A caption with what it says: `parse(text)` would give `description` back."""

    text: str
    description: Description


# How often captions leave out each attribute that may be left out. An object is always named,
# and so is a count of two or three.
OMITTED = 0.5
# How often the caption of a single thing is a headline without "a": "red house at night".
HEADLINE = 0.2
# The word orders of captions, of one thing and of two; what is left out takes its comma or colon
# along. The first four of one thing suit headlines too, the others may be sentences.
_ONE = (
    "{what} {ground} {sky}, {where}", "{what} {where}, {ground}, {sky}", "{front}: {what} {where}",
    "{where}, {what} {ground}, {sky}", "{there} {what} {where} {ground}, {sky}",
    "{sky}, {what} {verb} {where} {ground}", "{what} {where} {ground} {sky}",
)  # fmt: skip
_TWO = (
    "{what}, {ground} {sky}", "{sky}, {what}, {ground}", "{front}: {what}",
    "{sky}, {there} {what}, {ground}", "{what}, {ground}, {sky}",
)  # fmt: skip


def describe(scenes: Scenes) -> list[Description]:
    """Describe each scene in full, in the words of `VALUES`.

    Returns:
        One dict per scene: {"sky": "night", "ground": "snow", "things": [thing] or [thing, thing]},
        each thing a dict with "object", "colour", "size", "position" and "count", in the order in
        which captions name them.
    """
    rows = {name: values.tolist() for name, values in scenes.attributes.items()}
    described: list[Description] = []
    for i in range(len(scenes)):
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
        seed: a whole number, 0 or more.
        full: leave nothing out, so that `parse` gives back exactly what `describe` says.

    Returns:
        N captions. Their words (case and punctuation aside) are those of `lexicon.vocabulary`.
    """
    return [caption.text for caption in described_captions(scenes, seed, full)]


def described_captions(scenes: Scenes, seed: int, full: bool = False) -> list[Caption]:
    """Write the captions of `captions`, each with what it says, so that nobody has to parse it."""
    seed = arguments.number("seed", seed, 0, 2**33)
    written = []
    for i, description in enumerate(describe(scenes)):
        dice = Random(f"{seed}/{i}")
        if not full:
            _leave_out(description, dice)
        written.append(Caption(write(description, dice), description))
    return written


def write(description: Description, dice: Random) -> str:
    """Write a caption that says what a description of one thing or two says, and nothing else."""
    about = _about_one if len(description["things"]) == 1 else _about_two
    return about(description, dice)


def _leave_out(description: Description, dice: Random) -> None:
    """Set about half of the description to None."""

    def perhaps(value: str | None) -> str | None:
        return None if dice.random() < OMITTED else value

    things = description["things"]
    for thing in things:
        thing |= {name: perhaps(thing[name]) for name in ("colour", "size", "position")}
    if len(things) == 1 and things[0]["count"] == "one" and dice.random() < HEADLINE:
        things[0]["count"] = None
    description["sky"] = perhaps(description["sky"])
    description["ground"] = perhaps(description["ground"])


def _pick(dice: Random, choices: tuple[str, ...]) -> str:
    """Choose the first half of the time, else one of the others."""
    if len(choices) == 1 or dice.random() < 0.5:
        return choices[0]
    return choices[1 + int(dice.random() * (len(choices) - 1))]


def _phrase(part: Mapping, name: str, dice: Random) -> str:
    """Choose a phrase for an attribute of a scene or a thing, "" where it is left out."""
    return _pick(dice, PHRASES[name][part[name]]) if part[name] else ""


def _noun_phrase(thing: Thing, dice: Random) -> str:
    """Write count, size, colour and object: "two small red houses"."""
    *start, noun = _phrase(thing, "object", dice).split()
    if thing["count"] in ("two", "three"):
        noun = _pick(dice, plurals(noun))
    size, colour = (_phrase(thing, name, dice) for name in ("size", "colour"))
    words = " ".join(filter(None, (size, colour, *start, noun)))
    if thing["count"] != "one":
        return f"{_phrase(thing, 'count', dice)} {words}".strip()
    article = "an" if words[0] in "aeiou" else "a"
    return f"{'one' if dice.random() < 0.08 else article} {words}"


def _filled(order: str, dice: Random, **parts: str) -> str:
    """Put the parts of a caption, some of them empty, into a word order."""
    ground, sky = parts["ground"], parts["sky"]
    parts["front"] = _pick(dice, (f"{ground}, {sky}", f"{sky}, {ground}"))
    parts["there"] = "there are" if parts["what"].startswith(("two ", "three ")) else "there is"
    halves = [
        ", ".join(filter(None, (" ".join(place.split()) for place in half.split(","))))
        for half in order.format(**parts).split(":")
    ]
    text = ": ".join(filter(None, halves))
    return text[0].upper() + text[1:] if "{there}" in order or "{verb}" in order else text


def _about_one(description: Description, dice: Random) -> str:
    (thing,) = description["things"]
    what = _noun_phrase(thing, dice)
    where = _phrase(thing, "position", dice)
    ground, sky = (_phrase(description, name, dice) for name in ("ground", "sky"))
    verb = VERBS.get(str(thing["object"]), "stand") + "s" * (thing["count"] not in ("two", "three"))
    number = int(dice.random() * 7)
    if thing["count"] is None:
        number %= 4
    if number == 5 and not (where or ground):
        number = 6
    return _filled(_ONE[number], dice, what=what, where=where, ground=ground, sky=sky, verb=verb)


def _about_two(description: Description, dice: Random) -> str:
    first, second = description["things"]
    ground, sky = (_phrase(description, name, dice) for name in ("ground", "sky"))
    noun, other_noun = _noun_phrase(first, dice), _noun_phrase(second, dice)
    here, there = (_phrase(thing, "position", dice) for thing in (first, second))
    number = int(dice.random() * 5)
    joiner = "and" if number < 3 else _pick(dice, ("and", "next to", "beside", "with"))
    # "a house and a cat on the left" leaves open who is on the left: then the place comes first.
    if (here and number < 3 and dice.random() < 0.3) or (there and not here):
        both = f"{here} {noun} and {there} {other_noun}"
    else:
        both = f"{noun} {here} {joiner} {other_noun} {there}"
    return _filled(_TWO[number], dice, what=both.strip(), ground=ground, sky=sky)
