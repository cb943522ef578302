#!/usr/bin/env bash
# jupyterlab 4.6.6 with ipywidgets 8.1.9: a stored output with a widget view and text/html shows the
# text/html while its notebook is not trusted, and an error as soon as it is.
#
# Guess before trying: a mime bundle holds alternatives, so where the model of a widget is gone the
# next richest one is shown; and trust only adds to what can be seen.
# Behaviour: the renderer is chosen by type alone, before the model is looked up. Without trust the
# view's type is not safe and passed over; with trust it comes first, and its error stays.
# Output seen: "not trusted: 'the still copy'; trusted: 'Error displaying widget: model not found'"
# Why it matters: whoever runs a notebook trusts it by that, so the next day, with a fresh kernel,
# an error stands in place of every widget that ran, though a still copy is stored beside it.
# Taking the view out of saved outputs helps, or an extension that then shows the other type.
# Source: @jupyter-widgets/jupyterlab-manager: its renderer catches the missing model with that
# sentence; @jupyterlab/rendermime: preferredMimeType(bundle, safe) knows types and ranks only.
set -euo pipefail
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jupyterlab==4.6.6 ipywidgets==8.1.9 ipykernel==7.4.0 playwright==1.65.2
"$folder/venv/bin/python" -m ipykernel install --prefix "$folder/venv" --name python3 > /dev/null
cat > "$folder/trial.py" <<'PYTHON'
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import sync_playwright

folder, chromium = Path(sys.argv[1]), sys.argv[2]
VIEW = {"version_major": 2, "version_minor": 0, "model_id": "0" * 32}
data = {"application/vnd.jupyter.widget-view+json": VIEW, "text/html": "<b>the still copy</b>"}
cell = new_code_cell("slider", execution_count=1)
cell.outputs = [new_output("display_data", data)]
kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
nbformat.write(new_notebook(cells=[cell], metadata={"kernelspec": kernel}), folder / "n.ipynb")

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
command += [f"--ServerApp.root_dir={folder}", "--IdentityProvider.token="]
places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
homes = {name: str(folder / name) for name in places}
server = subprocess.Popen(command, env=os.environ | homes, stderr=subprocess.DEVNULL)
try:
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/api/status", timeout=5)
            break
        except OSError:
            time.sleep(0.5)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{address}/lab/tree/n.ipynb")
        output = page.locator(".jp-OutputArea-output")
        output.get_by_text("the still copy").wait_for(timeout=120_000)
        before = output.inner_text().strip()
        trust = [sys.executable, "-m", "nbformat.sign", str(folder / "n.ipynb")]
        subprocess.run(trust, env=os.environ | homes, check=True, stdout=subprocess.DEVNULL)
        page.goto(f"{address}/lab/tree/n.ipynb?reset")
        output.get_by_text("Error displaying widget").wait_for(timeout=120_000)
        after = output.inner_text().strip()
finally:
    server.terminate()
    server.wait()
print(f"not trusted: {before!r}; trusted: {after!r}")
assert after == "Error displaying widget: model not found", "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/trial.py" "$folder" "$chromium"
