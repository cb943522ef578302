"""Demonstrations about latents and words: the parts of text to image, and what they understand."""

from __future__ import annotations

from collections import Counter

import torch

from diffusion_lessons import conditioning, models, pipeline, postcards, schedule
from diffusion_lessons.scoring import recognition

from .shown import Shown, with_pictures

_WISHES = {
    "Ana": "a red cat",
    "Ben": "a toadstool at dusk",
    "Cleo": "two pink boats",
    "Dan": "a dog on sand",
}


def parts_at_work() -> Shown:
    """Count how often each part is called while one picture is made in 8 steps."""
    reader, _ = models.load_caption_reader()
    autoencoder, about = models.load_autoencoder()
    judge, calls = recognition.load("judge").network, Counter[str]()
    unet = models.TextUNet().eval()  # not trained: calls are counted, no picture is looked at
    card = {"schedule": "cosine", "kind": "x_0", "scaling_factor": about["scaling_factor"]}
    pipe = pipeline.TextToImage(reader.eval(), unet, autoencoder, card)
    parts = {
        "caption encoder": pipe.encoder,
        "U-Net": unet,
        "decoder": autoencoder.from_latent,
        "judge": judge,
    }
    hooks = [
        part.register_forward_hook(lambda *_, name=name: calls.update([name]))
        for name, part in parts.items()
    ]
    pipe("a red house on snow", num_inference_steps=8, guidance_scale=1.0)
    for hook in hooks:
        hook.remove()
    numbers: dict[str, float] = {name: calls[name] for name in parts}
    told = ", ".join(f"{name} {calls[name]}" for name in parts)
    return Shown(f"Calls while one picture was made in 8 steps: {told}.", numbers)


def random_latents() -> Shown:
    """Plain noise, decoded, beside the latents of real postcards, decoded."""
    autoencoder, about = models.load_autoencoder()
    scenes = postcards.sample_scenes(4, seed=1, kind="single")
    noise = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    dice = noise / about["scaling_factor"]
    with torch.inference_mode():
        z = autoencoder.encode(postcards.draw(scenes))[0]
        made = [autoencoder.decode(one).clamp(-1, 1) for one in (z, dice)]
        back = [autoencoder.encode(images)[0] for images in made]
    real, random = (
        ((again - one).std() / one.std()).item() for again, one in zip(back, (z, dice), strict=True)
    )
    return with_pictures(
        torch.cat(made),
        ["a postcard's latent"] * 4 + ["a random latent"] * 4,
        "Above four postcards, from their latents. Below four random latents: patches in disorder.",
        f"Encoded once more, a postcard's latent is off by {real:.0%} of its spread, a random one "
        f"by {random:.0%}: what was drawn of it is no picture that the encoder knows.",
        {"real": real, "random": random},
        columns=4,
    )


def size_of_latents() -> Shown:
    """The spread of latents before and after scaling, and how much noise that means at t = 0.5."""
    autoencoder, _ = models.load_autoencoder()
    with torch.inference_mode():
        z = autoencoder.encode(postcards.draw(postcards.sample_scenes(64, seed=1)))[0]
    factor = 1 / z.std()
    ratio = schedule.snr(torch.tensor([0.5]), schedule.cosine).item()
    numbers = {
        "before": z.std().item(),
        "after": (factor * z).std().item(),
        "ratio before": ratio * z.var().item(),
        "ratio after": ratio * (factor * z).var().item(),
    }
    words = (
        f"Latents of 64 postcards: standard deviation {numbers['before']:.2f}; divided by that, "
        f"{numbers['after']:.2f}. At t = 0.5 the variance of the latents is "
        f"{numbers['ratio before']:.1f} times that of the noise before dividing, and "
        f"{numbers['ratio after']:.1f} times after."
    )
    return Shown(words, numbers)


def line_through_both() -> Shown:
    """The course's guidance formula, for the two numbers of the question."""
    without, with_caption = torch.tensor(0.2), torch.tensor(0.5)
    guided = {s: conditioning.guide(without, with_caption, s).item() for s in (0.0, 1.0, 3.0)}
    told = ", ".join(f"s = {s:g} gives {value:.1f}" for s, value in guided.items())
    return Shown(
        f"without + s (with - without): {told}.", {f"s = {s:g}": v for s, v in guided.items()}
    )


def four_wishes() -> Shown:
    """What the caption reader says to each of the four wishes."""
    understood, told = {}, []
    for name, wish in _WISHES.items():
        try:
            conditioning.tokenise([wish])
            understood[name] = 1.0
        except postcards.UnknownWord:
            understood[name] = 0.0
        told.append(f"{name}, “{wish}”: {'understood' if understood[name] else 'unknown word'}")
    told.append(f"pairs that no training shows: {_pairs()}")
    return Shown(f"{'; '.join(told)}.", understood)


def _pairs() -> str:
    """The held-out pairs of colour and object."""
    return ", ".join(f"{colour} {name}" for name, colour in sorted(postcards.HELD_OUT))
