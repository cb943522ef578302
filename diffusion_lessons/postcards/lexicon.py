"""The words of the postcards: phrases that captions use, and words that a prompt may use.

Captions are written from `PHRASES`. `parse` understands `MEANINGS`, which are more: a learner may
type "cabin" although no caption ever says it.
"""

from __future__ import annotations

from .scenes import VALUES

#: attribute -> value -> the phrases captions choose from. The first is chosen half of the time.
PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "sky": {
        "day": ("by day", "in the daytime", "on a sunny day"),
        "dawn": ("at dawn", "at sunrise", "at daybreak"),
        "sunset": ("at sunset", "at dusk", "in the evening"),
        "night": ("at night", "on a starry night", "by night"),
        "aurora": ("under the northern lights", "under the aurora"),
    },
    "ground": {
        "grass": ("on grass", "on the grass", "in a meadow", "in a field"),
        "sand": ("on sand", "on the sand", "on the beach", "in the desert"),
        "snow": ("on snow", "on the snow", "in the snow"),
        "sea": ("on the sea", "on the water", "on the ocean"),
    },
    "object": {
        "house": ("house", "cottage", "hut"),
        "tree": ("tree",),
        "boat": ("boat", "sailing boat", "sailboat"),
        "balloon": ("balloon", "hot-air balloon"),
        "rocket": ("rocket", "spaceship"),
        "mushroom": ("mushroom", "toadstool"),
        "cactus": ("cactus",),
        "cat": ("cat", "kitten"),
    },
    "colour": {
        "red": ("red", "scarlet"),
        "orange": ("orange",),
        "yellow": ("yellow", "golden"),
        "green": ("green",),
        "blue": ("blue",),
        "purple": ("purple", "violet"),
        "pink": ("pink",),
    },
    "size": {
        "small": ("small", "little", "tiny"),
        "large": ("large", "big", "huge"),
    },
    "position": {
        "left": ("on the left",),
        "middle": ("in the middle", "in the centre", "in the center"),
        "right": ("on the right",),
    },
    "count": {
        "one": ("a", "one"),  # "a" becomes "an" before a vowel
        "two": ("two", "a pair of"),
        "three": ("three", "a trio of"),
    },
}

#: The verb of a thing, by its object: (singular, plural).
VERBS = {
    "boat": ("floats", "float"),
    "balloon": ("floats", "float"),
    "cat": ("sits", "sit"),
}
STANDS = ("stands", "stand")

#: The plurals that are not made by adding an s; captions choose between them.
IRREGULAR = {"cactus": ("cacti", "cactuses"), "kitty": ("kitties",)}

#: attribute -> value -> every word that means it.
MEANINGS: dict[str, dict[str, str]] = {
    "sky": {
        "day": "day daytime daylight sunny sun noon midday afternoon",
        "dawn": "dawn sunrise daybreak morning",
        "sunset": "sunset dusk evening twilight",
        "night": "night nighttime midnight starry stars moon moonlit moonlight",
        "aurora": "aurora auroras borealis northern polar",
    },
    "ground": {
        "grass": "grass grassy meadow meadows field fields lawn",
        "sand": "sand sandy desert deserts beach dune dunes",
        "snow": "snow snowy",
        "sea": "sea water ocean waves",
    },
    "object": {
        "house": "house cottage hut home cabin",
        "tree": "tree",
        "boat": "boat sailboat ship yacht",
        "balloon": "balloon",
        "rocket": "rocket spaceship rocketship",
        "mushroom": "mushroom toadstool",
        "cactus": "cactus",
        "cat": "cat kitten kitty",
    },
    "colour": {
        "red": "red scarlet crimson",
        "orange": "orange",
        "yellow": "yellow golden gold",
        "green": "green emerald",
        "blue": "blue navy azure",
        "purple": "purple violet lilac",
        "pink": "pink",
    },
    "size": {
        "small": "small little tiny mini",
        "large": "large big huge giant enormous great",
    },
    "position": {
        "left": "left lefthand",
        "middle": "middle centre center central centred centered",
        "right": "right righthand",
    },
    "count": {
        "one": "one 1 single",
        "two": "two 2",
        "three": "three 3",
    },
}

#: Nouns that stand for a thing without saying which.
UNNAMED = frozenset("thing things something object objects".split())

#: Words for the sky or the ground that do not say which.
UNNAMED_SCENERY = frozenset("sky skies ground".split())

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


def _meanings() -> dict[str, tuple[str, str]]:
    """Return word -> (attribute, value) for each word of `MEANINGS`, and for plurals of objects."""
    found = {}
    for attribute, values in MEANINGS.items():
        for value, words in values.items():
            for word in words.split():
                forms = (word, *plurals(word)) if attribute == "object" else (word,)
                found.update(dict.fromkeys(forms, (attribute, value)))
    return found


#: word -> (attribute, value)
MEANING_OF: dict[str, tuple[str, str]] = _meanings()


def allowed(attribute: str) -> str:
    """Return the values of an attribute as a list in English: "small or large"."""
    *most, last = VALUES[attribute]
    return f"{', '.join(most)} or {last}"


def vocabulary() -> tuple[str, ...]:
    """Return every word that a caption can contain, in lower case, sorted; "hot-air" is two."""
    glue = "the and on in is are there next to beside with an".split()
    words = set(glue) | {form for verb in (*VERBS.values(), STANDS) for form in verb}
    for attribute, values in PHRASES.items():
        for phrase in (phrase for phrases in values.values() for phrase in phrases):
            words.update(phrase.replace("-", " ").split())
            if attribute == "object":
                *_, noun = phrase.split()
                words.update(plurals(noun))
    return tuple(sorted(words))
