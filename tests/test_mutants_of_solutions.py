"""Every exercise's solution, with one small fault put in at a time: the checks let none through.

The faults come from `tests/mutants.py`, a set fixed beforehand. A mutant counts when its result
differs from the solution's on inputs that no check uses (`INPUTS`, below). At most 0.3 % of those
may pass their check, and each that does is explained in `SURVIVORS`; of the others at least 95 %
get a reason and not only the numbers.
"""

import contextlib
import io
import math
from collections import Counter
from functools import cache

import pytest
import torch

from diffusion_lessons import checks, models, schedule
from tests.exercises import after, check_line, exercises, solution_of
from tests.mutants import OPERATORS, mutants
from tools import notebooks as tool

FOUND = {
    check_line(cell).removeprefix("checks.check_").partition("(")[0]: (path, cell, answer)
    for path in tool.lessons()
    for cell, answer in exercises(path)
}
"""Exercise, by the name of its check: the lesson, its cell, the text cell with the solution."""

_F_0 = "alpha_bar, at most 1, changes by less than 6e-6; `same` always lets 1e-5 pass as rounding"

SURVIVORS: dict[str, dict[str, str]] = {
    "cosine_alpha_bar": {
        "start = math.cos((0.008) * math.pi / 2) ** 2": _F_0,
        "start = math.cos(0.008 * 1.008 * math.pi / 2) ** 2": _F_0,
        "start = math.cos(0.008 / 1 * math.pi / 2) ** 2": _F_0,
    }
}
"""Exercise to the changed line of a mutant that passes, and why that cannot be helped."""

# --- inputs that no check uses ---


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1000 + seed))


def uniform(*shape: int, seed: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(2000 + seed))


def blocks(count: int, seed: int) -> list[torch.Tensor]:
    """Some blocks of one shape: a batch of pictures, not square, larger or smaller by the seed."""
    shape = (2 + seed, 3, 4, 6 + seed)
    return [normal(*shape, seed=10 * seed + i) for i in range(count)]


def rates(t: float, count: int) -> torch.Tensor:
    """Both rates of a batch, (2, B, 1, 1, 1), each picture at a time of its own."""
    times = t * torch.linspace(1, 0.9, count)
    return torch.stack(schedule.cosine(times)).view(2, count, 1, 1, 1)


def share(seed: int) -> float:
    return (0.15, 0.6, 0.85)[seed]


def beta_table(seed: int) -> torch.Tensor:
    return (0.001 + 0.05 * uniform(50, seed=seed)).double()


def network(seed: int) -> models.Autoencoder:
    torch.manual_seed(seed)
    net = models.Autoencoder((8, 8), (1, 1), (16, 16, 8), (1, 1, 1))
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return net.eval().requires_grad_(False)


def says(x: torch.Tensor, t: torch.Tensor, *context: torch.Tensor) -> torch.Tensor:
    """A stand-in for a network: each of its inputs counts, and each row for itself."""
    level = t.view(-1, *[1] * (x.ndim - 1))
    told = sum(c.sin().sum(dim=(1, 2)).view_as(level) for c in context)
    return torch.sin(1.3 * x) * (0.5 + level) + 0.2 * told


