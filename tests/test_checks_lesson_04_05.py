"""The checks of lessons 04 and 05: right answers pass, however written; slips are named."""

import textwrap

import pytest
import torch

from diffusion_lessons import checks, conditioning, latents, models, schedule
from diffusion_lessons.checks import lesson_04, lesson_05
from diffusion_lessons.checks.exercise import normal
from tests.exercises import check_line, exercises, solution_of
from tools import notebooks as tool

EXERCISES = checks.EXERCISES
SLIPS = [(name, key) for name, exercise in EXERCISES.items() for key in exercise.slips]

RIGHT = [
    ("decode", "h.unflatten(1, (3, 2, 2)).permute(0, 1, 4, 2, 5, 3).flatten(4).flatten(2, 3)"),
    ("encode", "mean + log_variance.exp().sqrt() * eps"),
    ("encode", "moments.chunk(2, dim=1) => net.encode(images)"),
    ("encode", "moments.chunk(2, dim=1) => moments.split(4, dim=1)"),
    ("kl", "torch.distributions.kl_divergence(torch.distributions.Normal(mean, (log_variance / 2)"
           ".exp()), torch.distributions.Normal(0.0, 1.0))"),
    ("bug_noise", "scaling_factor * signal_rate * z + noise_rate * eps"),
    ("bug_back", "decode(x_0 * (1 / scaling_factor))"),
    ("drop_captions", "context.index_put((left_out,), null_context[0])"),
    ("drop_captions", "torch.where(dice.view(-1, 1, 1) >= p_uncond, context, null_context)"),
    ("drop_captions", "context + left_out.float().view(-1, 1, 1) * (null_context - context)"),
    ("guide", "guidance_scale * with_caption - (guidance_scale - 1) * without"),
    ("guided", "[null, context] => [context, null]; without, with_caption = => "
               "with_caption, without ="),
    ("guided", "null_context.expand_as(context) => null_context.repeat(len(context), 1, 1)"),
    ("negative", "(1 - guidance_scale) * with_negative + guidance_scale * with_caption"),
]  # fmt: skip
"""An exercise, and its solution written otherwise."""

SENTENCES = [
    ("decode", "nothing (None)", "print(net.decode(z).shape)"),
    ("decode", "expected (2, 3, 24, 24)", "1 * h"),
    ("decode", "it stopped with RuntimeError", "net.from_latent(z) => z"),
    ("encode", "random numbers of its own", " * eps =>  * torch.randn_like(eps)"),
    ("encode", "logarithm of something negative", "mean + log_variance.log() * eps"),
    ("encode", "images (2, 3, 24, 24), eps (2, 4, 3, 3)", "mean + images[:, :1] * eps"),
    ("kl", "expected (2, 4, 3, 3)", "(mean**2 + log_variance.exp() - 1 - log_variance).mean()"),
    ("kl", "the same when `mean` changes", "log_variance.exp() - log_variance"),
    ("bug_noise", "changed its input `z`", "signal_rate * z.mul_(scaling_factor)"),
    ("bug_noise", "`z` and `eps` are exchanged",
     "signal_rate * scaling_factor * eps + noise_rate * z"),
    ("bug_noise", "`z` stands where `eps` belongs",
     "signal_rate * scaling_factor * z + noise_rate * z"),
    ("bug_noise", "`noise_rate * eps` is subtracted", "z) + noise => z) - noise"),
    ("bug_noise", "The factor `noise_rate` is missing",
     "signal_rate * scaling_factor * z + eps"),
    ("kl", "a power is written **", "mean**2 => mean * 2"),
    ("kl", "yours has 3 there", "mean**2 => mean**3"),
    ("kl", "The term `log_variance` is missing", " - log_variance => "),
    ("kl", "are the wrong way round", "mean**2 => 2**mean"),
    ("encode", "2 in `log_variance / 2`; yours has 3", "(log_variance / 2) => (log_variance / 3)"),
    ("guide", "A bracket is missing or elsewhere",
     "(without + guidance_scale) * (with_caption - without)"),
    ("guide", "Yours divides by `with_caption - without`", "_scale * ( => _scale / ("),
    ("drop_captions", "changed its input `context`", "context.mul_(2)"),
    ("drop_captions", "random numbers of its own", "dice < => torch.rand(len(context)) <"),
    ("drop_captions", "one number for each of the batch", "context[:, :, 0] + dice"),
    ("guide", "nothing (None)", "print(guidance_scale * (with_caption - without))"),
    ("guide", "the same when `with_caption` changes", "without * guidance_scale + 5"),
    ("guided", "called twice, one call after the other",
     "without + guidance_scale * (ask(x_t, t, context) - without)"),
    ("guided", "at s = 1 the answer without the caption has no share",
     "guidance_scale == 1 => False"),
    ("guided", "t has 3", "torch.cat([t, t]) => t"),
    ("guided", ".expand_as(context)", "null_context.expand_as(context) => null_context"),
    ("guided", "expected (3, 4, 4, 4)", "1 * both"),
    ("guided", "asked about 9 rows for 3 latents",
     "[x_t, x_t] => 3 * [x_t]; [t, t] => 3 * [t]; [null, context] => [null, context, context]; "
     "with_caption = both.chunk(2) => with_caption, _ = both.chunk(3)"),
]  # fmt: skip
"""An exercise, words of its report, and what a learner wrote (as in `Exercise.slips`)."""


