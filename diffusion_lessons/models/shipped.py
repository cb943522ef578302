"""The networks that ship with the course, ready to use."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from diffusion_lessons import workspace

from .autoencoder import Autoencoder
from .caption_encoder import CaptionReader
from .unet import TextUNet, UNet


def load_unet(name: str) -> tuple[UNet, dict]:
    """Return the shipped U-Net `name`, such as "postcards-32" or "fashion", and its card.

    The network is on the CPU, in evaluation mode. Its card holds what it expects: "size",
    "channels", "schedule", "kind" and "factors" (the words of each label, in order).

    Raises:
        ValueError: no weights of this name, or of another network; the message lists the U-Nets.
        workspace.DamagedFile: missing, cut short, altered, of another version, or not fitting.
    """
    return _load(name, "unet", UNet)


def load_autoencoder(name: str = "autoencoder") -> tuple[Autoencoder, dict]:
    """Return the shipped autoencoder and its card, whose "scaling_factor" brings its latents to a
    standard deviation of 1. Errors as in `load_unet`."""
    return _load(name, "autoencoder", Autoencoder)


def load_caption_reader(name: str = "captions") -> tuple[CaptionReader, dict]:
    """Return the shipped caption encoder with its training heads, and its card, which lists the
    "words" that it knows. Errors as in `load_unet`."""
    return _load(name, "caption_reader", CaptionReader)


def load_text_unet(name: str = "postcards") -> tuple[TextUNet, dict]:
    """Return the shipped U-Net that takes captions, and its card, which names "schedule", "kind"
    and the "parts" it works with. Errors as in `load_unet`."""
    return _load(name, "text_unet", TextUNet)


def _load(name: str, key: str, network: type[nn.Module]) -> tuple:
    """Build the network that the card of the weights `name` describes under `key`, and load it."""
    own = {file.name for file in workspace.own_path().glob("[!.]*.safetensors")}
    known = own | {file.removeprefix("weights/") for file in workspace.checksums()}
    if f"{name}.safetensors" not in known:
        raise ValueError(f"there are no weights {name!r}. Choose {_names(key, known)}.")
    tensors, card = workspace.load_weights(name)
    if key not in card:
        purpose = card.get("purpose", "unknown")
        raise ValueError(
            f"{name!r} is no {network.__name__} but: {purpose} Choose {_names(key, known)}."
        )
    model = network(**card[key])
    workspace.fit_weights(model, tensors, name)
    return model.eval().requires_grad_(False), card


def _names(key: str, known: set[str]) -> str:
    """List the weights, of these files, whose card has `key`: "'fashion' or 'postcards-32'"."""
    names = sorted(Path(file).stem for file in known if file.endswith(".safetensors"))
    return " or ".join(repr(name) for name in names if key in workspace.load_weights(name)[1])


def count_parameters(model: nn.Module) -> int:
    """Return how many parameters a network has."""
    return sum(p.numel() for p in model.parameters())
