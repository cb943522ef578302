"""Every exercise's solution, with one small fault put in at a time: the checks let none through.

The faults come from `tests/mutants.py`, a set fixed beforehand. A mutant counts when its result
differs from the solution's on inputs that no check uses (`other`, below). None of those may pass
its check, and at least 95 % get a reason and not only the numbers.
"""

import contextlib
import io
from collections import Counter
from functools import cache

import pytest
import torch

from diffusion_lessons import checks
from diffusion_lessons.checks.report import Trial
from tests.exercises import FOUND, after, check_line, solution_of
from tests.mutants import OPERATORS, mutants


def other(value: object) -> object:
    """An input that no check uses, made from one of a trial: |x|**1.3 for x, with its sign, which
    leaves shares between 0 and 1; another divisor of 1000."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.sign() * value.abs() ** 1.3
    if isinstance(value, float | int):
        return value**1.3 if isinstance(value, float) else 1000 // value
    return value


def results(name: str, code: str) -> list:
    """What the function of an exercise gives on other inputs; where it fails, the kind of error."""
    path, cell, _ = FOUND[name]
    function = after(path, code)[check_line(cell).partition("(")[2].rstrip(")")]
    found = []
    for inputs in checks.EXERCISES[name].trials.values():
        try:
            found.append(function(*map(other, Trial("", inputs).copies())))
        except Exception as error:
            found.append(type(error))
    return found


def alike(one: object, other: object) -> bool:
    """Whether two results are the same but for rounding; so with each of two things returned."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if not (isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor)):
        return type(one) is type(other) and one == other
    return one.shape == other.shape and one.dtype == other.dtype and torch.allclose(
        one.double(), other.double(), rtol=1e-6, atol=1e-7, equal_nan=True
    )  # fmt: skip


def changed_line(code: str, source: str) -> str:
    """The line of a mutant that differs."""
    pairs = zip(code.splitlines(), source.splitlines(), strict=False)
    return " / ".join(mine.strip() for mine, theirs in pairs if mine != theirs)


@cache
def trial(name: str) -> tuple[Counter, dict[str, str]]:
    """Counts, as (operator, end), of an exercise's mutants; and the changed lines of survivors.

    The ends: "same" (as good as the solution), "named" (rejected, with a reason), "rejected" (with
    the numbers only) and "survived".
    """
    path, cell, answer = FOUND[name]
    source, check = solution_of(answer), check_line(cell)
    truth, counts, survivors = results(name, source), Counter(), {}
    assert not any(isinstance(result, type) for result in truth), truth
    for code, operator in mutants(source).items():
        with contextlib.redirect_stdout(io.StringIO()):
            pairs = zip(results(name, code), truth, strict=True)
            same = all(alike(one, other) for one, other in pairs)
            report = None if same else eval(check, after(path, code))
        if report is None:
            counts[operator, "same"] += 1
        elif report.verdict == "right":
            counts[operator, "survived"] += 1
            survivors[changed_line(code, source)] = operator
        else:
            assert report.verdict == "not yet", (code, report)
            plain = report.words[0].startswith("On ") and "the numbers differ" in report.words[0]
            counts[operator, "rejected" if plain else "named"] += 1
    return counts, survivors


def counted(end: str) -> int:
    return sum(n for name in FOUND for (_, how), n in trial(name)[0].items() if how == end)


@pytest.mark.parametrize("name", FOUND)
def test_no_mutant_passes(name):
    assert not trial(name)[1]


def test_most_mutants_are_named():
    named, rejected = map(counted, ("named", "rejected"))
    assert named + rejected > 900 and named / (named + rejected) >= 0.95


def test_a_check_that_lets_everything_pass_is_found_out(monkeypatch):
    monkeypatch.setattr(checks, "check_snr", lambda function: checks.Report("right", ("Fine.",)))
    counts, survivors = trial.__wrapped__("snr")
    assert len(survivors) > 5 and sum(counts[how] for how in counts if how[1] == "named") == 0


def test_every_operator_of_the_set_was_at_work():
    at_work = {operator for name in FOUND for operator, _ in trial(name)[0]}
    assert at_work == {*OPERATORS, "mutmut"}


if __name__ == "__main__":
    for name in FOUND:
        counts, survivors = trial(name)
        ends = Counter()
        for (_, end), n in counts.items():
            ends[end] += n
        print(f"{name:17}", *(f"{end} {n};" for end, n in sorted(ends.items())))
        print(*(f"    {operator}: {line}" for line, operator in survivors.items()), sep="\n")
    print({end: counted(end) for end in ("same", "named", "rejected", "survived")})
