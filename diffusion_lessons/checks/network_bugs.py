"""The "find the bug" checks of lesson 02: a loss that cancels, and skips in the wrong order.

A function that still behaves as printed gets a symptom and a question, not the answer.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .core import examine
from .mixes import normal
from .report import Report, Slip, Trial


def check_bug_loss(function: Callable) -> Report:
    """Find the bug, part a. `function(output, eps)`, same shape, returns the loss, one number."""
    trials = [
        _pair_trial("4 pictures", (4, 3, 8, 8), 1),
        _pair_trial("one grey picture", (1, 1, 5, 5), 3),
    ]
    return examine(
        function,
        lambda output, eps: ((output - eps) ** 2).mean(),
        trials,
        BUG_LOSS_SLIPS,
        "Square first, then the mean: errors of opposite sign no longer cancel.",
    )


def check_bug_skips(function: Callable) -> Report:
    """Find the bug, part b. `function(x, downs, ups)`: down through all `downs`, up through `ups`.

    down(x) and up(x, skip) return tensors of x's shape. Each way up takes the skip of its level.
    """
    trials = [_skip_trial("one level", 1), _skip_trial("3 levels", 3), _skip_trial("2 levels", 2)]
    return examine(
        function,
        walk(),
        trials,
        BUG_SKIP_SLIPS,
        "The last one kept is the first one used: each way up got the map of its own size.",
    )


def walk(place: int = -1, keep_after: bool = False) -> Callable:
    """(x, downs, ups) to what comes out; `place` is the skip that a way up takes."""

    def through(x: Tensor, downs: list, ups: list) -> Tensor:
        skips = []
        for down in downs:
            before, x = x, down(x)
            skips.append(x if keep_after else before)
        for up in ups:
            x = up(x, skips.pop(place))
        return x

    return through


def _without_skips(x: Tensor, downs: list, ups: list) -> Tensor:
    for down in downs:
        x = down(x)
    for up in ups:
        x = up(x, x)
    return x


def _newest_for_all(x: Tensor, downs: list, ups: list) -> Tensor:
    skips = []
    for down in downs:
        skips.append(x)
        x = down(x)
    for up in ups:
        x = up(x, skips[-1])
    return x


def _pair_trial(what: str, shape: tuple[int, ...], seed: int) -> Trial:
    return Trial(what, {"output": normal(shape, seed), "eps": normal(shape, seed + 1)})


def _skip_trial(what: str, levels: int) -> Trial:
    downs = [lambda x, k=k: x * 0.5 + k for k in range(1, levels + 1)]
    ups = [lambda x, skip, k=k: torch.tanh(x) + k * skip for k in range(1, levels + 1)]
    return Trial(what, {"x": normal((2, 3, 4, 4), 7), "downs": downs, "ups": ups})


BUG_LOSS_SLIPS = [
    Slip(
        "This behaves as printed. Try it: a network that says 5 too much in one half of the "
        "pixels and 5 too little in the other gets the loss 0. In which order should mean and "
        "square come?",
        lambda output, eps: (output - eps).mean() ** 2,
    ),
    Slip(
        "Now there is no square at all, and errors of opposite sign still cancel.",
        lambda output, eps: (output - eps).mean(),
    ),
    Slip(
        "Errors no longer cancel, but this is the mean of absolute differences; the square is "
        "missing.",
        lambda output, eps: (output - eps).abs().mean(),
    ),
    Slip(
        "That is a sum; the loss was a mean.",
        lambda output, eps: ((output - eps) ** 2).sum(),
    ),
    Slip(
        "That is the root of the loss.",
        lambda output, eps: ((output - eps) ** 2).mean().sqrt(),
    ),
]

BUG_SKIP_SLIPS = [
    Slip(
        "This behaves as printed: right with one level, wrong with more. The first way up gets "
        "the map that was kept FIRST, the largest one. Which one belongs to it?",
        walk(place=0),
    ),
    Slip(
        "What is kept now is the map AFTER the way down, already smaller. Keep it before.",
        walk(keep_after=True),
    ),
    Slip(
        "Two changes: kept after the way down, and taken from the wrong end.",
        walk(place=0, keep_after=True),
    ),
    Slip("No skip arrives: each way up gets its own input twice.", _without_skips),
    Slip(
        "Every way up gets the same map, the one kept last. `pop` takes it out of the list.",
        _newest_for_all,
    ),
]
