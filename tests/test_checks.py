"""Each check accepts right answers, however written, and names each slip with its own sentence."""

import math

import pytest
import torch

from diffusion_lessons import checks, conditioning, latents, models, sampling
from diffusion_lessons.checks import EXERCISES, lesson_03, lesson_04, lesson_05
from diffusion_lessons.checks.exercise import normal
from diffusion_lessons.checks.near import near_misses
from diffusion_lessons.schedule import cosine, cosine_beta, linear_beta, walk_rates
from tests.exercises import FOUND, solution_of
from tests.learners import ANSWERS, CHANCE, RIGHT, walk

SLIPS = [(name, key) for name, exercise in EXERCISES.items() for key in exercise.slips]


def report(name, answer):
    """Return the report on an answer, a function or source as in `tests.learners`."""
    exercise = EXERCISES[name]
    return exercise(answer if callable(answer) else exercise.compiled(exercise.wrong(answer)))


def test_every_exercise_of_the_notebooks_has_its_check():
    assert set(FOUND) == set(EXERCISES)
    assert {f"check_{name}" for name in EXERCISES} < set(checks.__all__)


@pytest.mark.parametrize("name", FOUND)
def test_the_folded_solution_is_the_one_compared_with_and_passes(name):
    exercise = EXERCISES[name]
    assert solution_of(FOUND[name][2]).strip() == exercise.source
    found = getattr(checks, f"check_{name}")(exercise.function)
    assert found.passed and found == exercise(exercise.function)
    assert repr(found).startswith("✓ Right.")


@pytest.mark.parametrize(("name", "key"), SLIPS)
def test_each_slip_is_named_and_not_taken_for_another(name, key):
    found = report(name, key)
    *stopped, sentence = found.words
    assert found.verdict == "not yet" and EXERCISES[name].slips[key][1:] in sentence
    assert not stopped or "it stopped with" in stopped[0]


def words_of(name, answer):
    """Return a report's words without the learner's own line, which may hold them too."""
    torch.manual_seed(0)  # some answers draw numbers of their own
    words = repr(report(name, answer)).splitlines()
    return "\n".join(line for line in words if not line.startswith("The line:"))


@pytest.mark.parametrize(("name", "words", "answer"), ANSWERS)
def test_an_answer_gets_its_words(name, words, answer):
    found = words_of(name, answer)
    assert words in found and found.startswith(RIGHT) == (words == RIGHT)


def test_every_near_miss_can_be_run_and_every_reason_is_given():
    """Changes of syntax would stop a check, and a reason for what nobody changes is never read."""
    for exercise in EXERCISES.values():
        sources = dict(near_misses(exercise.source, exercise.why))
        assert len(sources) > 10 and all(map(exercise.compiled, sources.values()))
        assert all(any(why in words for words in sources) for why in exercise.why.values())


@pytest.mark.parametrize(("name", "words", "answer"), CHANCE)
def test_a_slip_that_fits_one_trial_by_chance_is_not_named(name, words, answer):
    assert words not in words_of(name, answer)


@pytest.mark.parametrize("name", EXERCISES)
def test_an_unfilled_stub_gets_a_friendly_note(name):
    def stub(*inputs):
        raise NotImplementedError

    found = EXERCISES[name](stub)
    assert found.verdict == "to do" and not found.passed
    assert "Fill in" in repr(found) and "Error" not in repr(found)


def test_an_answer_that_empties_a_list_leaves_the_exercise_as_it_was():
    assert not report("bug_skips", "x = up(x => ups.clear()\n        x = up(x").passed
    assert all(len(trial["ups"]) > 0 for trial in EXERCISES["bug_skips"].trials.values())


def test_checks_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    for exercise in EXERCISES.values():
        exercise(exercise.function)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.filterwarnings("error")
def test_a_check_does_not_show_the_warnings_of_an_answer():
    """As an error, a warning of torch about `torch.tensor(x_prev)` would stand in the report."""
    assert report("noising_step", "* x_prev => * torch.tensor(x_prev)").passed


@pytest.mark.filterwarnings("error")
def test_complex_numbers_agree_with_nothing_and_without_a_warning():
    real = torch.ones(2)
    assert not checks.report.same(real + 1j, real) and not checks.report.same(real, real + 0j)


