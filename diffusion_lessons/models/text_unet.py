"""The U-Net that listens: it denoises latents, and looks up the words of a caption while it does.

Rombach et al. 2022 section 3.3: after the blocks of each level, every place of the map asks all
words of the caption (cross-attention). Built from the blocks of `unet`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .unet import GROUPS, TIME_FEATURES, Attention, Down, ResBlock, Up, start_at_zero, time_features

HEAD = 32  # channels of each attention head


class CrossAttention(nn.Module):
    """Lets every place ask every word: (B, channels, h, w) and (B, L, D), to (B, channels, h, w).

    The places ask (queries), the words answer (keys and values); around a shortcut. Rombach et al.
    2022 section 3.3.
    """

    def __init__(self, channels: int, context_channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.to_q = nn.Conv2d(channels, channels, 1)
        self.to_kv = nn.Linear(context_channels, 2 * channels)
        self.to_out = start_at_zero(nn.Conv2d(channels, channels, 1))
        self.heads = max(1, channels // HEAD)

    def ask(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """How strongly each place looks at each word, (B, heads, places, L), and what the words
        answer, (B, heads, L, 32). Vaswani et al. 2017 eq. 1, written out: on maps this small it is
        trained faster than torch's own function."""
        b, c, h, w = x.shape
        q = self.to_q(self.norm(x)).reshape(b, self.heads, c // self.heads, h * w).transpose(2, 3)
        kv = self.to_kv(context).view(b, -1, 2, self.heads, c // self.heads)
        k, v = kv.permute(2, 0, 3, 1, 4)
        return (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(dim=-1), v

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Places (B, C, h, w) and context (B, L, D) to (B, C, h, w)."""
        weights, answers = self.ask(x, context)
        found = weights.to(answers.dtype) @ answers
        return x + self.to_out(found.transpose(2, 3).reshape(x.shape))

    def weights(self, x: Tensor, context: Tensor) -> Tensor:
        """How strongly each place looks at each word, mean over the heads: (B, h, w, L), 1 in all
        for each place."""
        weights, _ = self.ask(x, context)
        return weights.mean(dim=1).view(len(x), *x.shape[2:], -1)


class Listen(nn.Module):
    """One block of a level: look around, perhaps look everywhere, then ask the words."""

    def __init__(self, channels: int, emb: int, context_channels: int, everywhere: bool):
        super().__init__()
        self.near = ResBlock(channels, emb)
        self.far = Attention(channels) if everywhere else None
        self.words = CrossAttention(channels, context_channels)

    def forward(self, x: Tensor, emb: Tensor, context: Tensor) -> Tensor:
        """(B, C, h, w), with emb (B, emb) and context (B, L, D), to (B, C, h, w)."""
        x = self.near(x, emb)
        if self.far is not None:
            x = self.far(x)
        return self.words(x, context)


class TextUNet(nn.Module):
    """A U-Net of two levels for latents (B, 4, h, w), h and w even, that is told a caption.

    Args:
        channels: of the latents.
        widths: channels of the two levels, the fine one (h, w) and the coarse one (h / 2, w / 2).
            Multiples of 32.
        blocks: how many blocks the fine level has on the way down, and again on the way up; how
            many the coarse level has, each of which looks everywhere.
        context_channels: of the context, what the caption encoder gives for each word.
    """

    outer_layers = ("stem", "head")  # AdamW trains these, Muon what lies between

    def __init__(
        self,
        channels: int = 4,
        widths: Sequence[int] = (96, 192),
        blocks: Sequence[int] = (2, 2),
        context_channels: int = 128,
    ):
        super().__init__()
        self.channels, self.context_channels = channels, context_channels
        fine, coarse = widths
        emb = 2 * coarse
        self.time = nn.Sequential(nn.Linear(TIME_FEATURES, emb), nn.SiLU(), nn.Linear(emb, emb))
        self.stem = nn.Conv2d(channels, fine, 3, padding=1)
        self.on_the_way_down = _blocks(blocks[0], fine, emb, context_channels, False)
        self.down = Down(fine, coarse)
        self.middle = _blocks(blocks[1], coarse, emb, context_channels, True)
        self.up = Up(coarse, fine)
        self.on_the_way_up = _blocks(blocks[0], fine, emb, context_channels, False)
        self.norm = nn.GroupNorm(GROUPS, fine)
        self.head = start_at_zero(nn.Conv2d(fine, channels, 3, padding=1))
        self.to(memory_format=torch.channels_last)

    def forward(self, x_t: Tensor, t: Tensor, context: Tensor) -> Tensor:
        """The network's output for noisy latents.

        Args:
            x_t: (B, channels, h, w), h and w even.
            t: (B,) floats in [0, 1].
            context: (B, L, context_channels), from the caption encoder.

        Raises:
            ValueError: shapes that do not fit this network.
        """
        self._refuse_misfits(x_t, t, context)
        emb = functional.silu(self.time(time_features(t)))
        x = self.stem(x_t)
        for block in self.on_the_way_down:
            x = block(x, emb, context)
        skip, x = x, self.down(x)
        for block in self.middle:
            x = block(x, emb, context)
        x = self.up(x, skip)
        for block in self.on_the_way_up:
            x = block(x, emb, context)
        return self.head(functional.silu(self.norm(x)))

    def _refuse_misfits(self, x_t: Tensor, t: Tensor, context: Tensor) -> None:
        if x_t.ndim != 4 or x_t.shape[1] != self.channels or x_t.shape[2] % 2 or x_t.shape[3] % 2:
            raise ValueError(
                f"x_t has shape {tuple(x_t.shape)}; this network takes latents "
                f"(B, {self.channels}, h, w) with h and w even, such as (1, {self.channels}, 8, 8)"
            )
        if t.shape != x_t.shape[:1]:
            raise ValueError(
                f"t has shape {tuple(t.shape)} for {len(x_t)} latents: give each its time, "
                f"torch.full(({len(x_t)},), 0.5)"
            )
        if (
            context.ndim != 3
            or len(context) != len(x_t)
            or context.shape[2] != self.context_channels
        ):
            raise ValueError(
                f"context has shape {tuple(context.shape)} for {len(x_t)} latents; this network "
                f"takes ({len(x_t)}, words, {self.context_channels}), one caption for each"
            )


def _blocks(count: int, channels: int, emb: int, context: int, everywhere: bool) -> nn.ModuleList:
    return nn.ModuleList(Listen(channels, emb, context, everywhere) for _ in range(count))
