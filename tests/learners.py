"""Answers of learners with words of their report: right ones written otherwise, and wrong ones.

`learners.json` holds those that are source as in `Exercise.slips`: the line that is returned
instead of the solution's, or changes of the solution ("old => new"). Those here are functions.
"""

import math

import numpy as np
import torch

from diffusion_lessons import prediction, sampling
from diffusion_lessons.checks import EXERCISES
from diffusion_lessons.schedule import add_noise, linear, row_to_t
from tests.claims import tables


def walk(steps_of, eps_of=lambda eps: eps):
    """Return `jump` as a walk of `steps_of(row)` steps, each picture for itself."""

    def jump(x_0, eps, row, beta):
        pictures = []
        for x, e, r in zip(x_0, eps, row.tolist(), strict=True):
            for b in beta[: steps_of(r)].tolist():
                x = (1 - b) ** 0.5 * x + b**0.5 * eps_of(e)
            pictures.append(x)
        return torch.stack(pictures)

    return jump


def jump_in_numpy(x_0, eps, row, beta):
    kept = np.cumprod(1 - beta.numpy())[row.numpy()][:, None, None, None]
    return (torch.tensor(kept**0.5) * x_0 + torch.tensor((1 - kept) ** 0.5) * eps).float()


def jump_picture_by_picture(x_0, eps, row, beta):
    pictures = []
    for x, e, r in zip(x_0, eps, row, strict=True):
        kept = math.prod((1 - b) for b in beta[: r + 1].tolist())
        pictures.append(math.sqrt(kept) * x + math.sqrt(1 - kept) * e)
    return torch.stack(pictures)


def exact_member_by_member(x_t, x_0_set, signal_rate, noise_rate):
    means = []
    for x in x_t:
        distance = torch.stack([((x - signal_rate * member) ** 2).sum() for member in x_0_set])
        weights = torch.exp(-distance / (2 * noise_rate**2))
        means.append((weights[:, None] * x_0_set).sum(0) / weights.sum())
    return torch.stack(means)


def exact_by_the_package(x_t, x_0_set, signal_rate, noise_rate):
    rates = torch.full((len(x_t), 1, 1, 1), signal_rate), torch.full((1, 1, 1, 1), noise_rate)
    denoiser = prediction.exact_denoiser(x_0_set, lambda t: rates)
    return denoiser(x_t, torch.ones(len(x_t))).x_0


def guesses_by_the_package(kind, output, x_t, signal_rate, noise_rate):
    rates = (torch.full((len(x_t), 1, 1, 1), rate) for rate in (signal_rate, noise_rate))
    found = prediction.read_off(kind, output, x_t, *rates)
    return torch.stack([found.x_0, found.eps])


def skips_by_index(x, downs, ups):
    maps = [x]
    for down in downs:
        maps.append(down(maps[-1]))
    x = maps.pop()
    for up, skip in zip(ups, reversed(maps), strict=True):
        x = up(x, skip)
    return x


def skips_by_recursion(x, downs, ups):
    if not downs:
        return x
    return ups[-1](skips_by_recursion(downs[0](x), downs[1:], ups[:-1]), x)


def ddpm_as_ddim(x_t, x_0_hat, noise, rates, rates_next):
    """Take DDPM's step as DDIM's with eta = 1."""
    a, b = rates
    eps_hat = (x_t - a * x_0_hat) / b
    return EXERCISES["ddim_step"].function(x_0_hat, eps_hat, noise, rates, rates_next, 1.0)


def ddim_in_float64(*inputs):
    *blocks, eta = inputs
    return EXERCISES["ddim_step"].function(*(block.double() for block in blocks), eta).float()


def walk_by_rows(ask, step, x_t, times, rates, eta, chance):
    for i in range(len(times) - 1):
        guess = ask(x_t, torch.full((len(x_t),), times[i].item()))
        fresh = torch.empty_like(x_t).normal_(generator=chance)
        x_t = step(guess.x_0, guess.eps, fresh, *rates[i : i + 2], eta)
    return x_t


def quantise_vector_by_vector(z, codebook):
    numbers = torch.tensor([int((codebook - one).norm(dim=1).argmin()) for one in z])
    return z + (codebook.index_select(0, numbers) - z).detach(), numbers


