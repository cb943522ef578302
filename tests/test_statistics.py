"""Intervals, distances between sets and nearest pictures, against closed forms and by counting."""

import subprocess
import sys
from math import comb, inf

import pytest
import torch

from diffusion_lessons.scoring.statistics import (
    frechet,
    frechet_distance,
    nearest,
    psnr,
    wilson,
)

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


def test_successes_and_failures_mirror_each_other():
    low, high = wilson(50, 100)
    assert low + high == pytest.approx(1)
    assert high - low == pytest.approx(Z / (100 + Z**2) ** 0.5)
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


# --- peak signal-to-noise ratio ---


@pytest.mark.parametrize("error, decibels", [(2.0, 0.0), (0.2, 20.0), (0.1, 26.0206), (0.02, 40.0)])
def test_an_even_error_by_hand(error, decibels):
    truth = torch.full((2, 3, 4, 4), -0.5)
    assert psnr(truth + error, truth) == pytest.approx(decibels, abs=1e-3)
    assert psnr(truth - error, truth) == pytest.approx(decibels, abs=1e-3)


def test_all_pictures_are_taken_together():
    """The mean is that of the squared errors, not of the decibels of each picture."""
    truth = torch.zeros(2, 1, 2, 2)
    images = truth.clone()
    images[0] = 0.2
    assert psnr(images, truth) == pytest.approx(20 + 10 * torch.tensor(2.0).log10().item())
    images[1, 0, 0, 0] = 2.0  # one pixel of eight as wrong as can be
    assert psnr(images, truth) == pytest.approx(10 * torch.tensor(4 / (4.16 / 8)).log10().item())


def test_nothing_differs_any_shape_and_a_tiny_error():
    assert psnr(torch.ones(3), torch.ones(3)) == inf
    assert psnr(torch.tensor(0.5), torch.tensor(0.3)) == pytest.approx(20, abs=1e-4)
    truth = torch.full((100_000,), 1.0)
    assert psnr(truth - 1e-4, truth) == pytest.approx(86.02, abs=0.05)


# --- the Frechet distance ---


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact_set(mean, covariance, count=64, seed=0):
    """Features whose sample mean and covariance are exactly the given ones."""
    rows = random(count, len(mean), seed=seed)
    rows = rows - rows.mean(0)
    white = torch.linalg.inv(torch.linalg.cholesky(rows.T @ rows / (count - 1)))
    return rows @ white.T @ torch.linalg.cholesky(covariance).T + mean


def rotation(size, seed):
    return torch.linalg.qr(random(size, size, seed=seed))[0]


def test_one_feature_has_the_textbook_form():
    a = exact_set(torch.tensor([1.0]).double(), torch.tensor([[4.0]]).double())
    b = exact_set(torch.tensor([4.0]).double(), torch.tensor([[0.25]]).double(), seed=1)
    assert frechet_distance(a, b) == pytest.approx(3**2 + (2 - 0.5) ** 2)


def test_gaussians_that_share_their_axes():
    turn = rotation(5, 2)
    spread_a, spread_b = torch.tensor([[1.0, 2, 3, 0.1, 5], [2.0, 2, 1, 0.4, 1]]).double()
    mean_a, mean_b = random(2, 5, seed=3)
    a = exact_set(mean_a, turn @ spread_a.square().diag() @ turn.T)
    b = exact_set(mean_b, turn @ spread_b.square().diag() @ turn.T, count=90, seed=4)
    expected = (mean_a - mean_b).square().sum() + (spread_a - spread_b).square().sum()
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-9)


def test_gaussians_that_do_not_share_their_axes():
    """The root of C_a @ C_b by its eigenvalues: another way than the one of the function."""
    a, b = random(200, 6, seed=1) @ random(6, 6, seed=2), random(300, 6, seed=3) + 0.3
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    root = torch.linalg.eigvals(cov_a @ cov_b).sqrt().sum().real
    expected = (a.mean(0) - b.mean(0)).square().sum() + (cov_a + cov_b).trace() - 2 * root
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-8)


def test_it_is_symmetric_zero_at_home_the_same_turned_and_squared_by_scaling():
    a, b, turn = random(50, 8), random(70, 8, seed=1) * 2 + 1, rotation(8, 5)
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
    samples = [random(400, 6, seed=seed) + shift for seed in range(60)]
    scatter = torch.tensor([frechet_distance(a, truth) for a in samples]).std()
    errors = torch.tensor([frechet(a, truth)[1] for a in samples])
    assert 0.75 * scatter < errors.square().mean().sqrt() < 1.5 * scatter


def test_more_samples_have_a_smaller_error():
    truth = random(2000, 4)
    few, many = random(100, 4, seed=1) + 1, random(1600, 4, seed=1) + 1
    assert frechet(many, truth)[1] < 0.5 * frechet(few, truth)[1]


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

SAME = "two sets of the same pictures, not empty"
ROWS, IMAGES = torch.zeros(5, 3), torch.zeros(2, 3, 4, 4)
NAN, INF = torch.full((5, 3), torch.nan), torch.full((5, 3), torch.inf)
REFUSED = [
    (wilson, (0, 0), "0 successes of 0 trials: give 1 trial or more"),
    (wilson, (-1, 5), "-1 successes of 5"),
    (wilson, (6, 5), "6 successes of 5 trials: .* at most as many successes"),
    (wilson, (1, 5, 1.0), "confidence is 1.0"),
    (wilson, (1, 5, 95), "confidence is 95"),
    (psnr, (torch.zeros(2, 3), torch.zeros(3, 2)), SAME),
    (psnr, (torch.zeros(4), torch.zeros(1, 4)), SAME),
    (psnr, (torch.zeros(1), torch.zeros(())), SAME),
    (psnr, (torch.zeros(0), torch.zeros(0)), SAME),
    (frechet_distance, (ROWS[:1], ROWS), r"a has the shape \(1, 3\).*at least 2 rows"),
    (frechet_distance, (ROWS, ROWS[:1]), r"b has the shape \(1, 3\)"),
    (frechet_distance, (ROWS[:, 0], ROWS), r"a has the shape \(5,\)"),
    (frechet_distance, (ROWS, torch.zeros(5, 4)), "3 features a row and b has 4"),
    (frechet_distance, (NAN, ROWS), "a has a number that is not finite"),
    (frechet_distance, (ROWS, INF), "b has a number that is not finite"),
    (frechet, (random(39, 2), random(50, 2)), "39 rows: 20 groups need at least 40"),
    (nearest, (IMAGES[:0], IMAGES), "at least one of each"),
    (nearest, (IMAGES, IMAGES[:0]), "at least one of each"),
    (nearest, (IMAGES, IMAGES[:, :1]), r"\(2, 3, 4, 4\).*\(2, 1, 4, 4\)"),
    (nearest, (NAN, ROWS), "not finite"),
    (nearest, (ROWS, NAN), "not finite"),
    (nearest, (INF, ROWS), "not finite"),
]


@pytest.mark.parametrize(("function", "arguments", "message"), REFUSED)
def test_what_cannot_be_measured_is_refused(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)
