"""Answers of learners: right ones written otherwise, and wrong ones with words of their report.

An answer is a function, or source as in `Exercise.slips`: the line that is returned instead of the
solution's, changes of the solution ("old => new"), or a whole function ("def ...").
"""

import math

import numpy as np
import torch

from diffusion_lessons import prediction, sampling
from diffusion_lessons.checks import EXERCISES
from diffusion_lessons.schedule import add_noise, linear, row_to_t


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


def f(t):
    return torch.cos((t + 0.008) / 1.008 * torch.pi / 2) ** 2


def f_with_math(t):
    return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2


F_0 = f(torch.tensor(0.0))


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


RIGHT = [
    ("noising_step", "torch.tensor(1 - beta).sqrt() * x_prev + torch.tensor(beta).sqrt() * eps"),
    ("noising_step", "x_prev.clone().mul_((1 - beta)**0.5).add_(eps, alpha=beta**0.5)"),
    ("jump", jump_in_numpy),
    ("jump", jump_picture_by_picture),
    ("snr", "(alpha_bar.sqrt() / (1 - alpha_bar).sqrt()) ** 2"),
    ("snr", "1 / (1 / alpha_bar - 1)"),
    ("cosine_alpha_bar", "(1 + torch.cos((t + 0.008) / 1.008 * torch.pi)) / (2 * start)"),
    ("cosine_alpha_bar", "torch.sin((1 - t) / 1.008 * torch.pi / 2) ** 2 / start"),
    # The tight tolerance of the cosine accepts any precision inside.
    ("cosine_alpha_bar", "(f(t.float()) / f(torch.zeros(1))).to(t.dtype)"),
    ("cosine_alpha_bar", "(f(t.double()) / f(torch.zeros(1).double())).to(t.dtype)"),
    ("cosine_alpha_bar", lambda t: f(t.float()).to(t.dtype) / F_0.to(t.dtype)),
    ("bug_mix", lambda x, e, a: x * float(np.sqrt(a)) + e * float(np.sqrt(1 - a))),
    ("bug_mix", lambda x, e, a: a**0.5 * x + math.sin(math.acos(a**0.5)) * e),
    ("bug_spread", "x.std(dim=0)"),
    ("bug_spread", "torch.from_numpy(x.numpy().std(axis=0))"),
    ("bug_steepest", lambda alpha_bar: np.diff(alpha_bar.numpy()).argmin()),
    ("bug_steepest", "int(torch.argmax(alpha_bar[:-1] - alpha_bar[1:]))"),
    ("exact_denoiser", exact_member_by_member),
    ("exact_denoiser", exact_by_the_package),
    ("time_features", "torch.hstack([torch.outer(t, frequency).sin(), angle.cos()])"),
    ("time_features", "torch.sin(torch.cat([angle, angle + torch.pi / 2], dim=1))"),
    ("both_guesses", guesses_by_the_package),
    ("both_guesses", "torch.stack([x_0, (x_t - signal_rate * x_0) / noise_rate])"),
    ("loss", "torch.nn.functional.mse_loss(model(x_t, t), eps)"),
    ("loss", "((model(x_t, t) - eps) ** 2).sum() / eps.numel()"),
    ("bug_loss", torch.nn.functional.mse_loss),
    ("bug_loss", "(output - eps).pow(2).sum() / eps.numel()"),
    ("bug_skips", skips_by_index),
    ("bug_skips", skips_by_recursion),
    ("ddpm_step", ddpm_as_ddim),
    ("ddim_step", ddim_in_float64),
    ("solver_step", "torch.expm1(-h) => (torch.exp(-h) - 1)"),
    ("bug_eta", "(eta**2 * variance) ** 0.5"),
    ("bug_times", lambda num_steps: torch.linspace(1, 0, num_steps + 1)[:-1]),
    ("bug_times", lambda num_steps: sampling.times(num_steps)[:-1]),
    ("decode", "h.unflatten(1, (3, 2, 2)).permute(0, 1, 4, 2, 5, 3).flatten(4).flatten(2, 3)"),
    ("encode", "mean + log_variance.exp().sqrt() * eps"),
    ("encode", "moments.chunk(2, dim=1) => net.encode(images)"),
    ("encode", "moments.chunk(2, dim=1) => moments.split(4, dim=1)"),
    ("kl", "torch.distributions.kl_divergence(torch.distributions.Normal(mean, (log_variance / 2)"
           ".exp()), torch.distributions.Normal(0.0, 1.0))"),
    ("bug_noise", "scaling_factor * signal_rate * z + noise_rate * eps"),
    ("bug_back", "decode(x_0 * (1 / scaling_factor))"),
    ("drop_captions", "context.index_put((left_out,), null_context[0])"),
    ("drop_captions", "torch.where(dice.view(-1, 1, 1) >= p_uncond, context, null_context)"),
    ("drop_captions", "context + left_out.float().view(-1, 1, 1) * (null_context - context)"),
    ("guide", "guidance_scale * with_caption - (guidance_scale - 1) * without"),
    ("guided", "[null, context] => [context, null]; without, with_caption = => "
               "with_caption, without ="),
    ("guided", "null_context.expand_as(context) => null_context.repeat(len(context), 1, 1)"),
    ("negative", "(1 - guidance_scale) * with_negative + guidance_scale * with_caption"),
]  # fmt: skip
"""An exercise, and its solution written otherwise."""

