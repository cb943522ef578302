#!/usr/bin/env bash
# safetensors 0.8.0 with torch 2.13.0: tensors that were loaded change when their file is written
# over.
#
# Guess before trying: load_file returns tensors of their own; what happens to the file afterwards
# does not reach them.
# Behaviour: load_file maps the file, and the tensors are views of that map. Writing other bytes of
# the same size into the same file (write_bytes, cp, rsync --inplace) changes the loaded weights
# without a word. save_file writes a new file and renames it, so it leaves them alone.
# Output seen: "loaded 0.0, after write_bytes 1.0, after save_file 0.0"
# Why it matters: a network in a running notebook draws other pictures after its weights were
# updated in place; a comparison of the weights before and after finds no difference. Write weights
# to a new name and rename it, or clone what was loaded.
# Source: github.com/safetensors/safetensors, issues 395 and 762, on the map behind load_file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q safetensors==0.8.0 torch==2.13.0 numpy
cat > "$folder/trial.py" <<'PYTHON'
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save, save_file

path = Path(sys.argv[1]) / "weights.safetensors"
zeros, ones = {"w": torch.zeros(4)}, {"w": torch.ones(4)}

save_file(zeros, path)
loaded = load_file(path)["w"]
at_first = loaded[0].item()
path.write_bytes(save(ones))
written = loaded[0].item()

save_file(zeros, path)
loaded = load_file(path)["w"]
save_file(ones, path)
saved = loaded[0].item()

print(f"loaded {at_first}, after write_bytes {written}, after save_file {saved}")
assert (at_first, written, saved) == (0.0, 1.0, 0.0), "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/trial.py" "$folder"
