"""What is typed is cut to what can be read; an expanded prompt contradicts nothing of it."""

import pytest

from diffusion_lessons.checks import lesson_07
from diffusion_lessons.postcards import (
    PromptError,
    UnknownWord,
    captions,
    described_captions,
    expand,
    parse,
    readable,
    sample_scenes,
)


def facts(description):
    """Everything that a description can say: its scenery, then its things."""
    names = ("object", "colour", "size", "position", "count")
    things = [thing[name] for thing in description["things"] for name in names]
    return [description["sky"], description["ground"], *things]


@pytest.mark.parametrize("kind", ["single", "group", "pair"])
def test_what_was_said_stays_and_the_rest_is_said_too(kind):
    for i, short in enumerate(described_captions(sample_scenes(60, 4, kind=kind), 4)):
        long = facts(parse(expand(short.text, i)))
        assert None not in long, short.text
        said = [(said, now) for said, now in zip(facts(short.description), long, strict=True)]
        assert all(one in (None, now) for one, now in said), (short.text, long)


@pytest.mark.parametrize(
    ("prompt", "counts"),
    [("house", {"one"}), ("a cabin", {"one"}), ("cats", {"two", "three"}), ("", {"one"})],
)
def test_a_plural_means_several(prompt, counts):
    found = {parse(expand(prompt, seed))["things"][0]["count"] for seed in range(12)}
    assert found == counts


def test_the_seed_settles_what_is_drawn():
    drawn = [expand("a red house", seed) for seed in (*range(20), *range(20))]
    assert drawn[:20] == drawn[20:]
    assert len(set(drawn[:20])) == 20


def test_a_full_prompt_stays_as_it_is():
    for prompt in captions(sample_scenes(40, 6), 6, full=True):
        assert expand(prompt, 1) == prompt


@pytest.mark.parametrize(
    ("prompt", "seed", "error", "names"),
    [
        ("a dog", 0, UnknownWord, "'dog'"),
        ("a cat on the left and a boat on the left", 0, PromptError, "different places"),
        ("two cats and a house", 0, PromptError, "one of each"),
        ("a house", -1, ValueError, "seed"),
        (3, 0, TypeError, "str"),
    ],
)
def test_what_cannot_be_expanded_is_named(prompt, seed, error, names):
    with pytest.raises(error, match=names):
        expand(prompt, seed)


def test_the_exercise_knows_its_solution_and_each_slip():
    check = lesson_07.expand
    assert check(check.function).passed
    reports = {key: check(check.compiled(check.wrong(key))) for key in check.slips}
    assert {key: report.words[0] for key, report in reports.items()} == check.slips


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        ("a red house on snow", "a red house on snow"),
        ("a red house on sn", "a red house on"),
        ("a red h", "a red"),
        ("a red house in the", "a red house in the"),
        ("xyz", ""),
        ("", ""),
    ],
)
def test_words_that_are_not_finished_are_left_out(typed, left):
    assert readable(typed) == left
    parse(left)


def test_what_is_no_text_is_refused():
    with pytest.raises(TypeError, match="a str"):
        readable(7)
