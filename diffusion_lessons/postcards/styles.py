"""Other ways to paint the same postcard, which a later lesson teaches the model.

The autoencoder saw four of them in its training: sepia, poster, pencil and neon. Lantern, beams and
cinema came later. They change light, not things, so what a postcard shows can still be read.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

_LUMINANCE = [0.299, 0.587, 0.114]  # of red, green and blue, ITU-R BT.601


def sepia(images: Tensor) -> Tensor:
    """Paint in brown and cream, as an old photograph."""
    dark, light = images.new_tensor([[0.16, 0.09, 0.05], [1.0, 0.93, 0.78]]).view(2, 1, 3, 1, 1)
    weights = images.new_tensor(_LUMINANCE).view(1, 3, 1, 1)
    grey = ((images + 1) / 2 * weights).sum(1, keepdim=True)
    return (dark + (light - dark) * grey) * 2 - 1


def poster(images: Tensor) -> Tensor:
    """Paint in four flat shades of each colour, as a screen print."""
    return ((images + 1) * 2).floor().clamp(max=3) / 1.5 - 1


def pencil(images: Tensor) -> Tensor:
    """Draw dark lines on light paper, with a trace of the colours."""
    paper = images.new_tensor([0.98, 0.96, 0.90])
    faint = 0.75 * paper.view(1, 3, 1, 1) + 0.25 * (images + 1) / 2
    return (faint * (1 - 0.65 * _edges(images))) * 2 - 1


def neon(images: Tensor) -> Tensor:
    """Draw glowing outlines in the dark, in the colours of what they surround."""
    colour = (images + 1) / 2
    vivid = (colour / colour.amax(dim=1, keepdim=True).clamp(min=0.05)) ** 1.5
    edges = _edges(images)
    glow = functional.avg_pool2d(edges, 5, stride=1, padding=2)
    return (0.10 * colour + vivid * (0.9 * edges + 0.35 * glow)).clamp(0, 1) * 2 - 1


def lantern(images: Tensor) -> Tensor:
    """Light the middle warmly, and leave the corners in the dark."""
    y, x = (torch.linspace(-1, 1, side) for side in images.shape[-2:])
    away = (y[:, None].square() + x.square()).sqrt().to(images)
    warm = images.new_tensor([1.0, 0.8, 0.4]).view(3, 1, 1)
    lit = (images + 1) / 2 * (1.15 - 0.33 * away).clamp(max=1)
    return (lit + 0.14 * warm * (1 - away).clamp(min=0)).clamp(0, 1) * 2 - 1


def beams(images: Tensor) -> Tensor:
    """Let the light fall in slanting beams, 26 pixels apart."""
    y, x = (torch.arange(side) for side in images.shape[-2:])
    light = (0.5 + 0.5 * torch.sin((x + 0.6 * y[:, None]) * 2 * torch.pi / 26)).to(images)
    warm = images.new_tensor([1.0, 0.9, 0.6]).view(3, 1, 1)
    shaded = (images + 1) / 2 * (0.78 + 0.22 * light)
    return (shaded + 0.09 * warm * light).clamp(0, 1) * 2 - 1


def cinema(images: Tensor) -> Tensor:
    """Tint what is light with gold and what is dark with teal, as films do."""
    colour = (images + 1) / 2
    grey = (colour * images.new_tensor(_LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)
    gold, teal = images.new_tensor([[0.14, 0.02, -0.22], [-0.14, 0.02, 0.12]]).view(2, 1, 3, 1, 1)
    return (colour + grey * gold + (1 - grey) * teal).clamp(0, 1) * 2 - 1


_MIXED = (sepia, poster, pencil, neon)  # by `styled`: what an autoencoder learned from stays so
#: By name, what turns pictures (N, 3, H, W) in [-1, 1] into the same pictures in that style.
STYLES: dict[str, Callable[[Tensor], Tensor]] = {
    style.__name__: style for style in (*_MIXED, lantern, beams, cinema)
}


def styled(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return the pictures, about a `share` of them in sepia, as posters, in pencil or in neon, as
    chance has it."""
    dice = torch.rand(len(images), generator=generator)
    mixed = images.clone()
    for index, paint in enumerate(_MIXED):
        low, high = share * index / len(_MIXED), share * (index + 1) / len(_MIXED)
        chosen = (dice >= low) & (dice < high)
        if chosen.any():
            mixed[chosen] = paint(images[chosen])
    return mixed


def _edges(images: Tensor) -> Tensor:
    """Return how strongly the colours change at each pixel, in [0, 1], (N, 1, H, W)."""
    slope = images.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
    kernel = torch.stack([slope, slope.T])[:, None].repeat(3, 1, 1, 1)  # (6, 1, 3, 3)
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    changes = functional.conv2d(padded, kernel, groups=3)  # (N, 6, H, W)
    return (2.2 * changes.square().sum(1, keepdim=True).sqrt() - 0.15).clamp(0, 1)
