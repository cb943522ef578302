"""Postcards: the small captioned pictures that every lesson lives in.

`scenes` says what a picture shows, `sprites` draws the things, `drawing` paints the whole picture,
`words` turns scenes into captions and captions back into what was said.
"""

from .drawing import draw, object_mask, thing_masks
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

__all__ = [
    "HELD_OUT", "KINDS", "VALUES", "Scenes", "attributes", "compose", "concatenate",
    "draw", "kinds", "object_mask", "sample_scenes", "thing_masks",
]  # fmt: skip
