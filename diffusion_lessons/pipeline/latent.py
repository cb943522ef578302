"""What every text-to-image model has around its network: words to context, latents to pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from PIL import Image
from torch import Tensor, nn

from diffusion_lessons import arguments, conditioning, models, pictures
from diffusion_lessons.models import Autoencoder, CaptionReader

from . import repaint
from .cascade import Cascade

EXAMPLE = "a red house on snow at night"
OUTPUT_TYPES = ("pil", "pt")
AT_ONCE = 16  # pictures that are decoded together: each takes megabytes meanwhile

Prompt = str | Sequence[str]
Generators = torch.Generator | Sequence[torch.Generator] | None


@dataclass(frozen=True)
class Output:
    """The result of a call: `images`, a list of PIL images or a tensor (N, 3, H, W) in [0, 1]."""

    images: list[Image.Image] | Tensor


class LatentPipeline:
    """A caption encoder and an autoencoder; what lies between them is the subclass's.

    Attributes:
        encoder: words to context.
        null_context: of the empty caption, (1, 32, D).
    """

    def __init__(self, reader: CaptionReader, autoencoder: Autoencoder | Cascade, card: dict):
        self.encoder, self.autoencoder, self.card = reader.encoder, autoencoder, card
        self.scaling_factor = card["scaling_factor"]
        self.null_context = self.encode_prompt([""])
        self._quick: dict[nn.Module, Callable] = {}  # by network: what computes the same, quicker

    def parts(self) -> list[nn.Module | None]:
        """Return the networks that it is made of."""
        raise NotImplementedError

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """Move all parts to a device, and return the same model. dtype: float32 or None, for these
        models compute in nothing else; TypeError for another."""
        wanted = device if isinstance(device, torch.dtype) else dtype
        if wanted not in (None, torch.float32) or isinstance(device, torch.dtype):
            raise TypeError(
                f'{wanted}: this model computes in float32; give a device alone, "cuda"'
            )
        for part in self.parts():
            if part is not None:
                part.to(device)
        self.null_context = self.null_context.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """The device of its parts."""
        return self.null_context.device

    def encode_prompt(self, prompts: Sequence[str]) -> Tensor:
        """Encode prompts to their context (N, 32, D). Errors as in `conditioning.tokenise`."""
        tokens = conditioning.tokenise(prompts)
        with torch.no_grad():
            return self.encoder(tokens.to(next(self.encoder.parameters()).device))

    def encode(self, images: Tensor) -> Tensor:
        """Encode pictures (N, 3, 8 h, 8 w) in [-1, 1] to the means of their latents, scaled."""
        arguments.tensor("images", images, torch.float32)
        with torch.no_grad():
            parts = images.to(self.device).split(AT_ONCE)
            return torch.cat([self.autoencoder.encode(x)[0] for x in parts]) * self.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Decode scaled latents (N, C, h, w) to pictures (N, 3, 8 h, 8 w) in [-1, 1]."""
        arguments.tensor("latents", latents, torch.float32)
        with torch.no_grad():
            parts = (latents / self.scaling_factor).split(AT_ONCE)
            decode = self._quick.get(self.autoencoder, self.autoencoder.decode)
            return torch.cat([decode(part) for part in parts]).float().clamp(-1, 1)


def quick_decoder(autoencoder: Autoencoder | Cascade) -> dict[nn.Module, Callable]:
    """Return what computes the same as an autoencoder's decoder, quicker, where there is such."""
    return (
        {autoencoder: models.QuickDecoder(autoencoder)}
        if isinstance(autoencoder, Autoencoder)
        else {}
    )


def repeated(prompt: Prompt, num_images_per_prompt: int) -> tuple[list[str], int]:
    """Return each prompt as often as it gets pictures, and how often that is."""
    each = arguments.number("num_images_per_prompt", num_images_per_prompt, 1, 1000)
    return [text for text in arguments.texts("prompt", prompt, EXAMPLE) for _ in range(each)], each


def checked_generators(generator: Generators, count: int) -> Sequence[torch.Generator | None]:
    """Return the generators of `count` pictures: one for all of them, or one each.

    Raises TypeError for what is no generator, ValueError for a list of them of another length.
    """
    sources: Sequence = generator if isinstance(generator, (list, tuple)) else [generator]
    for source in sources:
        if source is not None and not isinstance(source, torch.Generator):
            raise TypeError(
                f"generator is {source!r}: give a torch.Generator; for a seed write "
                f"torch.Generator().manual_seed({source if isinstance(source, int) else 0})"
            )
    if sources is generator:
        repaint.refuse_other_number("generators", len(sources), count)
    return sources


def as_output(drawn: Tensor, output_type: str) -> Output:
    """Return pictures (N, 3, H, W) in [-1, 1] as a call was asked to."""
    if output_type == "pt":
        return Output((drawn + 1) / 2)
    return Output([Image.fromarray(pixels) for pixels in pictures.to_uint8(drawn)])
