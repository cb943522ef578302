"""Points in the plane that the learner draws, by hand or by keyboard, or takes ready-made."""

from __future__ import annotations

import math

import matplotlib as mpl
import torch
import traitlets

from diffusion_lessons import arguments
from diffusion_lessons.pictures import few_colours, figure_png, img_tag, look

from .page import PageWidget, as_float32, module
from .still import axes_at, bare_figure, scatter

REACH = 1.5
"""The drawing goes from -REACH to REACH in x and in y."""
MOST = 500
"""Most points in a drawing."""
_COUNT, _STEP = 240, 0.1
_STILL = 260  # pixels


class Plane(PageWidget):
    """The widget of `plane`; `points` are those on show."""

    _esm = module("plane")

    title = traitlets.Unicode().tag(sync=True)
    drawn: traitlets.List = traitlets.List().tag(sync=True)  # x, y, x, y, ...
    shapes = traitlets.Dict().tag(sync=True)  # name to x, y, x, y, ...
    reach = traitlets.Float(REACH).tag(sync=True)
    step = traitlets.Float(_STEP).tag(sync=True)  # the cursor moves so far at a time
    most = traitlets.Int(MOST).tag(sync=True)

    @property
    def points(self) -> torch.Tensor:
        """The points on show, float32 (N, 2) in [-1.5, 1.5].

        Raises ValueError when there are fewer than two: nothing can be learned from them.
        """
        if len(self.drawn) < 4:
            raise ValueError(
                f"the drawing has {len(self.drawn) // 2} points: draw two or more in the square "
                "above, or press one of the shapes below it"
            )
        return torch.tensor(self.drawn, dtype=torch.float32).reshape(-1, 2)

    def still(self) -> tuple[str, bytes]:
        """Return the points on show."""
        points = as_float32(self.drawn).reshape(-1, 2)
        with mpl.rc_context(look()):
            fig = bare_figure(_STILL, _STILL)
            scatter(axes_at(fig, 5.2, 5.2, 249.6, 249.6), points, 5, REACH)
            picture = few_colours(figure_png(fig))
        name = next((name for name, one in self.shapes.items() if one == self.drawn), "drawn")
        alt = f"{self.title.rstrip('.')}: {len(points)} points in the plane, {name}"
        return img_tag(picture, alt, _STILL), picture


def plane(title: str, start: str = "two moons") -> Plane:
    """Show a square to draw points in: along a stroke of the mouse, one by one with the keyboard,
    or ready-made with a press. It shows the shape `start` at first: one of "two moons", "ring",
    "spiral", "heart".

    Raises ValueError on another `start`.
    """
    (title,) = arguments.texts("title", title, "Draw what the network shall learn")
    shapes = {name: _ready_made(name) for name in SHAPES}
    arguments.choice("start", start, list(shapes))
    return Plane(title=title, shapes=shapes, drawn=shapes[start])


def _two_moons(turn: torch.Tensor) -> torch.Tensor:
    side = torch.where(turn < math.pi, -1, 1)
    return 0.85 * (_ring(turn) + side[:, None] * torch.tensor([0.5, 0.2]))


def _ring(turn: torch.Tensor) -> torch.Tensor:
    return torch.stack((turn.cos(), turn.sin()), 1)


def _spiral(turn: torch.Tensor) -> torch.Tensor:
    way = (turn / (2 * math.pi)).sqrt()
    return 1.2 * way[:, None] * _ring(3.5 * math.pi * way)


def _heart(turn: torch.Tensor) -> torch.Tensor:
    x = 16 * turn.sin() ** 3
    y = 13 * turn.cos() - 5 * (2 * turn).cos() - 2 * (3 * turn).cos() - (4 * turn).cos()
    return torch.stack((x, y + 2.5), 1) / 14


SHAPES = {"two moons": _two_moons, "ring": _ring, "spiral": _spiral, "heart": _heart}
"""Name to a curve: angles (N,) in [0, 2 pi) to points (N, 2)."""


def _ready_made(name: str) -> list[float]:
    """_COUNT points spread along the curve and a little beside it, x, y, x, y, ..."""
    generator = torch.Generator().manual_seed(0)
    points = SHAPES[name](torch.arange(_COUNT) * (2 * math.pi / _COUNT))
    points = points + 0.04 * torch.randn(_COUNT, 2, generator=generator)
    return [round(number, 3) for number in points.clamp(-REACH, REACH).flatten().tolist()]
