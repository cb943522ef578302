"""The exercises of lesson 06: begin, walk, blend, renoise, LoRA, zero, looks.

Rates are pairs (signal_rate, noise_rate) at one time; a mask is 1 where a picture is repainted.
"""

from functools import partial
from itertools import pairwise

import torch
from torch.nn import functional

from diffusion_lessons.schedule import cosine

from .exercise import Exercise, draw, normal


def _step(names: str, t: float, t_next: float) -> dict:
    """Latents by name, and the rates on both sides of a step."""
    rates = (cosine(torch.tensor([time])) for time in (t, t_next))
    of_step = draw(names, 2, 4, 3, 3) | dict(zip(("rates", "rates_next"), rates, strict=True))
    mask = {"mask": (of_step["mask"][:, :1] > 0).float()} if "mask" in of_step else {}
    return of_step | mask


_LAYERS = ("to_q", "to_k", "to_v", "to_k_ip", "to_v_ip")


def _linear(size: int, seed: int) -> partial:
    """A layer from `size` numbers to 32."""
    return partial(functional.linear, weight=normal(32, size, seed=seed) / size**0.5)


begin = Exercise(  # Meng et al. 2022 (SDEdit), algorithm 1
    """
    def my_begin(z, eps, scaling_factor, signal_rate, noise_rate):
        x_0 = scaling_factor * z
        return signal_rate * x_0 + noise_rate * eps
    """,
    praise="The picture is as noisy as the network expects it at that time.",
    trials={
        f"{count} latents, t_0 = {t}": draw("z eps", count, 4, 3, 3, scaling_factor=factor)
        | dict(zip(("signal_rate", "noise_rate"), cosine(torch.tensor([t])), strict=True))
        for count, t, factor in [(3, 0.5, 0.54), (1, 0.2, 0.18), (2, 0.9, 1.5)]
    },
    slips={
        "scaling_factor * z => z":
            "The latent is not scaled: it is nearly twice as large as the network knows it, and "
            "hides the noise. Multiply z by scaling_factor first.",
        "scaling_factor * z => z / scaling_factor":
            "z is divided by the factor. That belongs before the decoder; on the way in, multiply.",
        "scaling_factor * (signal_rate * z + noise_rate * eps)":
            "The noise is scaled too. It has the right size already: scale z alone.",
    },
)  # fmt: skip

bug_walk = Exercise(
    """
    def published_walk(x_t, times, strength, step):
        times = times[times <= strength]
        for t, t_next in pairwise(times):
            x_t = step(x_t, t, t_next)
        return x_t
    """,
    praise="The walk begins where the noise is: at t_0, and from there down.",
    trials={
        f"{count} steps, strength {s}": draw("x_t", 2, 4, 3, 3)
        | {"times": torch.linspace(1, 0, count + 1), "strength": s}
        | {"step": lambda x_t, t, t_next: 0.9 * x_t + torch.sin(x_t) * t - t_next**2}
        for count, s in [(10, 0.5), (4, 1.0), (5, 0.0), (8, 0.25), (10, 0.33)]
    },
    slips={
        "times = times[times <= strength] => times = times":
            "This behaves as printed: it walks all the way from t = 1, whatever the strength. At "
            "which time is x_t as noisy as the network is told?",
        "times <= strength => times >= strength":
            "It walks from t = 1 down to t_0, and stops where it should begin.",
        "times[times <= strength] => strength * times":
            "It takes all steps, each of them shorter. `strength` says how many of the given "
            "times are used.",
    },
    names={"pairwise": pairwise},
)  # fmt: skip

