"""The schedules against their closed forms, and the errors they raise."""

import itertools
import math
import operator

import pytest
import torch

from diffusion_lessons import schedule
from diffusion_lessons.schedule import add_noise, alpha_bar, cosine, flow, linear, row_to_t, snr

of_a_table = pytest.mark.parametrize(
    ("rates", "beta"), [(linear, schedule.linear_beta), (cosine, schedule.cosine_beta)]
)
rows = torch.arange(schedule.NUM_TRAIN_TIMESTEPS)


def squared_cosine(t: float) -> float:
    """Nichol & Dhariwal eq. 17, written down a second time and in plain Python."""
    of_t, of_0 = (math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2 for time in (t, 0))
    return of_t / of_0


def test_linear_beta_is_the_table_of_ddpm_and_alpha_bar_its_running_product():
    beta = schedule.linear_beta()
    assert beta.dtype == torch.float64 and beta.shape == (1000,)
    assert beta[0].item() == 1e-4 and beta[-1].item() == 0.02
    torch.testing.assert_close(beta.diff(), torch.full((999,), (0.02 - 1e-4) / 999).double())
    expected = list(itertools.accumulate((1 - beta).tolist(), operator.mul))
    assert alpha_bar(beta).tolist() == pytest.approx(expected)
    assert alpha_bar(beta)[-1].item() == pytest.approx(4.0358e-5, rel=1e-4)


def test_cosine_alpha_bar_is_equation_17_up_to_the_clipped_last_row():
    table = alpha_bar(schedule.cosine_beta())
    expected = [squared_cosine((row + 1) / 1000) for row in range(999)]
    assert table[:-1].tolist() == pytest.approx(expected, rel=1e-9, abs=0)
    assert (table[-1] / table[-2]).item() == pytest.approx(1 - 0.999)
    assert (schedule.cosine_beta() < 0.999).sum() == 999


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@of_a_table
def test_rates_at_row_times_are_the_table(rates, beta, dtype):
    t = row_to_t(rows)
    assert t.dtype == torch.float32 and t[[0, 499, 999]].tolist() == pytest.approx([0.001, 0.5, 1])
    signal_rate, noise_rate = rates(t.to(dtype))
    assert signal_rate.shape == noise_rate.shape == (1000, 1, 1, 1)
    assert signal_rate.dtype == noise_rate.dtype == dtype
    table = alpha_bar(beta())
    torch.testing.assert_close(signal_rate.flatten(), table.sqrt().to(dtype))
    torch.testing.assert_close(noise_rate.flatten(), (1 - table).sqrt().to(dtype))


@of_a_table
def test_between_rows_log_alpha_bar_is_straight_and_variance_is_kept(rates, beta):
    signal_rate, noise_rate = rates(torch.linspace(0, 1, 7001, dtype=torch.float64))
    assert (signal_rate.flatten().diff() < 0).all()
    torch.testing.assert_close(signal_rate**2 + noise_rate**2, torch.ones(7001, 1, 1, 1).double())
    here, halfway, there = rates(torch.tensor([0.300, 0.3005, 0.301]).double())[0].log()
    torch.testing.assert_close(halfway, (here + there) / 2)


@of_a_table
def test_snr_is_the_ratio_of_variances_and_time_zero_the_clean_picture(rates, beta):
    table, t = alpha_bar(beta()), row_to_t(rows).double()
    assert snr(t, rates).shape == (1000,)
    torch.testing.assert_close(snr(t, rates), table / (1 - table), rtol=1e-3, atol=0)
    signal_rate, noise_rate = rates(torch.zeros(1))
    assert signal_rate.item() == 1 and noise_rate.item() == 0
    assert f"{noise_rate.item():.3f}" == "0.000"  # and not -0.000
    assert snr(torch.zeros(1), rates).item() == math.inf


