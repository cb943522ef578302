"""A valid call of each public function and class of the rooms, for tests that vary its arguments.

A row is named "room.name", or "room.name.method". What only the package itself calls, or what takes
neither tensors nor numbers, stands in `NO_ROW`, with the reason.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import tempfile
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from diffusion_lessons import (
    conditioning,
    data,
    diagram,
    latents,
    models,
    pictures,
    pipeline,
    postcards,
    prediction,
    sampling,
    schedule,
    scoring,
    training,
    widgets,
)
from diffusion_lessons.scoring import statistics
from tests import every_widget
from tests.small_pipe import awake, normal, seeded, small_pipe

ROOMS = (
    "schedule", "prediction", "conditioning", "diagram", "sampling", "latents", "pictures",
    "workspace", "data", "models", "postcards", "pipeline", "training", "scoring",
    "scoring.statistics", "scoring.recognition", "postcards.outline", "widgets", "widgets.gallery",
    "checks", "quiz", "recipes",
)  # fmt: skip

ALL_NUMBERS = (  # what a plot of numbers draws, whichever they are
    "* = torch.uint8", "* = torch.int64", "* = torch.bool", "* = a number", "* = out of range",
    "* = negative",
)  # fmt: skip


def public_names() -> dict[str, Any]:
    """Every function and class that a room offers: those in `__all__`, or defined without "_"."""
    found = {}
    for room in ROOMS:
        module = importlib.import_module(f"diffusion_lessons.{room}")
        own = [
            n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__
        ]
        for name in getattr(module, "__all__", own):
            value = getattr(module, name)
            aside = name.startswith(("_", "check_")) or not inspect.getmodule(value)
            if callable(value) and not aside and hasattr(value, "__name__"):
                found[f"{room}.{name}"] = value
    return found


X_0, EPS = normal(4, 3, 16, 16).clamp(-1, 1) * 0.9, normal(4, 3, 16, 16, seed=1)
T = torch.tensor([0.25, 0.5, 0.75, 1.0])
A, B = schedule.cosine(T)
RATES, RATES_NEXT, RATES_BEFORE = (torch.stack(schedule.cosine(t)) for t in (T * 0.9, T / 2, T))
POINTS = normal(6, 2)
LATENTS, CONTEXT = normal(2, 4, 8, 8), normal(2, 32, 32, seed=2)
SCENES = postcards.sample_scenes(3, 5)
DRAWN, MASK = postcards.draw(SCENES), postcards.object_mask(SCENES)
TOKENS = conditioning.tokenise(["a red house on snow", "two boats"])
FEATURES = normal(60, 3, seed=3), normal(60, 3, seed=4)


def in_float32(x: Tensor) -> Tensor:
    return x.float() * 0.3


def denoiser(x_t: Tensor, t: Tensor, rates: Tensor | None = None) -> prediction.Prediction:
    return prediction.Prediction(x_t * 0.1, x_t * 0.9)


def model(x_t: Tensor, t: Tensor, *given: Tensor) -> Tensor:
    return x_t * 0.5


def losses(x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    return (x_0 * t.view(-1, 1, 1, 1) - eps).square().flatten(1).mean(1)


@functools.cache
def net(name: str) -> Any:
    """A small network that has learned nothing, its weights always the same."""
    build: dict[str, Callable[[], nn.Module]] = {
        "unet": lambda: models.UNet(3, (8, 16), (1, 1), factors=(3, 2)),
        "text unet": lambda: models.TextUNet(4, (32, 32), (1, 1), 32),
        "points": models.PointNet,
        "autoencoder": lambda: models.Autoencoder((8, 16), (1, 1), (16, 8, 8), (1, 1, 1)),
        "transformer": lambda: models.Transformer(4, 32, 1, 2, 32),
        "tokeniser": lambda: models.Tokeniser(16, 1, 8, 4),
        "writer": lambda: models.CodeWriter(8, 8, 32, 1, 32),
        "encoder": lambda: models.CaptionEncoder(len(conditioning.WORDS), 32, 1, 32),
        "upsampler": lambda: models.Upsampler((8, 8, 8), (1, 1, 1)),
        "res": lambda: models.ResBlock(16, 8),
        "attention": lambda: models.Attention(32),
        "cross": lambda: models.CrossAttention(32, 32),
        "down": lambda: models.Down(8, 16),
        "up": lambda: models.Up(16, 8),
        "controlnet": lambda: models.ControlNet(4, (32, 32), (1, 1), 32),
        "adapter": lambda: models.IPAdapter(16, 32, (32, 32), 4),
    }
    return awake(build[name]()).eval().requires_grad_(False)


@functools.cache
def writing() -> pipeline.PatchByPatch:
    """A small model that writes codes and has learned nothing."""
    reader: Any = types.SimpleNamespace(encoder=small_pipe().encoder)
    card = {"scaling_factor": 1.0, "temperature": 0.0, "guidance_scale": 2.0}
    parts = net("writer"), net("tokeniser"), net("autoencoder")
    return pipeline.PatchByPatch(reader, *parts, card)


def fitted(fit: training.Fit) -> list[float]:
    return [done.loss for done in fit]


def walked(steps: Any) -> Tensor:
    return sampling.finish(steps)


def guessed(denoise: Callable) -> Tensor:
    return denoise(EPS, T).x_0


def guessed_latents(denoise: Callable) -> Tensor:
    return denoise(LATENTS, T[:2]).x_0


def built(network: nn.Module) -> int:
    return models.count_parameters(network)


@dataclasses.dataclass(frozen=True)
class Row:
    """A valid call: what is called, with which arguments (made anew), and how its result is read.

    taken: what its documentation says is taken too, such as "image = None".
    """

    call: Callable[..., Any]
    given: Callable[[], dict[str, Any]]
    read: Callable[[Any], Any] = lambda result: result
    taken: tuple[str, ...] = ()


def row(
    call: Callable,
    read: Callable[[Any], Any] = lambda result: result,
    taken: tuple[str, ...] = (),
    **given: Any,
) -> Row:
    """A row whose arguments are as they are, but for generators, which are made anew."""

    def made() -> dict[str, Any]:
        dice = {k: seeded() for k, v in given.items() if isinstance(v, torch.Generator)}
        return given | dice

    return Row(call, made, read, taken)


def batch_of(step: int) -> data.Batch:
    return data.Batch(X_0, torch.zeros(4, 0, dtype=torch.int64), [""] * 4)


STEP = {"rates": RATES, "rates_next": RATES_NEXT}
WALK = {"denoiser": denoiser, "schedule": schedule.cosine, "x_t": EPS, "times": sampling.times(3)}
TRAIN = {"steps": 2, "learning_rate": 1e-3, "seed": 0}
COSINE = {"schedule": schedule.cosine}
DICE = seeded()
SETTINGS = widgets.gallery.Settings("a cat", "", 3, 8, 2.5)
LEVELS = np.zeros((8, 8, 3), np.uint8)


def training_of(
    call: Callable, network: Callable[[], nn.Module], taken: tuple[str, ...] = (), **given: Any
) -> Row:
    """A row that trains a network made anew."""

    def made() -> dict[str, Any]:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return {"model": network(), **given}

    return Row(call, made, fitted, taken)


def a_linear() -> nn.Module:
    return nn.Linear(2, 2)


OTHER_NOISE = ("x_t = torch.float64",)  # torch draws other numbers there, in `diffusers` too
ROWS: dict[str, Row] = {
    "schedule.alpha_bar": row(schedule.alpha_bar, beta=schedule.linear_beta()),
    "schedule.row_to_t": row(schedule.row_to_t, row=torch.tensor([0, 5, 100])),
    "schedule.linear": row(schedule.linear, t=T),
    "schedule.cosine": row(schedule.cosine, t=T),
    "schedule.flow": row(schedule.flow, t=T),
    "schedule.snr": row(schedule.snr, t=T, **COSINE),
    "schedule.add_noise": row(schedule.add_noise, x_0=X_0, eps=EPS, t=T, **COSINE),
    "prediction.target": row(
        prediction.target, kind="v", x_0=X_0, eps=EPS, signal_rate=A, noise_rate=B
    ),
    "prediction.read_off": row(
        prediction.read_off, kind="v", output=EPS, x_t=X_0, signal_rate=A, noise_rate=B
    ),
    "prediction.as_denoiser": row(
        prediction.as_denoiser, guessed, model=model, kind="v", clip=True, **COSINE
    ),
    "prediction.keep": row(
        prediction.keep,
        guessed,
        denoiser=denoiser,
        x_0=X_0,
        until=torch.full((4, 1, 16, 16), 0.5),
        **COSINE,
    ),
    "prediction.exact_denoiser": row(prediction.exact_denoiser, guessed, x_0_set=X_0, **COSINE),
    "conditioning.noun_places": row(conditioning.noun_places, tokens=TOKENS),
    "conditioning.drop_captions": row(
        conditioning.drop_captions,
        context=CONTEXT,
        null_context=CONTEXT[:1] * 0,
        p_uncond=0.25,
        dice=torch.tensor([0.125, 0.5]),
    ),
    "conditioning.guide": row(
        conditioning.guide, without=X_0, with_caption=EPS, guidance_scale=2.5
    ),
    "conditioning.guided": row(
        conditioning.guided,
        guessed_latents,
        model=model,
        kind="v",
        context=CONTEXT,
        null_context=CONTEXT[:1] * 0,
        guidance_scale=3.0,
        **COSINE,
    ),
    "diagram.trace": row(diagram.trace, model=net("unet"), size=16),
    "sampling.times": row(sampling.times, num_steps=5, shift=2.0),
    "sampling.ddpm_step": row(sampling.ddpm_step, x_t=EPS, x_0_hat=X_0, noise=EPS, **STEP),
    "sampling.ddim_step": row(
        sampling.ddim_step, x_0_hat=X_0, eps_hat=EPS, noise=EPS, eta=0.5, **STEP
    ),
    "sampling.dpm_solver_step": row(
        sampling.dpm_solver_step,
        x_t=EPS,
        x_0_hat=X_0,
        x_0_hat_before=X_0,
        **STEP,
        rates_before=RATES_BEFORE,
    ),
    "sampling.euler_step": row(sampling.euler_step, x_t=EPS, x_0_hat=X_0, eps_hat=EPS, **STEP),
    "sampling.renoise": row(sampling.renoise, x_next=X_0, noise=EPS, **STEP),
    "sampling.ddpm": row(sampling.ddpm, walked, OTHER_NOISE, **WALK, generator=DICE),
    "sampling.ddim": row(sampling.ddim, walked, OTHER_NOISE, **WALK, eta=0.5, generator=DICE),
    "sampling.dpm_solver": row(sampling.dpm_solver, walked, **WALK),
    "sampling.euler": row(sampling.euler, walked, **WALK),
    "sampling.resampled": row(sampling.resampled, walked, **WALK, rounds=2, noise=lambda: EPS),
    "latents.vq_loss": row(latents.vq_loss, model=net("tokeniser"), z=LATENTS),
    "latents.train_autoencoder": training_of(
        latents.train_autoencoder,
        lambda: models.Autoencoder((8, 8), (1, 1), (8, 8, 8), (1, 1, 1)),
        batches=lambda step: (DRAWN[:1], MASK[:1]),
        kl_weight=1e-3,
        **TRAIN,
    ),
    "latents.train_tokeniser": training_of(
        latents.train_tokeniser,
        lambda: models.Tokeniser(16, 1, 8, 4),
        batches=lambda step: LATENTS,
        restarts=0.5,
        **TRAIN,
    ),
    "pictures.to_uint8": row(pictures.to_uint8, images=X_0),
    "pictures.grid": row(
        pictures.grid, np.asarray, images=X_0, labels=[*"abcd"], columns=3, zoom=2, sharp=1
    ),
    "pictures.on_page": row(pictures.on_page, images=X_0, columns=3, zoom=2),
    "pictures.show": row(pictures.show, images=X_0, alt="noise", columns=3, zoom=2),
    "data.load": row(
        data.load,
        lambda found: found.size,
        taken=("data = b*", "data = [[]*"),
        data="postcards",
        size=32,
        channels=3,
    ),
    "data.PictureSet.sample": row(
        data.load("postcards", 16).sample, lambda found: found.x_0, count=2, seed=3
    ),
    "data.PictureSet.batches": row(
        data.load("postcards", 16).batches, lambda found: found(0).x_0, count=2, seed=3
    ),
    "data.read_image": row(
        data.read_image,
        picture=torch.rand(3, 8, 8, generator=DICE),
        size=8,
        taken=("* = torch.uint8", "* = torch.bool"),
    ),
    "data.read_mask": row(
        data.read_mask,
        mask=torch.eye(8)[None],
        picture=torch.zeros(3, 8, 8),
        size=8,
        taken=("* = torch.uint8", "* = torch.bool"),
    ),
    "data.sample_scenes": row(
        data.sample_scenes, lambda found: found.dice, name="sprites", count=2, seed=3
    ),
    "models.UNet": row(models.UNet, built, channels=3, widths=(8, 8), blocks=(1, 1), patch=2),
    "models.UNet.forward": row(
        net("unet"),
        x_t=EPS,
        t=T,
        labels=torch.tensor([[0, 1], [2, 0], [-1, 1], [1, -1]]),
        taken=("labels = None",),
    ),
    "models.TextUNet": row(
        models.TextUNet, built, channels=4, widths=(32, 32), blocks=(1, 1), context_channels=32
    ),
    "models.TextUNet.forward": row(net("text unet"), x_t=LATENTS, t=T[:2], context=CONTEXT),
    "models.Transformer": row(
        models.Transformer, built, channels=4, width=32, depth=1, patch=2, context_channels=32
    ),
    "models.Transformer.forward": row(net("transformer"), x_t=LATENTS, t=T[:2], context=CONTEXT),
    "models.PointNet": row(models.PointNet, built, width=8),
    "models.PointNet.forward": row(net("points"), x_t=POINTS, t=torch.linspace(0, 1, 6)),
    "models.Autoencoder": row(
        models.Autoencoder,
        built,
        encoder=(8, 8),
        encoder_blocks=(1, 1),
        decoder=(8, 8, 8),
        decoder_blocks=(1, 1, 1),
    ),
    "models.Autoencoder.encode": row(net("autoencoder").encode, images=DRAWN),
    "models.Autoencoder.decode": row(net("autoencoder").decode, z=LATENTS),
    "models.Tokeniser": row(models.Tokeniser, built, width=16, blocks=1, codes=8, code_channels=4),
    "models.Tokeniser.encode": row(net("tokeniser").encode, z=LATENTS),
    "models.Tokeniser.decode": row(net("tokeniser").decode, numbers=torch.arange(8).view(2, 2, 2)),
    "models.CodeWriter": row(
        models.CodeWriter, built, codes=8, side=8, width=32, depth=1, context_channels=32
    ),
    "models.CodeWriter.forward": row(
        net("writer"), codes=torch.arange(8).view(2, 4), context=CONTEXT
    ),
    "models.CaptionEncoder": row(models.CaptionEncoder, built, words=9, width=32, layers=1),
    "models.CaptionEncoder.forward": row(net("encoder"), tokens=TOKENS),
    "models.Upsampler": row(models.Upsampler, built, widths=(8, 8, 8), blocks=(1, 1, 1)),
    "models.Upsampler.forward": row(
        net("upsampler"), x_t=DRAWN, t=T[:3], given=normal(3, 4, 16, 16)
    ),
    "models.ResBlock": row(models.ResBlock, built, channels=16, emb_channels=8),
    "models.Attention": row(models.Attention, built, channels=32),
    "models.CrossAttention": row(models.CrossAttention, built, channels=32, context_channels=32),
    "models.Down": row(models.Down, built, channels_in=8, channels_out=16),
    "models.Up": row(models.Up, built, channels_in=16, channels_out=8),
    "models.LoRA": row(models.LoRA, built, shapes={"a": (4, 4)}, rank=2, alpha=2.0),
    "models.ControlNet": row(
        models.ControlNet, built, channels=4, widths=(32, 32), blocks=(1, 1), context_channels=32
    ),
    "models.time_features": row(models.time_features, t=T),
    "models.quantise": row(models.quantise, z=normal(6, 4), codebook=normal(5, 4, seed=1)),
    "models.perplexity": row(models.perplexity, numbers=torch.tensor([0, 1, 1, 3]), codes=4),
    "models.shrink": row(models.shrink, images=DRAWN),
    "postcards.sample_scenes": row(
        postcards.sample_scenes,
        lambda found: found.dice,
        count=2,
        seed=3,
        split="train",
        kind="single",
    ),
    "postcards.compose": row(
        postcards.compose, lambda found: found.dice, description={"sky": "night"}, seed=3
    ),
    "postcards.captions": row(postcards.captions, scenes=SCENES, seed=3),
    "postcards.described_captions": row(postcards.described_captions, scenes=SCENES, seed=3),
    "postcards.draw": row(postcards.draw, scenes=SCENES, size=16),
    "postcards.object_mask": row(postcards.object_mask, scenes=SCENES, size=16),
    "postcards.thing_masks": row(postcards.thing_masks, scenes=SCENES, size=16),
    "postcards.expand": row(postcards.expand, prompt="a house", seed=3),
    "postcards.parse": row(postcards.parse, prompt="a house"),
    "postcards.readable": row(postcards.readable, typed="a house on sn"),
    "postcards.outline.outline": row(lambda scenes: None, scenes=SCENES),
    "pipeline.TextToImage": row(
        lambda **given: (
            small_pipe()(
                "a cat", generator=seeded(), output_type="pt", control_image=None, **given
            ).images
        ),
        num_inference_steps=2,
        guidance_scale=2.0,
        num_images_per_prompt=2,
        image=DRAWN[:1] / 2 + 0.5,
        strength=1.0,
        jump_n_sample=1,
        mask_image=MASK[:1].float(),
        taken=(
            "* = torch.uint8",
            "* = torch.bool",
            "*_steps = None",
            "guidance_scale = None",
            "strength = None",
            "mask_image = None",
            "image = None",
        ),
    ),
    "pipeline.TextToImage.steps": row(
        lambda **given: walked(small_pipe().steps("a cat", **given)),
        num_inference_steps=2,
        guidance_scale=2.0,
        latents=LATENTS[:1],
        taken=("*_steps = None", "guidance_scale = None", "latents = None"),
    ),
    "pipeline.TextToImage.noise": row(
        lambda **given: small_pipe().noise(**given), count=2, generator=DICE
    ),
    "pipeline.TextToImage.encode": row(lambda images: small_pipe().encode(images), images=DRAWN),
    "pipeline.TextToImage.decode": row(
        lambda latents: small_pipe().decode(latents), latents=LATENTS
    ),
    "pipeline.TextToImage.get_timesteps": row(
        lambda **given: small_pipe().get_timesteps(**given), num_inference_steps=4, strength=0.5
    ),
    "pipeline.PatchByPatch": row(
        lambda **given: writing()("a cat", generator=seeded(), output_type="pt", **given).images,
        taken=("temperature = None", "guidance_scale = None"),
        temperature=1.0,
        guidance_scale=2.0,
        num_images_per_prompt=1,
    ),
    "pipeline.PatchByPatch.steps": row(
        lambda known: [*writing().steps("a cat", known=known)][-1],
        taken=("known = None", "known = torch.int32"),
        known=torch.arange(64).view(1, 64) % 8,
    ),
    "pipeline.PatchByPatch.to_codes": row(lambda images: writing().to_codes(images), images=DRAWN),
    "pipeline.PatchByPatch.to_pictures": row(
        lambda codes: writing().to_pictures(codes), codes=torch.arange(128).view(2, 64) % 8
    ),
    "pipeline.PatchByPatch.log_likelihood": row(
        lambda codes: writing().log_likelihood(codes, ["a cat", "a boat"]),
        codes=torch.arange(128).view(2, 64) % 8,
    ),
    "pipeline.latent_mask": row(pipeline.latent_mask, mask=MASK),
    "pipeline.paste": row(pipeline.paste, painted=DRAWN * 0.5, images=DRAWN, mask=MASK),
    "training.Fit": training_of(
        training.Fit,
        a_linear,
        steps=2,
        learning_rate=0.1,
        weight_decay=0.01,
        warm_up=0.5,
        ema_decay=0.9,
        loss=lambda step: torch.ones(1, requires_grad=True).sum(),
    ),
    "training.diffusion_loss": row(
        training.diffusion_loss,
        model=model,
        x_0=X_0,
        t=T,
        eps=EPS,
        kind="v",
        weight=torch.ones_like(X_0),
        **COSINE,
    ),
    "training.loss_of_each": row(
        training.loss_of_each, model=model, x_0=X_0, t=T, eps=EPS, kind="x_0", **COSINE
    ),
    "training.dpo_loss": row(
        training.dpo_loss,
        winners=X_0,
        losers=X_0 * 0.5,
        t=T,
        eps=EPS,
        tuned=losses,
        frozen=lambda *given: 0.9 * losses(*given),
        beta=2.0,
    ),
    "training.spread_times": row(training.spread_times, count=4, generator=DICE),
    "training.train": training_of(
        training.train,
        taken=("ema_decay = None",),
        network=lambda: models.UNet(3, (8, 8), (1, 1)),
        batches=batch_of,
        kind="v",
        ema_decay=0.9,
        half=False,
        **TRAIN,
        **COSINE,
    ),
    "scoring.asked": row(scoring.asked, name="sprites", count=2, seed=3),
    "scoring.score": row(
        scoring.score, name="postcards", images=DRAWN[:1].repeat(40, 1, 1, 1), seed=3
    ),
    "scoring.there_and_back": row(scoring.there_and_back, model=net("autoencoder"), images=DRAWN),
    "scoring.statistics.wilson": row(statistics.wilson, successes=3, trials=8, confidence=0.75),
    "scoring.statistics.shares": row(statistics.shares, right={"all": torch.tensor([True, False])}),
    "scoring.statistics.psnr": row(statistics.psnr, images=X_0, truth=EPS),
    "scoring.statistics.frechet_distance": row(
        statistics.frechet_distance, a=FEATURES[0], b=FEATURES[1]
    ),
    "scoring.statistics.frechet": row(statistics.frechet, a=FEATURES[0], b=FEATURES[1]),
    "scoring.statistics.nearest": row(statistics.nearest, queries=X_0[:2], pictures=EPS),
    "widgets.Pictures": row(
        lambda **given: widgets.Pictures("noise", alt="noise", **given).content(1, 4),
        frames=X_0,
        taken=ALL_NUMBERS,
    ),
    "widgets.Bars": row(
        lambda **given: widgets.Bars("values", alt="bars", **given).content(1, 2),
        heights=np.array([[1.0, 2.0], [3.0, 4.0]]),
        edges=np.array([0.0, 1.0, 2.0]),
        taken=ALL_NUMBERS,
    ),
    "widgets.Curve": row(
        lambda x, y: widgets.Curve("ratio", x, {"SNR": y}, "a line").content(1, 3),
        x=np.array([0.0, 0.5, 1.0]),
        y=np.array([1.0, 2.0, 4.0]),
        taken=ALL_NUMBERS,
    ),
    "widgets.Points": row(
        lambda **given: widgets.Points("way", alt="points", **given).content(1, 3),
        positions=normal(3, 5, 2),
        trails=2,
        taken=ALL_NUMBERS,
    ),
    "widgets.Slider": row(
        lambda **given: widgets.Slider("level", **given).payload(),
        low=0,
        high=8,
        step=2,
        start=4,
        taken=("start = None", "start = False", "* = numpy.*", "* = torch.tensor"),
    ),
    "widgets.Choice": row(
        lambda **given: widgets.Choice("kind", ["a", "b"], **given).payload(),
        start="b",
        taken=("start = None",),
    ),
    "widgets.Text": row(
        lambda **given: widgets.Text(**given).payload(), name="prompt", start="cat"
    ),
    "widgets.watch": row(widgets.watch, lambda view: view.total, total=4, alt="sprites"),
    "widgets.watch.step": row(
        lambda **given: widgets.watch(4, "sprites").step(**given),
        step=2,
        loss=0.5,
        taken=("loss = *nan*", "loss = *inf*", "loss = -1000000000"),
    ),
    "widgets.watch.step tensor": row(
        lambda **given: widgets.watch(4, "sprites").step(2, **given),
        loss=torch.tensor(0.5),
        taken=(
            "loss = *nan*",
            "loss = *inf*",
            "loss = one axis more",
            "loss = a number",
            "loss = list",
            "loss = torch.uint8",
            "loss = torch.int64",
        ),
    ),
    "widgets.watch.pictures": row(
        lambda **given: widgets.watch(4, "sprites").pictures(**given), images=X_0, caption="noise"
    ),
    "widgets.watch.points": row(
        lambda **given: widgets.watch(4, "sprites").points(**given),
        points=POINTS,
        caption="moons",
        taken=ALL_NUMBERS,
    ),
    "widgets.plane": row(widgets.plane, lambda made: made.drawn, title="draw", start="ring"),
    "widgets.course_map": row(widgets.course_map, lambda page: page.data, lesson=3),
    "widgets.guess": row(
        widgets.guess, lambda made: made.options, question="which?", options=["a", "b"]
    ),
    "widgets.guess.compare": row(
        lambda **given: widgets.guess("how many?").compare(**given),
        truth=3.0,
        because="so",
        taken=("truth = -1000000000",),
    ),
    "widgets.choose": row(
        lambda images: (
            widgets.choose(
                images, every_widget.PROMPTS, every_widget.SEEN, folder=tempfile.mkdtemp()
            ).chosen
        ),
        images=every_widget.PAIRS,
    ),
    "widgets.mark": row(
        lambda image: widgets.mark(image, lambda *_: every_widget.painted(*_[1:])).picture,
        image=DRAWN[0] / 2 + 0.5,
        taken=("* = torch.uint8", "* = torch.bool"),
    ),
    "widgets.sketch": row(
        lambda marked: widgets.sketch(every_widget.painted, "a cat", marked).bits,
        marked=MASK[:1],
        taken=("marked = None",),
    ),
    "widgets.gallery.Gallery": row(
        lambda pixels: (
            Path(widgets.gallery.Gallery(tempfile.mkdtemp()).keep(pixels, SETTINGS)).name
        ),
        pixels=LEVELS,
    ),
}
"""By "room.name", then ".method": a call that is right."""

_LOADS = "takes the name of weights, or a folder: test_models.py and test_workspace.py try others"
_WITHIN = "is called by the package alone, with what it has made itself"
_HOLDS = "holds what a function returns, and computes nothing"
_RECIPE = "is data of the package; `train` takes its name"
_WORDS = "takes words alone: test_reading.py tries thousands of others"
_FIGURE = "takes a figure or bytes of matplotlib's or Pillow's making"
_NOTHING = "takes neither tensors nor numbers, or hands its seed to torch"
_ELSEWHERE = "takes functions, words and panels, which test_widgets.py and test_studio.py vary"
NO_ROW: Mapping[str, str] = {
    name: reason
    for reason, names in {
        _LOADS: "workspace.data_path workspace.user_path workspace.sha256 workspace.verify "
        "workspace.own_path workspace.load_weights models.load_autoencoder "
        "models.load_caption_reader models.load_code_writer models.load_controlnet "
        "models.load_decoder models.load_denoiser models.load_ip_adapter models.load_lora "
        "models.load_text_unet models.load_tokeniser models.load_unet pipeline.load_autoencoder "
        "widgets.gallery.read quiz.start",
        _WITHIN: "schedule.rates_like schedule.walk_rates conditioning.word_numbers "
        "conditioning.attribute_targets conditioning.with_forward conditioning.with_attention "
        "data.labels latents.sample_latent latents.kl latents.reconstruction_loss "
        "latents.perceptual_loss models.ControlledUNet models.IPAdapter models.Cache "
        "models.CaptionReader models.QuickDecoder models.QuickTransformer models.QuickUNet "
        "models.QuickUpsampler models.TokenisedAutoencoder models.augment models.causal_mask "
        "models.count_parameters models.details models.with_details models.zero_conv "
        "postcards.concatenate postcards.describe postcards.kinds postcards.outline.trace "
        "postcards.outline.horizon_line postcards.outline.sketch pipeline.Cascade pipeline.write "
        "scoring.follows scoring.matches scoring.round_trips scoring.takes_over "
        "scoring.recognition.by_place scoring.recognition.split_logits "
        "scoring.recognition.agreement scoring.recognition.reading_loss "
        "scoring.recognition.blurred scoring.recognition.imperfect scoring.recognition.covered "
        "scoring.recognition.spoiled scoring.recognition.every_pair scoring.recognition.of_kinds "
        "scoring.recognition.PostcardEvaluator workspace.list_shipped workspace.write_checksums "
        "workspace.fit_weights workspace.save_weights workspace.partial_path "
        "workspace.save_partial workspace.load_partial workspace.only_one "
        "workspace.write_whole training.fit_seeded",
        _HOLDS: "prediction.Prediction diagram.Box sampling.SampleStep data.Batch "
        "postcards.Caption postcards.Description postcards.Scenes pipeline.Output "
        "widgets.gallery.Settings widgets.gallery.Kept workspace.DamagedFile "
        "data.DataUnavailable postcards.PromptError postcards.UnknownWord checks.Report "
        "training.Batches",
        _RECIPE: "recipes.AutoencoderRecipe recipes.CaptionsRecipe recipes.CascadeRecipe "
        "recipes.ControlNetRecipe recipes.DistillRecipe recipes.FashionJudgeRecipe "
        "recipes.FlowRecipe recipes.GeneratorRecipe recipes.IPAdapterRecipe recipes.LoRARecipe "
        "recipes.OutlineJudgeRecipe recipes.Recipe recipes.RecogniserRecipe recipes.Taste "
        "recipes.TextToImageRecipe recipes.TokeniserRecipe recipes.TransformerRecipe "
        "recipes.UpsamplerRecipe recipes.WriterRecipe recipes.train",
        _WORDS: "conditioning.tokenise quiz.before quiz.warm_up checks.forget checks.yours "
        "checks.MadeByYou",
        _FIGURE: "diagram.describe diagram.draw pictures.figure pictures.figure_png pictures.png "
        "pictures.few_colours pictures.at_page_size pictures.second_copy pictures.img_tag "
        "pictures.checked_alt widgets.gallery.as_png",
        _NOTHING: "schedule.linear_beta schedule.cosine_beta conditioning.attribute_classes "
        "pictures.style pictures.look workspace.start workspace.pick_device workspace.checksums "
        "sampling.finish",
        _ELSEWHERE: "widgets.live widgets.scrub widgets.studio",
    }.items()
    for name in names.split()
}
"""Public names that are not called here, and why."""
