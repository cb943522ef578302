"""Latents: the losses and the training of the autoencoder that encodes pictures to them, and of the
tokeniser that turns them into codes.

Pictures are in [-1, 1]. Latents are scaled to a standard deviation of 1, because noise has that too
and a noise schedule relies on it (Rombach et al. 2022, appendix G).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from . import arguments
from .models import Autoencoder, Tokeniser
from .training.fit import Fit, fit_seeded

MASK_WEIGHT = 3.0  # of the error inside the things, which cover a tenth of a picture
SLOPE_WEIGHT = 0.3  # of the error in the differences of neighbours: keeps edges sharp
PERCEPTUAL_WEIGHT = 0.2  # of the error in the features of a recogniser
COMMITMENT = 0.25  # of how far the vectors are from their codes: VQ-VAE eq. 3, beta


def sample_latent(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a latent around its mean: mean + std * noise. Kingma & Welling 2014, section 2.4."""
    noise = torch.randn(mean.shape, generator=generator).to(mean)
    return mean + (log_variance / 2).exp() * noise


def kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return how far each latent number is from plain noise: KL(N(mean, variance) || N(0, 1)).

    In nats, in the shape of `mean`. Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)


def reconstruction_loss(decoded: Tensor, images: Tensor, mask: Tensor) -> Tensor:
    """Return the difference between decoded and real pictures, one number.

    The mean absolute error over the picture, plus the same inside the things (without it a blurred
    house would cost next to nothing), plus that of the differences of neighbouring pixels. decoded,
    images: (B, 3, H, W) in [-1, 1]. mask: (B, 1, H, W) bool, True inside the things.
    """
    error = (decoded - images).abs()
    inside = (error * mask).sum() / (3 * mask.sum()).clamp(min=1)
    slopes = sum((decoded.diff(dim=axis) - images.diff(dim=axis)).abs().mean() for axis in (2, 3))
    return error.mean() + MASK_WEIGHT * inside + SLOPE_WEIGHT * slopes


def perceptual_loss(
    decoded: Tensor, images: Tensor, features: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return the difference between a network's features of decoded and of real pictures.

    One number: the mean absolute difference, as a share of the mean absolute feature. Johnson,
    Alahi & Fei-Fei 2016.
    """
    with torch.no_grad():
        real = features(images)
    return (features(decoded) - real).abs().mean() / real.abs().mean()


def train_autoencoder(
    model: Autoencoder,
    batches: Callable[[int], tuple[Tensor, Tensor]],
    steps: int,
    learning_rate: float,
    kl_weight: float,
    seed: int = 0,
    features: Callable[[Tensor], Tensor] | None = None,
    ema_decay: float | None = 0.999,
    half: bool = False,
) -> Fit:
    """Train an autoencoder; `for done in train_autoencoder(...)` takes one step at a time.

    Args:
        model: on the device that it is to be trained on; changed in place.
        batches: from a step's number to its pictures (B, 3, H, W) in [-1, 1] and their mask, see
            `reconstruction_loss`.
        kl_weight: of the mean of `kl` over all latent numbers.
        seed: 0 to 2000; with the step's number it determines the noise on the latents.
        features: of another network, from pictures to (B, ...), for `perceptual_loss`; or None.
        steps, learning_rate, ema_decay, half: see `training.fit.Fit` and `fit_seeded`.
    """
    device = next(model.parameters()).device
    kl_weight = arguments.number("kl_weight", kl_weight, 0, 1000, real=True)

    def loss(batch: tuple[Tensor, Tensor], dice: torch.Generator) -> Tensor:
        images, mask = (part.to(device) for part in batch)
        mean, log_variance = (part.float() for part in model.encode(images))
        decoded = model.decode(sample_latent(mean, log_variance, dice)).float()
        distance = kl(mean, log_variance).mean()
        total = reconstruction_loss(decoded, images, mask) + kl_weight * distance
        if features is not None:
            total = total + PERCEPTUAL_WEIGHT * perceptual_loss(decoded, images, features)
        return total

    return fit_seeded(model, batches, loss, steps, learning_rate, seed, ema_decay, half)


def vq_loss(model: Tokeniser, z: Tensor) -> tuple[Tensor, Tensor]:
    """Return what a tokeniser gets wrong on scaled latents (B, 4, h, w), one number, and the
    numbers of the codes that it chose, int64 (B * h * w,).

    The squared error of the latents that come back; of the codes, which go to the vectors that
    chose them; and, weighing less, of the vectors, which stay near their codes. VQ-VAE eq. 3.
    """
    vectors = model.vectors(z)
    chosen, numbers = model.quantise(vectors, model.codebook)
    codes = model.codebook[numbers]
    back = functional.mse_loss(model.from_vectors(chosen, *z.shape[2:]), z)
    codebook = functional.mse_loss(codes, vectors.detach())
    commitment = functional.mse_loss(vectors, codes.detach())
    return back + codebook + COMMITMENT * commitment, numbers


def train_tokeniser(
    model: Tokeniser, batches: Callable[[int], Tensor], steps: int, learning_rate: float,
    seed: int = 0, ema_decay: float | None = 0.99, restarts: float = 0.5,
) -> Fit:  # fmt: skip
    """Return the training of a tokeniser on scaled latents, which its iterator carries out.

    batches: from the number of a step to latents (B, 4, h, w). restarts: the share of the steps
    after which dead codes start no more anew, see `Tokeniser.restart`; 0: never do they. The others
    are as in `fit_seeded`.
    """

    restarts = arguments.number("restarts", restarts, 0, 1, ", a share of the steps", real=True)

    def loss(batch: tuple[int, Tensor], dice: torch.Generator) -> Tensor:
        step, z = batch
        if step < restarts * steps:
            with torch.no_grad():
                model.restart(model.vectors(z), dice)
        wrong, numbers = vq_loss(model, z)
        model.count(numbers)
        return wrong

    def batch(step: int) -> tuple[int, Tensor]:
        return step, batches(step)

    return fit_seeded(model, batch, loss, steps, learning_rate, seed, ema_decay)
