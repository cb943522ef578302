"""A cascade: a second network, which enlarges, stands where other models have an autoencoder."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion_lessons import arguments, models, sampling, schedule
from diffusion_lessons.models import Autoencoder, Upsampler
from diffusion_lessons.prediction import as_denoiser

SMALL, LARGE = 16, 64  # pixels of the side of what the first network paints, and the second
FOLD = 2  # squares of this side of the small picture are a place each: 8x8, as many as latents have


class Cascade(nn.Module):
    """Encode pictures of 64x64 by shrinking them to 16x16; decode by painting them large anew.

    upsampler: the second network. card: its "schedule" and "kind"; how many "steps" it walks; and
    the "level" to which the small picture is noised before, which hides what the first network gets
    wrong: noise conditioning augmentation (Imagen, Saharia et al. 2022, section 2.4).
    """

    def __init__(self, upsampler: Upsampler, card: dict):
        super().__init__()
        self.upsampler, self.steps, self.level = upsampler, card["steps"], card["level"]
        self.schedule, self.kind = getattr(schedule, card["schedule"]), card["kind"]
        self._quick: Callable[..., Tensor] = models.QuickUpsampler(upsampler)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return pictures (B, 3, 64, 64) small and folded, (B, 12, 8, 8), and the log of their
        variance, which is 0; ValueError for other shapes."""
        arguments.shape("images", images, ("B", 3, LARGE, LARGE))
        z = functional.pixel_unshuffle(models.shrink(images), FOLD)
        return z, torch.full_like(z, -torch.inf)

    def decode(self, z: Tensor) -> Tensor:
        """Return large pictures (B, 3, 64, 64), about in [-1, 1], of folded small ones
        (B, 12, 8, 8), each from the same noise; ValueError for other shapes."""
        arguments.shape("z", z, ("B", 3 * FOLD**2, SMALL // FOLD, SMALL // FOLD))
        dice = torch.Generator().manual_seed(0)
        eps, x_t = (
            torch.randn(1, 3, side, side, generator=dice).to(z).repeat(len(z), 1, 1, 1)
            for side in (SMALL, LARGE)
        )
        small = functional.pixel_shuffle(z, FOLD).clamp(-1, 1)
        given = models.augment(small, eps, z.new_full(z.shape[:1], self.level), self.schedule)
        denoiser = as_denoiser(self._quick, self.schedule, self.kind, given)
        times = sampling.times(self.steps)
        walk = sampling.ddim(denoiser, self.schedule, x_t, times)
        return models.with_details(sampling.finish(walk), given)


def load_autoencoder(name: str) -> tuple[Autoencoder | Cascade, dict]:
    """Return what a model encodes and decodes with, and its card. Errors as in `load_unet`."""
    network, card = models.load_decoder(name)
    return Cascade(network, card) if isinstance(network, Upsampler) else network, card
