"""LoRAs in the pipeline: loaded, weighed, added, fused, as in `diffusers`."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from diffusion_lessons import arguments, models
from diffusion_lessons.models import LoRA


class LoRALoader:
    """What a pipeline does with LoRAs; its U-Net's own weights are kept meanwhile."""

    unet: Any  # a TextUNet, or a Transformer
    _quick: dict[nn.Module, Any]
    _loras: Mapping[str, LoRA] = {}
    _frozen: Mapping[str, Tensor] = {}  # the U-Net's own weights, while there are LoRAs
    _unfused: Any = None  # what computes the frozen U-Net quicker, while one is fused

    def load_lora_weights(self, lora: str | LoRA, adapter_name: str | None = None) -> None:
        """Load a LoRA, and switch it on alone, at weight 1. Others that were loaded stay at hand.

        lora: weights such as "lora-lantern", or what was just trained, of which a copy is kept.
        adapter_name: what `set_adapters` shall call it; None: as its weights, or "default".

        Raises:
            ValueError: there are no such weights, or they belong to another network.
            workspace.DamagedFile: weights that are not whole; the message says which.
        """
        loaded = copy.deepcopy(lora) if isinstance(lora, LoRA) else models.load_lora(lora)[0]
        name = adapter_name or (lora if isinstance(lora, str) else "default")
        loaded.refuse_other_network(self.unet, name)
        self._loras = {**self._loras, name: loaded.cpu()}
        self.set_adapters(name)

    def set_adapters(
        self, adapter_names: str | Sequence[str], adapter_weights: float | Sequence[float] = 1.0
    ) -> None:
        """Switch LoRAs on, each with a weight: W + the sum of weight * alpha / rank * B A.

        adapter_names: of one or several that were loaded; the others are switched off.
        adapter_weights: one for all, or one each, from -10 to 10. Where all are 0, the U-Net has
        its own weights again, bit for bit.

        Raises TypeError or ValueError for another name or weight; then all stays as it was.
        """
        names = arguments.texts("adapter_names", adapter_names, "lora-lantern")
        given: Any = adapter_weights
        weights = list(given) if isinstance(given, (list, tuple)) else [given] * len(names)
        if len(weights) != len(names):
            raise ValueError(f"{len(weights)} adapter_weights for {len(names)} adapter_names")
        for name, weight in zip(names, weights, strict=True):
            if name not in self._loras:
                loaded = f"loaded are {', '.join(map(repr, self._loras)) or 'none'}"
                raise ValueError(f"{name!r} is no adapter here: {loaded}; see load_lora_weights")
            hint = " (0 is off, 1 as it was trained)"
            arguments.number("adapter_weights", weight, -10, 10, hint, real=True)
        own = self._frozen or {name: w.data for name, w in self.unet.named_parameters()}
        merged = dict(own)
        with torch.no_grad():
            for name, weight in zip(names, weights, strict=True):
                for key, change in self._loras[name].changes().items() if weight else ():
                    merged[key] = merged[key] + weight * change.to(merged[key].device)
        self._put(own, merged)

    def unload_lora_weights(self) -> None:
        """Forget all LoRAs, fused ones too: the U-Net has its own weights again, bit for bit."""
        self._put({}, self._frozen)
        self._loras = {}

    def fuse_lora(self) -> None:
        """Make ready for many pictures with the LoRAs as they are set: the same ones, a sixth
        sooner, after a second or two. Until `unfuse_lora`, or until they are set in another way."""
        self.unfuse_lora()
        self._unfused = self._quick.get(self.unet)
        if self._unfused is not None:
            self._quick = {**self._quick, self.unet: type(self._unfused)(self.unet)}

    def unfuse_lora(self) -> None:
        """Undo `fuse_lora`; the LoRAs stay switched on."""
        if self._unfused is not None:
            self._quick, self._unfused = {**self._quick, self.unet: self._unfused}, None

    def _put(self, own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
        """Give the U-Net these weights, and keep its own."""
        self.unfuse_lora()
        self._frozen = own
        for name, weight in weights.items():
            parameter = self.unet.get_parameter(name)
            parameter.data = weight.to(parameter.device)
