"""Each check accepts right answers, however written, and names the slip in plausible wrong ones."""

import math

import numpy as np
import pytest
import torch

from diffusion_lessons import checks
from diffusion_lessons.schedule import add_noise, linear, row_to_t

# --- exercise 1: one noising step ---


def step_solution(x_prev, eps, beta):
    return (1 - beta) ** 0.5 * x_prev + beta**0.5 * eps


def step_with_torch(x_prev, eps, beta):
    beta = torch.tensor(beta)
    return torch.sqrt(1 - beta) * x_prev + torch.sqrt(beta) * eps


def step_in_place_on_own_tensor(x_prev, eps, beta):
    out = x_prev.clone()
    out *= math.sqrt(1 - beta)
    return out.add_(eps, alpha=math.sqrt(beta))


def step_draws_its_own(x_prev, eps, beta):
    return math.sqrt(1 - beta) * x_prev + math.sqrt(beta) * torch.randn_like(x_prev)


def step_draws_its_own_with_a_seed(x_prev, eps, beta):
    torch.manual_seed(0)
    return step_draws_its_own(x_prev, eps, beta)


def step_changes_its_input(x_prev, eps, beta):
    x_prev *= math.sqrt(1 - beta)
    x_prev += math.sqrt(beta) * eps
    return x_prev


def step_returns_nothing(x_prev, eps, beta):
    step_solution(x_prev, eps, beta)


def step_as_bytes(x_prev, eps, beta):
    x_t = step_solution(x_prev, eps, beta)
    return ((x_t + 1) * 127.5).to(torch.uint8)


def step_float64(x_prev, eps, beta):
    beta = torch.tensor([beta], dtype=torch.float64)
    return (1 - beta).sqrt() * x_prev + beta.sqrt() * eps


STEP_WRONG = {
    "Both square roots are missing": lambda x, e, b: (1 - b) * x + b * e,
    "square root is missing: sqrt(beta)": lambda x, e, b: (1 - b) ** 0.5 * x + b * e,
    "square root is missing: sqrt(1 - beta)": lambda x, e, b: (1 - b) * x + b**0.5 * e,
    "swapped": lambda x, e, b: b**0.5 * x + (1 - b) ** 0.5 * e,
    "variance grows at each step": lambda x, e, b: x + b**0.5 * e,
    "not shrunk, and the square root": lambda x, e, b: x + b * e,
    "noise is subtracted": lambda x, e, b: (1 - b) ** 0.5 * x - b**0.5 * e,
    "1 - sqrt(beta)": lambda x, e, b: (1 - b**0.5) * x + b**0.5 * e,
    "noise only": lambda x, e, b: b**0.5 * e,
    "picture only": lambda x, e, b: (1 - b) ** 0.5 * x,
    "random numbers of its own": step_draws_its_own,
    "the same when `eps` changes": step_draws_its_own_with_a_seed,
    "changed its input `x_prev`": step_changes_its_input,
    "returns nothing": step_returns_nothing,
    "wraps around": step_as_bytes,
    "float64 table met": step_float64,
    "returns `...`": lambda x, e, b: ...,
    "a list, and a torch.Tensor": lambda x, e, b: step_solution(x, e, b).tolist(),
    "shape (1, 4, 3, 8, 8), expected (4, 3, 8, 8)": lambda x, e, b: step_solution(x, e, b)[None],
    "single number": lambda x, e, b: step_solution(x, e, b).mean(),
    "nan or infinite": lambda x, e, b: torch.sqrt(torch.tensor(b - 1)) * x,
    "numbers differ": lambda x, e, b: step_solution(x, e, b) * 1.01 + 0.1,
    "1.01 times what is expected": lambda x, e, b: step_solution(x, e, b) * 1.01,
    "every number has the wrong sign": lambda x, e, b: -step_solution(x, e, b),
    "0.5 too large": lambda x, e, b: step_solution(x, e, b) + 0.5,
    "0.5 too small": lambda x, e, b: step_solution(x, e, b) - 0.5,
}

# --- exercise 2: the closed form ---


def jump_solution(x_0, eps, row, beta):
    alpha_bar = torch.cumprod(1 - beta, dim=0)[row].float().view(-1, 1, 1, 1)
    return alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * eps


