"""Latents: what the autoencoder's numbers mean, how it is trained, and how they are scaled.

Pictures stay in [-1, 1] on one side; on the other, latents are scaled to a standard deviation of 1,
because noise has that too and a noise schedule counts on it (Rombach et al. 2022, appendix G).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .models import Autoencoder
from .training.fit import Fit, inner_weights

MASK_WEIGHT = 3.0  # of the error inside the things, which cover a tenth of a picture
SLOPE_WEIGHT = 0.3  # of the error in the differences of neighbours: keeps edges sharp
WATCH_WEIGHT = 0.2  # of the error in what a recogniser sees


@dataclass(frozen=True)
class Scene:
    """Pictures to train an autoencoder on.

    Attributes:
        images: (B, 3, H, W) in [-1, 1].
        mask: (B, 1, H, W) bool, where the things are that must survive.
    """

    images: Tensor
    mask: Tensor


def sample_latent(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """A latent drawn around its mean: mean + std * noise. Kingma & Welling 2014, section 2.4."""
    noise = torch.randn(mean.shape, generator=generator).to(mean)
    return mean + (log_variance / 2).exp() * noise


def kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """How far each latent number is from plain noise, in nats: the shape of `mean`.

    KL(N(mean, variance) || N(0, 1)); Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)


def reconstruction_loss(decoded: Tensor, scene: Scene) -> Tensor:
    """How different decoded pictures are from the real ones, one number.

    The mean absolute error over the picture, plus the same inside the things, plus that of the
    differences of neighbouring pixels. Without the second a blurred house would cost next to
    nothing: it is a small part of the picture.
    """
    error = (decoded - scene.images).abs()
    inside = (error * scene.mask).sum() / (3 * scene.mask.sum()).clamp(min=1)
    slopes = sum(
        (decoded.diff(dim=axis) - scene.images.diff(dim=axis)).abs().mean() for axis in (2, 3)
    )
    return error.mean() + MASK_WEIGHT * inside + SLOPE_WEIGHT * slopes


def watched_loss(decoded: Tensor, images: Tensor, watch: Callable[[Tensor], Tensor]) -> Tensor:
    """How different decoded pictures look to a network, as a share of what it sees; one number."""
    with torch.no_grad():
        real = watch(images)
    return (watch(decoded) - real).abs().mean() / real.abs().mean()


def train_autoencoder(
    model: Autoencoder,
    scenes: Callable[[int], Scene],
    steps: int,
    learning_rate: float,
    kl_weight: float,
    seed: int = 0,
    watch: Callable[[Tensor], Tensor] | None = None,
    ema_decay: float | None = 0.999,
    half: bool = False,
) -> Fit:
    """Train an autoencoder; `for done in train_autoencoder(...)` makes a step at a time.

    Args:
        model: on the device that it is to be trained on; changed in place.
        scenes: a step's number to its pictures.
        kl_weight: of the mean of `kl` over all latent numbers.
        seed: 0 to 2000; with the step's number it settles the noise on the latents.
        watch: None, or what another network sees of pictures: features (B, ...).
        steps, learning_rate, ema_decay: see `training.fit.Fit`.
        half: reckon in bfloat16, twice as fast where the processor has instructions for it.
    """
    device = next(model.parameters()).device

    def loss(step: int) -> Tensor:
        generator = torch.Generator().manual_seed(2**31 + seed * 1_000_003 + step)
        scene = scenes(step)
        scene = Scene(scene.images.to(device), scene.mask.to(device))
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            mean, log_variance = (part.float() for part in model.encode(scene.images))
            z = sample_latent(mean, log_variance, generator)
            decoded = model.decode(z).float()
            total = reconstruction_loss(decoded, scene) + kl_weight * kl(mean, log_variance).mean()
            if watch is not None:
                total = total + WATCH_WEIGHT * watched_loss(decoded, scene.images, watch)
        return total

    inner = inner_weights(model)
    return Fit(model, steps, learning_rate, loss, inner=inner, ema_decay=ema_decay)
