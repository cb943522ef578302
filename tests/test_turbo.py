"""The student of few calls: its target by hand, where it practises, and as good as was asked."""

from dataclasses import replace

import pytest
import torch
from diffusers import DDIMScheduler

from diffusion_lessons import conditioning, models, recipes, sampling, schedule, workspace
from diffusion_lessons.checks import lesson_07
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards import parse
from diffusion_lessons.prediction import as_denoiser
from diffusion_lessons.scoring import tables
from tests.small_pipe import normal, small_pipe

NAME = "postcards-turbo"
TURBO = recipes.RECIPES[NAME]
FEW = replace(TURBO, pictures=64, teacher_steps=2, visits=((1, 0, 2), (2, 1, 1), (4, 2, 1)))
RIGHT = "what was said is right"
SINGLE, HELD_OUT = "single, full captions", "single of held-out pairs, full captions"


def rates(t):
    """signal_rate and noise_rate of the cosine at one time."""
    return (float(rate) for rate in schedule.cosine(torch.tensor([t])))


def guesses(unet, x_t, t, context):
    return unet(x_t, torch.full((len(x_t),), t), context)


@pytest.fixture
def teacher(monkeypatch):
    pipe = small_pipe(kind="x_0")
    monkeypatch.setattr(TextToImage, "from_pretrained", lambda name: pipe)
    return pipe


def test_the_target_is_where_the_guided_walk_of_the_teacher_ends(teacher):
    words, noise, ends = FEW.walks(torch.device("cpu"))
    context = teacher.encoder(words)
    null, x_t = teacher.null_context.expand_as(context), noise
    (a, b), (a_next, b_next) = rates(1.0), rates(0.5)
    for t in (1.0, 0.5):  # both steps are of first order: the first one, and the one to 0
        without = guesses(teacher.unet, x_t, t, null)
        guess = without + 2.5 * (guesses(teacher.unet, x_t, t, context) - without)
        if t == 1.0:
            x_t = a_next * guess + b_next * (x_t - a * guess) / b
    torch.testing.assert_close(ends, guess, rtol=1e-4, atol=1e-4)
    assert len({*map(tuple, noise.flatten(1).tolist())}) == len(noise) == 64


def test_captions_of_the_mix_full_ones_and_an_empty_one():
    said = FEW.said(5)
    facts = [sum(value is not None for value in (d["sky"], d["ground"])) for d in map(parse, said)]
    assert len(said) == 64 and said.count("") == 1 and sum(n == 2 for n in facts) >= 32
    assert said == FEW.said(5) != FEW.said(6)


def test_a_student_practises_where_its_own_unguided_calls_lead_and_keeps_no_gradient():
    unet = small_pipe(kind="x_0").unet.requires_grad_(True)
    noise, context = normal(4, 4, 8, 8), normal(4, 32, 32, seed=1)
    x_t, t = FEW.practise(unet, noise, context)
    assert t.tolist() == [1.0, 1.0, 0.5, 0.5] and not x_t.requires_grad
    for row, times in ((0, ()), (1, ()), (2, (1.0, 0.5)), (3, (1.0, 0.75, 0.5))):
        by_hand = noise[row : row + 1]
        for now, then in zip(times, times[1:], strict=False):
            (a, b), (a_next, b_next) = rates(now), rates(then)
            guess = guesses(unet, by_hand, now, context[row : row + 1]).detach()
            by_hand = a_next * guess + b_next * (by_hand - a * guess) / b
        torch.testing.assert_close(x_t[row : row + 1], by_hand, rtol=1e-4, atol=1e-4)


def test_a_student_begins_as_its_teacher():
    weights, taught = (m.state_dict() for m in (TURBO._untrained(NAME), models.load_text_unet()[0]))
    assert weights.keys() == taught.keys()
    assert all(torch.equal(weights[key], taught[key]) for key in weights)


@pytest.mark.parametrize("calls", [1, 2, 4])
def test_its_walk_is_that_of_diffusers(calls):
    pipe = TextToImage.from_pretrained(NAME)
    scheduler = DDIMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="sample", clip_sample=False,
        timestep_spacing="trailing",
    )  # fmt: skip
    scheduler.set_timesteps(calls)
    said = ["a red house on snow at night", "two boats"]
    x_t, context = pipe.noise(2, torch.Generator().manual_seed(3)), pipe.encode_prompt(said)
    *_, last = pipe.steps(said, num_inference_steps=calls, latents=x_t)
    for row in scheduler.timesteps:
        with torch.no_grad():
            output = guesses(pipe.unet, x_t, (int(row) + 1) / 1000, context)
        x_t = scheduler.step(output, row, x_t).prev_sample
    torch.testing.assert_close(last.x_next, x_t, rtol=1e-3, atol=1e-3)


def test_as_good_as_asked():
    scores, card = workspace.load_weights(NAME)[1]["scores"], workspace.load_weights("postcards")[1]
    least = {"1 call": 0.85, "2 calls": 0.95, "4 calls": 0.98}
    assert scores.keys() == least.keys()
    for calls, share in least.items():
        assert scores[calls][SINGLE][RIGHT] >= share
        assert scores[calls][HELD_OUT][RIGHT] >= card["scores"][HELD_OUT][RIGHT] - 0.05
        assert scores[calls].keys() == tables._CAPTIONED.keys()


def test_the_exercise_finds_the_package_s_target(teacher):
    noise, context = normal(2, 4, 8, 8), teacher.encode_prompt(["a red house", "a cat"])
    null, times = teacher.null_context.expand_as(context), sampling.times(3)
    guess = conditioning.guided(teacher.unet, teacher.schedule, "x_0", context, null, 2.5)
    wanted = sampling.finish(sampling.ddim(guess, teacher.schedule, noise, times))

    def step(x_t, x_0_hat, t, t_next):
        still = as_denoiser(lambda *_: x_0_hat, teacher.schedule, "x_0")
        return sampling.finish(
            sampling.ddim(still, teacher.schedule, x_t, torch.stack([t, t_next]))
        )

    def network(x_t, t, context):
        return guesses(teacher.unet, x_t, float(t), context)

    solved = lesson_07.distill_target.function
    found = solved(network, noise, context, null, times, 2.5, step)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_a_gradient_through_the_teacher_is_found():
    exercise = lesson_07.distill_target
    graded = exercise.wrong("torch.no_grad() => torch.enable_grad()")
    found = exercise(exercise.compiled(graded))
    assert found.verdict == "not yet" and "still carries a gradient" in found.words[0]
