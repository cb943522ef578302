#!/bin/sh
# Starts a learner's server on a JupyterHub:  hub_start.sh ADDRESS BRANCH [what jupyterhub-singleuser takes]
# At every login it brings the course into ~/course or up to date, and the learner's own copies of
# the lessons with it. Lessons, package and weights are then of this one copy, not of the image.
set -u
address=$1 branch=$2 course=$HOME/course
shift 2

# Without a network the learner goes on with the copy that is there.
gitpuller "$address" "$branch" "$course" || echo "The course could not be brought up to date." >&2

# The copies of a learner who changed them stay; what fill says of those is put where they see it.
if cd "$course"; then
    news="$course/my_lessons/NEWS.txt"
    told=$(python tools/my_lessons.py fill) || echo "The lessons could not be copied." >&2
    if [ -n "$told" ]; then echo "$told" > "$news"; else rm -f "$news"; fi
fi
cd "$HOME" || exit 1

# One thread for each kernel: many learners share the cores. A kernel that does nothing for an hour
# is stopped and gives its memory back, also where its notebook is still open.
export PYTHONPATH="$course${PYTHONPATH:+:$PYTHONPATH}" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec jupyterhub-singleuser \
    --ServerApp.root_dir="$HOME" \
    --LabApp.default_url=/lab/tree/course/my_lessons/00_start_here.ipynb \
    --LabApp.extra_labextensions_path="$course/diffusion_lessons/lab" \
    --LabApp.app_settings_dir="$course/diffusion_lessons/lab/settings" \
    --MappingKernelManager.cull_idle_timeout=3600 --MappingKernelManager.cull_connected=True \
    "$@"
