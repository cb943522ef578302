"""The networks that ship with the course, ready to use."""

from __future__ import annotations

from torch import nn

from diffusion_lessons import workspace

from .autoencoder import Autoencoder
from .caption_encoder import CaptionReader
from .text_unet import TextUNet
from .unet import UNet


def load_unet(name: str) -> tuple[UNet, dict]:
    """The shipped U-Net `name` and its card, such as "postcards-32" or "fashion".

    The network is on the CPU, ready to be asked. Its card says what it expects: "size", "channels",
    "schedule", "kind" and "factors" (the words that each label stands for, in order).

    Raises:
        ValueError: weights that ship, but are no U-Net.
        workspace.DamagedFile: missing, cut short, altered, of another version, or not fitting.
    """
    return _load(name, "unet", UNet, "postcards-32")


def load_autoencoder(name: str = "autoencoder") -> tuple[Autoencoder, dict]:
    """The shipped autoencoder and its card, whose "scaling_factor" brings its latents to a standard
    deviation of 1. Errors as in `load_unet`."""
    return _load(name, "autoencoder", Autoencoder, "autoencoder")


def load_caption_reader(name: str = "captions") -> tuple[CaptionReader, dict]:
    """The shipped caption encoder, with what it was trained by, and its card, which lists the
    "words" that it knows. Errors as in `load_unet`."""
    return _load(name, "caption_reader", CaptionReader, "captions")


def load_text_unet(name: str = "postcards") -> tuple[TextUNet, dict]:
    """The shipped U-Net that listens to captions, and its card, which says "schedule", "kind" and
    the "parts" it works with. Errors as in `load_unet`."""
    return _load(name, "text_unet", TextUNet, "postcards")


def _load(name: str, key: str, network: type[nn.Module], example: str) -> tuple:
    """The network whose settings stand under `key` of the card of the weights `name`."""
    tensors, card = workspace.load_weights(name)
    if key not in card:
        raise ValueError(
            f"{name!r} is no {network.__name__} but: {card.get('purpose', 'unknown')} Choose one "
            f"whose card has the key {key!r}, such as {example!r}."
        )
    model = network(**card[key])
    workspace.fit_weights(model, tensors, name)
    return model.eval().requires_grad_(False), card


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers training sets."""
    return sum(p.numel() for p in model.parameters())
