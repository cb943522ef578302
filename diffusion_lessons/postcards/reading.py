"""Prompts read back: `parse` says which values of the world a prompt names.

It knows the words of `lexicon.MEANINGS`, and enough grammar to see which of two things a word
belongs to. It never guesses: what it cannot read or place is an error that says what to write.
"""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
from typing import NamedTuple

from .lexicon import (
    ABSENT,
    JOINERS,
    MEANING_OF,
    MEANINGS,
    NEGATIONS,
    SMALL_WORDS,
    UNNAMED,
    UNNAMED_SCENERY,
    allowed,
)
from .scenes import VALUES

MAX_LENGTH = 1000
SCENERY = ("sky", "ground")
TRAITS = tuple(name for name in VALUES if name not in SCENERY)  # what a thing has


class PromptError(ValueError):
    """A prompt that says something this world cannot show, or says two things at once."""


class UnknownWord(PromptError):
    """A word that this world does not have; the message offers the nearest known ones."""


class Token(NamedTuple):
    """One meaningful word. `kind` is an attribute, "join" or "article"; `led` tells whether an
    article or another small word stands directly before it."""

    kind: str
    value: str | None
    text: str
    led: bool = False


def parse(prompt: str) -> dict:
    """What a prompt says, in the words of `VALUES`; None for what it does not say.

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
    tokens = _count_articles(_tokens(prompt))
    _refuse_coloured_scenery(tokens)
    scenery = [token for token in tokens if token.kind in SCENERY and token.value]
    rest = [token for token in tokens if token.kind not in SCENERY]
    return {name: _scenery(name, scenery) for name in SCENERY} | {"things": _things(rest)}


# ---- from characters to tokens -------------------------------------------------------------

_REWRITES = [
    (re.compile(pattern), new)
    for pattern, new in [
        (r"[’‘`]", "'"),
        (r"n't\b", " not"),
        (r"'s\b", " "),
        (r"\s-+\s|[–—]", " , "),
        (r"[!?]", "."),
        (r"_", " "),
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
_SINGULAR = [w for values in MEANINGS.values() for words in values.values() for w in words.split()]
_RELATION = re.compile(r"\b(?:left|right) (?:side )?of\b")


def plain_words(prompt: str) -> list[str]:
    """The words of a prompt in lower case, without signs; "a pair of" is "two", "next to"
    "beside"."""
    return [word for word in _WORD.findall(_rewritten(prompt)) if word[0].isalnum()]


def _rewritten(prompt: str) -> str:
    """The prompt in lower case, each of its turns of phrase written in one way."""
    text = unicodedata.normalize("NFKC", prompt).casefold()
    for pattern, new in _REWRITES:
        text = pattern.sub(new, text)
    return text


def _tokens(prompt: str) -> list[Token]:
    """The meaningful words of a prompt, in order; raises on the ones that have no meaning here."""
    text = _rewritten(prompt)
    if relation := _RELATION.search(text):
        raise PromptError(
            f"'{relation[0]}' compares two places; say where each thing is in the picture: "
            "'a house on the left and a boat on the right'"
        )
    tokens, unknown, led = [], [], False
    for word in _WORD.findall(text):
        if word in SMALL_WORDS or _is_decoration(word):
            led = led or word in SMALL_WORDS
            continue
        token = _token(word, led)
        if token is None:
            unknown.append(word)
        else:
            tokens.append(token)
        led = token is not None and token.kind == "article"
    if unknown:
        raise UnknownWord(_about_unknown(list(dict.fromkeys(unknown))))
    return tokens


def _is_decoration(character: str) -> bool:
    """Quotation marks, brackets, invisible characters: whatever parts no things."""
    single = len(character) == 1 and character not in JOINERS
    return single and unicodedata.category(character)[0] in "PC"


def _token(word: str, led: bool) -> Token | None:
    """The token of one word, None for an unknown word."""
    if word in MEANING_OF:
        return Token(*MEANING_OF[word], word, led)
    if word in JOINERS:
        return Token("join", None, word)
    if word in ("a", "an"):
        return Token("article", None, word)
    if word in UNNAMED:
        return Token("object", None, word)
    if word in UNNAMED_SCENERY:
        return Token("sky", None, word)
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
    return None


def _about_unknown(words: list[str]) -> str:
    """A sentence for each of the first three unknown words."""
    sentences, far = [], []
    for word in words[:3]:
        if near := _near(word):
            guesses = " or ".join(f"'{guess}'" for guess in near)
            sentences.append(f"{_quoted(word)}: did you mean {guesses}?")
        else:
            far.append(_quoted(word))
    if far:
        kinds = "; ".join(f"{name} ({allowed(name)})" for name in VALUES)
        sentences.append(f"{', '.join(far)}: not a word of this world. It knows {kinds}.")
    return " ".join(sentences)


def _near(word: str) -> list[str]:
    """The known words, at most two, that an unknown word may be a misspelling of.

    The same letters in another order are nearest of all. Of words with one meaning only the nearest
    is offered, and things in the singular.
    """
    small = [known for known in (*sorted(SMALL_WORDS), *JOINERS) if known.isalpha()]
    if shuffled := [known for known in (*_SINGULAR, *small) if sorted(known) == sorted(word)]:
        return shuffled[:2]
    close = get_close_matches(word, _SINGULAR, 4, 0.7) or get_close_matches(word, small, 1, 0.85)
    near: dict[object, str] = {}  # the first guess of each meaning
    for guess in close:  # the nearest first
        near.setdefault(MEANING_OF.get(guess, guess), guess)
    return list(near.values())[:2]


def _quoted(word: str) -> str:
    """The word in quotation marks, cut where it is very long."""
    return repr(word if len(word) <= 30 else word[:30] + "…")


# ---- from tokens to what is said ------------------------------------------------------------


def _count_articles(tokens: list[Token]) -> list[Token]:
    """Turn "a" into the count one where a thing follows, and drop it elsewhere ("a sunny day")."""
    kept = []
    for i, token in enumerate(tokens):
        if token.kind != "article":
            kept.append(token)
            continue
        skip = (t for t in tokens[i + 1 :] if t.kind not in ("colour", "size") and t.text != ",")
        if getattr(next(skip, None), "kind", None) == "object":
            kept.append(Token("count", "one", token.text))
    return kept


def _refuse_coloured_scenery(tokens: list[Token]) -> None:
    """Raise on "on green grass" and "under a huge sky": only things have colours and sizes."""
    for i, token in enumerate(tokens):
        if token.kind not in ("colour", "size") or not token.led:
            continue
        after = next((t for t in tokens[i:] if t.kind not in ("colour", "size")), None)
        if after is not None and after.kind in SCENERY:
            raise PromptError(
                f"'{token.text} {after.text}': the {token.kind} of a sky or a ground cannot be "
                f"chosen, only that of a thing; leave out '{token.text}'"
            )


def _scenery(name: str, tokens: list[Token]) -> str | None:
    """The sky or the ground that is said, None if there is none."""
    said = {token.value: token.text for token in tokens if token.kind == name}
    if "aurora" in said:
        said.pop("night", None)
    if len(said) > 1:
        first, second, *_ = said.values()
        raise PromptError(
            f"'{first}' and '{second}' are both said for the {name}, and a postcard has one: "
            f"choose {allowed(name)}"
        )
    return next(iter(said), None)


def _things(tokens: list[Token]) -> list[dict]:
    """The 0 to 2 things that the tokens (joiners among them, no scenery) speak of."""
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


def _thing(tokens: list[Token]) -> dict:
    """One thing from all the tokens that speak of it."""
    name = next((token.text for token in tokens if token.kind == "object"), "thing")
    thing: dict[str, str | None] = dict.fromkeys(TRAITS)
    texts: dict[str, str] = {}
    for token in tokens:
        if token.kind == "join" or token.value is None:
            continue
        if thing[token.kind] not in (None, token.value):
            raise PromptError(
                f"'{texts[token.kind]}' and '{token.text}' are both said for the {token.kind} of "
                f"the {name}, and it has one: choose {allowed(token.kind)}; two things are named "
                "one by one: 'a red house and a blue boat'"
            )
        thing[token.kind], texts[token.kind] = token.value, token.text
    return thing


def _two_things(tokens: list[Token], first: int, second: int) -> list[dict]:
    """Share the tokens between two things: all before a border to the first, the rest to the other.

    The border is the strongest joiner between the two nouns. Of equally strong ones (commas) it is
    the one that leads to no contradiction; if several do and disagree, the prompt is ambiguous.
    Without a joiner, a position right after the first noun is the first thing's, the rest is not.
    """
    borders = _borders(tokens, first, second)
    for strength in sorted(set(borders.values()), reverse=True):
        readings = []
        for border in (i for i, s in borders.items() if s == strength):
            try:
                reading = [_thing(tokens[:border]), _thing(tokens[border:])]
            except PromptError:
                continue
            if reading not in readings:
                readings.append(reading)
        if len(readings) == 1:
            return readings[0]
        if readings:
            tied = [i for i, s in borders.items() if s == strength]
            words = ", ".join(t.text for t in tokens[tied[0] : tied[-1]] if t.kind != "join")
            one, two = tokens[first].text, tokens[second].text
            raise PromptError(
                f"it is not clear whether '{words}' belongs to the {one} or to the {two}; "
                "put each word next to its thing and 'and' between the two things"
            )
    border = max(borders, key=lambda place: borders[place]) if borders else first + 1
    if not borders and tokens[border].kind == "position":
        border += not any(token.kind == "position" for token in tokens[:border])
    return [_thing(tokens[:border]), _thing(tokens[border:])]


def _borders(tokens: list[Token], first: int, second: int) -> dict[int, int]:
    """Index -> strength of each joiner between two nouns; ", and" is one joiner."""
    borders, i = {}, first + 1
    while i < second:
        start = i
        while tokens[i].kind == "join":
            i += 1
        if i > start:
            texts = {token.text for token in tokens[start:i]}
            both = JOINERS[", and"] if {",", "and"} <= texts else 0
            borders[start] = max(both, *(JOINERS[text] for text in texts), 0)
        i = max(i, start + 1)
    return borders
