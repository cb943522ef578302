"""Postcards: the small captioned pictures that every lesson lives in.

`scenes` says what a picture shows, `sprites` draws the things, `drawing` paints the whole picture,
`words` turns scenes into captions, `reading` captions back into what was said.
"""

from .drawing import draw, object_mask, thing_masks
from .reading import PromptError, UnknownWord, parse
from .scenes import (
    HELD_OUT,
    KINDS,
    VALUES,
    Scenes,
    attributes,
    compose,
    concatenate,
    kinds,
    sample_scenes,
)
from .words import captions, describe

__all__ = [
    "HELD_OUT", "KINDS", "VALUES", "PromptError", "Scenes", "UnknownWord", "attributes", "captions",
    "compose", "concatenate", "describe", "draw", "kinds", "object_mask", "parse", "sample_scenes",
    "thing_masks",
]  # fmt: skip
