"""Pictures that a learner keeps: PNG files in a folder, each with its words and settings.

The texts inside a file have the names that `diffusers` uses for the arguments of a pipeline:

    prompt, negative_prompt, seed, num_inference_steps, guidance_scale, Software

so that any program which shows the texts of a PNG shows how to make the picture again.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import asdict, dataclass, fields
from itertools import chain, islice
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from diffusion_lessons import __version__, arguments
from diffusion_lessons.workspace import user_path, write_whole

FOLDER = "gallery"
"""The folder of a gallery that was given none, in the user's data folder of the platform: all
lessons share it, and it survives getting the course again."""

MOST_SIDE = 1024
"""Larger pictures in the folder (pixels across or down) are not ours, and are left alone."""

_SLUG = 40  # characters of the prompt in a file's name


@dataclass(frozen=True)
class Settings:
    """The settings of a picture, in the names of `pipeline.TextToImage`'s arguments."""

    prompt: str
    negative_prompt: str
    seed: int
    num_inference_steps: int
    guidance_scale: float


@dataclass(frozen=True)
class Kept:
    """A picture in a gallery: `pixels` uint8 (H, W, 3); `path` is None where it is not on disk."""

    pixels: np.ndarray
    settings: Settings
    path: Path | None = None


class Gallery:
    """The pictures in `folder`, and those that could not be written there, while this object lives.

    Nothing that is in the folder is ever changed, written over or deleted.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        """`folder` is made when the first picture is kept; None: the usual one, see `FOLDER`."""
        self.folder = Path(user_path(FOLDER) if folder is None else folder).absolute()
        self._homeless: list[Kept] = []

    def keep(self, pixels: np.ndarray, settings: Settings) -> Path:
        """Write a picture, uint8 (H, W, 3), with its settings; return the new file.

        What could not be written before is tried again. Raises OSError with a sentence and the fix
        when the folder cannot be written; the picture stays in `pictures` until then.
        """
        arguments.shape("pixels", pixels, ("H", "W", 3), ", levels from 0 to 255")
        if pixels.dtype != np.uint8 or 0 in pixels.shape:
            raise ValueError(f"pixels of {pixels.dtype} {pixels.shape}: give uint8 (H, W, 3)")
        for last in self.pictures(1):  # kept a second time
            if last.settings == settings and last.path and np.array_equal(last.pixels, pixels):
                return last.path
        self._homeless.append(Kept(pixels, settings))
        try:
            while self._homeless:
                path = self._write(self._homeless[0])
                del self._homeless[0]
        except OSError as error:
            why = getattr(error.__cause__, "strerror", error.strerror)
            raise type(error)(
                error.errno,
                f"{self.folder} could not be written ({why}). The picture stays in this gallery "
                "until the notebook is closed. Fix: make room, allow writing there, or name "
                "another folder",
            ) from error
        return path

    def pictures(self, most: int | None = None) -> list[Kept]:
        """Return the `most` newest pictures (None: all), newest first.

        Other files in the folder, and files that cannot be read, are left out.
        """
        files = map(read, sorted(self._files(), key=_number, reverse=True))
        return list(islice(chain(self._homeless[::-1], filter(None, files)), most))

    def _files(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if path.suffix.lower() == ".png"]
        except OSError:  # not there yet, or not ours to read
            return []

    def _write(self, one: Kept) -> Path:
        """Write into a file that was not there before, so that two notebooks cannot collide."""
        self.folder.mkdir(parents=True, exist_ok=True)
        slug = "-".join(re.findall(r"[a-z0-9]+", one.settings.prompt.lower()))[:_SLUG].strip("-")
        number = 1 + max(map(_number, self._files()), default=0)
        while True:
            path = self.folder / f"{number:04d}-{slug or 'picture'}.png"
            try:
                write_whole(path, as_png(one), new=True)
                return path
            except FileExistsError:
                number += 1


def as_png(one: Kept) -> bytes:
    """Return a picture as PNG bytes with its settings as texts."""
    notes = PngInfo()
    for name, value in asdict(one.settings).items():
        notes.add_text(name, str(value))
    notes.add_text("Software", f"diffusion-lessons {__version__}")
    file = io.BytesIO()
    Image.fromarray(one.pixels).save(file, "PNG", pnginfo=notes, optimize=True)
    return file.getvalue()


def read(path: Path | str) -> Kept | None:
    """Read a picture that `Gallery.keep` wrote; None for any other file, or a damaged one."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if max(image.size) > MOST_SIDE:
                return None
            pixels = np.asarray(image.convert("RGB"))
            texts = image.text  # type: ignore[attr-defined]  # of PNG
        parse = {"str": str, "int": int, "float": float}
        values = {one.name: parse[str(one.type)](texts[one.name]) for one in fields(Settings)}
    except (OSError, ValueError, SyntaxError, KeyError):  # Pillow's ways to say: not a whole PNG
        return None
    finite = math.isfinite(values["guidance_scale"])
    return Kept(pixels, Settings(**values), Path(path)) if finite else None


def _number(path: Path) -> int:
    """Return the number at the start of a file's name, 0 without one."""
    found = re.match(r"\d{1,9}(?=-)", path.name)
    return int(found.group()) if found else 0
