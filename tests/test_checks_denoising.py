"""The checks of lesson 02 accept right answers, however written, and name slips in wrong ones."""

import pytest
import torch

from diffusion_lessons import checks
from diffusion_lessons.prediction import exact_denoiser, read_off
from diffusion_lessons.schedule import add_noise, cosine, linear

# --- exercise 1: the exact denoiser ---


def exact_solution(x_t, x_0_set, signal_rate, noise_rate):
    distance = torch.cdist(x_t, signal_rate * x_0_set) ** 2
    return torch.softmax(-distance / (2 * noise_rate**2), dim=1) @ x_0_set


def exact_one_by_one(x_t, x_0_set, signal_rate, noise_rate):
    answers = []
    for x in x_t:
        distance = torch.stack([((x - signal_rate * member) ** 2).sum() for member in x_0_set])
        weights = torch.exp(-distance / (2 * noise_rate**2))
        answers.append((weights[:, None] * x_0_set).sum(0) / weights.sum())
    return torch.stack(answers)


def exact_by_the_package(x_t, x_0_set, signal_rate, noise_rate):
    rates = torch.full((len(x_t), 1, 1, 1), signal_rate), torch.full((1, 1, 1, 1), noise_rate)
    return exact_denoiser(x_0_set, lambda t: rates)(x_t, torch.ones(len(x_t))).x_0


def exact(power=2, scale=2.0, shrink=True, sum_up=torch.sum, sign=-1, dim=1):
    def denoise(x_t, x_0_set, signal_rate, noise_rate):
        members = signal_rate * x_0_set if shrink else x_0_set
        distance = sum_up((x_t[:, None] - members) ** 2, dim=-1)
        return torch.softmax(sign * distance / (scale * noise_rate**power), dim=dim) @ x_0_set

    return denoise


def exact_unbroadcast(x_t, x_0_set, signal_rate, noise_rate):
    return x_t - signal_rate * x_0_set


EXACT_WRONG = {
    "sign of the distance": exact(sign=1),
    "factor 2 is missing": exact(scale=1.0),
    "square of noise_rate is missing": exact(power=1),
    "factor 2 is squared too": exact(scale=4.0),
    "division by 2 * noise_rate**2 is missing": exact(power=0, scale=1.0),
    "signal_rate is missing": exact(shrink=False),
    "wrong axis": exact(dim=0),
    "MEAN over the pixels": exact(sum_up=torch.mean),
    "distance is not squared": lambda x, s, a, b: (
        torch.softmax(-torch.cdist(x, a * s) / (2 * b**2), 1) @ s
    ),
    "sum of absolute values": lambda x, s, a, b: (
        torch.softmax(-torch.cdist(x, a * s, p=1) / (2 * b**2), 1) @ s
    ),
    "mean is of the shrunken": lambda x, s, a, b: a * exact_solution(x, s, a, b),
    "the one picture that fits best": lambda x, s, a, b: s[torch.cdist(x, a * s).argmin(1)],
    "weights do not add up to 1": lambda x, s, a, b: (
        torch.exp(-(torch.cdist(x, a * s) ** 2) / (2 * b**2)) @ s
    ),
    "expected (4, 5)": lambda x, s, a, b: torch.softmax(-(torch.cdist(x, a * s) ** 2), 1),
    "x_t[:, None] has shape (B, 1, D)": exact_unbroadcast,
    "when `x_t` changes": lambda x, s, a, b: s.mean(0).expand(len(x), -1).clone(),
    "returns nothing": lambda x, s, a, b: None,
}

# --- exercise 2: time features ---


