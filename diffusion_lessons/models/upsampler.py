"""The second network of a cascade: from a small picture to one of four times its side.

It denoises the large picture while it sees the small one, which is noised as well, and is given how
much (Ho et al. 2022, Cascaded Diffusion Models, section 4).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion_lessons import arguments
from diffusion_lessons.schedule import Schedule, add_noise

from .layers import TIME_FEATURES, start_at_zero, time_features
from .unet import UNet

SCALE = 4  # squares of this side of the large picture are a pixel each of the small one
FOLD = 2  # squares of this side of the large picture are a place each of the network
DETAIL = 6.0  # brings what the small picture does not show to a standard deviation of about 1


def shrink(images: Tensor) -> Tensor:
    """Return pictures (N, 3, 4h, 4w) small: each pixel (N, 3, h, w) the mean of a 4x4 square.

    All small pictures are made by this filter, in training and in use: what another one leaves
    behind, the network would take for a part of the picture.
    """
    sizes = ("N", "C", f"{SCALE}h", f"{SCALE}w")
    arguments.shape("images", images, sizes, holds=arguments.FLOATS)
    return functional.avg_pool2d(images, SCALE)


def augment(small: Tensor, eps: Tensor, level: Tensor, schedule: Schedule) -> Tensor:
    """Noise small pictures (B, 3, h, w) to times `level` (B,), and put the level behind them as a
    fourth channel: (B, 4, h, w). Errors as in `add_noise`."""
    plane = level[:, None, None, None].expand_as(small[:, :1])
    return torch.cat([add_noise(small, eps, level, schedule), plane], dim=1)


def details(images: Tensor, given: Tensor) -> Tensor:
    """Return what `augment`ed small pictures do not show of pictures (B, 3, 4h, 4w), or show
    wrongly: a noise-sized x_0, in the shape of the pictures."""
    return DETAIL * (images - enlarge(given))


def with_details(found: Tensor, given: Tensor) -> Tensor:
    """Return the pictures: the inverse of `details`."""
    return enlarge(given) + found / DETAIL


def enlarge(given: Tensor, times: int = SCALE) -> Tensor:
    """Return the small pictures of (B, 4, h, w), each pixel a square of this side."""
    return functional.interpolate(given[:, :3], scale_factor=times)


class Upsampler(UNet):
    """A U-Net for the details (B, 3, 4h, 4w) of pictures, that also sees small ones, (B, 3, h, w).

    widths, blocks, errors: as in `UNet`, with a patch of 2.
    """

    def __init__(self, widths: Sequence[int] = (24, 64, 96), blocks: Sequence[int] = (1, 1, 1)):
        pixels = 3 * FOLD**2
        super().__init__(pixels + 3, widths, blocks, patch=1)
        self.level_embedding = nn.Linear(TIME_FEATURES, 2 * widths[-1])
        self.head = start_at_zero(nn.Conv2d(widths[0], pixels, 3, padding=1))
        self.to(memory_format=torch.channels_last)

    def forward(self, x_t: Tensor, t: Tensor, given: Tensor) -> Tensor:  # type: ignore[override]
        """Return the network's output for noisy details, (B, 3, 4h, 4w).

        x_t, t: as in `UNet`. given: (B, 4, h, w), as `augment` returns it.
        """
        like = self.stem.weight.dtype
        arguments.shape("given", given, ("B", 4, "h", "w"), ", as `augment` returns it", like)
        sizes = (len(given), 3, SCALE * given.shape[2], SCALE * given.shape[3])
        arguments.shape("x_t", x_t, sizes, ", of four times the side of what is given", like)
        arguments.shape("t", t, x_t.shape[:1], ", a time for each x_t", like)
        places = functional.pixel_unshuffle(x_t, FOLD)
        seen = torch.cat([places, enlarge(given, SCALE // FOLD)], dim=1)
        level = self.level_embedding(time_features(given[:, 3, 0, 0]))
        emb = functional.silu(self.time_embedding(time_features(t)) + level)
        return functional.pixel_shuffle(self.run(seen, emb), FOLD)
