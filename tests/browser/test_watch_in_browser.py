"""A watched training in JupyterLab: the page follows while the cell runs, and after a stop too."""

from tests.browser.bare_host import asks
from tests.browser.driving import CONTENT, axe_violations, faults_of, pictures_without_words

SETUP = """
import math, time, torch
from diffusion_lessons import widgets
generator = torch.Generator().manual_seed(0)

def sprites():
    return torch.rand(16, 3, 16, 16, generator=generator) * 2 - 1
"""
TRAIN = """
with widgets.watch(total=300, alt="sprites the network draws") as view:
    for step in range(1, 301):
        time.sleep(0.02)
        view.step(step, math.exp(-step / 80) + 0.05 * torch.rand((), generator=generator))
        if step % 60 == 0:
            view.pictures(sprites(), f"after {step} steps")
"""


def test_the_page_follows_while_the_cell_runs_and_rests_whole(open_cells):
    with open_cells(SETUP, TRAIN) as notebook:
        page = notebook.page
        notebook.start_cell(0)
        notebook.wait_idle()
        page.evaluate(asks("follow"))
        notebook.start_cell(1)
        page.wait_for_function("() => window.followed.steps.at(-1) > 150")
        running = not page.evaluate("() => window.probe.idle()")
        half = page.evaluate("() => window.followed")
        words = page.locator(".dl-now").inner_text()
        notebook.wait_idle()
        whole = page.evaluate("() => ({ ...followed, views: followed.views.size })")
        assert running and len(half["steps"]) > 5  # shown while the cell was at work
        assert "about" in words and "left" in words
        assert whole["steps"] == sorted(whole["steps"]) and whole["steps"][-1] == 300
        assert whole["gaps"] == 0  # in no frame was the view gone or without its curve
        assert len(whole["said"]) <= 6  # nothing, 0, 25, 50, 75 %, done
        assert max(whole["heights"][-60:]) - min(whole["heights"][-60:]) <= 1
        assert page.locator(".dl-watch").count() == 1
        assert page.locator(".dl-stage").count() == 5
        assert page.locator(".dl-now").inner_text().startswith("Done: 300 steps.")
        assert pictures_without_words(page) + axe_violations(page) == []
        notebook.use_theme("JupyterLab Dark")
        assert axe_violations(page) == []
        notebook.use_theme("JupyterLab Light")
        stored = page.evaluate(
            "() => jupyterapp.shell.currentWidget.content.model.cells.get(1).outputs.toJSON()"
        )
        assert len(stored) == 1 and "Done: 300 steps." in "".join(stored[0]["data"]["text/html"])
        assert "image/png" in stored[0]["data"]
        assert notebook.faults + notebook.cell_errors() == []


def test_an_interrupt_keeps_the_cell_and_the_notebook_going(open_cells):
    after = "print('view is at', view.progress['step'])"
    with open_cells(SETUP, TRAIN + after, "print('the next cell runs')") as notebook:
        page = notebook.page
        notebook.start_cell(0)
        notebook.wait_idle()
        notebook.start_cell(1)
        page.wait_for_selector(".dl-stage")
        page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
        page.get_by_text("What was learned so far is kept.").first.wait_for()
        notebook.wait_idle()
        notebook.start_cell(2)
        notebook.wait_idle()
        bar = page.get_by_role("progressbar", name="training")
        step = int(bar.get_attribute("aria-valuenow"))
        outputs = [one.inner_text() for one in page.query_selector_all(CONTENT[0])]
        assert 60 <= step < 300
        assert f"Interrupted at step {step} of 300." in outputs[0]
        assert outputs[1].strip() == f"view is at {step}"
        assert outputs[2].strip() == "the next cell runs"
        assert notebook.faults + notebook.cell_errors() == []


SCRUB_POINTS = """
paths = torch.randn(5, 40, 2, generator=generator)
words = [f"stop {i}" for i in range(5)]
behind = ("data", paths[0])
panel = widgets.Points("paths", paths, "points that move", behind=behind, trails=5)
frames = torch.rand(5, 3, 8, 8, generator=generator) * 2 - 1
pictures = [widgets.Pictures(name, frames, name) for name in ("noisy", "guess", "true")]
error = widgets.Curve("error", torch.arange(5.0), {"error": torch.rand(5)}, "an error")
widgets.scrub(("t", words), [panel, *pictures, error], words)
"""


def test_points_and_the_square_pass_the_checks_and_python_has_the_drawing(open_cells):
    draw = "plane = widgets.plane('Draw what the network shall learn')\nplane"
    with open_cells(SETUP, SCRUB_POINTS, draw, "print(plane.points.shape)") as notebook:
        page = notebook.page
        notebook.run_all()
        assert faults_of(notebook) == []
        page.get_by_role("button", name="heart").press("Enter")
        board = page.get_by_role("application", name="Draw what the network shall learn")
        board.focus()
        for key in ("ArrowLeft", "ArrowDown", "Enter", "Space"):
            page.keyboard.press(key)
        notebook.wait_idle()  # else the cell may be faster than the last key
        notebook.start_cell(3)
        notebook.wait_idle()
        assert "[242, 2]" in page.locator(CONTENT[0]).last.inner_text()
