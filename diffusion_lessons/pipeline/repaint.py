"""Pictures to start from and masks: read, brought to the latents' size, pasted at the end."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import arguments, data

RIM = 5  # pixels inside a mask's edge over which the old picture gives way to the new one

FAINTEST = 0.1  # of the 2 between black and white, a line differs from its paper


def read(
    image: Any, mask_image: Any, size: int, count: int, each: int
) -> tuple[Tensor, Tensor | None]:
    """Read pictures to (count, 3, size, size) in [-1, 1], masks to bool (count, 1, size, size).

    Given for each picture, for each prompt (which has `each` pictures), or once for all. Errors as
    in `data.read_image` and `data.read_mask`; ValueError for another number of them.
    """
    given = one_each("images", image, count, each)
    images = torch.stack([data.read_image(picture, size) for picture in given])
    if mask_image is None:
        return images, None
    pairs = zip(one_each("masks", mask_image, count, each), given, strict=True)
    return images, torch.stack([data.read_mask(mask, of, size) for mask, of in pairs])


def read_outlines(control_image: Any, size: int, count: int, each: int) -> Tensor:
    """Read line drawings to float (count, 1, size, size), 1 on the lines and 0 beside them.

    Dark lines on light paper or light ones on dark: what there is less of is the line. A line is
    what differs from the paper by more than half of what the darkest line does, so that thin lines
    that were resized stay lines. Given, and errors, as in `read`; ValueError for an empty one.
    """
    lines = []
    for drawing in one_each("outlines", control_image, count, each):
        grey = data.read_image(drawing, size).mean(dim=0, keepdim=True)
        away = (grey - grey.median()).abs()
        if away.max() < FAINTEST:
            raise ValueError(
                "the outline is empty: draw a line around where the thing is to be, such as a "
                "circle of 20 pixels"
            )
        lines.append((away > away.max() / 2).float())
    return torch.stack(lines)


def latent_mask(mask: Tensor) -> Tensor:
    """Turn masks bool (N, 1, 8 h, 8 w) into the time until which each latent place is repainted.

    (N, 1, h, w), see `prediction.keep`. 0 where any pixel is marked. 0.5 beside that: the encoder
    has seen some of the old thing there, and later the new one has to fit what stands beside it.
    """
    arguments.shape("mask", mask, ("N", 1, "8h", "8w"), holds=arguments.MARKS)
    places = functional.max_pool2d(mask.float(), 8)
    grown = functional.max_pool2d(places, 3, stride=1, padding=1)
    return 1 - (places + grown) / 2


def paste(painted: Tensor, images: Tensor, mask: Tensor) -> Tensor:
    """Lay what was painted inside the masks over the pictures, (N, 3, H, W); outside, they stay.

    The decoder changes the rest of a picture too, and a sharp edge would show it: within RIM pixels
    inside the mask the old picture gives way to the new one.
    """
    arguments.alike(images=images, painted=painted)
    sizes = (len(images), 1, *images.shape[2:])
    arguments.shape("mask", mask, sizes, ", one each", arguments.MARKS)
    depth = inside = mask.float()
    for _ in range(RIM):
        inside = 1 - functional.max_pool2d(1 - inside, 3, stride=1, padding=1)
        depth = depth + inside
    return torch.where(mask, images + depth / (RIM + 1) * (painted - images), images)


def refuse_other_number(what: str, number: int, pictures: int) -> None:
    """Raise ValueError where there is not one of them for each picture."""
    if number != pictures:
        those = f"{pictures} picture{'s' if pictures > 1 else ''}"
        raise ValueError(f"{number} {what} for {those}: give one each, or one for all")


def one_each(what: str, given: Any, count: int, each: int) -> list:
    """Return one of what is given for each picture, where each prompt has `each` pictures."""
    several = isinstance(given, (list, tuple)) or getattr(given, "ndim", 0) == 4
    found = list(given) if several else [given]
    found = found * count if len(found) == 1 else [one for one in found for _ in range(each)]
    refuse_other_number(what, len(found), count)
    return found
