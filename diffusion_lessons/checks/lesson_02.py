"""The exercises of lesson 02: exact denoiser, residual block, both guesses, the loss, a bug.

A bug that still behaves as printed gets a symptom and a question, not the answer.
"""

from collections.abc import Callable
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import models, schedule

from .exercise import Exercise, draw, normal
from .report import Report


class OneKindAtATime(Exercise):
    """An exercise of several kinds of prediction, each examined by itself.

    So a mistake in one kind is named, whatever is wrong with the kinds after it.
    """

    def examine(self, function: Callable) -> Report:
        """Compare the learner's function with the solution, kind by kind, up to the first fault."""
        for kind, trials in groupby(self._trials, lambda trial: trial.inputs["kind"]):
            report = self.examine_on(list(trials), function)
            if report.verdict == "not yet":
                first, *rest = report.words
                return Report("not yet", (f"{kind}: {first[0].lower()}{first[1:]}", *rest))
        return report


def _rates(signal_rate: float) -> dict[str, float]:
    return {"signal_rate": signal_rate, "noise_rate": (1 - signal_rate**2) ** 0.5}


def _set(count: int, members: int, numbers: int, signal_rate: float) -> dict:
    x_0_set = normal(members, numbers, seed=2) * 0.8
    return draw("x_t", count, numbers, x_0_set=x_0_set, **_rates(signal_rate))


def _level(x: Tensor, t: Tensor | None) -> Tensor:
    """Return t with the axes of x; zeros where a network is called without it."""
    return torch.zeros(()) if t is None else t.view(-1, *[1] * (x.ndim - 1))


def _squashing(x: Tensor, t: Tensor | None = None) -> Tensor:
    return torch.tanh(x) * (1 + _level(x, t))


def _halving(x: Tensor, t: Tensor | None = None) -> Tensor:
    return 0.5 * x - 0.3 * _level(x, t)


def _training(model: Callable, *shape: int) -> dict:
    t = torch.linspace(0.08, 0.9, shape[0])
    x_0, eps = normal(*shape, seed=5) * 0.6, normal(*shape, seed=6)
    return {"model": model, "x_0": x_0, "t": t, "eps": eps}


def _block(count: int, channels: int, *sides: int) -> dict:
    """Return a block none of whose weights is 0, a map and an embedding."""
    block = models.ResBlock(channels, 6).requires_grad_(False)
    for seed, weight in enumerate(block.parameters()):
        weight.copy_(normal(*weight.shape, seed=seed) * 0.3)
    x = normal(count, channels, *sides, seed=8)
    return {"block": block, "x": x, "emb": normal(count, 6, seed=9)}


def _levels(count: int) -> dict:
    downs = [lambda x, k=k: x * 0.5 + k for k in range(1, count + 1)]
    ups = [lambda x, skip, k=k: torch.tanh(x) + k * skip for k in range(1, count + 1)]
    return {"x": normal(2, 3, 4, 4, seed=7), "downs": downs, "ups": ups}


exact_denoiser = Exercise(  # Karras et al. 2022, eq. 57
    """
    def exact_x_0(x_t, x_0_set, signal_rate, noise_rate):
        distance = torch.cdist(x_t, signal_rate * x_0_set) ** 2  # (B, N)
        weights = torch.softmax(-distance / (2 * noise_rate**2), dim=1)
        return weights @ x_0_set
    """,
    praise="Each noisy picture got its own weighted mean, as the formula says.",
    trials={
        "4 noisy pictures and a set of 6": _set(4, 6, 5, signal_rate=0.8),
        "one noisy picture and a set of 3": _set(1, 3, 8, signal_rate=0.4),
        "5 points in the plane and a set of 5": _set(5, 5, 2, signal_rate=0.95),
    },
    why={
        "-distance": "Without it the picture that fits least gets the most weight.",
        "(2 * noise_rate**2)":
            "The exponent is divided by 2 times noise_rate SQUARED: the bell curve's own formula.",
        "signal_rate * x_0_set":
            "x_t is compared with the shrunken picture, since that is what noise was added to.",
    },
    slips={
        "dim=1 => dim=0":
            "The softmax runs over the wrong axis: the weights of one noisy picture, over all "
            "members of the set, should add up to 1. With weights of shape (B, N) that is dim=1.",
        " ** 2 =>  ** 2 / x_t.shape[1]":
            "The distance is the MEAN over the pixels; the exponent has their SUM: each pixel "
            "adds its own evidence.",
        "x_0_set) ** 2 => x_0_set, p=1)":
            "The distance is a sum of absolute values; the bell curve has squares.",
        "weights @ (signal_rate * x_0_set)":
            "The mean is of the shrunken pictures. Compare with signal_rate * x_0, average x_0.",
        "x_0_set[weights.argmax(dim=1)]":
            "It returns the one picture that fits best. That is the most likely one, and the MEAN "
            "has the smaller squared error: weigh all by softmax.",
        "torch.exp(-distance / (2 * noise_rate**2)) @ x_0_set":
            "The weights do not add up to 1: softmax, where you have exp.",
    },
)  # fmt: skip

