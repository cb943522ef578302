"""The words of the postcards as the page reads them: what `page/reading.js` needs, in one file."""

from __future__ import annotations

import json

from diffusion_lessons import conditioning
from diffusion_lessons.postcards import lexicon, reading
from diffusion_lessons.widgets.studio import SUGGESTIONS


def vocabulary() -> str:
    """Return the JSON that the page's reader is made from."""
    words = {
        "values": lexicon.VALUES,
        "meaning_of": list(lexicon.MEANING_OF.items()),  # pairs: JavaScript would sort "1" and "2"
        "numbers": list(conditioning._NUMBER.items()),
        "joiners": list(lexicon.JOINERS.items()),
        "small_words": sorted(lexicon.SMALL_WORDS),
        "small": reading._SMALL,
        "unnamed": {kind: words.split() for kind, words in lexicon.UNNAMED.items()},
        "absent": {kind: words.split() for kind, words in lexicon.ABSENT.items()},
        "negations": sorted(lexicon.NEGATIONS),
        "everyday": sorted(lexicon.EVERYDAY),
        "singular": reading.SINGULAR,
        "suggestions": SUGGESTIONS,
    }
    return json.dumps(words, ensure_ascii=False, separators=(",", ":"))
