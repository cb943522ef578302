"""The base of all widgets: their page code, what they send, the still version they leave behind."""

from __future__ import annotations

import base64
import gc
import math
import weakref
from collections.abc import Sequence
from importlib import resources
from typing import Any

import anywidget
import numpy as np
import torch
from IPython import get_ipython
from ipywidgets.widgets import widget as ipywidgets

from diffusion_lessons.pictures import checked_alt, second_copy, to_uint8

_SHARED = ("parts.js", "plots.js", "dots.js", "board.js", "asking.js")


def module(name: str) -> str:
    """Return the ES module of one widget: the shared parts, then `static/NAME.js`, as one text."""
    return "\n".join(static(file) for file in (*_SHARED, f"{name}.js"))


def static(name: str) -> str:
    """Return the text of one file in `diffusion_lessons/static`."""
    return resources.files("diffusion_lessons").joinpath("static", name).read_text("utf-8")


def as_float32(values: object) -> np.ndarray:
    """Return a tensor, an array or a list as a float32 array on the CPU."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values if values.is_complex() else values.float()).numpy()
    found = np.asarray(values)
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{values!r:.80} is of {found.dtype}: give numbers, in a tensor or array")
    return found.astype(np.float32)


def framed(frames: np.ndarray) -> dict:
    """Return pictures, uint8 (..., H, W, 3), their number and size; ValueError on none."""
    *lead, height, width, _ = frames.shape
    if not frames.size:
        raise ValueError(f"there are {math.prod(lead)} pictures of {width} x {height}: give one")
    return {"count": math.prod(lead), "height": height, "width": width, "data": frames}


def captioned(images: torch.Tensor, alt: str, captions: Sequence[str] = ()) -> dict:
    """Return pictures (N, C, H, W) in [-1, 1] and their words, as a page shows them in a row.

    Raises ValueError unless there are as many captions, or none, and on an empty alt.
    """
    frames = to_uint8(images)
    if captions and len(captions) != len(frames):
        raise ValueError(f"{len(captions)} captions for {len(frames)} pictures: give one for each")
    return framed(frames) | {"alt": checked_alt(alt), "captions": list(captions)}


def packed(value: Any) -> Any:
    """Return nested dicts and lists with the bytes of each array in its place, as a page needs."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, dict):
        return {name: packed(part) for name, part in value.items()}
    return [packed(part) for part in value] if isinstance(value, list) else value


def slots(items: Sequence[dict], count: int) -> list[dict]:
    """Return packed `items` in a list of `count`, the free places empty.

    Such a list must never become shorter: nbclient keeps the bytes of an item that has left, and a
    page which finds no item for them shows no widget at all.
    """
    return [*map(packed, items), *({} for _ in range(count - len(items)))]


class PageWidget(anywidget.AnyWidget):
    """A widget that also leaves a still version in the stored notebook.

    JupyterLab shows the live widget alone. A cleaned notebook on the web has lost it (its model
    lives in the kernel) and shows the still version instead.
    """

    _css = static("widgets.css")

    def open(self) -> None:
        """Open a line to the page that keeps no widget alive and only hands messages on.

        The usual one closes, after each, all figures that a running cell has begun. And it answers
        in the thread that spoke last, so that a new widget waits for the cell that runs.
        """
        super().open()
        me, line = weakref.proxy(self), self.comm
        line.handle_msg = lambda message: me._handle_msg(message)
        line.on_msg(line.handle_msg)
        line._reply_subshell_for = lambda data, asked: asked

    def still(self) -> tuple[str, bytes | None]:
        """Return the still version: HTML with text alternatives, and a PNG of a picture."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: dict) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        page, picture = self.still()
        data["text/html"] = page
        if picture is not None:
            data["image/png"] = base64.b64encode(second_copy(picture)).decode("ascii")
        _note_shown(self)
        data["text/plain"] = f"{type(self).__name__.lower()} (run the notebook to move it)"
        return data, metadata


_every: dict[str, PageWidget] = getattr(ipywidgets, "_instances", {})  # for a page that asks
_shown: dict[str, tuple[int, list[PageWidget]]] = {}  # by cell: its latest run, what that shows


def _note_shown(widget: PageWidget) -> None:
    """Note that the running cell shows `widget`; let go what only earlier runs of it have shown."""
    _every[widget.model_id] = widget  # perhaps let go before
    shell: Any = get_ipython()
    parent: dict = getattr(shell, "get_parent", dict)()
    if not (cell := parent.get("metadata", {}).get("cellId")):  # no notebook that says so
        return
    run, widgets = _shown.get(cell, (0, []))
    old = widgets if run != shell.execution_count else []
    _shown[cell] = shell.execution_count, [*([] if old else widgets), widget]
    if old:
        while old:
            _let_go(shell, old.pop())
        gc.collect()


def _let_go(shell: Any, widget: PageWidget) -> None:
    """Keep a widget only while another cell shows it, or something of the learner's has it."""
    if any(widget in others for _, others in _shown.values()):
        return
    _every.pop(widget.model_id, None)
    for names in (*shell.all_ns_refs, shell.user_ns["_oh"], vars(shell.displayhook)):
        own = [n for n in names if names[n] is widget and not str(n).strip("_0123456789")]
        names.update(dict.fromkeys(own))  # IPython's own names: _, __, _12
