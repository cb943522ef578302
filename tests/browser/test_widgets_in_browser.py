"""The widgets in JupyterLab with a kernel behind them, and proof that the checks can fail."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from diffusion_lessons import widgets
from tests.browser import conftest
from tests.browser.bare_host import asks
from tests.browser.driving import CONTENT, faults_of
from tests.every_widget import scrubber

LIVE_MIME = "application/vnd.jupyter.widget-view+json"

SETUP = """
import anywidget, ipywidgets, threading, time, torch, numpy as np
from IPython.display import HTML, display
from diffusion_lessons import pictures, widgets

ramp = torch.linspace(-1, 1, 6 * 48).reshape(6, 3, 4, 4)
STOPS = [f"stop {i}" for i in range(6)]

def noise(values, generator):
    return torch.rand(1, 3, 4, 4, generator=generator) * 2 - 1, "noise", f"seed {values['seed']}"
"""
SCRUB = """
widgets.scrub(("level", STOPS), [widgets.Pictures("ramp", ramp, "a ramp of colours")], STOPS)
"""


def test_all_widgets_pass_the_checks(open_cells):
    cells = [
        SETUP,
        SCRUB,
        "widgets.live(noise, [widgets.Slider('seed', 0, 5)])",
        "widgets.sketch(lambda marked, prompt: "
        "(torch.ones(1, 3, 64, 64) * len(prompt) / 99, 'grey', [prompt]), 'a grey picture')",
        "q = widgets.guess('How much?', ['a half', 'a third'])\nq",
        "pictures.show(ramp, 'six squares of colour', STOPS)",
    ]
    with open_cells(new_markdown_cell("# Widgets\n\nSome $x_t$."), *cells) as notebook:
        notebook.run_all()
        assert faults_of(notebook) == []


BROKEN = {
    "a dead scrubber": (
        SCRUB.replace("ramp,", "ramp[:1].expand(6, -1, -1, -1),", 1), "range 'level' is dead"),
    "a dead live slider": (
        "widgets.live(lambda values, generator: (ramp[:1], 'a ramp', 'the same'),"
        " [widgets.Slider('eta', 0, 3)])", "range 'eta' is dead"),
    "a drawing that fails": (
        "def draw(values, generator):\n"
        "    if values['seed'] > 1: raise KeyError('no picture')\n"
        "    return noise(values, generator)\n"
        "widgets.live(draw, [widgets.Slider('seed', 0, 3)])",
        "a drawing failed: This could not be drawn. KeyError: 'no picture'"),
    "a widget that fails as it is drawn": (
        "class Dead(anywidget.AnyWidget):\n"
        "    _esm = 'export default { render() { throw new Error(\"no\") } }'\n"
        "Dead()", "a widget is dead: nothing of it is in the page"),
    "a widget that is drawn and fails before it listens": (
        "class Deaf(anywidget.AnyWidget):\n"
        "    _esm = 'export default { render({ el }) { el.append(\"here\");"
        " throw new Error(\"deaf\") } }'\n"
        "Deaf()", "deaf"),
    "a callback that fails": (
        "w = widgets.guess('How much?', ['a half', 'a third'])\n"
        "w.observe(lambda change: [].pop(), names='committed')\nw",
        "a callback failed: IndexError"),
    "an image without words": (
        "display(HTML('<img src=\"data:image/gif;base64,R0lGODlhAQABAAAAACw=\">'))",
        'a picture without a text alternative: <img src="data:image/gif'),
    "a bare figure": (
        "import matplotlib.pyplot as plt\nplt.plot([0, 1])\nplt.show()",
        'a picture without a text alternative: <img src="data:image/png'),
    "a request to the world": (
        'display(HTML(\'<img alt="a dot" src="https://example.org/dot.png">\'))',
        "a request left the machine: https://example.org/dot.png"),
    "a field without a name": (
        "display(HTML('<select><option>a</option><option>b</option></select>'))",
        "axe critical select-name"),
    "a slider that lets a key through": ("ipywidgets.IntSlider()", "cut the cell"),
    "an error in a cell": ("1 / 0", "ZeroDivisionError"),  # last: the run stops there
}  # fmt: skip


@pytest.mark.both_browsers
def test_the_checks_can_fail(open_cells):
    with open_cells(SETUP, *(cell for cell, _ in BROKEN.values())) as notebook:
        notebook.run_all()
        found = faults_of(notebook)
    unseen = [name for name, (_, words) in BROKEN.items() if not any(words in one for one in found)]
    assert not unseen, found


def test_a_kernel_asked_for_widgets_before_it_has_any_is_no_fault(open_cells):
    with open_cells("1 + 1") as notebook:
        notebook.run_all()
        notebook.page.evaluate(asks("askForWidgets"), "jupyter.widget.control")
        notebook.wait_idle()
        assert notebook.cell_errors() == []
        notebook.page.evaluate(asks("askForWidgets"), "no.such")
        notebook.wait_idle()
        assert any("no.such" in fault for fault in notebook.cell_errors())


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip), ("true", pytest.fail)])
@pytest.mark.parametrize(("name", "said"), [("chromium", "no Chromium"), ("firefox", "no Firefox")])
def test_without_a_browser_its_tests_skip_but_fail_in_ci(monkeypatch, ci, outcome, name, said):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome.Exception, match=f"did not run: {said} found"):
        conftest.require(name, None)


BUSY = """
torch.set_grad_enabled(False)
torch.manual_seed(0)
expected = torch.rand(40)
torch.manual_seed(0)
got = []
for _ in range(40):
    got.append(torch.rand(()))
    time.sleep(0.2)