def test_cosine_between_rows_stays_close_to_equation_17():
    t = torch.linspace(0, 0.99, 3337, dtype=torch.float64)
    expected = torch.tensor([squared_cosine(value) for value in t.tolist()]).double()
    torch.testing.assert_close(cosine(t)[0].flatten() ** 2, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("shape", [(4, 3, 8, 8), (1, 1, 5, 7), (6, 2), (6,)])
def test_add_noise_mixes_each_item_with_its_own_rates(shape):
    generator = torch.Generator().manual_seed(1)
    x_0, eps = (torch.randn(shape, generator=generator) for _ in range(2))
    row = torch.randint(0, 1000, shape[:1], generator=generator)
    kept = [x_0.clone(), eps.clone()]
    x_t = add_noise(x_0, eps, row_to_t(row), linear)
    assert x_t.shape == shape and x_t.dtype == torch.float32
    for item, left in enumerate(alpha_bar(schedule.linear_beta())[row].tolist()):
        expected = math.sqrt(left) * x_0[item] + math.sqrt(1 - left) * eps[item]
        torch.testing.assert_close(x_t[item], expected)
    assert torch.equal(x_0, kept[0]) and torch.equal(eps, kept[1])


X_0 = torch.zeros(4, 3, 8, 8)
HALF = torch.full((4,), 0.5)
REFUSED = [
    *((lambda bad=bad: linear(torch.tensor([0.5, bad])), ValueError, rf"t is {bad:g}; it must lie "
       "between 0.*row_to_t") for bad in (-0.001, 1.0001, math.nan, 500.0)),
    (lambda: flow(torch.tensor([1.5])), ValueError, "t is 1.5; it must lie between 0"),
    (lambda: flow(torch.tensor([500])), TypeError, "int64.*row_to_t"),
    (lambda: cosine(torch.tensor([500])), TypeError, "int64.*row_to_t"),
    (lambda: cosine(torch.tensor(0.5)), ValueError, r"t has shape \(\)"),
    (lambda: row_to_t(torch.tensor([3, -1])), ValueError, "row -1 is outside"),
    (lambda: row_to_t(torch.tensor([3, 1000])), ValueError, "row 1000 is outside"),
    (lambda: row_to_t(torch.tensor([0.5])), TypeError, "whole numbers"),
    (lambda: add_noise(X_0, X_0[0], HALF, linear), ValueError, r"eps.*\(3, 8, 8\).*shape of x_0"),
    (lambda: add_noise(X_0, X_0, HALF[:1], linear), ValueError, r"t has.*full\(\(4,\), 0.5\)"),
    (lambda: add_noise(X_0.byte(), X_0, HALF, cosine), TypeError, "x_0 has.*uint8.*127.5 - 1"),
    (lambda: add_noise(X_0.long(), X_0, HALF, cosine), TypeError, "x_0 has.*int64.*127.5 - 1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_is_no_time_row_or_noise_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_gradients_reach_the_picture():
    x_0, t = torch.zeros(2, 3, 4, 4, requires_grad=True), torch.tensor([0.2, 0.5])
    add_noise(x_0, torch.zeros_like(x_0), t, cosine).sum().backward()
    torch.testing.assert_close(x_0.grad, cosine(t)[0].expand(2, 3, 4, 4))


def test_the_table_cannot_be_spoilt_by_a_caller():
    before = linear(torch.tensor([0.5]))[0].clone()
    schedule.linear_beta().zero_()
    linear(torch.tensor([0.5]))[0].zero_()
    assert torch.equal(linear(torch.tensor([0.5]))[0], before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_flow_is_straight(dtype):
    t = torch.tensor([0.0, 0.25, 1.0], dtype=dtype)
    signal_rate, noise_rate = flow(t)
    assert signal_rate.shape == noise_rate.shape == (3, 1, 1, 1)
    assert signal_rate.dtype == noise_rate.dtype == dtype
    assert signal_rate.flatten().tolist() == [1, 0.75, 0] and torch.equal(noise_rate.flatten(), t)
    assert snr(t, flow).tolist() == [math.inf, 9, 0]
    noise_rate.zero_()
    assert t[2] == 1  # what a caller does to the rates does not reach his times


@pytest.mark.parametrize("shape", [(3, 2), (3, 1, 4, 4), (3,)])
@pytest.mark.parametrize("rates_at", [linear, cosine, flow])
def test_rates_get_the_axes_and_the_dtype_of_the_data_at_each_time_of_a_walk(shape, rates_at):
    times, x, ones = torch.tensor([1.0, 0.3, 0.0]), torch.zeros(shape), [1] * (len(shape) - 1)
    for rate in schedule.rates_like(x.double(), *rates_at(times)):
        assert rate.dtype == torch.float64 and rate.shape == (3, *ones)
    rates = schedule.walk_rates(times, x, rates_at)
    assert rates.shape == (3, 2, 3, *ones) and rates.dtype == torch.float32
    assert schedule.walk_rates(times, x.bfloat16(), rates_at).dtype == torch.float32
    assert schedule.walk_rates(times, x.double(), rates_at).dtype == torch.float64
    for t, at_t in zip(times, rates, strict=True):
        torch.testing.assert_close(at_t.flatten(1), torch.stack(rates_at(t.expand(3))).flatten(1))