def jump_in_numpy(x_0, eps, row, beta):
    kept = np.cumprod(1 - beta.numpy())[row.numpy()][:, None, None, None]
    return (torch.tensor(kept**0.5) * x_0 + torch.tensor((1 - kept) ** 0.5) * eps).float()


def jump_picture_by_picture(x_0, eps, row, beta):
    pictures = []
    for x, e, r in zip(x_0, eps, row, strict=True):
        kept = math.prod((1 - b) for b in beta[: r + 1].tolist())
        pictures.append(math.sqrt(kept) * x + math.sqrt(1 - kept) * e)
    return torch.stack(pictures)


def jump_with_the_package(x_0, eps, row, beta):
    return add_noise(x_0, eps, row_to_t(row), linear)


def jump_with(kept, signal=torch.sqrt, noise=torch.sqrt, rest=lambda a: 1 - a):
    def jump(x_0, eps, row, beta):
        a = kept(beta, row)[:, None, None, None]
        return (signal(a) * x_0 + noise(rest(a)) * eps).float()

    return jump


def product(beta, row):
    return torch.cumprod(1 - beta, 0)[row]


def same(a):
    return a


def jump_not_broadcast(x_0, eps, row, beta):
    a = product(beta, row).float()
    return a.sqrt() * x_0 + (1 - a).sqrt() * eps


def jump_broadcast_along_height(x_0, eps, row, beta):
    a = product(beta, row).float()[:, None]
    return a.sqrt() * x_0 + (1 - a).sqrt() * eps


def jump_float64(x_0, eps, row, beta):
    a = product(beta, row).view(-1, 1, 1, 1)
    return a.sqrt() * x_0 + (1 - a).sqrt() * eps


def jump_three_axes(x_0, eps, row, beta):
    a = product(beta, row).float().view(-1, 1, 1)
    return a.sqrt() * x_0 + (1 - a).sqrt() * eps


JUMP_WRONG = {
    "multiplied by 1 - alpha_bar, and the square root": jump_with(product, noise=same),
    "multiplied by alpha_bar, and the square root": jump_with(product, signal=same),
    "Both square roots are missing": jump_with(product, same, same),
    "1 - sqrt(alpha_bar)": jump_with(product, noise=same, rest=lambda a: 1 - a.sqrt()),
    "one single step": jump_with(lambda beta, row: (1 - beta)[row]),
    "beta of the row stands": jump_with(lambda beta, row: beta[row]),
    "product runs over the betas": jump_with(lambda beta, row: beta.cumprod(0)[row]),
    "betas are added up": jump_with(lambda beta, row: 1 - beta.cumsum(0)[row]),
    "numbers of the row before": jump_with(lambda beta, row: product(beta, row - 1)),
    "numbers of the row after": jump_with(lambda beta, row: product(beta, row + 1)),
    "row of the first one": jump_with(lambda beta, row: product(beta, row[:1])),
    "swapped": jump_with(lambda beta, row: 1 - product(beta, row)),
    "noise only": jump_with(product, signal=torch.zeros_like),
    "picture only": jump_with(product, noise=torch.zeros_like),
    "linear table, whatever `beta`": jump_with_the_package,
    "along the last axis": jump_not_broadcast,
    "along the height": jump_broadcast_along_height,
    "Rates need trailing axes": jump_three_axes,
    "float64 table met": jump_float64,
    "returns nothing": lambda x_0, eps, row, beta: None,
    "`eps` stands where `x_0` belongs": lambda x_0, eps, row, beta: jump_solution(eps, eps, row, beta),
}

# --- exercise 3: signal-to-noise ratio; deeper: the cosine schedule ---


def by_squared_rates(alpha_bar):
    return (alpha_bar.sqrt() / (1 - alpha_bar).sqrt()) ** 2


def by_inverse(alpha_bar):
    return 1 / (1 / alpha_bar - 1)


SNR_WRONG = {
    "signal rate over noise rate": lambda a: (a / (1 - a)).sqrt(),
    "Upside down": lambda a: 1 / a - 1,
    "squared once too often": lambda a: (a / (1 - a)) ** 2,
    "signal is a root, the noise is not": lambda a: a**0.5 / (1 - a),
    "noise is a root, the signal is not": lambda a: a / (1 - a) ** 0.5,
    "logarithm": lambda a: torch.log(a) - torch.log(1 - a),
    "divide it by the noise's": lambda a: a,
    "expected (1000,)": lambda a: (a / (1 - a))[:-1],
    "changed its input": lambda a: a.div_(1 - a),
    "leave out .float()": lambda a: (a / (1 - a)).float(),
    "returns nothing": lambda a: None,
}


