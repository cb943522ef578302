"""A widget in an empty page, held by the smallest host: a model with get, set, on, save_changes."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from anywidget import AnyWidget
from playwright.sync_api import Page

_HOST = """async ([esm, css, state]) => {
  const decode = (value) => {
    if (Array.isArray(value)) return value.map(decode);
    if (value === null || typeof value !== 'object') return value;
    if ('base64' in value) {
      return new DataView(Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0)).buffer);
    }
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, decode(one)]));
  };
  const listeners = [];
  const fire = (name) => listeners.filter((one) => one[0] === `change:${name}`)
    .forEach((one) => one[1]());
  const values = decode(state);
  const host = window.host = {
    sent: [],        // what save_changes sent, one object a call
    changed: {},
    listeners,
    hear(name, value) { values[name] = decode(value); fire(name); },   // as if from Python
    model: {
      get: (name) => values[name],
      set(name, value) { values[name] = value; host.changed[name] = value; fire(name); },
      on: (name, listener) => listeners.push([name, listener]),
      off: (name, listener) => {
        const at = listeners.findIndex((one) => one[0] === name && one[1] === listener);
        listeners.splice(at, 1);
      },
      save_changes() { host.sent.push(host.changed); host.changed = {}; },
    },
    leave: [],
    show() {
      const el = document.createElement('main');
      document.body.append(el);
      host.leave.push(host.module.default.render({ model: host.model, el }));
    },
  };
  const style = document.createElement('style');
  style.textContent = css;
  document.head.append(style);
  const url = URL.createObjectURL(new Blob([esm], { type: 'text/javascript' }));
  host.module = await import(url);
  host.show();
}"""


def put(page: Page, widget: AnyWidget) -> None:
    """Show `widget` in the page; `window.host` holds its model and what it sends."""
    state = {name: encoded(value) for name, value in widget.get_state().items()}
    page.set_content("<!doctype html><html lang='en'><title>widget</title><body></body></html>")
    page.evaluate(_HOST, [state.pop("_esm"), state.pop("_css"), state])


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


def sent(page: Page) -> list[dict[str, Any]]:
    """What the page has sent to Python, one dict for each time."""
    return page.evaluate("() => host.sent")


def pixels(page: Page, canvas: str = "canvas") -> np.ndarray:
    """The RGB pixels of the first canvas that a selector finds, uint8 (H, W, 3)."""
    found = page.evaluate(
        """which => { const n = document.querySelector(which);
        return [n.height, ...n.getContext('2d').getImageData(0, 0, n.width, n.height).data]; }""",
        canvas,
    )
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
