"""The exercises of lesson 07: flow_loss, flow_step, bug_shift; adaln, joint; the loss of choices;
distill_target; expand.

Of the first three data and noise are points (B, D), and t is one time for each, (B, 1). Of the
next two tokens are (B, N, C), and each of queries, keys and values is (B, heads, N, 32). The loss
is given a network's losses as functions from x_0, t and eps to the loss of each picture, (B,). A
teacher is a function from x_t, t, one number, and a context to its guess of x_0. Facts are numbers
of words, int64 (B, 7), 0 for what is left open, as `conditioning.attribute_targets` has them.
"""

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from .exercise import Exercise, draw, normal


def _ask(x_t: Tensor, t: Tensor) -> Tensor:
    """A network that looks at x_t and at t."""
    return torch.sin(2 * x_t) + 0.3 * x_t + t**2


def _times(*times: float) -> Tensor:
    return torch.tensor(times)[:, None]


flow_loss = Exercise(  # Liu et al. 2022, eq. 1, with the sign of time and velocity turned
    """
    def my_flow_loss(ask, x_0, eps, t):
        x_t = (1 - t) * x_0 + t * eps
        u = eps - x_0
        return (ask(x_t, t) - u).square().mean()
    """,
    praise="A straight path from data to noise, and its velocity as the target: rectified flow.",
    trials={
        f"{len(t)} points": {"ask": _ask} | draw("x_0 eps", len(t), 2) | {"t": t}
        for t in (_times(0.1, 0.5, 0.8, 0.95), _times(0.3, 0.6), _times(0.02))
    },
    slips={
        "(1 - t) * x_0 + t * eps => t * x_0 + (1 - t) * eps":
            "t and 1 - t are exchanged: at t = 0 yours is pure noise. In this course t = 0 is the "
            "clean end, and t = 1 the noise.",
        "u = eps - x_0 => u = x_0 - eps":
            "The velocity points to the data. That is the sign of Liu et al., whose time runs from "
            "noise to data. Here t grows towards the noise, and so does x_t: eps - x_0.",
        "(1 - t) * x_0 + t * eps => t * x_0 + (1 - t) * eps; u = eps - x_0 => u = x_0 - eps":
            "Time runs the other way here, as in Liu et al.: data at 1. The course has data at "
            "t = 0 and noise at t = 1, in the path and in the velocity.",
        "u = eps - x_0 => u = eps":
            "The target is the noise, as in lesson 02. A velocity says how x_t changes with t: "
            "take the slope of (1 - t) * x_0 + t * eps.",
        "u = eps - x_0 => u = eps - x_t":
            "The velocity leads from the data to the noise, all the way: eps - x_0. From x_t on it "
            "would be shorter and shorter.",
        "(1 - t) * x_0 + t * eps => (1 - t**2) ** 0.5 * x_0 + t * eps":
            "The squares of the two rates add up to 1: that path is curved. On a straight path the "
            "rates themselves do: 1 - t and t.",
        "ask(x_t, t) => ask(x_0, t)":
            "The network is shown the clean data. It has to answer for x_t.",
        ".square().mean() => .square().sum()":
            "It is the sum of the squares; a loss is their mean, whatever the size of the batch.",
    },
)  # fmt: skip

flow_step = Exercise(  # Liu et al. 2022, algorithm 1
    """
    def my_flow_step(x_t, u, t, t_next):
        return x_t + (t_next - t) * u
    """,
    praise="Straight on with the velocity, for as long as the step takes.",
    trials={
        f"{count} points, from t = {t} to {t_next}": draw("x_t u", count, 2, t=t, t_next=t_next)
        for count, t, t_next in [(4, 1.0, 0.75), (1, 0.1, 0.0), (7, 0.6, 0.2)]
    },
    slips={
        "t_next - t => t - t_next":
            "The step goes up, to more noise. u points to the noise, and t_next is below t: let "
            "t_next - t, which is below 0, turn it round.",
        "x_t + (t_next - t) * u => x_t - t * u":
            "It walks all the way to t = 0 at once. A step lasts from t to t_next only.",
        "x_t + (t_next - t) * u => x_t + t * u":
            "It walks by t, and towards the noise. A step lasts t_next - t.",
        "x_t + (t_next - t) * u => x_t - t_next * u":
            "It walks by t_next. A step lasts t_next - t, however late it is.",
        "x_t + (t_next - t) * u => x_t - u":
            "It walks for the whole time from 1 to 0. A step lasts t_next - t.",
        "x_t + (t_next - t) * u => (t_next - t) * u":
            "That is the change alone. It is added to where the walk is: x_t + ...",
        "x_t + (t_next - t) * u => (1 - t_next) * x_t + t_next * u":
            "u is no noise to be mixed in. It says how fast x_t moves, and where to.",
    },
)  # fmt: skip

