#!/usr/bin/env bash
# diffusers 0.42.1: FlowMatchEulerDiscreteScheduler shifts the end of its own list of times twice.
#
# Guess before trying: set_timesteps(4) with shift 3 gives four even times, 1 to 1/4, each put
# through s t / (1 + (s - 1) t) once: 1, .9, .75, .5, and then 0.
# Behaviour: the constructor keeps sigma_min and sigma_max of the 1000 times after the shift.
# set_timesteps spaces its times evenly between these two and shifts them again. The largest is 1
# and stays 1; the smallest is .001, shifted to .003, and shifted again to .0089. Besides, the list
# is spaced down to the smallest time, not to one step above 0. So a walk of N steps makes N - 1
# that matter and a last one that hardly moves.
# Output seen: "own list [1.0, 0.8577, 0.6022, 0.0089, 0.0]; shifted once [1.0, 0.9, 0.75, 0.5, 0.0]"
# Why it matters: with few steps, three of four are made, and a network trained for the times of the
# formula is asked at others. Handing the times over (sigmas=[1, .75, .5, .25]) shifts them once.
# Source: schedulers/scheduling_flow_match_euler_discrete.py, __init__ (sigma_min, sigma_max) and
# set_timesteps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q diffusers==0.42.1 torch==2.13.0 numpy
cat > "$folder/trial.py" <<'PYTHON'
from diffusers import FlowMatchEulerDiscreteScheduler


def times(**given):
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(**given)
    return [round(sigma, 4) for sigma in scheduler.sigmas.tolist()]


own, once = times(num_inference_steps=4), times(sigmas=[1.0, 0.75, 0.5, 0.25])
print(f"own list {own}; shifted once {once}")
assert once == [round(3 * t / (1 + 2 * t), 4) for t in (1, 0.75, 0.5, 0.25)] + [0.0]
assert own == [1.0, 0.8577, 0.6022, 0.0089, 0.0], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/trial.py"
