"""The checks of lesson 04: decode, encode, the KL term, and two slips about the scale of latents.

`net` is a small untrained `Autoencoder`: its layers are there by name, as in the lesson.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import latents
from diffusion_lessons.models import Autoencoder
from diffusion_lessons.schedule import cosine

from .core import examine
from .mixes import HALF, normal
from .report import Report, Slip, Trial


def check_decode(function: Callable) -> Report:
    """Exercise 1. `function(z, net)`: latents (B, 4, h, w) to pictures (B, 3, 8 h, 8 w)."""
    trials = [
        Trial("2 latents", {"z": normal((2, 4, 3, 3), 1), "net": _network(1)}),
        Trial("a latent that is wider than high", {"z": normal((1, 4, 2, 4), 2), "net": _small(2)}),
    ]
    praise = "The package's pictures, at the decoder's own scale, for latents of any size."
    return examine(function, decoded(), trials, DECODE_SLIPS, praise)


def check_encode(function: Callable) -> Report:
    """Exercise 2. `function(images, net, eps)`: pictures (B, 3, H, W) to latents (B, 4, H/8, W/8).

    z = mean + std * eps; Kingma & Welling 2014, section 2.4.
    """
    trials = [
        Trial("2 pictures", _pictures((2, 3, 24, 24), 1)),
        Trial("a picture that is wider than high", _pictures((1, 3, 16, 32), 2)),
    ]
    praise = "A mean, a spread, and the chance from outside: gradients pass through both."
    return examine(function, encoded(), trials, ENCODE_SLIPS, praise)


def check_kl(function: Callable) -> Report:
    """Exercise 3. `function(mean, log_variance)` returns the KL term of each number, shape of mean.

    Kingma & Welling 2014, appendix B.
    """
    trials = [
        Trial("2 latents", _bells((2, 4, 3, 3), 1)),
        Trial("a batch of one", _bells((1, 4, 8, 8), 3)),
        Trial(
            "plain noise itself (mean 0, variance 1)",
            {"mean": torch.zeros(1, 4, 2, 2), "log_variance": torch.zeros(1, 4, 2, 2)},
        ),
    ]
    praise = "0 for plain noise, above 0 for everything else, one value for each number."
    return examine(function, latents.kl, trials, KL_SLIPS, praise)


def check_bug_noise(function: Callable) -> Report:
    """Find the bug, part a. `function(z, eps, rates, scaling_factor)` returns x_t, shape of z."""
    trials = [_mix("2 latents, factor 0.2", 0.2, 0.4), _mix("2 latents, factor 5", 5.0, 0.7)]
    praise = "The latent alone is scaled; the noise keeps the standard deviation 1 that it has."
    return examine(function, noised(), trials, NOISE_SLIPS, praise)


def check_bug_back(function: Callable) -> Report:
    """Find the bug, part b. `function(x_0, decode, scaling_factor)` returns pictures.

    x_0: scaled latents (B, 4, h, w). decode: takes latents at the autoencoder's own scale.
    """
    trials = [
        Trial(
            f"2 latents, factor {factor}",
            {
                "x_0": normal((2, 4, 3, 3), seed),
                "decode": _network(seed).decode,
                "scaling_factor": factor,
            },
        )
        for seed, factor in ((1, 0.2), (2, 3.0))
    ]
    praise = "Back to the decoder's own scale first, then decode."
    return examine(function, brought_back(), trials, BACK_SLIPS, praise)


# --- trials ---


def _network(seed: int, decoder: tuple[int, int, int] = (16, 16, 8)) -> Autoencoder:
    """A tiny autoencoder with weights of its own, none of them 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Autoencoder((8, 8), (1, 1), decoder, (1, 1, 1))
        for weight in net.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    return net.eval().requires_grad_(False)


def _small(seed: int) -> Autoencoder:
    return _network(seed, (24, 16, 8))


