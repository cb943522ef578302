"""Demonstrations about latents and words: the parts of text to image, and what they understand."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from diffusion_lessons import conditioning, models, pipeline, postcards, schedule
from diffusion_lessons.scoring import recognition


def parts_at_work() -> tuple[dict, None]:
    """Count how often each part is called while one picture is made in 8 steps."""
    reader, _ = models.load_caption_reader()
    autoencoder, about = models.load_autoencoder()
    unet = models.TextUNet().eval()  # not trained: calls are counted, no picture is looked at
    card = {"schedule": "cosine", "kind": "x_0", "scaling_factor": about["scaling_factor"]}
    pipe = pipeline.TextToImage(reader.eval(), unet, autoencoder, card)
    parts = {
        "caption encoder": pipe.encoder,
        "U-Net": unet,
        "decoder": autoencoder.from_latent,
        "judge": recognition.load("judge").network,
    }
    calls = Counter(dict.fromkeys(parts, 0))
    hooks = [
        part.register_forward_hook(lambda *_, name=name: calls.update([name]))
        for name, part in parts.items()
    ]
    pipe("a red house on snow", num_inference_steps=8, guidance_scale=1.0)
    for hook in hooks:
        hook.remove()
    return dict(calls), None


def random_latents() -> tuple[dict, Tensor]:
    """Plain noise, decoded, beside the latents of real postcards, decoded."""
    autoencoder, about = models.load_autoencoder()
    noise = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    scenes = postcards.sample_scenes(4, seed=1, kind="single")
    real, random = autoencoder.encode(postcards.draw(scenes))[0], noise / about["scaling_factor"]
    numbers, decoded = {}, []
    for name, z in (("real", real), ("random", random)):
        decoded.append(autoencoder.decode(z).clamp(-1, 1))
        again = autoencoder.encode(decoded[-1])[0]
        numbers[name] = ((again - z).std() / z.std()).item()
    return numbers, torch.cat(decoded)


def size_of_latents() -> tuple[dict, None]:
    """The spread of latents before and after scaling, and how much noise that means at t = 0.5."""
    autoencoder, _ = models.load_autoencoder()
    before = autoencoder.encode(postcards.draw(postcards.sample_scenes(64, seed=1)))[0]
    after = before / before.std()
    ratio = schedule.snr(torch.tensor([0.5]), schedule.cosine).item()
    numbers: dict[str, float] = {}
    for name, z in (("before", before), ("after", after)):
        numbers |= {name: z.std().item(), f"ratio {name}": ratio * z.var().item()}
    return numbers, None


def line_through_both() -> tuple[dict, None]:
    """The course's guidance formula, for the two numbers of the question."""
    without, with_caption = torch.tensor(0.2), torch.tensor(0.5)
    scales = (0.0, 1.0, 3.0)
    return {f"s = {s:g}": conditioning.guide(without, with_caption, s).item() for s in scales}, None


def four_wishes() -> tuple[dict, None]:
    """What the caption reader says to each of the four wishes, and the held-out pairs."""
    found = {}
    for wish in ("a red cat", "a toadstool at dusk", "two pink boats", "a dog on sand"):
        try:
            conditioning.tokenise([wish])
            found[wish] = "understood"
        except postcards.UnknownWord:
            found[wish] = "unknown word"
    pairs = (f"{colour} {name}" for name, colour in sorted(postcards.HELD_OUT))
    return found | {"pairs": ", ".join(pairs)}, None
