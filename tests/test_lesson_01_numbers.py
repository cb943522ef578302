"""Every number in the text of lesson 01, computed here, and found in the text as computed."""

import math
import re

import nbformat
import pytest
import torch

from diffusion_lessons import schedule
from tools import notebooks as tool

CELLS = nbformat.read(tool.NOTEBOOKS / "01_forward_noising.ipynb", as_version=4).cells
TEXT = " ".join(re.sub(r"\s+", " ", cell.source) for cell in CELLS)
LINEAR = schedule.alpha_bar(schedule.linear_beta())
COSINE = schedule.alpha_bar(schedule.cosine_beta())


def first_row_below_one(alpha_bar: torch.Tensor) -> int:
    return int((schedule_snr(alpha_bar) < 1).int().argmax())


def schedule_snr(alpha_bar: torch.Tensor) -> torch.Tensor:
    return alpha_bar / (1 - alpha_bar)


def says(*sentences: str) -> None:
    for sentence in sentences:
        assert sentence in TEXT, f"the lesson does not say: {sentence}"


def test_the_linear_table_goes_from_0_0001_to_0_02():
    beta = schedule.linear_beta()
    says("rises on a straight line from 0.0001 to 0.02", "T = 1000")
    assert (beta[0].item(), beta[-1].item(), len(beta)) == (0.0001, 0.02, 1000)


def test_the_linear_table_keeps_4e_5():
    says(r"Linear keeps $4\cdot10^{-5}$ of the variance", "signal rate of 0.0064")
    assert f"{LINEAR[-1]:.0e}" == "4e-05" and f"{LINEAR[-1].sqrt():.4f}" == "0.0064"


def test_less_than_a_tenth_is_left_half_way():
    says('half_way.compare( "less than a tenth"')
    assert 0.05 < LINEAR[499] < 0.1


def test_the_snr_crosses_one_at_0_26_and_at_0_50():
    says("it crosses at t = 0.50", "crosses 1 at t = 0.26 (linear) or 0.50 (cosine)")
    says('crossing.compare("t = 0.26"', "linear crossed long before, at 0.26")
    for table, said, wanted in ((LINEAR, "0.26", 259), (COSINE, "0.50", 496)):
        row = first_row_below_one(table)
        assert row == wanted
        assert f"{row / 1000:.2f}" == f"{(row + 1) / 1000:.2f}" == said
    says("three quarters of its steps where noise rules")
    assert 1 - first_row_below_one(LINEAR) / 1000 == pytest.approx(0.75, abs=0.02)


def test_alpha_bar_is_one_half_where_the_snr_is_one():
    says("alpha_bar falls through one half there")
    row = first_row_below_one(LINEAR)
    assert LINEAR[row - 1] > 0.5 > LINEAR[row]


def test_at_half_time_cosine_has_11_times_the_snr_of_linear():
    says('middle.compare( "about 11 times"')
    half = torch.tensor([0.5])
    ratio = schedule.snr(half, schedule.cosine) / schedule.snr(half, schedule.linear)
    assert 10.5 < ratio.item() < 11.5


def test_the_steepest_drop_is_between_rows_218_and_219():
    says("between rows 218 and 219")
    assert LINEAR.diff().argmin().item() == 218


def test_the_slip_of_the_missing_root_is_largest_in_the_middle():
    says("At both ends, ᾱ = 1 and ᾱ = 0, the printed code is right")
    share = torch.linspace(0, 1, 101)
    variance = share + (1 - share) ** 2
    assert variance[0] == variance[-1] == 1
    assert variance.argmin() == 50 and variance[50].item() == 0.75


def test_stable_diffusion_keeps_ten_times_the_signal_rate():
    says("it is ten times larger", "0.00085**0.5, 0.012**0.5")
    beta = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    left = schedule.alpha_bar(beta)[-1].sqrt()
    assert left.item() == pytest.approx(0.0683, abs=5e-5)
    assert (left / LINEAR[-1].sqrt()).item() == pytest.approx(10, rel=0.1)


def test_the_trace_of_brightness_only_just_stands_out_from_chance():
    """Once with the linear table, far more with the other: the means that the lesson shows."""
    says("averaged over 64 pictures, it only just stands out from chance")
    (leak,) = (cell for cell in CELLS if cell.id == "leak")
    shown = "".join(output.get("text", "") for output in leak.outputs)
    means = re.findall(r"after +(-?[\d.]+) ± ([\d.]+)", shown)
    linear, other = ([abs(float(m)) / float(e) for m, e in half] for half in (means[:2], means[2:]))
    assert all(1 < number < 2.5 for number in linear) and all(number > 10 for number in other)


def test_two_standard_errors_leave_one_number_in_twenty_outside():
    says("an uncertainty of two standard errors, chance alone puts about one number in twenty")
    assert math.erfc(2 / math.sqrt(2)) == pytest.approx(1 / 20, abs=0.005)


def test_variances_of_numbers_around_one():
    """The share of one step, as in the text: (1 - beta) 1 + beta 1 = 1, for any beta."""
    says(r"(1-\beta)\cdot 1 + \beta\cdot 1 = 1")
    for beta in schedule.linear_beta()[::100].tolist():
        assert (1 - beta) + beta == pytest.approx(1)
