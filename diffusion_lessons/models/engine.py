"""The networks of text to image, run by ONNX Runtime: the same pictures in about half the time.

torch packs the weights of a convolution again at each call, and spends some microseconds on every
layer; on maps of 8x8 that is half of the time. ONNX Runtime packs them once. The weights stay those
of the network: where somebody has changed it, a weight, a layer or a hook, torch runs it.
"""

from __future__ import annotations

import copy
import io
import warnings
from typing import Any, cast
from unittest import mock

import torch
from torch import Tensor, nn

from .autoencoder import Autoencoder
from .blocks import KeysValues
from .text_unet import TextUNet

# torch's exporter imports the package onnx for this step alone, which such graphs do not need.
_NEEDS_ONNX = "torch.onnx._internal.torchscript_exporter.onnx_proto_utils._add_onnxscript_fn"


class Engine:
    """A network whose layers ONNX Runtime runs, without gradients.

    A session is built at the first call, in half a second, and again for another number of threads.

    Args:
        network: called with tensors (B, ...), B free, the other sizes as at the first call.
    """

    def __init__(self, network: nn.Module):
        self.network, self._original = network, _state(network)
        self._sessions: dict[tuple, Any] = {}

    def __deepcopy__(self, memo: dict) -> Engine:
        """Return an engine of the copied network, as sessions cannot be copied."""
        return Engine(copy.deepcopy(self.network, memo))

    def fits(self) -> bool:
        """Return whether the network is still the one that was given, and on the CPU."""
        on_cpu = next(self.network.parameters()).device.type == "cpu"
        return on_cpu and _state(self.network) == self._original

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return the output, (B, ...); torch computes it where there is no ONNX Runtime."""
        shared = len(inputs[0]) < len(inputs[-1])
        key = (torch.get_num_threads(), shared)
        if key not in self._sessions:
            self._sessions[key] = _session(self.network, inputs, key[0])
        session = self._sessions[key]
        if session is None:
            return self.network(*inputs)
        feed = {f"input_{n}": tensor.numpy() for n, tensor in enumerate(inputs)}
        return torch.from_numpy(session.run(None, feed)[0])


class _GivenKeys(nn.Module):
    """A text U-Net that takes keys and values, two tensors of each cross-attention, for context."""

    def __init__(self, unet: TextUNet):
        super().__init__()
        self.unet = unet

    def forward(self, x_t: Tensor, t: Tensor, *keys_values: Tensor) -> Tensor:
        pairs = zip(keys_values[::2], keys_values[1::2], strict=True)
        context: KeysValues = dict(zip(self.unet.cross_attentions(), pairs, strict=True))
        return self.unet.run(x_t, self.unet.embed(t), context)


class _Decoder(nn.Module):
    """The decoder of an autoencoder."""

    def __init__(self, autoencoder: Autoencoder):
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, z: Tensor) -> Tensor:
        return self.autoencoder.decode(z)


class QuickUNet:
    """A text U-Net as a function that is called as it is and computes the same.

    Keys and values are computed once for a context, so once in a walk that hands over one tensor.
    """

    def __init__(self, unet: TextUNet):
        self.unet, self.engine = unet, Engine(_GivenKeys(unet))
        self._walk: tuple[Tensor | None, list[Tensor] | None] = (None, None)

    def __call__(self, x_t: Tensor, t: Tensor, context: Tensor) -> Tensor:
        """As `TextUNet.forward`."""
        walk = self._walk  # one tuple, as walks in two threads may take turns here
        if walk[0] is not context:
            walk = self._walk = context, self._keys_values(context)
        if walk[1] is None:
            return self.unet(x_t, t, context)
        half = len(x_t) // 2
        if 2 * half == len(x_t) and all(torch.equal(v[:half], v[half:]) for v in (x_t, t)):
            x_t = x_t[:half]  # guidance: what stands before the first caption is computed once
        return self.engine(x_t, t, *walk[1])

    def _keys_values(self, context: Tensor) -> list[Tensor] | None:
        if not self.engine.fits():
            return None
        pairs = [layer.keys_values(context) for layer in self.unet.cross_attentions()]
        return [tensor.contiguous() for pair in pairs for tensor in pair]


class QuickDecoder:
    """The decoder of an autoencoder as a function that computes the same."""

    def __init__(self, autoencoder: Autoencoder):
        self.autoencoder, self.engine = autoencoder, Engine(_Decoder(autoencoder))

    def __call__(self, z: Tensor) -> Tensor:
        """As `Autoencoder.decode`."""
        return self.engine(z) if self.engine.fits() else self.autoencoder.decode(z)


def _state(network: nn.Module) -> tuple:
    """Return all that decides what a network computes: its layers, their hooks, its weights.

    The sums reveal what was written into `weight.data`, which torch does not count as a change.
    """
    layers, weights = [], []
    for layer in network.modules():
        hooks = (*layer._forward_hooks, *layer._forward_pre_hooks)
        layers.append((type(layer), type(layer).forward, vars(layer).get("forward"), hooks))
        weights += [weight.detach() for weight in layer._parameters.values() if weight is not None]
    sums = torch.stack([weight.sum() for weight in weights]).tolist()
    return layers, [(weight.data_ptr(), weight._version) for weight in weights], sums


def _session(network: nn.Module, inputs: tuple[Tensor, ...], threads: int) -> Any:
    """Build a session of ONNX Runtime; None where it or torch's exporter is missing."""
    names, graph = [f"input_{n}" for n in range(len(inputs))], io.BytesIO()
    axes = {name: {0: name} for name in [*names, "output"]}
    try:
        import onnxruntime

        with mock.patch(_NEEDS_ONNX, lambda graph, opsets: graph), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch calls this exporter, and slices in it, dated
            torch.onnx.export(
                network, inputs, cast(Any, graph), input_names=names, opset_version=17,
                output_names=["output"], dynamic_axes=axes, dynamo=False,
            )  # fmt: skip
    except (ImportError, AttributeError):
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph.getvalue(), options, ["CPUExecutionProvider"])
