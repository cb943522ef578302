"""The networks of text to image, run by ONNX Runtime: the same pictures in about half the time.

torch packs the weights of a convolution again at each call, and spends some microseconds on every
layer; on maps of 8x8 that is half of the time. ONNX Runtime packs them once; where somebody has
changed weights since, it is handed the new ones at each call, which takes a sixth more. Where a
layer or a hook was changed, torch runs the network.
"""

import copy
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self, cast
from unittest import mock

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .autoencoder import Autoencoder
from .layers import ResBlock, cross_attentions, twin
from .transformer import Transformer
from .upsampler import Upsampler

Weights = Mapping[str, Tensor]

# torch's exporter imports the package onnx for this step alone, which such graphs do not need.
_NEEDS_ONNX = "torch.onnx._internal.torchscript_exporter.onnx_proto_utils._add_onnxscript_fn"


class _Watched(nn.Parameter):
    """A weight that remembers whether somebody asked for its `data`: torch counts how often a
    weight is changed, but not what is written there."""

    touched = False

    @property
    def data(self) -> Tensor:
        self.touched = True
        return cast(Any, Tensor.data).__get__(self)

    @data.setter
    def data(self, tensor: Tensor) -> None:
        self.touched = True
        cast(Any, Tensor.data).__set__(self, tensor)

    def __deepcopy__(self, memo: dict) -> nn.Parameter:
        return nn.Parameter(self.detach().clone(), self.requires_grad)


class _Quick:
    """A function of a network, whose weights it watches; built at its first call, and again for
    another number of threads."""

    function: Callable[..., Tensor]  # from the network and tensors (B, ...) to (B, ...)

    def __init__(self, network: nn.Module):
        self.network, self._layers = network, _layers(network)
        self._packed = self._held()
        self._state, self._sums = _state(self._packed), [w.detach().sum() for w in self._packed]
        self._built: dict[tuple, Callable[..., Tensor]] = {}
        for weight in self._packed:
            if type(weight) is nn.Parameter:
                weight.__class__ = _Watched
                cast(Any, weight).touched = weight.is_inference()  # torch counts nothing there

    def __deepcopy__(self, memo: dict) -> Self:
        return type(self)(copy.deepcopy(self.network, memo))  # sessions cannot be copied

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return the function's output."""
        weights = self.changed()
        if weights is None:
            return getattr(self.network, self.function.__name__)(*inputs)
        return self.run(weights, *inputs)

    def changed(self) -> Weights | None:
        """Return the weights by name where they are others than were given, else nothing; None
        where torch has to run the network: its layers are others, or it is not on the CPU."""
        if any(_look(layer) != look for layer, look in self._layers):
            return None
        held = self._held()
        if [*map(id, held)] == [*map(id, self._packed)] and _state(held) == self._state:
            sums = zip(held, self._sums, strict=True)
            if all(weight.detach().sum() == total for weight, total in sums if _uncounted(weight)):
                return {}
        if [*map(_like, held)] != [*map(_like, self._packed)]:
            return None
        named = (*self.network.named_parameters(), *self.network.named_buffers())
        return {name: tensor.detach().contiguous() for name, tensor in named}

    def _held(self) -> list[nn.Parameter]:
        """Return the weights that its layers hold now."""
        held = (layer._parameters.values() for layer, _ in self._layers)
        return [weight for weights in held for weight in weights if weight is not None]

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


class QuickUpsampler(_Quick):
    """An `Upsampler` as a function that computes the same."""

    function = staticmethod(Upsampler.forward)


class QuickTransformer(_Quick):
    """A `Transformer` as a function that computes the same. Unlike a U-Net's, its words change from
    block to block and with the time, so nothing of a caption can be computed once for a walk."""

    function = staticmethod(Transformer.run)


