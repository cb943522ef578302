"""Text to image in one call, with the names that `diffusers` uses.

text_to_image   `TextToImage`: draw pictures of prompts, from a picture, or into a part of it
patch_by_patch  `PatchByPatch`: write a picture code by code, by autoregression
latent          what both have in common: words to context, latents to pictures
cascade         a second network, which enlarges, in the place of the autoencoder
adapters        what the frozen model can be given besides its words: a picture as a prompt
lora            LoRAs: loaded, weighed, added, fused
repaint         pictures and masks to start from, and what is laid over at the end
"""

from .cascade import Cascade, load_autoencoder
from .latent import EXAMPLE, Output
from .patch_by_patch import PatchByPatch, write
from .repaint import RIM, latent_mask, paste
from .text_to_image import TextToImage

__all__ = [
    "EXAMPLE", "RIM", "Cascade", "Output", "PatchByPatch", "TextToImage", "latent_mask",
    "load_autoencoder", "paste", "write",
]  # fmt: skip
