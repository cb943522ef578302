"""Measured shares with their uncertainty."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval (low, high) in which the true share of successes probably lies.

    With p = successes / trials and z the normal quantile of the confidence (1.96 for 0.95), its
    ends are the two shares q that solve (p - q)**2 = z**2 * q * (1 - q) / trials. Unlike
    p +- z * sqrt(p * (1 - p) / trials) it stays in [0, 1] and keeps a width at p = 0 and p = 1.
    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference";
    recommended by Brown, Cai and DasGupta 2001, "Interval estimation for a binomial proportion".

    Args:
        successes: how often it went well, 0..trials.
        trials: how often it was tried, 1 or more.
        confidence: how often such intervals contain the true share, between 0 and 1.

    Raises:
        ValueError: a number outside its range.
    """
    if trials < 1:
        raise ValueError(f"trials is {trials}: a share needs at least one trial")
    if not 0 <= successes <= trials:
        raise ValueError(f"successes is {successes}: it must be from 0 to trials, {trials}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: it must be between 0 and 1, such as 0.95")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = successes / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = sqrt(weight * share * (1 - share) + weight * weight / 4) / (1 + weight)
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == trials else middle + half
    return low, high
