"""The networks that ship with the course, ready to use."""

from pathlib import Path

from torch import nn

from diffusion_lessons import workspace

from .autoencoder import Autoencoder
from .caption_encoder import CaptionReader
from .code_writer import CodeWriter
from .controlnet import ControlNet
from .ip_adapter import IPAdapter
from .lora import LoRA
from .tokeniser import Tokeniser
from .transformer import Transformer
from .unet import TextUNet, UNet
from .upsampler import Upsampler


def load_unet(name: str) -> tuple[UNet, dict]:
    """Return the shipped U-Net `name`, such as "postcards-32" or "fashion", and its card.

    The network is on the CPU, in evaluation mode. Its card holds what it expects: "size",
    "channels", "schedule", "kind" and "factors" (the words of each label, in order).

    Raises:
        ValueError: no weights of this name, or of another network; the message lists the U-Nets.
        workspace.DamagedFile: missing, cut short, altered, of another version, or not fitting.
    """
    return _load(name, unet=UNet)


def load_autoencoder(name: str = "autoencoder") -> tuple[Autoencoder, dict]:
    """Return the shipped autoencoder and its card, whose "scaling_factor" brings its latents to a
    standard deviation of 1. Errors as in `load_unet`."""
    return _load(name, autoencoder=Autoencoder)


def load_decoder(name: str) -> tuple[Autoencoder | Upsampler, dict]:
    """Return the shipped network that makes pictures of what was painted first, of either kind, and
    its card, as `load_autoencoder` does. Errors as in `load_unet`."""
    return _load(name, autoencoder=Autoencoder, upsampler=Upsampler)


def load_caption_reader(name: str = "captions") -> tuple[CaptionReader, dict]:
    """Return the shipped caption encoder with its training heads, and its card, which lists the
    "words" that it knows. Errors as in `load_unet`."""
    return _load(name, caption_reader=CaptionReader)


def load_text_unet(name: str = "postcards") -> tuple[TextUNet, dict]:
    """Return the shipped U-Net that takes captions, and its card, which names "schedule", "kind"
    and the "parts" it works with. Errors as in `load_unet`."""
    return _load(name, text_unet=TextUNet)


def load_denoiser(name: str = "postcards") -> tuple[TextUNet | Transformer, dict]:
    """Return the shipped network that takes captions, of whichever kind, and its card, as
    `load_text_unet` does. Errors as in `load_unet`."""
    return _load(name, text_unet=TextUNet, transformer=Transformer)


def load_controlnet(name: str = "controlnet-outline") -> tuple[ControlNet, dict]:
    """Return the shipped branch that follows an outline, and its card, whose "parts" name the U-Net
    that it was trained beside. Errors as in `load_unet`."""
    return _load(name, controlnet=ControlNet)


def load_ip_adapter(name: str = "ip-adapter") -> tuple[IPAdapter, dict]:
    """Return the shipped IP-Adapter and its card. Errors as in `load_unet`."""
    return _load(name, ip_adapter=IPAdapter)


def load_tokeniser(name: str = "tokeniser") -> tuple[Tokeniser, dict]:
    """Return the shipped tokeniser of latents and its card. Errors as in `load_unet`."""
    return _load(name, tokeniser=Tokeniser)


def load_code_writer(name: str = "postcards-codes") -> tuple[CodeWriter, dict]:
    """Return the shipped network that writes codes after captions, and its card, which names the
    "parts" it works with. Errors as in `load_unet`."""
    return _load(name, code_writer=CodeWriter)


def load_lora(name: str) -> tuple[LoRA, dict]:
    """Return the LoRA `name`, and its card, which names the "model" that it changes and its
    "style". Errors as in `load_unet`."""
    return _load(name, lora=LoRA)


def _load(name: str, **networks: type[nn.Module]) -> tuple:
    """Build the network that the card of the weights `name` describes, under the key that it has
    here, and load it."""
    files = [*workspace.own_path().glob("[!.]*.safetensors"), *map(Path, workspace.checksums())]
    known = sorted({file.stem for file in files if file.suffix == ".safetensors"})
    tensors, card = workspace.load_weights(name) if name in known else ({}, {})
    keys = networks.keys() & card
    if not keys:
        kinds = " or ".join(network.__name__ for network in networks.values())
        what = f"{name!r} is no {kinds} but: {card.get('purpose', 'unknown')}"
        fit = [repr(other) for other in known if networks.keys() & workspace.load_weights(other)[1]]
        problem = what if name in known else f"there are no weights {name!r}."
        raise ValueError(f"{problem} Choose {' or '.join(fit)}.")
    (key,) = keys
    model = networks[key](**card[key]).float()  # whatever torch's default is
    workspace.fit_weights(model, tensors, name)
    return model.eval().requires_grad_(False), card
