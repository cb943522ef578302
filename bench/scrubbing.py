"""Key press to new picture in a real browser: our scrubber beside `interact` plus matplotlib.

Both ways show the same 41 pictures in one notebook in JupyterLab, in one run, on one machine. A
real key goes to the slider; the clock starts at the browser's own time stamp of the key and stops
when the pictures of the cell, redrawn at 96x96 and hashed, are others than before (all decoded,
none missing). The two ways take turns in blocks, so that a slower minute hits both.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import sync_playwright

from tests.browser.lab import ROOT, Notebook, Server, launch, opened

RESULT = ROOT / "data" / "bench" / "scrubbing.json"
BLOCKS, PRESSES = 4, 10
PAUSE_MS = 150

SETUP = """
import ipywidgets, matplotlib.pyplot as plt, torch
from diffusion_lessons import postcards, schedule
from diffusion_lessons.pictures import to_uint8
from diffusion_lessons.widgets import Bars, Curve, Pictures, scrub

t = torch.linspace(0, 1, 41)
x_0 = postcards.draw(postcards.sample_scenes(1, seed=0))
eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(0))
frames = torch.cat([schedule.add_noise(x_0, eps, at[None], schedule.cosine) for at in t])
pictures = to_uint8(frames)
edges = torch.linspace(-3, 3, 41)
bars = torch.stack([torch.histogram(x, edges, density=True).hist for x in frames])
words = [f"noise level {at:.3f}" for at in t]
"""
WAYS = {
    "scrub": """
scrub(("noise level t", words), [Pictures("x_t", frames, "a postcard under noise"),
      Bars("pixel values", bars, edges, alt="histogram"),
      Curve("signal", t, {"signal rate": 1 - t}, alt="falls")], words)
""",
    "interact": """
@ipywidgets.interact(place=(0, 40))
def show(place=0):
    plt.figure(figsize=(3, 3))
    plt.imshow(pictures[place])
    plt.axis("off")
    plt.show()
""",
}
SLIDERS = {"scrub": ".dl-slider input", "interact": ".noUi-handle"}

WATCH = Path(__file__).with_name("watch.js").read_text("utf-8")


def press_keys(notebook: Notebook, way: str, key: str) -> list[float]:
    """Milliseconds from key press to new picture, one for each of PRESSES keys."""
    page, slider = notebook.page, notebook.page.locator(SLIDERS[way])
    slider.focus()
    slider.evaluate(WATCH)
    took = []
    for _ in range(PRESSES):
        page.keyboard.press(key)
        page.wait_for_function("() => window.watch.took !== null", polling=20)
        took.append(page.evaluate("() => window.watch.took"))
        page.wait_for_timeout(PAUSE_MS)
    page.evaluate("() => window.watch.end()")
    return took


def measure() -> tuple[dict[str, list[float]], str]:
    """Milliseconds of every key press for both ways, and the browser's version."""
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder, home = Path(place, "notebooks"), Path(place, "home")
        folder.mkdir()
        home.mkdir()
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in (SETUP, *WAYS.values())])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, folder / "latency.ipynb")
        server, browser = Server(folder, home), launch(playwright)
        try:
            with opened(browser, server, "latency.ipynb") as opened_notebook:
                opened_notebook.run_all()
                for way in WAYS:
                    press_keys(opened_notebook, way, "ArrowRight")  # warm up
                for block in range(BLOCKS):
                    for way in WAYS:
                        key = "ArrowLeft" if block % 2 else "ArrowRight"
                        took[way] += press_keys(opened_notebook, way, key)
            return took, browser.version
        finally:
            browser.close()
            server.stop()


def summary(took: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Presses, median and 95th percentile of each way, in milliseconds."""
    return {
        way: {
            "presses": len(times),
            "median_ms": round(statistics.median(times), 2),
            "p95_ms": round(statistics.quantiles(times, n=20, method="inclusive")[-1], 2),
        }
        for way, times in took.items()
    }


def table(ways: dict[str, dict[str, float]], ratio: dict[str, float]) -> str:
    """The figures as a table to print."""
    names = {"scrub": "scrub, frames in the page", "interact": "interact + inline matplotlib"}
    lines = [f"{'key press to new picture (ms)':34} {'presses':>7} {'median':>8} {'p95':>8}"]
    for way, row in ways.items():
        lines.append(f"{names[way]:34} {row['presses']:7} {row['median_ms']:8} {row['p95_ms']:8}")
    lines.append(f"{'interact / scrub':42} {ratio['median_ms']:8} {ratio['p95_ms']:8}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table and write data/bench/scrubbing.json."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    took, chromium = measure()
    ways = summary(took)
    ratio = {
        name: round(ways["interact"][name] / ways["scrub"][name], 1)
        for name in ("median_ms", "p95_ms")
    }
    packages = ("jupyterlab", "ipykernel", "ipywidgets", "anywidget", "matplotlib")
    result = {
        "what": "key press to new picture in JupyterLab in headless Chromium, milliseconds",
        "ways": ways,
        "interact_over_scrub": ratio,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load_before": load,
        "versions": {"chromium": chromium} | {name: version(name) for name in packages},
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(table(ways, ratio))
    print(f"\nwritten to {RESULT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
