"""Key press to new picture, when the model has to paint it: `python -m bench.live_slider`.

A notebook in JupyterLab holds the shipped text-to-image model behind a live guidance slider, at the
number of steps that lesson 05 starts with. A real key goes to the slider; the clock starts at the
browser's own time stamp of the key and stops when the picture in the page is another one. Then keys
come faster than the model paints: at most one request may be on its way, and the last position must
be the one shown.
"""

from __future__ import annotations

import time
from pathlib import Path

from bench import keys, results
from tests.browser.lab import Notebook

WEIGHTS = "postcards"
BURST, HERTZ = 20, 30  # key presses faster than pictures
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
    return {
        "weights_sha256": results.weights(WEIGHTS, "captions", "autoencoder"),
        "cell": CELL,
        "presses": keys.BLOCKS * keys.PRESSES,
        "burst": BURST,
        "hertz": HERTZ,
        "pause_ms": keys.PAUSE_MS,
    }


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


def main() -> None:
    """Measure, print and write data/bench/live_slider.json."""
    load = results.load()
    with keys.running(CELL) as (notebook, chromium):
        notebook.page.evaluate(COUNT)
        slider = notebook.page.locator(SLIDER).first
        blocks = [keys.press(notebook, slider, block) for block in range(2 * keys.BLOCKS)]
        took = keys.summary([ms for block in blocks[keys.BLOCKS :] for ms in block])  # then warm
        burst = in_a_burst(notebook)
    what = "key press to a picture sampled anew, in JupyterLab in headless Chromium"
    figures = {"promised_ms": PROMISED_MS, "one by one": took, "in a burst": burst}
    figures |= {"load_before": load, "chromium": chromium}
    packages = ("jupyterlab", "ipykernel", "anywidget")
    results.write(Path(__file__).stem, what, figures, settings(), packages)
    print(f"key press to new picture: median {took['median_ms']} ms, p95 {took['p95_ms']} ms")
    for name, value in burst.items():
        print(f"{name:30}{value}")


if __name__ == "__main__":
    main()
