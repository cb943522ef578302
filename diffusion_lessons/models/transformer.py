"""A diffusion transformer: places and words are tokens of one sequence, in every block alike.

After the MMDiT of Stable Diffusion 3 (Esser et al. 2024, section 4 and figure 2): a stream of
places and one of words, each with weights of its own, that meet in one attention; time and caption
scale, shift and gate every block, whose gates start at zero (Peebles & Xie 2023, section 3.2).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion_lessons import arguments

from . import layers

EPSILON = 1e-6  # of every norm
FASTEST = 10.0  # angular frequency of the waves that tell places apart; the slowest has 1


class RMSNorm(nn.Module):
    """Divide by the root of the mean square, over the last axis; nn.RMSNorm cannot be exported.

    Of queries and keys, so that no product of the two grows without limit: Henry et al. 2020.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape (..., channels)."""
        return x * (x.square().mean(dim=-1, keepdim=True) + EPSILON).rsqrt() * self.weight


class Stream(nn.Module):
    """What one kind of token has for itself in a block: projections, an MLP, their modulation.

    width: channels, a multiple of 32. mute: these tokens are asked, but ask nothing themselves.
    """

    def __init__(self, width: int, mute: bool = False):
        super().__init__()
        self.modulation = layers.start_at_zero(nn.Linear(width, (2 if mute else 6) * width))
        self.to_qkv = nn.Linear(width, (2 if mute else 3) * width)
        self.norm_k, self.heads = RMSNorm(layers.HEAD), width // layers.HEAD
        if not mute:
            self.norm_q, self.to_out = RMSNorm(layers.HEAD), nn.Linear(width, width)
            wide = 4 * width
            self.mlp = nn.Sequential(
                nn.Linear(width, wide), nn.GELU(approximate="tanh"), nn.Linear(wide, width)
            )

    def modulate(self, emb: Tensor) -> tuple[Tensor, ...]:
        """Return shift, scale and gate for the attention, then for the MLP, each (B, 1, C)."""
        parts = self.modulation(emb)[:, None]
        return parts.split(emb.shape[1], dim=2)

    def ask(self, x: Tensor, shift: Tensor, scale: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Return queries (if any), keys and values of tokens (B, N, C), each (B, heads, N, 32)."""
        qkv = self.to_qkv(adapted(x, shift, scale)).unflatten(2, (-1, self.heads, layers.HEAD))
        *q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind()
        return [self.norm_q(each) for each in q], self.norm_k(k), v

    def answer(self, x: Tensor, found: Tensor, modulation: Sequence[Tensor]) -> Tensor:
        """Add to tokens (B, N, C) what they found, then what their MLP makes of it, both gated."""
        _, _, gate, shift, scale, gate_mlp = modulation
        x = x + gate * self.to_out(found)
        return x + gate_mlp * self.mlp(adapted(x, shift, scale))


