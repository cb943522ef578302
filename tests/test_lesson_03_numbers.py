"""Every number in the text of lesson 03, computed here, and found in the text as computed."""

import re

import nbformat
import pytest
import torch

from diffusion_lessons import prediction, sampling, schedule, scoring
from diffusion_lessons.schedule import cosine
from tools import notebooks as tool

CELLS = {
    cell.id: cell
    for cell in nbformat.read(tool.NOTEBOOKS / "03_reverse_sampler.ipynb", as_version=4).cells
}
TEXT = " ".join(re.sub(r"\s+", " ", cell.source) for cell in CELLS.values())
TURN = torch.arange(5) * 2 * torch.pi / 5
FIVE = torch.stack([TURN.sin(), TURN.cos()], dim=1)
EXACT = prediction.exact_denoiser(FIVE, cosine)


def says(*sentences: str) -> None:
    for sentence in sentences:
        assert sentence in TEXT, f"the lesson does not say: {sentence}"


def printed(name: str) -> str:
    """What the cell printed when it was last run."""
    return "".join(output.get("text", "") for output in CELLS[name].outputs)


def noise(count: int) -> torch.Tensor:
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(3))


def test_a_postcard_is_3072_numbers():
    says("A postcard of 32 by 32 pixels is 3,072 numbers")
    assert 3 * 32 * 32 == 3072


def test_the_score_is_the_noise_guess_over_the_noise_rate():
    assert printed("score") == "largest difference: 0.00000\n"


def test_one_jump_ends_in_the_middle_and_sixteen_steps_on_the_corners():
    says(
        'jump.compare( "close together, in the middle"', "500 noise points", "in 1, 3 and 16 steps"
    )
    arrived = {
        n: sampling.finish(sampling.ddim(EXACT, cosine, noise(500), sampling.times(n)))
        for n in (1, 16)
    }
    assert arrived[1].norm(dim=1).max() < 0.01
    assert (torch.cdist(arrived[16], FIVE).amin(dim=1) < 0.1).double().mean() > 0.99


@pytest.mark.parametrize(("eta", "low", "high"), [(0.0, 1.0, 1.0), (1.0, 0.12, 0.28)])
def test_chance_on_the_way_decides_the_corner(eta, low, high):
    says("the noise you start from **is** the picture", "one in five would be the same by luck")
    ends = []
    for seed in (0, 1):
        chance = torch.Generator().manual_seed(seed)
        walk = sampling.ddim(EXACT, cosine, noise(500), sampling.times(32), eta, chance)
        ends.append(torch.cdist(sampling.finish(walk), FIVE).argmin(dim=1))
    assert low <= (ends[0] == ends[1]).double().mean() <= high


def test_the_loop_of_the_lesson_is_the_package_s():
    lines = printed("loop").splitlines()
    assert len(lines) == 2 and all(line.endswith("True") for line in lines)
    body = CELLS["loop"].source.split("\n\n\n")[0].splitlines()[1:]
    assert len(body) <= 7, "the loop is to fit in the head"


def test_the_solver_with_one_guess_is_ddim():
    says(r"With $D = \hat x_0$ it is DDIM's step without noise")
    x_t = torch.randn(4, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    guess = prediction.read_off("x_0", x_t.flip(0), x_t, *cosine(torch.full((4,), 0.6)))
    before, *rates = schedule.walk_rates(torch.tensor([0.9, 0.6, 0.3]), x_t, cosine)
    torch.testing.assert_close(
        sampling.dpm_solver_step(x_t, guess.x_0, guess.x_0, before, *rates),
        sampling.ddim_step(guess.x_0, guess.eps, 0 * x_t, *rates, eta=0.0),
    )


def solutions() -> dict:
    """The functions in the lesson's folded solutions, by name."""
    found: dict = {}
    for code in re.findall(r"```python\n(def my_.*?)```", "\n".join(map(source, CELLS)), re.DOTALL):
        exec(code, {"torch": torch}, found)
    return found


def source(name: str) -> str:
    return CELLS[name].source


@pytest.mark.parametrize(
    ("sampler", "step", "options"),
    [
        ("ddpm", "my_ddpm_step", {}),
        *(("ddim", "my_ddim_step", {"eta": eta}) for eta in (0.0, 0.4, 1.0)),
        ("dpm-solver++", "my_solver_step", {}),
    ],
)
def test_a_step_of_the_learner_draws_the_same_picture(sampler, step, options):
    """The package's walk with the lesson's solution as its step, on points and on pictures."""
    pictures = torch.linspace(-1, 1, 3 * 3 * 4 * 4).view(3, 3, 4, 4)
    for members in (FIVE, pictures):
        denoiser = prediction.exact_denoiser(members, cosine)
        chance = torch.Generator().manual_seed(1)
        start = torch.randn(24, *members.shape[1:], generator=chance, dtype=torch.float64)
        walk, when = sampling.SAMPLERS[sampler], sampling.times(12)
        package = list(walk(denoiser, cosine, start, when, **options))
        learner = list(walk(denoiser, cosine, start, when, **options, step=solutions()[step]))
        for ours, theirs in zip(package, learner, strict=True):
            torch.testing.assert_close(ours.x_next, theirs.x_next)


def test_lambda_is_half_the_logarithm_of_the_snr():
    says("half the logarithm of the SNR")
    t = torch.tensor([0.4])
    a, b = cosine(t)
    assert (a / b).log().item() == pytest.approx(schedule.snr(t, cosine).log().item() / 2)


def test_the_noise_of_the_broken_last_step():
    """12 steps: the last but one goes from 2/12 to 1/12."""
    says("sampling.times(12)")
    before = sampling.times(12)[-3:-1]
    (a, a_next), (b, b_next) = (rate.flatten() for rate in cosine(before))
    step_std = ((1 - (a / a_next) ** 2).sqrt() * b_next / b).item()
    left = re.search(r"standard deviation (0\.\d+)", printed("broken-score"))
    assert float(left[1]) == pytest.approx(step_std, rel=0.02)


def test_the_printed_times_start_late():
    says("With 10 steps it starts at t = 0.901")
    assert (torch.arange(0, 1000, 100).flip(0)[0].item() + 1) / 1000 == 0.901


def test_patches_of_four_by_four():
    says(
        "| one patch after another | 64 | 256 | 16,384 |",
        "| diffusion, 16 steps | 16 | 16 | 16 |",
    )
    assert [(side // 4) ** 2 for side in (32, 64, 512)] == [64, 256, 16384]


def test_the_live_measurement_says_what_the_text_says():
    says("96 pictures for each sampler", "are on the way to the *same* picture")
    assert len(scoring.asked("fashion-mnist", 96, 0)) == 96
    lines = re.findall(r"^(\S+) +(\d+) calls: (\d\.\d+) ± ", printed("converge"), re.MULTILINE)
    off = {(name, int(n)): float(value) for name, n, value in lines}
    assert len(off) == 10
    for n in (4, 8, 16, 32):
        assert off["dpm-solver++", n] < off["ddim", n], "the solver gets nearer"
        assert off["ddim", n] < off["ddim", n // 2], "more calls get nearer"


def test_the_table_is_the_file_s():
    """A line for each row of the file that `make bench` wrote."""
    from bench import samplers

    rows = re.findall(r"^(\S+) +(\d+) calls: right", printed("table"), re.MULTILINE)
    assert rows == [(name, str(n)) for name, steps in samplers.STEPS.items() for n in steps]
    says("`make bench` took 1,000 for each row")
    assert samplers.PICTURES == 1000
