"""The exercises of lesson 08: quantise, the causal mask, and the loop that writes code by code.

Vectors are (N, D), a codebook (K, D), codes whole numbers. A step of the loop is a function from
the last codes, (B,) or None, and a cache to logits with and without the caption, (B, K) each, and
the new cache.
"""

from functools import partial

import torch
from torch import Tensor

from .exercise import Exercise, normal
from .parts import InParts, at, slopes


def _step(start: Tensor, table: Tensor, code: Tensor | None, cache: Tensor | None) -> tuple:
    """Answer as a network with a cache might: from all codes so far. Where codes are no (B,), a
    network would stop; this one answers otherwise, so that the check can tell why."""
    state = start if cache is None else cache
    if code is not None:
        heard = table[code]
        state = torch.sin(2 * state + (heard.sum(1) + 1 if heard.ndim > 2 else heard))
    return 2 * state, torch.cos(3 * state), state


def _writing(count: int, places: int, k: int, temperature: float, scale: float) -> dict:
    return {
        "step": partial(_step, normal(count, k, seed=places), normal(k, k, seed=count)),
        "places": places, "temperature": temperature, "scale": scale,
        "dice": torch.Generator().manual_seed(places),
    }  # fmt: skip


quantise = InParts(  # van den Oord et al. 2017 (VQ-VAE), equation 2 and section 3.2
    """
    def my_quantise(z, codebook):
        numbers = torch.cdist(z, codebook).argmin(dim=1)
        z_q = z + (codebook[numbers] - z).detach()
        return z_q, numbers
    """,
    praise="The nearest code in value, and z in the gradient: straight through.",
    parts={"numbers": partial(at, 1), "z_q": partial(at, 0), "gradient": slopes},
    trials={
        f"{n} vectors and {k} codes": {"z": normal(n, d, seed=n), "codebook": normal(k, d, seed=k)}
        for n, k, d in [(12, 9, 4), (7, 3, 2), (4, 16, 3)]
    },
    slips={
        "argmin => argmax": "It is the code farthest away. The nearest has the least distance.",
        **dict.fromkeys(
            [f"torch.cdist(z, codebook).argmin => (z @ codebook.T).arg{m}" for m in ("max", "min")],
            "Dot products are compared, and they grow with the length of a code: torch.cdist."),
        "codebook).argmin => codebook, p=1).argmin":
            "The distance is a sum of absolute differences. Here it is Euclid's: p=2.",
        "dim=1 => dim=0":
            "It finds a vector for each code. Distances are (N, K): one code in each row, dim=1.",
        "(dim=1) => ()": "One number comes out for all. Each row needs its own: argmin(dim=1).",
        ".argmin(dim=1) => .min(dim=1).values":
            "That is how far the nearest code is, and not which one it is: argmin.",
        **dict.fromkeys(
            ["codebook[numbers], numbers", "z + codebook[numbers] - z, numbers"],
            "It all goes to the codebook, and none reaches z. Choosing has no slope, and z - z "
            "cancels out. Go straight through: z + (codebook[numbers] - z).detach()."),
        "(z + codebook[numbers] - z).detach(), numbers":
            "All is detached, so the encoder learns nothing. Detach the difference only.",
        "z.detach() + (codebook[numbers] - z), numbers":
            "It reaches z with the wrong sign. Detach the difference, and not the z before it.",
        "z + codebook[numbers] - z.detach(), numbers":
            "It reaches z, and the codebook as well. Detach the whole difference.",
        "2 * z + (codebook[numbers] - 2 * z).detach(), numbers":
            "It arrives at z doubled. Outside of what is detached, z stands once.",
        "return z_q, numbers => return numbers, z_q": "The two are exchanged: z_q comes first.",
        "z_q, torch.nn.functional.one_hot(numbers, len(codebook))":
            "Each code is a row of 0 and 1 (one-hot). Its number is enough: (N,).",
        "z + codebook[numbers], numbers":
            "The code is added to z, and should stand in its place: add codebook[numbers] - z.",
        "z_q": "Two things are asked for, no more and no less: return z_q, numbers.",
        **dict.fromkeys(
            ["z, numbers", "codebook[numbers] + (z - codebook[numbers]).detach(), numbers"],
            "It has the values of z: nothing is quantised. They should be codebook[numbers]."),
    },
)  # fmt: skip

