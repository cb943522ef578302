"""Key press to new picture, when the model has to paint it: `python -m bench.live_slider`.

A notebook in JupyterLab holds the shipped text-to-image model behind a live guidance slider, at the
number of steps that lesson 05 starts with. A real key goes to the slider; the clock starts at the
browser's own time stamp of the key and stops when the picture in the page is another one. Then keys
come faster than the model paints: at most one request may be on its way, and the last position must
be the one shown.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import sync_playwright

from bench import results
from bench.scrubbing import WATCH
from diffusion_lessons import workspace
from tests.browser.lab import Notebook, Server, launch, opened

WEIGHTS = "postcards"
BLOCKS, PRESSES = 4, 10  # key presses that are timed one by one
BURST, HERTZ = 20, 30  # key presses faster than pictures
PAUSE_MS = 150
STEPS = 6  # where the steps slider of lesson 05 starts
PROMISED_MS = 100

CELL = f"""
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.widgets import Slider, Text, live

pipe = TextToImage.from_pretrained("{WEIGHTS}")

def draw(values, generator):
    scale = values["guidance scale"]
    made = pipe(values["prompt"], guidance_scale=scale, generator=generator, output_type="pt",
                num_inference_steps={STEPS})
    return made.images * 2 - 1, values["prompt"], f"guidance scale {{scale}}"

live(draw, [Slider("guidance scale", 0.0, 10.0, 0.25, start=2.5), Slider("seed", 0, 99),
            Text("prompt", "a large red house on the left, on snow at night")])
"""
SLIDER, WORDS = ".dl-slider input", ".dl-words"

COUNT = """() => {
  const way = new Set(); // requests that the kernel has not answered
  window.traffic = { sent: 0, most: 0, now: () => way.size };
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  kernel.anyMessage.connect((_, { msg, direction }) => {
    if (msg.header.msg_type !== "comm_msg" || msg.content.data.method !== "update") return;
    const { request, answer } = msg.content.data.state;
    if (direction === "recv" && answer) way.delete(answer.id);
    if (direction !== "send" || !request) return;
    way.add(request.id);
    window.traffic.sent += 1;
    window.traffic.most = Math.max(window.traffic.most, way.size);
  });
}"""


def settings() -> dict:
    """All that settles the figures, besides the code and the machine."""
    sums = workspace.checksums()
    parts = (WEIGHTS, "captions", "autoencoder")
    return {
        "weights_sha256": {name: sums.get(f"weights/{name}.safetensors") for name in parts},
        "cell": CELL,
        "presses": BLOCKS * PRESSES,
        "burst": BURST,
        "hertz": HERTZ,
        "pause_ms": PAUSE_MS,
    }


def one_by_one(notebook: Notebook) -> list[float]:
    """Milliseconds from key press to new picture, each key after the picture of the one before."""
    page, slider, took = notebook.page, notebook.page.locator(SLIDER).first, []
    slider.focus()
    slider.evaluate(WATCH)
    for block in range(BLOCKS):
        for _ in range(PRESSES):
            page.keyboard.press("ArrowLeft" if block % 2 else "ArrowRight")
            page.wait_for_function("() => window.watch.took !== null", polling=20)
            took.append(page.evaluate("() => window.watch.took"))
            page.wait_for_timeout(PAUSE_MS)
    page.evaluate("() => window.watch.end()")
    return took


def in_a_burst(notebook: Notebook) -> dict:
    """Keys at HERTZ: what was sent to the kernel, and what the page shows in the end."""
    page, slider = notebook.page, notebook.page.locator(SLIDER).first
    slider.focus()
    page.evaluate("() => { window.traffic.sent = 0; window.traffic.most = 0; }")
    began = time.monotonic()
    for press in range(BURST):
        time.sleep(max(0.0, began + press / HERTZ - time.monotonic()))
        page.keyboard.press("ArrowRight")
    pressed = time.monotonic()
    notebook.wait_idle()
    place = slider.get_attribute("aria-valuetext")
    sent, most, left = page.evaluate(
        "() => [window.traffic.sent, window.traffic.most, window.traffic.now()]"
    )
    shown = page.locator(WORDS).first.inner_text()
    return {
        "presses": BURST,
        "presses a second": round((BURST - 1) / (pressed - began), 1),
        "requests": sent,
        "most requests on their way": most,
        "requests left open": left,
        "last position": place,
        "shown": shown,
        "the last position is shown": shown == f"guidance scale {place}",
    }


def measure() -> tuple[list[float], dict, str]:
    """Milliseconds of each key press, what became of the burst, and the browser's version."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder, home = Path(place, "notebooks"), Path(place, "home")
        folder.mkdir()
        home.mkdir()
        notebook = new_notebook(cells=[new_code_cell(CELL)])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, folder / "live.ipynb")
        server, browser = Server(folder, home), launch(playwright)
        try:
            with opened(browser, server, "live.ipynb") as page:
                page.run_all()
                if faults := page.cell_errors() + page.faults:
                    raise RuntimeError(f"the notebook did not run: {faults}")
                page.page.evaluate(COUNT)
                one_by_one(page)  # warm up
                return one_by_one(page), in_a_burst(page), browser.version
        finally:
            browser.close()
            server.stop()


def summary(took: list[float]) -> dict[str, float]:
    """Presses, median and 95th percentile, in milliseconds."""
    return {
        "presses": len(took),
        "median_ms": round(statistics.median(took), 1),
        "p95_ms": round(statistics.quantiles(took, n=20, method="inclusive")[-1], 1),
    }


def main() -> None:
    """Measure, print and write data/bench/live_slider.json."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    took, burst, chromium = measure()
    figures = summary(took)
    packages = ("torch", "jupyterlab", "ipykernel", "anywidget")
    result = {
        "what": "key press to a picture sampled anew, in JupyterLab in headless Chromium",
        "settings": settings(),
        "settings_sha256": results.fingerprint(settings()),
        "promised_ms": PROMISED_MS,
        "one by one": figures,
        "in a burst": burst,
        "machine": results.machine(),
        "load_before": load,
        "versions": {"chromium": chromium} | results.versions(*packages),
    }
    results.write(Path(__file__).stem, result)
    print(f"key press to new picture: median {figures['median_ms']} ms, p95 {figures['p95_ms']} ms")
    for name, value in burst.items():
        print(f"{name:30}{value}")


if __name__ == "__main__":
    main()
