"""How a caption steers: from words to context, caption dropout, and guidance.

A guidance scale of 1 means "off", here and in the libraries: s = 1 + w, with the weight w of the
paper (Ho & Salimans 2021), where 0 is off. A scale of 0 ignores the caption, as the formula says.
In the pipelines of `diffusers` any scale of 1 or less switches guidance off: 0 there follows the
caption.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import arguments
from .models import CrossAttention, TextUNet
from .postcards import VALUES, Description, PromptError
from .postcards.lexicon import MEANING_OF, plurals, vocabulary
from .postcards.reading import parse_words, plain_words
from .postcards.scenes import SCENE_ATTRIBUTES, THING_ATTRIBUTES, value_of
from .prediction import Denoiser, as_denoiser
from .schedule import Schedule

WORDS = ("", *vocabulary())
"""Every word that the caption encoder knows; its number is its index. Number 0 is padding."""

LENGTH = 32  # words in a context
LARGEST_SCALE = 30

_NUMBER = {word: number for number, word in enumerate(WORDS)}
for _word, (_attribute, _value) in MEANING_OF.items():  # a word that no caption uses: "cabin"
    _many = _attribute == "object" and _word.endswith("s")
    _NUMBER.setdefault(_word, _NUMBER[plurals(_value)[0] if _many else _value])
_IS_NOUN = torch.tensor([MEANING_OF.get(word, ("", ""))[0] == "object" for word in WORDS])

ATTRIBUTES: tuple[tuple[str, int | None], ...] = (
    *((name, None) for name in SCENE_ATTRIBUTES),
    *((name, slot) for slot in (0, 1) for name in THING_ATTRIBUTES),
)
"""Attributes that a caption may name: of the scene (None), of its first (0) or second thing (1)."""


def tokenise(prompts: Sequence[str]) -> Tensor:
    """Turn prompts into numbers of words, int64 (N, 32), padded with 0; "" is all padding.

    A word that no caption uses is replaced by the one that captions use for it ("cabin" by
    "house"); small words that no caption uses are left out.

    Raises what `postcards.parse` raises; PromptError for a prompt of more than 32 words; TypeError
    for one str where several are expected.
    """
    if isinstance(prompts, str):
        raise TypeError("tokenise takes several prompts; for one write tokenise([prompt])")
    return _numbers([parse_words(prompt)[1] for prompt in prompts])


def word_numbers(captions: Sequence[str]) -> Tensor:
    """Do what `tokenise` does, for captions of `postcards`, whose words are all known: faster."""
    return _numbers([plain_words(caption) for caption in captions])


def _numbers(texts: Sequence[Sequence[str]]) -> Tensor:
    """Turn the words of N texts into their numbers, int64 (N, 32)."""
    tokens = torch.zeros(len(texts), LENGTH, dtype=torch.int64)
    for row, words in enumerate(texts):
        numbers = [_NUMBER[word] for word in words if word in _NUMBER]
        if len(numbers) > LENGTH:
            raise PromptError(
                f"the prompt has {len(numbers)} words that count, and at most {LENGTH} are read; "
                "one sentence is enough: 'a small red house on the left, on snow at night'"
            )
        tokens[row, : len(numbers)] = torch.tensor(numbers, dtype=torch.int64)
    return tokens


def attribute_targets(descriptions: Sequence[Description]) -> Tensor:
    """Turn what captions say into classes, int64 (N, 12), a column for each of `ATTRIBUTES`.

    A class is one more than the index of the word in `postcards.VALUES`; 0 is "left open".
    """
    rows = [
        [(None, *VALUES[name]).index(value_of(said, name, slot)) for name, slot in ATTRIBUTES]
        for said in descriptions
    ]
    return torch.tensor(rows, dtype=torch.int64).view(-1, len(ATTRIBUTES))


def attribute_classes() -> dict[str, list[int]]:
    """Return the number of classes, "left open" among them, of each attribute of the "scene" and
    of each of a "thing": the sizes of the heads of `models.CaptionReader`."""
    names = {"scene": SCENE_ATTRIBUTES, "thing": THING_ATTRIBUTES}
    return {part: [1 + len(VALUES[name]) for name in names[part]] for part in names}


def noun_places(tokens: Tensor) -> Tensor:
    """Find the words that name the first and the second thing: indices int64 (N, 2), -1 for none.

    tokens: from `tokenise`, (N, 32). The first noun of a caption names its first thing.
    """
    arguments.indices("tokens", tokens, 0, len(WORDS) - 1, ", as tokenise returns them")
    arguments.shape("tokens", tokens, ("N", "L"), ", as tokenise returns them")
    nouns = _IS_NOUN[tokens]
    masks = torch.stack([nouns & (nouns.cumsum(dim=1) == number) for number in (1, 2)], dim=1)
    return torch.where(masks.any(dim=2), masks.int().argmax(dim=2), -1)


def drop_captions(context: Tensor, null_context: Tensor, p_uncond: float, dice: Tensor) -> Tensor:
    """Drop each caption of a batch with probability `p_uncond`, so that the network also learns to
    work without one. Ho & Salimans 2021, algorithm 1.

    context: (B, L, D). null_context: (1, L, D), of the empty caption. dice: (B,), evenly spread in
    [0, 1); what is below `p_uncond` drops its caption. Returns (B, L, D). Raises ValueError or
    TypeError where `p_uncond` is no number from 0 to 1.
    """
    hint = " (0: none is dropped, 1: all; 0.1 is usual)"
    p_uncond = arguments.number("p_uncond", p_uncond, 0, 1, hint, real=True)
    arguments.shape("context", context, ("B", "L", "D"), holds=arguments.FLOATS)
    arguments.shape("null_context", null_context, (1, *context.shape[1:]), "", arguments.FLOATS)
    arguments.shape("dice", dice, context.shape[:1], ", one each", holds=arguments.FLOATS)
    return torch.where((dice < p_uncond)[:, None, None], null_context, context)


def guide(without: Tensor, with_caption: Tensor, guidance_scale: float) -> Tensor:
    """Extrapolate from the network's output without the caption to the one with it, and beyond.

    s = 0 is the output without the caption, 1 the one with it, 2 goes as far again. Any shape, any
    kind of prediction. Ho & Salimans 2021 eq. 6, with s = 1 + w.
    """
    arguments.alike(without=without, with_caption=with_caption)
    scale = arguments.number("guidance_scale", guidance_scale, -1e6, 1e6, real=True)
    return without + scale * (with_caption - without)


def guided(
    model: Callable[[Tensor, Tensor, Tensor], Tensor],
    schedule: Schedule,
    kind: str,
    context: Tensor,
    null_context: Tensor,
    guidance_scale: float = 1.0,
    interval: tuple[float, float] = (0.0, 1.0),
) -> Denoiser:
    """Return a denoiser with classifier-free guidance.

    Args:
        model: called as model(x_t, t, context).
        kind: its kind of prediction, one of `prediction.KINDS`.
        context: (B, L, D), one caption for each x_t.
        null_context: (1, L, D) or (B, L, D): of the empty caption, or of a negative prompt, which
            the picture moves away from.
        guidance_scale: from 0 (the captions are ignored) over 1 (no guidance) to 30. At 0 and at 1
            each step computes one output per picture, else two, in one batch.
        interval: the times between which guidance acts, both in [0, 1]; at others the scale is 1.
            Kynkäänniemi et al. 2024.

    Raises TypeError or ValueError for what is no such scale or interval.
    """
    hint = " (0 ignores the caption, 1 is off; from 2 to 5 is usual)"
    scale = arguments.number("guidance_scale", guidance_scale, 0, LARGEST_SCALE, hint, real=True)
    low, high = interval
    if not 0 <= low <= high <= 1:
        raise ValueError(f"interval is {interval}: give two times, 0 <= low <= high <= 1")
    arguments.shape("context", context, ("B", "L", "D"), holds=arguments.FLOATS)
    arguments.tensor("null_context", null_context)
    sizes = context.shape if null_context.shape[:1] != (1,) else (1, *context.shape[1:])
    arguments.shape("null_context", null_context, sizes)
    null_context = null_context.expand_as(context)
    contexts = torch.cat([null_context, context])  # one tensor for the whole walk
    always = interval == (0.0, 1.0)  # then no step has to look at t, which a GPU would wait for

    def output(x_t: Tensor, t: Tensor) -> Tensor:
        now = scale if always or low <= float(t[0]) <= high else 1.0
        if now in (0.0, 1.0):
            return model(x_t, t, context if now else null_context)
        both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), contexts)
        without, with_caption = both.chunk(2)
        return guide(without, with_caption, now)

    return as_denoiser(output, schedule, kind)


def with_forward(unet: TextUNet, kind: type[nn.Module], forward: Callable[..., Tensor]) -> TextUNet:
    """Return a copy of the network whose layers of a kind compute `forward(layer, *inputs)`."""
    unet = copy.deepcopy(unet)
    layers: list[Any] = [layer for layer in unet.modules() if isinstance(layer, kind)]
    for layer in layers:
        layer.forward = partial(forward, layer)
    return unet


def with_attention(unet: TextUNet, attention: Callable[..., Tensor]) -> TextUNet:
    """Return a copy of the network whose cross-attentions ask by a function, head by head.

    attention: called as attention(places, words, to_q, to_k, to_v) for each picture, with places
    (h * w, C), words (L, D), and the head's three linear functions to 32 numbers; returns what each
    place finds, (h * w, 32). The course's own is the solution of the exercise `cross_attention`.
    """
    return with_forward(unet, CrossAttention, partial(_attend, attention))


def _attend(attention: Callable[..., Tensor], layer: Any, x: Tensor, context: Tensor) -> Tensor:
    """Compute `CrossAttention.forward`, from places (B, C, h, w) and context (B, L, D)."""
    linear = [  # to_q of each head, then to_k of each, then to_v
        partial(functional.linear, weight=weight, bias=bias)
        for part, count in ((layer.to_q, layer.heads), (layer.to_kv, 2 * layer.heads))
        for weight, bias in zip(
            part.weight.flatten(1).chunk(count), part.bias.chunk(count), strict=True
        )
    ]
    found = [
        torch.cat(
            [attention(places, words, *linear[n :: layer.heads]) for n in range(layer.heads)], 1
        )
        for places, words in zip(layer.norm(x).flatten(2).transpose(1, 2), context, strict=True)
    ]
    return x + layer.to_out(torch.stack(found).transpose(1, 2).reshape(x.shape))