def report(name: str, key: str) -> checks.Report:
    """What the check of an exercise says to a changed solution."""
    exercise = EXERCISES[name]
    return exercise(exercise.compiled(exercise.wrong(key)))


@pytest.mark.parametrize("name", EXERCISES)
def test_the_folded_solution_is_the_one_compared_with_and_passes(name):
    folded = {
        check_line(cell): solution_of(text)
        for path in tool.lessons()
        for cell, text in exercises(path)
    }
    exercise = EXERCISES[name]
    source = textwrap.dedent(exercise.solution).strip()
    mine = [
        code.strip() for line, code in folded.items() if line.startswith(f"checks.check_{name}(")
    ]
    assert mine == [source]
    assert getattr(checks, f"check_{name}") is exercise and exercise(exercise.function).passed


@pytest.mark.parametrize(("name", "key"), RIGHT)
def test_a_right_answer_passes_however_written(name, key):
    assert report(name, key).passed, repr(report(name, key))


@pytest.mark.parametrize(("name", "key"), SLIPS)
def test_each_slip_is_named_and_not_taken_for_another(name, key):
    found = report(name, key)
    *stopped, sentence = found.words
    assert found.verdict == "not yet" and sentence == EXERCISES[name].slips[key]
    assert not stopped or "it stopped with" in stopped[0]


@pytest.mark.parametrize(("name", "words", "key"), SENTENCES)
def test_what_else_learners_write_gets_its_sentence(name, words, key):
    found = report(name, key)
    assert found.verdict == "not yet" and words in repr(found), repr(found)


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_knows_four_slips_and_a_stub(name):
    def stub(*given):
        raise NotImplementedError

    assert len(EXERCISES[name].slips) >= 4 and EXERCISES[name](stub).verdict == "to do"


def test_checks_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    for exercise in EXERCISES.values():
        exercise(exercise.function)
    assert torch.equal(state, torch.get_rng_state())


# --- the lessons go on with the package's functions: these are the solutions ---


def test_encode_decode_and_kl_are_the_package_s():
    """On an autoencoder of the usual size."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = models.Autoencoder().eval().requires_grad_(False)
        for weight in net.parameters():
            torch.nn.init.normal_(weight, std=0.05)
    images, eps = normal(2, 3, 32, 32, seed=1).clamp(-1, 1), normal(2, 4, 4, 4, seed=2)
    mean, log_variance = net.encode(images)
    z = latents.sample_latent(mean, log_variance, torch.Generator().manual_seed(2))
    torch.testing.assert_close(lesson_04.encode.function(images, net, eps), z)
    torch.testing.assert_close(lesson_04.decode.function(z, net), net.decode(z))
    torch.testing.assert_close(
        lesson_04.kl.function(mean, log_variance), latents.kl(mean, log_variance)
    )


def test_captions_are_dropped_and_answers_guided_as_in_the_package():
    context, null = normal(64, 3, 2, seed=0), normal(1, 3, 2, seed=1)
    dice = torch.rand(64, generator=torch.Generator().manual_seed(5))
    mine = lesson_05.drop_captions.function(context, null, 0.2, dice)
    package = conditioning.drop_captions(context, null, 0.2, torch.Generator().manual_seed(5))
    assert torch.equal(mine, package) and not torch.equal(mine, context)
    for s in (0.0, 1.0, 3.0):
        torch.testing.assert_close(
            lesson_05.guide.function(context, -context, s), conditioning.guide(context, -context, s)
        )


@pytest.mark.parametrize("scale", [0.0, 1.0, 4.0])
def test_the_guided_denoiser_of_the_package_answers_as_the_solution_does(scale):
    rows = []

    def ask(x_t, t, context):
        rows.append(len(x_t))
        return lesson_05.network(x_t, t, context)

    x_t, t = normal(3, 4, 4, 4, seed=0), torch.full((3,), 0.6)
    context, null = normal(3, 5, 6, seed=1), normal(1, 5, 6, seed=2)
    denoiser = conditioning.guided(ask, schedule.cosine, "x_0", context, null, scale)
    mine = lesson_05.guided.function(lesson_05.network, x_t, t, context, null, scale)
    torch.testing.assert_close(denoiser(x_t, t).x_0, mine)
    assert rows == [3 if scale in (0.0, 1.0) else 6]
