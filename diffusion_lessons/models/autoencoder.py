"""The autoencoder: pictures to latents of 48 times fewer numbers, and back.

After Kingma & Welling 2014 (a mean and a variance for each number, not one value) and Rombach et
al. 2022 section 3.1 (latents that stay a small picture, so that a U-Net can work on them). The
decoder is the larger half: what is missing in the latent, it has to know.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion_lessons import arguments

from .layers import GROUPS, Down, ResBlock

LATENT_CHANNELS = 4  # 64x64x3 become 8x8x4, as 512x512x3 become 64x64x4 in Stable Diffusion
FOLD = 4  # the first layer cuts the picture into squares of this side


class Autoencoder(nn.Module):
    """Encode pictures (B, 3, H, W) to latents (B, 4, H / 8, W / 8), and decode them.

    encoder, decoder: channels at a quarter and at an eighth of the picture's side; at an eighth, a
    quarter and a half. Multiples of 8. encoder_blocks, decoder_blocks: how many work at each.
    """

    outer_layers = ("stem", "to_latent", "from_latent", "head")  # see `UNet.outer_layers`

    def __init__(
        self,
        encoder: Sequence[int] = (64, 128),
        encoder_blocks: Sequence[int] = (2, 2),
        decoder: Sequence[int] = (160, 80, 24),
        decoder_blocks: Sequence[int] = (3, 2, 1),
    ):
        super().__init__()
        arguments.sizes(locals(), "encoder", "encoder_blocks", "decoder", "decoder_blocks")
        self.stem = nn.Conv2d(3 * FOLD**2, encoder[0], 3, padding=1)
        self.down = _levels(encoder, encoder_blocks, Down)
        self.to_latent = nn.Conv2d(encoder[-1], 2 * LATENT_CHANNELS, 1)
        self.from_latent = nn.Conv2d(LATENT_CHANNELS, decoder[0], 3, padding=1)
        self.up = _levels(decoder, decoder_blocks, spread)
        self.head = nn.Conv2d(decoder[-1], 3 * 2**2, 3, padding=1)
        self.to(memory_format=torch.channels_last)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log of the variance of each latent number, two (B, 4, H / 8, W / 8).

        images: (B, 3, H, W) in [-1, 1], H and W multiples of 8; ValueError for other shapes.
        """
        example, like = ", such as (1, 3, 64, 64)", self.head.weight.dtype
        arguments.shape("images", images, ("B", 3, "8h", "8w"), example, like)
        h = self.down(self.stem(functional.pixel_unshuffle(images, FOLD)))
        mean, log_variance = self.to_latent(h).chunk(2, dim=1)
        return mean, log_variance.clamp(-20, 2)

    def decode(self, z: Tensor) -> Tensor:
        """Return the pictures (B, 3, 8h, 8w), about in [-1, 1], of latents (B, 4, h, w); ValueError
        for other shapes."""
        example, like = ", such as (1, 4, 8, 8)", self.head.weight.dtype
        arguments.shape("z", z, ("B", LATENT_CHANNELS, "h", "w"), example, like)
        return functional.pixel_shuffle(self.head(self.up(self.from_latent(z))), 2)


def spread(channels_in: int, channels_out: int) -> nn.Module:
    """Double height and width, the mirror of `Down`: each place becomes a 2x2 square."""
    mix = nn.Conv2d(channels_in, 4 * channels_out, 1)
    return nn.Sequential(OrderedDict(mix=mix, unfold=nn.PixelShuffle(2)))


def _levels(widths: Sequence[int], blocks: Sequence[int], resize: Callable) -> nn.Sequential:
    """Return so many blocks of each width, `resize` from each to the next, and norm and SiLU."""
    layers: list[nn.Module] = []
    for before, width, count in zip([0, *widths], widths, blocks, strict=False):
        layers += [resize(before, width)] if before else []
        layers += [ResBlock(width) for _ in range(count)]
    return nn.Sequential(*layers, nn.GroupNorm(GROUPS, widths[-1]), nn.SiLU())
