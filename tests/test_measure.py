"""Intervals of measured shares, against closed forms and by counting."""

from math import comb

import pytest

from diffusion_lessons.measure import wilson

Z = 1.959963984540054  # the normal quantile of 97.5 %


def test_the_ends_solve_wilsons_equation():
    for successes, trials in [(1, 10), (5, 10), (37, 50), (995, 1000), (1, 3)]:
        share = successes / trials
        low, high = wilson(successes, trials)
        assert 0 < low < share < high < 1
        for end in (low, high):
            assert (share - end) ** 2 == pytest.approx(Z**2 * end * (1 - end) / trials, rel=1e-9)


@pytest.mark.parametrize("trials", [1, 7, 2000])
def test_all_and_none_have_a_closed_form(trials):
    weight = Z**2 / trials
    assert wilson(0, trials) == (0.0, pytest.approx(weight / (1 + weight)))
    assert wilson(trials, trials) == (pytest.approx(1 / (1 + weight)), 1.0)


def test_half_of_the_trials_is_symmetric():
    low, high = wilson(50, 100)
    assert low + high == pytest.approx(1)
    assert high - low == pytest.approx(Z / (100 + Z**2) ** 0.5)


def test_successes_and_failures_mirror_each_other():
    low, high = wilson(3, 20)
    assert wilson(17, 20) == (pytest.approx(1 - high), pytest.approx(1 - low))


def test_more_confidence_is_wider_and_more_trials_narrower():
    def width(*arguments):
        low, high = wilson(*arguments)
        return high - low

    assert width(9, 10, 0.8) < width(9, 10, 0.95) < width(9, 10, 0.99)
    assert width(900, 1000) < width(90, 100) < width(9, 10)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_intervals_contain_the_true_share_about_as_often_as_they_say(share):
    trials, covered = 100, 0.0
    for successes in range(trials + 1):
        low, high = wilson(successes, trials)
        chance = comb(trials, successes) * share**successes * (1 - share) ** (trials - successes)
        covered += chance * (low <= share <= high)
    assert 0.92 < covered < 0.98


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0, 0), "trials is 0"),
        ((-1, 5), "successes is -1"),
        ((6, 5), "successes is 6: it must be from 0 to trials, 5"),
        ((1, 5, 1.0), "confidence is 1.0"),
        ((1, 5, 95), "confidence is 95"),
    ],
)
def test_numbers_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        wilson(*arguments)
