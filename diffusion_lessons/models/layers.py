"""The layers of the networks: residual blocks, attention, and what halves and doubles a map.

Each has the interface of its namesake in `diffusers`: a map (B, C, h, w), then the embedding of the
time (B, emb) and the context (B, L, D) where the layer takes them, to a map. Sizes are read with
`int`, so that a graph for the engine holds them as numbers and does not find them again each time.
"""

import copy
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion_lessons import arguments

TIME_FEATURES = 64  # sines and cosines of a time
GROUPS = 8  # of every group norm
HEAD = 32  # channels of each attention head
Build = Callable[[int, int], nn.Module]  # a block, from its channels and those of the embedding


def time_features(t: Tensor) -> Tensor:
    """Return waves that tell times apart: t (B,) in [0, 1] to (B, 64) of sines and cosines.

    Their angular frequencies rise from 1 to 1000 in equal ratios, slow ones for the coarse time and
    fast ones for the fine. Vaswani et al. 2017 section 3.5; DDPM appendix B.
    """
    arguments.shape("t", t, ("B",), ", a time each", arguments.FLOATS)
    # In half precision, 1000 times a time is no time any more.
    dtype = torch.promote_types(t.dtype, torch.float32)
    frequency = torch.logspace(0, 3, TIME_FEATURES // 2, device=t.device, dtype=dtype)
    angle = t[:, None] * frequency  # (B, 32)
    return torch.cat([angle.sin(), angle.cos()], dim=1).to(t.dtype)


def start_at_zero(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """Return the same layer, its weights and biases set to 0."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer


def twin(network: Any) -> Any:
    """Return a network of new layers on the same weights: quicker than a deep copy."""
    other = copy.copy(network)
    other._parameters = dict(network._parameters)
    other._modules = {name: layer and twin(layer) for name, layer in network._modules.items()}
    return other


def count_parameters(model: nn.Module) -> int:
    """Return how many parameters a network has."""
    return sum(p.numel() for p in model.parameters())


class ResBlock(nn.Module):
    """Look at each place and its neighbours, and add what is found to what came in.

    Two 3x3 convolutions around a shortcut; between them `emb`, the time and the labels, scales and
    shifts every channel. Its last convolution starts at zero: an untrained block changes nothing.
    channels: a multiple of 8. emb_channels: of `emb`; None for a block that takes none.
    """

    def __init__(self, channels: int, emb_channels: int | None = None):
        super().__init__()
        arguments.sizes({"channels": channels} if emb_channels is None else locals())
        self.norm_1, self.norm_2 = nn.GroupNorm(GROUPS, channels), nn.GroupNorm(GROUPS, channels)
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_2 = start_at_zero(nn.Conv2d(channels, channels, 3, padding=1))
        if emb_channels is not None:
            self.scale_shift = start_at_zero(nn.Linear(emb_channels, 2 * channels))

    def forward(self, x: Tensor, emb: Tensor | None = None) -> Tensor:
        """Return a map of the same shape, from (B, C, h, w) and emb (B, emb_channels)."""
        h = self.norm_2(self.conv_1(functional.silu(self.norm_1(x))))
        if emb is not None:
            both = self.scale_shift(emb)[:, :, None, None]
            scale, shift = both.split(int(x.shape[1]), dim=1)
            h = h * (1 + scale) + shift
        return x + self.conv_2(functional.silu(h))


class Attention(nn.Module):
    """Let every place ask every other place.

    Self-attention with heads of 32 channels around a shortcut; Vaswani et al. 2017 eq. 1. Its cost
    grows with the square of the number of places, so it pays where the map is small.
    """

    def __init__(self, channels: int):
        super().__init__()
        arguments.sizes(locals())
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.to_out = start_at_zero(nn.Conv2d(channels, channels, 1))
        self.heads = max(1, channels // HEAD)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape (B, C, h, w)."""
        c, h, w = map(int, x.shape[1:])
        qkv = self.to_qkv(self.norm(x)).reshape(-1, 3, self.heads, c // self.heads, h * w)
        q, k, v = qkv.transpose(3, 4).unbind(dim=1)  # each (B, heads, places, 32)
        scale = (c // self.heads) ** -0.5
        found = functional.scaled_dot_product_attention(q, k, v, scale=scale)
        return x + self.to_out(found.transpose(2, 3).reshape(-1, c, h, w))


class CrossAttention(nn.Module):
    """Let every place ask every word, with heads of 32 channels around a shortcut.

    The places ask (queries), the words answer (keys, values). Rombach et al. 2022 section 3.3.
    """

    def __init__(self, channels: int, context_channels: int):
        super().__init__()
        arguments.sizes(locals())
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.to_q = nn.Conv2d(channels, channels, 1)
        self.to_kv = nn.Linear(context_channels, 2 * channels)
        self.to_out = start_at_zero(nn.Conv2d(channels, channels, 1))
        self.heads = max(1, channels // HEAD)

    def keys_values(self, context: Tensor, to_kv: nn.Linear | None = None) -> Tensor:
        """Return the keys and values of a context (B, L, D), (2, B, heads, L, 32), by the layer's
        own linear map or by another."""
        kv = (to_kv or self.to_kv)(context)
        return kv.unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)

    def sources(self, context: Tensor) -> list[Tensor]:
        """Return the keys and values of each attention; what the places find in them is added."""
        return [self.keys_values(context)]

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Return a map of the same shape, from places (B, C, h, w) and context (B, L, D)."""
        c, h, w = map(int, x.shape[1:])
        q = self.to_q(self.norm(x)).reshape(-1, self.heads, c // self.heads, h * w).transpose(2, 3)
        found = reduce(torch.add, (attend(q, k, v) for k, v in self.sources(context)))
        return x + self.to_out(found.transpose(2, 3).reshape(-1, c, h, w))


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return what queries (B, heads, places, 32) find among keys and values (B, heads, L, 32).

    Vaswani et al. 2017 eq. 1, written out: on maps this small it is trained faster than torch's
    own function."""
    weights = (q @ k.transpose(2, 3) / int(q.shape[-1]) ** 0.5).softmax(dim=-1)
    return weights.to(v.dtype) @ v


def cross_attentions(network: nn.Module) -> list[CrossAttention]:
    """Return the cross-attentions of a network, in the order of its layers."""
    return [layer for layer in network.modules() if isinstance(layer, CrossAttention)]


class CrossAttnBlock(nn.Module):
    """Residual block, self-attention if asked for, cross-attention: one layer of a text U-Net."""

    def __init__(
        self, channels: int, emb_channels: int, context_channels: int, self_attn: bool = False
    ):
        super().__init__()
        self.resnet = ResBlock(channels, emb_channels)
        self.attn = Attention(channels) if self_attn else nn.Identity()
        self.cross_attn = CrossAttention(channels, context_channels)

    def forward(self, x: Tensor, emb: Tensor, context: Tensor) -> Tensor:
        """Return a map of the same shape, from (B, C, h, w), emb (B, emb) and context (B, L, D)."""
        return self.cross_attn(self.attn(self.resnet(x, emb)), context)


class Blocks(nn.ModuleList):
    """Blocks in a row: the map goes through all of them, each is given the same `emb`."""

    def forward(self, x: Tensor, emb: Tensor, *context: Tensor) -> Tensor:
        """Return a map of the same shape, from (B, C, h, w), emb (B, emb) and perhaps a context."""
        for block in self:
            x = block(x, emb, *context)
        return x


class MidBlock(nn.Module):
    """Residual blocks with self-attention between them, for the coarsest map."""

    def __init__(self, channels: int, emb_channels: int, count: int, block: Build = ResBlock):
        super().__init__()
        self.resnets = nn.ModuleList(block(channels, emb_channels) for _ in range(count))
        self.attentions = nn.ModuleList(Attention(channels) for _ in range(count - 1))

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """Return a map of the same shape, from (B, C, h, w) and emb (B, emb)."""
        for resnet, attention in zip(self.resnets, [nn.Identity(), *self.attentions], strict=True):
            x = resnet(attention(x), emb)
        return x


class Down(nn.Module):
    """Halve height and width: each 2x2 square becomes one place with four times the channels,
    which a 1x1 convolution mixes into `channels_out`."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        arguments.sizes(locals())
        self.mix = nn.Conv2d(4 * channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels_out, h / 2, w / 2), from (B, channels_in, h, w)."""
        return self.mix(functional.pixel_unshuffle(x, 2))


class Up(nn.Module):
    """Double height and width, the mirror of `Down`, and take in what skipped the way down."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        arguments.sizes(locals())
        self.spread = nn.Conv2d(channels_in, 4 * channels_out, 1)
        self.join = nn.Conv2d(2 * channels_out, channels_out, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return the shape of the skip (B, channels_out, 2h, 2w), from (B, channels_in, h, w)."""
        x = functional.pixel_shuffle(self.spread(x), 2)
        return self.join(torch.cat([x, skip], dim=1))
