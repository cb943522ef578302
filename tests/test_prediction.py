"""A network's training targets and the guesses from its output, against plain algebra."""

import math
import operator

import pytest
import torch

from diffusion_lessons import prediction, schedule
from diffusion_lessons.prediction import Prediction, as_denoiser, exact_denoiser, read_off, target
from diffusion_lessons.schedule import add_noise

SCHEDULES = [schedule.linear, schedule.cosine, schedule.flow]
each_schedule = pytest.mark.parametrize("rates_at", SCHEDULES)
each_kind = pytest.mark.parametrize("kind", prediction.KINDS)


def a_mix(shape, rates_at, t, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    x_0, eps = (torch.randn(shape, generator=generator, dtype=dtype) for _ in range(2))
    t = t.to(dtype)
    return x_0, eps, t, add_noise(x_0, eps, t, rates_at)


@each_schedule
@each_kind
@pytest.mark.parametrize("shape", [(5, 3, 4, 4), (5, 2)])
def test_a_target_gives_back_what_was_mixed_and_any_output_mixes_to_x_t(kind, rates_at, shape):
    x_0, eps, t, x_t = a_mix(shape, rates_at, torch.tensor([0.001, 0.2, 0.5, 0.9, 0.999]))
    guess = read_off(kind, target(kind, x_0, eps, *rates_at(t)), x_t, *rates_at(t))
    torch.testing.assert_close((guess.x_0, guess.eps), (x_0, eps))
    guess = read_off(kind, eps.flip(0), x_t, *rates_at(t))
    torch.testing.assert_close(add_noise(guess.x_0, guess.eps, t, rates_at), x_t)


def test_targets_are_those_of_the_papers():
    x_0, eps = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.5, 3.0]])
    rates = torch.tensor(0.6).view(1, 1, 1, 1), torch.tensor(0.8).view(1, 1, 1, 1)
    assert target("eps", x_0, eps, *rates) is eps and target("x_0", x_0, eps, *rates) is x_0
    torch.testing.assert_close(target("v", x_0, eps, *rates), torch.tensor([[-1.3, 2.6]]))
    torch.testing.assert_close(target("velocity", x_0, eps, *rates), torch.tensor([[-1.5, 4.0]]))


@each_schedule
@each_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_is_nan_at_either_end(kind, rates_at, dtype):
    _, output, t, x_t = a_mix((2, 3, 4, 4), rates_at, torch.tensor([0.0, 1.0]), dtype)
    output.requires_grad_()
    guess = read_off(kind, output, x_t, *rates_at(t))
    for part in (guess.x_0, guess.eps):
        assert part.dtype == dtype and part.isfinite().all() and part.abs().max() < 1000
    (guess.x_0.sum() + guess.eps.sum()).backward()
    assert output.grad.isfinite().all()


def test_where_dividing_means_nothing_the_other_guess_is_0():
    at_noise = [("eps", "x_0", rates_at, 1.0) for rates_at in (schedule.cosine, schedule.flow)]
    at_clean = [("x_0", "eps", rates_at, 0.0) for rates_at in SCHEDULES]
    for kind, other, rates_at, time in at_noise + at_clean:
        _, output, t, x_t = a_mix((1, 2), rates_at, torch.tensor([time]))
        guess = read_off(kind, output, x_t, *rates_at(t))
        assert getattr(guess, kind) is output and (getattr(guess, other) == 0).all()


def test_the_smallest_rate_lies_between_the_last_row_of_cosine_and_all_others():
    t = schedule.row_to_t(torch.arange(1000))
    for rates_at in SCHEDULES:
        signal_rate, noise_rate = (rate.flatten() for rate in rates_at(t))
        assert min(signal_rate[:-1].min(), noise_rate.min()) > prediction.SMALLEST_RATE
    assert schedule.cosine(t)[0][-1] < prediction.SMALLEST_RATE < schedule.linear(t)[0][-1]


@each_kind
def test_a_denoiser_hides_the_kind(kind):
    x_0, eps, t, x_t = a_mix((3, 2), schedule.cosine, torch.tensor([0.1, 0.5, 0.9]))

    def knows_all(shown, at):
        assert torch.equal(shown, x_t) and torch.equal(at, t)
        return target(kind, x_0, eps, *schedule.cosine(t))

    guess = as_denoiser(knows_all, schedule.cosine, kind)(x_t, t)
    assert isinstance(guess, Prediction)
    torch.testing.assert_close((guess.x_0, guess.eps), (x_0, eps))