class QuickUNet(_Quick):
    """A text U-Net, or a `ControlledUNet`, as a function that is called as it is and computes the
    same.

    The keys and values of a context are computed once in a walk that hands over the same tensor.
    """

    _walk: tuple[Tensor | None, Weights, list[Tensor]] = (None, {}, [])

    @staticmethod
    def function(unet: Any, x_t: Tensor, t: Tensor, *inputs: Tensor) -> Tensor:
        """Compute `TextUNet.forward` from the keys and values of each cross-attention in turn,
        after what else the network takes; half as many latents as captions serve both halves of
        these. It changes the U-Net."""
        layer: Any
        layers = cross_attentions(unet)
        others = len(inputs) % (2 * len(layers))
        more, found = inputs[:others], inputs[others:]
        pairs = [*zip(found[::2], found[1::2], strict=True)]
        each = len(pairs) // len(layers)
        for n, layer in enumerate(layers):
            layer.sources = partial(lambda own, context: own, pairs[each * n : each * (n + 1)])
        layer = next(layer for layer in unet.modules() if isinstance(layer, ResBlock))
        block = partial(ResBlock.forward, layer)
        layer.forward = lambda x, emb: block(x, emb[: x.shape[0]]).repeat(
            emb.shape[0] // x.shape[0], 1, 1, 1
        )
        return unet.run(x_t, unet.embed(t), found[0], *more)

    def on(self, network: nn.Module) -> Callable[..., Tensor]:
        """Return what computes the same as another network with these layers, as quickly; the other
        network where this one has been changed."""
        quick = copy.copy(self)
        quick.network, quick._layers, quick._walk = network, _layers(network), (None, {}, [])
        return network if self.changed() is None else quick

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
            weights = self.changed()
            layers = () if weights is None else cross_attentions(self.network)
            pairs = [pair for layer in layers for pair in layer.sources(context)]
            found = [part.contiguous() for pair in pairs for part in pair]
            walk = self._walk = context, weights or {}, found
        _, weights, found = walk
        if not found:
            return self.network(x_t, t, context, *more)
        half = len(x_t) // 2
        twice = not more and 2 * half == len(x_t)
        twice = twice and all(torch.equal(v[:half], v[half:]) for v in (x_t, t))
        # guidance: what stands before the first caption is computed once
        return self.run(weights, x_t[:half] if twice else x_t, t, *more, *found)


def _layers(network: nn.Module) -> list[tuple[nn.Module, tuple]]:
    """Return a network and all layers in it, each with its look."""
    layers = [network]
    for layer in layers:
        layers += filter(None, layer._modules.values())  # the list grows under the loop
    return [(layer, _look(layer)) for layer in layers]


def _look(layer: nn.Module) -> tuple:
    """Return what decides what a layer computes, but for its weights: its parts, its hooks, and the
    learner's own methods, of which each adds to what it has."""
    own, parts = vars(layer), layer._modules.values()
    hooks = *layer._forward_hooks, *layer._forward_pre_hooks
    return type(layer), type(layer).forward, own.get("forward"), len(own), *parts, *hooks


def _like(weight: Tensor) -> tuple:
    """Return what has to be the same of weights that take the place of others."""
    return weight.shape, weight.dtype, weight.is_cpu


def _state(weights: Sequence[Tensor]) -> list[tuple]:
    """Return where each weight is, and how often it was changed as far as torch has counted."""
    return [(w.data_ptr(), None if w.is_inference() else w._version) for w in weights]


def _uncounted(weight: Any) -> bool:
    """Return whether torch may not have counted all changes of a weight. Then its sum tells; to sum
    up all weights for each picture would take as long as to use them."""
    return getattr(weight, "touched", True)


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
    options.enable_cpu_mem_arena = False  # it never gives memory back
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph.getvalue(), options, ["CPUExecutionProvider"])
    asked = [one.name for one in session.get_inputs()]

    def run(weights: Weights, *inputs: Tensor) -> Tensor:
        given = {**weights, **dict(zip(names, inputs, strict=True))}
        feed = {name: given[name].numpy() for name in asked}
        return torch.from_numpy(session.run(None, feed)[0])

    return run