bug_shift = Exercise(  # Esser et al. 2024, eq. 23
    """
    def published_times(num_steps, shift):
        t = torch.linspace(1, 0, num_steps + 1)
        return shift * t / (1 + (shift - 1) * t)
    """,
    praise="Shifted once: with shift 3 the middle of the walk is at t = 0.75.",
    trials={
        f"{n} steps, shift {shift:g}": {"num_steps": n, "shift": shift}
        for n, shift in [(4, 3.0), (10, 1.5), (1, 2.0), (5, 1.0)]
    },
    slips={
        "t = torch.linspace(1, 0, num_steps + 1) => "
        "t = torch.linspace(1, 0, num_steps + 1)\n    t = shift * t / (1 + (shift - 1) * t)":
            "This behaves as printed: with shift 3, half of the walk lies above t = 0.9. Which "
            "shift would give that, applied once?",
        "return shift * t / (1 + (shift - 1) * t) => return t":
            "The times are not shifted at all.",
        "shift * t / (1 + (shift - 1) * t) => t / (shift + (1 - shift) * t)":
            "That is the inverse: it spends the steps where there is little noise.",
        "shift * t / (1 + (shift - 1) * t) => (shift * t).clamp(max=1)":
            "The times pile up at 1. The formula's divisor keeps them below: 1 + (shift - 1) * t.",
        "torch.linspace(1, 0, num_steps + 1) => torch.linspace(0, 1, num_steps + 1)":
            "They rise: from the clean picture to noise. A sampler goes the other way.",
    },
)  # fmt: skip


def _losses(x_0: Tensor, t: Tensor, eps: Tensor, scale: float) -> Tensor:
    """Return what a network might lose: errors that hang on picture, time and noise, (B,)."""
    error = scale * x_0 - eps.sin() + t[:, None, None, None]
    return error.square().flatten(1).mean(1)


def _tokens(count: int) -> dict:
    """Tokens with their norm, what follows it, and a shift, a scale and a gate for each item."""
    modulation = {
        name: normal(2, 1, 6, seed=n) for n, name in enumerate(("shift", "scale", "gate"))
    }
    return {
        "x": 2 * normal(2, count, 6, seed=3) + 1,
        "norm": partial(functional.layer_norm, normalized_shape=(6,)),
        "layer": partial(functional.linear, weight=normal(6, 6, seed=4), bias=normal(6, seed=5)),
    } | modulation


dpo_loss = Exercise(  # Wallace et al. 2024 (Diffusion-DPO), equation 14
    """
    def my_dpo_loss(winners, losers, t, eps, tuned, frozen, beta):
        better = tuned(winners, t, eps) - frozen(winners, t, eps)
        worse = tuned(losers, t, eps) - frozen(losers, t, eps)
        return -torch.nn.functional.logsigmoid(-beta / 2 * (better - worse)).mean()
    """,
    praise="A choice counts as far as the tuned network tells its two pictures apart better than "
    "the frozen one does.",
    trials={
        f"{count} pairs, beta = {beta:g}": draw("winners losers", count, 4, 3, 3)
        | {"t": torch.linspace(0.1, 0.9, count), "eps": normal(count, 4, 3, 3, seed=3)}
        | {name: partial(_losses, scale=n) for name, n in (("tuned", 0.9), ("frozen", 0.7))}
        | {"beta": beta}
        for count, beta in [(3, 20.0), (1, 5.0), (4, 60.0)]
    },
    slips={
        "(better - worse) => (worse - better)":
            "This learns to paint what was not chosen: winner and loser are exchanged, or the "
            "minus before beta is missing. A winner is to have the *smaller* loss.",
        "(better - worse) => better":
            "The losers do not count. A choice is between two: what matters is by how much more "
            "the winner has changed for the better than the loser.",
        " - frozen(winners, t, eps) => ;  - frozen(losers, t, eps) => ":
            "The frozen network is missing. Some pictures are simply harder than others; what "
            "counts is by how much the *tuning* has changed a loss.",
        "tuned(losers, t, eps) - frozen(losers, t, eps) => "
        "tuned(losers, t, eps.roll(1, 0)) - frozen(losers, t, eps.roll(1, 0))":
            "The two pictures of a pair are under different noise. Then their losses differ by "
            "chance, more than by taste: give both the same eps.",
        "-torch.nn.functional.logsigmoid(-beta / 2 * (better - worse)).mean() => "
        "-torch.nn.functional.logsigmoid(-beta / 2 * (better - worse).mean())":
            "The mean is taken before the logsigmoid. Each pair is a choice of its own: mean last.",
        ".mean() => .sum()":
            "The sum over the pairs grows with the batch. Take the mean.",
        "-beta / 2 => -beta": "The factor 1 / 2 before beta is missing.",
        "-torch.nn.functional.logsigmoid => torch.nn.functional.logsigmoid":
            "The sign in front: this is the logarithm of a probability, at most 0, and training "
            "makes a loss small. Put a minus before it.",
    },
)  # fmt: skip

