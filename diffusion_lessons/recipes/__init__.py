"""How each shipped weight was trained: `python -m diffusion_lessons train NAME` repeats it.

A recipe is data; the method it follows lies in the rooms below. Weights go to the learner's own
`my_weights/NAME.safetensors`, with a card beside them: how, for how long, and how good. A training
may be stopped and resumed, see `training.resume`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .adapters import ControlNetRecipe, IPAdapterRecipe
from .autoencoder import AutoencoderRecipe
from .cascade import CascadeRecipe, UpsamplerRecipe
from .codes import TokeniserRecipe, WriterRecipe
from .distill import DistillRecipe
from .drawing import GeneratorRecipe
from .latent import FlowRecipe, TextToImageRecipe, TransformerRecipe
from .lora import LoRARecipe
from .readers import CaptionsRecipe, FashionJudgeRecipe, OutlineJudgeRecipe, RecogniserRecipe
from .recipe import FRESH_SEED, Recipe
from .taste import Taste

__all__ = [
    "FRESH_SEED", "LIVE", "LIVE_AUTOENCODER", "LIVE_LATENT", "LIVE_LORA", "LIVE_TASTE",
    "LIVE_TOKENISER", "LIVE_WRITER", "NAMES",
    "RECIPES", "AutoencoderRecipe", "CaptionsRecipe", "CascadeRecipe", "ControlNetRecipe",
    "DistillRecipe", "FashionJudgeRecipe", "FlowRecipe", "GeneratorRecipe", "IPAdapterRecipe",
    "LoRARecipe", "OutlineJudgeRecipe", "Recipe", "RecogniserRecipe", "Taste", "TextToImageRecipe",
    "TokeniserRecipe", "TransformerRecipe", "UpsamplerRecipe", "WriterRecipe", "train",
]  # fmt: skip

_FOR_MEASURING = "for measuring only: no loss and no choice of weights ever uses it."
PURPOSE = {
    "recogniser": "Reads what a postcard shows. May serve in losses and in lessons.",
    "judge": f"Reads what a postcard shows, {_FOR_MEASURING} Every reported figure is the judge's.",
    "fashion-judge": f"Names the class of a piece of clothing, {_FOR_MEASURING}",
    "outline-judge": f"Finds the pixels of a postcard that belong to things, {_FOR_MEASURING}",
    "postcards-32": "Makes postcards of 32x32 with one thing, by what they are to show.",
    "autoencoder": "Turns postcards of 64x64 into latents of 8x8x4, and back.",
    "captions": "Turns the words of a caption into what the text-to-image network is told.",
    "postcards": "Makes postcards of 64x64 from captions, with the captions' encoder and the "
    "autoencoder.",
    "postcards-turbo": "Makes in one call, two or four what postcards makes in ten, with guidance.",
    "postcards-flow": "Makes postcards as `postcards` does, on straight paths: rectified flow.",
    "postcards-dit": "Makes postcards as `postcards` does, on straight paths, by a transformer.",
    "upsampler": "Paints postcards of 64x64 from ones of 16x16: a cascade's second network.",
    "postcards-cascade": "Makes postcards of 16x16, in pixels, for the upsampler to enlarge.",
    "tokeniser": "Turns latents of 8x8x4 into 64 numbers of codes, and back.",
    "postcards-codes": "Writes postcards of 64x64 from captions code by code, by autoregression.",
    "ip-adapter": "Lets the text-to-image model take a picture as a prompt, beside the words.",
    "controlnet-outline": "Lets an outline lay out the pictures of the text-to-image network.",
    **{
        f"lora-{style}": f"Changes the network of postcards so that it draws in {style}."
        for style in ("lantern", "beams", "cinema")
    },
    "fashion": "Makes pictures of clothes like those of Fashion-MNIST, by class.",
}

_MIX = {"single": 0.5, "group": 0.2, "pair": 0.3}
_ON_LATENTS: dict[str, Any] = {  # what the three whole models of postcards share
    "captions": "captions", "autoencoder": "autoencoder", "pictures": 49_152, "kinds": _MIX,
    "p_uncond": 0.1, "full": 0.4, "batch": 64, "learning_rate": 1e-2,
    "num_inference_steps": 10, "guidance_scale": 2.5,
}  # fmt: skip
_STRAIGHT = _ON_LATENTS | {
    "seed": 9, "schedule": "flow", "kind": "velocity", "ema_decay": 0.998, "half": False,
}  # fmt: skip

RECIPES: dict[str, Recipe] = {
    "recogniser": RecogniserRecipe(seed=1, steps=2100, batch=56, learning_rate=2e-3),
    "judge": RecogniserRecipe(seed=2, steps=2600, batch=56, learning_rate=1.5e-3),
    "fashion-judge": FashionJudgeRecipe(seed=3, steps=3600, batch=100, learning_rate=4e-3),
    "postcards-32": GeneratorRecipe(
        seed=4, data="single-postcards", size=32, channels=3,
        widths=(48, 96), blocks=(1, 3), patch=2, schedule="cosine", kind="x_0",
        steps=14_000, batch=32, learning_rate=8e-3, ema_decay=0.999,
        sampler="dpm-solver++", sampling_steps=16,
    ),
    "fashion": GeneratorRecipe(
        seed=5, data="fashion-mnist", size=28, channels=1,
        widths=(48, 96), blocks=(1, 2), patch=2, schedule="cosine", kind="x_0",
        steps=12_000, batch=32, learning_rate=1e-2, ema_decay=0.999,
        sampler="dpm-solver++", sampling_steps=16,
    ),
    "autoencoder": AutoencoderRecipe(
        seed=6, encoder=(64, 128), encoder_blocks=(2, 2),
        decoder=(160, 80, 24), decoder_blocks=(3, 2, 1),
        kl_weight=3e-4, styled=0.12, watched=True,
        steps=7000, batch=32, learning_rate=6e-3, ema_decay=0.999, half=True,
    ),
    "captions": CaptionsRecipe(
        seed=7, width=128, layers=2, steps=1500, batch=96, learning_rate=5e-3
    ),
    "postcards": TextToImageRecipe(
        **_ON_LATENTS, seed=8, widths=(96, 192), blocks=(1, 3), schedule="cosine", kind="x_0",
        steps=8000, ema_decay=0.9995, half=True,
    ),
    "postcards-turbo": DistillRecipe(
        seed=31, captions="captions", autoencoder="autoencoder", teacher="postcards",
        pictures=8192, teacher_steps=8, teacher_scale=2.5,
        kinds=_MIX, p_uncond=1 / 64, full=0.5,
        widths=(96, 192), blocks=(1, 3), schedule="cosine", kind="x_0",
        visits=((1, 0, 24), (2, 1, 16), (4, 1, 8), (4, 2, 8), (4, 3, 8)),
        steps=1900, batch=64, learning_rate=4e-3, ema_decay=0.995,
        half=False, num_inference_steps=2, guidance_scale=1.0,
    ),
    "postcards-flow": FlowRecipe(**_STRAIGHT, widths=(96, 192), blocks=(1, 3), steps=2400),
    "postcards-dit": TransformerRecipe(**_STRAIGHT, width=192, depth=4, patch=2, steps=3000),
    "upsampler": UpsamplerRecipe(
        seed=14, widths=(24, 64, 96), blocks=(1, 1, 1), schedule="cosine", kind="x_0",
        augment=0.1, level=0.03, steps_in_use=2,
        steps=900, batch=16, learning_rate=1e-2, ema_decay=0.99,
    ),
    "postcards-cascade": CascadeRecipe(
        **_STRAIGHT | {
            "autoencoder": "upsampler", "pictures": 24_576, "batch": 32,
            "kinds": {"single": 0.7, "group": 0.1, "pair": 0.2},
        },
        channels=12, things=8.0, widths=(96, 192), blocks=(1, 3), steps=4800,
    ),
    "tokeniser": TokeniserRecipe(
        seed=15, autoencoder="autoencoder", pictures=49_152, kinds=_MIX, half=False,
        width=96, blocks=2, codes=512, code_channels=8, restarts=0.5,
        steps=1800, batch=64, learning_rate=1e-2, ema_decay=0.99,
    ),
    "postcards-codes": WriterRecipe(
        seed=16, captions="captions", autoencoder="autoencoder", tokeniser="tokeniser",
        pictures=49_152, kinds={"single": 0.6, "group": 0.15, "pair": 0.25}, p_uncond=0.1,
        full=0.4, half=False, width=256, depth=4, temperature=0.75, guidance_scale=3.0,
        steps=3000, batch=32, learning_rate=1e-2, ema_decay=0.998,
    ),
    "ip-adapter": IPAdapterRecipe(
        seed=12, unet="postcards", pairs=6144, features=192, width=128,
        channels=(96, 96, 192, 192, 192), p_uncond=0.8, schedule="cosine", kind="x_0",
        steps=1650, batch=32, learning_rate=1.5e-2, ema_decay=0.99,
    ),
    "outline-judge": OutlineJudgeRecipe(seed=13, steps=900, batch=16, learning_rate=5e-3),
    "controlnet-outline": ControlNetRecipe(
        seed=12, model="postcards", captions="captions", autoencoder="autoencoder",
        pictures=12_288, kinds=_MIX,
        widths=(96, 192), blocks=(1, 1), schedule="cosine", kind="x_0",
        p_uncond=0.5, full=0.4, steps=1700, batch=32, learning_rate=1e-2, ema_decay=0.995,
        half=False, num_inference_steps=10, guidance_scale=2.5,
    ),
}  # fmt: skip

#: What lesson 06 trains while the learner looks on, one of the styles; with rank None all weights.
LIVE_LORA = LoRARecipe(
    seed=0, captions="captions", autoencoder="autoencoder", model="postcards", style="lantern",
    pictures=64, kinds=_MIX, widths=(96, 192), blocks=(1, 3),
    rank=4, alpha=4.0, schedule="cosine", kind="x_0", p_uncond=0.1, full=0.4,
    steps=480, batch=8, learning_rate=1.2e-2, ema_decay=0.99, half=False,
    num_inference_steps=10, guidance_scale=2.5,
)  # fmt: skip
RECIPES |= {
    f"lora-{style}": replace(LIVE_LORA, style=style) for style in ("lantern", "beams", "cinema")
}
NAMES = tuple(RECIPES)

#: What lessons 02, 04, 05 and 08 train while the learner looks on: a minute each at most.
LIVE = GeneratorRecipe(
    seed=0, data="sprites", size=32, channels=3,
    widths=(32, 64), blocks=(1, 2), patch=2, schedule="cosine", kind="x_0",
    steps=480, batch=16, learning_rate=1e-2, ema_decay=0.99,
    sampler="dpm-solver++", sampling_steps=16,
)  # fmt: skip
LIVE_AUTOENCODER = AutoencoderRecipe(
    seed=0, encoder=(32, 64), encoder_blocks=(1, 1), decoder=(80, 40, 16), decoder_blocks=(2, 1, 1),
    kl_weight=3e-4, styled=0.0, watched=False,
    steps=250, batch=16, learning_rate=1e-2, ema_decay=0.98, half=False,
)  # fmt: skip
LIVE_LATENT = TextToImageRecipe(
    seed=0, captions="captions", autoencoder="autoencoder", pictures=3072,
    kinds={"single": 1.0}, widths=(64, 128), blocks=(1, 2), schedule="cosine", kind="x_0",
    p_uncond=0.1, full=1.0, steps=320, batch=32, learning_rate=2e-2, ema_decay=0.99,
    half=False, num_inference_steps=8, guidance_scale=3.0,
)  # fmt: skip
LIVE_TOKENISER = TokeniserRecipe(  # lesson 08's
    seed=0, autoencoder="autoencoder", pictures=3072, kinds={"single": 1.0}, half=False,
    width=32, blocks=1, codes=256, code_channels=8, restarts=0.9,
    steps=300, batch=32, learning_rate=1e-2, ema_decay=0.98,
)  # fmt: skip
LIVE_WRITER = WriterRecipe(
    seed=0, captions="captions", autoencoder="autoencoder", tokeniser="tokeniser",
    pictures=3072, kinds={"single": 1.0}, p_uncond=0.1, full=1.0, half=False,
    width=128, depth=3, temperature=0.5, guidance_scale=2.0,
    steps=300, batch=32, learning_rate=2e-2, ema_decay=0.99,
)  # fmt: skip

#: What lesson 07 tunes to the learner's taste while they look on.
LIVE_TASTE = Taste(
    seed=0, pairs=40, left_open="sky", since=0.5, within="cross_attn", rank=4, alpha=6.0,
    beta=60.0, keep=40.0, steps=240, batch=16, learning_rate=6e-3,
)  # fmt: skip


def train(name: str) -> None:
    """Train the weights `name`, with a progress bar, and write them and their card.

    Raises:
        ValueError: no such name.
        OSError: the folder of the weights cannot be written, or another process trains them.
        resume.Paused: it was interrupted (Ctrl-C, or a notebook's stop button); call it again.
        FloatingPointError: training fell apart, see `training.fit.Fit`.
        data.DataUnavailable, workspace.DamagedFile: what it needs cannot be had.
    """
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}: choose one of {', '.join(NAMES)}")
    RECIPES[name].train(name, PURPOSE[name])
