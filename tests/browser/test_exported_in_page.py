"""An executed and exported notebook shows all its widgets, with no kernel and no JupyterLab."""

from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook

from tests.browser.bare_host import asks
from tests.every_widget import EVERY

SETUP = """
import torch
from diffusion_lessons import widgets
from tests import every_widget
"""
LONG = """
with widgets.watch(total=17, alt="sprites") as view:
    for step in range(1, 18):
        view.step(step, 1 / step)
        if step % 2:
            view.pictures(torch.zeros(2, 3, 5, 5), f"{step}")
        else:
            view.points(torch.zeros(3, 2), f"{step}", behind=torch.zeros(4, 2))
"""
FAILED = """
def draw(values, generator):
    return torch.rand(2 - values["seed"], 3, 8, 8), "noise", "as it was"

live = widgets.live(draw, [widgets.Slider("seed", 0, 9)])
for number, seed in enumerate((1, 2), 1):
    live.request = {"id": number, "places": [seed]}
live
"""


def test_all_widgets_of_an_exported_notebook_are_drawn(page, project):
    made = [f"every_widget.EVERY[{name!r}]()" for name in EVERY]
    cells = [new_code_cell(source) for source in (SETUP, *made, LONG, FAILED)]
    run = NotebookClient(new_notebook(cells=cells), resources={"metadata": {"path": str(project)}})
    text, _ = HTMLExporter().from_notebook_node(run.execute())
    page.route("**/*", lambda route: route.abort())  # nothing comes from elsewhere
    page.set_content(text, wait_until="domcontentloaded")
    count = page.evaluate(asks("exportedWidgets"))
    drawn = page.locator("main > .dl-widget")
    assert drawn.count() == count == len(EVERY) + 3  # one cell shows its training twice
    assert all(words.strip() for words in drawn.all_inner_texts())
    assert drawn.nth(-2).locator(".dl-stage").count() == 5  # it had eight
    assert drawn.last.locator("canvas").count() == 1  # the last good picture, and why no other
    assert "This could not be drawn. ValueError: there are 0 pictures" in drawn.last.inner_text()
