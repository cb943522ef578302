"""What a learner moves or watches: pictures to scrub or to ask for, a guess, a training.

    scrub(...)   frames computed ahead, moved in the page without the kernel: the first choice
    live(...)    the kernel draws each new picture: for a new seed, a new prompt, a model call
    studio(...)  pictures from words: the way from noise, a gallery of what one keeps
    choose(...)  two pictures at a time, of which the learner likes one better
    guess(...)   a prediction before the reveal, compared with the truth after it
    plane(...)   points in the plane that the learner draws
    mark(...)    a part of a picture to repaint; sketch(...) an outline for a picture to follow
    watch(...)   a training while it runs: progress, loss, a strip of samples

Each is an anywidget whose page side is a plain ES module `render({model, el})`, so that JupyterLab
and any other host with get, set, on and save_changes can show it. Each leaves a still version
behind (`text/html` and `image/png`) for readers of the stored notebook, where no kernel runs.
"""

from .canvas import mark, sketch
from .choose import choose
from .course_map import course_map
from .guess import guess
from .live import Choice, Slider, Text, live
from .panels import Bars, Curve, Pictures, Points
from .plane import plane
from .scrub import scrub
from .studio import studio
from .watch import watch

__all__ = [
    "Bars",
    "Choice",
    "Curve",
    "Pictures",
    "Points",
    "Slider",
    "Text",
    "choose",
    "course_map",
    "guess",
    "live",
    "mark",
    "plane",
    "scrub",
    "sketch",
    "studio",
    "watch",
]