res_block = Exercise(  # Nichol & Dhariwal 2021, section 3
    """
    def res_block(block, x, emb):
        scale, shift = block.scale_shift(emb)[:, :, None, None].chunk(2, dim=1)
        h = block.conv_1(functional.silu(block.norm_1(x)))
        h = block.norm_2(h) * (1 + scale) + shift
        return x + block.conv_2(functional.silu(h))
    """,
    praise="Twice norm, silu, convolution; time speaks between them, and what came in is added.",
    trials={
        "3 maps of 16 channels": _block(3, 16, 5, 4),
        "one map of 8 channels": _block(1, 8, 3, 6),
        "2 maps of 24 channels": _block(2, 24, 4, 4),
    },
    names={"functional": functional},
    why={"1 + scale": "A block that has learned nothing yet has scale 0, and should let all pass."},
    slips={
        "x + block.conv_2 => block.conv_2":
            "What came in is not added: x + ... The block is to find what to change in the map, "
            "so that it need not carry the whole map through its convolutions.",
        "x + block.conv_2 => h + block.conv_2":
            "Added is h, the map half-way. What came in, x, goes around both convolutions.",
        "(1 + scale) => scale":
            "The map is multiplied by scale alone. At first scale is 0, and nothing would pass: "
            "1 + scale.",
        "scale, shift = => shift, scale =":
            "scale and shift are exchanged: the first half of the numbers is the scale.",
        "functional.silu => ":
            "silu is missing in both places. With nothing bent between them, two convolutions are "
            "only a larger one.",
        "silu(block.norm_1(x) => silu(x": "The first norm is missing: block.norm_1(x).",
        "block.norm_2 => block.norm_1":
            "The same norm stands in both places; the second has weights of its own: block.norm_2.",
        "block.conv_2 => block.conv_1":
            "The same convolution stands in both places; the second is block.conv_2.",
        "block.norm_2(h) * (1 + scale) + shift => block.norm_2(h * (1 + scale) + shift)":
            "The second norm comes after scale and shift, and takes away what time has just "
            "spoken. First the norm, then scale and shift.",
        "conv_1(functional.silu(block.norm_1(x))) => conv_1(block.norm_1(functional.silu(x)))":
            "In the first half silu comes before the norm; the order is norm, silu, convolution.",
        "conv_1(functional.silu(block.norm_1(x))) => norm_1(functional.silu(block.conv_1(x)))":
            "The first half runs backwards: norm first, then silu, then the convolution.",
        "[:, :, None, None] => ":
            "scale and shift have shape (B, C), and the map (B, C, h, w): give them two axes of "
            "length 1, [:, :, None, None].",
        "dim=1 => dim=0":
            "The pictures are cut into two halves; it is the channels that are: dim=1.",
    },
)  # fmt: skip

both_guesses = OneKindAtATime(
    """
    def both_guesses(kind, output, x_t, signal_rate, noise_rate):
        if kind == "eps":
            x_0, eps = (x_t - noise_rate * output) / signal_rate, output
        elif kind == "x_0":
            x_0, eps = output, (x_t - signal_rate * output) / noise_rate
        else:
            x_0 = signal_rate * x_t - noise_rate * output
            eps = noise_rate * x_t + signal_rate * output
        return torch.stack([x_0, eps])
    """,
    praise="All three kinds, on pictures and on points: the same numbers as prediction.read_off.",
    trials={
        f"a network that predicts {kind}, {what}":
            {"kind": kind} | draw("output x_t", *shape, **_rates(signal_rate))
        for kind in ("x_0", "eps", "v")
        for what, shape, signal_rate in [("pictures", (4, 3, 5, 5), 0.8), ("points", (6, 2), 0.3)]
    },
    why={
        "(x_t - noise_rate * output) / signal_rate":
            "x_t holds noise_rate * eps; what is left without it is signal_rate * x_0.",
        "(x_t - signal_rate * output) / noise_rate":
            "x_t holds signal_rate * x_0; what is left without it is noise_rate * eps.",
    },
    slips={
        'kind == "eps" => True': "The network's output is treated as if it were the noise.",
        'kind == "eps" => False; kind == "x_0" => True':
            "The network's output is treated as if it were the clean picture.",
        'kind == "eps" => False; kind == "x_0" => False':
            "The network's output is treated as if it were v.",
    },
)  # fmt: skip

