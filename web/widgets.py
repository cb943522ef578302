"""The widgets of an executed lesson as a page shows them: which of them live, from which state."""

from __future__ import annotations

import base64
import json
import zlib
from functools import cache
from importlib import resources

import numpy as np
from nbformat import NotebookNode

from diffusion_lessons.widgets.page import module

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
ANSWERED = {
    ("guidance s", "prompt", "negative prompt", "seed"): "guidance",
    ("prompt", "calls", "seed"): "typing",
}
"""The controls of those `live` which the page's own painters can answer, and what answers them."""


@cache
def modules() -> dict[str, str]:
    """Return the ES module of each widget, by its name."""
    folder = resources.files("diffusion_lessons") / "static"
    scripts = [file for file in folder.iterdir() if file.name.endswith(".js")]
    names = [file.name[:-3] for file in scripts if "export default" in file.read_text("utf-8")]
    return {name: module(name) for name in names}


class Shown:
    """The widgets of one lesson that live in its page, each put there by `place`."""

    def __init__(self, notebook: NotebookNode) -> None:
        widgets = notebook.metadata.get("widgets", {STATE: {"state": {}}})
        self._models = widgets[STATE]["state"]
        self._bytes = bytearray()

    def pictures(self) -> bytes:
        """Return the pictures and arrays of all widgets in a row, deflated."""
        return zlib.compress(bytes(self._bytes), 9)

    def place(self, output: NotebookNode) -> str:
        """Return the place of a widget with its state; "" for what is none, or cannot live here."""
        view = output.get("data", {}).get(VIEW)
        model = self._models[view["model_id"]] if view else {"state": {}}
        if "_esm" not in model["state"]:
            return ""
        traits = {name: value for name, value in model["state"].items() if name[0] != "_"}
        (name,) = [one for one, text in modules().items() if text == model["state"]["_esm"]]
        controls = tuple(control["name"] for control in traits.get("controls", []))
        kernel = ANSWERED.get(controls, "") if name == "live" else name
        if kernel in ("", "canvas"):
            return ""
        for buffer in model.get("buffers", []):
            *way, last = buffer["path"]
            spot = traits
            for step in way:
                spot = spot[step]
            width = spot.get("width", 0) if isinstance(spot, dict) else 0
            spot[last] = self._keep(base64.b64decode(buffer["data"]), width)
        state = json.dumps(traits, ensure_ascii=False).replace("<", "\\u003c")
        state = state.replace(".ipynb", ".html")  # a quiz links to lessons
        return (
            f'<div class="widget" data-widget="{name}" data-kernel="{kernel}">'
            "<noscript>It moves with JavaScript, which is turned off here.</noscript>"
            f'<script type="application/json">{state}</script></div>'
        )

    def _keep(self, data: bytes, width: int) -> dict:
        """Put bytes behind those of the others; return where they begin and how many they are.

        Of pictures so wide, differences of neighbours mostly pack better; then "width" says so.
        """
        place: dict = {"bytes": [len(self._bytes), len(data)]}
        packs = data
        if width:
            pixels = np.frombuffer(data, np.uint8).reshape(-1, width, 3)
            differences = np.diff(pixels, axis=1, prepend=np.uint8(0)).tobytes()
            if len(zlib.compress(differences)) < len(zlib.compress(data)):
                place["width"], packs = width, differences
        self._bytes += packs
        return place
