"""Prompts as people type them: `readable` leaves out a word that is not finished, `expand` says
what a short prompt leaves open, as long captions do."""

from __future__ import annotations

from random import Random

from diffusion_lessons import arguments

from .lexicon import MEANING_OF, VALUES
from .reading import SINGULAR, PromptError, parse, parse_words
from .scenes import compose
from .words import captions


def readable(typed: str) -> str:
    """Return the longest beginning of a text, in whole words, that `parse` takes; "" at worst.
    Errors other than of what the words say: as `parse`."""
    while typed:
        try:
            parse(typed)
        except PromptError:
            typed = typed.rpartition(" ")[0]
        else:
            break
    return typed


def expand(prompt: str, seed: int) -> str:
    """Return a prompt that says everything: "a house" becomes "a small red house on the left, ...".

    What the prompt says stays, in words of captions; what it leaves open is drawn. A prompt that
    leaves nothing open is returned as it is. "houses" become two or three. Systems that are used
    leave this to a language model (Betker et al. 2023); here the parser is enough.

    seed: 0 to 2**32 - 1; the same prompt and seed, the same words.

    Raises:
        ValueError: a seed out of range.
        PromptError, TypeError: as `parse`, and where no scene holds what is asked for.
    """
    seed = arguments.number("seed", seed, 0, 2**32 - 1)
    description, words = parse_words(prompt)
    scenery = (description["sky"], description["ground"])
    if description["things"] and all(
        (*scenery, *(value for thing in description["things"] for value in thing.values()))
    ):
        return prompt
    dice, many = Random(seed), {MEANING_OF[word] for word in words if word in SINGULAR}
    for thing in description["things"]:
        if thing["count"] is None and ("object", thing["object"]) in many:
            thing["count"] = dice.choice(VALUES["count"][1:])
    try:
        scene = compose(description, seed)
    except ValueError as error:
        raise PromptError(f"{prompt!r} cannot be expanded: {error}") from None
    return captions(scene, seed, full=True)[0]
