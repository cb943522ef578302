"""LoRA: a small change of a large frozen network, trained in its place (Hu et al. 2022)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod, sqrt
from typing import Any, Self

import torch
from torch import Tensor, nn

from diffusion_lessons import arguments


class LoRA(nn.Module):
    """A change of low rank for the weight of every convolution and linear layer of a network.

    W becomes W + alpha / rank * B A. A (rank, inputs) is random and B (outputs, rank) zero at
    first, so training begins at the frozen network; with both at zero no gradient would reach
    either. Hu et al. 2022, equation 3 and section 4.1. Its tensors have the names that `peft` gives
    them: LAYER.lora_A.weight, LAYER.lora_B.weight.

    Attributes:
        settings: what builds another such, as a card holds them: "shapes" of the weights by layer,
            "rank" and "alpha".
    """

    def __init__(self, shapes: Mapping[str, Sequence[int]], rank: int = 4, alpha: float = 4.0):
        super().__init__()
        arguments.sizes({"rank": rank})
        alpha = arguments.number("alpha", alpha, -1000, 1000, real=True)
        kept = {layer: list(shape) for layer, shape in shapes.items()}
        self.settings: dict[str, Any] = {"shapes": kept, "rank": rank, "alpha": alpha}
        for layer, (outputs, *inputs) in shapes.items():
            self._add(f"{layer}.lora_A", torch.randn(rank, *inputs) / sqrt(prod(inputs)))
            self._add(f"{layer}.lora_B", torch.zeros(outputs, rank, *(1 for _ in inputs[1:])))

    @classmethod
    def of(cls, network: nn.Module, rank: int = 4, alpha: float = 4.0, within: str = "") -> Self:
        """Return a new one for all convolutions and linear layers of a network, or for those alone
        whose names contain `within`, such as "cross_attn"."""
        kinds, named = (nn.Conv2d, nn.Linear), network.named_modules()
        layers = {n: layer for n, layer in named if isinstance(layer, kinds) and within in n}
        return cls({n: layer.weight.shape for n, layer in layers.items()}, rank, alpha)

    def _add(self, path: str, weight: Tensor) -> None:
        """Put a parameter where the layer would be in its network."""
        place: nn.Module = self
        for part in path.split("."):
            if part not in dict(place.named_children()):
                place.add_module(part, nn.Module())
            place = place.get_submodule(part)
        place.weight = nn.Parameter(weight)

    def refuse_other_network(self, network: nn.Module, name: str) -> None:
        """Raise ValueError where a layer of this LoRA `name` is none of the network."""
        there = {n: list(w.shape) for n, w in network.named_parameters()}
        for layer, shape in self.settings["shapes"].items():
            if (found := there.get(f"{layer}.weight")) != shape:
                has = f"that layer has {found}" if found else "there is no such layer"
                raise ValueError(
                    f"{name!r} is a LoRA of another network: it changes weights {shape} of "
                    f"{layer!r}, and here {has}. Load it where it was trained, or train one here."
                )

    def changes(self) -> dict[str, Tensor]:
        """Return alpha / rank * B A for each weight, by its name in the network."""
        scale, found = self.settings["alpha"] / self.settings["rank"], {}
        for layer, shape in self.settings["shapes"].items():
            a, b = (self.get_parameter(f"{layer}.lora_{side}.weight") for side in "AB")
            found[f"{layer}.weight"] = (scale * b.flatten(1) @ a.flatten(1)).view(shape)
        return found

    def on(self, network: nn.Module) -> Callable[..., Tensor]:
        """Return a function that computes what the network does with its weights changed, as they
        are to be now; the network stays as it is."""
        merged = {n: network.get_parameter(n) + change for n, change in self.changes().items()}
        return lambda *inputs: torch.func.functional_call(network, merged, inputs)

    def forward(self, network: nn.Module, *inputs: Tensor) -> Tensor:
        """Return what the network computes with its weights changed, see `on`."""
        return self.on(network)(*inputs)
