"""Move every control of a notebook by keyboard, and say in words what is wrong with it."""

from __future__ import annotations

import time
from importlib import resources

from playwright.sync_api import ElementHandle, Page

from tests.browser.lab import PANEL, Notebook

CONTENT = (f"{PANEL} .jp-OutputArea-output", f"{PANEL} .jp-RenderedMarkdown")
CONTROLS = (
    "input:not([type=hidden]), select, textarea, button:not([aria-hidden=true]), [role=slider], "
    "[role=application]"
)
KIND = """n => n.getAttribute("role")
  ?? (n.inputMode === "decimal" ? "number" : n.type || n.localName)"""
ANSWER_LIMIT_S, IDLE_LIMIT_S = 60, 3


def faults_of(notebook: Notebook) -> list[str]:
    """Everything wrong with the content of a notebook that has been run, in words."""
    faults = notebook.cell_errors()
    faults += pictures_without_words(notebook.page)
    faults += axe_violations(notebook.page)
    for output in notebook.page.query_selector_all(CONTENT[0]):
        faults += _drive_output(notebook, output)
    notebook.wait_idle()  # an error in a callback may come later than what the page shows
    faults += [error for error in notebook.cell_errors() if error not in faults]
    faults += pictures_without_words(notebook.page)
    return list(dict.fromkeys(faults + notebook.faults))


def pictures_without_words(page: Page) -> list[str]:
    """Pictures in outputs and texts that a screen reader cannot name."""
    found = page.evaluate("selectors => window.probe.nameless(selectors)", list(CONTENT))
    return [f"a picture without a text alternative: {picture}" for picture in found]