causal_mask = Exercise(  # Vaswani et al. 2017, section 3.2.3
    """
    def my_causal_mask(n):
        places = torch.arange(n)
        return places[None, :] <= places[:, None]
    """,
    praise="Each place looks at itself and back, and none looks ahead.",
    trials={f"n = {n}": {"n": n} for n in (5, 1, 8)},
    slips={
        "<= => <":
            "No place sees itself. The input is shifted by one already: what stands at place i is "
            "code i - 1, and i may look there. j <= i.",
        "<= => >=":
            "It looks ahead (the upper triangle). In training it would copy the answer, and in "
            "use nothing is there yet. Look back: j <= i.",
        "<= => >":
            "Turned round: True is where it may not look, as in nn.Transformer. Here it is where "
            "it may.",
        "<= => ==": "Each place sees itself alone. It may look back as well: j <= i.",
        "torch.ones(n, n, dtype=torch.bool)": "All look everywhere, ahead as well. Only j <= i.",
        "torch.zeros(n, n).masked_fill(places[None, :] > places[:, None], -math.inf)":
            "0 and -inf are what is added to the scores. Attention takes that, too; here the mask "
            "is asked for as True and False.",
        "(places[None, :] <= places[:, None]).float()":
            "1 and 0 are numbers: attention would add them to the scores, and hide nothing. A "
            "comparison gives True and False, and so does .bool().",
    },
)  # fmt: skip

write = Exercise(
    """
    def my_write(step, places, temperature, scale, dice):
        code, cache, codes = None, None, []
        for _ in range(places):
            told, without, cache = step(code, cache)
            logits = without + scale * (told - without)
            p = (logits / temperature).softmax(dim=-1)
            code = torch.multinomial(p, 1, generator=dice)[:, 0]
            codes.append(code)
        return torch.stack(codes, dim=1)
    """,
    praise="One code after another, each heard once: the cache remembers the rest.",
    trials={
        f"{count} pictures of {places} places": _writing(count, places, k, temperature, scale)
        for count, places, k, temperature, scale in
        [(6, 9, 20, 0.7, 2.5), (3, 12, 16, 1.4, 1.5), (1, 16, 24, 1.0, 4.0)]
    },
    slips={
        **dict.fromkeys(
            ["without + scale * (told - without) => told + scale * (without - told)",
             "(told - without) => (without - told)"],
            "Guidance leads away from the caption. Start at `without`, and go towards `told`."),
        "without + scale * (told - without) => told + scale * (told - without)":
            "It starts from `told`: that is the paper's w. Start from `without`, as in lesson 05.",
        "without + scale * (told - without) => told": "It is not guided: `scale` changes nothing.",
        "/ temperature => * temperature": "Cold is hot: divide the logits by the temperature.",
        "(logits / temperature) => logits":
            "The temperature changes nothing. Is it missing, or does it divide probabilities? "
            "torch.multinomial makes those add up to 1 again. Divide the logits.",
        **dict.fromkeys(
            [").softmax(dim=-1) => )",
             "logits = => told, without = told.softmax(dim=-1), without.softmax(dim=-1)\n"
             "        logits =; (logits / temperature).softmax(dim=-1) => logits"],
            "None may be below 0. Guide the logits, not probabilities, and take the softmax last."),
        "dim=-1) => dim=0)": "Pictures compete in the softmax. Let the codes compete: dim=-1.",
        "torch.multinomial(p, 1, generator=dice)[:, 0] => p.argmax(dim=-1)":
            "It takes the likeliest code, so a prompt has one picture only. Draw: multinomial.",
        "step(code, cache) => step(code, None)":
            "The cache is not handed on: each call knows the last code, and none before it.",
        "step(code, cache) => step(None, cache)":
            "`step` never hears what was drawn. None is for the first call; then the last codes.",
        "step(code, cache) => step(torch.stack(codes, dim=1) if codes else None, cache)":
            "All codes are handed in, and the cache has most of them already. Only the last ones.",
        "step(code, cache) => step(torch.stack(codes, dim=1) if codes else None, None)":
            "All codes are read again in each call. Hand in the last ones, and the cache.",
        "code, cache, codes = None, => code, cache, codes = torch.zeros(1, dtype=torch.long),":
            "The first call gets a code, and nothing is written yet: None.",
        "range(places) => range(places + 1)": "That is one call too many: `places` of them.",
        "range(places) => range(places - 1)": "One call is missing: `places` of them.",
        "dim=1) => dim=0)": "It is turned, (places, B). One row for each picture: dim=1.",
        "[:, 0] => ": "What is drawn is (B, 1), and `step` wants (B,): take [:, 0].",
        "append(code) => append(code[:, None])": "It has an axis too many: stack codes (B,).",
        "\n    return => \n        return":
            "It returns after the first code. Move `return` to the left, out of the loop.",
    },
)  # fmt: skip
