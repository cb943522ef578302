"""The U-Nets of the lessons: a noisy picture and its noise level in, a guess of the same shape out.

After Ronneberger et al. 2015 (the shape: down, up, and skips between), Ho et al. 2020 appendix B
(time enters every block, attention where the picture is small) and Nichol & Dhariwal 2021 section
3 (time as scale and shift); where a caption counts, Rombach et al. 2022 section 3.3 (after the
residual block every place attends to all words). Sized for a CPU core: the picture is folded before
the first block, so that no block works on full-size maps.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion_lessons import arguments

from . import layers


class UNet(nn.Module):
    """A small U-Net: blocks, halvings, blocks, and doublings with skips, on a folded picture.

    Args:
        channels: of what goes in and comes out: 3 or 1 for pictures.
        widths: channels of each level, from fine to coarse; each level halves height and width.
            Multiples of 8.
        blocks: how many blocks each level has before, and again after the coarser ones; the last
            number is for the coarsest level, the middle, which has them once.
        patch: the picture is cut into squares of this side, each of which becomes one place.
        factors: how many words each label has, (8, 7) for 8 objects and 7 colours, (10,) for ten
            classes, () for a network that takes nothing but the time.
        block, middle: build a block, and the middle, from its channels, those of the embedding,
            how many blocks the middle has, and `block`.

    Raises:
        ValueError: as many `blocks` as `widths` are needed; widths that are no multiples of 8.
    """

    #: AdamW trains these, Muon the others.
    outer_layers: tuple[str, ...] = ("stem", "head", "label_embeddings")

    def __init__(
        self,
        channels: int = 3,
        widths: Sequence[int] = (48, 96),
        blocks: Sequence[int] = (1, 2),
        patch: int = 2,
        factors: Sequence[int] = (),
        block: layers.Build = layers.ResBlock,
        middle: Callable[[int, int, int, layers.Build], nn.Module] = layers.MidBlock,
    ):
        super().__init__()
        arguments.sizes(locals(), "widths", "blocks", "factors")
        if len(widths) != len(blocks) or any(width % layers.GROUPS for width in widths):
            wanted = f"as many of both, and widths that are multiples of {layers.GROUPS}"
            raise ValueError(f"widths {tuple(widths)} and blocks {tuple(blocks)}: give {wanted}")
        self.channels, self.patch, self.factors = channels, patch, tuple(factors)
        self.widths = tuple(widths)
        emb, folded = 2 * widths[-1], channels * patch**2
        first = nn.Linear(layers.TIME_FEATURES, emb)
        self.time_embedding = nn.Sequential(first, nn.SiLU(), nn.Linear(emb, emb))
        self.label_embeddings = nn.ModuleList(nn.Embedding(words, emb) for words in factors)
        self.stem = nn.Conv2d(folded, widths[0], 3, padding=1)
        self.down_blocks, self.downsamplers = nn.ModuleList(), nn.ModuleList()
        self.upsamplers, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        for fine, coarse, count in zip(widths, widths[1:], blocks, strict=False):
            self.down_blocks.append(layers.Blocks(block(fine, emb) for _ in range(count)))
            self.downsamplers.append(layers.Down(fine, coarse))
            self.upsamplers.insert(0, layers.Up(coarse, fine))
            self.up_blocks.insert(0, layers.Blocks(block(fine, emb) for _ in range(count)))
        self.mid_block = middle(widths[-1], emb, blocks[-1], block)
        self.norm = nn.GroupNorm(layers.GROUPS, widths[0])
        self.head = layers.start_at_zero(nn.Conv2d(widths[0], folded, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # a tenth faster on a CPU

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the network's output for noisy pictures, (B, C, H, W).

        x_t: (B, C, H, W), H and W multiples of patch * 2**(levels - 1). t: (B,) floats in [0, 1].
        labels: (B, K) int64, an index for each of the K factors, -1 where a factor is left open;
        None leaves all open. Raises ValueError for shapes, or labels, that do not fit this network.
        """
        self.refuse_misfits(x_t, t)
        if labels is not None:
            sizes = (len(x_t), len(self.factors))
            arguments.shape("labels", labels, sizes, ", an index for each factor")
            for place, words in enumerate(self.factors):
                arguments.indices(f"factor {place}", labels[:, place], -1, words - 1)
        return self.run(x_t, self.embed(t, labels))

    def run(
        self, x_t: Tensor, emb: Tensor, *context: Tensor, residuals: Sequence[Tensor] = ()
    ) -> Tensor:
        """Go down, through the middle and up: x_t (B, C, H, W) and emb (B, emb) to (B, C, H, W);
        each block is also given the context (B, L, D), if there is one. residuals: to be added to
        what `descend` returns; none, or one for each of its maps."""
        x = self.stem(functional.pixel_unshuffle(x_t, self.patch))
        levels = self.descend(x, emb, *context)
        if residuals:
            levels = [level + part for level, part in zip(levels, residuals, strict=True)]
        *skips, x = levels
        for up, blocks in zip(self.upsamplers, self.up_blocks, strict=True):
            x = blocks(up(x, skips.pop()), emb, *context)
        return functional.pixel_shuffle(self.head(functional.silu(self.norm(x))), self.patch)

    def descend(self, x: Tensor, emb: Tensor, *context: Tensor) -> list[Tensor]:
        """Go down from what the stem returns and through the middle: the map that each level hands
        to the way up, from fine to coarse; the last is the middle's."""
        levels = []
        for blocks, down in zip(self.down_blocks, self.downsamplers, strict=True):
            levels.append(blocks(x, emb, *context))
            x = down(levels[-1])
        return [*levels, self.mid_block(x, emb, *context)]

    def embed(self, t: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the embedding of times and of the labels that are given; (B, emb)."""
        emb = self.time_embedding(layers.time_features(t))
        if labels is not None:
            for table, label in zip(self.label_embeddings, labels.unbind(dim=1), strict=True):
                emb = emb + table(label.clamp(min=0)) * (label >= 0)[:, None]
        return functional.silu(emb)

    def refuse_misfits(self, x_t: Tensor, t: Tensor) -> None:
        """Raise ValueError for an x_t or a t whose shape does not fit this network."""
        n, c = self.patch * 2 ** len(self.downsamplers), self.channels
        example = f", such as (1, {c}, {8 * n}, {8 * n})"
        like = self.stem.weight.dtype
        arguments.shape("x_t", x_t, ("B", c, f"{n}h", f"{n}w"), example, like)
        arguments.shape("t", t, x_t.shape[:1], ", a time for each x_t", like)


class TextUNet(UNet):
    """A U-Net for latents (B, 4, h, w) that takes a caption's context.

    Every block attends to the caption; those of the coarsest level have self-attention as well.
    channels: of the latents. widths: multiples of 32. context_channels: of the context, which the
    caption encoder returns for each word. `blocks`, and errors: as in `UNet`.
    """

    def __init__(
        self,
        channels: int = 4,
        widths: Sequence[int] = (96, 192),
        blocks: Sequence[int] = (2, 2),
        context_channels: int = 128,
    ):
        arguments.sizes({"context_channels": context_channels})
        block = partial(layers.CrossAttnBlock, context_channels=context_channels)

        def middle(width: int, emb: int, count: int, _: layers.Build) -> nn.Module:
            return layers.Blocks(block(width, emb, self_attn=True) for _ in range(count))

        super().__init__(channels, widths, blocks, 1, (), block, middle)
        self.context_channels = context_channels

    def forward(  # type: ignore[override]
        self, x_t: Tensor, t: Tensor, context: Tensor, residuals: Sequence[Tensor] = ()
    ) -> Tensor:
        """Return the network's output for noisy latents, (B, channels, h, w).

        context: (B, L, context_channels), from the caption encoder. residuals: of a `ControlNet`,
        added to what each level hands to the way up. x_t, t, errors: as in `UNet`.
        """
        self.refuse_misfits(x_t, t, context)
        return self.run(x_t, self.embed(t), context, residuals=residuals)

    def refuse_misfits(self, x_t: Tensor, t: Tensor, context: Tensor) -> None:  # type: ignore[override]
        """Raise ValueError for an x_t, a t or a context whose shape does not fit this network."""
        super().refuse_misfits(x_t, t)
        sizes = (len(x_t), "L", self.context_channels)
        hint, like = ", a caption for each of the latents", self.stem.weight.dtype
        arguments.shape("context", context, sizes, hint, like)
