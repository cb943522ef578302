"""Every number in the text of lesson 03, computed here, and found in the text as computed."""

import re
import time
from types import SimpleNamespace

import pytest
import torch
from pytest import approx

from bench import samplers
from diffusion_lessons import data, models, prediction, sampling, schedule
from diffusion_lessons.schedule import cosine
from tests.claims import Between, Lesson, claims

LESSON = Lesson("03")
TURN = torch.arange(5) * 2 * torch.pi / 5
FIVE = torch.stack([TURN.sin(), TURN.cos()], dim=1)
EXACT = prediction.exact_denoiser(FIVE, cosine)
T = torch.tensor([0.4])
FINISH = LESSON.numbers("finish", r": (\d+\.\d)")  # 1, 2, 4, 8, 16 calls, real ones


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


def ddpm_std() -> float:
    """DDPM's own table, and the noise of its last step but one (eq. 7), from row 1 to row 0."""
    beta = schedule.linear_beta()[:2]
    share_0, share_1 = schedule.alpha_bar(beta)
    return (beta[1] * (1 - share_0) / (1 - share_1)).sqrt().item()


@claims(
    ("A postcard of 32 by 32 pixels is <3,072> numbers", 3 * 32 * 32),
    ("", LESSON.printed("score"), "largest difference: 0.00000\n"),
    ('jump.compare( "close together, in the middle" … 500 noise points … in 1, 3 and 32 steps',
     lambda: arrived(1).norm(dim=1).max(), Between(0, 0.01)),
    ("in 1, 3 and 32 steps",  # and all end on the corners: with 16 steps a sixth dot remains
     lambda: torch.cdist(arrived(32), FIVE).amin(dim=1).max(), Between(0, 0.1)),
    ("At high t they point to the middle",
     lambda: torch.cosine_similarity(EXACT(noise(500), torch.full((500,), 0.9)).eps, noise(500)),
     Between(0.99, 1.01)),
    ("the noise you start from **is** the picture", lambda: same_corner(0.0), 1),
    ("one in five would be the same by luck", lambda: same_corner(1.0), Between(0.12, 0.28)),
    ("half the logarithm of the SNR",
     torch.divide(*cosine(T)).log(), approx(schedule.snr(T, cosine).log().item() / 2)),
    ("sampling.times(12)", LESSON.numbers("broken", r"standard deviation (0\.\d+)"),
     [approx(last_but_one_std(), rel=0.02)]),
    ("own 1,000 steps it is <0.0074> … less than one grey level of 255", ddpm_std),
    ("", lambda: 127.5 * ddpm_std(), Between(0.5, 1)),
    ("With 10 steps it starts at t = <0.901>", (torch.arange(0, 1000, 100)[-1] + 1) / 1000),
    ("| patch by patch | <64> | <256> | <16,384> | … | diffusion, 16 steps | 16 | 16 | 16",
     [(side // 4) ** 2 for side in (32, 64, 512)]),
    ("a single call settles most of that … Half as far … From 8 on little is missing",
     lambda: [FINISH[0] / FINISH[-1], FINISH[3] / FINISH[-1]],
     [approx(0.5, abs=0.1), approx(0.9, abs=0.1)]),
    ("`make bench` took <1,000> for each row", samplers.PICTURES),
    ("", re.findall(r"^(\S+) +(\d+) calls: distance", LESSON.printed("table"), re.MULTILINE),
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
    for cell in ("painted", "sampled"):
        assert LESSON.numbers(cell, r"difference: (\S+)") == [0]


def test_with_as_many_calls_the_solver_is_nearer_to_where_both_arrive():
    LESSON.says("With as many calls, the second-order step gets nearer")
    found = LESSON.numbers("converge", r"ddim (\S+), solver (\S+), nearer in (\d) pictures")
    ddim, solver, nearer = found[::3], found[1::3], found[2::3]
    assert len(ddim) == 3 and sorted(ddim, reverse=True) == ddim and min(nearer) >= 5
    assert all(near < far for near, far in zip(solver, ddim, strict=True))


S = [(0.52, 0.78), (0.40, 0.92), (0.20, 1.00), (-0.02, 1.01), (-0.24, 0.93), (-0.40, 0.76),
     (-0.42, 0.55), (-0.30, 0.36), (-0.06, 0.21), (0.20, 0.08), (0.40, -0.10), (0.50, -0.33),
     (0.46, -0.58), (0.28, -0.78), (0.02, -0.87), (-0.24, -0.85), (-0.44, -0.72),
     (-0.54, -0.55)]  # fmt: skip
DOTS = [(-0.7, 0.1), (-0.65, 0.15), (-0.6, 0.1)], [(0.6, 0.1), (0.65, 0.16), (0.7, 0.1)]


def pen(strokes: list, count: int) -> torch.Tensor:
    """Where a pen leaves points: so many for each corner of each stroke, (N, 2)."""
    way = {"scale_factor": count, "mode": "linear", "align_corners": True}
    lines = [torch.nn.functional.interpolate(torch.tensor(s).T[None], **way) for s in strokes]
    return torch.cat(lines, dim=2)[0].T


@pytest.mark.parametrize("strokes", [[S], DOTS], ids=["an S", "two dots"])
def test_a_small_drawing_is_learned_in_seconds_fills_its_panel_and_comes_out_crisp(strokes):
    """By the lesson's own cell, from a drawing in a corner of the square."""
    names = {"torch": torch, "data": data, "models": models}
    names |= {"schedule": schedule, "prediction": prediction}
    names["drawing"] = SimpleNamespace(points=0.3 * pen(strokes, 3) + 1)
    exec(LESSON.cells["fit"].source, names)
    began = time.process_time()
    assert len(list(names["fit"])) == 1000 and time.process_time() - began < 15
    cloud = torch.randn(400, 2, generator=torch.Generator().manual_seed(4))
    walk = sampling.ddim(names["learned"], cosine, cloud, sampling.times(32))
    middle = (names["low"] + names["high"]) / 2
    line = 3.6 * (0.3 * pen(strokes, 40) + 1 - middle) / names["size"]
    there, width = torch.cdist(sampling.finish(walk), line), 4  # of a stage in the view
    assert there.amin(dim=1).mean() < 0.01 * width and there.amin(dim=0).max() < 0.1 * width
    assert (there.amin(dim=1) < 0.1).double().mean() > 0.95
    assert (line.amax(dim=0) - line.amin(dim=0)).max() > 0.85 * width