adaln = Exercise(  # Peebles & Xie 2023, section 3.2 (adaLN-zero)
    """
    def my_adaln(x, norm, layer, shift, scale, gate):
        return x + gate * layer(norm(x) * (1 + scale) + shift)
    """,
    praise="With shift, scale and gate at zero it changes nothing: so an untrained block begins.",
    trials={f"{count} tokens": _tokens(count) for count in (5, 3)},
    slips={
        "gate * layer => layer":
            "The gate is missing. Then an untrained block adds whatever its random weights make.",
        "gate * layer => (1 + gate) * layer":
            "1 + gate is not zero at first: the block would change its tokens before it has "
            "learned how. Only the scale gets a 1.",
        "(1 + scale) => scale":
            "At scale 0 nothing of x comes through, and zero is where training begins: 1 + scale.",
        "norm(x) * (1 + scale) + shift => norm(x * (1 + scale) + shift)":
            "Scaled and shifted first, and then normalised, which takes most of it away again.",
        "norm(x) * (1 + scale) + shift => (norm(x) + shift) * (1 + scale)":
            "The shift is scaled, too. First scale, then shift.",
        "x + gate * => gate *":
            "The shortcut is lost: with the gate closed, x itself has to come through. x + ...",
        "gate * (x + layer(norm(x) * (1 + scale) + shift))":
            "The gate is before x as well: closed, it lets nothing through at all.",
        "norm(x) * => x *": "x is not normalised: norm(x).",
    },
)  # fmt: skip

joint = Exercise(  # Esser et al. 2024 (Stable Diffusion 3), section 4
    """
    def my_joint(of_places, of_words):
        q, k, v = torch.cat([of_places, of_words], dim=-2)
        return (q @ k.mT / 32**0.5).softmax(dim=-1) @ v
    """,
    praise="One attention for all: places ask places and words, and so do the words.",
    trials={
        f"{places} places, {words} words": {
            "of_places": normal(3, 2, 2, places, 32, seed=1),
            "of_words": normal(3, 2, 2, words, 32, seed=2),
        }
        for places, words in [(4, 3), (2, 5)]
    },
    slips={
        "softmax(dim=-1) => softmax(dim=-2)":
            "The softmax runs over those who ask. Each token shares its attention among those that "
            "it asks: the last axis.",
        "q @ k.mT / 32**0.5 => q @ k.mT":
            "The products are not divided by the root of 32. They are so large that one token "
            "takes all the attention.",
        "32**0.5 => 32": "Divided by 32 instead of its root: all are asked nearly alike.",
        "[of_places, of_words] => [of_words, of_places]":
            "The words come first. Whoever calls this takes the first tokens for the places.",
        "(q @ of_places[1].mT / 32**0.5).softmax(dim=-1) @ of_places[2]":
            "Only places are asked, so nobody hears a word of the caption: q @ k.mT, with the keys "
            "of both.",
        "(q @ of_words[1].mT / 32**0.5).softmax(dim=-1) @ of_words[2]":
            "Only words are asked: that is lesson 05's cross-attention. Here places ask each other "
            "as well, in the same softmax.",
        "torch.cat([(q @ k.mT / 32**0.5).softmax(dim=-1) @ v "
        "for q, k, v in (of_places, of_words)], dim=-2)":
            "Places ask places, and words ask words: the two never meet. Put them into one "
            "sequence before the softmax.",
    },
)  # fmt: skip


_WEIGHT = torch.tensor([0.7, 0.4], requires_grad=True)  # a network's, so that it has a gradient


