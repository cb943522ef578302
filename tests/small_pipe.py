"""A text-to-image model of small networks that have learned nothing: to test what is around it."""

import torch

from diffusion_lessons import conditioning
from diffusion_lessons.models import Autoencoder, CaptionReader, TextUNet
from diffusion_lessons.pipeline import TextToImage

CARD = {
    "schedule": "cosine", "kind": "v", "scaling_factor": 1.0,
    "num_inference_steps": 3, "guidance_scale": 2.5,
}  # fmt: skip


def small_pipe() -> TextToImage:
    """The same each time; other words or another seed give another picture."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        words, answers = len(conditioning.WORDS), conditioning.attribute_classes()
        reader = CaptionReader(words, 32, 1, conditioning.LENGTH, **answers)
        unet = TextUNet(widths=(32, 32), blocks=(1, 1), context_channels=32)
        autoencoder = Autoencoder((8, 16), (1, 1), (16, 8, 8), (1, 1, 1))
        for part in (unet, autoencoder):
            for weight in part.parameters():
                torch.nn.init.normal_(weight, std=0.1)
    parts = [part.eval() for part in (reader, unet, autoencoder)]
    return TextToImage(*parts, CARD)
