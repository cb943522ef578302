"""The exercises of lesson 05: cross-attention, drop captions, extrapolate, away from a word.

Contexts have the course's shape (B, L, D), null_context (1, L, D); answers of a network may have
any shape.
"""

from functools import partial

import torch
from torch.nn import functional

from .exercise import Exercise, draw, normal


def _dropping(count: int, p_uncond: float) -> dict:
    dice = torch.rand(count, generator=torch.Generator().manual_seed(count))
    if p_uncond < 1:
        dice[-1] = p_uncond  # just not below it
    contexts = {"context": normal(count, 5, 6, seed=1), "null_context": normal(1, 5, 6, seed=2)}
    return contexts | {"p_uncond": p_uncond, "dice": dice}


def _looking(places: int, channels: int, words: int, width: int) -> dict:
    sizes = {"to_q": channels, "to_k": width, "to_v": width}  # of what each is called with
    linear = {
        name: partial(functional.linear, weight=normal(32, size, seed=n) / size**0.5)
        for n, (name, size) in enumerate(sizes.items())
    }
    asked = {"places": normal(places, channels, seed=3), "words": normal(words, width, seed=4)}
    return asked | linear


cross_attention = Exercise(  # Vaswani et al. 2017 eq. 1; Rombach et al. 2022 section 3.3
    """
    def my_cross_attention(places, words, to_q, to_k, to_v):
        q, k, v = to_q(places), to_k(words), to_v(words)
        weights = (q @ k.T / 32**0.5).softmax(dim=-1)
        return weights @ v
    """,
    praise="Every place of the picture asks, the words answer.",
    trials={
        "4 places, 7 words, all of 12 numbers": _looking(4, 12, 7, 12),
        "16 places, 5 words": _looking(16, 24, 5, 20),
        "1 place, 1 word": _looking(1, 24, 1, 20),
    },
    why={"32**0.5": "A sum of 32 products of size 1 has size √32: divided by it, it is 1 again."},
    slips={
        "to_q(places), to_k(words) => to_q(words), to_k(places)":
            "The words ask and the places answer. It is the picture that looks words up: questions "
            "from `places`, keys and values from `words`.",
        "to_k(words), to_v(words) => to_k(places), to_v(places)":
            "The places ask each other: that is self-attention. In cross-attention keys and values "
            "come from `words`.",
        "to_k(words) => to_k(places)":
            "The keys come from the places. What a place can find are words: to_k(words).",
        "to_v(words) => to_v(places)":
            "The values come from the places. What is found has to come from the caption: "
            "to_v(words).",
        "dim=-1 => dim=0":
            "Each word divides itself among the places. It should be the other way round: each "
            "place divides its attention among the words, so softmax goes along the words, dim=-1.",
        " / 32**0.5 => ":
            "Divide the scores by √32. Without it they are so large that softmax gives nearly "
            "everything to one word.",
        "/ 32**0.5 => / 32":
            "The scores are divided by 32, not by its root, √32: softmax hardly prefers any word.",
        "/ 32**0.5 => * 32**0.5":
            "The scores are multiplied by √32: they have to be divided by it.",
        ".softmax(dim=-1) => ":
            "The scores are taken as they are. Shares that add up to 1 come from softmax, along "
            "the words: .softmax(dim=-1).",
        ".softmax(dim=-1) => .sigmoid()":
            "sigmoid weighs each word alone, so that the weights of a place do not add up to 1. "
            "softmax lets the words compete.",
        "q @ k.T => q @ v.T":
            "Questions are held against the values. They are held against the keys, q @ k.T; the "
            "values are what is handed over.",
        "weights @ k": "What is handed over are the keys. It should be the values: weights @ v.",
        "v.mean(dim=0) + 0 * q":
            "Every place finds the same, the mean of all words, whatever it asks.",
    },
)  # fmt: skip

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