def axe_violations(page: Page) -> list[str]:
    """What axe-core finds in the notebook's own content."""
    load_axe(page)
    present = [selector for selector in CONTENT if page.query_selector(selector)]
    if not present:
        return []
    context = {"include": present}
    found = page.evaluate("context => axe.run(context, { resultTypes: ['violations'] })", context)
    return [
        f"axe {one['impact']} {one['id']}: {node['html'][:140]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def axe_faults(page: Page) -> list[tuple[str, str]]:
    """What axe-core finds in the widget of a bare page: rule and element."""
    load_axe(page)
    found = page.evaluate("() => axe.run('main')")["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found]


def load_axe(page: Page) -> None:
    """Put axe-core into the page, from the installed package; no network."""
    if not page.evaluate("() => 'axe' in window"):
        script = resources.files("axe_playwright_python").joinpath("axe.min.js")
        page.evaluate(script.read_text("utf-8") + "\n;undefined")


def _seen(output: ElementHandle) -> str:
    """What the output shows beside the controls themselves: pictures, drawings and words."""
    return output.evaluate("n => window.probe.seen(n)")


def _drive_output(notebook: Notebook, output: ElementHandle) -> list[str]:
    faults = []
    for control in output.query_selector_all(CONTROLS):
        if not (control.is_visible() and control.is_enabled()):
            continue
        cells, name = notebook.cell_count(), _name(control)
        control.focus()
        notebook.page.keyboard.press("x")  # cuts the cell where JupyterLab gets to see the key
        if notebook.cell_count() != cells:
            notebook.page.evaluate(
                "() => window.jupyterapp.commands.execute('notebook:undo-cell-action')"
            )
            faults.append(f"pressing x on {name} cut the cell")
            break  # the controls of this output are gone
        problem = _drive(notebook.page, output, control)
        faults += [f"{name} {problem}"] if problem else []
    faults += [
        f"a drawing failed: {text}"
        for text in [alert.inner_text() for alert in output.query_selector_all("[role=alert]")]
        if text.strip()
    ]
    return faults


def _drive(page: Page, output: ElementHandle, control: ElementHandle) -> str:
    """Move one control through its range; what is wrong with it, or nothing."""
    kind = control.evaluate(KIND)
    if kind in ("range", "slider"):
        return _drive_slider(page, output, control)
    before = _seen(output)
    if kind == "radio":
        return _drive_radio(page, output, control)
    if kind == "application":
        return _drive_board(page, output)
    if kind == "select-one":
        changed = _changes_after(page, output, "ArrowDown", before)
    elif kind == "spinbutton":
        return _drive_spinbutton(page, output, control)
    elif kind in ("text", "number"):
        return _drive_text(page, output, control, kind)
    elif kind in ("submit", "button", "checkbox"):
        _to_the_end(page, output)
        before, words = _seen(output), _announced(output)
        control.focus()
        changed = _changes_after(page, output, "Space", before) or _announced(output) != words
    else:
        return f"is a control of a kind that this test cannot move: {kind}"
    return "" if changed else "is dead: nothing changes"


def _drive_slider(page: Page, output: ElementHandle, control: ElementHandle) -> str:
    """Home, then by arrow to the end, then back in pages: the pictures follow, the place too."""
    control.focus()
    page.keyboard.press("Home")
    _settle(page, output)
    first, start, stops = _seen(output), _place(control), 0
    while stops < 1000:
        here = _place(control)
        page.keyboard.press("ArrowRight")
        if _place(control) == here:
            break
        stops += 1
    if stops == 0:
        return "does not move: the arrow keys do not reach it"
    if not _wait_change(page, output, first):
        return "is dead: the pictures stay the same over its whole range"
    for key in ("ArrowLeft", "ArrowDown", "PageDown", "Home"):
        here = _place(control)
        page.keyboard.press(key)
        if _place(control) == here and here != start:
            return f"does not answer the key {key}"
    for key in ("ArrowUp", "PageUp", "End"):
        page.keyboard.press(key)
    _settle(page, output)
    return "" if _seen(output) != first else "shows the same at both ends"


def _drive_radio(page: Page, output: ElementHandle, control: ElementHandle) -> str:
    """The arrow keys choose another option, and one that cannot be chosen shows something else."""
    before = _seen(output)
    control.focus()
    page.keyboard.press("Space")
    here = control.evaluate("n => n.checked")
    page.keyboard.press("ArrowDown")
    if here and control.evaluate("n => n.checked"):
        return "does not move: the arrow keys do not reach it"
    if here or not output.query_selector("canvas, svg, img"):
        _settle(page, output)
        return ""  # ways may show the same; a question's Commit button shows what was chosen
    return "" if _wait_change(page, output, before) else "is dead: nothing changes"


def _drive_spinbutton(page: Page, output: ElementHandle, control: ElementHandle) -> str:
    """The arrow keys move the number up and down again, and what is shown depends on it."""
    control.focus()
    page.keyboard.press("Control+z")  # the x that was pressed on it
    number, before = _place(control), _seen(output)
    page.keyboard.press("ArrowUp")
    if _place(control) == number:
        return "does not move: the arrow keys do not reach it"
    if not _wait_change(page, output, before):
        return "is dead: nothing changes"
    page.keyboard.press("ArrowDown")
    _settle(page, output)
    return "" if _place(control) == number else "does not come back with the key ArrowDown"


def _drive_board(page: Page, output: ElementHandle) -> str:
    """A square to draw in: an arrow key moves the cross, Enter adds a point there."""
    for key in ("ArrowLeft", "Enter"):
        before = _seen(output)
        page.keyboard.press(key)
        if _seen(output) == before:
            return f"does not answer the key {key}"
    return ""


def _drive_text(page: Page, output: ElementHandle, control: ElementHandle, kind: str) -> str:
    """Leave out the last word of a text, fill an empty one, or write a number; keys must arrive."""
    page.keyboard.press("Control+z")  # the x that was pressed on it
    text = control.input_value()
    new = "0.25" if kind == "number" else " ".join(text.split()[:-1]) if text else "night"
    before = _seen(output)
    control.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type(new) if new else page.keyboard.press("Delete")
    page.keyboard.press("Enter")
    if control.input_value() != new:
        return f"shows {control.input_value()!r} after {new!r} was typed"
    if kind == "number" or _wait_change(page, output, before):
        return ""
    return "is dead: nothing changes"


def _to_the_end(page: Page, output: ElementHandle) -> None:
    """So that a button which goes back to the start, or one step on, has something to do."""
    for control in output.query_selector_all("input[type=range]"):
        control.focus()
        page.keyboard.press("End")
    _settle(page, output)


def _changes_after(page: Page, output: ElementHandle, key: str, before: str) -> bool:
    page.keyboard.press(key)
    return _wait_change(page, output, before)


def _wait_change(page: Page, output: ElementHandle, before: str) -> bool:
    """Whether what is shown becomes another; a busy kernel gets its time, an idle one a moment."""
    start = idle_since = time.monotonic()
    while _seen(output) == before:
        page.wait_for_timeout(50)
        now = time.monotonic()
        if not page.evaluate("() => window.probe.idle() && window.probe.heard()"):
            idle_since = now
        if now - idle_since > IDLE_LIMIT_S or now - start > ANSWER_LIMIT_S:
            return False
    _settle(page, output)
    return _seen(output) != before


def _settle(page: Page, output: ElementHandle) -> None:
    """Wait until a drawing on its way has arrived."""
    before, same = None, 0
    end = time.monotonic() + ANSWER_LIMIT_S
    while same < 3 and time.monotonic() < end:
        now, busy = _seen(output), output.query_selector("[aria-busy=true]")
        same = same + 1 if now == before and not busy else 0
        before = now
        asks_kernel = output.query_selector(".dl-wait, .widget-interact")
        page.wait_for_timeout(120 if asks_kernel else 20)


def _name(control: ElementHandle) -> str:
    return control.evaluate("n => window.probe.nameOf(n)")


def _place(control: ElementHandle) -> str:
    return control.evaluate("n => n.getAttribute('aria-valuenow') ?? n.value")


def _announced(output: ElementHandle) -> str:
    """What the output tells a screen reader by itself: a button may answer in words alone."""
    return output.evaluate("n => window.probe.announced(n)")
