#!/usr/bin/env bash
# torch 2.13.0: the TorchScript exporter writes layer_norm as ONNX, and refuses rms_norm.
#
# Guess before trying: RMSNorm is a mean of squares, a root and a product, all of which ONNX has, and
# torch has had the layer since 2.4. So both norms are exported at every opset that knows LayerNorm.
# Behaviour: with dynamo=False the layer stays one operator of the graph, aten::rms_norm, for which
# no opset has a translation: UnsupportedOperatorError, at 17, 20 and 23. Written by hand, as
# x * rsqrt(mean(x * x) + eps) * weight, the same layer is exported. Opset 23 even has an operator
# RMSNormalization.
# Output seen: "LayerNorm ok, RMSNorm UnsupportedOperatorError, by hand ok" at each opset
# Why it matters: transformers normalise queries and keys by it (QK-norm of Stable Diffusion 3.5). The
# exporter that needs no other package then fails for the whole network.
# Source: torch/onnx/_internal/torchscript_exporter/symbolic_opset17.py has layer_norm; no file beside
# it has rms_norm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 onnx==1.19.0 numpy
cat > "$folder/trial.py" <<'PYTHON'
import contextlib
import io
import warnings

import torch

warnings.simplefilter("ignore")


class ByHand(torch.nn.RMSNorm):
    def forward(self, x):
        return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * self.weight


def export(layer, opset):
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            torch.onnx.export(
                layer, (torch.randn(2, 8),), io.BytesIO(), dynamo=False, opset_version=opset
            )
    except Exception as error:
        return type(error).__name__
    return "ok"


for opset in (17, 20, 23):
    layers = {"LayerNorm": torch.nn.LayerNorm(8), "RMSNorm": torch.nn.RMSNorm(8), "by hand": ByHand(8)}
    found = {name: export(layer, opset) for name, layer in layers.items()}
    print(f"opset {opset}: " + ", ".join(f"{name} {how}" for name, how in found.items()))
    assert list(found.values()) == ["ok", "UnsupportedOperatorError", "ok"], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/trial.py"
