"""What lesson 08 asks for does what it is for, and no small fault passes, in a gradient either."""

import pytest
import torch
from torch.nn import functional

from diffusion_lessons.checks import lesson_08
from diffusion_lessons.checks.exercise import normal
from diffusion_lessons.checks.parts import slopes
from tests.mutants import mutants
from tests.test_mutants_of_solutions import alike, other

MADE = {name: getattr(lesson_08, name) for name in ("quantise", "causal_mask", "write")}


def results(exercise, function):
    """What a function gives on inputs that no check uses, and the gradient where that counts."""
    looks = [slopes] if isinstance(exercise, lesson_08.InParts) else []
    found = []
    for inputs in exercise.trials.values():
        for look in [lambda function, *given: function(*given), *looks]:
            given = [other(v) for v in inputs.values()]
            given = [v.clone_state() if isinstance(v, torch.Generator) else v for v in given]
            try:
                found.append(look(function, *given))
            except Exception as error:
                found.append(type(error))
    return found


@pytest.mark.parametrize("name", MADE)
def test_no_small_fault_passes_and_most_are_named(name):
    exercise, plain, faults = MADE[name], 0, 0
    right = results(exercise, exercise.function)
    assert not any(isinstance(one, type) for one in right)
    for source in mutants(exercise.source):
        faulty = exercise.compiled(source)
        if not all(map(alike, results(exercise, faulty), right)):
            report, faults = exercise(faulty), faults + 1
            assert report.verdict == "not yet", source
            plain += "the numbers differ" in report.words[0]
    assert faults >= 8 and plain <= 0.05 * faults


def test_a_loss_after_the_codes_teaches_what_comes_before_them():
    z, codebook = normal(20, 4, seed=1).requires_grad_(), normal(8, 4, seed=2).requires_grad_()
    z_q, numbers = MADE["quantise"].function(z, codebook)
    assert torch.allclose(z_q, codebook[numbers], atol=1e-6) and numbers.dtype == torch.int64
    target = normal(20, 4, seed=3)
    functional.mse_loss(z_q, target).backward()
    assert torch.allclose(z.grad, 2 * (z_q - target) / target.numel(), atol=1e-6)
    assert codebook.grad is None


def test_under_the_mask_attention_hears_nothing_of_what_comes_after():
    q, k, v = normal(3, 1, 6, 8, seed=1)
    mask = MADE["causal_mask"].function(6)
    assert torch.allclose(
        functional.scaled_dot_product_attention(q, k, v, attn_mask=mask),
        functional.scaled_dot_product_attention(q, k, v, is_causal=True),
        atol=1e-6,
    )


def test_what_is_written_has_the_shares_that_the_network_says():
    """Guided and cold, on many pictures of two places; the second hangs on the first."""
    told, without = torch.tensor([0.0, 1.0, -1.0]), torch.tensor([0.5, 0.0, 0.0])

    def step(code, cache):
        turned = told.expand(20_000, 3) if code is None else told[(code[:, None] + RING) % 3]
        return turned, without.expand(20_000, 3), code

    dice = torch.Generator().manual_seed(0)
    codes = MADE["write"].function(step, 2, 0.8, 1.5, dice)
    assert codes.shape == (20_000, 2)
    for first in (None, 0, 1, 2):
        drawn = codes[:, 0] if first is None else codes[codes[:, 0] == first, 1]
        at = told if first is None else told[(first + RING) % 3]
        p = ((without + 1.5 * (at - without)) / 0.8).softmax(dim=0)
        assert torch.allclose(drawn.bincount(minlength=3) / len(drawn), p, atol=0.04)


RING = torch.arange(3)


def test_a_fault_of_one_part_is_named_whatever_is_wrong_with_the_next_and_shows_the_line():
    def mine(z, codebook):
        numbers = torch.cdist(z, codebook).argmax(dim=1)
        return codebook[numbers], numbers

    def stops(z, codebook):
        return codebook[z.nearest()]

    assert repr(MADE["quantise"](mine)).startswith("✗ Not yet. numbers: it is the code farthest")
    assert "The line: return codebook[z.nearest()]" in MADE["quantise"](stops).words
    assert "without parentheses" in repr(MADE["quantise"](mine(*normal(2, 3, 2, seed=1))))