def cosine_solution(t):
    def f(t):
        return torch.cos((t + 0.008) / 1.008 * torch.pi / 2) ** 2

    return f(t) / f(torch.tensor(0.0))


def cosine_by_half_angle(t):
    angle = (t + 0.008) / 1.008 * torch.pi
    return (1 + torch.cos(angle)) / (1 + math.cos(0.008 / 1.008 * math.pi))


def cosine_by_sine(t):
    start = math.cos(0.008 / 1.008 * math.pi / 2)
    return (torch.sin((1 - t) / 1.008 * torch.pi / 2) / start) ** 2


COSINE_WRONG = {
    "The square is missing": lambda t: cosine_solution(t).abs().sqrt(),
    "not divided by f(0)": lambda t: torch.cos((t + 0.008) / 1.008 * torch.pi / 2) ** 2,
    "offset s = 0.008 is missing": lambda t: torch.cos(t * torch.pi / 2) ** 2,
    "angle is twice too large": lambda t: (
        torch.cos((t + 0.008) / 1.008 * torch.pi) ** 2 / math.cos(0.008 / 1.008 * math.pi) ** 2
    ),
    "not divided by 1 + s": lambda t: (
        torch.cos((t + 0.008) * torch.pi / 2) ** 2 / math.cos(0.008 * math.pi / 2) ** 2
    ),
    "single number": lambda t: cosine_solution(t).mean(),
    "returns nothing": lambda t: None,
}

# --- find the bug ---


def mix_printed(x_0, eps, alpha_bar):
    return alpha_bar**0.5 * x_0 + (1 - alpha_bar) * eps


def mix_solution(x_0, eps, alpha_bar):
    return alpha_bar**0.5 * x_0 + (1 - alpha_bar) ** 0.5 * eps


def mix_by_numpy(x_0, eps, alpha_bar):
    return x_0 * float(np.sqrt(alpha_bar)) + eps * float(np.sqrt(1 - alpha_bar))


def mix_by_angle(x_0, eps, alpha_bar):
    angle = math.acos(math.sqrt(alpha_bar))
    return math.cos(angle) * x_0 + math.sin(angle) * eps


MIX_WRONG = {
    "variance 0.75": mix_printed,
    "both roots are gone": lambda x, e, a: a * x + (1 - a) * e,
    "right as printed": lambda x, e, a: a * x + (1 - a) ** 0.5 * e,
    "Close: that is 1 - sqrt(alpha_bar)": lambda x, e, a: a**0.5 * x + (1 - a**0.5) * e,
    "swapped now": lambda x, e, a: (1 - a) ** 0.5 * x + a**0.5 * e,
}


def spread_printed(x):
    return torch.cov(x.T).diagonal()


SPREAD_WRONG = {
    "four times as large": spread_printed,
    "mean is not taken off": lambda x: (x**2).mean(0) ** 0.5,
    "standard error": lambda x: x.std(0) / len(x) ** 0.5,
    "take the root": lambda x: x.var(0) ** 2,
    "mean distance": lambda x: (x - x.mean(0)).abs().mean(0),
    "expected (3,)": lambda x: torch.cov(x.T).sqrt(),
    "single number": lambda x: x.std(),
    "returns a float": lambda x: float(x.std()),
}

STEEPEST_WRONG = {
    "For each table the answer is row 0": lambda a: 0,
    "Off by one": lambda a: int(np.diff(a.numpy()).argmin()) + 1,
    "falls least": lambda a: int(a.diff().argmax()),
    "where alpha_bar is lowest": lambda a: int(a.argmin()),
    "largest share of what is left": lambda a: int((a[1:] / a[:-1]).argmin()),
    "last row above one half": lambda a: int((a >= 0.5).sum()) - 1,
    "in any table": lambda a: 218,
    ".item()": lambda a: a.diff().argmin(),
    "a tuple": lambda a: (218, 219),
    "the same when `alpha_bar` changes": lambda a: 500,
    "returns 213, expected 218": lambda a: int(a.diff().argmin()) - 5,
}

