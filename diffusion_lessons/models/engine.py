"""The networks of text to image, run by ONNX Runtime: the same pictures in about half the time.

torch packs the weights of a convolution again at each call, and spends some microseconds on every
layer; on maps of 8x8 that is half of the time. ONNX Runtime packs them once; where somebody has
changed weights since, it is handed the new ones at each call, which takes a sixth more. Where a
layer or a hook was changed, torch runs the network.
"""

import copy
import io
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Self, cast
from unittest import mock

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .autoencoder import Autoencoder
from .layers import CrossAttention, ResBlock, cross_attentions, twin
from .transformer import Transformer

Weights = Mapping[str, Tensor]

# torch's exporter imports the package onnx for this step alone, which such graphs do not need.
_NEEDS_ONNX = "torch.onnx._internal.torchscript_exporter.onnx_proto_utils._add_onnxscript_fn"


class _Quick:
    """A function of a network; built at its first call, and again for another number of threads."""

    function: Callable[..., Tensor]  # from the network and tensors (B, ...) to (B, ...)

    def __init__(self, network: nn.Module):
        self.network, self._layers, self._packed = network, _layers(network), _weights(network)
        self._built: dict[tuple, Callable[..., Tensor]] = {}

    def __deepcopy__(self, memo: dict) -> Self:
        return type(self)(copy.deepcopy(self.network, memo))  # sessions cannot be copied

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return the function's output."""
        plain = getattr(self.network, self.function.__name__)
        return self.run(self.changed(), *inputs) if self.fits() else plain(*inputs)

    def fits(self) -> bool:
        """Return whether the layers are still those that were given, and on the CPU."""
        return next(self.network.parameters()).is_cpu and _layers(self.network) == self._layers

    def changed(self) -> Weights:
        """Return the weights by name where they are others than were given; else nothing."""
        if _weights(self.network) == self._packed:
            return {}
        held = (*self.network.named_parameters(), *self.network.named_buffers())
        return {name: tensor.detach().contiguous() for name, tensor in held}

    def run(self, weights: Weights, *inputs: Tensor) -> Tensor:
        """Do what a call does, where the network fits; with `weights`, where it has others."""
        threads, sizes = torch.get_num_threads(), [tensor.shape[1:] for tensor in inputs]
        key = (threads, bool(weights), *sizes)
        if key not in self._built:
            shared = {id(weight): weight for weight in self.network.parameters()}
            twin: Any = copy.deepcopy(self.network, shared)  # other layers, the same weights
            twin.forward = partial(self.function, twin)
            self._built[key] = _build(twin, inputs, threads, not weights)
        return self._built[key](weights, *inputs)


class QuickDecoder(_Quick):
    """The decoder of an autoencoder as a function that computes the same."""

    function = staticmethod(Autoencoder.decode)


class QuickTransformer(_Quick):
    """A `Transformer` as a function that computes the same. Unlike a U-Net's, its words change from
    block to block and with the time, so nothing of a caption can be computed once for a walk."""

    function = staticmethod(Transformer.run)


class QuickUNet(_Quick):
    """A text U-Net, or a `ControlledUNet`, as a function that is called as it is and computes the
    same.

    A context is folded into the weights once, so once in a walk that hands over the same tensor.
    """

    _walk: tuple[Tensor | None, Weights, list[Tensor]] = (None, {}, [])

    @staticmethod
    def function(unet: Any, x_t: Tensor, t: Tensor, *inputs: Tensor) -> Tensor:
        """Compute `TextUNet.forward` from a folded context, `fold` of each cross-attention in turn,
        after what else the network takes; half as many latents as captions serve both halves of
        these. It changes the U-Net."""
        layer: Any
        layers = cross_attentions(unet)
        others = len(inputs) % (3 * len(layers))
        more, folded = inputs[:others], inputs[others:]
        each = len(folded) // len(layers)
        for n, layer in enumerate(layers):
            layer.forward = partial(_answer, layer, folded[each * n : each * (n + 1)])
        layer = next(layer for layer in unet.modules() if isinstance(layer, ResBlock))
        block = partial(ResBlock.forward, layer)
        layer.forward = lambda x, emb: block(x, emb[: x.shape[0]]).repeat(
            emb.shape[0] // x.shape[0], 1, 1, 1
        )
        return unet.run(x_t, unet.embed(t), folded[0], *more)

    def on(self, network: nn.Module) -> Callable[..., Tensor]:
        """Return what computes the same as another network with these layers, as quickly; the other
        network where this one has been changed."""
        quick = type(self)(network)
        quick._built, quick._packed = self._built, self._packed
        return quick if self.fits() else network

    def with_weights(self, weights: Weights) -> Callable[..., Tensor]:
        """Return what computes the same with some weights, by name, in place of the network's own;
        where gradients are on, one through which they reach these weights."""
        if torch.is_grad_enabled():
            return lambda *inputs: functional_call(self.network, dict(weights), inputs)
        network = twin(self.network)
        for name, weight in weights.items():
            layer, _, own = name.rpartition(".")
            network.get_submodule(layer)._parameters[own] = nn.Parameter(weight, False)
        return self.on(network)

    def __call__(  # type: ignore[override]
        self, x_t: Tensor, t: Tensor, context: Tensor, *more: Tensor
    ) -> Tensor:
        """As `TextUNet.forward`, or `ControlledUNet.forward`."""
        walk = self._walk  # one tuple, as walks in two threads may take turns here
        if walk[0] is not context:
            del walk
            self._walk = None, {}, []  # megabytes for each caption, before as many are taken again
            layers = cross_attentions(self.network) if self.fits() else ()
            folded = [part for layer in layers for part in fold(layer, context)]
            walk = self._walk = context, self.changed() if folded else {}, folded
        _, weights, folded = walk
        if not folded:
            return self.network(x_t, t, context, *more)
        half = len(x_t) // 2
        twice = not more and 2 * half == len(x_t)
        twice = twice and all(torch.equal(v[:half], v[half:]) for v in (x_t, t))
        # guidance: what stands before the first caption is computed once
        return self.run(weights, x_t[:half] if twice else x_t, t, *more, *folded)


