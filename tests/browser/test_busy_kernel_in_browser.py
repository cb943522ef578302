"""Controls moved while a cell runs, and drawings that are interrupted, in JupyterLab."""

from tests.browser.driving import CONTENT

SETUP = """
import threading, time, torch
import matplotlib.pyplot as plt
from diffusion_lessons import widgets

def wait(is_there):
    end = time.monotonic() + 30
    while not is_there():
        assert time.monotonic() < end
        time.sleep(0.02)

def draw(values, generator):
    if values["seed"] == 1:
        print("drawing in", threading.current_thread() is threading.main_thread(), flush=True)
        time.sleep(60)
    return torch.rand(1, 3, 4, 4, generator=generator) * 2 - 1, "noise", f"seed {values['seed']}"
"""
LIVE = "live = widgets.live(draw, [widgets.Slider('seed', 0, 20)])\nlive"
PLOT = """
figure, axes = plt.subplots()
for seed in (20, 19):  # the second answer comes when all is done that follows the first one
    wait(lambda: live.values["seed"] == seed)
axes.plot([1, 2])
print("answered while this cell runs")
"""


def test_the_first_move_is_answered_while_a_cell_draws_and_takes_no_figure_from_it(open_cells):
    with open_cells(SETUP, LIVE, PLOT) as notebook:
        page = notebook.page
        notebook.run_up_to(2)
        for key, seed in (("End", 20), ("ArrowLeft", 19)):
            page.get_by_role("slider", name="seed").press(key)
            page.locator(".dl-words", has_text=f"seed {seed}").wait_for()
        notebook.wait_idle()
        assert notebook.cell_errors() == []
        shown = page.evaluate("() => window.probe.outputs(2)")
    assert [sorted(one) for one in shown] == [["text"], ["image/png", "text/plain"]]


IN_MAIN = """() => {
  jupyterapp.shell.currentWidget.sessionContext.session.kernel.commsOverSubshells = "disabled";
}"""
INTERRUPT = "() => jupyterapp.commands.execute('notebook:interrupt-kernel')"


def test_a_drawing_that_is_interrupted_leaves_the_picture_and_a_slider_that_works(open_cells):
    """In the main thread of the kernel, as VS Code and Colab have it."""
    with open_cells(SETUP, LIVE) as notebook:
        page = notebook.page
        page.evaluate(IN_MAIN)
        notebook.run_all()
        slider, output = page.get_by_role("slider", name="seed"), page.locator(CONTENT[0]).first
        picture = page.locator(".dl-gallery canvas")
        before = picture.evaluate("node => node.toDataURL()")
        slider.press("ArrowRight")
        output.get_by_text("drawing …").wait_for()
        page.evaluate(INTERRUPT)
        alert = page.get_by_role("alert").filter(has_text="The kernel was interrupted. Try again.")
        alert.wait_for()
        assert picture.evaluate("node => node.toDataURL()") == before
        assert page.locator(".dl-words").inner_text() == "seed 0"
        slider.press("ArrowRight")
        page.locator(".dl-words", has_text="seed 2").wait_for()
        assert alert.count() == 0 and picture.evaluate("node => node.toDataURL()") != before
        notebook.wait_idle()
        assert notebook.cell_errors() == []
