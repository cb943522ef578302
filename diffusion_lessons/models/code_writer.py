"""A causal transformer that writes a picture code by code, as language models write text.

After DALL-E (Ramesh et al. 2021) and LlamaGen (Sun et al. 2024). The words of the caption are not
part of the sequence: they lend every layer keys and values, which all places may look at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion_lessons import arguments

from . import layers
from .transformer import RMSNorm, positions


def causal_mask(n: int) -> Tensor:
    """Return who may look at whom among n in a row, bool (n, n): each at itself and those before.

    True where a query (row) may look at a key (column), as torch's attention takes it."""
    return torch.ones(n, n, dtype=torch.bool).tril()


@dataclass(frozen=True)
class Cache:
    """The keys and values, (B, heads, L, 32), of what every block has read, first the words; and
    the number of codes among them."""

    keys_values: list[tuple[Tensor, Tensor]]
    length: int


class CausalBlock(nn.Module):
    """Let each place ask the words, the places before it and itself; then think for itself."""

    def __init__(self, width: int, context_channels: int):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.read_words = nn.Linear(context_channels, 2 * width)
        self.norm_q, self.norm_k = RMSNorm(layers.HEAD), RMSNorm(layers.HEAD)
        self.to_out = layers.start_at_zero(nn.Linear(width, width))
        last = layers.start_at_zero(nn.Linear(4 * width, width))
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), last)

    def words(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and values of a caption's context (B, L, D)."""
        k, v = self._split(self.read_words(context), 2)
        return self.norm_k(k), v

    def forward(
        self, x: Tensor, before: tuple[Tensor, Tensor], mask: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return places (B, N, C), and all keys and values, those `before` them included."""
        q, k, v = self._split(self.to_qkv(self.norm_1(x)), 3)
        k, v = torch.cat([before[0], self.norm_k(k)], dim=2), torch.cat([before[1], v], dim=2)
        found = functional.scaled_dot_product_attention(self.norm_q(q), k, v, attn_mask=mask)
        x = x + self.to_out(found.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm_2(x)), (k, v)

    def _split(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Cut (B, N, parts * C) into heads: each part (B, heads, N, 32)."""
        return x.unflatten(2, (parts, -1, layers.HEAD)).permute(2, 0, 3, 1, 4).unbind()


class CodeWriter(nn.Module):
    """Say how likely each code is at each place, given the caption and the codes before.

    Args:
        codes: how many there are.
        side: a picture has side * side places, in reading order.
        width: of every token, a multiple of 32; heads have 32 channels.
        depth: how many blocks.
        context_channels: of the context, which the caption encoder returns for each word.

    Attributes:
        mask: who may look at whom; a function as `causal_mask`.

    Raises:
        ValueError: a width that is no multiple of 32.
    """

    mask: Callable[[int], Tensor]
    blocks: Any  # a list of CausalBlock
    outer_layers = ("first", "codes", "places", "head")  # AdamW trains these, Muon the others

    def __init__(
        self, codes: int = 512, side: int = 8, width: int = 256, depth: int = 4,
        context_channels: int = 128,
    ):  # fmt: skip
        super().__init__()
        arguments.sizes(locals())
        if width % layers.HEAD:
            raise ValueError(f"width is {width}: give a multiple of {layers.HEAD}, one for a head")
        self.context_channels, self.mask = context_channels, causal_mask
        self.first = nn.Parameter(torch.randn(1, 1, width))  # stands where no code is before
        self.codes = nn.Embedding(codes, width)
        self.places = nn.Parameter(positions(side, side, width))
        self.blocks = nn.ModuleList(CausalBlock(width, context_channels) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = layers.start_at_zero(nn.Linear(width, codes))

    def forward(self, codes: Tensor, context: Tensor) -> Tensor:
        """Return the logits of the code at each place, (B, N, codes): of place i from the codes
        before it. So the last code counts for nothing.

        codes: int64 (B, N). context: (B, L, D), from the caption encoder. Raises ValueError for
        shapes that do not fit.
        """
        arguments.shape("codes", codes, ("B", "N"), ", numbers of codes in reading order")
        arguments.indices("codes", codes, 0, self.codes.num_embeddings - 1)
        sizes, like = (len(codes), "L", self.context_channels), self.first.dtype
        arguments.shape("context", context, sizes, ", a caption for each row of codes", like)
        first = self.first.expand(len(codes), -1, -1)
        x = torch.cat([first, self.codes(codes[:, :-1])], dim=1)
        return self._run(x, self.begin(context))[0]

    def begin(self, context: Tensor) -> Cache:
        """Return the cache before the first code: what the blocks keep of the words (B, L, D)."""
        return Cache([block.words(context) for block in self.blocks], 0)

    def step(self, code: Tensor | None, cache: Cache) -> tuple[Tensor, Cache]:
        """Return the logits of the next code, (B, codes), and a cache with one more place.

        code: the last code, int64 (B,), or None before the first. All that came before it is in
        the cache, so that this costs one place's work."""
        count = len(cache.keys_values[0][0])
        first = self.first.expand(count, -1, -1)
        x = first if code is None else self.codes(code)[:, None]
        logits, cache = self._run(x, cache)
        return logits[:, 0], cache

    def _run(self, x: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        n, kept = x.shape[1], []
        x = x + self.places[cache.length : cache.length + n]
        known = cache.keys_values[0][0].shape[2]  # words and codes that all may look at
        mask = torch.cat([torch.ones(n, known, dtype=torch.bool), self.mask(n)], dim=1)
        mask = mask.to(x.device)
        for block, before in zip(self.blocks, cache.keys_values, strict=True):
            x, after = block(x, before, mask)
            kept.append(after)
        return self.head(self.norm(x)), Cache(kept, cache.length + n)
