#!/usr/bin/env bash
# IPython 9.18.1: an output stays in memory after all three of its known names are deleted.
#
# Guess before trying: a cell's last value is held by Out[n], by _n and by _; without these and
# without a name of the user's own it is let go.
# Behaviour: the names _n are also written into `user_ns_hidden`, a dict of what %who leaves out, with
# their values. No magic or documented call empties it but %reset, which takes the user's names too.
# Output seen: "alive after del _1, Out[1], _: True; held by user_ns_hidden: True; after that: False"
# Why it matters: a notebook cell that shows a large object (a widget with pictures, a figure, an
# array) keeps it for good, and each run of the cell again keeps one more, whatever is deleted.
# Source: IPython/core/displayhook.py (update_user_ns), IPython/core/interactiveshell.py (push with
# interactive=False).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q ipython==9.18.1
cat > "$folder/trial.py" <<'PYTHON'
import gc
import weakref

from IPython.core.interactiveshell import InteractiveShell


class Large:
    pass


shell = InteractiveShell.instance()
shell.user_ns["Large"] = Large
shell.run_cell("Large()", store_history=True)
seen = weakref.ref(shell.user_ns["_1"])
for later in range(3):  # so that _, __ and ___ hold something else
    shell.run_cell(str(later), store_history=True)
shell.run_cell("del _1, Out[1]", store_history=True)
shell.last_execution_result = None
gc.collect()
alive, held = seen() is not None, shell.user_ns_hidden.get("_1") is seen()
shell.user_ns_hidden.pop("_1", None)
gc.collect()
gone = seen() is not None
print(f"alive after del _1, Out[1], _: {alive}; held by user_ns_hidden: {held}; after that: {gone}")
assert (alive, held, gone) == (True, True, False), "the behaviour has changed"
PYTHON
cd "$folder" && IPYTHONDIR="$folder/ipython" "$folder/venv/bin/python" trial.py | tail -1
