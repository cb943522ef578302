"""Parsing a prompt: `parse` returns the values of the world that a prompt names.

It knows the words of `lexicon.MEANINGS`, and enough grammar to see which of two things a word
belongs to. It never guesses: a word that it cannot understand or place is an error that says what
to write instead.
"""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
from typing import NamedTuple

from .lexicon import (
    ABSENT,
    EVERYDAY,
    JOINERS,
    MEANING_OF,
    MEANINGS,
    NEGATIONS,
    SMALL_WORDS,
    UNNAMED,
    UNNAMED_SCENERY,
    allowed,
    plurals,
)
from .scenes import SCENE_ATTRIBUTES as SCENERY
from .scenes import THING_ATTRIBUTES, VALUES, Description, Thing

MAX_LENGTH = 1000


class PromptError(ValueError):
    """A prompt asks for something that this world cannot show, or contradicts itself."""


class UnknownWord(PromptError):
    """A prompt has a word that this world lacks; the message offers the nearest known ones."""


class Token(NamedTuple):
    """A meaningful word of a prompt.

    Attributes:
        kind: the attribute it names, or "join" or "article".
        value: the value it names, in the words of `VALUES`; None if it leaves that open.
        text: the word as the prompt has it.
        led: whether an article or another small word stands directly before it.
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
    sky, ground = (_scenery(name, tokens) for name in SCENERY)
    things = _things([token for token in tokens if token.kind not in SCENERY])
    return {"sky": sky, "ground": ground, "things": things}, _without_signs(words)


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
_KNOWN = list(MEANING_OF)
_NOUNS = " ".join(MEANINGS["object"].values()).split()
_SINGULAR = {plural: noun for noun in _NOUNS for plural in plurals(noun)}
_SMALL = [word for word in (*sorted(SMALL_WORDS), *JOINERS) if word.isalpha()]
_RELATION = re.compile(r"\b(?:left|right) (?:side )?of\b")


def plain_words(text: str) -> list[str]:
    """Return the words of a caption or prompt in lower case, without signs.

    Phrases are written in one way: "a pair of" as "a two", "next to" as "beside".
    """
    return _without_signs(_WORD.findall(_normalised(text)))


def _without_signs(words: list[str]) -> list[str]:
    return [word for word in words if word[0].isalnum()]


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


def _is_decoration(word: str) -> bool:
    """Return whether this is a quotation mark, a bracket or another sign that parts no things."""
    return len(word) == 1 and word not in JOINERS and unicodedata.category(word)[0] == "P"


def _token(word: str, led: bool) -> Token | None:
    """Return the token of a word, None for an unknown word."""
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
    """Return a sentence about each of the first three unknown words."""
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
    """Return the known words, at most two, that an unknown word may be a misspelling of.

    The same letters in another order are nearest of all. Of words with one meaning only the nearest
    is offered, and things in the singular. Nothing is offered for a word of everyday English, which
    is no misspelling, nor a word that begins otherwise: people seldom mistype the first letter.
    """
    if word in EVERYDAY or word.removesuffix("s") in EVERYDAY:
        return []
    words, small = ([k for k in known if _begin_alike(k, word)] for known in (_KNOWN, _SMALL))
    if shuffled := [known for known in (*words, *small) if sorted(known) == sorted(word)]:
        return [_singular(known) for known in shuffled[:2]]
    # Of three letters or fewer too many words are alike, and one typing error is one letter.
    words, small = (
        [k for k in known if len(_singular(k)) > 3 and abs(len(k) - len(word)) <= 1]
        for known in (words, small)
    )
    close = get_close_matches(word, words, 4, 0.75) or get_close_matches(word, small, 1, 0.85)
    near: dict[object, str] = {}  # the first guess of each meaning
    for guess in close:  # the nearest first
        near.setdefault(MEANING_OF.get(guess, guess), _singular(guess))
    return list(near.values())[:2]


def _singular(word: str) -> str:
    """Return a thing's name in the singular, any other word as it is."""
    return _SINGULAR.get(word, word)


def _begin_alike(known: str, word: str) -> bool:
    """Return whether two words have one first letter, or one sound, or their first two swapped."""
    return known[0] == word[0] or known[1::-1] == word[:2] or {known[0], word[0]} == {"c", "k"}


def _quoted(word: str) -> str:
    """Return the word in quotation marks, cut off if it is very long."""
    return repr(word if len(word) <= 30 else word[:30] + "…")


# ---- from tokens to a description -----------------------------------------------------------


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
    thing: Thing = dict.fromkeys(THING_ATTRIBUTES)
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


def _two_things(tokens: list[Token], first: int, second: int) -> list[Thing]:
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
            nouns = f"the {tokens[first].text} or to the {tokens[second].text}"
            raise PromptError(
                f"it is not clear whether '{words}' belongs to {nouns}; "
                "put each word next to its thing and 'and' between the two things"
            )
    border = max(borders, key=lambda place: borders[place]) if borders else first + 1
    if not borders and tokens[border].kind == "position":
        border += not any(token.kind == "position" for token in tokens[:border])
    return [_thing(tokens[:border]), _thing(tokens[border:])]


def _borders(tokens: list[Token], first: int, second: int) -> dict[int, int]:
    """Return index -> strength of each joiner between two nouns; ", and" is one joiner."""
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
