"""A widget in an empty page, held by the smallest host: a model with get, set, on, save_changes."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from anywidget import AnyWidget
from playwright.sync_api import Page

_ASKED = Path(__file__).with_name("asked.js").read_text(encoding="utf-8")


def asks(name: str) -> str:
    """The function of this name in asked.js, as a page evaluates it."""
    return f"(given) => {{ {_ASKED}\nreturn {name}(given); }}"


def put(page: Page, widget: AnyWidget) -> None:
    """Show `widget` in the page; `window.host` holds its model and what it sends."""
    put_state(page, widget.get_state())


def put_state(page: Page, state: dict[str, Any]) -> None:
    """Show a widget in this state; it must come alive."""
    state = {name: encoded(value) for name, value in state.items()}
    page.set_content("<!doctype html><html lang='en'><title>widget</title><body></body></html>")
    page.evaluate(asks("hostOf"), [state.pop("_esm"), state.pop("_css"), state])
    assert page.locator("main > .dl-widget > *").count() > 0, "the widget is dead"


def use_dark_theme(page: Page) -> None:
    """The colours of JupyterLab's dark theme."""
    page.evaluate("() => { document.body.dataset.jpThemeLight = 'false'; }")
    page.add_style_tag(
        content="body { background: #111; --jp-layout-color1: #212121; --jp-layout-color2: #424242;"
        " --jp-ui-font-color1: #fff; --jp-ui-font-color2: #bbb; }"
    )


def hear(page: Page, name: str, value: object) -> None:
    """Change a trait as Python would."""
    page.evaluate("([name, value]) => host.hear(name, value)", [name, encoded(value)])


def answer_all(page: Page, widget: AnyWidget) -> None:
    """Let the kernel answer what the page asks, until it asks no more."""
    while page.evaluate("() => host.model.get('request').id") > widget.request["id"]:
        widget.request = page.evaluate("() => host.model.get('request')")
        hear(page, "answer", widget.answer)


def sent(page: Page) -> list[dict[str, Any]]:
    """What the page has sent to Python, one dict for each time."""
    return page.evaluate("() => host.sent")


def pixels(page: Page, canvas: str = "canvas") -> np.ndarray:
    """The RGB pixels of the first canvas that a selector finds, uint8 (H, W, 3)."""
    found = page.evaluate(asks("pixelsOf"), canvas)
    return np.array(found[1:], np.uint8).reshape(found[0], -1, 4)[..., :3]


def encoded(value: object) -> object:
    """`value` as JSON, bytes within it as base64."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, dict):
        return {name: encoded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(one) for one in value]
    return value