def adapted(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Return tokens (B, N, C) normalised over their channels, then scaled and shifted."""
    return functional.layer_norm(x, (int(x.shape[-1]),), eps=EPSILON) * (1 + scale) + shift


class JointBlock(nn.Module):
    """Let every place and every word ask all places and all words, then think for themselves.

    adaLN-zero: untrained, all gates are zero and the block changes nothing. last: nobody needs the
    words afterwards, so that they stay as they are.
    """

    def __init__(self, width: int, last: bool = False):
        super().__init__()
        self.places, self.words, self.last = Stream(width), Stream(width, mute=last), last

    def forward(self, places: Tensor, words: Tensor, emb: Tensor) -> tuple[Tensor, Tensor]:
        """Return places (B, N, C) and words (B, L, C) of the same shapes, from emb (B, C)."""
        of_places, of_words = self.places.modulate(emb), self.words.modulate(emb)
        q, *kv = self.places.ask(places, *of_places[:2])
        q_words, *kv_words = self.words.ask(words, *of_words[:2])
        k, v = (torch.cat(both, dim=2) for both in zip(kv, kv_words, strict=True))
        found = layers.attend(torch.cat(q + q_words, dim=2), k, v).transpose(1, 2).flatten(2)
        count = places.shape[1]
        places = self.places.answer(places, found[:, :count], of_places)
        if not self.last:
            words = self.words.answer(words, found[:, count:], of_words)
        return places, words


class Transformer(nn.Module):
    """A diffusion transformer for latents (B, channels, h, w) that takes a caption's context.

    Args:
        channels: of the latents.
        width: of every token, a multiple of 32; heads have 32 channels.
        depth: how many blocks.
        patch: latents are cut into squares of this side, each of which becomes one token.
        context_channels: of the context, which the caption encoder returns for each word.

    Raises:
        ValueError: a width that is no multiple of 32.
    """

    outer_layers = ("stem", "head")  # AdamW trains these, Muon the others

    def __init__(
        self,
        channels: int = 4,
        width: int = 192,
        depth: int = 4,
        patch: int = 2,
        context_channels: int = 128,
    ):
        super().__init__()
        arguments.sizes(locals())
        if width % layers.HEAD:
            raise ValueError(f"width is {width}: give a multiple of {layers.HEAD}, one for a head")
        self.channels, self.patch, self.context_channels = channels, patch, context_channels
        folded = channels * patch**2
        first = nn.Linear(layers.TIME_FEATURES, width)
        self.time_embedding = nn.Sequential(first, nn.SiLU(), nn.Linear(width, width))
        self.caption_embedding = nn.Linear(context_channels, width)
        self.stem = nn.Linear(folded, width)
        self.read_words = nn.Linear(context_channels, width)
        self.blocks = nn.ModuleList(JointBlock(width, n == depth - 1) for n in range(depth))
        self.modulation = layers.start_at_zero(nn.Linear(width, 2 * width))
        self.head = layers.start_at_zero(nn.Linear(width, folded))

    def forward(self, x_t: Tensor, t: Tensor, context: Tensor) -> Tensor:
        """Return the network's output for noisy latents, (B, channels, h, w).

        x_t: (B, channels, h, w), h and w multiples of the patch. t: (B,) floats in [0, 1].
        context: (B, L, context_channels), from the caption encoder. Raises ValueError for shapes
        that do not fit this network.
        """
        p, c, like = self.patch, self.channels, next(self.parameters()).dtype
        example = f", such as (1, {c}, {8 * p}, {8 * p})"
        arguments.shape("x_t", x_t, ("B", c, f"{p}h", f"{p}w"), example, like)
        arguments.shape("t", t, x_t.shape[:1], ", a time for each x_t", like)
        sizes = (len(x_t), "L", self.context_channels)
        arguments.shape("context", context, sizes, ", a caption for each of the latents", like)
        return self.run(x_t, t, context)

    def run(self, x_t: Tensor, t: Tensor, context: Tensor) -> Tensor:
        """Do what `forward` does, from shapes that fit."""
        emb = self.embed(t, context)
        folded = functional.pixel_unshuffle(x_t, self.patch)
        h, w = map(int, folded.shape[2:])
        places = self.stem(folded.flatten(2).transpose(1, 2))
        places = places + positions(h, w, self.stem.out_features).to(places)
        words = self.read_words(context)
        for block in self.blocks:
            places, words = block(places, words, emb)
        shift, scale = self.modulation(emb)[:, None].chunk(2, dim=2)
        out = self.head(adapted(places, shift, scale)).transpose(1, 2).unflatten(2, (h, w))
        return functional.pixel_shuffle(out, self.patch)

    def embed(self, t: Tensor, context: Tensor) -> Tensor:
        """Return the embedding of times (B,) and of whole captions (B, L, D); (B, width)."""
        time = self.time_embedding(layers.time_features(t))
        return functional.silu(time + self.caption_embedding(context.mean(dim=1)))


def positions(h: int, w: int, channels: int) -> Tensor:
    """Return what tells h * w places apart, row by row: (h * w, channels) of sines and cosines.

    Half of the channels tell how far down a place lies in the picture, half how far to the right,
    both from -1 to 1; so places of a larger picture lie between those of a smaller one.
    """
    frequency = torch.logspace(0, math.log10(FASTEST), channels // 4)
    angles = ((2 * torch.arange(n)[:, None] + 1 - n) / n * frequency for n in (h, w))
    down, right = (torch.cat([angle.sin(), angle.cos()], dim=1) for angle in angles)
    return torch.cat([down.repeat_interleave(w, dim=0), right.repeat(h, 1)], dim=1)
