"""The exercises of lesson 06: begin, walk, blend, renoise.

Latents have the course's shape (B, C, h, w), rates are pairs of (B, 1, 1, 1) as a schedule returns
them, a mask is 1 where a picture is repainted.
"""

import torch

from diffusion_lessons.schedule import cosine

from .exercise import Exercise, draw, normal


def _rates(*times: float) -> list:
    return [cosine(torch.tensor([t])) for t in times]


def _walk(count: int, strength: float) -> dict:
    times = torch.linspace(1, 0, count + 1)
    step = {"step": lambda x_t, t, t_next: 0.9 * x_t + torch.sin(x_t) * t - t_next**2}
    return {"x_t": normal(2, 4, 3, 3, seed=count), "times": times, "strength": strength} | step


def _step(seed: int, names: str, t: float, t_next: float) -> dict:
    latents = {name: normal(2, 4, 3, 3, seed=seed + i) for i, name in enumerate(names.split())}
    return latents | dict(zip(("rates", "rates_next"), _rates(t, t_next), strict=True))


def _blend(seed: int, t: float, t_next: float) -> dict:
    step = _step(seed, "x_next x_0 eps mask rates", t, t_next)
    return step | {"mask": (step["mask"] > 0).float()[:, :1]}


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
    why={"scaling_factor * z": "The U-Net has only seen latents of the size of noise."},
    slips={
        "scaling_factor * z => z":
            "The latent is not scaled. It is nearly twice as large as the network knows it, so "
            "the noise counts for half: multiply z by scaling_factor first.",
        "scaling_factor * z => z / scaling_factor":
            "z is divided by the factor. That is the way out, before the decoder; on the way in "
            "it is multiplied.",
        "x_0 + noise_rate * eps":
            "The picture keeps its full size. Where noise comes in, the picture has to shrink: "
            "signal_rate * x_0.",
        "scaling_factor * (signal_rate * z + noise_rate * eps)":
            "The noise is scaled too. It has the right size already: scale z alone.",
    },
)  # fmt: skip

bug_walk = Exercise(
    """
    def published_walk(x_t, times, strength, step):
        times = times[times <= strength]
        for t, t_next in zip(times[:-1], times[1:]):
            x_t = step(x_t, t, t_next)
        return x_t
    """,
    praise="The walk begins where the noise is: at t_0, and from there down.",
    trials={
        f"{count} steps, strength {s}": _walk(count, s)
        for count, s in [(10, 0.5), (4, 1.0), (5, 0.0), (8, 0.25), (10, 0.33)]
    },
    why={"times <= strength": "With strength 1 all times count, with 0 not one step is taken."},
    slips={
        "times = times[times <= strength] => times = times":
            "This behaves as printed: it walks all the way from t = 1, whatever the strength. At "
            "which time is x_t as noisy as the network is told?",
        "times <= strength => times < strength":
            "The time t_0 itself is missing, so the first step begins too late: <=.",
        "times <= strength => times >= strength":
            "It walks from t = 1 down to t_0, and stops where it should begin.",
        "times[times <= strength] => strength * times":
            "It takes all steps, each of them shorter. That is another walk: `strength` says how "
            "many of the given times are used.",
    },
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
        "from t = 0.6 to 0.5": _blend(1, 0.6, 0.5),
        "from t = 0.1 to 0": _blend(2, 0.1, 0.0),
        "from t = 1 to 0.75": _blend(3, 1.0, 0.75),
    },
    why={"mask * x_next": "The mask is 1 where the picture is repainted."},
    slips={
        "= rates_next => = rates":
            "The known part is noised to t. The step has just gone to t_next: there the rest is "
            "less noisy, and so must be the known part. Take rates_next.",
        "known = a * x_0 + b * eps => known = x_0":
            "The known part is clean, and the rest is noisy. The network expects one noise level "
            "everywhere.",
        "mask * known + (1 - mask) * x_next":
            "The other way round: it keeps what is marked, and repaints the rest.",
        "mask * x_next + known":
            "The known part is added inside the mask, too: (1 - mask) * known.",
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
        "from t = 0.5 to 0.6": _step(1, "x_next noise", 0.6, 0.5),
        "from t = 0.2 to 0.9": _step(2, "x_next noise", 0.9, 0.2),
        "from t = 0 to 0.1": _step(3, "x_next noise", 0.1, 0.0),
    },
    why={"a / a_next": "Of the signal a_next is there already, and a is to be left."},
    slips={
        "a * x_next + b * noise":
            "It noises x_next as if it were clean, and it is half noise already: too much noise. "
            "Shrink it by the ratio a / a_next only, and fill up what is missing.",
        "ratio * x_next + b * noise":
            "x_next brings noise along, (ratio * b_next)**2 of variance. Only the rest is fresh.",
        "a_next * x_next + b_next * noise":
            "These are the rates of t_next. It should go up to t.",
        "noise": "It starts again from pure noise, and what was painted is lost.",
    },
)  # fmt: skip
