#!/usr/bin/env bash
# diffusers 0.42.1: beta, which the VQ-VAE paper puts before the commitment, weighs the codebook's own
# part of VectorQuantizer's loss, unless legacy=False is given.
#
# Guess before trying: VectorQuantizer(n_e, dim, beta=0.25) has the loss of the paper, eq. 3:
# ||sg[z] - e||^2 + beta ||z - sg[e]||^2. So a beta of 0 leaves the encoder free, and the codes learn.
# Behaviour: by default it is the other way round. The value is the same, only the gradients differ:
# at beta=0 no code moves, and the encoder is pulled towards them with weight 1.
# Output seen: "beta 0, as it comes: codebook 0.00, vectors 1.00" and, with legacy=False, "codebook
# 1.00, vectors 0.00" (lengths of the gradients, of the larger one)
# Why it matters: no comparison of losses shows it. Who copies beta=0.25 from the paper, as VQModel
# does, pulls the encoder four times as strongly to the codes as the codes to the encoder.
# Source: src/diffusers/models/autoencoders/vq_model.py, the note above VectorQuantizer.__init__.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q diffusers==0.42.1 torch==2.13.0 numpy
cat > "$folder/trial.py" <<'PYTHON'
import torch
from diffusers.models.autoencoders.vq_model import VectorQuantizer

torch.manual_seed(0)
z = torch.randn(2, 4, 3, 3, requires_grad=True)
found = {}
for how in ({}, {"legacy": False}):
    torch.manual_seed(1)
    quantizer = VectorQuantizer(16, 4, beta=0.0, **how)
    _, loss, _ = quantizer(z)
    pulls = torch.autograd.grad(loss, (quantizer.embedding.weight, z), allow_unused=True)
    lengths = [0.0 if pull is None else float(pull.norm()) for pull in pulls]
    found[bool(how)] = [length / max(lengths) for length in lengths]
    name = "legacy=False" if how else "as it comes"
    print(f"beta 0, {name}: codebook {found[bool(how)][0]:.2f}, vectors {found[bool(how)][1]:.2f}")
assert found == {False: [0.0, 1.0], True: [1.0, 0.0]}, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/trial.py"
