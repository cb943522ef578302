"""The U-Net of the lessons: a noisy picture and its noise level in, a guess of the same shape out.

After Ronneberger et al. 2015 (the shape: down, up, and skips between), Ho et al. 2020 appendix B
(time enters every block, attention where the picture is small) and Nichol & Dhariwal 2021 section
3 (time as scale and shift). Sized for a CPU core: the picture is folded before the first block, so
that no block works on full-size maps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks import (
    GROUPS,
    TIME_FEATURES,
    Blocks,
    Down,
    KeysValues,
    MidBlock,
    ResBlock,
    Up,
    start_at_zero,
    time_features,
)


class Trunk(nn.Module):
    """The U that all U-Nets of the course share: blocks, halvings, blocks, doublings with skips.

    Args:
        channels: of what goes in and comes out, before it is folded.
        widths: channels of each level, from fine to coarse; each level halves height and width.
            Multiples of 8.
        blocks: how many blocks each level has before, and again after the coarser ones; the last
            number is for the coarsest level, the middle, which has them once.
        patch: the picture is cut into squares of this side, each of which becomes one place.
        block: builds a block, from its channels and those of the embedding.
        middle: builds the middle, from its channels, those of the embedding, and how many blocks.
        factors: how many words each label has, see `UNet`.

    Raises:
        ValueError: as many `blocks` as `widths` are needed; widths that are no multiples of 8.
    """

    outer_layers: tuple[str, ...] = ("stem", "head")  # AdamW trains these, Muon the others

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        patch: int,
        block: Callable[[int, int], nn.Module],
        middle: Callable[[int, int, int], nn.Module],
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
        emb, folded = 2 * widths[-1], channels * patch**2
        self.time_embedding = nn.Sequential(
            nn.Linear(TIME_FEATURES, emb), nn.SiLU(), nn.Linear(emb, emb)
        )
        self.label_embeddings = nn.ModuleList(nn.Embedding(words, emb) for words in factors)
        self.stem = nn.Conv2d(folded, widths[0], 3, padding=1)
        self.down_blocks, self.downsamplers = nn.ModuleList(), nn.ModuleList()
        self.upsamplers, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        for fine, coarse, count in zip(widths, widths[1:], blocks, strict=False):
            self.down_blocks.append(Blocks(block(fine, emb) for _ in range(count)))
            self.downsamplers.append(Down(fine, coarse))
            self.upsamplers.insert(0, Up(coarse, fine))
            self.up_blocks.insert(0, Blocks(block(fine, emb) for _ in range(count)))
        self.mid_block = middle(widths[-1], emb, blocks[-1])
        self.norm = nn.GroupNorm(GROUPS, widths[0])
        self.head = start_at_zero(nn.Conv2d(widths[0], folded, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # a tenth faster on a CPU

    def run(self, x_t: Tensor, emb: Tensor, *context: Tensor | KeysValues) -> Tensor:
        """Down, through the middle and up: x_t (B, C, H, W) and emb (B, emb) to (B, C, H, W).

        context: (B, L, D), handed to each block; none for blocks that take none.
        """
        x = self.stem(functional.pixel_unshuffle(x_t, self.patch))
        skips = []
        for blocks, down in zip(self.down_blocks, self.downsamplers, strict=True):
            skips.append(blocks(x, emb, *context))
            x = down(skips[-1])
        x = self.mid_block(x, emb, *context)
        for up, blocks in zip(self.upsamplers, self.up_blocks, strict=True):
            x = blocks(up(x, skips.pop()), emb, *context)
        return functional.pixel_shuffle(self.head(functional.silu(self.norm(x))), self.patch)

    def embed(self, t: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the embedding of times and of the labels that are given; (B, emb)."""
        emb = self.time_embedding(time_features(t))
        if labels is not None:
            for table, label in zip(self.label_embeddings, labels.unbind(dim=1), strict=True):
                emb = emb + table(label.clamp(min=0)) * (label >= 0)[:, None]
        return functional.silu(emb)

    def refuse_misfits(self, x_t: Tensor, t: Tensor) -> None:
        """Raise ValueError for an x_t or a t whose shape does not fit this network."""
        n, c = self.fold_total, self.channels
        if x_t.ndim != 4 or x_t.shape[1] != c or x_t.shape[2] % n or x_t.shape[3] % n:
            raise ValueError(
                f"x_t has shape {tuple(x_t.shape)}; this network takes (B, {c}, H, W) with H and W "
                f"multiples of {n}, such as (1, {c}, {4 * n}, {4 * n})"
            )
        if t.shape != x_t.shape[:1]:
            raise ValueError(
                f"t has shape {tuple(t.shape)} for a batch of {len(x_t)}: give each its time, "
                f"torch.full(({len(x_t)},), 0.5)"
            )


class UNet(Trunk):
    """A small U-Net: folded picture, residual blocks, attention between those of the middle.

    channels: of the pictures, 3 or 1. factors: how many words each label has, (8, 7) for 8 objects
    and 7 colours, (10,) for ten classes, () for a network that takes nothing but the time. The
    other arguments, and errors: as in `Trunk`.
    """

    outer_layers = (*Trunk.outer_layers, "label_embeddings")

    def __init__(
        self,
        channels: int = 3,
        widths: Sequence[int] = (48, 96),
        blocks: Sequence[int] = (1, 2),
        patch: int = 2,
        factors: Sequence[int] = (),
    ):
        super().__init__(channels, widths, blocks, patch, ResBlock, MidBlock, factors)

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the network's output for noisy pictures, (B, C, H, W).

        Args:
            x_t: (B, C, H, W), H and W multiples of patch * 2**(levels - 1).
            t: (B,) floats in [0, 1].
            labels: (B, K) int64, an index for each of the K factors, -1 where a factor is left
                open; None leaves all open.

        Raises:
            ValueError: shapes, or labels, that do not fit this network.
        """
        self.refuse_misfits(x_t, t)
        if labels is not None:
            self._refuse_bad_labels(labels, len(x_t))
        return self.run(x_t, self.embed(t, labels))

    def _refuse_bad_labels(self, labels: Tensor, count: int) -> None:
        if labels.shape != (count, len(self.factors)):
            raise ValueError(
                f"labels have shape {tuple(labels.shape)}; this network takes "
                f"{(count, len(self.factors))}: for each picture one index per factor"
            )
        for place, words in enumerate(self.factors):
            wrong = labels[:, place][labels[:, place] >= words]
            if wrong.numel():
                raise ValueError(
                    f"label {wrong[0].item()} of factor {place}: it has {words} words, "
                    f"so 0 to {words - 1}, or -1 where it is left open"
                )
