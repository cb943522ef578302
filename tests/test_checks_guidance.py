"""The checks of lesson 05: right answers pass, however written, and plausible slips are named."""

import pytest
import torch

from diffusion_lessons import checks, conditioning
from diffusion_lessons.checks import guidance as lists

# --- right answers ---


def drop_solution(context, null_context, p_uncond, dice):
    left_out = dice < p_uncond
    return torch.where(left_out[:, None, None], null_context, context)


def drop_by_index(context, null_context, p_uncond, dice):
    result = context.clone()
    result[dice < p_uncond] = null_context[0]
    return result


def drop_by_numbers(context, null_context, p_uncond, dice):
    out = (dice < p_uncond).float().view(-1, 1, 1)
    return out * null_context + (1 - out) * context


def guide_solution(without, with_caption, guidance_scale):
    return without + guidance_scale * (with_caption - without)


def guide_by_the_paper(without, with_caption, guidance_scale):
    w = guidance_scale - 1
    return (1 + w) * with_caption - w * without


def guided_solution(ask, x_t, t, context, null_context, guidance_scale):
    if guidance_scale == 1:
        return ask(x_t, t, context)
    null = null_context.expand_as(context)
    both = ask(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([null, context]))
    without, with_caption = both.chunk(2)
    return without + guidance_scale * (with_caption - without)


def guided_the_other_way_round(ask, x_t, t, context, null_context, s):
    if s == 1:
        return ask(x_t, t, context)
    said = torch.cat([context, null_context.repeat(len(context), 1, 1)])
    with_caption, without = ask(x_t.repeat(2, 1, 1, 1), t.repeat(2), said).chunk(2)
    return without + s * (with_caption - without)


def negative_solution(without, with_caption, with_negative, guidance_scale):
    return with_negative + guidance_scale * (with_caption - with_negative)


RIGHT = {
    "drop_captions": [drop_solution, drop_by_index, drop_by_numbers],
    "guide": [guide_solution, guide_by_the_paper],
    "guided": [guided_solution, guided_the_other_way_round],
    "negative": [negative_solution],
}
CASES = [(name, function) for name, functions in RIGHT.items() for function in functions]


@pytest.mark.parametrize(("name", "function"), CASES)
def test_a_right_answer_passes(name, function):
    report = getattr(checks, f"check_{name}")(function)
    assert report.passed, repr(report)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_solutions_are_the_package_s_functions():
    """On random numbers, so that the lesson may go on with the package's versions."""
    context, null = normal(64, 3, 2), normal(1, 3, 2, seed=1)
    dice = torch.rand(64, generator=torch.Generator().manual_seed(5))
    mine = drop_solution(context, null, 0.2, dice)
    package = conditioning.drop_captions(context, null, 0.2, torch.Generator().manual_seed(5))
    assert torch.equal(mine, package) and not torch.equal(mine, context)
    for s in (0.0, 1.0, 3.0):
        torch.testing.assert_close(
            guide_solution(context, -context, s), conditioning.guide(context, -context, s)
        )


@pytest.mark.parametrize("scale", [0.0, 1.0, 4.0])
def test_the_guided_denoiser_of_the_package_answers_as_the_solution_does(scale):
    from diffusion_lessons.schedule import cosine

    x_t, t, context = normal(3, 4, 4, 4), torch.full((3,), 0.6), normal(3, 5, 6, seed=1)
    null, counted = normal(1, 5, 6, seed=2), lists.Counted()
    denoiser = conditioning.guided(counted, cosine, "x_0", context, null, scale)
    mine = guided_solution(lists.toy_network, x_t, t, context, null, scale)
    torch.testing.assert_close(denoiser(x_t, t).x_0, mine)
    assert counted.rows == [3 if scale in (0.0, 1.0) else 6]


# --- slips ---

SLIPS = {
    "drop_captions": lists.DROP_SLIPS,
    "guide": lists.GUIDE_SLIPS,
    "guided": lists.GUIDED_SLIPS,
    "negative": lists.NEGATIVE_SLIPS,
}
EACH = [(name, slip) for name, slips in SLIPS.items() for slip in slips]


@pytest.mark.parametrize(("name", "slip"), EACH, ids=[slip.words[:40] for _, slip in EACH])
def test_each_slip_is_named_and_not_taken_for_another(name, slip):
    report = getattr(checks, f"check_{name}")(slip.function)
    assert report.verdict == "not yet"
    assert report.words == (slip.words,)


def drops_in_place(context, null_context, p_uncond, dice):
    context[dice < p_uncond] = null_context[0]
    return context


def drops_with_dice_of_its_own(context, null_context, p_uncond, dice):
    return drop_solution(context, null_context, p_uncond, torch.rand(len(context)))


def drops_without_axes(context, null_context, p_uncond, dice):
    return torch.where(dice < p_uncond, null_context, context)


def guides_nothing(without, with_caption, guidance_scale):
    without + guidance_scale * (with_caption - without)


def asks_twice(ask, x_t, t, context, null_context, s):
    if s == 1:
        return ask(x_t, t, context)
    without = ask(x_t, t, null_context.expand_as(context))
    return without + s * (ask(x_t, t, context) - without)


def asks_both_always(ask, x_t, t, context, null_context, s):
    null = null_context.expand_as(context)
    both = ask(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([null, context]))
    return guide_solution(*both.chunk(2), s)


def forgets_to_double_the_times(ask, x_t, t, context, null_context, s):
    null = null_context.expand_as(context)
    return guide_solution(*ask(torch.cat([x_t, x_t]), t, torch.cat([null, context])).chunk(2), s)


def forgets_to_expand(ask, x_t, t, context, null_context, s):
    both = ask(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([null_context, context]))
    return guide_solution(*both.chunk(2), s)


def returns_both(ask, x_t, t, context, null_context, s):
    null = null_context.expand_as(context)
    return ask(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([null, context]))


def asks_three_times_in_one(ask, x_t, t, context, null_context, s):
    if s == 1:
        return ask(x_t, t, context)
    null = null_context.expand_as(context)
    said = torch.cat([null, context, context])
    without, with_caption, _ = ask(x_t.repeat(3, 1, 1, 1), t.repeat(3), said).chunk(3)
    return guide_solution(without, with_caption, s)


SAID = [
    ("drop_captions", "changed its input `context`", drops_in_place),
    ("drop_captions", "random numbers of its own", drops_with_dice_of_its_own),
    ("drop_captions", "must match the size", drops_without_axes),
    ("guide", "nothing (None)", guides_nothing),
    ("guided", "called twice, one call after the other", asks_twice),
    ("guided", "at s = 1 the answer without the caption has no share", asks_both_always),
    ("guided", "t has 3", forgets_to_double_the_times),
    ("guided", ".expand_as(context)", forgets_to_expand),
    ("guided", "expected (3, 4, 4, 4)", returns_both),
    ("guided", "asked about 9 rows for 3 latents", asks_three_times_in_one),
]


@pytest.mark.parametrize(("name", "words", "function"), SAID)
def test_what_else_learners_write_is_told(name, words, function):
    report = getattr(checks, f"check_{name}")(function)
    assert report.verdict == "not yet"
    assert words in repr(report)


@pytest.mark.parametrize("name", RIGHT)
def test_a_stub_is_a_friendly_note(name):
    def stub(*given):
        raise NotImplementedError

    assert getattr(checks, f"check_{name}")(stub).verdict == "to do"


def test_checks_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    for name, function in CASES:
        getattr(checks, f"check_{name}")(function)
    assert torch.equal(state, torch.get_rng_state())