def _teacher(x_t: Tensor, t: Tensor, context: Tensor) -> Tensor:
    """Guess x_0 as a network might: from what is seen, when, and what it is to be."""
    return torch.tanh(_WEIGHT[0] * x_t - t**2) + _WEIGHT[1] * context


def _step(x_t: Tensor, x_0_hat: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    """Take a step of a walk, straight towards the guess."""
    return x_0_hat + (x_t - x_0_hat) * t_next / t


distill_target = Exercise(  # Salimans & Ho 2022, algorithm 2; Meng et al. 2023 on guidance
    """
    def my_distill_target(teacher, noise, context, null_context, times, guidance_scale, step):
        x_t = noise
        with torch.no_grad():
            for t, t_next in pairwise(times):
                without, told = teacher(x_t, t, null_context), teacher(x_t, t, context)
                x_0_hat = without + guidance_scale * (told - without)
                x_t = step(x_t, x_0_hat, t, t_next)
        return x_t
    """,
    praise="One definite picture for each noise, with the guidance already in it.",
    trials={
        f"{count} latents, {steps} steps, scale {scale}": {"teacher": _teacher}
        | draw("noise context null_context", count, 4, 3, 3)
        | {"times": torch.linspace(1, 0, steps + 1), "guidance_scale": scale, "step": _step}
        for count, steps, scale in [(3, 4, 2.5), (2, 8, 4.0), (2, 2, 1.5)]
    },
    slips={
        "noise":
            "That is where the walk begins. A student that learns it gives the noise back.",
        "in pairwise(times) => in [(times[0], 0 * times[0])]":
            "That is the teacher's first guess, a mean of all pictures that fit: a blur. Walk on, "
            "over all times, and take where the walk ends.",
        "guidance_scale * (told - without) => guidance_scale**2 * (told - without)":
            "The guidance is in it twice, and the pictures burn. Guide the two answers once.",
        "x_0_hat = without + guidance_scale * (told - without) => x_0_hat = told":
            "The teacher walks without guidance. The student will have none of its own: it has to "
            "be in the target.",
        "null_context), teacher(x_t, t, context) => "
        "null_context), teacher(x_t, t_next, context)":
            "The teacher is told the wrong time for x_t: that is as noisy as t says, and not as "
            "t_next does.",
        "teacher(x_t, t, null_context), teacher(x_t, t, context) => "
        "teacher(x_t, t_next, null_context), teacher(x_t, t_next, context)":
            "The teacher is told t_next, and x_t is still as noisy as t says.",
        "step(x_t, x_0_hat, t, t_next) => step(x_t, x_0_hat, t_next, t)":
            "The step goes from t_next up to t, and the last one cannot even start, at 0. It goes "
            "down: from t to t_next.",
        "step(x_t, x_0_hat => step(noise, x_0_hat":
            "Each step starts again from the noise. A walk goes on from where it is: x_t.",
    },
    names={"pairwise": pairwise},
)  # fmt: skip


expand = Exercise(  # as the prompts of DALL-E 3 are expanded: Betker et al. 2023
    """
    def my_expand(said, drawn):
        return torch.where(said == 0, drawn, said)
    """,
    praise="What was said stays, and what was left open is drawn.",
    trials={
        f"{len(said)} prompts": {
            "said": torch.tensor(said),
            "drawn": torch.randint(
                1, 4, (len(said), 7), generator=torch.Generator().manual_seed(len(said))
            ),
        }
        for said in (
            [[0, 0, 1, 0, 0, 0, 1], [4, 0, 8, 5, 0, 2, 1], [0, 3, 2, 1, 1, 0, 1]],
            [[5, 4, 7, 7, 2, 3, 2], [0, 0, 0, 6, 0, 0, 0]],
        )
    },
    slips={
        "drawn": "What was said is lost: who asks for a red house gets any thing in any colour.",
        "said":
            "What was left open still is: the prompt is as short as before. Draw where it is 0.",
        "said == 0, drawn, said => said == 0, said, drawn":
            "The wrong way round: what was said is drawn again, and what was left open stays so.",
        "said == 0 => said <= 1":
            "1 is a word too, the first of its list. Only 0 is left open.",
        "said == 0 => said == 1":
            "1 is a word, the first of its list. What is left open has the number 0.",
        "torch.maximum(said, drawn)":
            "The larger number wins, also over what was said. Draw only where said is 0.",
        "said + drawn":
            "Where something was said, two numbers are added: a third word, that nobody meant.",
    },
)  # fmt: skip