blend = Exercise(  # Lugmayr et al. 2022 (RePaint), algorithm 1, line 8
    """
    def my_blend(x_next, x_0, eps, mask, rates, rates_next):
        a, b = rates_next
        known = a * x_0 + b * eps
        return mask * x_next + (1 - mask) * known
    """,
    praise="Both parts are equally noisy, so the network sees one picture.",
    trials={
        f"from t = {t} to {t_next}": _step("x_next x_0 eps mask", t, t_next)
        for t, t_next in [(0.6, 0.5), (0.1, 0.0), (1.0, 0.75)]
    },
    slips={
        "= rates_next => = rates":
            "The known part is noised to t. The step has just gone to t_next, where the rest is "
            "less noisy, and so must be the known part: rates_next.",
        "known = a * x_0 + b * eps => known = x_0":
            "The known part is clean, and the rest noisy. The network expects one level of noise.",
        "mask * known + (1 - mask) * x_next":
            "The other way round: it keeps what is marked, and repaints the rest.",
    },
)  # fmt: skip

renoise = Exercise(  # Lugmayr et al. 2022, algorithm 1, line 10
    """
    def my_renoise(x_next, noise, rates, rates_next):
        (a, b), (a_next, b_next) = rates, rates_next
        ratio = a / a_next
        return ratio * x_next + (b**2 - (ratio * b_next)**2).sqrt() * noise
    """,
    praise="One step up: as noisy as t wants, and what the step has painted is still in it.",
    trials={
        f"from t = {t_next} to {t}": _step("x_next noise", t, t_next)
        for t, t_next in [(0.6, 0.5), (0.9, 0.2), (0.1, 0.0)]
    },
    slips={
        "a * x_next + b * noise":
            "It noises x_next as if it were clean, and it is half noise already. Shrink it by the "
            "ratio a / a_next only, and fill up what is missing.",
        "ratio * x_next + b * noise":
            "x_next brings noise along, (ratio * b_next)**2 of variance. Only the rest is fresh.",
        "noise": "It starts again from pure noise, and what was painted is lost.",
    },
)  # fmt: skip

lora_merge = Exercise(  # Hu et al. 2022 (LoRA), equation 3
    """
    def my_merge(weight, a, b, alpha, scale):
        rank = len(a)
        return weight + scale * alpha / rank * (b @ a)
    """,
    praise="The frozen weight is still there, and the change is as thin as you like.",
    trials={
        f"rank {r}, scale {scale}": draw("weight", n, m)
        | {"a": normal(r, m, seed=2), "b": normal(n, r, seed=3), "alpha": alpha, "scale": scale}
        for n, m, r, alpha, scale in [(6, 5, 2, 4.0, 1.0), (4, 4, 3, 8.0, 0.5)]
    },
    slips={
        "scale * alpha / rank * => scale * alpha *":
            "alpha is not divided by the rank. Then twice the rank is twice the change.",
        "scale * alpha / rank * => scale *":
            "The factor alpha / rank is missing: it says how large the change is, at any rank.",
        "scale * alpha / rank * (b @ a)":
            "That is the change alone. The frozen weight stays: weight + ...",
        "scale * (weight + alpha / rank * (b @ a))":
            "The frozen weight is scaled too. At scale 0 it has to be as it was.",
        "alpha / rank => rank / alpha":
            "The factor is upside down: the change is divided by the rank, and grows with alpha.",
        "b @ a => a.T @ b.T": "It is turned: of shape (in, out). b @ a has the shape of weight.",
    },
)  # fmt: skip

