"""Answers that learners really gave, and what the checks must (and must not) say to them."""

import math

import pytest
import torch

from diffusion_lessons import checks
from diffusion_lessons.schedule import alpha_bar, cosine_beta, linear_beta


def say(name, function):
    """What check_NAME says to a learner's function that is not right.

    Without the learner's own line: here that line holds the words looked for, too.
    """
    report = getattr(checks, f"check_{name}")(function)
    assert report.verdict == "not yet", repr(report)
    return "\n".join(words for words in report.words if not words.startswith("The line:"))


def walk(steps_of, eps_of=lambda eps: eps):
    """Exercise 2 as a walk of `steps_of(row)` steps, each picture for itself."""

    def jump(x_0, eps, row, beta):
        pictures = []
        for x, e, r in zip(x_0, eps, row.tolist(), strict=True):
            for b in beta[: steps_of(r)].tolist():
                x = (1 - b) ** 0.5 * x + b**0.5 * eps_of(e)
            pictures.append(x)
        return torch.stack(pictures)

    return jump


def mixed(rates):
    """Exercise 2 from rates(row, beta) -> (signal, noise), each (B,)."""

    def jump(x_0, eps, row, beta):
        signal, noise = (rate.float().view(-1, 1, 1, 1) for rate in rates(row, beta))
        return signal * x_0 + noise * eps

    return jump


def by_global_table(row, beta):
    kept = alpha_bar(linear_beta())[row]
    return kept.sqrt(), (1 - kept).sqrt()


def by_product_of_betas(row, beta):
    return (1 - beta).cumprod(0)[row].sqrt(), beta.cumprod(0)[row].sqrt()


def by_row_before_or_first(row, beta):
    kept = (1 - beta).cumprod(0)[(row - 1).clamp(min=0)]
    return kept.sqrt(), (1 - kept).sqrt()


def by_table_that_starts_at_one(row, beta):
    kept = torch.cat([torch.ones(1), (1 - beta).cumprod(0)])[row]
    return kept.sqrt(), (1 - kept).sqrt()


def by_half(row, beta):
    kept = (1 - beta).cumprod(0)[row]
    return kept**1 / 2, (1 - kept) ** 1 / 2


def by_math(row, beta):
    kept = (1 - beta).cumprod(0)[row]
    return math.sqrt(kept), math.sqrt(1 - kept)


def whole_table(row, beta):
    kept = (1 - beta).cumprod(0)
    return kept.sqrt(), (1 - kept).sqrt()


def range_of_rows(x_0, eps, row, beta):
    for r in range(row):
        x_0 = (1 - beta[r]) ** 0.5 * x_0 + beta[r] ** 0.5 * eps
    return x_0


def f(t):
    return torch.cos((t + 0.008) / 1.008 * torch.pi / 2) ** 2


def f_with_math(t):
    return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2


F_0 = f(torch.tensor(0.0))

