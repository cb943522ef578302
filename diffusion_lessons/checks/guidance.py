"""The checks of lesson 05: leaving captions out, the extrapolation, asking twice, away from a word.

Contexts have the course's shape (B, L, D), null_context (1, L, D); answers of a network may have
any shape.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from diffusion_lessons.conditioning import guide

from .core import examine
from .mixes import normal
from .report import Report, Slip, Trial

Ask = Callable[[Tensor, Tensor, Tensor], Tensor]


def check_drop_captions(function: Callable) -> Report:
    """Exercise 1. `function(context, null_context, p_uncond, dice)` returns (B, L, D).

    dice: (B,), uniform in [0, 1). Caption i is left out where dice[i] < p_uncond. Ho & Salimans
    2021, algorithm 1.
    """
    trials = [
        _dropping("8 captions, p_uncond = 0.3", 8, 0.3),
        _dropping("4 captions, p_uncond = 0", 4, 0.0),
        _dropping("6 captions, p_uncond = 1", 6, 1.0),
        _dropping("32 captions, p_uncond = 0.1", 32, 0.1),
    ]
    praise = "Whole captions go, the others stay as they are, and the network learns both."
    return examine(function, dropped(), trials, DROP_SLIPS, praise)


def check_guide(function: Callable) -> Report:
    """Exercise 2. `function(without, with_caption, guidance_scale)` returns the guided answer.

    Ho & Salimans 2021 eq. 6, with s = 1 + w.
    """
    trials = [
        _guiding("4 latents, s = 3", (4, 4, 8, 8), 3.0),
        _guiding("16 points, s = 0.5", (16, 2), 0.5),
        _guiding("one latent, s = 0", (1, 4, 8, 8), 0.0),
        _guiding("2 latents, s = 1", (2, 4, 8, 8), 1.0),
    ]
    praise = "s = 0 ignores the caption, s = 1 follows it, and beyond 1 it is exaggerated."
    return examine(function, guide, trials, GUIDE_SLIPS, praise)


def check_guided(function: Callable) -> Report:
    """Exercise 3. `function(ask, x_t, t, context, null_context, guidance_scale)`.

    Returns the guided answer, in the shape of x_t, from one call ask(x_t, t, context): of twice
    the batch, or, where guidance_scale is 1, of the batch itself.
    """
    trials = [
        _asking("3 latents, s = 3", 3, 3.0),
        _asking("1 latent, s = 7.5", 1, 7.5),
        _asking("3 latents, s = 1", 3, 1.0),
    ]
    praise = "One call for both answers, and no second answer where nobody needs it."
    report = examine(function, asked_twice(), trials, GUIDED_SLIPS, praise)
    return _how_often(function, trials) or report if report.passed else report


def check_negative(function: Callable) -> Report:
    """Exercise 4. `function(without, with_caption, with_negative, guidance_scale)`.

    Returns what goes from the answer to the negative prompt to that of the prompt, and beyond.
    """
    blocks = ("without", "with_caption", "with_negative")
    trials = []
    for what, shape, s in (
        ("4 latents, s = 3", (4, 4, 8, 8), 3.0),
        ("16 points, s = 1", (16, 2), 1.0),
        ("one latent, s = 6", (1, 4, 8, 8), 6.0),
    ):
        inputs = {name: normal(shape, seed) for seed, name in enumerate(blocks, start=1)}
        trials.append(Trial(what, inputs | {"guidance_scale": s}))
    praise = "The negative prompt stands where nothing stood: guidance now leads away from it."
    return examine(function, negative, trials, NEGATIVE_SLIPS, praise)


# --- what is right, in pieces that can be wrong ---


def dropped(
    chosen: Callable[[Tensor, float], Tensor] = lambda dice, p: dice < p,
    instead: Callable[[Tensor], Tensor] = lambda null: null,
    kept: Callable[[Tensor, float], Tensor] = lambda context, p: context,
) -> Callable:
    """Which captions go, what comes in their place, and what becomes of the others."""

    def drop(context: Tensor, null_context: Tensor, p_uncond: float, dice: Tensor) -> Tensor:
        out = chosen(dice, p_uncond)[:, None, None]
        return torch.where(out, instead(null_context), kept(context, p_uncond))

    return drop


def asked_twice(
    contexts: Callable[[Tensor, Tensor], tuple] = lambda null, context: (null, context),
    combine: Callable[[Tensor, Tensor, float], Tensor] = guide,
    once: bool = False,
) -> Callable:
    """What is asked, and how both answers are put together; `once`: rightly, where s is 1."""

    def answer(
        ask: Ask, x_t: Tensor, t: Tensor, context: Tensor, null_context: Tensor, s: float
    ) -> Tensor:
        if once and s == 1:
            return ask(x_t, t, context)
        null = null_context.expand_as(context)
        first, second = (ask(x_t, t, said) for said in contexts(null, context))
        return combine(first, second, s)

    return answer


def negative(
    without: Tensor, with_caption: Tensor, with_negative: Tensor, guidance_scale: float
) -> Tensor:
    """From the answer to the negative prompt, through that of the prompt, and on."""
    return guide(with_negative, with_caption, guidance_scale)


def toy_network(x_t: Tensor, t: Tensor, context: Tensor) -> Tensor:
    """A network to ask: it answers each row for itself, and refuses batches that do not fit."""
    if not len(x_t) == len(t) == len(context):
        raise ValueError(
            f"x_t has {len(x_t)} rows, t has {len(t)} and context has {len(context)}: the network "
            "needs as many of each. null_context has one row: .expand_as(context)"
        )
    heard = (context * torch.linspace(0, 1, context.shape[2])).mean(dim=(1, 2))
    return (x_t * (1 + heard[:, None, None, None])).sin() + t[:, None, None, None]


class Counted:
    """The toy network, keeping how many rows each call had."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def __call__(self, x_t: Tensor, t: Tensor, context: Tensor) -> Tensor:
        """Answer as `toy_network` does, and note how many rows it was."""
        answer = toy_network(x_t, t, context)
        self.rows.append(len(x_t))
        return answer


