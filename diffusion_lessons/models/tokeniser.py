"""A tokeniser of pictures: latents to numbers of codes in a codebook, and back.

After van den Oord et al. 2017 (VQ-VAE): a network looks at the latents and writes a vector for each
place; the nearest code of a learned codebook takes its place; a second network reads the codes.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from diffusion_lessons import arguments

from .autoencoder import LATENT_CHANNELS
from .layers import ResBlock

DEAD = 0.02  # a code is dead where a batch uses it less often than this, on average
FORGETS = 0.95  # what a step leaves of the mean use before


def quantise(z: Tensor, codebook: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest codes of vectors (N, D), and their numbers, int64 (N,).

    The gradient goes straight through to `z`, as if nothing had been replaced: Bengio et al. 2013;
    VQ-VAE eq. 1 to 2. codebook: (K, D).
    """
    arguments.shape("z", z, ("N", "D"), holds=arguments.FLOATS)
    arguments.shape("codebook", codebook, ("B", z.shape[1]), holds=z.dtype)
    numbers = torch.cdist(z.detach(), codebook.detach()).argmin(dim=1)
    return z + (codebook[numbers] - z).detach(), numbers


def perplexity(numbers: Tensor, codes: int) -> float:
    """Return how many codes are in use, as if all of them equally often: e to the entropy."""
    codes = arguments.number("codes", codes, 1, 2**16)
    arguments.indices("numbers", numbers, 0, codes - 1)
    share = torch.bincount(numbers.flatten(), minlength=codes) / numbers.numel()
    return float(torch.special.entr(share).sum().exp())


class Tokeniser(nn.Module):
    """Turn latents (B, 4, h, w) into numbers of codes (B, h, w), and numbers into latents.

    width: channels of both networks, a multiple of 8; blocks: how many each has. codes: of the
    codebook, each of `code_channels` numbers. quantise: an attribute, a function as `quantise`.
    """

    outer_layers = ("stem", "to_code", "codebook", "from_code", "head")  # see `UNet.outer_layers`
    quantise: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    use: Tensor

    def __init__(self, width: int = 96, blocks: int = 2, codes: int = 512, code_channels: int = 8):
        super().__init__()
        arguments.sizes(locals())
        self.stem = nn.Conv2d(LATENT_CHANNELS, width, 3, padding=1)
        self.look = nn.Sequential(*(ResBlock(width) for _ in range(blocks)))
        self.to_code = nn.Conv2d(width, code_channels, 1)
        self.codebook = nn.Parameter(torch.randn(codes, code_channels))
        self.from_code = nn.Conv2d(code_channels, width, 3, padding=1)
        self.read = nn.Sequential(*(ResBlock(width) for _ in range(blocks)))
        self.head = nn.Conv2d(width, LATENT_CHANNELS, 3, padding=1)
        self.register_buffer("use", torch.ones(codes))  # of each code in a batch, on average
        self.quantise = quantise

    def vectors(self, z: Tensor) -> Tensor:
        """Return what stands at each place of latents before the codes do: (B * h * w, D)."""
        sizes, like = ("B", LATENT_CHANNELS, "h", "w"), self.head.weight.dtype
        arguments.shape("z", z, sizes, ", scaled latents", like)
        return self.to_code(self.look(self.stem(z))).permute(0, 2, 3, 1).flatten(0, 2)

    def from_vectors(self, vectors: Tensor, h: int, w: int) -> Tensor:
        """Return the latents (B, 4, h, w) of vectors (B * h * w, D)."""
        places = vectors.view(-1, h, w, vectors.shape[1]).permute(0, 3, 1, 2)
        return self.head(self.read(self.from_code(places)))

    def encode(self, z: Tensor) -> Tensor:
        """Return the numbers of the codes, int64 (B, h, w), of scaled latents (B, 4, h, w)."""
        return self.quantise(self.vectors(z), self.codebook)[1].view(len(z), *z.shape[2:])

    def decode(self, numbers: Tensor) -> Tensor:
        """Return the scaled latents (B, 4, h, w) of numbers of codes (B, h, w).

        Raises ValueError for another shape or a number that the codebook does not have."""
        arguments.shape("numbers", numbers, ("B", "h", "w"), ", numbers of codes")
        arguments.indices("numbers", numbers, 0, len(self.codebook) - 1)
        return self.from_vectors(self.codebook[numbers.flatten()], *numbers.shape[1:])

    @torch.no_grad()
    def count(self, numbers: Tensor) -> None:
        """Remember how often each code was used."""
        now = torch.bincount(numbers.flatten(), minlength=len(self.codebook))
        self.use.lerp_(now.to(self.use), 1 - FORGETS)

    @torch.no_grad()
    def restart(self, vectors: Tensor, dice: torch.Generator) -> int:
        """Put dead codes where some of the vectors (N, D) are; return how many there were.

        So that no code is lost for good: a code that is never the nearest gets no gradient."""
        (dead,) = torch.where(self.use < DEAD)
        rows = torch.randint(len(vectors), (len(dead),), generator=dice).to(vectors.device)
        self.codebook[dead] = vectors[rows]
        self.use[dead] = 1
        return len(dead)


class TokenisedAutoencoder(nn.Module):
    """An autoencoder whose latents go through a tokeniser: what becomes of pictures on that way.

    scaling_factor: of the autoencoder's latents."""

    def __init__(self, autoencoder: Any, tokeniser: Tokeniser, scaling_factor: float):
        super().__init__()
        self.autoencoder, self.tokeniser = autoencoder, tokeniser
        self.scaling_factor = scaling_factor

    def numbers(self, images: Tensor) -> Tensor:
        """Return the codes (B, h, w) of pictures (B, 3, 8 h, 8 w) in [-1, 1]."""
        return self.tokeniser.encode(self.autoencoder.encode(images)[0] * self.scaling_factor)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latents of the codes of pictures, and the log of their variance, 0."""
        z = self.tokeniser.decode(self.numbers(images)) / self.scaling_factor
        return z, torch.full_like(z, -torch.inf)

    def decode(self, z: Tensor) -> Tensor:
        """Return the pictures of latents."""
        return self.autoencoder.decode(z)
