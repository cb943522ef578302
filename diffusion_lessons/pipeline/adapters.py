"""Adapters, which steer a model that stays frozen: loaded by name, as in `diffusers`."""

from typing import Any

import torch
from torch import Tensor, nn

from diffusion_lessons import arguments, conditioning, models
from diffusion_lessons.scoring import recognition

Unet = Any  # a TextUNet, or what is called as it is


class Adapters:
    """What a pipeline may load besides its own parts."""

    unet: Any  # a TextUNet, or a Transformer
    null_context: Tensor
    ip_adapter: models.IPAdapter | None = None
    ip_adapter_scale = 1.0
    controlnet: models.ControlNet | None = None
    _quick: dict[nn.Module, Any]

    def load_ip_adapter(self, name: str = "ip-adapter") -> None:
        """Load what takes `ip_adapter_image`, a picture as a prompt. Errors as in
        `from_pretrained`, and ValueError for an adapter of another U-Net."""
        adapter, _ = models.load_ip_adapter(name)
        adapter.attached(self.unet)
        self.ip_adapter = adapter

    def set_ip_adapter_scale(self, scale: float) -> None:
        """Set how much the picture counts, from 0 (not at all: bit for bit the frozen model) over 1
        (as in training) to 2. Raises TypeError or ValueError for what is no such number."""
        hint = " (0 ignores the picture, 1 is as in training)"
        self.ip_adapter_scale = arguments.number("scale", scale, 0, 2, hint, real=True)

    def load_controlnet(self, name: str = "controlnet-outline") -> None:
        """Load the branch that follows `control_image`, an outline. Errors as in `from_pretrained`,
        and ValueError where a transformer stands in the place of the U-Net.

        In `diffusers` a pipeline gets it with `from_pipe(pipe, controlnet=...)`.
        """
        if isinstance(self.unet, models.Transformer):
            raise ValueError(f"{name!r} steers a U-Net, and this model has a transformer instead")
        self.controlnet, _ = models.load_controlnet(name)
        self.controlnet.to(self.null_context.device)
        steered = models.ControlledUNet(self.unet, self.controlnet, conditioning.LENGTH)
        self._quick = {**self._quick, self.controlnet: models.QuickUNet(steered)}

    def with_pictures(
        self, images: Tensor, unet: Unet, context: Tensor, null_context: Tensor
    ) -> tuple[Unet, Tensor, Tensor]:
        """Return a U-Net that looks at pictures, and both contexts (B, L, D) with their tokens.

        images: (B, 3, 64, 64) in [-1, 1]. At scale 0 all comes back as it is. The null context gets
        tokens of 0, so that guidance leads towards words and picture. ValueError without adapter.
        """
        if self.ip_adapter is None:
            hint = "call pipe.load_ip_adapter() first"
            raise ValueError(f"ip_adapter_image needs an IP-Adapter, and none is loaded: {hint}")
        if self.ip_adapter_scale == 0:
            return unet, context, null_context
        features = recognition.load("recogniser").features(images)
        with torch.no_grad():
            tokens = self.ip_adapter.to(context.device)(features.to(context.device))
        without = torch.cat([null_context.expand_as(context), torch.zeros_like(tokens)], dim=1)
        looking = self.ip_adapter.attached(self.unet, self.ip_adapter_scale)
        unet = unet.on(looking) if isinstance(unet, models.QuickUNet) else looking
        return unet, torch.cat([context, tokens], dim=1), without

    def with_outlines(self, outlines: Tensor, scale: float, unet: Unet) -> Unet:
        """Return a U-Net that follows outlines, (B, 1, 8 h, 8 w), as far as the scale says.

        unet: comes back as it is at scale 0. Raises ValueError where there is no ControlNet, and
        TypeError or ValueError for what is no such scale.
        """
        hint = " (0 ignores the outline, 1 is as it was trained)"
        scale = arguments.number("controlnet_conditioning_scale", scale, 0, 2, hint, real=True)
        if self.controlnet is None:
            hint = "call pipe.load_controlnet() first"
            raise ValueError(f"control_image needs a ControlNet, and none is loaded: {hint}")
        if scale == 0:
            return unet
        network: Any = getattr(unet, "network", unet)  # what is behind a quick one
        steered = self._quick.get(self.controlnet)
        if network is unet or steered is None or steered.network.unet is not network:
            steered = models.ControlledUNet(network, self.controlnet, conditioning.LENGTH)
        with torch.no_grad():
            seen = self.controlnet.read_outline(outlines.to(self.null_context))

        def follow(x_t: Tensor, t: Tensor, context: Tensor) -> Tensor:
            each = seen.repeat(len(x_t) // len(seen), 1, 1, 1)
            return steered(x_t, t, context, each, torch.full_like(each[:, :1, :1, :1], scale))

        return follow
