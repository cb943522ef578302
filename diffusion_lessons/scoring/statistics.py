"""Measured shares with their uncertainty, distances between sets, and nearest pictures."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, log10, sqrt
from statistics import NormalDist

import torch
from torch import Tensor

_CELLS = 2**21  # of the table of distances that `nearest` holds at one time: 8 MB


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval (low, high) in which the true share of successes probably lies.

    With p = successes / trials and z the normal quantile of the confidence (1.96 for 0.95), its
    ends are the two shares q that solve (p - q)**2 = z**2 * q * (1 - q) / trials. Unlike
    p +- z * sqrt(p * (1 - p) / trials) it stays in [0, 1] and keeps a width at p = 0 and p = 1.
    Wilson 1927, "Probable inference". Raises ValueError unless 0 <= successes <=
    trials, 1 <= trials and 0 < confidence < 1.
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
    return low, 1.0 if successes == trials else middle + half


def shares(right: Mapping[str, Tensor], *bounded: str) -> dict:
    """Return the share of each of `right`, bool (N,), and the 95 % interval of those in `bounded`.

    As on a card: "name" and "name, 95 % interval" (`wilson`), with four decimals.
    """
    row: dict[str, float | list[float]] = {}
    for name, each in right.items():
        row[name] = round(float(each.float().mean()), 4)
        if name in bounded:
            ends = wilson(int(each.sum()), len(each))
            row[f"{name}, 95 % interval"] = [round(end, 4) for end in ends]
    return row


def psnr(images: Tensor, truth: Tensor) -> float:
    """Return the peak signal-to-noise ratio in decibels, of values in [-1, 1] of any shape.

    10 log10(2^2 / mean squared error): 20 dB is an error of a tenth of the range from black to
    white, 26 dB one of a twentieth; infinite where nothing differs. Raises ValueError where the
    shapes differ or there is nothing to compare.
    """
    if images.shape != truth.shape or images.numel() == 0:
        raise ValueError(
            f"shapes {tuple(images.shape)} and {tuple(truth.shape)}: give two sets of the same "
            "pictures, not empty"
        )
    error = float((images.double() - truth.double()).square().mean())
    return 10 * log10(4 / error) if error else inf


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Return the distance of two sets, seen as two Gaussians: 0 for equal mean and covariance.

    |mean_a - mean_b|**2 + trace(C_a + C_b - 2 * (C_a @ C_b)**0.5), with C the covariances. The
    trace of the last root is the sum of the singular values of C_a**0.5 @ C_b**0.5, which exists
    also where a covariance has no inverse (fewer rows than features). Two finite sets from one
    source come out above 0, the more so the smaller they are: compare only sets of the same size,
    and show real against real of that size beside them. Heusel et al. 2017, equation 6.

    a, b: features (N, D), each its own N, 2 or more. Computed in float64 on the CPU. Raises
    ValueError for other shapes and for numbers that are not finite.
    """
    if a.ndim == b.ndim == 2 and a.shape[1] != b.shape[1]:
        raise ValueError(
            f"a has {a.shape[1]} features a row and b has {b.shape[1]}: take both from one network"
        )
    mean_a, covariance_a, root_a = _gaussian("a", a)
    mean_b, covariance_b, root_b = _gaussian("b", b)
    shared = torch.linalg.svdvals(root_a @ root_b).sum()
    distance = (mean_a - mean_b).square().sum() + covariance_a.trace() + covariance_b.trace()
    return max(0.0, float(distance - 2 * shared))


def frechet_error(a: Tensor, b: Tensor, groups: int = 20) -> float:
    """Return the standard error of `frechet_distance(a, b)` that comes from `a` being a sample.

    The distance is taken again without each of `groups` equal parts of `a` in turn; the error is
    sqrt((groups - 1) / groups * sum((distance_i - mean)**2)). It says how far another sample of
    the same size would scatter, not by how much the distance is too large for its size. (A
    bootstrap would draw rows twice and so make every distance larger.) Efron and Stein 1981.

    a: features (N, D) in random order, N at least 2 * groups; rows past a multiple of `groups`, 2
    or more, stay in every time. b: held fixed. Raises ValueError as `frechet_distance` does.
    """
    if groups < 2:
        raise ValueError(f"groups is {groups}: leaving one out takes at least 2, such as 20")
    if len(a) < 2 * groups:
        raise ValueError(f"a has {len(a)} rows: {groups} groups need at least {2 * groups}")
    size = len(a) // groups
    parts = (torch.cat([a[: i * size], a[(i + 1) * size :]]) for i in range(groups))
    distances = torch.tensor([frechet_distance(part, b) for part in parts], dtype=torch.float64)
    return sqrt((groups - 1) * float(distances.var(correction=0)))


def _gaussian(name: str, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean (D,), covariance (D, D) and its symmetric square root (D, D), in float64."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(
            f"{name} has the shape {tuple(features.shape)}: give features (N, D), at least 2 rows"
        )
    if not features.isfinite().all():
        raise ValueError(f"{name} has a number that is not finite: look at the pictures it is of")
    features = features.detach().cpu().double()
    centred = features - features.mean(0)
    covariance = centred.T @ centred / (len(features) - 1)
    values, vectors = torch.linalg.eigh(covariance)
    return features.mean(0), covariance, vectors * values.clamp_min(0).sqrt() @ vectors.T


def nearest(queries: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Find for each query the picture that is most like it, pixel by pixel.

    |q - p|**2 = |q|**2 + |p|**2 - 2 * q @ p finds it, a few thousand pictures at a time, so that
    no table of all the distances is ever held; the distance to the one found is then taken
    directly. Of two pictures whose distances differ by less than about 0.001, either may be found.

    queries: (Q, ...). pictures: (P, ...) of the same shape and range. Returns distances (Q,), the
    root of the mean squared difference of the pixels, and which of `pictures`, int64 (Q,). Raises
    ValueError for an empty set, another shape, or a number that is not finite.
    """
    if queries.shape[1:] != pictures.shape[1:] or 0 in (len(queries), len(pictures)):
        raise ValueError(
            f"queries {tuple(queries.shape)} and pictures {tuple(pictures.shape)}: give at least "
            "one of each, all of one size with the same channels"
        )
    flat = queries.flatten(1)
    best, indices = torch.full((len(flat),), torch.inf), torch.zeros(len(flat)).long()
    chunk = max(1, _CELLS // len(flat))
    for start in range(0, len(pictures), chunk):
        part = pictures[start : start + chunk].flatten(1)
        # without |q|**2, which is the same for every picture
        gaps, places = torch.addmm(part.square().sum(1), flat, part.T, alpha=-2).min(1)
        indices = torch.where(gaps < best, places + start, indices)
        best = torch.minimum(gaps, best)
    if not (best.isfinite().all() and flat.isfinite().all()):
        raise ValueError("a picture has a number that is not finite: look at where it was made")
    return (flat - pictures[indices].flatten(1)).square().mean(1).sqrt(), indices
