"""Demonstrations about words: the parts that hear them, guidance, and what words can ask for."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_lessons import conditioning, models, pipeline, postcards, sampling
from diffusion_lessons.postcards.outline import outline
from diffusion_lessons.scoring import outlines

from .about_latents import FULL, model, painted, right


def words_alike(word: str, other: str) -> tuple[dict, None]:
    """How alike two words are (cosine), in the table and as the encoder understands them alone;
    and the word that is most like the first one."""
    encoder, words = model().encoder, conditioning.WORDS
    alone = torch.zeros(len(words), 32, dtype=torch.int64)
    alone[:, 0] = torch.arange(len(words))  # each word as a caption of its own
    found: dict[str, float | str] = {}
    for name, rows in (("table", encoder.word.weight), ("encoder", encoder(alone)[:, 0])):
        vectors = functional.normalize(rows - rows.mean(dim=0), dim=1)
        alike = vectors @ vectors[words.index(word)]
        found[name] = alike[words.index(other)].item()
        found[f"{name} finds"] = words[int(alike[1:].argsort(descending=True)[1]) + 1]
    return found, None


def exchanged_vectors() -> tuple[dict, Tensor]:
    """Paint a red house 24 times, with vectors of its context exchanged for those of the same
    caption with "blue": how many houses the judge still reads as red."""
    pipe, prompts = model(), [FULL, FULL.replace("red", "blue")]
    context, places = pipe.encode_prompt(prompts), FULL.replace(",", "").split()
    found, shown = {}, []
    for words in (("red",), ("house",), ("red", "house")):
        told = context[:1].clone()
        at = [places.index(word) for word in words]
        told[:, at] = context[1:, at]
        images = _painted(told.expand(24, -1, -1))
        found[" and ".join(words)] = right(images, [postcards.parse(FULL)] * 24)
        shown.append(images[:4])
    return found, torch.cat(shown)


def parts_at_work(name: str, scale: float) -> tuple[dict, None]:
    """Count what works while a model paints one picture in two steps with guidance `scale`."""
    reader, _ = models.load_caption_reader()
    autoencoder, about = models.load_autoencoder()
    unet, card = models.load_denoiser(name)
    scaled = card | {"scaling_factor": about["scaling_factor"]}
    pipe = pipeline.TextToImage(reader, unet, autoencoder, scaled)
    calls = Counter(dict.fromkeys(("words", "empty", "U-Net", "encoder", "decoder"), 0))

    def heard(_: object, given: tuple, __: object) -> None:
        empty = (given[2] == pipe.null_context).flatten(1).all(dim=1).any().item()
        calls.update(["U-Net"] + ["empty"] * int(empty))

    unet.register_forward_hook(heard)
    parts = ("words", pipe.encoder), ("encoder", autoencoder.to_latent)
    for part, module in (*parts, ("decoder", autoencoder.from_latent)):
        module.register_forward_hook(lambda *_, part=part: calls.update([part]))
    pipe(FULL, num_inference_steps=2, guidance_scale=scale)
    return dict(calls), None


def guidance_early_and_late() -> tuple[dict, None]:
    """How far apart the two answers are, early and late; and what guidance of 5 is worth in the
    first quarter and in the last quarter of the way alone, on pairs that no training showed."""
    pipe = model()
    prompts = [FULL] * 4
    noise = pipe.noise(4, torch.Generator().manual_seed(0))
    steps = list(pipe.steps(prompts, guidance_scale=1.0, latents=noise))
    found: dict[str, float] = {}
    for name, step in (("apart early", steps[0]), ("apart late", steps[-2])):
        t = torch.full((4,), step.t)
        without, told = (_guess(prompts, scale)(step.x_t, t).x_0 for scale in (0.0, 1.0))
        found[name] = (without - told).square().mean().sqrt().item()
    scenes = postcards.sample_scenes(24, seed=5, split="held_out", kind="single")
    said = postcards.described_captions(scenes, 5, True)
    for name, way in (("early", (5.0, 1.0, 0.75)), ("late", (1.0, 5.0, 0.25))):
        images = _in_two_parts([one.text for one in said], *way)
        found[name] = right(images, [one.description for one in said])
        found[f"clipped {name}"] = (images.abs() > 0.992).float().mean().item()
    return found, None


def ignored_early_or_late() -> tuple[dict, Tensor]:
    """Paint with guidance 5 in one half of the way and 0 in the other."""
    prompts = ["a large blue boat in the middle, on the sea by day", FULL] * 8
    said = list(map(postcards.parse, prompts))
    late, early = _in_two_parts(prompts, 0.0, 5.0, 0.5), _in_two_parts(prompts, 5.0, 0.0, 0.5)
    found = {"late": right(late, said), "early": right(early, said), "all": len(said)}
    return found, torch.cat([late[:4], early[:4]])


def with_a_drawing() -> tuple[dict, Tensor]:
    """How well things lie where they were drawn (the median overlap): with words or none, and with
    the outline's branch on or off."""
    pipe = model(controlnet="controlnet-outline")
    scenes = postcards.sample_scenes(8, seed=4, kind="single")
    drawn, captions = outline(scenes), postcards.captions(scenes, 4, True)
    evaluator, found = outlines.OutlineEvaluator.load("outline-judge"), {}
    shown = [1 - 2 * drawn[:3].float().expand(-1, 3, -1, -1)]
    for words, prompts in (("words", captions), ("none", [""] * 8)):
        for scale in (0, 1):
            given = {"control_image": drawn, "controlnet_conditioning_scale": float(scale)}
            images = painted(pipe, prompts, **given)
            overlap = outlines.iou(evaluator.read(images), postcards.object_mask(scenes))
            found[f"{words} {scale}"] = overlap.median().item()
            shown.append(images[:3])
    return found, torch.cat(shown)


def _painted(context: Tensor) -> Tensor:
    """Paint what a context (N, 32, 128) says, guided as usual."""
    pipe = model()
    noise = pipe.noise(len(context), torch.Generator().manual_seed(0))
    walk = pipe.sampler(_guess(context, 2.5), pipe.schedule, noise, sampling.times(10))
    return pipe.decode(sampling.finish(walk))


def _guess(said: list[str] | Tensor, scale: float) -> conditioning.Denoiser:
    """The shipped model's denoiser, guided; `said`: prompts, or their context."""
    pipe = model()
    context = said if isinstance(said, Tensor) else pipe.encode_prompt(said)
    parts = pipe.schedule, pipe.kind, context, pipe.null_context, scale
    return conditioning.guided(models.QuickUNet(pipe.unet), *parts)


def _in_two_parts(prompts: list[str], early: float, late: float, until: float) -> Tensor:
    """Paint with guidance `early` above the time `until`, and `late` from there on."""
    pipe = model()
    first, then = _guess(prompts, early), _guess(prompts, late)
    noise = pipe.noise(len(prompts), torch.Generator().manual_seed(0))
    walk = pipe.sampler(
        lambda x_t, t, rates=None: (first if t[0] > until else then)(x_t, t, rates),
        pipe.schedule, noise, sampling.times(10),
    )  # fmt: skip
    return pipe.decode(sampling.finish(walk))
