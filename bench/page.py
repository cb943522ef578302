"""The site's front page, and lesson 07's student, as a visitor meets them: `python -m bench.page`.

The site is built, served from here and visited by Chromium with an empty cache, as fast as it goes
and over a slow line. It paints in a worker, and at a real key, from the key's own time stamp until
the picture is in the page; plain torch on one core paints the same in turn.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from playwright.sync_api import Browser, Page, sync_playwright

from bench import results
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.widgets.studio import SUGGESTIONS
from tests.browser.lab import launch
from web.build import MODELS, build

ROUNDS, WARMING_UP = 15, 3
MBIT, LATENCY_MS = 50, 20
LINES = {"local": 0, f"{MBIT} Mbit/s": MBIT}
KEYS = {10: ("#prompt", ("Enter", "Enter"), 1), 6: ("#guidance", ("ArrowRight", "ArrowLeft"), 2)}
"""By steps: a field, the keys pressed there in turn, and how many pictures answer one: the slider's
is first painted in few steps, then in all of them."""
TORCH, WORKER, KEY = "plain torch, ms", "in the worker, ms", "key to picture, ms"
RATIO = "worker over torch"


def settings() -> dict:
    """All that settles the figures, besides the code and the machine."""
    named = {"prompt": SUGGESTIONS[0], "keys": KEYS, "rounds": ROUNDS, "latency_ms": LATENCY_MS}
    return named | {"lines": LINES, "weights_sha256": results.weights(*MODELS)}


class Serving(SimpleHTTPRequestHandler):
    """Serves a folder without a word, and keeps the size of each file that it sends."""

    sent: list[int] = []

    def copyfile(self, source: Any, outputfile: Any) -> None:  # noqa: D102
        self.sent.append(os.fstat(source.fileno()).st_size)
        super().copyfile(source, outputfile)

    def log_message(self, *_: object) -> None: ...  # noqa: D102


@contextmanager
def visited(browser: Browser, address: str, mbit: float = 0) -> Iterator[Page]:
    """The front page, its first picture drawn, in a context that has seen nothing before."""
    with browser.new_context(reduced_motion="reduce") as context:  # a film would hide the picture
        page, rate = context.new_page(), mbit * 1e6 / 8 or -1  # -1: without a limit
        page.add_init_script(path=Path(__file__).with_suffix(".js"))
        line: dict[str, float] = {"offline": False, "latency": LATENCY_MS if mbit else 0}
        line |= {"downloadThroughput": rate, "uploadThroughput": rate}
        context.new_cdp_session(page).send("Network.emulateNetworkConditions", line)
        page.goto(address)
        drawn(page, 1)
        yield page


def drawn(page: Page, pictures: int) -> None:
    """Wait until so many pictures have been drawn, and the last one's way as well."""
    there = f"pictures.length === {pictures} && !document.querySelector('#way').disabled"
    page.wait_for_function(there, polling=20)


def visits(browser: Browser, address: str) -> dict[str, dict]:
    """What a visit takes over each line; these take turns."""
    rows: dict[str, list[dict]] = {name: [] for name in LINES}
    for _ in range(WARMING_UP + ROUNDS):
        for name, mbit in LINES.items():
            Serving.sent.clear()
            with visited(browser, address, mbit) as page:
                rows[name].append(page.evaluate("visit()") | {"bytes": sum(Serving.sent)})
    return {name: medians(taken) for name, taken in rows.items()}


def pictures(page: Page) -> dict[str, dict]:
    """What a picture takes, by its steps; all ways to it take turns."""
    pipe, rows = TextToImage.from_pretrained(), {steps: list[dict]() for steps in KEYS}
    pipe._quick = {}  # torch alone
    asked = {"prompt": SUGGESTIONS[0], "scale": pipe.card["guidance_scale"]}
    for seed in range(WARMING_UP + ROUNDS):
        for steps, (field, keys, answers) in KEYS.items():
            dice = torch.Generator().manual_seed(seed)
            draw = partial(pipe, SUGGESTIONS[0], None, steps, generator=dice, output_type="pt")
            row = {TORCH: results.milliseconds(draw)}
            row[WORKER] = page.evaluate("paintOne", asked | {"seed": seed, "steps": steps})
            before = page.evaluate("pictures.length")
            page.locator(field).press(keys[seed % 2])
            drawn(page, before + answers)
            rows[steps].append(row | {KEY: page.evaluate(f"pictures[{before}] - key")})
    found = {f"{steps} steps": medians(taken) for steps, taken in rows.items()}
    return {name: row | {RATIO: round(row[WORKER] / row[TORCH], 2)} for name, row in found.items()}


def student(browser: Browser, address: str) -> dict:
    """What lesson 07's student takes in that lesson's page, at a key of its seed."""
    with browser.new_page() as page:
        page.add_init_script(path=Path(__file__).with_suffix(".js"))
        page.goto(f"{address}07_todays_models.html")
        page.wait_for_function("document.body.dataset.alive")
        slider, rows = page.locator("[data-kernel=typing] input[type=range]").last, []
        for turn in range(WARMING_UP + ROUNDS):
            before = page.evaluate("put")
            slider.press(("ArrowRight", "ArrowLeft")[turn % 2])
            page.wait_for_function("before => put > before", arg=before, polling=20)
            rows.append({KEY: page.evaluate("put - key")})
    return medians(rows)


def medians(rows: list[dict]) -> dict:
    """The median of each column, but for the rounds that warm up."""
    columns = {name: [row[name] for row in rows[WARMING_UP:]] for name in rows[0]}
    return {name: round(statistics.median(column), 3) for name, column in columns.items()}


def main() -> None:
    """Measure, print and write data/bench/page.json."""
    results.on_one_core()
    figures: dict[str, Any] = {"load_before": results.load()}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        build(Path(folder))
        serve = partial(Serving, directory=folder)
        with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server, launch(playwright) as browser:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{server.server_port}/"
            with visited(browser, address) as page:
                figures["pictures"] = pictures(page)
            figures["student"] = student(browser, address)
            figures |= {"visits": visits(browser, address), "chromium": browser.version}
            server.shutdown()
    rows = figures["visits"] | figures["pictures"] | {"student": figures["student"]}
    for name, row in rows.items():
        print(f"{name:10}", row)
    what = "the site's front page in headless Chromium, beside plain torch on one core"
    results.write(Path(__file__).stem, what, figures, settings())


if __name__ == "__main__":
    main()