torch.set_grad_enabled(True)
print("the cell's own numbers are untouched:", torch.equal(torch.stack(got), expected))
"""
WATCHED = """
main = threading.get_ident()
weight = torch.ones((), requires_grad=True)
calls, inside = [], []

def draw(values, generator):
    inside.append(1)
    picture = weight * torch.rand(1, 3, 4, 4, generator=generator)
    calls.append((values["seed"], len(inside), threading.get_ident() != main,
                  torch.is_inference_mode_enabled(), picture.requires_grad))
    time.sleep(0.05)
    inside.pop()
    return picture, f"noise {picture.sum().item():.4f}", f"seed {values['seed']}"

live = widgets.live(draw, [widgets.Slider("seed", 0, 20)])
live
"""
REPORT = """
right = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(20)).sum()
print(f"noise {right:.4f}", live.values, calls[-1][3:], "together", max(call[1] for call in calls))
print("in another thread:", any(call[2] for call in calls))
"""


def test_a_slider_moved_while_a_cell_runs(open_cells):
    with open_cells(SETUP, WATCHED, BUSY, REPORT) as notebook:
        page = notebook.page
        notebook.run_up_to(2)
        page.get_by_role("slider", name="seed").focus()
        for _ in range(20):
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(100)
        notebook.wait_idle()
        page.locator(".dl-words", has_text="seed 20").wait_for()
        notebook.start_cell(3)
        notebook.wait_idle()
        outputs = [one.inner_text() for one in page.query_selector_all(CONTENT[0])]
        shown = page.locator(".dl-gallery").get_attribute("aria-label")
        assert notebook.cell_errors() == []
    assert "the cell's own numbers are untouched: True" in outputs[-2]
    assert outputs[-1].startswith(f"{shown} {{'seed': 20}} (True, False) together 1")
    assert "in another thread: True" in outputs[-1]


def test_only_the_live_widget_is_shown_and_again_when_its_cell_runs_again(open_cells):
    with open_cells(SETUP, SCRUB) as notebook:
        output = notebook.page.locator(CONTENT[0])
        for _ in range(2):
            notebook.run_all()
            assert output.count() == 1 and output.locator("img").count() == 0
            assert notebook.page.locator(".dl-widget").count() == 1
        assert faults_of(notebook) == []


def test_a_notebook_opened_the_next_day_shows_the_still_widgets_until_they_are_run(open_cells):
    ask = "q = widgets.guess('How much?', ['a half', 'a third'])\nq"
    with open_cells(SETUP, SCRUB, ask) as notebook:
        page, session = notebook.page, "window.jupyterapp.shell.currentWidget.sessionContext"
        notebook.run_all()
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        page.wait_for_timeout(6000)  # JupyterLab asks about its news a while after it has started
        assert page.locator(".Toastify__toast").all_inner_texts() == []
        page.evaluate(f"() => {session}.session.kernel.restart()")
        page.reload()
        page.wait_for_function("() => window.probe.ready()")
        page.get_by_text("To wake it: Run").nth(1).wait_for()
        assert (
            page.get_by_text("model not found").count() == page.locator(".dl-widget").count() == 0
        )
        assert page.get_by_role("img", name="a ramp of colours. A strip of 5 stops").count() == 1
        page.evaluate("() => window.probe.listen()")
        notebook.run_all()
        assert page.locator(".dl-widget").count() == 2 and page.get_by_text("To wake").count() == 0


def test_a_second_tab_and_another_name_leave_every_widget_at_work(open_cells):
    live = "live = widgets.live(noise, [widgets.Slider('seed', 0, 5)])\nlive"
    ask = "q = widgets.guess('How much?', ['a half', 'a third'])\nq"
    with open_cells(SETUP, live, ask, SCRUB, "print(q.committed, live.values)") as notebook:
        page, context = notebook.page, "window.jupyterapp.shell.currentWidget.context"
        notebook.run_all()
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        where = page.evaluate(
            f"() => `${{location.origin}}/lab/workspaces/second/tree/${{{context}.path}}`"
        )
        second = page.context.new_page()
        second.goto(where)
        second.wait_for_function("() => window.probe.ready()")
        second.locator(".dl-widget").nth(2).wait_for()
        second.get_by_role("radio", name="a third").press("Space")
        second.get_by_role("button", name="Commit").press("Enter")
        page.evaluate(f"() => {context}.rename('another name.ipynb')")
        page.get_by_role("tab", name="another name").wait_for()
        for tab, key, seed in (
            (second, "ArrowRight", 1),
            (page, "End", 5),
            (second, "ArrowRight", 2),
        ):
            tab.get_by_role("slider", name="seed").press(key)
            tab.locator(".dl-live .dl-words").get_by_text(f"seed {seed}").wait_for()
        assert second.evaluate("() => window.probe.errors()") == []
        second.close()
        notebook.start_cell(4)
        notebook.wait_idle()
        assert "a third {'seed': 2}" in page.locator(CONTENT[0]).last.inner_text()
        assert page.locator(".dl-widget").count() == 3
        assert notebook.faults + notebook.cell_errors() == []


def test_a_guess_is_heard_by_the_next_cell(open_cells):
    ask = "q = widgets.guess('How much?', ['a half', 'a third'])\nq"
    with open_cells(SETUP, ask, "q.compare('a half', 'so it is.')") as notebook:
        page = notebook.page
        notebook.run_all()
        assert "No guess is committed yet" in page.locator(CONTENT[0]).last.inner_text()
        page.get_by_role("radio", name="a half").focus()
        page.keyboard.press("Space")
        page.get_by_role("button", name="Commit").press("Enter")
        notebook.start_cell(2)
        notebook.wait_idle()
        page.get_by_text("You said a half. ✓ Right. It is a half, because so it is.").wait_for()


def test_without_the_live_widget_the_strip_and_its_words_are_shown(open_cells):
    data, _ = scrubber()._repr_mimebundle_()
    assert len(data["text/html"]) + len(data["image/png"]) < 500_000
    assert isinstance(widgets.guess("How much?").still()[0], str)
    del data[LIVE_MIME]
    cell = new_code_cell("scrubber", execution_count=1)
    cell.outputs = [new_output("execute_result", data, execution_count=1)]
    with open_cells(cell) as notebook:  # stored, never run: JupyterLab does not trust it
        output = notebook.page.locator(CONTENT[0])
        image = output.locator("img")
        assert image.count() == 1
        assert image.get_attribute("alt").startswith("noise; five bars; a line.")
        assert image.evaluate("n => n.decode().then(() => n.naturalWidth)") > 500
        assert "It is stop 1.11!" in output.inner_text()
