"""The checks of lesson 02: the exact denoiser, time features, what a network says, the loss."""

from collections.abc import Callable

import torch
from torch import Tensor

from diffusion_lessons.schedule import add_noise, cosine, linear

from .core import examine
from .denoisers import (
    interleaved,
    loss,
    most_likely,
    not_normalised,
    only,
    plain_mix,
    posterior_mean,
    read_off,
    waves,
)
from .mixes import normal
from .report import Report, Slip, Trial


def check_exact_denoiser(function: Callable) -> Report:
    """Exercise 1. `function(x_t, x_0_set, signal_rate, noise_rate)`: the best guess of x_0, (B, D).

    x_t: (B, D); x_0_set: (N, D); the rates are plain numbers. Karras et al. 2022, eq. 57.
    """
    trials = [
        _exact_trial("4 noisy pictures and a set of 6", 4, 6, 5, 0.8),
        _exact_trial("one noisy picture and a set of 3", 1, 3, 8, 0.4),
        _exact_trial("5 points in the plane and a set of 5", 5, 5, 2, 0.95),
    ]
    return examine(
        function,
        posterior_mean(),
        trials,
        EXACT_SLIPS,
        "Each noisy picture got its own weighted mean, as the formula says.",
    )


def check_time_features(function: Callable) -> Report:
    """Exercise 2. `function(t, frequency)`: (B,) and (F,) to (B, 2 F), all sines, then all cosines.

    Vaswani et al. 2017, section 3.5.
    """
    rising = torch.logspace(0, 3, 8)
    trials = [
        Trial(
            "4 times and 8 frequencies", {"t": torch.tensor([0.1, 0.9, 0.35, 0.62]), "f": rising}
        ),
        Trial("one time and 3 frequencies", {"t": torch.tensor([0.47]), "f": rising[:3]}),
        Trial("5 times and 5 frequencies", {"t": torch.linspace(0.05, 1, 5), "f": rising[:5]}),
    ]
    trials = [
        Trial(one.what, {"t": one.inputs["t"], "frequency": one.inputs["f"]}) for one in trials
    ]
    return examine(
        function,
        waves(),
        trials,
        TIME_SLIPS,
        "Sines first, then cosines, one row for each time.",
    )


def check_both_guesses(function: Callable) -> Report:
    """Exercise 3. `function(kind, output, x_t, signal_rate, noise_rate)`: x_0 and eps, stacked.

    kind: "eps", "x_0" or "v"; output, x_t: (B, ...); the rates are plain numbers. Returns
    (2, B, ...). The truth is `prediction.read_off`.
    """
    trials = [
        _guess_trial(kind, shape, signal_rate, place)
        for kind in ("x_0", "eps", "v")
        for place, (shape, signal_rate) in enumerate([((4, 3, 5, 5), 0.8), ((6, 2), 0.3)])
    ]
    return examine(
        function,
        read_off,
        trials,
        GUESS_SLIPS,
        "All three kinds, on pictures and on points: the same numbers as prediction.read_off.",
    )


def check_loss(function: Callable) -> Report:
    """Exercise 4. `function(model, x_0, t, eps)`: the loss of a network that says eps, one number.

    The cosine schedule; model is called as model(x_t, t). DDPM eq. 14.
    """
    trials = [
        _loss_trial("a network that squashes, 5 pictures", _squashing, (5, 3, 4, 4)),
        _loss_trial("a network that halves, one picture", _halving, (1, 1, 6, 6)),
        _loss_trial("a network that squashes, 8 points", _squashing, (8, 2)),
    ]
    return examine(
        function,
        loss(),
        trials,
        LOSS_SLIPS,
        "Noisy picture in, noise out, squared difference, mean: the loss of DDPM.",
    )


def _exact_trial(what: str, count: int, members: int, numbers: int, signal_rate: float) -> Trial:
    inputs = {
        "x_t": normal((count, numbers), 1),
        "x_0_set": normal((members, numbers), 2) * 0.8,
        "signal_rate": signal_rate,
        "noise_rate": (1 - signal_rate**2) ** 0.5,
    }
    return Trial(what, inputs)


def _guess_trial(kind: str, shape: tuple[int, ...], signal_rate: float, place: int) -> Trial:
    inputs = {
        "kind": kind,
        "output": normal(shape, 3),
        "x_t": normal(shape, 4 + place),
        "signal_rate": signal_rate,
        "noise_rate": (1 - signal_rate**2) ** 0.5,
    }
    return Trial(
        f"a network that says {kind}, {'pictures' if len(shape) == 4 else 'points'}", inputs
    )


