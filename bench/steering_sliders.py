"""Key press to new picture on each slider of lesson 06: `python -m bench.steering_sliders`.

The lesson itself runs in JupyterLab; only its live training is a tenth as long, as in all tests in
the browser. Then a real key goes to each slider behind which the model paints, with the adapter of
its section on and at the steps of its panel; the clock is that of `keys`. Beside it stand the CPU
milliseconds that the kernel spends on an answer, which other work on the machine hardly changes.
"""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

from bench import keys, results
from tests.browser.lab import PANEL
from tools import notebooks as tool

LESSON = "06_steering"
PANELS = {"mine-show": "strength", "weight": "style s", "scale": "conditioning scale", "alike": "λ"}
"""Cells of the lesson, and the name of the slider in each."""
WEIGHTS = ("postcards", "captions", "autoencoder", "controlnet-outline", "ip-adapter")
ANSWERS = 20
PROMISED_MS = 100

PROBE = f"""
import json as _json, time as _time
from ipywidgets.widgets import widget as _widget
from diffusion_lessons.widgets.live import Live as _Live

def _cpu_ms(panel):
    panel._reply(panel.request)
    began = _time.process_time()
    for _ in range({ANSWERS}):
        panel._reply(panel.request)
    return (_time.process_time() - began) / {ANSWERS} * 1000

_panels = [one for one in _widget._instances.values() if isinstance(one, _Live)]
print(_json.dumps([_cpu_ms(panel) for panel in _panels]))
"""
PRINTED = """() => jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells
  .at(-1).outputs.map(({ text }) => [text].flat().join("")).join("")"""


def settings() -> dict:
    """All that settles the figures, besides the code, the lesson and the machine."""
    presses = {"presses": keys.BLOCKS * keys.PRESSES, "pause_ms": keys.PAUSE_MS}
    return {"weights_sha256": results.weights(*WEIGHTS), "panels": PANELS, **presses}


def main() -> None:
    """Measure, print and write data/bench/steering_sliders.json."""
    load, rows = results.load(), []
    cells = nbformat.read(tool.NOTEBOOKS / f"{LESSON}.ipynb", as_version=4).cells
    places = {cell.id: number for number, cell in enumerate(cells)}
    with keys.running(*cells, new_code_cell(PROBE)) as (notebook, chromium):
        cpu = json.loads(notebook.page.evaluate(PRINTED))
        for (cell, name), ms in zip(PANELS.items(), cpu, strict=True):
            shown = notebook.page.locator(f"{PANEL} .jp-Cell").nth(places[cell])
            slider = shown.get_by_role("slider", name=name)
            slider.press("Home")  # the shortest of them has as many stops as a block has keys
            notebook.wait_idle()
            blocks = [keys.press(notebook, slider, block) for block in range(2 * keys.BLOCKS)]
            took = [keys.summary(block) for block in blocks]
            warm = keys.summary([ms for block in blocks[keys.BLOCKS :] for ms in block])
            medians = [round(block["median_ms"], 1) for block in took[keys.BLOCKS :]]
            row = {"slider": name} | warm | {"CPU ms of an answer": round(ms, 1)}
            rows.append(row | {"medians of its blocks": medians})
            print(row, medians, flush=True)
    what = "key press to a picture painted anew, with an adapter on, in lesson 06 in Chromium"
    figures = {"promised_ms": PROMISED_MS, "rows": rows}
    figures |= {"load_before": load, "chromium": chromium}
    packages = ("jupyterlab", "ipykernel", "anywidget")
    results.write(Path(__file__).stem, what, figures, settings(), packages)
    print("slowest median:", max(row["median_ms"] for row in rows), "ms")


if __name__ == "__main__":
    main()