def time_solution(t, frequency):
    angle = t[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def time_by_outer(t, frequency):
    angle = torch.outer(t, frequency)
    return torch.hstack((torch.sin(angle), torch.cos(angle)))


def time_by_phase(t, frequency):
    angle = torch.einsum("b,f->bf", t, frequency)
    return torch.sin(torch.cat([angle, angle + torch.pi / 2], dim=1))


TIME_WRONG = {
    "changed places": lambda t, f: time_solution(t, f).roll(len(f), dims=1),
    "Both halves are sines": lambda t, f: torch.outer(t, f).sin().repeat(1, 2),
    "Both halves are cosines": lambda t, f: torch.outer(t, f).cos().repeat(1, 2),
    "alternate": lambda t, f: time_solution(t, f).view(len(t), 2, -1).transpose(1, 2).flatten(1),
    "2 pi too many": lambda t, f: time_solution(2 * torch.pi * t, f),
    "pi too many": lambda t, f: time_solution(torch.pi * t, f),
    "multiplied by 1000": lambda t, f: time_solution(1000 * t, f),
    "divided by the frequency": lambda t, f: time_solution(t, 1 / f),
    "expected (4, 16)": lambda t, f: torch.outer(t, f).sin(),
    "when `t` changes": lambda t, f: time_solution(torch.ones_like(t), f),
    "returns nothing": lambda t, f: None,
}

# --- exercise 3: both guesses ---


def guess_solution(kind, output, x_t, signal_rate, noise_rate):
    if kind == "eps":
        return torch.stack([(x_t - noise_rate * output) / signal_rate, output])
    if kind == "x_0":
        return torch.stack([output, (x_t - signal_rate * output) / noise_rate])
    x_0 = signal_rate * x_t - noise_rate * output
    return torch.stack([x_0, noise_rate * x_t + signal_rate * output])


def guess_by_the_package(kind, output, x_t, signal_rate, noise_rate):
    rates = (torch.full((len(x_t), 1, 1, 1), rate) for rate in (signal_rate, noise_rate))
    found = read_off(kind, output, x_t, *rates)
    return torch.stack([found.x_0, found.eps])


def guess_eps_from_x_0(kind, output, x_t, signal_rate, noise_rate):
    x_0 = guess_solution(kind, output, x_t, signal_rate, noise_rate)[0]
    return torch.stack([x_0, (x_t - signal_rate * x_0) / noise_rate])


def wrong_in(kind, x_0, eps):
    """Right, but for one kind."""

    def guess(said, o, x, a, b):
        if said != kind:
            return guess_solution(said, o, x, a, b)
        return torch.stack([x_0(o, x, a, b), eps(o, x, a, b)])

    return guess


def itself(o, x, a, b):
    return o


GUESS_WRONG = {
    "eps: the noise is added once more": wrong_in(
        "eps", lambda o, x, a, b: (x + b * o) / a, itself
    ),
    "eps: the division by signal_rate": wrong_in("eps", lambda o, x, a, b: x - b * o, itself),
    "eps: noise_rate is missing": wrong_in("eps", lambda o, x, a, b: (x - o) / a, itself),
    "eps: the two rates are swapped": wrong_in("eps", lambda o, x, a, b: (x - a * o) / b, itself),
    "x_0: the division by noise_rate": wrong_in("x_0", itself, lambda o, x, a, b: x - a * o),
    "x_0: signal_rate is missing": wrong_in("x_0", itself, lambda o, x, a, b: (x - o) / b),
    "v: the sign in x_0": wrong_in(
        "v", lambda o, x, a, b: a * x + b * o, lambda o, x, a, b: b * x + a * o
    ),
    "v: the sign in eps": wrong_in(
        "v", lambda o, x, a, b: a * x - b * o, lambda o, x, a, b: b * x - a * o
    ),
    "v: the two rates are swapped": wrong_in(
        "v", lambda o, x, a, b: b * x - a * o, lambda o, x, a, b: a * x + b * o
    ),
    "v: the network's output is treated as if it were the noise": wrong_in(
        "v", lambda o, x, a, b: (x - b * o) / a, itself
    ),
    "x_0: the two guesses have changed places": lambda *given: guess_solution(*given).flip(0),
    "eps: the two guesses have changed places": lambda kind, *given: (
        guess_solution(kind, *given).flip(0) if kind == "eps" else guess_solution(kind, *given)
    ),
    "a tuple": lambda kind, o, x, a, b: (o, x),
    "returns nothing": lambda kind, o, x, a, b: None,
}

# --- exercise 4: the loss ---


def loss_solution(model, x_0, t, eps):
    x_t = add_noise(x_0, eps, t, cosine)
    return ((model(x_t, t) - eps) ** 2).mean()


def loss_by_torch(model, x_0, t, eps):
    return torch.nn.functional.mse_loss(model(add_noise(x_0, eps, t, cosine), t), eps)


def loss_by_hand(model, x_0, t, eps):
    signal_rate, noise_rate = (rate.view(-1, *[1] * (x_0.ndim - 1)) for rate in cosine(t))
    error = model(signal_rate * x_0 + noise_rate * eps, t) - eps
    return (error * error).sum() / error.numel()


def loss_draws_its_own(model, x_0, t, eps):
    return loss_solution(model, x_0, t, torch.randn_like(x_0))


LOSS_WRONG = {
    "The target is the clean picture": lambda m, x, t, e: (
        (m(add_noise(x, e, t, cosine), t) - x) ** 2
    ).mean(),
    "The target is x_t - x_0": lambda m, x, t, e: (
        (m(add_noise(x, e, t, cosine), t) - add_noise(x, e, t, cosine) + x) ** 2
    ).mean(),
    "The target is x_t, the network": lambda m, x, t, e: (
        (m(add_noise(x, e, t, cosine), t) - add_noise(x, e, t, cosine)) ** 2
    ).mean(),
    "shown the clean picture": lambda m, x, t, e: ((m(x, t) - e) ** 2).mean(),
    "not told t": lambda m, x, t, e: ((m(add_noise(x, e, t, cosine)) - e) ** 2).mean(),
    "The square is missing": lambda m, x, t, e: (m(add_noise(x, e, t, cosine), t) - e).mean(),
    "square comes after the mean": lambda m, x, t, e: (
        (m(add_noise(x, e, t, cosine), t) - e).mean() ** 2
    ),
    "absolute differences": lambda m, x, t, e: (m(add_noise(x, e, t, cosine), t) - e).abs().mean(),
    "takes no root": lambda m, x, t, e: loss_solution(m, x, t, e) ** 0.5,
    "It is a sum": lambda m, x, t, e: loss_solution(m, x, t, e) * x.numel(),
    "linear schedule": lambda m, x, t, e: ((m(add_noise(x, e, t, linear), t) - e) ** 2).mean(),
    "without rates": lambda m, x, t, e: ((m(x + e, t) - e) ** 2).mean(),
    "random numbers of its own": loss_draws_its_own,
    "a float, and a torch.Tensor": lambda m, x, t, e: loss_solution(m, x, t, e).item(),
    "expected ()": lambda m, x, t, e: (m(add_noise(x, e, t, cosine), t) - e) ** 2,
    "returns nothing": lambda m, x, t, e: None,
}

# --- find the bug ---


def passing(place=-1, after=False):
    def through(x, downs, ups):
        skips = []
        for down in downs:
            before = x
            x = down(x)
            skips.append(x if after else before)
        for up in ups:
            x = up(x, skips.pop(place))
        return x

    return through


def passing_by_index(x, downs, ups):
    maps = [x]
    for down in downs:
        maps.append(down(maps[-1]))
    x = maps.pop()
    for up, skip in zip(ups, reversed(maps), strict=True):
        x = up(x, skip)
    return x


def passing_by_recursion(x, downs, ups):
    if not downs:
        return x
    inner = passing_by_recursion(downs[0](x), downs[1:], ups[:-1])
    return ups[-1](inner, x)


def no_skips(x, downs, ups):
    for down in downs:
        x = down(x)
    for up in ups:
        x = up(x, x)
    return x


BUG_LOSS_WRONG = {
    "behaves as printed": lambda o, e: (o - e).mean() ** 2,
    "no square at all": lambda o, e: (o - e).mean(),
    "absolute differences": lambda o, e: (o - e).abs().mean(),
    "That is a sum": lambda o, e: ((o - e) ** 2).sum(),
    "root of the loss": lambda o, e: ((o - e) ** 2).mean() ** 0.5,
}
BUG_SKIPS_WRONG = {
    "behaves as printed": passing(place=0),
    "AFTER the way down": passing(after=True),
    "Two changes": passing(place=0, after=True),
    "No skip arrives": no_skips,
    "stopped with IndexError": passing(place=1),
}

CASES = {
    "check_exact_denoiser": (
        [exact_solution, exact_one_by_one, exact_by_the_package],
        EXACT_WRONG,
    ),
    "check_time_features": ([time_solution, time_by_outer, time_by_phase], TIME_WRONG),
    "check_both_guesses": (
        [guess_solution, guess_by_the_package, guess_eps_from_x_0],
        GUESS_WRONG,
    ),
    "check_loss": ([loss_solution, loss_by_torch, loss_by_hand], LOSS_WRONG),
    "check_bug_loss": (
        [
            lambda o, e: ((o - e) ** 2).mean(),
            torch.nn.functional.mse_loss,
            lambda o, e: (o - e).pow(2).sum() / o.numel(),
        ],
        BUG_LOSS_WRONG,
    ),
    "check_bug_skips": ([passing(), passing_by_index, passing_by_recursion], BUG_SKIPS_WRONG),
}
RIGHT = [(name, fn) for name, (right, _) in CASES.items() for fn in right]
WRONG = [(name, says, fn) for name, (_, wrong) in CASES.items() for says, fn in wrong.items()]


@pytest.mark.parametrize(("name", "function"), RIGHT)
def test_a_right_answer_is_accepted(name, function):
    report = getattr(checks, name)(function)
    assert report.passed, repr(report)


@pytest.mark.parametrize(("name", "says", "function"), WRONG)
def test_a_slip_is_named(name, says, function):
    report = getattr(checks, name)(function)
    assert report.verdict == "not yet"
    assert says.lower() in repr(report).lower(), repr(report)


@pytest.mark.parametrize("name", CASES)
def test_a_check_is_held_to_its_promise(name):
    right, wrong = CASES[name]
    assert len(right) >= 3 and len(wrong) >= 4 and name in checks.__all__


@pytest.mark.parametrize("name", CASES)
def test_an_unfilled_stub_gets_a_friendly_note(name):
    def stub(*inputs):
        raise NotImplementedError

    assert getattr(checks, name)(stub).verdict == "to do"


def test_a_float_is_not_told_that_more_than_one_number_is_asked_for():
    report = checks.check_loss(lambda m, x, t, e: loss_solution(m, x, t, e).item())
    assert "single number" not in repr(report)


def test_checks_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    for name, (right, _) in CASES.items():
        getattr(checks, name)(right[0])
    assert torch.equal(state, torch.get_rng_state())
