#!/usr/bin/env bash
# torch 2.13.0: an optimizer goes on writing into the state that it was loaded from.
#
# Guess before trying: Optimizer.load_state_dict copies what it is given, as Module.load_state_dict
# does, so one saved state can start two optimizers, and stays what was saved.
# Behaviour: only the containers and param_groups are copied. "step", and each tensor that has the
# dtype and device of its weight already, is taken as it is, and step() changes it in place. So a
# state in memory, a deep copy of state_dict(), changes with every step of the optimizer that loaded
# it, and a second optimizer that loads it starts where the first has got to.
# Output seen: "step saved 1.0, after one step elsewhere 2.0; moment 0.10, then 0.19; two
# optimizers from one state agree: False; from a copy each: True"
# Why it matters: going back to a saved point, or starting two trainings from one, gives other
# weights than the first time, without a word. From a file all is well, for torch.load makes new
# tensors. Give each optimizer copy.deepcopy(state).
# Source: torch/optim/optimizer.py: _process_value_according_to_param_policy returns `value` for
# "step" and `value.to(dtype=..., device=...)`, which is the same tensor where nothing is to change.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy
cat > "$folder/trial.py" <<'PYTHON'
import copy

import torch


def one_step(state=None):
    """Weight and optimizer after one step; the optimizer begins with `state`."""
    weight = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    if state:
        optimizer.load_state_dict(state)
    weight.grad = torch.ones(2)
    optimizer.step()
    return weight, optimizer


def seen(state):
    return state["state"][0]["step"].item(), state["state"][0]["exp_avg"][0].item()


saved = copy.deepcopy(one_step()[1].state_dict())
kept = copy.deepcopy(saved)
before = seen(saved)
first, _ = one_step(saved)
after = seen(saved)
second, _ = one_step(saved)
copies = [one_step(copy.deepcopy(kept))[0] for _ in range(2)]
same, same_of_copies = torch.equal(first, second), torch.equal(*copies)
print(
    f"step saved {before[0]}, after one step elsewhere {after[0]}; "
    f"moment {before[1]:.2f}, then {after[1]:.2f}; "
    f"two optimizers from one state agree: {same}; from a copy each: {same_of_copies}"
)
assert (before[0], after[0], same, same_of_copies) == (1.0, 2.0, False, True), "it has changed"
PYTHON
"$folder/venv/bin/python" "$folder/trial.py"
