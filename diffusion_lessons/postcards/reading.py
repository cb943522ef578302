"""Parsing a prompt: `parse` returns the values of the world that a prompt names.

It knows the words of `lexicon.WORLD`, and enough grammar to see which of two things a word belongs
to. It never guesses: a word that it cannot understand or place is an error that says what to write
instead.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from itertools import takewhile
from typing import NamedTuple

from .lexicon import (
    ABSENT,
    EVERYDAY,
    JOINERS,
    MEANING_OF,
    NEGATIONS,
    SMALL_WORDS,
    UNNAMED,
    VALUES,
    allowed,
    plurals,
)
from .scenes import SCENE_ATTRIBUTES, THING_ATTRIBUTES, Description, Thing

MAX_LENGTH = 1000


class PromptError(ValueError):
    """A prompt asks for something that this world cannot show, or contradicts itself."""


class UnknownWord(PromptError):
    """A prompt has a word that this world lacks; the message offers the nearest known ones."""


class Token(NamedTuple):
    """A meaningful word of a prompt.

    kind: the attribute it names, or "join" or "article". value: None if it leaves that open. text:
    the word as the prompt has it. led: whether a small word or an article stands directly before.
    """

    kind: str
    value: str | None
    text: str
    led: bool = False


def parse(prompt: str) -> Description:
    """Return what a prompt says, in the words of `VALUES`; None for what it leaves open.

    Case, order, punctuation, plurals, small words ("the", "there is") and British or American
    spelling do not matter. "a house" and "one house" say the count one; "house" and "the house"
    leave it open, and so does "houses", which may be two or three. With two things ("a red house
    on the left and a small cat") a word belongs to the thing in whose part of the sentence it
    stands. "night" beside "aurora" is no contradiction: it means the aurora.

    Returns:
        {"sky": word or None, "ground": word or None, "things": list of 0 to 2 dicts, each with
        "object", "colour", "size", "position", "count": word or None}, in order of appearance.

    Raises:
        TypeError: the prompt is no str.
        UnknownWord: a word (or number) that this world does not have.
        PromptError: a negation, a contradiction, more than two things, a word that could belong to
            either of two things, more than 1,000 characters.
    """
    return parse_words(prompt)[0]


def parse_words(prompt: str) -> tuple[Description, list[str]]:
    """Return what `parse` returns, and the words of the prompt as `plain_words` gives them."""
    if not isinstance(prompt, str):
        raise TypeError(
            f"parse reads one prompt, a str, and was given {type(prompt).__name__}; "
            "for several prompts write [parse(p) for p in prompts]"
        )
    if len(prompt) > MAX_LENGTH:
        raise PromptError(
            f"the prompt has {len(prompt):,} characters and at most {MAX_LENGTH:,} are read; "
            "one sentence is enough: 'a small red house on the left, on snow at night'"
        )
    text = _normalised(prompt)
    if relation := _RELATION.search(text):
        raise PromptError(
            f"'{relation[0]}' compares two places; say where each thing is in the picture: "
            "'a house on the left and a boat on the right'"
        )
    words = _WORD.findall(text)
    tokens = _count_articles(_tokens(words))
    _refuse_coloured_scenery(tokens)
    sky, ground = (_scenery(name, tokens) for name in SCENE_ATTRIBUTES)
    things = _things([token for token in tokens if token.kind not in SCENE_ATTRIBUTES])
    plain = [word for word in words if word[0].isalnum()]
    return {"sky": sky, "ground": ground, "things": things}, plain


# ---- from characters to tokens -------------------------------------------------------------

_REWRITES = [
    (re.compile(pattern), new)
    for pattern, new in [
        (r"[’‘`]", "'"),
        (r"n't\b", " not"),
        (r"'s\b", " "),
        (r"\s-+\s|[–—]", " , "),
        (r"[!?]", "."),
        (r"\bnext\W+to\b", "beside"),
        (r"\b(?:pair|couple) of\b", "two"),
        (r"\btrio of\b", "three"),
        (r"\b(space|rocket)\W?ship", r"\1ship"),
        (r"\bsail\W?boat", "sailboat"),
        (r"\b(left|right|middle|cent(?:re|er))(?:\W?hand)?(?: side)? of (?:the|this|my) "
         r"(?:picture|image|photo|postcard|scene|drawing|painting)\b", r"\1"),
    ]
]  # fmt: skip
_WORD = re.compile(r"(?<!\w)-\d+(?:\.\d+)?|\d+(?:\.\d+)?|[^\W\d_]+|\S")
_RELATION = re.compile(r"\b(?:left|right) (?:side )?of\b")
# word -> the kind and the value of its token
_READ: dict[str, tuple[str, str | None]] = {
    **{word: (kind, None) for kind, words in UNNAMED.items() for word in words.split()},
    **dict.fromkeys(JOINERS, ("join", None)),
    "a": ("article", None),
    "an": ("article", None),
    **MEANING_OF,
}
_SMALL = [word for word in (*sorted(SMALL_WORDS), *JOINERS) if word.isalpha()]
#: plural -> singular, of all that a prompt may name
SINGULAR = {
    plural: word
    for word, (attribute, _) in MEANING_OF.items()
    if attribute == "object"
    for plural in plurals(word)
}


def plain_words(text: str) -> list[str]:
    """Return the words of a caption or prompt in lower case, without signs.

    Phrases are written in one way: "a pair of" as "a two", "next to" as "beside".
    """
    return [word for word in _WORD.findall(_normalised(text)) if word[0].isalnum()]


def _normalised(text: str) -> str:
    """Return the text in lower case, with single spaces and each phrase written in one way.

    Spaces come first: phrases are looked up as they stand in `_REWRITES`, and people type two
    spaces, or paste tabs, line breaks and no-break spaces.
    """
    text = unicodedata.normalize("NFKC", text).casefold().replace("\u00ad", "")  # soft hyphens
    text = "".join(sign if sign.isprintable() and sign != "_" else " " for sign in text)
    text = " ".join(text.split())
    for pattern, new in _REWRITES:
        text = pattern.sub(new, text)
    return text


def _tokens(words: list[str]) -> list[Token]:
    """Return the meaningful words, in order; raise UnknownWord if some have no meaning here."""
    tokens, unknown, led = [], [], False
    for word in words:
        if word in _READ:
            tokens.append(Token(*_READ[word], word, led))
        elif word in SMALL_WORDS:
            led = True
            continue
        elif len(word) == 1 and unicodedata.category(word)[0] == "P":
            continue  # a quotation mark, a bracket or another sign that parts no things
        else:
            _refuse_known(word)
            unknown.append(word)
        led = word in ("a", "an")
    if unknown:
        raise UnknownWord(_about_unknown(list(dict.fromkeys(unknown))))
    return tokens


def _refuse_known(word: str) -> None:
    """Raise for a word that this world knows to lack."""
    if word in NEGATIONS:
        raise PromptError(
            f"'{word}': the parser does not know negation. Say what the picture shows, and leave "
            "out what it does not show (a negative prompt is a separate text)"
        )
    for attribute, words in ABSENT.items():
        if word in words.split() or (attribute == "count" and word.lstrip("-")[0].isdigit()):
            raise UnknownWord(
                f"'{word}' is not a {attribute} of this world: choose {allowed(attribute)}"
            )


def _about_unknown(words: list[str]) -> str:
    """Return a sentence about each of the first three unknown words."""
    sentences, far = [], []
    for word in words[:3]:
        quoted = repr(word if len(word) <= 30 else word[:30] + "…")
        if near := _near(word):
            sentences.append(f"{quoted}: did you mean {' or '.join(map(repr, near))}?")
        else:
            far.append(quoted)
    if far:
        kinds = "; ".join(f"{name} ({allowed(name)})" for name in VALUES)
        sentences.append(f"{', '.join(far)}: not a word of this world. It knows {kinds}.")
    return " ".join(sentences)


def _near(word: str) -> list[str]:
    """Return the known words, at most two, that an unknown word may be a misspelling of.

    The same letters in another order are nearest of all. Of words with one meaning only the nearest
    is offered, and things in the singular. Nothing is offered for a word of everyday English, which
    is no misspelling, nor a word that begins otherwise: people seldom mistype the first letter.
    """
    if word in EVERYDAY or word.removesuffix("s") in EVERYDAY:
        return []
    alike = [  # with the same first letter, or the same first sound, or the first two swapped
        k for k in (*MEANING_OF, *_SMALL)
        if k[0] == word[0] or k[1::-1] == word[:2] or {k[0], word[0]} == {"c", "k"}
    ]  # fmt: skip
    singular = {known: SINGULAR.get(known, known) for known in alike}
    if shuffled := [singular[known] for known in alike if sorted(known) == sorted(word)]:
        return shuffled[:2]
    # Of three letters or fewer too many words are alike, and one typing error is one letter.
    alike = [k for k in alike if len(singular[k]) > 3 and abs(len(k) - len(word)) <= 1]
    words, small = ([k for k in alike if (k in MEANING_OF) == known] for known in (True, False))
    close = get_close_matches(word, words, 4, 0.75) or get_close_matches(word, small, 1, 0.85)
    near: dict[object, str] = {}  # the first guess of each meaning
    for guess in close:  # the nearest first
        near.setdefault(MEANING_OF.get(guess, guess), singular[guess])
    return list(near.values())[:2]


# ---- from tokens to a description -----------------------------------------------------------


def _described(tokens: Iterable[Token]) -> Token:
    """Return the first token that is no colour and no size, an empty one if there is none."""
    empty = Token("", None, "")
    return next((token for token in tokens if token.kind not in ("colour", "size")), empty)


def _count_articles(tokens: list[Token]) -> list[Token]:
    """Turn "a" into the count one where a thing follows, and drop it elsewhere ("a sunny day")."""
    kept = []
    for i, token in enumerate(tokens):
        if token.kind != "article":
            kept.append(token)
        elif _described(t for t in tokens[i + 1 :] if t.text != ",").kind == "object":
            kept.append(Token("count", "one", token.text))
    return kept


def _refuse_coloured_scenery(tokens: list[Token]) -> None:
    """Raise on "on green grass" and "under a huge sky": only things have colours and sizes."""
    for i, token in enumerate(tokens):
        after = _described(tokens[i:])
        if token.led and after is not token and after.kind in SCENE_ATTRIBUTES:
            raise PromptError(
                f"'{token.text} {after.text}': the {token.kind} of a sky or a ground cannot be "
                f"chosen, only that of a thing; leave out '{token.text}'"
            )


def _scenery(name: str, tokens: list[Token]) -> str | None:
    """Return the sky or the ground that the tokens name, None if they name none."""
    texts = {token.value: token.text for token in tokens if token.kind == name and token.value}
    if "aurora" in texts:
        texts.pop("night", None)
    if len(texts) > 1:
        first, second, *_ = texts.values()
        raise PromptError(
            f"'{first}' and '{second}' are both said for the {name}, and a postcard has one: "
            f"choose {allowed(name)}"
        )
    return next(iter(texts), None)


def _things(tokens: list[Token]) -> list[Thing]:
    """Return the 0 to 2 things that the tokens (joiners among them, no scenery) describe."""
    nouns = [i for i, token in enumerate(tokens) if token.kind == "object"]
    if len(nouns) > 2:
        names = ", ".join(tokens[i].text for i in nouns[:5])
        raise PromptError(
            f"{len(nouns)} things are named ({names}), and a postcard holds at most two; "
            "for several of one kind give a count: 'three boats'"
        )
    if len(nouns) == 2:
        return _two_things(tokens, *nouns)
    return [_thing(tokens)] if any(token.kind != "join" for token in tokens) else []


def _thing(tokens: list[Token]) -> Thing:
    """Return the thing that all of the tokens describe."""
    name = next((token.text for token in tokens if token.kind == "object"), "thing")
    said: dict[str, Token] = {}
    for token in tokens:
        before = said.get(token.kind, token)
        if token.value not in (None, before.value):
            raise PromptError(
                f"'{before.text}' and '{token.text}' are both said for the {token.kind} of "
                f"the {name}, and it has one: choose {allowed(token.kind)}; two things are named "
                "one by one: 'a red house and a blue boat'"
            )
        if token.value is not None:
            said[token.kind] = token
    return {name: said[name].value if name in said else None for name in THING_ATTRIBUTES}


def _two_things(tokens: list[Token], first: int, second: int) -> list[Thing]:
    """Share the tokens between two things: all before a border to the first, the rest to the other.

    The border is the strongest joiner between the two nouns. Of equally strong ones (commas) it is
    the one that leads to no contradiction; if several do and disagree, the prompt is ambiguous.
    Without a joiner, a position right after the first noun is the first thing's, the rest is not.
    """
    borders = {}
    for i in range(first + 1, second):
        if tokens[i].kind == "join" and tokens[i - 1].kind != "join":
            texts = {t.text for t in takewhile(lambda token: token.kind == "join", tokens[i:])}
            both = JOINERS[", and"] if {",", "and"} <= texts else 0
            borders[i] = max(both, *(JOINERS[text] for text in texts))
    for strength in sorted(set(borders.values()), reverse=True):
        tied, readings = [i for i in borders if borders[i] == strength], []
        for border in tied:
            with suppress(PromptError):
                reading = [_thing(tokens[:border]), _thing(tokens[border:])]
                readings += [reading] * (reading not in readings)
        if len(readings) == 1:
            return readings[0]
        if readings:
            words = ", ".join(t.text for t in tokens[tied[0] : tied[-1]] if t.kind != "join")
            raise PromptError(
                f"it is not clear whether '{words}' belongs to the {tokens[first].text} or to the "
                f"{tokens[second].text}; put each word next to its thing and 'and' between the two "
                "things"
            )
    border = max(borders, key=lambda place: borders[place]) if borders else first + 1
    if not borders and tokens[border].kind == "position":
        border += not any(token.kind == "position" for token in tokens[:border])
    return [_thing(tokens[:border]), _thing(tokens[border:])]
