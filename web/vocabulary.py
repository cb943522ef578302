"""The words of the postcards as the page reads them: what `page/reading.js` needs, in one file."""

from __future__ import annotations

import json
import re

from diffusion_lessons import conditioning
from diffusion_lessons.postcards import lexicon, reading, scenes


def vocabulary() -> str:
    """Return the JSON that the page's reader is made from."""
    words = {
        "allowed": {name: lexicon.allowed(name) for name in lexicon.VALUES},
        "scenery": scenes.SCENE_ATTRIBUTES,
        "traits": scenes.THING_ATTRIBUTES,
        "meaning_of": list(reading._READ.items()),  # pairs: JavaScript would sort "1" and "2"
        "numbers": list(conditioning._NUMBER.items()),
        "joiners": lexicon.JOINERS,
        "small_words": sorted(lexicon.SMALL_WORDS),
        "named": list(lexicon.MEANING_OF),
        "small": reading._SMALL,
        "absent": {kind: words.split() for kind, words in lexicon.ABSENT.items()},
        "negations": sorted(lexicon.NEGATIONS),
        "everyday": sorted(lexicon.EVERYDAY),
        "singular": reading.SINGULAR,
        "rewrites": [
            (found.pattern, re.sub(r"\\(\d)", r"$\1", written))
            for found, written in reading._REWRITES
        ],
        "word": reading._WORD.pattern,
        "relation": reading._RELATION.pattern,
        "max_length": reading.MAX_LENGTH,
        "length": conditioning.LENGTH,
    }
    return json.dumps(words, ensure_ascii=False, separators=(",", ":"))
