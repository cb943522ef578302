"""The race of U-Net and transformer: equal work, runs that are kept, means over the seeds."""

import pytest
import torch

from bench import transformer as bench
from diffusion_lessons import postcards, recipes
from diffusion_lessons.models import Transformer
from diffusion_lessons.recipes import TextToImageRecipe
from tests.small_pipe import normal


def test_both_are_of_equal_work():
    unet, other = (bench.multiply_adds(build(), 8) for build in bench.NETWORKS.values())
    assert other == pytest.approx(unet, rel=0.01)
    shipped = recipes.RECIPES["postcards"]
    assert isinstance(shipped, TextToImageRecipe)
    assert (shipped.widths, shipped.blocks) == ((96, 192), (1, 3)), "the one that ships"


def test_they_take_turns_and_the_first_turn_does_not_count(monkeypatch):
    called, clock = [], iter([9, 1, 2, 8, 3, 4, 5, 6])
    monkeypatch.setattr(bench, "cpu", lambda work: work() or next(clock))
    works = {name: (lambda name=name: called.append(name)) for name in "ab"}
    assert bench.in_turn(works, 3) == {"a": 3, "b": 6}
    assert "".join(called) == "ab" * 4


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A race of four steps by a tiny transformer, and nothing painted."""
    monkeypatch.setattr(bench, "KEPT", tmp_path)
    monkeypatch.setitem(bench.NETWORKS, "transformer", lambda: Transformer(width=32, depth=1))
    monkeypatch.setitem(bench.STEPS, "transformer", 4)
    scenes = postcards.sample_scenes(6, 0)
    monkeypatch.setattr(bench, "latents", lambda: (scenes, normal(6, 4, 8, 8)))
    asked = []

    class Painter:
        def right(self, network):
            asked.append(float(network.stem.weight.sum()))
            return torch.tensor([True, False, len(asked) > 2])

    monkeypatch.setattr(bench, "Painter", Painter)
    return asked


def test_a_run_goes_on_from_its_last_quarter_and_is_then_kept(small, monkeypatch):
    whole = bench.run("transformer", 0)
    seen, small[:] = small[:], []
    (bench.KEPT / "transformer-0.pt").unlink()
    assert not bench.finished("transformer", 0)
    save = torch.save

    def power_cut(kept, path):
        save(kept, path)
        if len(kept["rows"]) == 2:
            path.replace(path.with_suffix(".pt"))
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(torch, "save", power_cut)
        bench.run("transformer", 0)
    again = bench.run("transformer", 0)
    assert small == seen and [row["loss"] for row in again] == [row["loss"] for row in whole]
    assert bench.finished("transformer", 0) and bench.run("transformer", 0) == again
    assert len(small) == 4, "a run that is kept paints nothing more"
    (last,) = bench.race({"unet": [], "transformer": [again, again]})[3:]
    assert (last["steps"], last["seeds"], last[bench.RIGHT]) == (4, 2, 0.6667)
    low, high = last[f"{bench.RIGHT}, 95 % interval"]
    assert low < 0.6667 < high