loss = Exercise(  # DDPM eq. 14 for a network that says x_0; Salimans & Ho 2022, section 4
    """
    def loss_of(model, x_0, t, eps):
        x_t = schedule.add_noise(x_0, eps, t, schedule.cosine)
        _, noise_rate = schedule.cosine(t)  # (B, 1, 1, 1)
        error = (model(x_t, t) - x_0) ** 2
        return (error / (noise_rate**2).clamp(min=0.1)).mean()
    """,
    praise="Noisy picture in, clean picture out, squared, weighed, mean: it can train a network.",
    trials={
        "a network that squashes, 5 pictures": _training(_squashing, 5, 3, 4, 4),
        "a network that halves, one picture": _training(_halving, 1, 1, 6, 6),
        "a network that squashes, 8 grey pictures": _training(_squashing, 8, 1, 3, 2),
    },
    names={"schedule": schedule},
    why={
        "- x_0": "This network is to say the clean picture.",
        "(model(x_t, t) - x_0) ** 2": "Not squared, differences of opposite sign cancel.",
        "error / (noise_rate**2).clamp(min=0.1)":
            "Pictures with little noise need the finest work, so their error counts more.",
    },
    slips={
        "- x_0 => - eps":
            "The target is the noise; this network is to say the clean picture, x_0.",
        "- x_0 => - x_t":
            "The target is x_t, the network's own input: it would learn to change nothing.",
        "model(x_t, t) => model(x_0, t)":
            "The network gets the clean picture, and need only repeat it: model(x_t, t).",
        "model(x_t, t) => model(x_t)": "The network does not get t: model(x_t, t).",
        "schedule.add_noise(x_0, eps, t, schedule.cosine) => x_0 + eps":
            "The noise is added without rates: x_t = signal_rate * x_0 + noise_rate * eps, which "
            "schedule.add_noise does.",
        "error.mean()":
            "All pictures count alike. Divide each error by noise_rate ** 2, by 0.1 at least.",
        ".clamp(min=0.1) => ":
            "The divisor has no floor: where there is hardly any noise it is nearly 0, and these "
            "pictures drown all others. .clamp(min=0.1)",
        ".clamp(min=0.1) => .clamp(max=0.1)":
            "clamp(max=0.1) keeps the divisor BELOW 0.1; it should be at least 0.1: min=0.1.",
        "_, noise_rate = => noise_rate, _ =":
            "schedule.cosine returns the signal rate first, then the noise rate.",
        "x_0) ** 2 => x_0); .mean() => .mean() ** 2":
            "The mean comes first and the square after it, so errors of opposite sign cancel: the "
            "loss is nearly 0 after ten steps, and what is drawn is useless. Square first.",
        "error.mean() / (noise_rate**2).clamp(min=0.1).mean()":
            "Both means are taken before the division. Divide each picture's error by its own "
            "noise_rate ** 2, then take the mean.",
    },
)  # fmt: skip

bug_skips = Exercise(
    """
    def published_pass(x, downs, ups):
        skips = []
        for down in downs:
            skips.append(x)
            x = down(x)
        for up in ups:
            x = up(x, skips.pop())
        return x
    """,
    praise="The last one kept is the first one used: each way up got the map of its own size.",
    trials={"one level": _levels(1), "3 levels": _levels(3), "2 levels": _levels(2)},
    slips={
        "pop() => pop(0)":
            "This behaves as printed: right with one level, wrong with more. The first way up "
            "gets the map that was kept FIRST, the largest one. Which one belongs to it?",
        "skips.append(x)\n => x = down(x)\n; x = down(x)\n    for => skips.append(x)\n    for":
            "What is kept now is the map AFTER the way down, already smaller. Keep it before.",
        "pop() => pop(0); "
        "skips.append(x)\n => x = down(x)\n; x = down(x)\n    for => skips.append(x)\n    for":
            "Two changes: kept after the way down, and taken from the wrong end.",
        "skips.pop() => x": "No skip arrives: each way up gets its own input twice.",
        "skips.pop() => skips[-1]":
            "Every way up gets the same map, the one kept last. `pop` takes it out of the list.",
    },
)  # fmt: skip