def _squashing(x: Tensor, t: Tensor | None = None) -> Tensor:
    """A stand-in for a network; where it is not told t it takes 0."""
    t = torch.zeros(len(x)) if t is None else t
    return torch.tanh(x) * (1 + t.view(-1, *[1] * (x.ndim - 1)))


def _halving(x: Tensor, t: Tensor | None = None) -> Tensor:
    t = torch.zeros(len(x)) if t is None else t
    return 0.5 * x - 0.3 * t.view(-1, *[1] * (x.ndim - 1))


def _loss_trial(what: str, model: Callable, shape: tuple[int, ...]) -> Trial:
    t = torch.linspace(0.15, 0.85, shape[0])
    inputs = {"model": model, "x_0": normal(shape, 5) * 0.6, "t": t, "eps": normal(shape, 6)}
    return Trial(what, inputs)


_FACTOR = "The exponent is divided by 2 times noise_rate SQUARED: the bell curve's own formula."

EXACT_SLIPS = [
    Slip(
        "The sign of the distance is wrong: the picture that fits least gets the most weight. "
        "softmax(-distance / ...).",
        posterior_mean(sign=1.0),
    ),
    Slip(
        f"The factor 2 is missing. {_FACTOR}",
        posterior_mean(exponent=lambda noise_rate: noise_rate**2),
    ),
    Slip(
        f"The square of noise_rate is missing. {_FACTOR}",
        posterior_mean(exponent=lambda noise_rate: 2 * noise_rate),
    ),
    Slip(
        f"The factor 2 is squared too: write 2 * noise_rate**2. {_FACTOR}",
        posterior_mean(exponent=lambda noise_rate: (2 * noise_rate) ** 2),
    ),
    Slip(
        "The division by 2 * noise_rate**2 is missing, so it is as sure at every noise level.",
        posterior_mean(exponent=lambda noise_rate: 1.0),
    ),
    Slip(
        "signal_rate is missing: x_t has to be compared with the shrunken picture, "
        "signal_rate * x_0, since that is what noise was added to.",
        posterior_mean(shrink=False),
    ),
    Slip(
        "The softmax runs over the wrong axis: the weights of one noisy picture, over all members "
        "of the set, should add up to 1. With weights of shape (B, N) that is dim=1.",
        posterior_mean(axis=0),
    ),
    Slip(
        "The distance is not squared.",
        posterior_mean(distance=lambda difference: (difference**2).sum(-1).sqrt()),
    ),
    Slip(
        "The distance is the MEAN over the pixels; the exponent has their SUM: each pixel adds "
        "its own evidence.",
        posterior_mean(distance=lambda difference: (difference**2).mean(-1)),
    ),
    Slip(
        "The distance is a sum of absolute values; the bell curve has squares.",
        posterior_mean(distance=lambda difference: difference.abs().sum(-1)),
    ),
    Slip(
        "The mean is of the shrunken pictures. Compare with signal_rate * x_0, but average x_0.",
        posterior_mean(answer=1.0),
    ),
    Slip(
        "It returns the one picture that fits best. That is the most likely one, and the MEAN has "
        "the smaller squared error: weigh all by softmax.",
        most_likely,
    ),
    Slip("The weights do not add up to 1: softmax, where you have exp.", not_normalised),
]

TIME_SLIPS = [
    Slip(
        "Sines and cosines have changed places: the sines come first.",
        waves(first=torch.cos, then=torch.sin),
    ),
    Slip("Both halves are sines.", waves(then=torch.sin)),
    Slip("Both halves are cosines.", waves(first=torch.cos)),
    Slip(
        "Sine and cosine alternate; here all sines come first, then all cosines: torch.cat, not "
        "torch.stack.",
        interleaved,
    ),
    Slip(
        "There is a 2 pi too many: the frequencies are angular ones already.",
        waves(factor=2 * torch.pi),
    ),
    Slip(
        "There is a pi too many: the frequencies are angular ones already.", waves(factor=torch.pi)
    ),
    Slip("t runs from 0 to 1 here; it need not be multiplied by 1000.", waves(factor=1000.0)),
    Slip(
        "The angle is t divided by the frequency; a fast wave has t TIMES a large frequency.",
        lambda t, frequency: waves()(t, 1 / frequency),
    ),
]

