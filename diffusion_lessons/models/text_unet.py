"""The U-Net of text to image: it denoises latents and looks the caption up at every level.

Rombach et al. 2022 section 3.3: after the residual block, every place of the map attends to all
words of the caption (cross-attention).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from .blocks import Blocks, CrossAttention, CrossAttnBlock, KeysValues
from .unet import Trunk


class TextUNet(Trunk):
    """A U-Net for latents (B, 4, h, w) that takes a caption's context.

    Every block attends to the caption; those of the coarsest level have self-attention as well.
    channels: of the latents. widths: multiples of 32. context_channels: of the context, which the
    caption encoder returns for each word. `blocks`, and errors: as in `Trunk`.
    """

    def __init__(
        self,
        channels: int = 4,
        widths: Sequence[int] = (96, 192),
        blocks: Sequence[int] = (2, 2),
        context_channels: int = 128,
    ):
        block = partial(CrossAttnBlock, context_channels=context_channels)

        def middle(width: int, emb: int, count: int) -> Blocks:
            return Blocks(block(width, emb, self_attn=True) for _ in range(count))

        super().__init__(channels, widths, blocks, 1, partial(block, self_attn=False), middle)
        self.context_channels = context_channels

    def cross_attentions(self) -> list[CrossAttention]:
        """List its cross-attention layers."""
        return [layer for layer in self.modules() if isinstance(layer, CrossAttention)]

    def forward(self, x_t: Tensor, t: Tensor, context: Tensor | KeysValues) -> Tensor:
        """Return the network's output for noisy latents, (B, channels, h, w).

        Args:
            x_t: (B, channels, h, w), h and w multiples of 2**(levels - 1).
            t: (B,) floats in [0, 1].
            context: (B, L, context_channels), from the caption encoder; or its keys and values.

        Raises:
            ValueError: shapes that do not fit this network.
        """
        self.refuse_misfits(x_t, t)
        if isinstance(context, Tensor):
            self._refuse_bad_context(context, len(x_t))
        return self.run(x_t, self.embed(t), context)

    def _refuse_bad_context(self, context: Tensor, count: int) -> None:
        width = self.context_channels
        if context.ndim != 3 or len(context) != count or context.shape[2] != width:
            raise ValueError(
                f"context has shape {tuple(context.shape)} for {count} latents; this network "
                f"takes ({count}, words, {width}), one caption for each"
            )
