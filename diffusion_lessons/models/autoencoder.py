"""The autoencoder: pictures to latents of 48 times fewer numbers, and back.

After Kingma & Welling 2014 (a mean and a variance for each number, not one value) and Rombach et
al. 2022 section 3.1 (latents that stay a small picture, so that a U-Net can work on them). The
decoder is the larger half: what is missing in the latent, it has to know.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks import GROUPS, Down, start_at_zero

LATENT_CHANNELS = 4  # 64x64x3 become 8x8x4, as 512x512x3 become 64x64x4 in Stable Diffusion
FOLD = 4  # the first layer cuts the picture into squares of this side


class PlainBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut: a `ResBlock` that knows of no time.

    Args:
        channels: of the map, which keeps its shape (B, channels, h, w). A multiple of 8.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm_1, self.norm_2 = nn.GroupNorm(GROUPS, channels), nn.GroupNorm(GROUPS, channels)
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_2 = start_at_zero(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w), the same shape out."""
        h = self.conv_1(functional.silu(self.norm_1(x)))
        return x + self.conv_2(functional.silu(self.norm_2(h)))


class Spread(nn.Module):
    """Doubles height and width, the mirror of `Down`: each place becomes a 2x2 square."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.mix = nn.Conv2d(channels_in, 4 * channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, h, w) to (B, channels_out, 2h, 2w)."""
        return functional.pixel_shuffle(self.mix(x), 2)


class Autoencoder(nn.Module):
    """Pictures (B, 3, H, W) to latents (B, 4, H / 8, W / 8) and back; H, W multiples of 8.

    Args:
        encoder: channels at a quarter and at an eighth of the picture's side. Multiples of 8.
        encoder_blocks: how many blocks work at each of the two.
        decoder: channels at an eighth, a quarter and a half of the side. Multiples of 8.
        decoder_blocks: how many blocks work at each of the three.
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
        self.stem = nn.Conv2d(3 * FOLD**2, encoder[0], 3, padding=1)
        self.down = nn.Sequential(
            *_blocks(encoder[0], encoder_blocks[0]),
            Down(encoder[0], encoder[1]),
            *_blocks(encoder[1], encoder_blocks[1]),
            nn.GroupNorm(GROUPS, encoder[1]),
            nn.SiLU(),
        )
        self.to_latent = nn.Conv2d(encoder[1], 2 * LATENT_CHANNELS, 1)
        self.from_latent = nn.Conv2d(LATENT_CHANNELS, decoder[0], 3, padding=1)
        self.up = nn.Sequential(
            *_blocks(decoder[0], decoder_blocks[0]),
            Spread(decoder[0], decoder[1]),
            *_blocks(decoder[1], decoder_blocks[1]),
            Spread(decoder[1], decoder[2]),
            *_blocks(decoder[2], decoder_blocks[2]),
            nn.GroupNorm(GROUPS, decoder[2]),
            nn.SiLU(),
        )
        self.head = nn.Conv2d(decoder[2], 3 * 2**2, 3, padding=1)
        self.to(memory_format=torch.channels_last)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log of the variance of each latent number: (B, 3, H, W) in [-1, 1] to two
        tensors (B, 4, H / 8, W / 8). Raises ValueError for pictures of another shape."""
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] % 8 or images.shape[3] % 8:
            raise ValueError(
                f"pictures have shape {tuple(images.shape)}; the encoder takes (B, 3, H, W) with "
                "H and W multiples of 8, such as (1, 3, 64, 64)"
            )
        h = self.down(self.stem(functional.pixel_unshuffle(images, FOLD)))
        mean, log_variance = self.to_latent(h).chunk(2, dim=1)
        return mean, log_variance.clamp(-20, 2)

    def decode(self, z: Tensor) -> Tensor:
        """Pictures of latents (B, 4, h, w): (B, 3, 8 h, 8 w), about in [-1, 1].

        Raises ValueError for latents of another shape."""
        if z.ndim != 4 or z.shape[1] != LATENT_CHANNELS:
            raise ValueError(
                f"latents have shape {tuple(z.shape)}; the decoder takes (B, {LATENT_CHANNELS}, h, "
                "w), such as (1, 4, 8, 8)"
            )
        return functional.pixel_shuffle(self.head(self.up(self.from_latent(z))), 2)


def _blocks(channels: int, count: int) -> list[PlainBlock]:
    return [PlainBlock(channels) for _ in range(count)]
