"""The race on Fashion-MNIST: what a contestant is given and what is written down."""

import sys

import pytest
import torch

from bench import comparators, fashion, race
from bench.ours import Ours
from diffusion_lessons.scoring import clothes


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


class Pixels(torch.nn.Module):
    """Stands in for the classifier: its features are eight pixels."""

    def features(self, images):
        return images[:, 0, 10:12, 10:14].flatten(1)


@pytest.fixture
def track():
    images = random(300, 1, 28, 28)
    real = clothes.FrechetMetric(random(200, 1, 28, 28, seed=1), Pixels())
    return race.Track(images, torch.arange(300) % 10, real, pictures=60)


class Copier:
    """Learns nothing and draws training pictures, with a border and a little brighter."""

    name, packages, settings = "copier", (), {"courage": 0}
    model = torch.nn.Linear(2, 3)

    def train(self, images, labels, clock, seed):
        self.images, self.steps, self.chance = images, 0, torch.rand(1)
        while clock.runs():
            self.steps += sum(range(1000)) > 0
        return self.steps

    def sample(self, count, seed):
        return torch.nn.functional.pad(self.images[:count] + 0.01, (2, 2, 2, 2), value=-1.0)


def test_a_contestant_trains_for_its_budget_and_is_scored(track):
    copier = Copier()
    row = race.run(copier, track, budget=0.2, seed=0)
    assert row["steps"] == copier.steps > 10
    assert 0.2 <= row["cpu_seconds_of_training"] < 0.5
    assert row["score"] < 0.3, "copies look real, and only their distance gives them away"
    assert row["distance_to_nearest_training_picture"] == pytest.approx(0.01, abs=1e-4)
    first = copier.chance
    race.run(copier, track, budget=0.0, seed=0)
    assert copier.chance == first, "the same seed gives a contestant the same chance"


def test_waiting_does_not_count(monkeypatch):
    seconds = iter([100.0, 100.5, 103.0])
    monkeypatch.setattr(race.time, "process_time", lambda: next(seconds))
    clock = race.Clock(2.0)
    assert clock.runs() and not clock.runs()


@pytest.mark.parametrize("size", [28, 32])
def test_copies_are_found_out(size):
    training = random(50, 1, 28, 28)
    border = (size - 28) // 2
    copies = torch.nn.functional.pad(training[:5], (border,) * 4, value=-1.0)
    assert race.copying(copies, training) == pytest.approx(0, abs=1e-6)
    fresh = torch.nn.functional.pad(random(5, 1, 28, 28, seed=3), (border,) * 4, value=-1.0)
    assert race.copying(fresh, training) > 0.5


def test_ours_makes_steps_and_draws_every_class(track):
    torch.manual_seed(0)
    ours = Ours()
    before = torch.cat([p.flatten() for p in ours.model.parameters()])
    steps = ours.train(track.images, track.labels, race.Clock(3.0), seed=0)
    assert steps >= 1
    assert not torch.equal(before, torch.cat([p.flatten() for p in ours.model.parameters()]))
    drawn = ours.sample(20, seed=1)
    assert drawn.shape == (20, 1, 28, 28) and drawn.isfinite().all() and drawn.abs().max() <= 1
    assert torch.equal(drawn, ours.sample(20, seed=1))


def test_diffusers_as_set_up_trains_and_draws(track):
    torch.manual_seed(0)
    made = comparators.Diffusers()
    assert made.train(track.images, track.labels, race.Clock(0.01), seed=0) == 1
    made.sampler.set_timesteps(2)
    said = made.model(random(1, 1, 28, 28), made.sampler.timesteps[0]).sample
    assert said.shape == (1, 1, 28, 28)


@pytest.mark.parametrize("made", [comparators.Diffusers, comparators.DenoisingDiffusionPytorch])
def test_a_missing_library_is_said_in_a_sentence(made, monkeypatch):
    monkeypatch.setitem(sys.modules, made.name.replace("-", "_"), None)
    with pytest.raises(race.NotInstalled, match=r"make bench.*pip install.*\[bench\]"):
        made()


def test_the_table_names_everybody_and_sets_them_over_ours(track):
    rows = [race.run(Copier(), track, 0.01, 0) | {"budget": 60, "score": s} for s in (0.5, 4.0)]
    result = {
        "contestants": {"ours": {"rows": rows[:1]}, "other": {"rows": rows[1:]}},
        "real": fashion.real_rows(track, random(100, 1, 28, 28, seed=2)),
    }
    lines = fashion.table(result).splitlines()
    assert lines[1].split()[:1] == ["ours"] and " 1.0 " in lines[1]
    assert lines[2].split()[:1] == ["other"] and " 8.0 " in lines[2]
