"""From a key press to another picture in a real browser: what both measurements of it share."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, sync_playwright

from tests.browser.lab import Notebook, Server, launch, opened, write_notebook

BLOCKS, PRESSES = 4, 10  # key presses that are timed one by one
PAUSE_MS = 150
_WATCH = Path(__file__).with_name("watch.js").read_text("utf-8")


@contextmanager
def running(*cells: str) -> Iterator[tuple[Notebook, str]]:
    """A notebook of these cells that has run in JupyterLab, and the browser's version."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder, home = Path(place, "notebooks"), Path(place, "home")
        folder.mkdir()
        home.mkdir()
        name = write_notebook(folder, "keys", *cells)
        server, browser = Server(folder, home), launch(playwright)
        try:
            with opened(browser, server, name) as notebook:
                notebook.run_all()
                if faults := notebook.cell_errors() + notebook.faults:
                    raise RuntimeError(f"the notebook did not run: {faults}")
                yield notebook, browser.version
        finally:
            browser.close()
            server.stop()


def press(notebook: Notebook, slider: Locator, block: int) -> list[float]:
    """Milliseconds from key press to new picture, each key after the picture of the one before.

    block: the first goes to the right, the next one back, and so on.
    """
    page, took = notebook.page, []
    slider.focus()
    slider.evaluate(_WATCH)
    for _ in range(PRESSES):
        page.keyboard.press("ArrowLeft" if block % 2 else "ArrowRight")
        page.wait_for_function("() => window.watch.took !== null", polling=20)
        took.append(page.evaluate("() => window.watch.took"))
        page.wait_for_timeout(PAUSE_MS)
    page.evaluate("() => window.watch.end()")
    return took


def summary(took: Sequence[float]) -> dict[str, float]:
    """Presses, median and 95th percentile, in milliseconds."""
    return {
        "presses": len(took),
        "median_ms": round(statistics.median(took), 2),
        "p95_ms": round(statistics.quantiles(took, n=20, method="inclusive")[-1], 2),
    }