def test_labels_reach_the_network():
    network, labels = lambda x_t, t, labels: x_t * labels[:, :1], torch.tensor([[3, -1]])
    denoiser = as_denoiser(network, schedule.flow, "eps", given=labels)
    assert (denoiser(torch.ones(1, 2), torch.full((1,), 0.5)).eps == 3).all()


@each_kind
def test_clipping_keeps_the_guess_in_range_and_the_mix_true(kind):
    _, output, t, x_t = a_mix((4, 1, 2, 2), schedule.cosine, torch.tensor([0.2, 0.5, 0.9, 1.0]))
    denoiser = as_denoiser(lambda x_t, t: 5 * output, schedule.cosine, kind, clip=True)
    guess = denoiser(x_t, t)
    assert guess.x_0.abs().max() == 1
    torch.testing.assert_close(add_noise(guess.x_0, guess.eps, t, schedule.cosine), x_t)


X, RATES = torch.zeros(2, 3, 8, 8), schedule.flow(torch.full((2,), 0.5))
UNKNOWN = "kind is 'noise'.*'eps', 'x_0', 'v', 'velocity'"
REFUSED = [
    (lambda: target("noise", X, X, *RATES), UNKNOWN),
    (lambda: read_off("noise", X, X, *RATES), UNKNOWN),
    (lambda: as_denoiser(lambda x_t, t: x_t, schedule.flow, "noise"), UNKNOWN),
    (lambda: read_off("eps", X[:, :1], X, *RATES), r"\(2, 1, 8, 8\).*\(2, 3, 8, 8\)"),
    (lambda: exact_denoiser(X[:0], schedule.flow), r"shape \(0, 3, 8, 8\); give at least one"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_an_unknown_kind_another_shape_and_an_empty_set_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def posterior_mean(x_t, members, signal_rate, noise_rate):
    """The mean of the members, each weighted by its likelihood, in plain Python floats."""
    away = [math.dist(x_t, [signal_rate * y for y in member]) for member in members]
    likely = [math.exp(-(distance**2) / (2 * noise_rate**2)) for distance in away]
    axes = zip(*members, strict=True)
    return [sum(map(operator.mul, likely, axis)) / sum(likely) for axis in axes]


@each_schedule
def test_the_exact_denoiser_is_the_mean_of_the_posterior(rates_at):
    members = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.2, -0.7]])
    _, _, t, x_t = a_mix((4, 2), rates_at, torch.tensor([0.2, 0.4, 0.6, 0.9]))
    guess = exact_denoiser(members, rates_at)(x_t, t)
    rates = torch.cat(rates_at(t), dim=1).view(4, 2).tolist()
    places = members.tolist()
    expected = [posterior_mean(x.tolist(), places, *r) for x, r in zip(x_t, rates, strict=True)]
    torch.testing.assert_close(guess.x_0, torch.tensor(expected).double())
    torch.testing.assert_close(add_noise(guess.x_0, guess.eps, t, rates_at), x_t)


@each_schedule
def test_the_exact_denoiser_at_both_ends(rates_at):
    generator = torch.Generator().manual_seed(2)
    pictures = torch.rand(20, 3, 8, 8, generator=generator) * 2 - 1
    denoiser = exact_denoiser(pictures, rates_at)
    nearly_clean = denoiser(pictures[[7]], torch.zeros(1))
    torch.testing.assert_close(nearly_clean.x_0, pictures[[7]])
    assert (nearly_clean.eps == 0).all()
    noise = torch.randn(1, 3, 8, 8, generator=generator)
    at_the_end = denoiser(noise, torch.ones(1))
    assert at_the_end.x_0.dtype == torch.float32 and at_the_end.x_0.shape == (1, 3, 8, 8)
    # The linear road ends with a trace of the picture, worth a little more than 1 in 100 here.
    near = 0.05 if rates_at is schedule.linear else 1e-3
    torch.testing.assert_close(at_the_end.x_0, pictures.mean(0, keepdim=True), atol=near, rtol=0)


def test_no_guess_beats_the_exact_one():
    generator = torch.Generator().manual_seed(3)
    members = torch.randn(6, 2, generator=generator)
    x_0 = members[torch.randint(6, (20_000,), generator=generator)]
    eps, t = torch.randn(x_0.shape, generator=generator), torch.full((20_000,), 0.6)
    x_t = add_noise(x_0, eps, t, schedule.cosine)
    best = exact_denoiser(members, schedule.cosine)(x_t, t).x_0
    nearest = members[torch.cdist(x_t, schedule.cosine(t[:1])[0].item() * members).argmin(1)]
    others = nearest, members.mean(0).expand_as(x_0), 0.97 * best, 1.03 * best
    error, *errors = (((guess - x_0) ** 2).mean().item() for guess in (best, *others))
    assert error < min(errors)