GUESS_SLIPS = [
    Slip(
        "eps: the noise is added once more. Take it away: (x_t - noise_rate * eps) / signal_rate.",
        only("eps", lambda o, x, a, b: ((x + b * o) / a, o)),
    ),
    Slip(
        "eps: the division by signal_rate is missing. What is left after the noise is gone is "
        "signal_rate * x_0.",
        only("eps", lambda o, x, a, b: (x - b * o, o)),
    ),
    Slip(
        "eps: noise_rate is missing: x_t holds noise_rate * eps, not eps.",
        only("eps", lambda o, x, a, b: ((x - o) / a, o)),
    ),
    Slip(
        "eps: the two rates are swapped.",
        only("eps", lambda o, x, a, b: ((x - a * o) / b, o)),
    ),
    Slip(
        "x_0: the division by noise_rate is missing.",
        only("x_0", lambda o, x, a, b: (o, x - a * o)),
    ),
    Slip(
        "x_0: signal_rate is missing: x_t holds signal_rate * x_0.",
        only("x_0", lambda o, x, a, b: (o, (x - o) / b)),
    ),
    Slip(
        "x_0: what the network says is the clean picture here, and it is treated as if it were "
        "the noise.",
        only("x_0", lambda o, x, a, b: ((x - b * o) / a, o)),
    ),
    Slip(
        "eps: what the network says is the noise here, and it is treated as if it were the clean "
        "picture.",
        only("eps", lambda o, x, a, b: (o, (x - a * o) / b)),
    ),
    Slip(
        "v: the sign in x_0 is wrong: x_0 = signal_rate * x_t - noise_rate * v.",
        only("v", lambda o, x, a, b: (a * x + b * o, b * x + a * o)),
    ),
    Slip(
        "v: the sign in eps is wrong: eps = noise_rate * x_t + signal_rate * v.",
        only("v", lambda o, x, a, b: (a * x - b * o, b * x - a * o)),
    ),
    Slip(
        "v: the two rates are swapped.",
        only("v", lambda o, x, a, b: (b * x - a * o, a * x + b * o)),
    ),
    Slip(
        "v: what the network says is treated as if it were the noise.",
        only("v", lambda o, x, a, b: ((x - b * o) / a, o)),
    ),
    Slip(
        "v: what the network says is treated as if it were the clean picture.",
        only("v", lambda o, x, a, b: (o, (x - a * o) / b)),
    ),
    *(
        Slip(
            f"{kind}: the two guesses have changed places: first x_0, then eps.",
            only(kind, lambda o, x, a, b, kind=kind: tuple(read_off(kind, o, x, a, b).flip(0))),
        )
        for kind in ("eps", "x_0", "v")
    ),
]

LOSS_SLIPS = [
    Slip(
        "The target is the clean picture. This network is to say the noise, eps.",
        loss(says=lambda x_0, x_t, eps: x_0),
    ),
    Slip(
        "The target is x_t - x_0, the whole change; eps is the noise before it was scaled.",
        loss(says=lambda x_0, x_t, eps: x_t - x_0),
    ),
    Slip(
        "The target is x_t, what the network was shown: it would learn to change nothing.",
        loss(says=lambda x_0, x_t, eps: x_t),
    ),
    Slip(
        "The network is shown the clean picture; in it there is no noise to find. Show it x_t.",
        loss(shown=lambda x_0, x_t: x_0),
    ),
    Slip("The network is not told t: model(x_t, t).", loss(told=False)),
    Slip(
        "Picture and noise are swapped in x_t: schedule.add_noise takes first x_0, then eps.",
        lambda model, x_0, t, eps: ((model(add_noise(eps, x_0, t, cosine), t) - eps) ** 2).mean(),
    ),
    Slip("The square is missing: the mean of the differences, and they cancel.",
         loss(error=lambda difference: difference.mean())),
    Slip(
        "The square comes after the mean: differences of opposite sign have cancelled by then.",
        loss(error=lambda difference: difference.mean() ** 2),
    ),
    Slip(
        "It is the mean of absolute differences; DDPM squares them.",
        loss(error=lambda difference: difference.abs().mean()),
    ),
    Slip(
        "It is the root of the mean square; DDPM takes no root.",
        loss(error=lambda difference: (difference**2).mean().sqrt()),
    ),
    Slip(
        "It is a sum: its size would depend on the number of pixels. Take the mean.",
        loss(error=lambda difference: (difference**2).sum()),
    ),
    Slip("It uses the linear schedule; the cosine one was asked for.", loss(schedule=linear)),
    Slip(
        "The noise is added without rates: x_t = signal_rate * x_0 + noise_rate * eps, which "
        "schedule.add_noise does.",
        plain_mix,
    ),
]  # fmt: skip
