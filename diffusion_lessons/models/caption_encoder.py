"""The caption encoder: the words of a caption to vectors that say what each means where it stands.

A small transformer (Vaswani et al. 2017). It is trained beforehand, without pictures, by labels of
what each noun's attributes are, and then frozen, as Stable Diffusion's is (Rombach et al. 2022).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion_lessons import arguments

from .layers import HEAD


class WordBlock(nn.Module):
    """Let every word ask every other word, then think for itself.

    Two shortcuts around self-attention and a small MLP, each behind a layer norm. Vaswani et al.
    2017 section 3.2; norms first as in GPT-2.
    """

    def __init__(self, width: int):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.to_out = nn.Linear(width, width)
        wide = 3 * width
        self.mlp = nn.Sequential(nn.Linear(width, wide), nn.SiLU(), nn.Linear(wide, width))

    def forward(self, words: Tensor) -> Tensor:
        """Return words of the same shape (B, L, D)."""
        qkv = self.to_qkv(self.norm_1(words)).unflatten(2, (3, -1, HEAD))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, L, 32)
        found = functional.scaled_dot_product_attention(q, k, v)
        words = words + self.to_out(found.transpose(1, 2).flatten(2))
        return words + self.mlp(self.norm_2(words))


class CaptionEncoder(nn.Module):
    """Turn captions as numbers of words, (B, length), into their context (B, length, width).

    words: how many there are; number 0 is "nothing", which fills up short captions. width: of the
    context, a multiple of 32. layers: how many `WordBlock`s. length: places for words.
    """

    def __init__(self, words: int, width: int = 128, layers: int = 2, length: int = 32):
        super().__init__()
        arguments.sizes(locals())
        self.words, self.length = words, length
        self.word = nn.Embedding(words, width)
        self.place = nn.Parameter(torch.randn(length, width) * 0.3)
        self.blocks = nn.Sequential(*(WordBlock(width) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the context of tokens, int64 (B, length), each from 0 to words - 1; ValueError for
        others."""
        hint = ", as conditioning.tokenise returns them"
        arguments.shape("tokens", tokens, ("N", self.length), hint)
        arguments.indices("tokens", tokens, 0, self.words - 1, hint)
        return self.norm(self.blocks(self.word(tokens) + self.place))


class CaptionReader(nn.Module):
    """Say back what a caption says: a caption encoder with the heads that it was trained with.

    words, width, layers, length: of its `CaptionEncoder`. scene, thing: for each question about
    the scene, and about one thing, how many answers there are.
    """

    outer_layers = ("encoder.word", "encoder.place", "scene", "thing")  # AdamW; Muon the others

    def __init__(
        self, words: int, width: int, layers: int, length: int, scene: list[int], thing: list[int]
    ):
        super().__init__()
        self.encoder = CaptionEncoder(words, width, layers, length)
        self.answers = {"scene": scene, "thing": thing}
        self.scene, self.thing = nn.Linear(width, sum(scene)), nn.Linear(width, sum(thing))

    def forward(self, tokens: Tensor, nouns: Tensor) -> tuple[Tensor, ...]:
        """Return logits (B, answers) for each question about the scene, the first and the second
        thing, from tokens (B, length) and the places of both things' nouns among them, (B, 2).

        The words' mean must say what the scene is; the word that names a thing must say all of that
        thing, its colour and its place, so that who looks at this word knows them.
        """
        words = self.encoder(tokens)
        logits = self.scene(words.mean(dim=1)).split(self.answers["scene"], dim=1)
        for place in nouns.unbind(dim=1):
            noun = words[torch.arange(len(words)), place]
            logits += self.thing(noun).split(self.answers["thing"], dim=1)
        return logits
