"""The words of the postcards: all that there is, how captions write it, and how prompts may.

A prompt may say more than captions do: a learner may type "cabin" although no caption says it.
"""

from __future__ import annotations

import re

#: attribute -> value -> the phrases that captions choose from, the first half of the time, and
#: further words for it that a prompt may use.
WORLD: dict[str, dict[str, tuple[str, str]]] = {
    "sky": {
        "day": ("by day, in the daytime, on a sunny day", "daylight sun noon midday afternoon"),
        "dawn": ("at dawn, at sunrise, at daybreak", "morning"),
        "sunset": ("at sunset, at dusk, in the evening", "twilight"),
        "night": (
            "at night, on a starry night, by night",
            "nighttime midnight stars moon moonlit moonlight",
        ),
        "aurora": ("under the northern lights, under the aurora", "auroras borealis polar"),
    },
    "ground": {
        "grass": ("on grass, on the grass, in a meadow, in a field", "grassy meadows fields lawn"),
        "sand": ("on sand, on the sand, on the beach, in the desert", "sandy deserts dune dunes"),
        "snow": ("on snow, on the snow, in the snow", "snowy"),
        "sea": ("on the sea, on the water, on the ocean", "waves"),
    },
    "object": {
        "house": ("house, cottage, hut", "home cabin"),
        "tree": ("tree", ""),
        "boat": ("boat, sailing boat, sailboat", "ship yacht"),
        "balloon": ("balloon, hot-air balloon", ""),
        "rocket": ("rocket, spaceship", "rocketship"),
        "mushroom": ("mushroom, toadstool", ""),
        "cactus": ("cactus", ""),
        "cat": ("cat, kitten", "kitty"),
    },
    "colour": {
        "red": ("red, scarlet", "crimson"),
        "orange": ("orange", ""),
        "yellow": ("yellow, golden", "gold"),
        "green": ("green", "emerald"),
        "blue": ("blue", "navy azure"),
        "purple": ("purple, violet", "lilac"),
        "pink": ("pink", ""),
    },
    "size": {
        "small": ("small, little, tiny", "mini"),
        "large": ("large, big, huge", "giant enormous great"),
    },
    "position": {
        "left": ("on the left", "lefthand"),
        "middle": ("in the middle, in the centre, in the center", "central centred centered"),
        "right": ("on the right", "righthand"),
    },
    "count": {  # "a" becomes "an" before a vowel
        "one": ("a, one", "1 single"),
        "two": ("two, a pair of", "2"),
        "three": ("three, a trio of", "3"),
    },
}

VALUES: dict[str, tuple[str, ...]] = {attribute: tuple(WORLD[attribute]) for attribute in WORLD}

#: attribute -> value -> the phrases of captions.
PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    attribute: {value: tuple(phrases.split(", ")) for value, (phrases, _) in values.items()}
    for attribute, values in WORLD.items()
}

#: What a thing does, for those that do not stand.
VERBS = {"boat": "float", "balloon": "float", "cat": "sit"}

#: The plurals that are not made by adding an s; captions choose between them.
IRREGULAR = {"cactus": ("cacti", "cactuses"), "kitty": ("kitties",)}

#: Nouns that stand for a thing without saying which; words for the sky or the ground likewise.
UNNAMED = {"object": "thing things something object objects", "sky": "sky skies ground"}

#: Words that are understood to exist, but that this world does not have.
ABSENT: dict[str, str] = {
    "sky": "rain rainy cloudy fog foggy storm stormy rainbow",
    "colour": "black white brown grey gray silver turquoise beige light dark bright pale",
    "size": "medium",
    "position": "top bottom below behind front between",
    "count": """zero four five six seven eight nine ten dozen many several few couple pair trio both
    each""",
}

#: Words between two things: the stronger one parts them when there are several.
JOINERS = {
    ",": 1, ":": 1, "and": 2, "&": 2, "+": 2, ", and": 3,
    "with": 4, "beside": 4, "near": 4, "plus": 4, "alongside": 4, ";": 4, ".": 4,
}  # fmt: skip

#: Small words that change nothing.
SMALL_WORDS = frozenset(
    """the of is are was there here it its this that which stands stand standing sits sit sitting
    floats float floating flies fly flying lies lie lying rests rest in on at by to under beneath
    over from during some please draw paint show shows showing me make want i would like see you
    can we picture image photo postcard scene drawing painting side hand time
    early late coloured colored colour color colours colors sized size sailing hot air deep
    together along lights above around""".split()
)

#: Words of everyday English that look like a word of this world and are no misspelling of it.
EVERYDAY = frozenset(
    """act area bat batch beat bench blur boot breach cart case cast cent century chain chat clause
    cleaner coat counter descent desk disk done down draw drawn duck due duel dust filed fired fixed
    flat form friend glass goal good graft grant greed greek greet had hand handy hole hope horse
    host hue hurt hush item land law leaf lean let life lift line live main mind mine moving neon
    noun pain pick pike pin pine purpose racket rare reset right rule sad said sane scale scan
    secret seed seek seen send setting shall shop shown singe sip size slide slip slow sow span
    start suit surprise swan theme these they thin threw tidy tie tire true twin violate
    waiter want waste way width wit besides hour her ending skip suspect try tries""".split()
)

NEGATIONS = frozenset("no not without never none nor neither except minus nothing".split())


def plurals(noun: str) -> tuple[str, ...]:
    """Return the plural forms of a noun: "cacti" and "cactuses" of "cactus"."""
    return IRREGULAR.get(noun, (noun + "s",))


#: word -> (attribute, value), for each word of `WORLD` with a meaning, and for plurals of objects.
MEANING_OF: dict[str, tuple[str, str]] = {
    form: (attribute, value)
    for attribute, values in WORLD.items()
    for value, (phrases, more) in values.items()
    for word in re.findall(r"\w+", f"{phrases} {more}")
    if word not in {*SMALL_WORDS, "a", "pair", "trio"}
    for form in (word, *plurals(word) * (attribute == "object"))
}


def allowed(attribute: str) -> str:
    """Return the values of an attribute as a list in English: "small or large"."""
    *most, last = VALUES[attribute]
    return f"{', '.join(most)} or {last}"


def vocabulary() -> tuple[str, ...]:
    """Return every word that a caption can contain, in lower case, sorted; "hot-air" is two."""
    words = set("the and on in is are there next to beside with an".split())
    words.update(verb + end for verb in ("stand", *VERBS.values()) for end in ("", "s"))
    for attribute, values in PHRASES.items():
        for phrase in (phrase for phrases in values.values() for phrase in phrases):
            words.update(phrase.replace("-", " ").split())
            if attribute == "object":
                words.update(plurals(phrase.split()[-1]))
    return tuple(sorted(words))
