"""Move every control of a notebook by keyboard, and say in words what is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Any

from playwright.sync_api import ElementHandle, Page

from tests.browser.lab import PANEL, Notebook

CONTENT = (f"{PANEL} .jp-OutputArea-output", f"{PANEL} .jp-RenderedMarkdown")
CONTROLS = (
    "input:not([type=hidden]), select, textarea, button:not([aria-hidden=true]), [role=slider], "
    "[role=application]"
)
KIND = """n.getAttribute("role")
  ?? (n.inputMode === "decimal" ? "number" : n.type || n.localName)"""
STUDIO_PARTS = (".dl-ask", ".dl-pair", ".dl-side", ".dl-way")
"""The studio's words, its pictures, and what moves them: the numbers, the way from noise."""
DEAD = "is dead: nothing changes"
STUCK = "does not move: the arrow keys do not reach it"
# What axe finds right takes longer to come out of the page than to be found, above all in Firefox.
VIOLATIONS = """context => axe.run(context, { resultTypes: ["violations"] })
  .then(({ violations }) => violations)"""
ANSWER_LIMIT_S, IDLE_LIMIT_S, ALIVE_LIMIT_S = 60, 3, 10
EMPTY = """(places) => [...document.querySelectorAll(places)]
  .filter((n) => ![n, ...n.querySelectorAll(".dl-widget")]
    .some((one) => one.matches(".dl-widget") && one.firstElementChild))
  .map((n) => n.outerHTML.slice(0, 140))"""


def faults_of(notebook: Notebook) -> list[str]:
    """Everything wrong with the content of a notebook that has been run, in words."""
    faults = notebook.cell_errors()
    faults += pictures_without_words(notebook.page)
    faults += axe_violations(notebook.page)
    for output in notebook.page.query_selector_all(CONTENT[0]):
        faults += _drive(notebook.page, output, partial(_cut, notebook, notebook.cell_count()))
    notebook.wait_idle()  # an error in a callback may come later than what the page shows
    faults += [error for error in notebook.cell_errors() if error not in faults]
    faults += pictures_without_words(notebook.page)
    return list(dict.fromkeys(faults + notebook.faults))


def pictures_without_words(page: Page) -> list[str]:
    """Pictures in outputs and texts that a screen reader cannot name."""
    found = page.evaluate("selectors => window.probe.nameless(selectors)", list(CONTENT))
    return [f"a picture without a text alternative: {picture}" for picture in found]


def dead_widgets(page: Page, places: str) -> list[str]:
    """Those places of a page without JupyterLab in which no widget comes alive, and errors there.

    places: selector of the elements into which the page is to put one widget each. A widget may be
        drawn and still be dead, where it fails before it listens: that is seen by its error alone.
    """
    page.locator(places).first.wait_for(state="attached")
    for place in page.locator(places).all():
        place.scroll_into_view_if_needed()  # it may be drawn only then
    end = time.monotonic() + ALIVE_LIMIT_S
    while (empty := page.evaluate(EMPTY, places)) and time.monotonic() < end:
        page.wait_for_timeout(50)
    said = [one.text for one in page.console_messages() if one.type == "error"]
    said += [str(error) for error in page.page_errors()]
    return [f"a widget is dead: {place}" for place in empty] + [f"an error: {one}" for one in said]


def stand_still(page: Page) -> None:
    """Let time pass in the page only when `page.clock.run_for` says so, on any machine."""
    page.clock.install(time=0)
    page.clock.pause_at(1000)


def axe_violations(page: Page) -> list[str]:
    """What axe-core finds in the notebook's own content."""
    load_axe(page)
    present = [selector for selector in CONTENT if page.query_selector(selector)]
    if not present:
        return []
    context = {"include": present}
    found = page.evaluate(VIOLATIONS, context)
    return [
        f"axe {one['impact']} {one['id']}: {node['html'][:140]}"
        for one in found
        for node in one["nodes"]
    ]


