"""The shipped networks still draw the 64 pictures on the sheets that lie beside their weights."""

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lessons import (
    models,
    pictures,
    postcards,
    prediction,
    sampling,
    schedule,
    scoring,
    workspace,
)  # fmt: skip
from diffusion_lessons.pipeline import TextToImage


def from_labels(name):
    """The 64 pictures of a generator, labels of seed 0, noise of seeds 0 to 63; and its card."""
    model, card = models.load_unet(name)
    size, recipe = (card["channels"], card["size"], card["size"]), card["recipe"]
    x_t = torch.stack([torch.randn(size, generator=seeded(seed)) for seed in range(64)])
    noising = getattr(schedule, card["schedule"])
    labels = scoring.asked(card["data"], 64, 0)
    denoiser = prediction.as_denoiser(model, noising, card["kind"], labels)
    times = sampling.times(recipe["sampling_steps"])
    walk = sampling.SAMPLERS[recipe["sampler"]](denoiser, noising, x_t, times)
    return sampling.finish(walk).clamp(-1, 1), card


def from_captions(name):
    """The 64 pictures of text to image for the captions on its card; and the card."""
    pipe = TextToImage.from_pretrained(name)
    noise = pipe.noise(64, [seeded(seed) for seed in range(64)])
    walk = pipe.steps(pipe.card["first seeds"]["asked for"], latents=noise)
    return pipe.decode(sampling.finish(walk)), pipe.card


def from_pictures(name):
    """The 64 pictures of text to image, each given one of seed 0 and no words; and the card."""
    pipe = TextToImage.from_pretrained()
    pipe.load_ip_adapter(name)
    shown = (postcards.draw(postcards.sample_scenes(64, 0)) + 1) / 2
    noise = pipe.noise(64, [seeded(seed) for seed in range(64)])
    walk = pipe.steps([""] * 64, latents=noise, ip_adapter_image=shown)
    return pipe.decode(sampling.finish(walk)), models.load_ip_adapter(name)[1]


def in_a_style(name):
    """The 16 pictures of a LoRA for the captions on its card; and the card."""
    pipe, card = TextToImage.from_pretrained(), models.load_lora(name)[1]
    pipe.load_lora_weights(name)
    noise = pipe.noise(16, [seeded(seed) for seed in range(16)])
    walk = pipe.steps(card["first seeds"]["asked for"], latents=noise)
    return pipe.decode(sampling.finish(walk)), card


SHEETS = [
    ("lora-lantern", in_a_style, 2),
    ("lora-beams", in_a_style, 2),
    ("lora-cinema", in_a_style, 2),
    ("postcards-32", from_labels, 3),
    ("fashion", from_labels, 3),
    ("postcards", from_captions, 2),
    ("postcards-flow", from_captions, 2),
    ("postcards-cascade", from_captions, 2),
    ("ip-adapter", from_pictures, 2),
]


@pytest.mark.parametrize("name, draw, zoom", SHEETS)
def test_first_seeds_are_drawn_as_on_the_sheet(name, draw, zoom):
    """To 1 of 255: floating point differs between processors, the pictures do not."""
    images, card = draw(name)
    words, file = card["first seeds"]["asked for"], card["first seeds"]["file"]
    drawn = pixels(pictures.grid(images, words, columns=8, zoom=zoom))
    shipped = pixels(Image.open(workspace.data_path("weights", file)))
    assert drawn.shape == shipped.shape and np.abs(drawn - shipped).max() <= 1


def pixels(image):
    return np.asarray(image.convert("RGB")).astype(int)


def seeded(seed):
    return torch.Generator().manual_seed(seed)
