"""Key press to new picture in a real browser: our scrubber beside `interact` plus matplotlib.

Both ways show the same 41 pictures in one notebook in JupyterLab, in one run, on one machine. A
real key goes to the slider; the clock starts at the browser's own time stamp of the key and stops
when the pictures of the cell, redrawn at 96x96 and hashed, are others than before (all decoded,
none missing). The two ways take turns in blocks, so that a slower minute hits both.
"""

from __future__ import annotations

from pathlib import Path

from bench import keys, results

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
    load, took = results.load(), {way: list[float]() for way in WAYS}
    with keys.running(SETUP, *WAYS.values()) as (notebook, chromium):
        for block in range(-1, keys.BLOCKS):  # the first one only warms up
            for way in WAYS:
                slider = notebook.page.locator(SLIDERS[way])
                times = keys.press(notebook, slider, max(block, 0))
                took[way] += times if block >= 0 else []
    ways = {way: keys.summary(times) for way, times in took.items()}
    ratio = {
        name: round(ways["interact"][name] / ways["scrub"][name], 1)
        for name in ("median_ms", "p95_ms")
    }
    what = "key press to new picture in JupyterLab in headless Chromium, milliseconds"
    figures = {"ways": ways, "interact_over_scrub": ratio}
    figures |= {"load_before": load, "chromium": chromium}
    packages = ("jupyterlab", "ipykernel", "ipywidgets", "anywidget", "matplotlib")
    results.write(Path(__file__).stem, what, figures, packages=packages)
    print(table(ways, ratio))


if __name__ == "__main__":
    main()