def _how_often(function: Callable, trials: list[Trial]) -> Report | None:
    """What to say where the numbers are right and the network was asked too often."""
    for trial in trials:
        counted = Counted()
        _, x_t, *rest = trial.copies()
        size, scale = len(x_t), rest[-1]
        function(counted, x_t, *rest)
        if scale == 1 and sum(counted.rows) > size:
            return Report("not yet", (ONCE,))
        if len(counted.rows) > 1:
            return Report("not yet", (IN_ONE_BATCH,))
        if sum(counted.rows) > 2 * size:
            return Report("not yet", (TOO_MANY.format(rows=sum(counted.rows), size=size),))
    return None


ONCE = (
    "The numbers are right. But at s = 1 the answer without the caption has no share in the "
    "result, and you still paid for it: there, ask once, with the context alone."
)
IN_ONE_BATCH = (
    "The numbers are right. But the network is called twice, one call after the other. Put both "
    "questions into one batch with torch.cat, and take the answer apart with .chunk(2): one call "
    "of twice the size takes less time than two."
)
TOO_MANY = (
    "The numbers are right. But the network was asked about {rows} rows for {size} latents: two "
    "for each are enough."
)


# --- trials ---


def _dropping(what: str, count: int, p_uncond: float) -> Trial:
    dice = torch.rand(count, generator=torch.Generator().manual_seed(count))
    if p_uncond < 1:
        dice[-1] = p_uncond  # just not below it
    inputs = {"context": normal((count, 5, 6), 1), "null_context": normal((1, 5, 6), 2)}
    return Trial(what, inputs | {"p_uncond": p_uncond, "dice": dice})


def _guiding(what: str, shape: tuple[int, ...], scale: float) -> Trial:
    inputs = {"without": normal(shape, 1), "with_caption": normal(shape, 2)}
    return Trial(what, inputs | {"guidance_scale": scale})


def _asking(what: str, count: int, scale: float) -> Trial:
    inputs = {
        "ask": toy_network,
        "x_t": normal((count, 4, 4, 4), 1),
        "t": torch.linspace(0.9, 0.5, count),
        "context": normal((count, 5, 6), 2),
        "null_context": normal((1, 5, 6), 3),
    }
    return Trial(what, inputs | {"guidance_scale": scale})


# --- the slips ---

DROP_SLIPS = [
    Slip(
        "It drops the captions that should stay. A chance of p_uncond is dice < p_uncond; and "
        "torch.where takes its second argument where the condition is true.",
        dropped(chosen=lambda dice, p: dice >= p),
    ),
    Slip(
        "A dropped caption becomes zeros. The network is to hear the empty caption, null_context, "
        "for that is what it will hear when a picture is made.",
        dropped(instead=torch.zeros_like),
    ),
    Slip(
        "The captions that stay are divided by 1 - p_uncond, as dropout layers do. Nothing has to "
        "be made up for here: the network is told the caption, or it is not.",
        dropped(kept=lambda context, p: context / max(1 - p, 1e-9)),
    ),
    Slip(
        "Every caption is mixed with the empty one. Nobody ever hears the caption as it is: leave "
        "some out whole, and keep the others whole.",
        lambda context, null, p, dice: (1 - p) * context + p * null,
    ),
    Slip(
        "A throw that is equal to p_uncond is not below it: with p_uncond = 0 no caption may go.",
        dropped(chosen=lambda dice, p: dice <= p),
    ),
    Slip("No caption is left out.", lambda context, null, p, dice: context),
    Slip("All captions are left out.", lambda context, null, p, dice: null.expand_as(context)),
    Slip(
        "The same number of captions goes each time, the first of the batch. Chance should choose "
        "each one for itself: compare the dice with p_uncond.",
        lambda context, null, p, dice: torch.where(
            (torch.arange(len(dice)) < round(p * len(dice)))[:, None, None], null, context
        ),
    ),
    Slip(
        "One throw decides for the whole batch. Each caption has its own: dice[:, None, None].",
        lambda context, null, p, dice: null.expand_as(context) if dice[0] < p else context,
    ),
    Slip(
        "The null context is added to the dropped captions: it should stand in their place.",
        lambda context, null, p, dice: context + (dice < p)[:, None, None] * null,
    ),
]