class StraightThrough(torch.autograd.Function):
    """The codes, with the gradient of z: written without `detach`."""

    @staticmethod
    def forward(ctx, z, codes):
        return codes.clone()

    @staticmethod
    def backward(ctx, slope):
        return slope, None


def quantise_by_autograd(z, codebook):
    numbers = torch.cdist(z, codebook).argmin(dim=1)
    return StraightThrough.apply(z, codebook[numbers]), numbers


def mask_row_by_row(n):
    return torch.tensor([[j <= i for j in range(n)] for i in range(n)])


def write_into_a_table(step, places, temperature, scale, dice):
    told, without, cache = step(None, None)
    codes = torch.empty(len(told), places, dtype=torch.long)
    for place in range(places):
        if place > 0:
            told, without, cache = step(codes[:, place - 1], cache)
        logits = torch.lerp(without, told, scale) / temperature
        drawn = torch.multinomial(logits.log_softmax(dim=1).exp(), 1, generator=dice)
        codes[:, place] = drawn.squeeze(1)
    return codes


RIGHT = "✓ Right."

ANSWERS = [
    (name, words, answer)
    for name, answers in tables(__file__).items()
    for answer, words in answers.items()
] + [
    ("noising_step", "(x_prev, eps, beta), in this order", lambda x: x),
    ("jump", RIGHT, jump_in_numpy),
    ("jump", RIGHT, jump_picture_by_picture),
    ("jump", "take one number", lambda x_0, eps, row, beta: math.sqrt(beta[row]) * x_0),
    ("jump", "linear table, whatever `beta` is given",
     lambda x_0, eps, row, beta: add_noise(x_0, eps, row_to_t(row), linear)),
    ("jump", "SAME eps each time", walk(lambda row: row + 1)),
    ("jump", "SAME eps each time", walk(lambda row: row)),
    ("jump", "random numbers of its own", walk(lambda row: row + 1, torch.randn_like)),
    ("bug_mix", RIGHT, lambda x, e, a: x * float(np.sqrt(a)) + e * float(np.sqrt(1 - a))),
    ("bug_mix", RIGHT, lambda x, e, a: a**0.5 * x + math.sin(math.acos(a**0.5)) * e),
    ("exact_denoiser", RIGHT, exact_member_by_member),
    ("exact_denoiser", RIGHT, exact_by_the_package),
    ("both_guesses", RIGHT, guesses_by_the_package),
    ("res_block", RIGHT, lambda block, x, emb: block(x, emb)),
    ("res_block", "has no attribute 'conv2'", lambda block, x, emb: x + block.conv2(x)),
    ("bug_skips", RIGHT, skips_by_index),
    ("bug_skips", RIGHT, skips_by_recursion),
    ("ddpm_step", RIGHT, ddpm_as_ddim),
    ("ddim_step", RIGHT, ddim_in_float64),
    ("walk_back", RIGHT, walk_by_rows),
    ("bug_times", RIGHT, lambda num_steps: torch.linspace(1, 0, num_steps + 1)[:-1]),
    ("bug_times", RIGHT, lambda num_steps: sampling.times(num_steps)[:-1]),
    ("quantise", RIGHT, quantise_vector_by_vector),
    ("quantise", RIGHT, quantise_by_autograd),
    ("quantise", "(z, codebook), in this order", lambda z: z),
    ("causal_mask", RIGHT, mask_row_by_row),
    ("write", RIGHT, write_into_a_table),
]  # fmt: skip
"""An exercise, words of its report, and an answer."""

CHANCE = [
    ("bug_mix", "as printed. With", "alpha_bar**0.5 * x_0 + alpha_bar * eps"),
    ("bug_mix", "as printed. With", "(1 - alpha_bar) ** 0.5 * x_0 + alpha_bar * eps"),
    ("jump", "shrunken picture only",
     "alpha_bar.sqrt() * x_0 + torch.cumprod(beta, 0)[row].view(-1, 1, 1, 1).float().sqrt() * eps"),
    ("loss", "single number", "error.mean().item()"),
]  # fmt: skip
"""An exercise, words that fit on one trial by chance, and an answer that must not get them."""