SAID = [
    # One number or many, and powers.
    ("noising_step", "**, not ^", lambda x, e, b: (1 - b) ^ 0.5 * x + b ^ 0.5 * e),
    ("noising_step", "**, not ^", lambda x, e, b: ((1 - b) ^ 0.5) * x),
    ("snr", "**, not ^", lambda a: a ^ 2),
    ("noising_step", "`beta` is a plain number here", lambda x, e, b: torch.sqrt(1 - b) * x),
    ("noising_step", "`beta` is a plain number here", lambda x, e, b: (1 - b).sqrt() * x),
    ("bug_mix", "`alpha_bar` is a plain number here", lambda x, e, a: torch.sqrt(a) * x),
    ("jump", "take one number", mixed(by_math)),
    ("snr", "take one number", lambda a: math.sqrt(a) / math.sqrt(1 - a)),
    ("bug_spread", "take one number", lambda x: math.sqrt(x.var(dim=0))),
    ("cosine_alpha_bar", "take one number", lambda t: f_with_math(t) / f_with_math(0)),
    ("cosine_alpha_bar", "got a plain number", lambda t: f(t) / torch.cos(0.0124)),
    ("jump", "`row` holds many numbers", range_of_rows),
    ("jump", "`row` holds many numbers", lambda x, e, row, b: x * b[int(row)]),
    # Exercise 1.
    ("noising_step", "(x**1)/2", lambda x, e, b: (1 - b) ** 1 / 2 * x + b**1 / 2 * e),
    ("noising_step", "(x**1)/2", lambda x, e, b: (1 - b) ** 0.5 * x + b**1 / 2 * e),
    ("noising_step", "(x**1)/2", lambda x, e, b: (1 - b) ** 1 / 2 * x + b**0.5 * e),
    ("noising_step", "shrunk too", lambda x, e, b: (1 - b) ** 0.5 * (x + b**0.5 * e)),
    ("noising_step", "noise has no factor", lambda x, e, b: (1 - b) ** 0.5 * x + e),
    # Exercise 2.
    ("jump", "linear table, whatever `beta` is given", mixed(by_global_table)),
    ("jump", "SAME eps each time", walk(lambda row: row + 1)),
    ("jump", "SAME eps each time", walk(lambda row: row)),
    ("jump", "random numbers of its own", walk(lambda row: row + 1, torch.randn_like)),
    ("jump", "product of betas", mixed(by_product_of_betas)),
    ("jump", "numbers of the row before", mixed(by_row_before_or_first)),
    ("jump", "numbers of the row before", mixed(by_table_that_starts_at_one)),
    ("jump", "(x**1)/2", mixed(by_half)),
    ("jump", "pick with [row]", mixed(whole_table)),
    ("jump", "pick with [row]", lambda x, e, row, b: (1 - b).cumprod(0).sqrt() * x),
    # Exercise 3.
    ("snr", "Brackets are missing", lambda a: a / 1 - a),
    ("snr", "The table is float64 and the result", lambda a: (a / (1 - a)).float()),
    ("snr", "A value for each row", lambda a: a[500] / (1 - a[500])),
    ("snr", "A value for each row", lambda a: (a[500] / (1 - a[500])).item()),
    # Lesson 02.
    ("time_features", "t[:, None] * frequency", lambda t, f: torch.cat([(t * f).sin()] * 2)),
    # Find the bug.
    ("bug_mix", "picture's share", lambda x, e, a: a**0.5 * x + a * e),
    ("bug_mix", "picture's share", lambda x, e, a: a**0.5 * x + a**0.5 * e),
    ("bug_mix", "swapped now, and one", lambda x, e, a: (1 - a) ** 0.5 * x + a * e),
    ("bug_mix", "(x**1)/2", lambda x, e, a: a**0.5 * x + (1 - a) ** 1 / 2 * e),
    ("bug_spread", "the diagonal is asked for", lambda x: torch.cov(x.T).sqrt()),
    ("bug_spread", "(x**1)/2", lambda x: torch.cov(x.T).diagonal() ** 1 / 2),
    ("bug_spread", "cancels out", lambda x: torch.corrcoef(x.T).diagonal()),
    ("bug_steepest", "One .diff() too many", lambda a: a.diff().diff().argmin().item()),
    ("bug_steepest", "where alpha_bar is highest", lambda a: a.argmax().item()),
    ("bug_steepest", "its row is argmin", lambda a: a.diff().min().item()),
    ("bug_steepest", "its row is argmax", lambda a: a.diff().abs().max().item()),
    # Exercise 5.
    ("cosine_alpha_bar", "FIRST time in t", lambda t: f(t) / f(t)[0]),
    ("cosine_alpha_bar", "the largest f in t", lambda t: f(t) / f(t).max()),
    ("cosine_alpha_bar", "the root of f(0)", lambda t: f(t) / F_0.sqrt()),
    ("cosine_alpha_bar", "The input is float64", lambda t: (f(t) / F_0).float()),
]

NOT_SAID = [
    ("bug_mix", "as printed. With", lambda x, e, a: a**0.5 * x + a * e),
    ("bug_mix", "as printed. With", lambda x, e, a: (1 - a) ** 0.5 * x + a * e),
    ("jump", "shrunken picture only", mixed(by_product_of_betas)),
    ("bug_steepest", "For each table", lambda a: a.diff().diff().argmin().item()),
    ("bug_steepest", "218 is right", lambda a: 218 if len(a) > 99 else 3),
    ("bug_steepest", "not used (another", lambda a: 500),
]


@pytest.mark.parametrize(("name", "words", "function"), SAID)
def test_an_answer_that_learners_gave_is_named(name, words, function):
    assert words in say(name, function)


@pytest.mark.parametrize(("name", "words", "function"), NOT_SAID)
def test_a_slip_that_fits_one_trial_by_chance_is_not_named(name, words, function):
    assert words not in say(name, function)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_tight_tolerance_of_the_cosine_accepts_any_precision_inside(dtype):
    def careful(t):
        return (f(t.to(dtype)) / f(torch.zeros(1, dtype=dtype))).to(t.dtype)

    def rounded_on_the_way(t):
        return f(t.float()).to(t.dtype) / F_0.to(t.dtype)

    assert checks.check_cosine_alpha_bar(careful).passed
    assert checks.check_cosine_alpha_bar(rounded_on_the_way).passed


@pytest.mark.filterwarnings("error")
def test_complex_numbers_agree_with_nothing_and_without_a_warning():
    real = torch.ones(2)
    assert not checks.report.same(real + 1j, real) and not checks.report.same(real, real + 0j)


def test_a_learners_own_not_implemented_error_is_shown():
    def half_done(alpha_bar):
        raise NotImplementedError("the other branch")

    assert "the other branch" in say("snr", half_done)


def test_the_line_shown_is_the_one_that_stopped_in_a_helper_too():
    report = checks.check_cosine_alpha_bar(lambda t: f_with_math(t))
    assert "The line: return math.cos((t + 0.008)" in repr(report)


@pytest.mark.parametrize("beta", [linear_beta(), cosine_beta()])
def test_a_walk_with_one_eps_is_told_apart_from_the_jump(beta):
    """The premise of that slip: its noise is far too strong after many steps."""
    x_0, eps, row = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1), torch.tensor([500])
    assert walk(lambda row: row + 1)(x_0, eps, row, beta).item() > 5
