"""A picture from outside, of any size and mode, as the package takes it: square, in [-1, 1]."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from diffusion_lessons import arguments


def read_image(picture: Any, size: int) -> Tensor:
    """Return a picture (3, size, size) in [-1, 1]; one of another size is never stretched.

    It loses the ends of its longer side and is resized, and a warning says so. picture: a file's
    path, or what `read_pixels` takes. Raises OSError for a file that is not there or holds no
    picture; the other errors as in `read_pixels`.
    """
    pixels = read_pixels(_opened(picture))
    fitted = fit(pixels[None], size, 3)[0]
    height, width = pixels.shape[1:]
    if (height, width) != (size, size):
        part = "it was" if height == width else "its middle square was cut out and"
        sentence = f"the picture has {width} x {height} pixels: {part} resized to {size} x {size}"
        warnings.warn(sentence, stacklevel=2)
    return fitted


def read_mask(mask: Any, picture: Any, size: int) -> Tensor:
    """Return a mask bool (1, size, size), True where it is white, cut and resized as its picture.

    mask, picture, errors: as in `read_image`; ValueError where the two differ in size, and where
    the mask marks no pixel, or every one.
    """
    pixels, (height, width) = read_pixels(_opened(mask)), read_pixels(_opened(picture)).shape[1:]
    if pixels.shape[1:] != (height, width):
        found = f"{pixels.shape[2]} x {pixels.shape[1]} pixels, its picture {width} x {height}"
        raise ValueError(f"the mask has {found}: give a mask as large as the picture")
    marked = fit(pixels[None], size, 1)[0] >= 0
    if marked.all() or not marked.any():
        fault = "every pixel: leave" if marked.any() else "no pixel: paint it white where the"
        rest = "something of the picture black" if marked.any() else "picture is to change"
        raise ValueError(f"the mask marks {fault} {rest}")
    return marked


def read_pixels(picture: Any) -> Tensor:
    """Return a PIL image, tensor or array, as `load` takes them, as float32 in [0, 1], (1 or 3, H,
    W). Raises ValueError or TypeError for what does not fit."""
    if isinstance(picture, Image.Image):
        if picture.mode in ("F", "I"):
            raise ValueError(f"a PIL image of mode {picture.mode!r}: convert it to 'L' or 'RGB'")
        picture = ImageOps.exif_transpose(picture)  # photographs lie on their side in the file
        if picture.mode.startswith("I;16"):  # Pillow would cut its levels off at 255
            picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
        if picture.has_transparency_data:  # what cannot be seen has colours, too
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture).convert("RGB")
        picture = np.array(picture.convert("L" if picture.mode in ("1", "L") else "RGB"))
    given = getattr(picture, "shape", ())
    if isinstance(picture, np.ndarray):
        picture = torch.from_numpy(np.ascontiguousarray(picture))
        picture = picture.movedim(-1, 0) if picture.ndim == 3 else picture
    if not isinstance(picture, Tensor):
        raise TypeError(f"a picture is a PIL image, tensor or array, and this is {picture!r:.80}")
    picture = picture.detach()[None] if picture.ndim == 2 else picture.detach()
    if picture.ndim != 3 or picture.shape[0] not in (1, 3) or 0 in picture.shape:
        raise ValueError(
            f"a picture of shape {tuple(given)}: give a tensor (C, H, W) or an array "
            "(H, W, C) with 1 or 3 channels"
        )
    if picture.dtype == torch.uint8:
        return picture.float() / 255
    picture = picture.float() if picture.dtype == torch.bool else picture
    if not picture.is_floating_point():
        raise TypeError(f"a picture of {picture.dtype}: give uint8, or float in [0, 1]")
    low, high = map(float, picture.aminmax())
    if not (low >= 0 and high <= 1):  # also true for nan
        raise ValueError(
            f"a float picture from {low:.3g} to {high:.3g}: give [0, 1], as ToTensor does "
            "(leave out Normalize: load moves pictures to [-1, 1] itself)"
        )
    return picture.float()


def fit(pixels: Tensor, size: int, channels: int) -> Tensor:
    """(N, 1 or 3, H, W) in [0, 1] to (N, channels, size, size) in [-1, 1]; see `load` for how."""
    size = arguments.number("size", size, 1, 4096, ", a side in pixels")
    height, width = pixels.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    pixels = pixels[..., top : top + side, left : left + side]
    if side == 28 and size % 32 == 0:
        pixels = F.pad(pixels, (2, 2, 2, 2))
    if pixels.shape[-1] != size:
        pixels = F.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    return with_channels(pixels.clamp(0, 1) * 2 - 1, channels)


def with_channels(images: Tensor, channels: int) -> Tensor:
    """(..., 1 or 3, H, W) with the number of channels asked for; luminance of ITU-R BT.601."""
    if images.shape[-3] == channels:
        return images
    if channels == 3:
        return images.expand(*images.shape[:-3], 3, *images.shape[-2:]).contiguous()
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    return (images * weights).sum(-3, keepdim=True).clamp(-1, 1)


def _opened(path: Any) -> Any:
    """Return the picture in a file, or what is no path as it is. Raises OSError with the fix."""
    if not isinstance(path, (str, Path)):
        return path
    try:
        with Image.open(path) as file:
            file.load()
            return file
    except (UnidentifiedImageError, SyntaxError, ValueError):  # Pillow's ways to say so
        raise OSError(f"{path} is no whole picture: give a PNG or JPEG file") from None
    except OSError as error:
        fault = f"cannot be opened ({error.strerror or error})"
        raise type(error)(f"{path} {fault}: check its name and its folder") from None
