"""The base of all widgets: their page code, what they send, the still version they leave behind."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from importlib import resources
from typing import Any

import anywidget
import numpy as np
import torch

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
    """Return pictures, uint8 (..., H, W, 3), with their number and their size, as a page paints."""
    *lead, height, width, _ = frames.shape
    return {"count": math.prod(lead), "height": height, "width": width, "data": frames}


def captioned(images: torch.Tensor, alt: str, captions: Sequence[str] = ()) -> dict:
    """Return pictures (N, C, H, W) in [-1, 1] and their words, as a page shows them in a row.

    Raises ValueError unless there are as many captions, or none, and on an empty alt.
    """
    if captions and len(captions) != len(images):
        raise ValueError(f"{len(captions)} captions for {len(images)} pictures: give one for each")
    return framed(to_uint8(images)) | {"alt": checked_alt(alt), "captions": list(captions)}


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

    def still(self) -> tuple[str, bytes | None]:
        """Return the still version: HTML with text alternatives, and a PNG of a picture."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: dict) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        page, picture = self.still()
        data["text/html"] = page
        if picture is not None:
            data["image/png"] = base64.b64encode(second_copy(picture)).decode("ascii")
        data["text/plain"] = f"{type(self).__name__.lower()} (run the notebook to move it)"
        return data, metadata
