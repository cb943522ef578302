"""The exercises of lesson 05: drop captions, extrapolate, ask in one batch, away from a word.

Contexts have the course's shape (B, L, D), null_context (1, L, D); answers of a network may have
any shape.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .exercise import Exercise, draw, normal
from .report import Report


def network(x_t: Tensor, t: Tensor, context: Tensor) -> Tensor:
    """Return an answer of x_t's shape, each row for itself; refuse batches that do not fit."""
    if not len(x_t) == len(t) == len(context):
        raise ValueError(
            f"x_t has {len(x_t)} rows, t has {len(t)} and context has {len(context)}: the network "
            "needs as many of each. null_context has one row: .expand_as(context)"
        )
    caption = (context * torch.linspace(0, 1, context.shape[2])).mean(dim=(1, 2))
    return (x_t * (1 + caption[:, None, None, None])).sin() + t[:, None, None, None]


class AskInOneBatch(Exercise):
    """An exercise whose function is handed a network to `ask`, once for all rows that it needs."""

    def examine(self, function: Callable) -> Report:
        """Compare the numbers, and where they are right count calls and rows."""
        report = super().examine(function)
        if report.passed:
            for inputs in self.trials.values():
                if words := _waste(function, *inputs.values()):
                    return Report("not yet", (words,))
        return report


def _waste(function: Callable, ask: Callable, x_t: Tensor, *others: Tensor | float) -> str | None:
    """Return what to say where the network was asked too often."""
    rows, s = [], others[-1]

    def count(x_t: Tensor, t: Tensor, context: Tensor) -> Tensor:
        rows.append(len(x_t))
        return ask(x_t, t, context)

    function(count, x_t, *others)
    if s == 1 and sum(rows) > len(x_t):
        return (
            "The numbers are right. But at s = 1 the answer without the caption has no share in "
            "the result, and you still paid for it: there, ask once, with the context alone."
        )
    if len(rows) > 1:
        return (
            "The numbers are right. But the network is called twice, one call after the other. "
            "Put both questions into one batch with torch.cat, and take the answer apart with "
            ".chunk(2): one call of twice the size takes less time than two."
        )
    if sum(rows) > 2 * len(x_t):
        return (
            f"The numbers are right. But the network was asked about {sum(rows)} rows for "
            f"{len(x_t)} latents: two for each are enough."
        )
    return None


def _dropping(count: int, p_uncond: float) -> dict:
    dice = torch.rand(count, generator=torch.Generator().manual_seed(count))
    if p_uncond < 1:
        dice[-1] = p_uncond  # just not below it
    contexts = {"context": normal(count, 5, 6, seed=1), "null_context": normal(1, 5, 6, seed=2)}
    return contexts | {"p_uncond": p_uncond, "dice": dice}


def _asking(count: int, s: float) -> dict:
    pictures = {"x_t": normal(count, 4, 4, 4, seed=1), "t": torch.linspace(0.9, 0.5, count)}
    contexts = {"context": normal(count, 5, 6, seed=2), "null_context": normal(1, 5, 6, seed=3)}
    return {"ask": network, **pictures, **contexts, "guidance_scale": s}


drop_captions = Exercise(  # Ho & Salimans 2021, algorithm 1
    """
    def my_drop_captions(context, null_context, p_uncond, dice):
        left_out = dice < p_uncond
        return torch.where(left_out[:, None, None], null_context, context)
    """,
    praise="Whole captions go, the others stay as they are, and the network learns both.",
    trials={
        "8 captions, p_uncond = 0.3": _dropping(8, 0.3),
        "4 captions, p_uncond = 0": _dropping(4, 0.0),
        "6 captions, p_uncond = 1": _dropping(6, 1.0),
        "32 captions, p_uncond = 0.1": _dropping(32, 0.1),
    },
    why={"dice < p_uncond": "With p_uncond = 0 no caption may go, and with 1 all do."},
    slips={
        **dict.fromkeys(
            ["dice < p_uncond => dice >= p_uncond", "dice < p_uncond => dice > p_uncond"],
            "It drops the captions that should stay. A chance of p_uncond is dice < p_uncond; and "
            "torch.where takes its second argument where the condition is true."),
        "null_context, context) => torch.zeros_like(context), context)":
            "A dropped caption becomes zeros. The network is to hear the empty caption, "
            "null_context, for that is what it will hear when a picture is made.",
        "null_context, context) => null_context, context / max(1 - p_uncond, 1e-9))":
            "The captions that stay are divided by 1 - p_uncond, as dropout layers do. Nothing "
            "has to be made up for here: the network is told the caption, or it is not.",
        "(1 - p_uncond) * context + p_uncond * null_context":
            "Every caption is mixed with the empty one. Nobody ever hears the caption as it is: "
            "leave some out whole, and keep the others whole.",
        "1 * context": "No caption is left out.",
        "null_context.expand_as(context)": "All captions are left out.",
        "dice < p_uncond => torch.arange(len(dice)) < round(p_uncond * len(dice))":
            "The same number of captions goes each time, the first of the batch. Chance should "
            "choose each one for itself: compare the dice with p_uncond.",
        "left_out[:, None, None] => left_out[0]":
            "One throw decides for the whole batch. Each caption has its own: dice[:, None, None].",
        "context + left_out[:, None, None] * null_context":
            "The null context is added to the dropped captions: it should stand in their place.",
    },
)  # fmt: skip

