"""Intervals, distances between sets and nearest pictures, against closed forms and by counting."""

import subprocess
import sys
from math import inf

import pytest
import torch

from diffusion_lessons.scoring.statistics import frechet, frechet_distance, nearest, psnr, wilson

QUANTILES = {0.8: 1.2815515655446004, 0.95: 1.959963984540054, 0.99: 2.5758293035489004}


@pytest.mark.parametrize("confidence", QUANTILES)
def test_the_ends_solve_wilsons_equation(confidence):
    z = QUANTILES[confidence]
    for successes, trials in [(1, 10), (5, 10), (37, 50), (995, 1000), (1, 3)]:
        share = successes / trials
        low, high = wilson(successes, trials, confidence)
        assert 0 < low < share < high < 1
        for end in (low, high):
            assert (share - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / trials, rel=1e-9)
    for trials in (1, 7, 2000):  # all and none have a closed form
        gap = pytest.approx(z**2 / trials / (1 + z**2 / trials))
        assert wilson(0, trials, confidence) == (0.0, gap)
        low, high = wilson(trials, trials, confidence)
        assert 1 - low == gap and high == 1.0
    assert wilson(5, 10) == wilson(5, 10, 0.95)


# --- peak signal-to-noise ratio ---

GREY, BLACK = torch.full((2, 3, 4, 4), -0.5), torch.zeros(2, 1, 2, 2)
SECOND = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)  # all pictures are taken together
DECIBELS = [
    *((GREY + sign * error, GREY, decibels) for sign in (1, -1) for error, decibels in (
        (2.0, 0.0), (0.2, 20.0), (0.1, 26.0206), (0.02, 40.0),
    )),
    (BLACK + 0.2 * SECOND, BLACK, 23.0103), (torch.ones(3), torch.ones(3), inf),
    (torch.tensor(0.5), torch.tensor(0.3), 20), (torch.zeros(9), torch.full((9,), 1e-4), 86.0206),
    (torch.ones(100_000) - 1e-4, torch.ones(100_000), pytest.approx(86.02, abs=0.05)),
]  # fmt: skip


@pytest.mark.parametrize(("images", "truth", "decibels"), DECIBELS)
def test_an_error_in_decibels_by_hand(images, truth, decibels):
    found = psnr(images, truth)
    assert found == decibels or found == pytest.approx(decibels, abs=1e-3)


# --- the Frechet distance ---


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact_set(mean, covariance, count, seed):
    """Features whose sample mean and covariance are exactly the given ones."""
    rows = random(count, len(mean), seed=seed)
    rows = rows - rows.mean(0)
    white = torch.linalg.inv(torch.linalg.cholesky(rows.T @ rows / (count - 1)))
    return rows @ white.T @ torch.linalg.cholesky(covariance).T + mean


@pytest.mark.parametrize("size", [1, 5])
def test_gaussians_that_share_their_axes(size):
    turn, _ = torch.linalg.qr(random(size, size, seed=2))
    spreads = torch.tensor([[1.0, 2, 3, 0.1, 5], [2.0, 2, 1, 0.4, 1]]).double()[:, :size]
    means = random(2, size, seed=3)
    a, b = (
        exact_set(mean, turn @ spread.square().diag() @ turn.T, count, seed=count)
        for mean, spread, count in zip(means, spreads, (64, 90), strict=True)
    )
    expected = means.diff(dim=0).square().sum() + spreads.diff(dim=0).square().sum()
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-9)


def test_gaussians_that_do_not_share_their_axes():
    """The root of C_a @ C_b by its eigenvalues: another way than the one of the function."""
    a, b = random(200, 6, seed=1) @ random(6, 6, seed=2), random(300, 6, seed=3) + 0.3
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    root = torch.linalg.eigvals(cov_a @ cov_b).sqrt().sum().real
    expected = (a.mean(0) - b.mean(0)).square().sum() + (cov_a + cov_b).trace() - 2 * root
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-8)


def test_it_is_symmetric_zero_at_home_the_same_turned_and_squared_by_scaling():
    a, b = random(50, 8), random(70, 8, seed=1) * 2 + 1
    turn, _ = torch.linalg.qr(random(8, 8, seed=5))
    here = frechet_distance(a, b)
    assert frechet_distance(b, a) == pytest.approx(here, rel=1e-9)
    assert 0 <= frechet_distance(a, a) < 1e-9
    assert frechet_distance(a @ turn + 7, b @ turn + 7) == pytest.approx(here, rel=1e-9)
    assert frechet_distance(3 * a, 3 * b) == pytest.approx(9 * here, rel=1e-9)


def test_fewer_rows_than_features():
    """Singular covariances: each set spans one direction, and the two are perpendicular."""
    line = torch.tensor([[-1.0], [1.0]])
    a, b = torch.zeros(2, 40), torch.zeros(2, 40)
    a[:, :1], b[:, 7:8] = line, 3 * line
    assert frechet_distance(a, b) == pytest.approx(2 + 2 * 9)
    assert frechet_distance(a, 3 * a) == pytest.approx(2 * (3 - 1) ** 2)


