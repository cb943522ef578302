"""Every number in the text of lesson 03, computed here, and found in the text as computed."""

import re

import pytest
import torch
from pytest import approx

from bench import samplers
from diffusion_lessons import prediction, sampling, schedule
from diffusion_lessons.schedule import cosine
from tests.claims import Between, Lesson, claims

LESSON = Lesson("03")
TURN = torch.arange(5) * 2 * torch.pi / 5
FIVE = torch.stack([TURN.sin(), TURN.cos()], dim=1)
EXACT = prediction.exact_denoiser(FIVE, cosine)
T = torch.tensor([0.4])


def noise(count: int) -> torch.Tensor:
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(3))


def arrived(steps: int) -> torch.Tensor:
    return sampling.finish(sampling.ddim(EXACT, cosine, noise(500), sampling.times(steps)))


def same_corner(eta: float) -> torch.Tensor:
    ends = []
    for seed in (0, 1):
        chance = torch.Generator().manual_seed(seed)
        walk = sampling.ddim(EXACT, cosine, noise(500), sampling.times(32), eta, chance)
        ends.append(torch.cdist(sampling.finish(walk), FIVE).argmin(dim=1))
    return (ends[0] == ends[1]).double().mean()


def last_but_one_std() -> float:
    """12 steps: the last but one goes from 2/12 to 1/12."""
    (a, a_next), (b, b_next) = (rate.flatten() for rate in cosine(sampling.times(12)[-3:-1]))
    return ((1 - (a / a_next) ** 2).sqrt() * b_next / b).item()


@claims(
    ("A postcard of 32 by 32 pixels is <3,072> numbers", 3 * 32 * 32),
    ("", LESSON.printed("score"), "largest difference: 0.00000\n"),
    ('jump.compare( "close together, in the middle" … 500 noise points … in 1, 3 and 32 steps',
     lambda: arrived(1).norm(dim=1).max(), Between(0, 0.01)),
    ("in 1, 3 and 32 steps",  # and all end on the corners: with 16 steps a sixth dot remains
     lambda: torch.cdist(arrived(32), FIVE).amin(dim=1).max(), Between(0, 0.1)),
    ("the noise you start from **is** the picture", lambda: same_corner(0.0), 1),
    ("one in five would be the same by luck", lambda: same_corner(1.0), Between(0.12, 0.28)),
    ("half the logarithm of the SNR",
     torch.divide(*cosine(T)).log(), approx(schedule.snr(T, cosine).log().item() / 2)),
    ("sampling.times(12)", LESSON.numbers("broken", r"standard deviation (0\.\d+)"),
     [approx(last_but_one_std(), rel=0.02)]),
    ("With 10 steps it starts at t = <0.901>", (torch.arange(0, 1000, 100)[-1] + 1) / 1000),
    ("| one patch after another | <64> | <256> | <16,384> | … | diffusion, 16 steps | 16 | 16 | 16",
     [(side // 4) ** 2 for side in (32, 64, 512)]),
    ("a single call settles most of those … a blur. … From 8 on little is missing",
     [round(one / LESSON.numbers("finish", r"^real ones +(\S+)")[0], 1)
      for one in LESSON.numbers("finish", r"^ddim +(\S+) +(?:\S+ +){2}(\S+)")],
     [approx(0.5, abs=0.1), approx(0.9, abs=0.1)]),
    ("`make bench` took <1,000> for each row", samplers.PICTURES),
    ("", re.findall(r"^(\S+) +(\d+) calls: right", LESSON.printed("table"), re.MULTILINE),
     [[name, str(n)] for name, steps in samplers.STEPS.items() for n in steps]),
)  # fmt: skip
def test_the_text_says_what_is_so(claim):
    LESSON.says(*claim)


def test_a_step_of_ddim_is_one_of_euler_along_a_curve():
    LESSON.says("So $x/a$ runs along a curve over $b/a$ … by Euler's method")
    x_t, eps = torch.randn(2, 4, 2, generator=torch.Generator().manual_seed(0)).double()
    rates, rates_next = schedule.walk_rates(torch.tensor([0.7, 0.4]), x_t, cosine)
    (a, b), (a_next, b_next) = rates, rates_next
    x_next = sampling.ddim_step((x_t - b * eps) / a, eps, 0 * eps, rates, rates_next, eta=0.0)
    torch.testing.assert_close(x_next / a_next, x_t / a + (b_next / a_next - b / a) * eps)


def test_the_solver_with_one_guess_is_ddim():
    LESSON.says(r"With $D = \hat x_0$ it is DDIM's step without noise")
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
    sources = "\n".join(cell.source for cell in LESSON.cells.values())
    for code in re.findall(r"```python\n(def my_.*?)```", sources, re.DOTALL):
        exec(code, {"torch": torch}, found)
    return found


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


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_the_loop_of_the_learner_is_the_package_s_walk(eta):
    loop, step = solutions()["my_walk_back"], solutions()["my_ddim_step"]
    for members in (FIVE, torch.linspace(-1, 1, 3 * 3 * 4 * 4).view(3, 3, 4, 4)):
        ask, when = prediction.exact_denoiser(members, cosine), sampling.times(12)
        start = torch.randn(24, *members.shape[1:], generator=torch.Generator().manual_seed(1))
        rates, chance = schedule.walk_rates(when, start, cosine), torch.Generator().manual_seed(0)
        package = sampling.finish(sampling.ddim(ask, cosine, start, when, eta))
        torch.testing.assert_close(loop(ask, step, start, when, rates, eta, chance), package)
    assert LESSON.numbers("painted", r"difference: (\S+)") == [0]


def test_in_the_live_measurement_the_solver_and_more_calls_get_nearer():
    lines = re.findall(
        r"^(\S+) +(\d+) calls: (\d+\.\d+) ± ", LESSON.printed("converge"), re.MULTILINE
    )
    off = {(name, int(n)): float(value) for name, n, value in lines}
    assert len(off) == 10
    for n in (4, 8, 16, 32):
        assert off["dpm-solver++", n] < off["ddim", n] < off["ddim", n // 2]