def axe_faults(page: Page) -> list[tuple[str, str]]:
    """What axe-core finds in the widget of a bare page: rule and element."""
    load_axe(page)
    found = page.evaluate(VIOLATIONS, "main")
    return [(one["id"], one["nodes"][0]["html"]) for one in found]


def load_axe(page: Page) -> None:
    """Put axe-core into the page, from the installed package; no network."""
    if not page.evaluate("() => 'axe' in window"):
        script = resources.files("axe_playwright_python").joinpath("axe.min.js")
        page.evaluate(script.read_text("utf-8") + "\n;undefined")


def faults_of_page(page: Page, places: str) -> list[str]:
    """What is wrong with the widgets in these places of a page without JupyterLab, in words; their
    controls are moved by keys, and the page has loaded probe.js."""
    faults = dead_widgets(page, places)
    for place in page.query_selector_all(places):
        faults += _drive(page, place, bool)
    return faults + dead_widgets(page, places)


def _cut(notebook: Notebook, cells: int) -> bool:
    """Whether the last key cut a cell of so many, which is then put back."""
    if notebook.cell_count() == cells:
        return False
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('notebook:undo-cell-action')")
    return True


def _drive(page: Page, output: ElementHandle, cut: Callable[[], bool]) -> list[str]:
    faults = []
    for element in output.query_selector_all(CONTROLS):
        if not (element.is_visible() and element.is_enabled()):
            continue
        control = _Control(page, output, element)
        name = control.ask("window.probe.nameOf(n)")
        control.press("x")  # cuts the cell where JupyterLab gets to see the key
        if cut():
            faults.append(f"pressing x on {name} cut the cell")
            break  # the controls of this output are gone
        kind = control.ask(KIND)
        unknown = f"is a control of a kind that this test cannot move: {kind}"
        problem = WAYS[kind](control) if kind in WAYS else unknown
        faults += [f"{name} {problem}"] if problem else []
    alerts = [alert.inner_text() for alert in output.query_selector_all("[role=alert]")]
    return faults + [f"a drawing failed: {text}" for text in alerts if text.strip()]


def off_the_screen(page: Page, parts: tuple[str, ...], bottom: float) -> list[str]:
    """Those parts that reach below `bottom` when the first one is at the top of the screen."""
    page.locator(parts[0]).evaluate("node => node.scrollIntoView({ block: 'start' })")
    boxes = [page.locator(part).bounding_box() for part in parts]
    low = [box["y"] < 0 or box["y"] + box["height"] > bottom for box in boxes]
    return [part for part, off in zip(parts, low, strict=True) if off]


