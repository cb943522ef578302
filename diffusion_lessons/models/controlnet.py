"""ControlNet: a trained branch beside a frozen text U-Net, which lets an outline lay a picture out.

Zhang, Rao & Agrawala 2023, "Adding conditional control to text-to-image diffusion models".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from diffusion_lessons import arguments

from . import layers
from .unet import TextUNet

FOLD = 8  # pixels of the outline, in height and in width, that become one place


class ControlNet(TextUNet):
    """A copy of a text U-Net's way down that also sees an outline, and tells the U-Net what to add.

    Convolutions that start at zero close it off on both sides (section 3.1): the outline enters
    through one, so that the copy begins where the U-Net stands, and what each level found leaves
    through one, so that at first nothing is added to the U-Net. `blocks` may have fewer blocks for
    the middle than the U-Net has. The other arguments: as in `TextUNet`.
    """

    outer_layers = ("stem", "read_outline")

    def __init__(
        self,
        channels: int = 4,
        widths: Sequence[int] = (96, 192),
        blocks: Sequence[int] = (1, 1),
        context_channels: int = 128,
    ):
        super().__init__(channels, widths, blocks, context_channels)
        del self.upsamplers, self.up_blocks, self.norm, self.head
        self.read_outline = nn.Sequential(
            nn.PixelUnshuffle(FOLD),
            nn.Conv2d(FOLD**2, 2 * widths[0], 3, padding=1),
            nn.SiLU(),
            layers.start_at_zero(nn.Conv2d(2 * widths[0], widths[0], 3, padding=1)),
        )
        self.zero_convs = nn.ModuleList(zero_conv(width) for width in widths)
        self.to(memory_format=torch.channels_last)

    @classmethod
    def from_unet(cls, unet: TextUNet, blocks: Sequence[int] = (1, 1)) -> Self:
        """Return a branch for a U-Net that begins as a copy of its way down."""
        branch = cls(unet.channels, unet.widths, blocks, unet.context_channels)
        own, weights = branch.state_dict(), unet.state_dict()
        branch.load_state_dict(own | {name: weights[name] for name in own if name in weights})
        return branch

    def forward(  # type: ignore[override]
        self, x_t: Tensor, t: Tensor, context: Tensor, outline: Tensor
    ) -> list[Tensor]:
        """Return what to add to each level of the U-Net, its `residuals`, from fine to coarse.

        outline: (B, 1, 8 h, 8 w), 1 on the line and 0 beside it. x_t (B, C, h, w), t, context,
        errors: as in `TextUNet`.
        """
        self.refuse_misfits(x_t, t, context)
        sizes = (len(x_t), 1, *(FOLD * side for side in x_t.shape[2:]))
        arguments.shape("outline", outline, sizes, ", a line drawing for each of the latents")
        return self.run(x_t, self.embed(t), context, self.read_outline(outline))

    def run(  # type: ignore[override]
        self, x_t: Tensor, emb: Tensor, context: Tensor, seen: Tensor
    ) -> list[Tensor]:
        """Do what `forward` does, from the embedding of the times (B, emb) and what `read_outline`
        has seen, (B, width, h, w)."""
        levels = self.descend(self.stem(x_t) + seen, emb, context)
        return [conv(level) for conv, level in zip(self.zero_convs, levels, strict=True)]


class ControlledUNet(nn.Module):
    """A text U-Net with its branch: called as the U-Net is, with an outline and a scale.

    The outline is handed over as `seen`, what the branch's `read_outline` makes of it: it is the
    same at every step.

    words: how many of the context the branch reads, where more than words are in it. `embed` and
    `run` are, as those of the U-Net, the two halves of `forward`.
    """

    def __init__(self, unet: TextUNet, controlnet: ControlNet, words: int | None = None):
        super().__init__()
        self.unet, self.controlnet, self.words = unet, controlnet, words

    def forward(
        self, x_t: Tensor, t: Tensor, context: Tensor, seen: Tensor, scale: Tensor
    ) -> Tensor:
        """Return the U-Net's output with `scale` (B, 1, 1, 1) times the residuals; as in both."""
        self.unet.refuse_misfits(x_t, t, context)
        return self.run(x_t, self.embed(t), context, seen, scale)

    def embed(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embeddings of times (B,) in both networks."""
        return self.unet.embed(t), self.controlnet.embed(t)

    def run(
        self, x_t: Tensor, emb: tuple[Tensor, ...], context: Tensor, seen: Tensor, scale: Tensor
    ) -> Tensor:
        """Do what `forward` does, from what `embed` returns."""
        residuals = self.controlnet.run(x_t, emb[1], context[:, : self.words], seen)
        return self.unet.run(x_t, emb[0], context, residuals=[scale * part for part in residuals])


def zero_conv(channels: int) -> nn.Module:
    """Return a 1x1 convolution that starts at zero."""
    return layers.start_at_zero(nn.Conv2d(channels, channels, 1))