bug_lora = Exercise(  # Hu et al. 2022, section 4.1
    """
    def published_lora(weight, noise, x, y):
        a, b = noise, torch.zeros(len(weight), len(noise))
        for _ in range(20):
            error = x @ (weight + b @ a).T - y  # (B, out)
            slope = error.T @ x / len(x)  # of the loss, in the whole weight: (out, in)
            a, b = a - 0.1 * b.T @ slope, b - 0.1 * slope @ a.T
        return weight + b @ a
    """,
    praise="It begins at the frozen weight, as b is zero, and it learns, as a is not.",
    trials={
        f"rank {r}": draw("weight", 4, 5)
        | {"noise": normal(r, 5, seed=2) / 2, "x": normal(8, 5, seed=3), "y": normal(8, 4, seed=4)}
        for r in (2, 1)
    },
    slips={
        "a, b = noise, => a, b = torch.zeros_like(noise),":
            "This behaves as printed: it never learns. The gradient of b is slope @ a.T, and that "
            "of a is b.T @ slope. With both at zero both are zero, for ever. Which may be random?",
        "torch.zeros(len(weight), len(noise)) => torch.ones(len(weight), len(noise))":
            "It learns, but b @ a is not zero at first: it begins at another network.",
        "a, b = noise, torch.zeros(len(weight), len(noise)) => "
        "a, b = torch.zeros_like(noise), torch.ones(len(weight), len(noise))":
            "It learns, and begins at the frozen weight. But all ranks are alike, and stay so: "
            "let a be random, and b zero.",
    },
)  # fmt: skip

zero_conv = Exercise(  # Zhang et al. 2023 (ControlNet), section 3.1
    """
    def my_zero_conv(skip, found, weight, bias, scale):
        said = torch.einsum("oc,bchw->bohw", weight, found) + bias[:, None, None]
        return skip + scale * said
    """,
    praise="While weight and bias are zero nothing is added, and still they have a gradient.",
    trials={
        f"{size} channels, scale {scale}": draw("skip found", 2, size, 3, 3)
        | {"weight": normal(size, size, seed=3), "bias": normal(size, seed=4), "scale": scale}
        for size, scale in [(6, 1.0), (3, 0.5)]
    },
    slips={
        "skip + scale * said => scale * (skip + said)":
            "The skip is scaled as well. At scale 0 the U-Net has to be as it was.",
        "skip + scale * torch.einsum('oc,bchw->bohw', weight, found) + bias[:, None, None]":
            "The bias is added whatever the scale. It belongs to what the branch says: inside.",
        "scale * said": "The skip is lost: what the U-Net had is to stay, skip + ...",
        "oc,bchw => co,bchw": "The weight is turned: its rows make the new channels.",
    },
)  # fmt: skip

two_looks = Exercise(  # Ye et al. 2023 (IP-Adapter), equation 5
    """
    def my_two_looks(places, words, picture, to_q, to_k, to_v, to_k_ip, to_v_ip, scale):
        q = to_q(places) / 32**0.5
        said = (q @ to_k(words).T).softmax(dim=-1) @ to_v(words)
        shown = (q @ to_k_ip(picture).T).softmax(dim=-1) @ to_v_ip(picture)
        return said + scale * shown
    """,
    praise="What the words say is untouched, and the picture adds to it.",
    trials={
        f"{count} places, scale {scale}": {
            "places": normal(count, 8, seed=1),
            "words": normal(5, 6, seed=2),
            "picture": normal(4, 6, seed=3),
        }
        | {name: _linear(8 if name == "to_q" else 6, n) for n, name in enumerate(_LAYERS)}
        | {"scale": scale}
        for count, scale in [(7, 1.0), (3, 0.4)]
    },
    slips={
        "to_k_ip(picture) => to_k(picture)":
            "The picture is looked up with the keys of words. It has keys of its own: to_k_ip.",
        "to_v_ip(picture) => to_v(picture)":
            "The picture answers with the values of words. It has its own: to_v_ip.",
        "(q @ torch.cat([to_k(words), to_k_ip(picture)]).T).softmax(dim=-1) "
        "@ torch.cat([to_v(words), scale * to_v_ip(picture)])":
            "The tokens are appended to the words, and share one softmax with them: each look at "
            "the picture is one less at the words. Take two softmaxes, and add what they find.",
        "scale * said + shown": "The scale stands at the words. It says how much the picture adds.",
        "(1 - scale) * said + scale * shown":
            "It mixes the two. The words' answer stays whole; the picture's is added.",
    },
)  # fmt: skip