guide = Exercise(  # Ho & Salimans 2021 eq. 6, with s = 1 + w
    """
    def my_guide(without, with_caption, guidance_scale):
        return without + guidance_scale * (with_caption - without)
    """,
    praise="s = 0 ignores the caption, s = 1 follows it, and beyond 1 it is exaggerated.",
    trials={
        "4 latents, s = 3": draw("without with_caption", 4, 4, 8, 8, guidance_scale=3.0),
        "16 points, s = 0.5": draw("without with_caption", 16, 2, guidance_scale=0.5),
        "one latent, s = 0": draw("without with_caption", 1, 4, 8, 8, guidance_scale=0.0),
        "2 latents, s = 1": draw("without with_caption", 2, 4, 8, 8, guidance_scale=1.0),
    },
    why={
        "guidance_scale * (with_caption - without)":
            "It is the difference that is stretched, in the direction with_caption - without.",
    },
    slips={
        "with_caption + guidance_scale * (with_caption - without)":
            "That is the paper's w: its 0 is your s = 1. Start from `without`, not from "
            "with_caption.",
        "without + (guidance_scale - 1) * (with_caption - without)":
            "It is one too low: s = 1 should be the answer with the caption. You took w = s - 1 "
            "as the factor, which belongs to a start from with_caption.",
        "(without + with_caption) / 2": "It is the mean of both answers, whatever s is.",
        "(without + guidance_scale * with_caption) / (1 + guidance_scale)":
            "A mean weighted by s and 1 lies between both answers. Guidance goes beyond the one "
            "with the caption.",
    },
)  # fmt: skip

_WRONG_ANSWERS = {
    "[null, context] => [context, null]":
        "The two answers are swapped. In whichever order the contexts go into torch.cat, the "
        "answers come out of .chunk(2).",
    "[null, context] => [context, context]":
        "This is the answer with the caption, whatever the scale. Is guidance_scale used? And is "
        "one half of the batch asked with null_context, so that there is a difference to stretch?",
    "[null, context] => [null, null]": "Both questions are asked without the caption.",
    "[null, context] => [0 * null, context]":
        "The unguided half is zeros instead of an empty caption: use null_context.",
    "guidance_scale * (with => (guidance_scale + 1) * (with":
        "That is the paper's w: with guidance_scale 1 it is already at s = 2.",
    "without + guidance => without - guidance":
        "The sign is wrong: that leads away from the caption.",
    "without + guidance_scale * (with_caption - without) => (without + with_caption) / 2":
        "The mean of both answers: the scale is not in it.",
    "without + guidance_scale * (with_caption - without) => "
    "ask(x_t, t, null + guidance_scale * (context - null))":
        "The contexts are put together, and the answer is asked for once. The two answers have to "
        "be put together, behind the network: it is no straight line.",
}  # fmt: skip

guided = AskInOneBatch(
    """
    def my_guided(ask, x_t, t, context, null_context, guidance_scale):
        if guidance_scale == 1:
            return ask(x_t, t, context)
        null = null_context.expand_as(context)
        both = ask(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([null, context]))
        without, with_caption = both.chunk(2)
        return without + guidance_scale * (with_caption - without)
    """,
    praise="One call for both answers, and no second answer where nobody needs it.",
    trials={
        "3 latents, s = 3": _asking(3, 3.0),
        "1 latent, s = 7.5": _asking(1, 7.5),
        "3 latents, s = 1": _asking(3, 1.0),
    },
    slips={
        always + change: words
        for change, words in _WRONG_ANSWERS.items()
        for always in ("guidance_scale == 1 => False; ", "")
    },
)

negative = Exercise(
    """
    def my_negative(without, with_caption, with_negative, guidance_scale):
        return with_negative + guidance_scale * (with_caption - with_negative)
    """,
    praise="The negative prompt stands where nothing stood: guidance now leads away from it.",
    trials={
        what: draw("without with_caption with_negative", *shape, guidance_scale=s)
        for what, shape, s in [
            ("4 latents, s = 3", (4, 4, 8, 8), 3.0),
            ("16 points, s = 1", (16, 2), 1.0),
            ("one latent, s = 6", (1, 4, 8, 8), 6.0),
        ]
    },
    slips={
        "without + guidance_scale * (with_caption - with_negative)":
            "The direction is right, but it starts from `without`. The negative prompt takes its "
            "place there too, so that s = 1 is the answer with the caption.",
        "without + guidance_scale * (with_caption - without)":
            "with_negative has no part in it. It stands where `without` stood.",
        "without + guidance_scale * (with_caption - without) - (with_negative - without)":
            "The difference to `without` is subtracted once more, whatever s is.",
        "without + guidance_scale * (with_caption - without) - with_negative":
            "The negative answer is subtracted from the guided one. It is no direction: only a "
            "difference of two answers is.",
        "with_caption + guidance_scale * (with_caption - with_negative)":
            "It starts from the prompt's answer: that is the paper's w, so s = 1 already goes "
            "beyond.",
    },
)  # fmt: skip
