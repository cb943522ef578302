#!/usr/bin/env bash
# torch 2.13.0: creating the first optimizer of a process imports torch's compiler, though nothing
# is compiled.
#
# Guess before trying: torch._dynamo is imported by torch.compile, and by nothing else; an optimizer
# costs what its state costs.
# Behaviour: the class wraps its step functions when an instance is made, and the wrapper that keeps
# the compiler away from them imports it for that: torch._dynamo, and sympy with it.
# Output seen: "compiler imported before: False, after AdamW was created: True; modules: +823, memory: +72 MB"
# Why it matters: a small training on a laptop pays about two seconds and 70 to 150 MB at its first
# step (more where triton is installed), which stands in no profile of the training itself. The
# functions torch.optim.adamw.adamw and its like do the same update and import nothing.
# Source: torch/optim/optimizer.py (Optimizer.__init__), torch/_compile.py (_disable_dynamo).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy
cat > "$folder/trial.py" <<'PYTHON'
import resource
import sys

import torch


def state():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return "torch._dynamo" in sys.modules, len(sys.modules), peak


weight = torch.nn.Parameter(torch.zeros(2))
before = state()
torch.optim.AdamW([weight])
after = state()
print(f"compiler imported before: {before[0]}, after AdamW was created: {after[0]}; "
      f"modules: +{after[1] - before[1]}, memory: +{after[2] - before[2]} MB")
assert (before[0], after[0]) == (False, True), "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/trial.py"
