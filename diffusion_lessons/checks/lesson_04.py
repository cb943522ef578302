"""The exercises of lesson 04: decode and encode, both with the scaling factor, and the KL term.

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


def _pictures(*shape: int, seed: int, factor: float) -> dict:
    eps = normal(shape[0], 4, shape[2] // 8, shape[3] // 8, seed=seed + 10)
    images = normal(*shape, seed=seed).clamp(-1, 1)
    return {"images": images, "net": _network(seed), "eps": eps, "scaling_factor": factor}


def _bells(*shape: int, seed: int) -> dict:
    return {"mean": normal(*shape, seed=seed), "log_variance": normal(*shape, seed=seed + 1) - 1}


decode = Exercise(
    """
    def decode(z, net, scaling_factor):
        h = net.head(net.up(net.from_latent(z / scaling_factor)))
        return functional.pixel_shuffle(h, 2)
    """,
    praise="The package's pictures, at the decoder's own scale, for latents of any size.",
    trials={
        "2 latents": {"z": normal(2, 4, 3, 3, seed=1), "net": _network(1), "scaling_factor": 0.3},
        "a latent that is wider than high": {
            "z": normal(1, 4, 2, 4, seed=2), "net": _network(2, (24, 16, 8)), "scaling_factor": 1.7
        },
    },
    names={"functional": functional},
    why={
        "z / scaling_factor":
            "On the way in the latent was multiplied; on the way out it is divided, or the decoder "
            "meets a size that it has never seen.",
    },
    slips={
        "z / scaling_factor => z":
            "The factor is forgotten: the decoder gets the latent at the size that suits the "
            "noise. It was trained on latents of their own size: divide by scaling_factor first.",
        "z / scaling_factor => z * scaling_factor":
            "It is multiplied where it should be divided. The encoder has multiplied already; "
            "decoding takes that back.",
        "z / scaling_factor => z; shuffle(h, 2) => shuffle(h, 2) / scaling_factor":
            "The picture is divided; it is the latent that has the wrong size. Divide z, before "
            "the first layer.",
        "functional.pixel_shuffle(h, 2) / scaling_factor":
            "Divided twice: the latent is right now, and the picture needs no factor.",
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
    def encode(images, net, eps, scaling_factor):
        h = net.down(net.stem(functional.pixel_unshuffle(images, 4)))
        moments = net.to_latent(h)
        mean, log_variance = moments.chunk(2, dim=1)
        return scaling_factor * (mean + (log_variance / 2).exp() * eps)
    """,
    praise="A mean, a spread, the chance from outside; and all of it at the size that noise has.",
    trials={
        "2 pictures": _pictures(2, 3, 24, 24, seed=1, factor=0.3),
        "a picture that is wider than high": _pictures(1, 3, 16, 32, seed=2, factor=1.7),
    },
    names={"functional": functional},
    why={
        "(log_variance / 2).exp() * eps":
            "The noise is multiplied by the standard deviation, the root of the variance: exp of "
            "half its logarithm.",
        "mean, log_variance =":
            "The first 4 channels are the mean, the last 4 the logarithm of the variance.",
        "scaling_factor *":
            "It is 1 / (standard deviation of the latents): multiplying brings all of them to the "
            "size of the noise, which is 1.",
    },
    slips={
        "mean + (log_variance / 2).exp() * eps":
            "The latent is right, and the scaling factor is forgotten: multiply all of it, so that "
            "it has the size of the noise that comes later.",
        "(mean + (log_variance / 2).exp() * eps) / scaling_factor":
            "It is divided where it should be multiplied: the factor is 1 / (standard deviation), "
            "so multiplying brings the latent to 1. Decoding divides.",
        "scaling_factor * mean + (log_variance / 2).exp() * eps":
            "Only the mean is multiplied: brackets around the sum are missing.",
        "mean + scaling_factor * (log_variance / 2).exp() * eps":
            "Only the noise is multiplied: it is the whole latent that gets another size.",
        "(log_variance / 2) => log_variance":
            "exp of the whole logarithm is the variance. The noise is multiplied by its root, so "
            "halve the logarithm first: (log_variance / 2).exp().",
        "scaling_factor * (mean + log_variance * eps)":
            "log_variance is the logarithm; yours multiplies the noise by it. Take exp of its "
            "half.",
        "scaling_factor * (mean + log_variance.sqrt() * eps)":
            "The root of a logarithm: log_variance may be below 0, and the root of that is nan. "
            "Take exp of its half.",
        "scaling_factor * (mean + log_variance.exp() / 2 * eps)":
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