def says_with_size(x: torch.Tensor, t: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
    """The same, and its answer tells how many rows it was asked about at a time."""
    return says(x, t, context) + 0.1 * len(x)


def levels(seed: int) -> tuple[list, list]:
    """Ways down and up for 2, 3 or 4 levels, each a different function."""
    ks = range(1, 3 + seed)
    downs = [lambda x, k=k: torch.tanh(x) / k + k for k in ks]
    ups = [lambda x, skip, k=k: torch.cos(x) + k * skip for k in ks]
    return downs, ups


def solver_inputs(seed: int) -> list:
    times = ((0.9, 0.6, 0.5), (0.7, 0.4, 0.1), (1.0, 0.9, 0.2))[seed]
    return [*blocks(3, seed), *(rates(t, 2 + seed) for t in times)]


def step_rates(seed: int) -> list:
    t, t_next = ((0.9, 0.8), (0.5, 0.1), (0.3, 0.0))[seed]
    return [rates(t, 2 + seed), rates(t_next, 2 + seed)]


def exact_inputs(seed: int) -> list:
    signal_rate = (0.3, 0.1, 0.7)[seed]
    noise_rate = (1 - signal_rate**2) ** 0.5
    sets = normal(4, 5, seed=seed), normal(7, 5, seed=seed + 3)
    return [*sets, signal_rate, noise_rate]


def latent_inputs(seed: int) -> list:
    shape = (1 + seed, 4, 2, 3)
    return [normal(*shape, seed=seed), normal(*shape, seed=seed + 5)]


INPUTS = {
    "noising_step": lambda s: [*blocks(2, s), share(s)],
    "jump": lambda s: [*blocks(2, s), torch.tensor([0, 49, 7, 23])[: 2 + s], beta_table(s)],
    "snr": lambda s: [1 - beta_table(s).cumsum(0) / 3],
    "bug_mix": lambda s: [*blocks(2, s), share(s)],
    "bug_spread": lambda s: [normal(300, 4, seed=s) * (s + 0.3) + s],
    "bug_steepest": lambda s: [(1 - beta_table(s)).cumprod(0)],
    "cosine_alpha_bar": lambda s: [(0.98 * uniform(9, seed=s)).sort(descending=bool(s % 2)).values],
    "exact_denoiser": exact_inputs,
    "time_features": lambda s: [uniform(3 + s, seed=s), 50 * uniform(4, seed=s + 1)],
    "both_guesses": lambda s: [
        ("eps", "x_0", "v")[s], *blocks(2, s), share(s), (1 - share(s) ** 2) ** 0.5
    ],
    "loss": lambda s: [says, *blocks(1, s), uniform(2 + s, seed=s), *blocks(2, s)[1:]],
    "bug_loss": lambda s: blocks(2, s),
    "bug_skips": lambda s: [*blocks(1, s), *levels(s)],
    "ddpm_step": lambda s: [*blocks(3, s), *step_rates(s)],
    "ddim_step": lambda s: [*blocks(3, s), *step_rates(s), (0.0, 1.0, 0.4)[s]],
    "solver_step": solver_inputs,
    "bug_eta": lambda s: [(0.2, 1.0, 0.7)[s], *step_rates(s)],
    "bug_times": lambda s: [(4, 1000, 1)[s]],
    "decode": lambda s: [normal(1 + s, 4, 2, 3, seed=s), network(s)],
    "encode": lambda s: [
        normal(1 + s, 3, 16, 24, seed=s), network(s), normal(1 + s, 4, 2, 3, seed=s + 1)
    ],
    "kl": latent_inputs,
    "bug_noise": lambda s: [*latent_inputs(s), rates(share(s), 1 + s), (0.5, 0.18, 3.0)[s]],
    "bug_back": lambda s: [normal(1, 4, 2, 3, seed=s), torch.exp, (0.5, 0.18, 3.0)[s]],
    "drop_captions": lambda s: [
        normal(40, 3, 5, seed=s), normal(1, 3, 5, seed=s + 1), (0.1, 0.5, 0.9)[s],
        torch.cat([uniform(39, seed=s), torch.tensor([(0.1, 0.5, 0.9)[s]])]),
    ],
    "guide": lambda s: [*blocks(2, s), (0.0, 2.5, 7.0)[s]],
    "guided": lambda s: [
        says_with_size, normal(3, 4, 2, 3, seed=s), uniform(3, seed=s),
        normal(3, 3, 5, seed=s + 1),
        normal(1, 3, 5, seed=s + 2), (0.0, 1.0, 3.0)[s],
    ],
    "negative": lambda s: [*blocks(3, s), (0.0, 2.5, 7.0)[s]],
}  # fmt: skip
"""Exercise to its arguments for a seed (0, 1 or 2), as its function takes them."""

# --- the trial ---


def results(name: str, code: str) -> list:
    """What the function of an exercise gives on INPUTS; where it fails, the kind of error."""
    path, cell, _ = FOUND[name]
    function = after(path, code)[check_line(cell).partition("(")[2].rstrip(")")]
    found = []
    for seed in range(3):
        try:
            found.append(function(*INPUTS[name](seed)))
        except Exception as error:
            found.append(type(error))
    return found


def alike(one: object, other: object) -> bool:
    """Whether two results are the same but for rounding."""
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


def test_every_check_is_tried():
    assert {f"check_{name}" for name in FOUND} == {
        name for name in checks.__all__ if name.startswith("check_")
    }
    assert set(INPUTS) == set(FOUND)


@pytest.mark.parametrize("name", FOUND)
def test_no_mutant_passes_that_is_not_explained(name):
    assert set(trial(name)[1]) == set(SURVIVORS.get(name, {}))


def test_few_mutants_survive_and_most_of_the_others_are_named():
    survived, named, rejected = map(counted, ("survived", "named", "rejected"))
    assert survived + named + rejected > 1000 and named / (named + rejected) >= 0.95
    assert survived / (survived + named + rejected) <= 0.003


def test_what_explains_the_survivors_is_true():
    f_0 = [math.cos(0.008 / part * math.pi / 2) ** 2 for part in (1.008, 1, 1 / 1.008, 1.1088)]
    assert [f"{abs(other / f_0[0] - 1):.1e}" for other in f_0[1:]] == [
        "2.5e-06",
        "5.0e-06",
        "2.7e-05",
    ]
    one = torch.ones(1)
    assert [checks.report.same(one * f_0[0] / other, one, 0) for other in f_0[1:]] == [
        True,
        True,
        False,
    ]


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