CASES = {
    "check_noising_step": (
        [step_solution, step_with_torch, step_in_place_on_own_tensor],
        STEP_WRONG,
    ),
    "check_jump": (
        [jump_solution, jump_in_numpy, jump_picture_by_picture],
        JUMP_WRONG,
    ),
    "check_snr": ([lambda a: a / (1 - a), by_squared_rates, by_inverse], SNR_WRONG),
    "check_cosine_alpha_bar": (
        [cosine_solution, cosine_by_half_angle, cosine_by_sine],
        COSINE_WRONG,
    ),
    "check_bug_mix": ([mix_solution, mix_by_numpy, mix_by_angle], MIX_WRONG),
    "check_bug_spread": (
        [
            lambda x: x.std(dim=0),
            lambda x: torch.cov(x.T).diagonal().sqrt(),
            lambda x: torch.from_numpy(x.numpy().std(axis=0)),
        ],
        SPREAD_WRONG,
    ),
    "check_bug_steepest": (
        [
            lambda a: a.diff().argmin().item(),
            lambda a: np.diff(a.numpy()).argmin(),
            lambda a: int(torch.argmax(a[:-1] - a[1:])),
        ],
        STEEPEST_WRONG,
    ),
}
RIGHT = [(name, fn) for name, (right, _) in CASES.items() for fn in right]
WRONG = [(name, says, fn) for name, (_, wrong) in CASES.items() for says, fn in wrong.items()]


@pytest.mark.parametrize(("name", "function"), RIGHT)
def test_a_right_answer_is_accepted(name, function):
    report = getattr(checks, name)(function)
    assert report.passed, repr(report)
    assert repr(report).startswith("✓ Right.")


@pytest.mark.parametrize(("name", "says", "function"), WRONG)
def test_a_slip_is_named(name, says, function):
    report = getattr(checks, name)(function)
    assert report.verdict == "not yet"
    assert says.lower() in repr(report).lower(), repr(report)


@pytest.mark.parametrize("name", CASES)
def test_a_check_is_held_to_its_promise(name):
    right, wrong = CASES[name]
    assert len(right) >= 3 and len(wrong) >= 4
    assert name in checks.__all__


@pytest.mark.parametrize("name", CASES)
def test_an_unfilled_stub_gets_a_friendly_note(name):
    def stub(*inputs):
        raise NotImplementedError

    report = getattr(checks, name)(stub)
    assert report.verdict == "to do" and not report.passed
    assert "Fill in" in repr(report) and "Error" not in repr(report)


def test_an_error_is_shown_with_the_line_it_came_from():
    def broken(x_prev, eps, beta):
        return x_prev + eps[0, 0, 0, :7]

    report = checks.check_noising_step(broken)
    assert "it stopped with RuntimeError" in repr(report)
    assert "return x_prev + eps[0, 0, 0, :7]" in repr(report)


def test_an_error_in_a_cell_without_source_still_names_the_line():
    namespace = {}
    exec("def broken(x_prev, eps, beta):\n    return 1 / 0", namespace)
    report = checks.check_noising_step(namespace["broken"])
    assert "ZeroDivisionError" in repr(report) and "Line 2" in repr(report)


def test_wrong_arguments_are_explained():
    report = checks.check_noising_step(lambda x: x)
    assert "(x_prev, eps, beta), in this order" in repr(report)


def test_a_result_instead_of_a_function_is_explained():
    report = checks.check_noising_step(torch.zeros(3))
    assert "without parentheses" in repr(report)


def test_what_the_learner_wrote_is_escaped_in_html():
    def broken(x_prev, eps, beta):
        raise ValueError("<script>alert('no')</script> & more")

    shown = checks.check_noising_step(broken)._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "&amp; more" in shown


@pytest.mark.parametrize("verdict", ["right", "not yet", "to do"])
def test_a_report_speaks_in_words_and_signs(verdict):
    report = checks.Report(verdict, ("One sentence.", "Another."))
    shown = report._repr_html_()
    assert "color" not in shown.replace("currentColor", "") and 'role="status"' in shown
    for text in (shown, repr(report)):
        assert report.SIGNS[verdict] in text and "One sentence." in text and "Another." in text


def test_checks_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    for name, (right, _) in CASES.items():
        getattr(checks, name)(right[0])
    assert torch.equal(state, torch.get_rng_state())
