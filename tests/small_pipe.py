"""Small networks that have learned nothing, and noise to give them: to test what is around them."""

import torch

from diffusion_lessons import conditioning
from diffusion_lessons.models import Autoencoder, CaptionReader, TextUNet
from diffusion_lessons.pipeline import TextToImage

CARD = {
    "schedule": "cosine", "kind": "v", "scaling_factor": 1.0,
    "num_inference_steps": 3, "guidance_scale": 2.5,
}  # fmt: skip


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed))


def awake(model):
    """The same network with no layer left at zero, so that everything has an effect."""
    dice = seeded()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=dice) * 0.1)
    return model


def small_pipe(**card) -> TextToImage:
    """The same each time; other words or another seed give another picture."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        words, answers = len(conditioning.WORDS), conditioning.attribute_classes()
        reader = CaptionReader(words, 32, 1, conditioning.LENGTH, **answers)
    unet = awake(TextUNet(widths=(32, 32), blocks=(1, 1), context_channels=32))
    autoencoder = awake(Autoencoder((8, 16), (1, 1), (16, 8, 8), (1, 1, 1)))
    parts = [part.eval().requires_grad_(False) for part in (reader, unet, autoencoder)]
    return TextToImage(*parts, CARD | card)
