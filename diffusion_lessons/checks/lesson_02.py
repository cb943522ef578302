"""The exercises of lesson 02: exact denoiser, time features, both guesses, the loss, two bugs.

A bug that still behaves as printed gets a symptom and a question, not the answer.
"""

from collections.abc import Callable
from itertools import groupby

import torch
from torch import Tensor

from diffusion_lessons import schedule

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
    t = torch.linspace(0.15, 0.85, shape[0])
    x_0, eps = normal(*shape, seed=5) * 0.6, normal(*shape, seed=6)
    return {"model": model, "x_0": x_0, "t": t, "eps": eps}


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

time_features = Exercise(  # Vaswani et al. 2017, section 3.5
    """
    def time_features(t, frequency):
        angle = t[:, None] * frequency
        return torch.cat([angle.sin(), angle.cos()], dim=1)
    """,
    praise="Sines first, then cosines, one row for each time.",
    trials={
        f"{times} and {count} frequencies":
            {"t": torch.tensor(t), "frequency": torch.logspace(0, 3, 8)[:count]}
        for times, t, count in [
            ("4 times", [0.1, 0.9, 0.35, 0.62], 8),
            ("one time", [0.47], 3),
            ("5 times", [0.05, 0.29, 0.53, 0.76, 1.0], 5),
        ]
    },
    why={"t[:, None] * frequency": "A fast wave has t TIMES a large frequency."},
    slips={
        "torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)":
            "Sine and cosine alternate; here all sines come first, then all cosines: torch.cat, "
            "not torch.stack.",
        **{
            f"= t[ => = {factor} * t[":
                f"There is a factor {factor} too many: t runs from 0 to 1, and the frequencies are "
                "angular ones already."
            for factor in ("2 * torch.pi", "torch.pi", "1000")
        },
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

loss = Exercise(  # DDPM eq. 14
    """
    def loss_of(model, x_0, t, eps):
        x_t = schedule.add_noise(x_0, eps, t, schedule.cosine)
        return ((model(x_t, t) - eps) ** 2).mean()
    """,
    praise="Noisy picture in, noise out, squared difference, mean: the loss of DDPM.",
    trials={
        "a network that squashes, 5 pictures": _training(_squashing, 5, 3, 4, 4),
        "a network that halves, one picture": _training(_halving, 1, 1, 6, 6),
        "a network that squashes, 8 points": _training(_squashing, 8, 2),
    },
    names={"schedule": schedule},
    why={
        "- eps": "This network is to predict the noise, as it was before it was scaled.",
        "(model(x_t, t) - eps) ** 2": "Not squared, differences of opposite sign cancel.",
    },
    slips={
        "- eps => - (x_t - x_0)":
            "The target is x_t - x_0, the whole change; eps is the noise before it was scaled.",
        "- eps => - x_t":
            "The target is x_t, the network's own input: it would learn to change nothing.",
        "model(x_t, t) => model(x_0, t)":
            "The network gets the clean picture; in it there is no noise to find: model(x_t, t).",
        "model(x_t, t) => model(x_t)": "The network does not get t: model(x_t, t).",
        "schedule.add_noise(x_0, eps, t, schedule.cosine) => x_0 + eps":
            "The noise is added without rates: x_t = signal_rate * x_0 + noise_rate * eps, which "
            "schedule.add_noise does.",
    },
)  # fmt: skip

bug_loss = Exercise(
    """
    def published_loss(output, eps):
        return ((output - eps) ** 2).mean()
    """,
    praise="Square first, then the mean: errors of opposite sign no longer cancel.",
    trials={
        "4 pictures": draw("output eps", 4, 3, 8, 8),
        "one grey picture": draw("output eps", 1, 1, 5, 5),
    },
    slips={
        "(output - eps).mean() ** 2":
            "This behaves as printed. Try it: a network whose output is 5 too high in one half of "
            "the pixels and 5 too low in the other gets the loss 0. In which order should mean "
            "and square come?",
        "(output - eps).mean()":
            "Now there is no square at all, and errors of opposite sign still cancel.",
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
