"""The U-Net of the lessons: a noisy picture and its noise level in, a guess of the same shape out.

After Ronneberger et al. 2015 (the shape: down, up, and skips between), Ho et al. 2020 appendix B
(time enters every block, attention where the picture is small) and Nichol & Dhariwal 2021 section
3 (time as scale and shift). Sized for a CPU core: the picture is folded before the first block, so
that no block works on full-size maps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

TIME_FEATURES = 64  # how many waves describe a time
GROUPS = 8  # of every group norm


def time_features(t: Tensor) -> Tensor:
    """Waves that tell times apart: t (B,) in [0, 1] to (B, 64) of sines and cosines.

    Their angular frequencies rise from 1 to 1000 in equal ratios, slow ones for the coarse time and
    fast ones for the fine. Vaswani et al. 2017 section 3.5; DDPM appendix B.
    """
    frequency = torch.logspace(0, 3, TIME_FEATURES // 2, device=t.device, dtype=t.dtype)
    angle = t[:, None] * frequency  # (B, 32)
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class ResBlock(nn.Module):
    """Looks at each place and its neighbours, and adds what it finds to what came in.

    Two 3x3 convolutions around a shortcut; between them `emb`, the time and the labels, scales and
    shifts every channel. Its last convolution starts at zero: an untrained block changes nothing.

    Args:
        channels: of the map, which keeps its shape (B, channels, h, w). A multiple of 8.
        emb_channels: of `emb` (B, emb_channels).
    """

    def __init__(self, channels: int, emb_channels: int):
        super().__init__()
        self.norm_1, self.norm_2 = nn.GroupNorm(GROUPS, channels), nn.GroupNorm(GROUPS, channels)
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_2 = start_at_zero(nn.Conv2d(channels, channels, 3, padding=1))
        self.scale_shift = start_at_zero(nn.Linear(emb_channels, 2 * channels))

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """(B, C, h, w) and emb (B, emb_channels) to (B, C, h, w)."""
        scale, shift = self.scale_shift(emb)[:, :, None, None].chunk(2, dim=1)
        h = self.conv_1(functional.silu(self.norm_1(x)))
        h = self.norm_2(h) * (1 + scale) + shift
        return x + self.conv_2(functional.silu(h))


class Attention(nn.Module):
    """Lets every place ask every other place: (B, channels, h, w), same shape out.

    Self-attention with heads of 32 channels around a shortcut; Vaswani et al. 2017 eq. 1. Its cost
    grows with the square of the number of places, so it pays where the map is small.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.to_out = start_at_zero(nn.Conv2d(channels, channels, 1))
        self.heads = max(1, channels // 32)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w), the same shape out."""
        b, c, h, w = x.shape
        qkv = self.to_qkv(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, h * w)
        q, k, v = qkv.transpose(3, 4).unbind(dim=1)  # each (B, heads, places, 32)
        found = functional.scaled_dot_product_attention(q, k, v)
        return x + self.to_out(found.transpose(2, 3).reshape(b, c, h, w))


class Down(nn.Module):
    """Halves height and width: each 2x2 square becomes one place with four times the channels,
    which a 1x1 convolution mixes into `channels_out`."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.mix = nn.Conv2d(4 * channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, h, w) to (B, channels_out, h / 2, w / 2)."""
        return self.mix(functional.pixel_unshuffle(x, 2))


class Up(nn.Module):
    """Doubles height and width, the mirror of `Down`, and takes in what skipped the way down."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.spread = nn.Conv2d(channels_in, 4 * channels_out, 1)
        self.join = nn.Conv2d(2 * channels_out, channels_out, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, channels_in, h, w) and a skip (B, channels_out, 2h, 2w), to the shape of the skip."""
        x = functional.pixel_shuffle(self.spread(x), 2)
        return self.join(torch.cat([x, skip], dim=1))


class UNet(nn.Module):
    """A small U-Net: folded picture, blocks on the way down, in the middle and on the way up.

    Args:
        channels: of the pictures, 3 or 1.
        widths: channels of each level, from fine to coarse; each level halves height and width.
            Multiples of 8.
        blocks: how many residual blocks each level has on the way down, and again on the way up;
            the last, coarsest level is the middle and has them once, with attention between.
        patch: the picture is cut into squares of this side, each of which becomes one place.
        factors: how many words each label has: (8, 7) for 8 objects and 7 colours, (10,) for ten
            classes, () for a network that is told nothing but the time.

    Raises:
        ValueError: as many `blocks` as `widths` are needed; widths that are no multiples of 8.
    """

    outer_layers = ("stem", "head", "tables")  # AdamW trains these, Muon what lies between

    def __init__(
        self,
        channels: int = 3,
        widths: Sequence[int] = (48, 96),
        blocks: Sequence[int] = (1, 2),
        patch: int = 2,
        factors: Sequence[int] = (),
    ):
        super().__init__()
        if len(widths) != len(blocks) or any(width % GROUPS for width in widths):
            raise ValueError(
                f"widths {tuple(widths)} and blocks {tuple(blocks)}: give one number of blocks for "
                f"each width, and widths that are multiples of {GROUPS}"
            )
        self.channels, self.patch, self.factors = channels, patch, tuple(factors)
        self.fold_total = patch * 2 ** (len(widths) - 1)  # H and W have to be multiples of it
        emb = 2 * widths[-1]
        folded = channels * patch**2
        self.time = nn.Sequential(nn.Linear(TIME_FEATURES, emb), nn.SiLU(), nn.Linear(emb, emb))
        self.tables = nn.ModuleList(nn.Embedding(words, emb) for words in factors)
        self.stem = nn.Conv2d(folded, widths[0], 3, padding=1)
        self.down_blocks, self.downs = nn.ModuleList(), nn.ModuleList()
        self.ups, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        for fine, coarse, count in zip(widths, widths[1:], blocks, strict=False):
            self.down_blocks.append(_repeat(partial(ResBlock, fine, emb), count))
            self.downs.append(Down(fine, coarse))
            self.ups.insert(0, Up(coarse, fine))
            self.up_blocks.insert(0, _repeat(partial(ResBlock, fine, emb), count))
        self.middle = _repeat(lambda: ResBlock(widths[-1], emb), blocks[-1])
        self.attention = _repeat(lambda: Attention(widths[-1]), blocks[-1] - 1)
        self.norm = nn.GroupNorm(GROUPS, widths[0])
        self.head = start_at_zero(nn.Conv2d(widths[0], folded, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # a tenth faster on a CPU

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        """The network's output for noisy pictures.

        Args:
            x_t: (B, C, H, W), H and W multiples of patch * 2**(levels - 1).
            t: (B,) floats in [0, 1].
            labels: (B, K) int64, an index for each of the K factors, -1 where nothing is said;
                None says nothing at all.

        Raises:
            ValueError: shapes, or labels, that do not fit this network.
        """
        self._refuse_misfits(x_t, t, labels)
        emb = self.embed(t, labels)
        x = self.stem(functional.pixel_unshuffle(x_t, self.patch))
        skips = []
        for blocks, down in zip(self.down_blocks, self.downs, strict=True):
            for block in cast(Iterable[nn.Module], blocks):
                x = block(x, emb)
            skips.append(x)
            x = down(x)
        for index, block in enumerate(self.middle):
            x = block(x, emb)
            if index < len(self.attention):
                x = self.attention[index](x)
        for up, blocks in zip(self.ups, self.up_blocks, strict=True):
            x = up(x, skips.pop())
            for block in cast(Iterable[nn.Module], blocks):
                x = block(x, emb)
        return functional.pixel_shuffle(self.head(functional.silu(self.norm(x))), self.patch)

    def embed(self, t: Tensor, labels: Tensor | None = None) -> Tensor:
        """What every block is told: time, plus one vector for each label that is said; (B, emb)."""
        emb = self.time(time_features(t))
        if labels is not None:
            for table, label in zip(self.tables, labels.unbind(dim=1), strict=True):
                emb = emb + table(label.clamp(min=0)) * (label >= 0)[:, None]
        return functional.silu(emb)

    def _refuse_misfits(self, x_t: Tensor, t: Tensor, labels: Tensor | None) -> None:
        if x_t.ndim != 4 or x_t.shape[1] != self.channels:
            raise ValueError(
                f"x_t has shape {tuple(x_t.shape)}; this network takes (B, {self.channels}, H, W)"
            )
        if x_t.shape[2] % self.fold_total or x_t.shape[3] % self.fold_total:
            raise ValueError(
                f"pictures of {x_t.shape[2]}x{x_t.shape[3]}: height and width have to be multiples "
                f"of {self.fold_total}, such as {4 * self.fold_total} or {8 * self.fold_total}"
            )
        if t.shape != x_t.shape[:1]:
            raise ValueError(
                f"t has shape {tuple(t.shape)} for {len(x_t)} pictures: give each its time, "
                f"torch.full(({len(x_t)},), 0.5)"
            )
        if labels is None:
            return
        if labels.shape != (len(x_t), len(self.factors)):
            raise ValueError(
                f"labels have shape {tuple(labels.shape)}; this network takes "
                f"{(len(x_t), len(self.factors))}: for each picture one index per factor"
            )
        for place, words in enumerate(self.factors):
            wrong = labels[:, place][labels[:, place] >= words]
            if wrong.numel():
                raise ValueError(
                    f"label {wrong[0].item()} of factor {place}: it has {words} words, "
                    f"so 0 to {words - 1}, or -1 for nothing said"
                )


def start_at_zero(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """The same layer, its weights and biases set to 0."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _repeat(make: Callable[[], nn.Module], count: int) -> nn.ModuleList:
    return nn.ModuleList(make() for _ in range(count))
