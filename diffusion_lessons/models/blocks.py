"""The layers of the networks: residual blocks, attention, and what halves and doubles a map.

Each has the interface of its namesake in `diffusers`: a map (B, C, h, w), then the embedding of the
time (B, emb) and the context (B, L, D) where the layer takes them, to a map.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

TIME_FEATURES = 64  # sines and cosines of a time
GROUPS = 8  # of every group norm
HEAD = 32  # channels of each attention head

KeysValues = Mapping[nn.Module, tuple[Tensor, Tensor]]
"""What each cross-attention computes of a context; it can be handed over in the context's place."""


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
        self.heads = max(1, channels // HEAD)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w), the same shape out."""
        b, c, h, w = x.shape
        qkv = self.to_qkv(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, h * w)
        q, k, v = qkv.transpose(3, 4).unbind(dim=1)  # each (B, heads, places, 32)
        found = functional.scaled_dot_product_attention(q, k, v)
        return x + self.to_out(found.transpose(2, 3).reshape(b, c, h, w))


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

    def keys_values(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a context (B, L, D), each (B, heads, L, 32): what `forward` computes
        of it, the same at every step of a walk."""
        width = self.to_q.out_channels // self.heads
        kv = self.to_kv(context).view(len(context), -1, 2, self.heads, width)
        k, v = kv.permute(2, 0, 3, 1, 4)
        return k, v

    def ask(self, x: Tensor, context: Tensor | KeysValues) -> tuple[Tensor, Tensor]:
        """How strongly each place looks at each word, (B, heads, places, L), and what the words
        answer, (B, heads, L, 32). Vaswani et al. 2017 eq. 1, written out: on maps this small it is
        trained faster than torch's own function."""
        b, c, h, w = x.shape
        q = self.to_q(self.norm(x)).reshape(b, self.heads, c // self.heads, h * w).transpose(2, 3)
        k, v = self.keys_values(context) if isinstance(context, Tensor) else context[self]
        return (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(dim=-1), v

    def forward(self, x: Tensor, context: Tensor | KeysValues) -> Tensor:
        """Places (B, C, h, w) and context (B, L, D) to (B, C, h, w)."""
        weights, answers = self.ask(x, context)
        found = weights.to(answers.dtype) @ answers
        return x + self.to_out(found.transpose(2, 3).reshape(x.shape))

    def weights(self, x: Tensor, context: Tensor | KeysValues) -> Tensor:
        """How strongly each place looks at each word, mean over the heads: (B, h, w, L), 1 in all
        for each place."""
        weights, _ = self.ask(x, context)
        return weights.mean(dim=1).view(len(x), *x.shape[2:], -1)


class CrossAttnBlock(nn.Module):
    """Residual block, self-attention if asked for, cross-attention: one layer of a text U-Net."""

    def __init__(self, channels: int, emb_channels: int, context_channels: int, self_attn: bool):
        super().__init__()
        self.resnet = ResBlock(channels, emb_channels)
        self.attn = Attention(channels) if self_attn else nn.Identity()
        self.cross_attn = CrossAttention(channels, context_channels)

    def forward(self, x: Tensor, emb: Tensor, context: Tensor | KeysValues) -> Tensor:
        """(B, C, h, w), with emb (B, emb_channels) and context (B, L, D), to (B, C, h, w)."""
        x = self.resnet(x, emb[: x.shape[0]])
        if len(x) < len(emb):  # the same latents with several captions: from here on they differ
            x = x.repeat(emb.shape[0] // x.shape[0], 1, 1, 1)
        return self.cross_attn(self.attn(x), context)


class Blocks(nn.ModuleList):
    """Blocks in a row: the map goes through all of them, each is given the same `emb`."""

    def forward(self, x: Tensor, emb: Tensor, *context: Tensor | KeysValues) -> Tensor:
        """(B, C, h, w), with emb (B, emb_channels) and perhaps a context, to (B, C, h, w)."""
        for block in self:
            x = block(x, emb, *context)
        return x


class MidBlock(nn.Module):
    """Residual blocks with self-attention between them, for the coarsest map."""

    def __init__(self, channels: int, emb_channels: int, count: int):
        super().__init__()
        self.resnets = nn.ModuleList(ResBlock(channels, emb_channels) for _ in range(count))
        self.attentions = nn.ModuleList(Attention(channels) for _ in range(count - 1))

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """(B, C, h, w) and emb (B, emb_channels) to (B, C, h, w)."""
        x = self.resnets[0](x, emb)
        for attention, resnet in zip(self.attentions, self.resnets[1:], strict=True):
            x = resnet(attention(x), emb)
        return x


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


def start_at_zero(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """The same layer, its weights and biases set to 0."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
