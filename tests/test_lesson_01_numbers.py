"""Every number in the text of lesson 01, computed here, and found in the text as computed."""

import math

import torch
from pytest import approx

from diffusion_lessons import schedule
from tests.claims import Between, Lesson, claims

LESSON = Lesson("01")
BETA = schedule.linear_beta()
LINEAR, COSINE = (schedule.alpha_bar(beta) for beta in (BETA, schedule.cosine_beta()))
HALF = torch.tensor([0.5])
SHARE = torch.linspace(0, 1, 101)
SLIP = SHARE + (1 - SHARE) ** 2  # the variance without the root
OF_LARGE_MODELS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
LEAK = LESSON.numbers("leak", r"after +(-?[\d.]+) ± ([\d.]+)")
LEFT = schedule.alpha_bar(OF_LARGE_MODELS)[-1].sqrt()


def first_row(holds: torch.Tensor) -> int:
    return int(holds.int().argmax())


CROSSING = [first_row(table / (1 - table) < 1) for table in (LINEAR, COSINE)]


@claims(
    ("rises on a straight line from 0.0001 to 0.02 … row 0, the last one row 999 … T = 1000",
     [BETA[0], BETA[-1], len(BETA)], [0.0001, 0.02, 1000]),
    (r"Linear keeps $4\cdot10^{-5}$ of the variance", f"{LINEAR[-1]:.0e}", "4e-05"),
    ("signal rate of <0.0064>", LINEAR[-1].sqrt()),
    ('half_way.compare("less than a tenth"', LINEAR[499], Between(0.05, 0.1)),
    ("crosses 1 at t = <0.26> (linear) or <0.50> (cosine)", [row / 1000 for row in CROSSING]),
    ("it crosses at t = <0.50>", CROSSING[1] / 1000),
    ('crossing.compare("t = <0.26>"', CROSSING[0] / 1000),
    ('["more picture than noise"] * 9 … "picture and noise in equal shares", *less',  # at t = 0.50
     (schedule.snr(torch.linspace(0, 1, 21)[9:12], schedule.cosine) > 1).tolist()
     + [schedule.snr(HALF, schedule.cosine)], [True, False, False, approx(1, abs=0.03)]),
    ("after 250 of the 1000 steps, t = <0.25>", schedule.row_to_t(torch.tensor([249]))),
    ("three quarters of its steps where noise rules",
     1 - CROSSING[0] / 1000, approx(0.75, abs=0.02)),
    ("alpha_bar falls through one half there", first_row(LINEAR < 0.5), CROSSING[0]),
    ("At both ends, ᾱ = 1 and ᾱ = 0, the printed code is right",  # and worst in the middle
     [SLIP[0], SLIP[-1], SLIP[50], SLIP.argmin()], [1, 1, 0.75, 50]),
    ("the trace is ten times larger … 0.00085**0.5, 0.012**0.5",
     [LEFT, LEFT / LINEAR[-1].sqrt()], [approx(0.0683, abs=5e-5), approx(10, rel=0.1)]),
    ("twice the *standard error* … So chance alone puts about one number in twenty",
     math.erfc(2 / math.sqrt(2)), approx(1 / 20, abs=0.005)),
    ("averaged over 64 pictures, it only just stands out from chance",  # linear, then cosine
     [abs(mean) / error for mean, error in zip(LEAK[::2], LEAK[1::2], strict=True)],
     [*[Between(1, 2.5)] * 2, *[Between(10, math.inf)] * 2]),
    (r"(1-\beta)\cdot 1 + \beta\cdot 1 = 1",),
)  # fmt: skip
def test_the_text_says_what_is_so(claim):
    LESSON.says(*claim)