@pytest.mark.parametrize("beta", [linear_beta(), cosine_beta()])
def test_a_walk_with_one_eps_is_told_apart_from_the_jump(beta):
    """The premise of that slip: its noise is far too strong after many steps."""
    x_0, eps, row = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1), torch.tensor([500])
    assert walk(lambda row: row + 1)(x_0, eps, row, beta).item() > 5


# --- errors, and what a report looks like ---


def test_the_line_shown_is_the_learner_s_own_that_stopped_in_a_helper_too():
    def helper(t):
        return math.cos(t)

    for name, answer, line in [
        ("snr", lambda alpha_bar: helper(alpha_bar), "The line: return math.cos(t)"),
        ("noising_step", lambda x, eps, beta: x + eps[..., :7], '("noising_step", lambda x, eps'),
    ]:
        found = repr(EXERCISES[name](answer))
        assert "it stopped with" in found and line in found


def test_a_change_of_nothing_is_refused():
    with pytest.raises(ValueError, match="not in the solution"):
        EXERCISES["snr"].wrong("beta => alpha")


def test_a_result_instead_of_a_function_is_explained():
    assert "without parentheses" in repr(checks.check_noising_step(torch.zeros(3)))


def test_what_the_learner_wrote_is_escaped_in_html():
    def broken(x_prev, eps, beta):
        raise ValueError("<script>alert('no')</script> & more")

    shown = checks.check_noising_step(broken)._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "&amp; more" in shown


@pytest.mark.parametrize("verdict", ["right", "not yet", "to do"])
def test_a_report_speaks_in_words_and_signs(verdict):
    report = checks.Report(verdict, ("One sentence.", "Another."))
    shown = report._repr_html_()
    assert "color" not in shown.replace("currentColor", "") and 'role="status"' in shown
    for text in (shown, repr(report)):
        assert report.SIGNS[verdict] in text and "One sentence." in text and "Another." in text


# --- the lessons go on with the package's functions: these are the solutions ---


def test_the_solutions_are_the_package_s_steps():
    """On random pictures, so that the lesson may go on with the package's versions."""
    chance = torch.Generator().manual_seed(5)
    x_t, x_0, eps, before, noise = torch.randn(5, 3, 1, 4, 4, generator=chance)
    noises = torch.randn(3, 1, 4, 4, generator=chance)
    assert noise.shape == noises.shape
    rates_before, rates, rates_next = walk_rates(torch.tensor([0.8, 0.6, 0.3]), x_t, cosine)
    same = torch.testing.assert_close
    ddpm = x_t, x_0, noise, rates, rates_next
    same(lesson_03.ddpm_step.function(*ddpm), sampling.ddpm_step(*ddpm))
    for eta in (0.0, 0.5, 1.0):
        ddim = x_0, eps, noise, rates, rates_next, eta
        same(lesson_03.ddim_step.function(*ddim), sampling.ddim_step(*ddim))
    solver = x_t, x_0, before, rates_before, rates, rates_next
    same(lesson_03.solver_step.function(*solver), sampling.dpm_solver_step(*solver))


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
    torch.testing.assert_close(lesson_04.encode.function(images, net, eps, 0.5), 0.5 * z)
    torch.testing.assert_close(lesson_04.decode.function(0.5 * z, net, 0.5), net.decode(z))
    torch.testing.assert_close(
        lesson_04.kl.function(mean, log_variance), latents.kl(mean, log_variance)
    )


def test_captions_are_dropped_and_answers_guided_as_in_the_package():
    context, null = normal(64, 3, 2, seed=0), normal(1, 3, 2, seed=1)
    dice = torch.rand(64, generator=torch.Generator().manual_seed(5))
    mine = lesson_05.drop_captions.function(context, null, 0.2, dice)
    package = conditioning.drop_captions(context, null, 0.2, dice)
    assert torch.equal(mine, package) and not torch.equal(mine, context)
    for s in (0.0, 1.0, 3.0):
        torch.testing.assert_close(
            lesson_05.guide.function(context, -context, s), conditioning.guide(context, -context, s)
        )
