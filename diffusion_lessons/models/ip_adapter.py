"""The IP-Adapter: a picture as a prompt for a text U-Net that stays frozen. Ye et al. 2023."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .layers import cross_attentions, twin
from .unet import TextUNet


class IPAdapter(nn.Module):
    """Turn a picture into tokens, and let each cross-attention of a U-Net look at these as well.

    Nothing in it has a bias: without a picture, at features of 0, the tokens and all that they add
    are 0, and the network is the frozen one.

    features: how many numbers describe a picture. width: of a token, as of the words' context.
    channels: of each cross-attention, in the order of the U-Net's layers. tokens: of a picture.
    """

    outer_layers = ("project",)  # AdamW trains these, Muon the others

    def __init__(self, features: int, width: int, channels: Sequence[int], tokens: int = 4):
        super().__init__()
        self.tokens, self.fits = tokens, [(width, 2 * c) for c in channels]
        self.project = nn.Linear(features, tokens * width, bias=False)
        self.norm = nn.LayerNorm(width, bias=False)
        self.to_kv = nn.ModuleList(nn.Linear(*sizes, bias=False) for sizes in self.fits)

    def forward(self, features: Tensor) -> Tensor:
        """Return the tokens (B, tokens, width) of pictures' features (B, features)."""
        return self.norm(self.project(features).unflatten(1, (self.tokens, -1)))

    def attached(self, unet: TextUNet, scale: float = 1.0) -> TextUNet:
        """Return a U-Net on the same weights, for contexts (B, L + tokens, width) that end with a
        picture's tokens. Raises ValueError for a U-Net with other cross-attentions."""
        unet = twin(unet)
        layers: list[Any] = cross_attentions(unet)
        found = [(layer.to_kv.in_features, layer.to_kv.out_features) for layer in layers]
        if found != self.fits:
            problem = f"its cross-attentions turn {found} numbers, the adapter's {self.fits}"
            raise ValueError(f"an IP-Adapter of another U-Net: {problem}")
        for layer, to_kv in zip(layers, self.to_kv, strict=True):
            layer.sources = partial(words_and_picture, layer, to_kv, self.tokens, scale)
        return unet


def words_and_picture(
    layer: Any, to_kv: Any, tokens: int, scale: float, context: Tensor
) -> list[Tensor]:
    """Return the keys and values of the words, and of the tokens, whose values are scaled.

    Two attentions, added: appended tokens would take a share of the looks. Ye et al. 2023 eq. 5.
    """
    words, picture = context[:, :-tokens], context[:, -tokens:]
    k, v = layer.keys_values(picture, to_kv)
    return [layer.keys_values(words), torch.stack([k, scale * v])]