GUIDE_SLIPS = [
    Slip(
        "The sign is wrong: that leads away from the caption. The direction is with_caption - "
        "without.",
        lambda without, with_caption, s: without - s * (with_caption - without),
    ),
    Slip(
        "That is the paper's w: its 0 is your s = 1. Start from `without`, not from with_caption.",
        lambda without, with_caption, s: with_caption + s * (with_caption - without),
    ),
    Slip(
        "The two answers are swapped: s = 1 gives the one without the caption.",
        lambda without, with_caption, s: with_caption + s * (without - with_caption),
    ),
    Slip(
        "It is one too low: s = 1 should be the answer with the caption. You took w = s - 1 as the "
        "factor, which belongs to a start from with_caption.",
        lambda without, with_caption, s: without + (s - 1) * (with_caption - without),
    ),
    Slip(
        "It is the mean of both answers, whatever s is.",
        lambda without, with_caption, s: (without + with_caption) / 2,
    ),
    Slip(
        "A mean weighted by s and 1 lies between both answers. Guidance goes beyond the one with "
        "the caption.",
        lambda without, with_caption, s: (without + s * with_caption) / (1 + s),
    ),
    Slip(
        "The direction alone: it has to start somewhere. Add `without`.",
        lambda without, with_caption, s: s * (with_caption - without),
    ),
    Slip(
        "The answer with the caption is made larger, and the one without has no part in it. It is "
        "the difference that is stretched.",
        lambda without, with_caption, s: s * with_caption,
    ),
    Slip(
        "The difference is added to with_caption a whole time too many, and `without` is not "
        "subtracted: without + s * with_caption needs - s * without.",
        lambda without, with_caption, s: without + s * with_caption,
    ),
    Slip(
        "The result is cut to [-1, 1]. Latents and noise go beyond that.",
        lambda without, with_caption, s: guide(without, with_caption, s).clamp(-1, 1),
    ),
]

_GUIDED_WRONG: list[tuple[str, dict]] = [
    (
        "The two answers are swapped. In whichever order the contexts go into torch.cat, the "
        "answers come out of .chunk(2).",
        {"contexts": lambda null, context: (context, null)},
    ),
    (
        "This is the answer with the caption, whatever the scale. Is guidance_scale used? And is "
        "one half of the batch asked with null_context, so that there is a difference to stretch?",
        {"contexts": lambda null, context: (context, context)},
    ),
    (
        "Both questions are asked without the caption.",
        {"contexts": lambda null, context: (null, null)},
    ),
    (
        "The unguided half is zeros instead of an empty caption: use null_context.",
        {"contexts": lambda null, context: (torch.zeros_like(context), context)},
    ),
    (
        "That is the paper's w: with guidance_scale 1 it is already at s = 2.",
        {"combine": lambda without, said, s: guide(without, said, s + 1)},
    ),
    (
        "The sign is wrong: that leads away from the caption.",
        {"combine": lambda without, said, s: without - s * (said - without)},
    ),
    (
        "The mean of both answers: the scale is not in it.",
        {"combine": lambda without, said, s: (without + said) / 2},
    ),
]
"""What to say, and the piece of `asked_twice` that is wrong."""

GUIDED_SLIPS = [
    *(
        Slip(words, asked_twice(**piece, once=once))
        for words, piece in _GUIDED_WRONG
        for once in (False, True)
    ),
    Slip(
        "The contexts are put together, and the answer is asked for once. The two answers have to "
        "be put together, behind the network: it is no straight line.",
        lambda ask, x_t, t, context, null, s: ask(x_t, t, guide(null, context, s)),
    ),
]

NEGATIVE_SLIPS = [
    Slip(
        "The direction is right, but it starts from `without`. The negative prompt takes its "
        "place there too, so that s = 1 is the answer with the caption.",
        lambda without, said, no, s: without + s * (said - no),
    ),
    Slip(
        "The negative prompt is followed, and the prompt is fled: swap them.",
        lambda without, said, no, s: guide(said, no, s),
    ),
    Slip(
        "with_negative has no part in it. It stands where `without` stood.",
        lambda without, said, no, s: guide(without, said, s),
    ),
    Slip(
        "The difference to `without` is subtracted once more, whatever s is.",
        lambda without, said, no, s: guide(without, said, s) - (no - without),
    ),
    Slip(
        "The negative answer is subtracted from the guided one. It is no direction: only a "
        "difference of two answers is.",
        lambda without, said, no, s: guide(without, said, s) - no,
    ),
    Slip(
        "It starts from the prompt's answer: that is the paper's w, so s = 1 already goes beyond.",
        lambda without, said, no, s: said + s * (said - no),
    ),
]
