"""The Python side of a watched training. What the page does is tested in tests/browser."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from diffusion_lessons import widgets
from diffusion_lessons.widgets.watch import BINS, MOST_STAGES

VIEW = widgets.watch(total=10, alt="nothing")
SPRITES = torch.linspace(-1, 1, 4 * 3 * 5 * 5).reshape(4, 3, 5, 5)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when the test says so: clock[0]."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def _curve(view) -> dict[str, np.ndarray]:
    return {name: np.frombuffer(data, np.float32) for name, data in view.curve.items()}


def _steps(view, clock, seconds: float, *steps: int, loss=lambda step: 1.0):
    """Let so many seconds pass before each of these steps."""
    for step in steps:
        clock[0] += seconds
        view.step(step, loss(step))


def test_the_page_hears_at_most_five_times_a_second(clock):
    with widgets.watch(total=1000, alt="nothing") as view:
        heard = []
        view.observe(lambda change: heard.append(change["new"]["step"]), names="progress")
        _steps(view, clock, 0.01, *range(1, 1001))
    assert 40 <= len(heard) <= 52 and heard[-1] == 1000


def test_seconds_are_estimated_without_the_slow_first_step(clock):
    with widgets.watch(total=101, alt="nothing") as view:
        _steps(view, clock, 10, 1)
        _steps(view, clock, 0.5, *range(2, 42))
        words = view.progress["words"]
    assert words == "step 41 of 101, about 60 s in all, 30 s left"  # 10 + 20 so far, 30 to come


def test_the_live_region_speaks_at_quarters_only(clock):
    said = []
    with widgets.watch(total=200, alt="nothing") as view:
        view.observe(lambda change: said.append(change["new"]["spoken"]), names="progress")
        _steps(view, clock, 1, *range(1, 201))
    different = list(dict.fromkeys(said))
    assert [one.partition(" ")[0] for one in different] == ["0", "25", "50", "75", "Done:"]


def test_the_curve_only_grows_and_keeps_every_loss_in_its_band(clock):
    losses = torch.rand(600, generator=torch.Generator().manual_seed(0)).numpy() + 0.1
    with widgets.watch(total=600, alt="nothing") as view:
        _steps(view, clock, 0, *range(1, 301), loss=lambda step: losses[step - 1])
        view.pictures(SPRITES, "half way")
        half = _curve(view)
        _steps(view, clock, 0, *range(301, 601), loss=lambda step: losses[step - 1])
    whole, wide = _curve(view), losses.reshape(-1, 5)
    assert np.allclose(whole["mean"], wide.mean(1)) and np.allclose(whole["low"], wide.min(1))
    assert np.allclose(whole["high"], wide.max(1)) and len(whole["mean"]) <= BINS
    for name, one in half.items():
        assert np.array_equal(whole[name][: len(one)], one)


@pytest.mark.parametrize(
    ("step", "error", "words"),
    [
        (3, KeyboardInterrupt, "Interrupted at step 3 of 10. What was learned so far is kept."),
        (0, KeyboardInterrupt, "Interrupted at step 0 of 10. What was learned so far is kept."),
        (2, ZeroDivisionError, "Stopped by an error at step 2 of 10."),
        (4, None, "Ended at step 4 of 10."),
        (10, None, "Done: 10 steps."),
    ],
)
def test_the_end_is_said_and_only_an_interrupt_is_no_error(step, error, words):
    view = widgets.watch(total=10, alt="nothing")
    raised = pytest.raises(error) if error is ZeroDivisionError else nullcontext()
    with raised, view:
        if step:
            view.step(step, 0.5)
        if error:
            raise error
    page, picture = view.still()
    assert view.progress["step"] == step and view.progress["words"].startswith(words)
    assert words in page and (picture is None) == (step == 0)


def test_the_strip_thins_out_and_keeps_both_ends():
    with widgets.watch(total=20, alt="sprites") as view:
        for step in range(1, 21):
            view.step(step, 1.0)
            view.pictures(SPRITES, f"{step}")
            assert len(view.stages) == MOST_STAGES  # always: see `page.slots`
            captions = [stage["caption"] for stage in view.stages if stage]
            assert [captions[0], captions[-1]] == ["1", f"{step}"]
    numbers = [stage["number"] for stage in view.stages if stage]
    assert numbers == sorted(set(numbers))


def test_pictures_and_points_reach_the_page_unchanged():
    points = torch.tensor([[0.5, -1.0], [0.25, 1.5]])
    with widgets.watch(total=2, alt="samples") as view:
        view.pictures(SPRITES, "first")
        view.points(points, "second", behind=points[:1])
    pictures, cloud = view.stages[:2]
    frames = np.frombuffer(pictures["data"], np.uint8).reshape(4, 5, 5, 3)
    assert frames[0, 0, 0, 0] == 0 and frames[3, 4, 4, 2] == 255
    assert np.frombuffer(cloud["data"], np.float32).tolist() == points.flatten().tolist()
    assert np.frombuffer(cloud["behind"], np.float32).tolist() == [0.5, -1.0]


def _trained(clock, seconds: float):
    with widgets.watch(total=30, alt="sprites <b>drawn</b>") as view:
        for step in (10, 20, 30):
            _steps(view, clock, seconds, *range(step - 9, step + 1), loss=lambda step: 1 / step)
            view.pictures(SPRITES, f"after {step} steps")
    return view


def test_the_still_version_is_the_same_however_long_it_took(clock):
    first, second = (_trained(clock, seconds).still() for seconds in (0.01, 3.0))
    assert first == second
    page = first[0]
    assert "1 at first, 0.033 at last. Below it: sprites &lt;b&gt;drawn&lt;/b&gt;, after 10" in page
    assert "Done: 30 steps. Loss 0.033." in page
    assert len(first[1]) < 100_000


def test_a_loss_that_is_no_number_leaves_a_gap_and_no_error():
    with widgets.watch(total=3, alt="nothing") as view:
        for step, loss in enumerate((1.0, float("nan"), 0.0), start=1):
            view.step(step, torch.tensor(loss))
    assert np.isnan(_curve(view)["mean"][1]) and view.still()[1]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: VIEW.pictures(SPRITES[:0], "x"), "there are 0 pictures of 5 x 5: give one"),
        (lambda: VIEW.pictures(SPRITES[..., :0], "x"), "there are 4 pictures of 0 x 5: give one"),
        (lambda: VIEW.pictures(SPRITES, None), "caption is None: give a text, such as 'after 100"),
        (lambda: VIEW.points(SPRITES[0, 0, :, :2], 7), "caption is 7: give a text"),
        (lambda: widgets.watch(total=0, alt="a"), "total is 0: give a whole number from 1"),
        (lambda: widgets.watch(total=2.5, alt="a"), "total is 2.5: give a whole number from 1"),
        (lambda: widgets.watch(total=5, alt=" "), "alt is"),
        (lambda: VIEW.step(0, 1.0), "step is 0: give a whole number from 1 to 10"),
        (lambda: VIEW.step(11, 1.0), "step is 11: give a whole number from 1 to 10"),
        (lambda: VIEW.points(torch.zeros(1, 2), "x", behind=torch.zeros(3, 3)),
         r"behind has shape \(3, 3\): give \(N, 2\)"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_a_sentence(use, message):
    with pytest.raises((TypeError, ValueError), match=message):
        use()
