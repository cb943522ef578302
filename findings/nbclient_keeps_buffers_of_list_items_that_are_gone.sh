#!/usr/bin/env bash
# nbclient 0.11.0 with ipywidgets 8.1.9: the saved state of a widget keeps the bytes of list items
# that are no longer there.
#
# Guess before trying: the stored state is the widget's state at the end, so a synchronised list of
# one item has the buffers of one item.
# Behaviour: a list trait whose items hold bytes is set to two items, then to its first item alone.
# The stored state has one item and two buffers; the path of the second, ["items", 1, "png"], leads
# to no place. A buffer is replaced when one with the same path comes, and never dropped.
# Output seen: "items: 1 buffers: [['items', 0, 'png'], ['items', 1, 'png']]"
# Why it matters: a page made from an executed notebook puts each buffer back at its path. At a path
# without a place the script raises, and no widget of that page is drawn, healthy ones included.
# A list with bytes in it must never become shorter.
# Source: nbclient/client.py: widget_buffers is only ever updated, and set_widgets_metadata stores all of it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q nbclient==0.11.0 ipywidgets==8.1.9 ipykernel==7.4.0 nbformat==5.10.4
"$folder/venv/bin/python" -m ipykernel install --prefix "$folder/venv" --name python3 > /dev/null
cat > "$folder/trial.py" <<'PYTHON'
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

CODE = """
from ipywidgets import DOMWidget
from traitlets import List

class Strip(DOMWidget):
    items = List().tag(sync=True)

strip = Strip(items=[{"png": b"one"}, {"png": b"two"}])
strip.items = strip.items[:1]
"""
notebook = NotebookClient(new_notebook(cells=[new_code_cell(CODE)])).execute()
models = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
(strip,) = [model for model in models if "items" in model["state"]]
paths = [buffer["path"] for buffer in strip["buffers"]]
print("items:", len(strip["state"]["items"]), "buffers:", paths)
assert len(strip["state"]["items"]) == 1
assert paths == [["items", 0, "png"], ["items", 1, "png"]], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/trial.py"