def test_float32_far_from_zero_loses_nothing():
    a, b = random(400, 3, seed=1), random(400, 3, seed=2) + 0.5
    far = frechet_distance((a + 1000).float(), (b + 1000).float())
    assert far == pytest.approx(frechet_distance(a, b), rel=1e-2)


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_error_is_the_scatter_of_repeated_samples(shift):
    """Sixty samples of 400, each with its own error: on average it is how much they scatter."""
    truth = random(5000, 6, seed=9)
    found = torch.tensor([frechet(random(400, 6, seed=i) + shift, truth) for i in range(60)])
    assert found[0, 0] == pytest.approx(frechet_distance(random(400, 6, seed=0) + shift, truth))
    assert 0.75 < found[:, 1].square().mean().sqrt() / found[:, 0].std() < 1.5
    few, many = (frechet(random(count, 6, seed=1) + 1, truth)[1] for count in (100, 1600))
    assert many < 0.5 * few


# --- the nearest picture ---


def test_nearest_agrees_with_a_table_of_all_distances(monkeypatch):
    queries, pictures = random(23, 3, 6, 6).float(), random(211, 3, 6, 6, seed=1).float()
    table = (queries[:, None] - pictures).square().mean((2, 3, 4)).sqrt()
    for cells in (1, 23 * 10, 2**21):  # a picture at a time, ten, all at once
        monkeypatch.setattr("diffusion_lessons.scoring.statistics._CELLS", cells)
        distances, indices = nearest(queries, pictures)
        assert torch.equal(indices, table.argmin(1))
        assert torch.allclose(distances, table.amin(1), atol=1e-6)


def test_a_copy_has_distance_zero_and_a_step_of_brightness_its_height():
    pictures = random(40, 1, 28, 28).float().clamp(-1, 1)
    distances, indices = nearest(pictures[[31, 2]], pictures)
    assert indices.tolist() == [31, 2] and distances.tolist() == [0, 0]
    distances, indices = nearest(pictures[5:6] + 0.25, pictures)
    assert indices.tolist() == [5] and float(distances) == pytest.approx(0.25, rel=1e-5)


PEAK = """
import torch
from pathlib import Path
from diffusion_lessons.scoring.statistics import nearest

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

torch.set_num_threads(1)
nearest(torch.zeros(4, 1, 28, 28), torch.zeros(4, 1, 28, 28))
pictures, queries = torch.rand(60_000, 1, 14, 14), torch.rand(1_000, 1, 14, 14)
before = peak()
nearest(queries, pictures)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read as Linux tells them")
def test_a_thousand_queries_among_sixty_thousand_need_little_memory(project):
    """Beyond the pictures, of which a copy would take 47 MB; the whole table would take 240 MB."""
    run = subprocess.run(
        [sys.executable, "-c", PEAK], capture_output=True, text=True, check=True, cwd=project
    )
    assert int(run.stdout) < 40_000


# --- what each of them refuses ---

SAME = "the shape of truth|number of pixels is 0"
ROWS, IMAGES = torch.zeros(5, 3), torch.zeros(2, 3, 4, 4)
NAN, INF = torch.full((5, 3), torch.nan), torch.full((5, 3), torch.inf)
REFUSED = [
    (wilson, (0, 0), "trials is 0: give a whole number from 1"),
    (wilson, (-1, 5), "successes is -1: give a whole number from 0 to 5"),
    (wilson, (6, 5), "successes is 6: .* as many as trials"),
    (wilson, (1, 5, 1.0), "confidence is 1.0"),
    (wilson, (1, 5, 95), "confidence is 95"),
    (psnr, (torch.zeros(2, 3), torch.zeros(3, 2)), SAME),
    (psnr, (torch.zeros(4), torch.zeros(1, 4)), SAME),
    (psnr, (torch.zeros(1), torch.zeros(())), SAME),
    (psnr, (torch.zeros(0), torch.zeros(0)), SAME),
    (frechet_distance, (ROWS[:1], ROWS), "number of rows of a is 1: give a whole number from 2"),
    (frechet_distance, (ROWS, ROWS[:1]), "number of rows of b is 1"),
    (frechet_distance, (ROWS[:, 0], ROWS), r"a has shape \(5,\): give \(N, D\)"),
    (
        frechet_distance,
        (ROWS, torch.zeros(5, 4)),
        r"b has shape \(5, 4\): give \(N, 3\), features of the same network",
    ),
    (frechet_distance, (NAN, ROWS), "a has a number that is not finite"),
    (frechet_distance, (ROWS, INF), "b has a number that is not finite"),
    (frechet, (random(39, 2), random(50, 2)), "39 rows: 20 groups need at least 40"),
    (nearest, (IMAGES[:0], IMAGES), "may be empty"),
    (nearest, (IMAGES, IMAGES[:0]), "may be empty"),
    (nearest, (IMAGES, IMAGES[:, :1]), r"\(2, 1, 4, 4\): give \(B, 3, 4, 4\)"),
    (nearest, (NAN, ROWS), "not finite"),
    (nearest, (ROWS, NAN), "not finite"),
    (nearest, (INF, ROWS), "not finite"),
]


@pytest.mark.parametrize(("function", "arguments", "message"), REFUSED)
def test_what_cannot_be_measured_is_refused(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)
