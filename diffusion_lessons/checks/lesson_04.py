"""The exercises of lesson 04: decode, encode, the KL term, two bugs about the scale of latents.

`net` is a small untrained `Autoencoder`: its layers are there by name, as in the lesson.
"""

import torch
from torch.nn import functional

from diffusion_lessons.models import Autoencoder

from .exercise import Exercise, normal


def _network(seed: int, decoder: tuple[int, int, int] = (16, 16, 8)) -> Autoencoder:
    """Return a tiny autoencoder with random weights, none of them 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Autoencoder((8, 8), (1, 1), decoder, (1, 1, 1))
        for weight in net.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    return net.eval().requires_grad_(False)


def _pictures(*shape: int, seed: int) -> dict:
    eps = normal(shape[0], 4, shape[2] // 8, shape[3] // 8, seed=seed + 10)
    return {"images": normal(*shape, seed=seed).clamp(-1, 1), "net": _network(seed), "eps": eps}


def _bells(*shape: int, seed: int) -> dict:
    return {"mean": normal(*shape, seed=seed), "log_variance": normal(*shape, seed=seed + 1) - 1}


def _mix(factor: float, signal_rate: float) -> dict:
    rates = torch.tensor([signal_rate, (1 - signal_rate**2) ** 0.5]).view(2, 1, 1, 1, 1)
    blocks = {"z": normal(2, 4, 3, 3, seed=1) / factor, "eps": normal(2, 4, 3, 3, seed=2)}
    return blocks | {"rates": rates.expand(2, 2, 1, 1, 1), "scaling_factor": factor}


def _back(factor: float, seed: int) -> dict:
    x_0 = normal(2, 4, 3, 3, seed=seed)
    return {"x_0": x_0, "decode": _network(seed).decode, "scaling_factor": factor}


decode = Exercise(
    """
    def decode(z, net):
        h = net.head(net.up(net.from_latent(z)))
        return functional.pixel_shuffle(h, 2)
    """,
    praise="The package's pictures, at the decoder's own scale, for latents of any size.",
    trials={
        "2 latents": {"z": normal(2, 4, 3, 3, seed=1), "net": _network(1)},
        "a latent that is wider than high": {
            "z": normal(1, 4, 2, 4, seed=2), "net": _network(2, (24, 16, 8))
        },
    },
    names={"functional": functional},
    slips={
        "h.reshape(len(h), 3, 2 * h.shape[2], 2 * h.shape[3])":
            "The shape is right, but the numbers are poured in row by row: each place's 12 "
            "channels are a 2x2 square of 3 colours. `functional.pixel_shuffle(h, 2)` lays them "
            "out.",
        "functional.interpolate(h[:, :3], scale_factor=2)":
            "Three channels are enlarged and the other nine thrown away. All 12 are needed: they "
            "are the 2x2 square of each place.",
        "functional.pixel_shuffle(h.unflatten(1, (4, 3)).transpose(1, 2).flatten(1, 2), 2)":
            "The 12 channels are taken as 4 places of 3 colours; pixel_shuffle takes 3 colours of "
            "4 places. Leave the order to it.",
        "functional.pixel_shuffle(h, 2).clamp(-1, 1)":
            "The result is clamped. Do that when a picture is shown: in training, where a number "
            "is cut off no gradient passes, and it would never learn to come back.",
        "functional.pixel_shuffle(h, 2).tanh()":
            "A tanh at the end: this decoder answers with the pixels themselves, and is trained "
            "so.",
        "functional.pixel_shuffle(h, 2).sigmoid()":
            "A sigmoid at the end: it gives 0 to 1, and our pixels go from -1 to 1.",
    },
)  # fmt: skip

encode = Exercise(  # z = mean + std * eps; Kingma & Welling 2014, section 2.4
    """
    def encode(images, net, eps):
        h = net.down(net.stem(functional.pixel_unshuffle(images, 4)))
        moments = net.to_latent(h)
        mean, log_variance = moments.chunk(2, dim=1)
        return mean + (log_variance / 2).exp() * eps
    """,
    praise="A mean, a spread, and the chance from outside: gradients pass through both.",
    trials={
        "2 pictures": _pictures(2, 3, 24, 24, seed=1),
        "a picture that is wider than high": _pictures(1, 3, 16, 32, seed=2),
    },
    names={"functional": functional},
    why={
        "(log_variance / 2).exp() * eps":
            "The noise is multiplied by the standard deviation, the root of the variance: exp of "
            "half its logarithm.",
        "mean, log_variance =":
            "The first 4 channels are the mean, the last 4 the logarithm of the variance.",
    },
    slips={
        "mean + log_variance * eps":
            "log_variance is the logarithm; yours multiplies the noise by it. Take exp of its "
            "half.",
        "mean + log_variance.sqrt() * eps":
            "The root of a logarithm: log_variance may be below 0, and the root of that is nan. "
            "Take exp of its half.",
        "mean + log_variance.exp() / 2 * eps":
            "Half the variance is not its root: x**1/2 is read as (x**1)/2. Write x ** 0.5, or "
            "exp of half the logarithm: (log_variance / 2).exp().",
        "moments.chunk(2, dim=1) => moments[:, ::2], moments[:, 1::2]":
            "Every second channel is taken. The mean is the first 4, the log of the variance the "
            "last 4: moments.chunk(2, dim=1).",
        **dict.fromkeys(
            [f"chunk(2, dim=1) => {cut}" for cut in ("chunk(2)", "split(4)")]
            + ["moments.chunk(2, dim=1) => moments[:4], moments[4:]"],
            "The channels are to be cut in two halves, axis 1. This cuts axis 0, the batch, or "
            "nothing: write moments.chunk(2, dim=1)."),
    },
)  # fmt: skip

kl = Exercise(  # Kingma & Welling 2014, appendix B
    """
    def kl(mean, log_variance):
        return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
    """,
    praise="0 for plain noise, above 0 for everything else, one value for each number.",
    trials={
        "2 latents": _bells(2, 4, 3, 3, seed=1),
        "a batch of one": _bells(1, 4, 8, 8, seed=3),
        "plain noise itself (mean 0, variance 1)": {
            "mean": torch.zeros(1, 4, 2, 2), "log_variance": torch.zeros(1, 4, 2, 2)
        },
    },
    why={
        "log_variance.exp()": "The variance enters as it is: exp of its whole logarithm.",
        "- 1": "Plain noise itself (mean 0, variance 1) must cost 0.",
        "- log_variance":
            "It is already a logarithm, that of the variance. With plus, no variance at all would "
            "cost least.",
    },
    slips={
        "-0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)":
            "The sign is turned: yours is 0 or less, and training would push latents away from "
            "noise.",
        **dict.fromkeys(
            ["- log_variance => - log_variance.log()",
             "- log_variance => - log_variance.log(); log_variance.exp() => log_variance"],
            "log_variance is already the logarithm: no further log, and it may be below 0, where "
            "log gives nan. The variance is log_variance.exp()."),
        "0.5 * (log_variance + (1 + mean**2) / log_variance.exp() - 1)":
            "That is the other direction, KL(noise || latent). Here the latent's bell comes "
            "first: its numbers are what we average over.",
        "0.5 * mean**2 + log_variance.exp() - 1 - log_variance":
            "Python reads 1 / 2 * a + b as (a / 2) + b: the bracket around the sum is missing.",
    },
)  # fmt: skip

bug_noise = Exercise(
    """
    def published_x_t(z, eps, rates, scaling_factor):
        signal_rate, noise_rate = rates
        return signal_rate * (scaling_factor * z) + noise_rate * eps
    """,
    praise="The latent alone is scaled; the noise keeps the standard deviation 1 that it has.",
    trials={"2 latents, factor 0.2": _mix(0.2, 0.8), "2 latents, factor 5": _mix(5.0, 0.45)},
    why={"(scaling_factor * z)": "It is 1 / std: the latent alone is multiplied, to a size of 1."},
    slips={
        "scaling_factor * (signal_rate * z + noise_rate * eps)":
            "This behaves as printed: the factor multiplies the noise as well. How much larger "
            "than the noise is the latent before it, and how much after it?",
        "signal_rate * (z / scaling_factor) + noise_rate * eps":
            "The latent is divided. The factor is 1 / std, so multiplying brings it to 1.",
        "(signal_rate * z + noise_rate * eps) / scaling_factor":
            "All is divided, latent and noise: their ratio stays as wrong as it was.",
        "signal_rate * z + noise_rate * (scaling_factor * eps)":
            "The noise alone is scaled; it is the latent that has the wrong size.",
        "signal_rate * z + noise_rate * (eps / scaling_factor)":
            "The noise is divided instead: the ratio is right, but x_t does not have variance 1, "
            "which is what sampling starts from.",
    },
)  # fmt: skip

bug_back = Exercise(
    """
    def published_picture(x_0, decode, scaling_factor):
        return decode(x_0 / scaling_factor)
    """,
    praise="Back to the decoder's own scale first, then decode.",
    trials={"2 latents, factor 0.2": _back(0.2, 1), "2 latents, factor 3.0": _back(3.0, 2)},
    why={
        "x_0 / scaling_factor":
            "On the way in the latent was multiplied; on the way out it is divided, or the decoder "
            "meets a size that it has never seen.",
    },
    slips={
        "decode(x_0) / scaling_factor":
            "This behaves as printed: the decoder gets scaled latents, and then its picture is "
            "divided. Which of the two has the wrong size?",
        "decode(x_0) * scaling_factor":
            "The picture is multiplied; it is the latent that has to be divided.",
        "decode(x_0 / scaling_factor) / scaling_factor":
            "Divided twice: the latent is right now, and the picture needs no factor.",
    },
)  # fmt: skip