def fold(layer: CrossAttention, context: Tensor) -> list[Tensor]:
    """Fold a context (B, L, D) into the projections of a cross-attention: keys into that of the
    queries, (B, C, heads * L), and its bias, (B, 1, heads * L); values into that of what was found,
    (B, heads * L, C). Two products with these are the whole layer. Three for each of its sources.
    """
    folded = []
    for k, v in layer.sources(context):
        k = k / k.shape[-1] ** 0.5
        to_q, to_out = layer.to_q.weight.flatten(1), cast(Tensor, layer.to_out.weight).flatten(1)
        asks = (k @ to_q.unflatten(0, (layer.heads, -1))).flatten(1, 2).transpose(1, 2).contiguous()
        bias = k @ cast(Tensor, layer.to_q.bias).view(layer.heads, -1, 1)
        answers = v @ to_out.T.unflatten(0, (layer.heads, -1))
        folded += [asks, bias.flatten(1)[:, None], answers.flatten(1, 2)]
    return folded


def _answer(layer: Any, folded: tuple[Tensor, ...], *x: Any) -> Tensor:
    """Compute `CrossAttention.forward` from a folded context; only the batch's size stays free."""
    c, h, w = map(int, x[0].shape[1:])
    places = layer.norm(x[0]).reshape(-1, c, h * w).transpose(1, 2)
    found = layer.to_out.bias
    for asks, bias, answers in zip(folded[::3], folded[1::3], folded[2::3], strict=True):
        length = int(asks.shape[2])
        looks = (places @ asks + bias).reshape(-1, h * w, layer.heads, length // layer.heads)
        found = looks.softmax(dim=-1).reshape(-1, h * w, length) @ answers + found
    return x[0] + found.transpose(1, 2).reshape(-1, c, h, w)


def _layers(network: nn.Module) -> list[tuple]:
    """Return all that decides what a network computes, but for its weights: its layers with the
    learner's own methods, their hooks, and what each weight is like."""
    layers = []
    for layer in network.modules():
        hooks = (*layer._forward_hooks, *layer._forward_pre_hooks)
        own = filter(callable, vars(layer).values())  # a `forward` or `decode` of the learner's
        sizes = [(n, w.shape, w.dtype) for n, w in layer._parameters.items() if w is not None]
        layers.append((type(layer), type(layer).forward, *own, *hooks, *sizes))
    return layers


def _weights(network: nn.Module) -> tuple:
    """Return what tells weights from others; sums reveal what was written into `weight.data`, which
    torch does not count as a change, nor any of a tensor of inference mode."""
    weights = [weight.detach() for weight in network.parameters()]
    sums = torch.stack([weight.sum() for weight in weights]).tolist()
    return [(w.data_ptr(), None if w.is_inference() else w._version) for w in weights], sums


def _build(
    network: nn.Module, inputs: tuple[Tensor, ...], threads: int, packed: bool
) -> Callable[..., Tensor]:
    """Return a session of ONNX Runtime that is called with weights and inputs, and holds the
    weights itself if they are `packed`; torch's call where that, or torch's exporter, is missing.
    """
    names, graph = [f"input_{n}" for n in range(len(inputs))], io.BytesIO()
    axes = {name: {0: name} for name in [*names, "output"]}
    try:
        import onnxruntime

        with mock.patch(_NEEDS_ONNX, lambda graph, opsets: graph), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch calls this exporter, and slices in it, dated
            torch.onnx.export(
                network, inputs, cast(Any, graph), input_names=names, opset_version=17,
                output_names=["output"], dynamic_axes=axes, dynamo=False, export_params=packed,
                do_constant_folding=packed,
            )  # fmt: skip
    except (ImportError, AttributeError):
        return lambda weights, *inputs: functional_call(network, dict(weights), inputs)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False  # they never give it back
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph.getvalue(), options, ["CPUExecutionProvider"])
    asked = [one.name for one in session.get_inputs()]

    def run(weights: Weights, *inputs: Tensor) -> Tensor:
        given = {**weights, **dict(zip(names, inputs, strict=True))}
        feed = {name: given[name].numpy() for name in asked}
        return torch.from_numpy(session.run(None, feed)[0])

    return run
