"""Photographs the scrubber of lesson 01 in JupyterLab, moved a little, for the README."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from diffusion_lessons import workspace
from tests.browser.lab import PANEL, ROOT, Server, launch, opened

SLIDER = f"{PANEL} input[type=range]"


def main() -> None:
    """Run the lesson, press the right arrow on its second slider, keep a picture of the widget."""
    with tempfile.TemporaryDirectory() as course, tempfile.TemporaryDirectory() as home:
        shutil.copytree(ROOT / "notebooks", course, dirs_exist_ok=True)
        server = Server(Path(course), Path(home))
        try:
            with sync_playwright() as playwright:
                browser = launch(playwright)
                look = {"device_scale_factor": 1.5, "reduced_motion": "no-preference"}
                with opened(browser, server, "01_forward_noising.ipynb", **look) as notebook:
                    notebook.run_all()
                    slider = notebook.page.locator(SLIDER).nth(1)
                    for _ in range(9):
                        slider.press("ArrowRight")
                    widget = slider.locator("xpath=ancestor::*[contains(@class, 'dl-widget')][1]")
                    widget.screenshot(path=workspace.data_path("pictures", "lesson-01.png"))
                browser.close()
        finally:
            server.stop()
    workspace.write_checksums(workspace.data_path())


if __name__ == "__main__":
    main()
