"""What a demonstration shows: a picture, a sentence with numbers, and the numbers themselves."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from diffusion_lessons import pictures


@dataclass(frozen=True)
class Shown:
    """`words` says what was found. `picture` is PNG bytes with the text alternative `alt`, `width`
    pixels wide on the page, or None. `numbers` are the same findings for whoever checks them."""

    words: str
    numbers: dict[str, float]
    picture: bytes | None = field(default=None, repr=False)
    alt: str = ""
    width: int = 0

    def for_page(self) -> dict:
        """As the page needs it."""
        source = base64.b64encode(self.picture or b"").decode("ascii")
        url = f"data:image/png;base64,{source}" if self.picture else ""
        return {"words": self.words, "picture": url, "alt": self.alt, "width": self.width}


def with_pictures(
    images: torch.Tensor,
    labels: Sequence[str],
    alt: str,
    words: str,
    numbers: dict[str, float],
    columns: int | None = None,
) -> Shown:
    """Pictures (N, C, H, W) in [-1, 1] as a grid with a label under each, and what was found."""
    zoom = max(1, 128 // images.shape[-1])
    picture, width = pictures.on_page(images, labels, columns, zoom)
    return Shown(words, numbers, picture, pictures.checked_alt(alt), width)