@dataclass
class _Control:
    """A control in an output. Its ways to be driven return what is wrong with it, or nothing."""

    page: Page
    output: ElementHandle
    element: ElementHandle

    def ask(self, expression: str) -> Any:
        """What an expression of `n`, the control's element, gives."""
        return self.element.evaluate(f"n => {expression}")

    def place(self) -> str:
        return self.ask("n.getAttribute('aria-valuenow') ?? n.value")

    def seen(self) -> str:
        """What the output shows beside the controls themselves: pictures, drawings and words."""
        return self.output.evaluate("n => window.probe.seen(n)")

    def announced(self) -> str:
        """What the output tells a screen reader by itself: a button may answer in words alone."""
        return self.output.evaluate("n => window.probe.announced(n)")

    def press(self, key: str) -> None:
        self.element.focus()
        self.page.keyboard.press(key)

    def moves(self, key: str) -> bool:
        here = self.place()
        self.page.keyboard.press(key)
        return self.place() != here

    def fault(self, before: str) -> str:
        """Wait until another thing is shown than before: a busy kernel gets its time, an idle one a
        moment."""
        start = idle_since = time.monotonic()
        while self.seen() == before:
            self.page.wait_for_timeout(50)
            now = time.monotonic()
            if not self.page.evaluate("() => window.probe.idle() && window.probe.heard()"):
                idle_since = now
            if now - idle_since > IDLE_LIMIT_S or now - start > ANSWER_LIMIT_S:
                return DEAD
        self.settle()
        return "" if self.seen() != before else DEAD

    def settle(self) -> None:
        """Wait until a drawing on its way has arrived."""
        before, same = None, 0
        end = time.monotonic() + ANSWER_LIMIT_S
        while same < 3 and time.monotonic() < end:
            now, busy = self.seen(), self.output.query_selector("[aria-busy=true]")
            same = same + 1 if now == before and not busy else 0
            before = now
            asks_kernel = self.output.query_selector(".dl-wait, .widget-interact")
            self.page.wait_for_timeout(120 if asks_kernel else 20)

    def slider(self) -> str:
        """Home, by arrow to the end, back in pages: the pictures follow, and the place too."""
        self.press("Home")
        self.settle()
        first, start, stops = self.seen(), self.place(), 0
        while stops < 1000 and self.moves("ArrowRight"):
            stops += 1
        if stops == 0:
            return STUCK
        if self.fault(first):
            return "is dead: the pictures stay the same over its whole range"
        for key in ("ArrowLeft", "ArrowDown", "PageDown", "Home"):
            here = self.place()
            if not self.moves(key) and here != start:
                return f"does not answer the key {key}"
        for key in ("ArrowUp", "PageUp", "End"):
            self.page.keyboard.press(key)
        self.settle()
        return "" if self.seen() != first else "shows the same at both ends"

    def radio(self) -> str:
        """The arrow keys choose another; what was not chosen before shows something else."""
        before = self.seen()
        self.press("Space")
        here = self.ask("n.checked")
        self.page.keyboard.press("ArrowDown")
        if here and self.ask("n.checked"):
            return STUCK
        if here or not self.output.query_selector("canvas, svg, img"):
            self.settle()
            return ""  # ways may show the same; a question's Commit button shows what was chosen
        return self.fault(before)

    def spinbutton(self) -> str:
        """The arrow keys move the number up and down again, and what is shown depends on it."""
        self.press("Control+z")  # the x that was pressed on it
        number, before = self.place(), self.seen()
        if not self.moves("ArrowUp"):
            return STUCK
        if fault := self.fault(before):
            return fault
        self.page.keyboard.press("ArrowDown")
        self.settle()
        return "" if self.place() == number else "does not come back with the key ArrowDown"

    def board(self) -> str:
        """A square to draw in: an arrow key moves the cross, Enter adds a point there."""
        for key in ("ArrowLeft", "Enter"):
            before = self.seen()
            self.page.keyboard.press(key)
            if self.seen() == before:
                return f"does not answer the key {key}"
        return ""

    def text(self) -> str:
        """Leave out the last word of a text, or fill an empty one."""
        self.page.keyboard.press("Control+z")  # the x that was pressed on it
        self.settle()  # a text that is taken at once is painted again
        words, before = self.element.input_value().split(), self.seen()
        return self.write(" ".join(words[:-1]) if words else "night") or self.fault(before)

    def write(self, new: str) -> str:
        """Put `new` in place of what stands there; the keys must arrive."""
        self.press("Control+a")
        self.page.keyboard.type(new) if new else self.page.keyboard.press("Delete")
        self.page.keyboard.press("Enter")
        found = self.element.input_value()
        return "" if found == new else f"shows {found!r} after {new!r} was typed"

    def button(self) -> str:
        """Press it, with sliders at their end: it may go back to the start, or a step on."""
        for slider in self.output.query_selector_all("input[type=range]"):
            slider.focus()
            self.page.keyboard.press("End")
        self.settle()
        before, words = self.seen(), self.announced()
        self.press("Space")
        fault = self.fault(before)
        return fault if self.announced() == words else ""

    def choice(self) -> str:
        before = self.seen()
        self.page.keyboard.press("ArrowDown")
        return self.fault(before)


WAYS = {
    "range": _Control.slider, "slider": _Control.slider, "radio": _Control.radio,
    "application": _Control.board, "select-one": _Control.choice, "text": _Control.text,
    "number": lambda control: control.write("0.25"), "spinbutton": _Control.spinbutton,
    "submit": _Control.button, "button": _Control.button, "checkbox": _Control.button,
}  # fmt: skip
"""How a control is driven, by its kind."""
