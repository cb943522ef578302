"""Choices between two pictures: which one does the learner like better?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import traitlets
from torch import Tensor

from diffusion_lessons import arguments
from diffusion_lessons.pictures import img_tag, on_page, to_uint8
from diffusion_lessons.workspace import user_path, write_whole

from .page import PageWidget, framed, module, packed

FOLDER = "choices"
"""The folder of choices, in the user's data folder, where `choose` was given none."""
LEFT, RIGHT, ALIKE = 0, 1, -1
"""What may be chosen of a pair; `ALIKE` is for two that nobody would tell apart by taste."""


class Chooser(PageWidget):
    """The widget of `choose`; `chosen` has one of LEFT, RIGHT and ALIKE for each pair so far."""

    _esm = module("choose")

    pictures = traitlets.Dict().tag(sync=True)  # left and right of each pair in turn
    prompts: traitlets.List = traitlets.List().tag(sync=True)
    seen: traitlets.List = traitlets.List().tag(sync=True)  # the words for each picture
    rule = traitlets.Dict().tag(sync=True)  # {"words": "", "choices": [...]}
    chosen: traitlets.List = traitlets.List().tag(sync=True)

    def __init__(self, images: Tensor, file: Path | None, **traits: object):
        self._first, self._file = images[0], file
        self._print = hashlib.sha256(to_uint8(images.flatten(0, 1)).tobytes()).hexdigest()
        pictures = packed(framed(to_uint8(images.flatten(0, 1))))
        super().__init__(pictures=pictures, chosen=self._kept(len(images)), **traits)
        self.observe(self._keep, names="chosen")

    def still(self) -> tuple[str, bytes]:
        """Return the first pair."""
        picture, width = on_page(self._first, ["left", "right"])
        alt = f"{self.prompts[0]}. Left: {self.seen[0]}; right: {self.seen[1]}"
        return img_tag(picture, alt, width), picture

    def _kept(self, pairs: int) -> list[int]:
        """Return what was chosen of these very pairs before; nothing where that cannot be read."""
        try:
            kept = json.loads(self._file.read_text("utf-8")) if self._file else {}
            chosen = kept["chosen"] if kept.get("pictures") == self._print else []
            return [int(one) for one in chosen if one in (LEFT, RIGHT, ALIKE)][:pairs]
        except (OSError, ValueError, TypeError, AttributeError):
            return []

    def _keep(self, change: dict) -> None:
        kept = json.dumps({"pictures": self._print, "chosen": change["new"]})
        try:
            if self._file:
                write_whole(self._file, f"{kept}\n".encode())
        except OSError:  # nowhere to write: the widget has them as long as it lives
            pass


def choose(
    images: Tensor,
    prompts: Sequence[str],
    seen: Sequence[Sequence[str]],
    rule: tuple[str, Sequence[int]] | None = None,
    folder: Path | str | None = None,
) -> Chooser:
    """Ask pair by pair which of two pictures the learner likes better: ``.chosen`` is the answer.

    Choices are kept on disk: shown again with the same pictures, it goes on where it was left.

    Args:
        images: N pairs of pictures, (N, 2, 3, H, W) in [-1, 1], left and right.
        prompts: of each pair.
        seen: what is to be seen in left and right of each pair, for those who do not see them.
        rule: in words, and its choices (0 left, 1 right, -1 no difference), for a button that lets
            it choose in the pairs that are left.
        folder: of the file "taste.json"; None: the usual one, see `FOLDER`.

    Raises ValueError where there is not one prompt, two texts and a choice of the rule a pair.
    """
    sizes = (len(prompts), 2, 3, "B", "B")
    arguments.shape("images", images, sizes, ", N pairs", arguments.FLOATS)
    words, choices = rule or ("", [ALIKE] * len(prompts))
    if {len(seen), len(choices)} != {len(prompts)} or any(len(pair) != 2 for pair in seen):
        counts = f"{len(seen)} pairs of texts and {len(choices)} choices of the rule"
        raise ValueError(f"{len(prompts)} prompts, {counts}: give one of each for a pair")
    if wrong := {*map(int, choices)} - {LEFT, RIGHT, ALIKE}:
        raise ValueError(f"the rule chose {wrong.pop()}: it may choose 0 (left), 1 (right) or -1")
    return Chooser(
        images,
        (user_path(FOLDER) if folder is None else Path(folder)) / "taste.json",
        prompts=[*prompts],
        seen=[text for pair in seen for text in pair],
        rule={"words": words, "choices": [*map(int, choices)]},
    )
