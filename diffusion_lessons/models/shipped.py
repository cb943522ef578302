"""The U-Nets that ship with the course, ready to use."""

from __future__ import annotations

from .. import workspace
from .unet import UNet


def load_unet(name: str) -> tuple[UNet, dict]:
    """The shipped U-Net `name` and its card, such as "postcards-32" or "fashion".

    The network is on the CPU, ready to be asked. Its card says what it expects: "size", "channels",
    "schedule", "kind" and "factors" (the words that each label stands for, in order).

    Raises:
        ValueError: weights that ship, but are no U-Net.
        workspace.DamagedFile: missing, cut short, altered, of another version, or not fitting.
    """
    tensors, card = workspace.load_weights(name)
    if "unet" not in card:
        raise ValueError(
            f"{name!r} is no U-Net but: {card.get('purpose', 'unknown')} Choose one whose card has "
            "the key 'unet', such as 'postcards-32'."
        )
    model = UNet(**card["unet"])
    workspace.fit_weights(model, tensors, name)
    return model.eval().requires_grad_(False), card
