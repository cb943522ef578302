"""Key press to new picture, when the model has to paint it: `python -m bench.live_slider`.

A notebook in JupyterLab holds the shipped text-to-image model behind a live guidance slider, at the
number of steps that lesson 05 starts with, and the student of lesson 07 behind a seed slider. A
real key goes to a slider; the clock starts at the browser's own time stamp of the key and stops
when the picture in the page is another one. Then keys come faster than the models paint: at most
one request may be on its way, and the last position must be the one shown.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator

from bench import keys, results
from tests.browser.lab import Notebook

WEIGHTS = "postcards"
BURST, HERTZ = 20, 30  # key presses faster than pictures
STEPS = 6  # where the steps slider of lesson 05 starts
STUDENT = "postcards-turbo"
PROMISED_MS, STUDENT_MS = 100, 33

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
STUDENT_CELL = f"""
student = TextToImage.from_pretrained("{STUDENT}")

def draw_soon(values, generator):
    made = student(values["prompt"], generator=generator, output_type="pt")
    return made.images * 2 - 1, values["prompt"], f"seed {{values['seed']}}"

live(draw_soon, [Slider("seed", 0, 99, start=10), Text("prompt", "a red house on snow at night")])
"""
LIVE, SLIDER, WORDS = ".dl-live", ".dl-slider input", ".dl-words"
WAYS = {"": (0, "guidance scale"), ", the student": (1, "seed")}  # place in the notebook, words

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
    return {
        "weights_sha256": results.weights(WEIGHTS, STUDENT, "captions", "autoencoder"),
        "cells": [CELL, STUDENT_CELL],
        "presses": keys.BLOCKS * keys.PRESSES,
        "burst": BURST,
        "hertz": HERTZ,
        "pause_ms": keys.PAUSE_MS,
    }


def one_by_one(notebook: Notebook, slider: Locator) -> dict[str, float]:
    """Key presses at a slider, the second half of them, when all is warm."""
    slider.scroll_into_view_if_needed()
    blocks = [keys.press(notebook, slider, block) for block in range(2 * keys.BLOCKS)]
    return keys.summary([ms for block in blocks[keys.BLOCKS :] for ms in block])


def in_a_burst(notebook: Notebook, panel: Locator, name: str) -> dict:
    """Keys at HERTZ: what was sent to the kernel, and what the page shows in the end."""
    page, slider = notebook.page, panel.locator(SLIDER).first
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
    shown = panel.locator(WORDS).first.inner_text()
    return {
        "presses": BURST,
        "presses a second": round((BURST - 1) / (pressed - began), 1),
        "requests": sent,
        "most requests on their way": most,
        "requests left open": left,
        "last position": place,
        "shown": shown,
        "the last position is shown": shown == f"{name} {place}",
    }


def main() -> None:
    """Measure, print and write data/bench/live_slider.json."""
    load, figures = results.load(), dict[str, Any](promised_ms=PROMISED_MS)
    with keys.running(CELL, STUDENT_CELL) as (notebook, chromium):
        notebook.page.evaluate(COUNT)
        for way, (place, name) in WAYS.items():
            panel = notebook.page.locator(LIVE).nth(place)
            took = one_by_one(notebook, panel.locator(SLIDER).first)
            burst = in_a_burst(notebook, panel, name)
            figures |= {f"one by one{way}": took, f"in a burst{way}": burst}
            print(f"key press to new picture{way}: median {took['median_ms']} ms", took, burst)
    what = "key press to a picture sampled anew, in JupyterLab in headless Chromium"
    figures |= {"load_before": load, "chromium": chromium}
    packages = ("jupyterlab", "ipykernel", "anywidget")
    results.write(Path(__file__).stem, what, figures, settings(), packages)


if __name__ == "__main__":
    main()
