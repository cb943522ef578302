"""The table of samplers against steps: the file that ships is what this code measures."""

import pytest
import torch

from bench import results, samplers
from diffusion_lessons import models, sampling
from diffusion_lessons.scoring.statistics import wilson

RIGHT, ALL = "object and colour right", "everything right"


class Stand(torch.nn.Module):
    """Stands in for the shipped network: says that the clean picture is grey."""

    def forward(self, x_t, t, labels):
        return torch.zeros_like(x_t)


@pytest.fixture
def stand_in(monkeypatch):
    card = {
        "channels": 3, "size": 32, "schedule": "cosine", "kind": "x_0", "data": "single-postcards",
    }  # fmt: skip
    monkeypatch.setattr(models, "load_unet", lambda name: (Stand(), card), raising=False)


def test_every_row_starts_from_the_same_noise_and_asks_the_same(stand_in, monkeypatch):
    starts, calls = {}, []

    def watch(name, usual):
        def sampler(denoiser, schedule, x_t, times, **chosen):
            starts.setdefault(name, []).append(x_t.clone())
            calls.append(len(times) - 1)
            return usual(denoiser, schedule, x_t, times, **chosen)

        return sampler

    for name, usual in sampling.SAMPLERS.items():
        monkeypatch.setitem(sampling.SAMPLERS, name, watch(name, usual))
    painter = samplers.Painter(130)
    painted = [painter.paint(name, 2) for name in samplers.STEPS]
    assert all(picture.shape == (130, 3, 32, 32) for picture in painted)
    assert [len(x) for x in starts["ddim"]] == [100, 30] and set(calls) == {2}
    for name in samplers.STEPS:
        assert torch.equal(torch.cat(starts[name]), torch.cat(starts["ddim"])), name
    assert torch.equal(painter.labels, samplers.Painter(130).labels)


def test_a_row_repeats_itself_and_holds_what_the_lesson_reads(stand_in):
    painter = samplers.Painter(40)
    first, second = (samplers.row(painter, "ddpm", 2) for _ in range(2))
    taken = "cpu_seconds_per_picture"
    assert first | {taken: 0} == second | {taken: 0}
    assert first["pictures"] == 40 and first["network_calls"] == 2
    assert first[RIGHT] < 0.2, "a grey picture shows nothing"
    assert first["Frechet distance"] > first["Frechet distance of real pictures"]
    assert samplers.table([first]).count("\n") == 1


def test_all_samplers_of_the_lesson_are_measured():
    assert set(samplers.STEPS) == set(sampling.SAMPLERS)


# --- the file that ships ---


@pytest.fixture(scope="module")
def shipped():
    found = results.read("samplers")
    if not found:
        pytest.skip("data/bench/samplers.json is not there: python -m bench.samplers makes it")
    return found


def test_its_settings_and_weights_are_those_of_this_code(shipped):
    assert shipped["settings"] == samplers.settings()
    assert shipped["settings_sha256"] == results.fingerprint(samplers.settings())


def test_it_holds_every_row(shipped):
    rows = [(row["sampler"], row["steps"]) for row in shipped["rows"]]
    assert rows == [(name, n) for name, steps in samplers.STEPS.items() for n in steps]
    assert {row["pictures"] for row in shipped["rows"]} == {samplers.PICTURES}


def test_a_row_measured_again_agrees(shipped):
    """At fewer pictures, so within the interval of those (99.9 %)."""
    (row,) = (r for r in shipped["rows"] if (r["sampler"], r["steps"]) == ("dpm-solver++", 8))
    again = samplers.row(samplers.Painter(120), "dpm-solver++", 8)
    for share in (RIGHT, ALL):
        low, high = wilson(round(again[share] * 120), 120, confidence=0.999)
        assert low <= row[share] <= high, share


def test_more_steps_come_closer_to_real_pictures(shipped):
    rows = {(row["sampler"], row["steps"]): row for row in shipped["rows"]}
    for name, steps in samplers.STEPS.items():
        first, last = rows[name, steps[0]], rows[name, steps[-1]]
        assert first["Frechet distance"] > last["Frechet distance"], name
