"""The table of costs against the side of a picture: the file that ships is what this code writes.

Times differ from machine to machine, so what is held is what follows from the shape of the table.
"""

import pytest
import torch

from bench import growth, results
from diffusion_lessons.models import count_parameters

TIMES = {
    f"{space}, {what}" for space in ("pixels", "latents") for what in ("call", "training step")
} | {"encode", "decode"}


def test_both_networks_have_the_same_blocks():
    nets = growth.networks()
    inner = {
        name: {key: weight.shape for key, weight in net.state_dict().items() if "blocks" in key}
        for name, net in nets.items()
    }
    assert inner["pixels"] == inner["latents"] != {}
    counts = [count_parameters(nets[name]) for name in ("pixels", "latents")]
    assert counts[0] == pytest.approx(counts[1], rel=0.1)


def test_a_row_times_everything_on_the_right_sizes(monkeypatch):
    nets, seen = growth.networks(), []
    for name in ("pixels", "latents"):
        nets[name].register_forward_pre_hook(
            lambda net, given, name=name: seen.append((name, tuple(given[0].shape)))
        )
    row = growth.row(32, nets, repeats=1)
    assert set(row) == {"side", *TIMES} and row["side"] == 32
    assert all(row[name] > 0 for name in TIMES)
    assert set(seen) == {("pixels", (1, 3, 32, 32)), ("latents", (1, 4, 4, 4))}
    assert growth.table([row, row]).count("\n") == 2


def test_the_median_leaves_out_the_first_call(monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 13.0, 20.0, 22.0])
    monkeypatch.setattr(growth.time, "perf_counter", lambda: next(clock))
    calls = []
    assert growth.milliseconds(lambda: calls.append(1), repeats=3) == 2000
    assert len(calls) == 4


def test_it_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    growth.networks()
    assert torch.equal(state, torch.get_rng_state())


# --- the file that ships ---


@pytest.fixture(scope="module")
def shipped():
    found = results.read("growth")
    if not found:
        pytest.skip("data/bench/growth.json is not there: python -m bench.growth makes it")
    return found


def test_its_settings_are_those_of_this_code(shipped):
    assert shipped["settings"] == growth.settings()
    assert shipped["settings_sha256"] == results.fingerprint(growth.settings())


def test_it_holds_every_row(shipped):
    assert [row["side"] for row in shipped["rows"]] == list(growth.SIDES)
    assert all(set(row) == {"side", *TIMES} for row in shipped["rows"])


def test_larger_pictures_cost_more_and_latents_less(shipped):
    rows = shipped["rows"]
    for name in TIMES:
        assert rows[-1][name] > rows[0][name], name
    for row in rows:
        for what in ("call", "training step"):
            assert row[f"latents, {what}"] < row[f"pixels, {what}"], (row["side"], what)