SENTENCES = [
    # One number or many, and powers.
    ("noising_step", "**, not ^", "(1 - beta) ^ 0.5 * x_prev + beta ^ 0.5 * eps"),
    ("noising_step", "**, not ^", "((1 - beta) ^ 0.5) * x_prev"),
    ("snr", "**, not ^", "alpha_bar ^ 2"),
    ("noising_step", "`beta` is a plain number here", "torch.sqrt(1 - beta) * x_prev"),
    ("noising_step", "`beta` is a plain number here", "(1 - beta).sqrt() * x_prev"),
    ("bug_mix", "`alpha_bar` is a plain number here", "torch.sqrt(alpha_bar) * x_0"),
    ("jump", "take one number", lambda x_0, eps, row, beta: math.sqrt(beta[row]) * x_0),
    ("snr", "take one number", "math.sqrt(alpha_bar) / math.sqrt(1 - alpha_bar)"),
    ("bug_spread", "take one number", "math.sqrt(x.var(dim=0))"),
    ("cosine_alpha_bar", "take one number", lambda t: f_with_math(t) / f_with_math(0)),
    ("cosine_alpha_bar", "got a plain number", "f(t) / torch.cos(0.0124)"),
    ("jump", "`row` holds many numbers", "sum(x_0 for r in range(row))"),
    ("jump", "`row` holds many numbers", "x_0 * beta[int(row)]"),
    # Form.
    ("noising_step", "changed its input `x_prev`", "x_prev.mul_(0.5)"),
    ("noising_step", "returns nothing", "None"),
    ("noising_step", "wraps around", "(x_prev * 127.5).to(torch.uint8)"),
    ("noising_step", "float64 table met",
     "torch.tensor([1 - beta]).double().sqrt() * x_prev + beta**0.5 * eps"),
    ("noising_step", "returns `...`", "..."),
    ("noising_step", "a list, and a torch.Tensor", "x_prev.tolist()"),
    ("noising_step", "shape (1, 4, 3, 8, 8), expected (4, 3, 8, 8)", "x_prev[None]"),
    ("noising_step", "single number", "x_prev.mean()"),
    ("noising_step", "(x_prev, eps, beta), in this order", lambda x: x),
    # Numbers that no slip explains.
    ("noising_step", "random numbers of its own",
     "(1 - beta)**0.5 * x_prev + beta**0.5 * torch.randn_like(eps)"),
    ("noising_step", "the same when `eps` changes", "0.9 * x_prev + 0.3"),
    ("noising_step", "nan or infinite", "torch.tensor(-beta).sqrt() * x_prev"),
    ("noising_step", "numbers differ",
     "1.01 * ((1 - beta)**0.5 * x_prev + beta**0.5 * eps) + 0.1"),
    ("noising_step", "1.01 times what is expected",
     "1.01 * ((1 - beta)**0.5 * x_prev + beta**0.5 * eps)"),
    ("noising_step", "every number has the wrong sign",
     "-((1 - beta)**0.5 * x_prev + beta**0.5 * eps)"),
    ("noising_step", "0.5 too large", "(1 - beta)**0.5 * x_prev + beta**0.5 * eps + 0.5"),
    ("noising_step", "0.5 too small", "(1 - beta)**0.5 * x_prev + beta**0.5 * eps - 0.5"),
    # Lesson 01.
    ("jump", "linear table, whatever `beta` is given",
     lambda x_0, eps, row, beta: add_noise(x_0, eps, row_to_t(row), linear)),
    ("jump", "SAME eps each time", walk(lambda row: row + 1)),
    ("jump", "SAME eps each time", walk(lambda row: row)),
    ("jump", "random numbers of its own", walk(lambda row: row + 1, torch.randn_like)),
    ("jump", "pick with [row]", "[row].float().view(-1, 1, 1, 1) => "),
    ("jump", "pick with [row]", "(1 - beta).cumprod(0).sqrt() * x_0"),
    ("jump", "Rates need trailing axes", ".view(-1, 1, 1, 1) => .view(-1, 1, 1)"),
    ("jump", "float64 table met", ".float() => "),
    ("jump", "`eps` stands where `x_0` belongs", "* x_0 => * eps"),
    ("snr", "expected (1000,)", "(alpha_bar / (1 - alpha_bar))[:-1]"),
    ("snr", "changed its input", "alpha_bar.div_(1 - alpha_bar)"),
    ("snr", "The table is float64 and the result", "(alpha_bar / (1 - alpha_bar)).float()"),
    ("snr", "A value for each row", "alpha_bar[500] / (1 - alpha_bar[500])"),
    ("snr", "A value for each row", "(alpha_bar[0] / (1 - alpha_bar[0])).item()"),
    ("cosine_alpha_bar", "single number", "f(t).mean()"),
    ("cosine_alpha_bar", "the root of f(0)", lambda t: f(t) / F_0.sqrt()),
    ("cosine_alpha_bar", "The input is float64", "(f(t) / start).float()"),
    ("bug_spread", "the diagonal is asked for", "torch.cov(x.T).sqrt()"),
    ("bug_spread", "(x**1)/2", "torch.cov(x.T).diagonal() ** 1 / 2"),
    ("bug_spread", "cancels out", "torch.corrcoef(x.T).diagonal()"),
    ("bug_spread", "single number", "x.std()"),
    ("bug_spread", "returns a float", "x.std().item()"),
    ("bug_steepest", "where alpha_bar is highest", "alpha_bar.argmax().item()"),
    ("bug_steepest", "its row is argmax", "alpha_bar.diff().abs().max().item()"),
    ("bug_steepest", ".item()", "alpha_bar.diff().argmin()"),
    ("bug_steepest", "a tuple", "218, 219"),
    ("bug_steepest", "the same when `alpha_bar` changes", "500"),
    ("bug_steepest", "returns 213, expected 218", "alpha_bar.diff().argmin().item() - 5"),
    # Lesson 02.
    ("exact_denoiser", "expected (4, 5)", "1 * weights"),
    ("exact_denoiser", "x_t[:, None] has shape (B, 1, D)", "x_t - signal_rate * x_0_set"),
    ("exact_denoiser", "when `x_t` changes", "x_0_set.mean(0).repeat(len(x_t), 1)"),
    ("time_features", "t[:, None] * frequency", "[:, None] => "),
    ("time_features", "expected (4, 16)", "angle.sin()"),
    ("time_features", "when `t` changes", "= t[:, None] => = torch.ones_like(t)[:, None]"),
    ("both_guesses", "x_0: the two guesses have changed places", "torch.stack([eps, x_0])"),
    ("both_guesses", "a tuple", "x_0, eps"),
    ("loss", "random numbers of its own", "- eps => - torch.randn_like(eps)"),
    ("loss", "a float, and a torch.Tensor", "((model(x_t, t) - eps) ** 2).mean().item()"),
    ("loss", "expected ()", "(model(x_t, t) - eps) ** 2"),
    ("bug_skips", "stopped with IndexError", "pop() => pop(1)"),
    # Lesson 03.
    ("ddpm_step", "nothing (None)", "print(mean)"),
    ("ddpm_step", "random numbers of its own", "mean + torch.randn_like(x_t)"),
    ("ddpm_step", "changed its input `x_t`", "x_t.mul_(0.5)"),
    ("ddpm_step", "`rates` and `rates_next` are exchanged",
     "= rates, rates_next => = rates_next, rates"),
    ("ddim_step", "`rates` and `rates_next` are exchanged",
     "= rates, rates_next => = rates_next, rates"),
    ("ddim_step", "the same when `eps_hat` changes", "a_next * x_0_hat"),
    ("solver_step", "nan or infinite", "= rates_before, => = rates,"),
    ("bug_times", "expected (10,)", "torch.linspace(1, 0, num_steps + 1)"),
    ("bug_times", "dtype torch.int64", "row + 1"),
    # Near misses, which need no slip of their own.
    ("noising_step", "The factor `math.sqrt(beta)` is missing", "(1 - beta)**0.5 * x_prev + eps"),
    ("noising_step", "The term `math.sqrt(1 - beta) * x_prev` is missing", "beta**0.5 * eps"),
    ("noising_step", "The term `math.sqrt(beta) * eps` is missing", "(1 - beta)**0.5 * x_prev"),
    ("snr", "The division by `1 - alpha_bar` is missing", "1 * alpha_bar"),
    ("ddpm_step", "The factor `(beta * b_next ** 2 / b ** 2).sqrt()` is missing", "mean + noise"),
    ("ddpm_step", "The term `(beta * b_next ** 2 / b ** 2).sqrt() * noise` is missing", "mean"),
    ("ddpm_step", "The factor `a_next` is missing", "a_next * beta * x_0_hat => beta * x_0_hat"),
    ("ddpm_step", "The factor `alpha.sqrt()` is missing", "alpha.sqrt() * b_next**2 => b_next**2"),
    ("ddpm_step", "`x_t` and `x_0_hat` are exchanged",
     "beta * x_0_hat => beta * x_t; b_next**2 * x_t) => b_next**2 * x_0_hat)"),
    ("ddim_step", "`(b_next ** 2 - step_std ** 2).sqrt()` is missing",
     "(b_next**2 - step_std**2).sqrt() => (b_next**2 - step_std**2)"),
    ("ddim_step", "The factor `eta` is missing", "eta * b_next => b_next"),
    ("ddim_step", "The term `step_std * noise` is missing", "a_next * x_0_hat + old"),
    ("ddim_step", "`step_std * noise` is subtracted; it should be added",
     "a_next * x_0_hat + old - step_std * noise"),
    ("solver_step", "`b_next` and `b` are the wrong way round",
     "b_next / b * x_t => b / b_next * x_t"),
    ("solver_step", "The factor `b_next / b` is missing", "b_next / b * x_t => x_t"),
    ("bug_eta", "The factor `eta` is missing", "variance**0.5"),
    ("kl", "The factor `0.5` is missing", "mean**2 + log_variance.exp() - 1 - log_variance"),
    ("kl", "The term `mean ** 2` is missing", "0.5 * (log_variance.exp() - 1 - log_variance)"),
    # Lessons 04 and 05.
    ("decode", "nothing (None)", "print(net.decode(z).shape)"),
    ("decode", "expected (2, 3, 24, 24)", "1 * h"),
    ("decode", "it stopped with RuntimeError", "net.from_latent(z) => z"),
    ("encode", "random numbers of its own", " * eps =>  * torch.randn_like(eps)"),
    ("encode", "logarithm of something negative", "mean + log_variance.log() * eps"),
    ("encode", "images (2, 3, 24, 24), eps (2, 4, 3, 3)", "mean + images[:, :1] * eps"),
    ("kl", "expected (2, 4, 3, 3)", "(mean**2 + log_variance.exp() - 1 - log_variance).mean()"),
    ("kl", "the same when `mean` changes", "log_variance.exp() - log_variance"),
    ("bug_noise", "changed its input `z`", "signal_rate * z.mul_(scaling_factor)"),
    ("bug_noise", "`z` and `eps` are exchanged",
     "signal_rate * scaling_factor * eps + noise_rate * z"),
    ("bug_noise", "`z` stands where `eps` belongs",
     "signal_rate * scaling_factor * z + noise_rate * z"),
    ("bug_noise", "`noise_rate * eps` is subtracted", "z) + noise => z) - noise"),
    ("bug_noise", "The factor `noise_rate` is missing",
     "signal_rate * scaling_factor * z + eps"),
    ("kl", "a power is written **", "mean**2 => mean * 2"),
    ("kl", "yours has 3 there", "mean**2 => mean**3"),
    ("kl", "The term `log_variance` is missing", " - log_variance => "),
    ("kl", "are the wrong way round", "mean**2 => 2**mean"),
    ("encode", "2 in `log_variance / 2`; yours has 3", "(log_variance / 2) => (log_variance / 3)"),
    ("guide", "A bracket is missing or elsewhere",
     "(without + guidance_scale) * (with_caption - without)"),
    ("guide", "Yours divides by `with_caption - without`", "_scale * ( => _scale / ("),
    ("drop_captions", "changed its input `context`", "context.mul_(2)"),
    ("drop_captions", "random numbers of its own", "dice < => torch.rand(len(context)) <"),
    ("drop_captions", "one number for each of the batch", "context[:, :, 0] + dice"),
    ("guide", "nothing (None)", "print(guidance_scale * (with_caption - without))"),
    ("guide", "the same when `with_caption` changes", "without * guidance_scale + 5"),
    ("guided", "called twice, one call after the other",
     "without + guidance_scale * (ask(x_t, t, context) - without)"),
    ("guided", "at s = 1 the answer without the caption has no share",
     "guidance_scale == 1 => False"),
    ("guided", "t has 3", "torch.cat([t, t]) => t"),
    ("guided", ".expand_as(context)", "null_context.expand_as(context) => null_context"),
    ("guided", "expected (3, 4, 4, 4)", "1 * both"),
    ("guided", "asked about 9 rows for 3 latents",
     "[x_t, x_t] => 3 * [x_t]; [t, t] => 3 * [t]; [null, context] => [null, context, context]; "
     "with_caption = both.chunk(2) => with_caption, _ = both.chunk(3)"),
]  # fmt: skip
"""An exercise, words of its report, and a wrong answer."""

CHANCE = [
    ("bug_mix", "as printed. With", "alpha_bar**0.5 * x_0 + alpha_bar * eps"),
    ("bug_mix", "as printed. With", "(1 - alpha_bar) ** 0.5 * x_0 + alpha_bar * eps"),
    ("jump", "shrunken picture only",
     "alpha_bar.sqrt() * x_0 + torch.cumprod(beta, 0)[row].view(-1, 1, 1, 1).float().sqrt() * eps"),
    ("bug_steepest", "For each table", "alpha_bar.diff().diff().argmin().item()"),
    ("bug_steepest", "218 is right", "218 if len(alpha_bar) > 99 else 3"),
    ("loss", "single number", "((model(x_t, t) - eps) ** 2).mean().item()"),
]  # fmt: skip
"""An exercise, words that fit on one trial by chance, and an answer that must not get them."""
