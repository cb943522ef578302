"""Postcards: the small captioned pictures that every lesson lives in.

`scenes` samples the contents of pictures, `sprites` draws the things, `drawing` paints the whole
picture, `words` turns scenes into captions, `reading` parses prompts into descriptions,
`typed` completes them.
"""

from .drawing import draw, object_mask, thing_masks
from .lexicon import VALUES
from .reading import PromptError, UnknownWord, parse
from .scenes import (
    HELD_OUT,
    KINDS,
    Description,
    Scenes,
    compose,
    concatenate,
    kinds,
    sample_scenes,
)
from .typed import expand, readable
from .words import Caption, captions, describe, described_captions

__all__ = [
    "HELD_OUT", "KINDS", "VALUES", "Caption", "Description", "PromptError", "Scenes", "UnknownWord",
    "captions", "compose", "concatenate", "describe", "described_captions", "draw", "expand",
    "kinds", "object_mask", "parse", "readable", "sample_scenes", "thing_masks",
]  # fmt: skip