def _pictures(shape: tuple[int, int, int, int], seed: int) -> dict[str, object]:
    eps = (shape[0], 4, shape[2] // 8, shape[3] // 8)
    return {
        "images": normal(shape, seed).clamp(-1, 1),
        "net": _network(seed),
        "eps": normal(eps, seed + 10),
    }


def _bells(shape: tuple[int, ...], seed: int) -> dict[str, object]:
    return {"mean": normal(shape, seed), "log_variance": normal(shape, seed + 1) - 1}


def _mix(what: str, factor: float, t: float) -> Trial:
    blocks = {"z": normal((2, 4, 3, 3), 1) / factor, "eps": normal((2, 4, 3, 3), 2)}
    rates = torch.stack(cosine(torch.full((2,), t)))
    return Trial(what, {**blocks, "rates": rates, "scaling_factor": factor})


# --- right, and wrong where an argument is changed ---


def decoded(
    unfold: Callable = lambda h: functional.pixel_shuffle(h, 2), after: Callable = lambda x: x
) -> Callable:
    """A function (z, net) that decodes; `unfold` makes pictures of the head's 12 channels."""
    return lambda z, net: after(unfold(net.head(net.up(net.from_latent(z)))))


def encoded(
    draw: Callable = lambda mean, log_variance, eps: mean + (log_variance / 2).exp() * eps,
    split: Callable = lambda said: said.chunk(2, dim=1),
) -> Callable:
    """A function (images, net, eps) that encodes and draws a latent around its mean."""

    def encode(images: Tensor, net: Autoencoder, eps: Tensor) -> Tensor:
        h = net.down(net.stem(functional.pixel_unshuffle(images, 4)))
        return draw(*split(net.to_latent(h)), eps)

    return encode


def noised(
    z_scale: Callable = lambda s: s,
    eps_scale: Callable = lambda s: 1.0,
    order: Callable = lambda a, b: (a, b),
) -> Callable:
    """A function (z, eps, rates, scaling_factor) that scales and adds noise."""

    def noise(z: Tensor, eps: Tensor, rates: Tensor, scaling_factor: float) -> Tensor:
        a, b = order(*rates)
        return a * z_scale(scaling_factor) * z + b * eps_scale(scaling_factor) * eps

    return noise


def brought_back(before: Callable = lambda s: 1 / s, after: Callable = lambda s: 1.0) -> Callable:
    """A function (x_0, decode, scaling_factor) that scales back and decodes."""
    return lambda x_0, decode, s: after(s) * decode(before(s) * x_0)


def _as_rows(h: Tensor) -> Tensor:
    b, _, height, width = h.shape
    return h.reshape(b, 3, 2 * height, 2 * width)


def _squares_first(h: Tensor) -> Tensor:
    b, _, height, width = h.shape
    return functional.pixel_shuffle(h.view(b, 4, 3, height, width).transpose(1, 2).flatten(1, 2), 2)


# --- the slips ---

DECODE_SLIPS = [
    Slip(
        "The shape is right, but the numbers are poured in row by row: each place's 12 channels "
        "are a 2x2 square of 3 colours. `functional.pixel_shuffle(h, 2)` lays them out.",
        decoded(_as_rows),
    ),
    Slip(
        "Three channels are enlarged and the other nine thrown away. All 12 are needed: they are "
        "the 2x2 square of each place.",
        decoded(lambda h: functional.interpolate(h[:, :3], scale_factor=2)),
    ),
    Slip(
        "The 12 channels are taken as 4 places of 3 colours; pixel_shuffle takes 3 colours of "
        "4 places. Leave the order to it.",
        decoded(_squares_first),
    ),
    Slip(
        "The result is clamped. Do that when a picture is shown: in training, where a number is "
        "cut off no gradient passes, and it would never learn to come back.",
        decoded(after=lambda x: x.clamp(-1, 1)),
    ),
    Slip(
        "A tanh at the end: this decoder answers with the pixels themselves, and is trained so.",
        decoded(after=torch.tanh),
    ),
    Slip(
        "A sigmoid at the end: it gives 0 to 1, and our pixels go from -1 to 1.",
        decoded(after=torch.sigmoid),
    ),
]

ENCODE_SLIPS = [
    Slip(
        "The noise has the variance as its factor; z needs the standard deviation, its root: "
        "(log_variance / 2).exp().",
        encoded(lambda mean, log_variance, eps: mean + log_variance.exp() * eps),
    ),
    Slip(
        "log_variance is the logarithm; yours multiplies the noise by it. Take exp of its half.",
        encoded(lambda mean, log_variance, eps: mean + log_variance * eps),
    ),
    Slip(
        "Half the logarithm is the logarithm of the standard deviation; the exp is missing.",
        encoded(lambda mean, log_variance, eps: mean + log_variance / 2 * eps),
    ),
    Slip(
        "exp(2 * log_variance) is the variance squared. The root halves: exp(log_variance / 2).",
        encoded(lambda mean, log_variance, eps: mean + (2 * log_variance).exp() * eps),
    ),
    Slip(HALF, encoded(lambda mean, log_variance, eps: mean + log_variance.exp() / 2 * eps)),
    Slip(
        "This is the mean: the noise is not in it, and the spread would never be learned.",
        encoded(lambda mean, log_variance, eps: mean),
    ),
    Slip(
        "The noise has no factor: every latent would get noise of standard deviation 1.",
        encoded(lambda mean, log_variance, eps: mean + eps),
    ),
    Slip(
        "The mean is not in it: this is noise of the right spread, around nothing.",
        encoded(lambda mean, log_variance, eps: (log_variance / 2).exp() * eps),
    ),
    Slip(
        "The noise is subtracted. Chance has no side, but the formula says plus, and with a known "
        "eps the numbers differ.",
        encoded(lambda mean, log_variance, eps: mean - (log_variance / 2).exp() * eps),
    ),
    Slip(
        "The two halves are swapped: the first 4 channels are the mean, the last 4 the logarithm "
        "of the variance.",
        encoded(split=lambda said: said.chunk(2, dim=1)[::-1]),
    ),
    Slip(
        "Every second channel is taken. The mean is the first 4, the log of the variance the last "
        "4: said.chunk(2, dim=1).",
        encoded(split=lambda said: (said[:, ::2], said[:, 1::2])),
    ),
]


def _bell(value: Callable) -> Callable:
    """(mean, log_variance) to `value(mean, log_variance, variance)`."""
    return lambda mean, log_variance: value(mean, log_variance, log_variance.exp())


KL_SLIPS = [
    Slip(
        "mean and log_variance are swapped: the square is of the mean, exp is of log_variance.",
        lambda mean, log_variance: latents.kl(log_variance, mean),
    ),
    Slip("The factor 1/2 is missing.", _bell(lambda m, lv, v: m**2 + v - 1 - lv)),
    Slip(
        "The sign is turned: yours is 0 or less, and training would push latents away from noise.",
        _bell(lambda m, lv, v: -0.5 * (m**2 + v - 1 - lv)),
    ),
    Slip("The mean is not squared.", _bell(lambda m, lv, v: 0.5 * (m + v - 1 - lv))),
    Slip("The mean is not in it.", _bell(lambda m, lv, v: 0.5 * (v - 1 - lv))),
    Slip(
        "The logarithm stands where the variance belongs: its exp is missing.",
        _bell(lambda m, lv, v: 0.5 * (m**2 + lv - 1 - lv)),
    ),
    Slip(
        "exp(log_variance / 2) is the standard deviation; here the variance is asked for.",
        _bell(lambda m, lv, v: 0.5 * (m**2 + v.sqrt() - 1 - lv)),
    ),
    Slip(
        "The 1 is missing. Plain noise itself (mean 0, variance 1) must cost 0.",
        _bell(lambda m, lv, v: 0.5 * (m**2 + v - lv)),
    ),
    Slip(
        "The 1 is added, and it is subtracted.", _bell(lambda m, lv, v: 0.5 * (m**2 + v + 1 - lv))
    ),
    Slip(
        "The log of the variance is added: with plus, no variance at all would cost least.",
        _bell(lambda m, lv, v: 0.5 * (m**2 + v - 1 + lv)),
    ),
    Slip(
        "log_variance is already a logarithm, that of the variance: it enters whole, not halved.",
        _bell(lambda m, lv, v: 0.5 * (m**2 + v - 1 - lv / 2)),
    ),
    Slip(
        "That is the other direction, KL(noise || latent). Here the latent's bell comes first: "
        "its numbers are what we average over.",
        _bell(lambda m, lv, v: 0.5 * (lv + (1 + m**2) / v - 1)),
    ),
    Slip(
        "Python reads 1 / 2 * a + b as (a / 2) + b: the bracket around the sum is missing.",
        _bell(lambda m, lv, v: 0.5 * m**2 + v - 1 - lv),
    ),
]

NOISE_SLIPS = [
    Slip(
        "This behaves as printed: the factor multiplies the noise as well. How much larger than "
        "the noise is the latent before it, and how much after it?",
        noised(eps_scale=lambda s: s),
    ),
    Slip(
        "Now nothing is scaled: the latent meets noise of another size than its own.",
        noised(lambda s: 1.0),
    ),
    Slip(
        "The latent is divided. The factor is 1 / std, so multiplying brings it to 1.",
        noised(lambda s: 1 / s),
    ),
    Slip(
        "All is divided, latent and noise: their ratio stays as wrong as it was.",
        noised(lambda s: 1 / s, lambda s: 1 / s),
    ),
    Slip("The noise alone is scaled; it is the latent that has the wrong size.",
         noised(lambda s: 1.0, lambda s: s)),
    Slip(
        "The noise is divided instead: the ratio is right, but x_t does not have variance 1, "
        "which is what sampling starts from.",
        noised(lambda s: 1.0, lambda s: 1 / s),
    ),
    Slip("The two rates are swapped: a, the signal rate, belongs to the latent.",
         noised(order=lambda a, b: (b, a))),
]  # fmt: skip

BACK_SLIPS = [
    Slip(
        "This behaves as printed: the decoder is shown scaled latents, and then its picture is "
        "divided. Which of the two has the wrong size?",
        brought_back(lambda s: 1.0, lambda s: 1 / s),
    ),
    Slip(
        "Now nothing is scaled back: the decoder has never seen latents of this size.",
        brought_back(lambda s: 1.0),
    ),
    Slip(
        "Multiplied once more: on the way in the latent was multiplied, on the way out it is "
        "divided.",
        brought_back(lambda s: s),
    ),
    Slip("The picture is multiplied; it is the latent that has to be divided.",
         brought_back(lambda s: 1.0, lambda s: s)),
    Slip("Divided twice: the latent is right now, and the picture needs no factor.",
         brought_back(lambda s: 1 / s, lambda s: 1 / s)),
]  # fmt: skip
