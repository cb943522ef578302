"""A guess that the learner commits before the reveal, and that is compared with the truth after."""

from __future__ import annotations

import html
from collections.abc import Sequence

import traitlets
from IPython.display import HTML, display

from diffusion_lessons import arguments

from .page import PageWidget, module


class Guess(PageWidget):
    """The widget of `guess`: show it before the reveal, `compare` after it."""

    _esm = module("guess")

    question = traitlets.Unicode().tag(sync=True)
    options: traitlets.List = traitlets.List(allow_none=True, default_value=None).tag(sync=True)
    committed = traitlets.Unicode("").tag(sync=True)  # the option or the number, "" before

    def still(self) -> tuple[str, None]:
        """Return the question and its options as text."""
        items = "".join(f"<li>{html.escape(option)}</li>" for option in self.options or [])
        return f"<p><b>{html.escape(self.question)}</b></p><ul>{items}</ul>", None

    def compare(self, truth: str | float, because: str) -> None:
        """Display the learner's guess beside the truth, and the reason.

        `truth` is one of the options, or a number when the guess is a number. Without a committed
        guess the answer stays folded, so that Run All gives nothing away. Raises ValueError when
        `truth` is not one of the options.
        """
        if self.options is not None:
            arguments.choice("truth", truth, self.options)
        else:
            truth = arguments.number("truth", truth, -1e15, 1e15, real=True)
        (because,) = arguments.texts("because", because, "a thousand small losses multiply.")
        words = truth if isinstance(truth, str) else f"{truth:.3g}"
        reason = f"It is <b>{html.escape(words)}</b>, because {html.escape(because)}"
        if self.committed:
            guessed = html.escape(self.committed)
            page = f"<p>You said <b>{guessed}</b>. {self._verdict(truth)} {reason}</p>"
        else:
            page = (
                "<p>No guess is committed yet. Make one above, press Commit, then run this cell "
                f"again.</p><details><summary>Show me anyway</summary><p>{reason}</p></details>"
            )
        display(HTML(page))

    def _verdict(self, truth: str | float) -> str:
        if self.options is not None:
            return "✓ Right." if self.committed == truth else "Not this time."
        off = abs(arguments.typed(self.committed) - float(truth))
        return "✓ Close." if off <= 0.1 * abs(float(truth)) else f"That is {off:.3g} away."


def guess(question: str, options: Sequence[str] | None = None) -> Guess:
    """Ask for a prediction: one of `options`, or a number when there are none.

    Show it before the reveal, and call `compare(truth, because)` on it after. Raises ValueError
    when the options are fewer than two or not all different.
    """
    arguments.texts("question", [question], "What share is left?")
    words = [] if options is None else arguments.texts("options", [*options], "a half")
    if options is not None and (len(options) < 2 or len(set(options)) != len(options)):
        raise ValueError(f"the options are {list(options)}: give two or more, all different")
    return Guess(question=question, options=words or None)
