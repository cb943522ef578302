"""Measured shares with their uncertainty, distances between sets, and nearest pictures."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, log10, sqrt
from statistics import NormalDist

import torch
from torch import Tensor

from diffusion_lessons import arguments

_CELLS = 2**21  # of the table of distances that `nearest` holds at one time: 8 MB
_PARTS = 20  # that `frechet` leaves out in turn


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval (low, high) in which the true share of successes probably lies.

    With p = successes / trials and z the normal quantile of the confidence (1.96 for 0.95), its
    ends are the two shares q that solve (p - q)**2 = z**2 * q * (1 - q) / trials. Unlike
    p +- z * sqrt(p * (1 - p) / trials) it stays in [0, 1] and keeps a width at p = 0 and p = 1.
    Wilson 1927, "Probable inference". Raises ValueError for numbers that make no share.
    """
    trials = arguments.number("trials", trials, 1, 10**12)
    successes = arguments.number("successes", successes, 0, trials, ", as many as trials")
    confidence = arguments.number("confidence", confidence, 0, 1, ", such as 0.95", real=True)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: it must be between 0 and 1, such as 0.95")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = successes / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = sqrt(weight * share * (1 - share) + weight * weight / 4) / (1 + weight)
    low = 0.0 if successes == 0 else middle - half
    return low, 1.0 if successes == trials else middle + half


def shares(right: Mapping[str, Tensor], *bounded: str, of: str = "pictures") -> dict:
    """Return the share of each of `right`, bool (N,), and the 95 % interval of those in `bounded`.

    As on a card: N `of` what, "name", and "name, 95 % interval" (`wilson`), with four decimals.
    """
    row: dict = {of: len(next(iter(right.values())))}
    for name, each in right.items():
        row[name] = round(float(each.float().mean()), 4)
        if name in bounded:
            ends = wilson(int(each.sum()), len(each))
            row[f"{name}, 95 % interval"] = [round(end, 4) for end in ends]
    return row


def psnr(images: Tensor, truth: Tensor) -> float:
    """Return the peak signal-to-noise ratio in decibels, of values in [-1, 1] of any shape.

    10 log10(2^2 / mean squared error): 20 dB is an error of a tenth of the range from black to
    white, 26 dB of a twentieth; infinite where nothing differs. ValueError if shapes differ.
    """
    arguments.alike(truth=truth, images=images)
    arguments.number("the number of pixels", truth.numel(), 1, 2**50)
    error = float((images.double() - truth.double()).square().mean())
    return 10 * log10(4 / error) if 0 < error < inf else inf - error


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Return the distance of two sets, seen as two Gaussians: 0 for equal mean and covariance.

    |mean_a - mean_b|**2 + trace(C_a + C_b - 2 * (C_a @ C_b)**0.5), with C the covariances. The
    trace of the last root is the sum of the singular values of C_a**0.5 @ C_b**0.5, which exists
    also where a covariance has no inverse (fewer rows than features). Two finite sets from one
    source come out above 0, the more so the smaller they are: compare only sets of the same size,
    and show real against real of that size beside them. Heusel et al. 2017, equation 6.

    a, b: features (N, D), each its own N, 2 or more. Raises ValueError for other shapes and for
    numbers that are not finite.
    """
    mean_a, spread_a, root_a = _gaussian("a", a)
    arguments.shape("b", b, ("N", a.shape[1]), ", features of the same network")
    mean_b, spread_b, root_b = _gaussian("b", b)
    shared = torch.linalg.svdvals(root_a @ root_b).sum()
    return max(0.0, float((mean_a - mean_b).square().sum() + spread_a + spread_b - 2 * shared))


def frechet(a: Tensor, b: Tensor) -> tuple[float, float]:
    """Return `frechet_distance(a, b)` and the standard error that comes from `a` being a sample.

    The distance is taken again without each of k = 20 equal parts of `a` in turn; the error is
    sqrt((k - 1) / k * sum((distance_i - mean)**2)). It says how far another sample of the same size
    would scatter, not by how much the distance is too large for its size. (A bootstrap would draw
    rows twice and so make every distance larger.) Efron and Stein 1981.

    a: features (N, D) in random order, 40 or more. b: held fixed. Errors as in `frechet_distance`.
    """
    arguments.shape("a", a, ("N", "D"), holds=arguments.FLOATS)
    if len(a) < 2 * _PARTS:
        raise ValueError(f"a has {len(a)} rows: {_PARTS} groups need at least {2 * _PARTS}")
    size = len(a) // _PARTS
    without = (torch.cat([a[: i * size], a[(i + 1) * size :]]) for i in range(_PARTS))
    distances = torch.tensor([frechet_distance(rest, b) for rest in without], dtype=torch.float64)
    return frechet_distance(a, b), sqrt((_PARTS - 1) * float(distances.var(correction=0)))


def _gaussian(name: str, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The mean (D,), the covariance's trace and its symmetric root (D, D), float64 on the CPU."""
    arguments.shape(name, features, ("N", "D"), ", features, a row each", arguments.FLOATS)
    arguments.number(f"the number of rows of {name}", len(features), 2, 2**31)
    if not features.isfinite().all():
        raise ValueError(f"{name} has a number that is not finite: look at the pictures it is of")
    features = features.detach().cpu().double()
    covariance = torch.atleast_2d(torch.cov(features.T))
    values, vectors = torch.linalg.eigh(covariance)
    return features.mean(0), covariance.trace(), vectors * values.clamp_min(0).sqrt() @ vectors.T


def nearest(queries: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Find for each query the picture that is most like it, pixel by pixel.

    queries: (Q, ...). pictures: (P, ...) of the same shape and range. Returns distances (Q,), the
    root of the mean squared difference of the pixels, and which of `pictures`, int64 (Q,). Of two
    whose distances differ by less than about 0.001, either may be found. Raises ValueError for an
    empty set, another shape, or a number that is not finite.
    """
    arguments.tensor("queries", queries)
    one = queries.shape[1:]
    arguments.shape("pictures", pictures, ("B", *one), ", as the queries are", queries.dtype)
    arguments.shape("queries", queries, ("B", *one))
    flat = queries.flatten(1)
    best, indices = torch.full((len(flat),), torch.inf), torch.zeros(len(flat)).long()
    chunk = max(1, _CELLS // len(flat))
    for start in range(0, len(pictures), chunk):
        part = pictures[start : start + chunk].flatten(1)
        # |q - p|**2 without |q|**2, which is the same for every picture
        gaps, places = torch.addmm(part.square().sum(1), flat, part.T, alpha=-2).min(1)
        indices = torch.where(gaps < best, places + start, indices)
        best = torch.minimum(gaps, best)
    if not (best.isfinite().all() and flat.isfinite().all()):
        raise ValueError("a picture has a number that is not finite: look at where it was made")
    return (flat - pictures[indices].flatten(1)).square().mean(1).sqrt(), indices
