"""What is measured of the lessons themselves: memory of their kernels, the live training."""

import json
import sys

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from bench import live_training, memory, results
from diffusion_lessons import recipes

GREEDY = "import torch\nmany = torch.ones(30_000_000)"  # 120 MB


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read as Linux tells them")
def test_a_kernel_that_holds_more_has_the_higher_peak(tmp_path):
    bare, greedy = (
        memory.peak_mb(new_notebook(cells=[new_code_cell(cell)]), tmp_path)
        for cell in (memory.BARE, GREEDY)
    )
    assert bare > 100 and 100 < greedy - bare < 160


def test_measuring_leaves_the_notebook_as_it_was(tmp_path, monkeypatch):
    notebook = new_notebook(cells=[new_code_cell("1")])

    def executed(probed, folder):
        probed.cells[-1].outputs = [type("Output", (), {"text": "2000\n"})]
        return probed

    monkeypatch.setattr(memory.tool, "execute", executed)
    assert memory.peak_mb(notebook, tmp_path) == pytest.approx(2.048)
    assert len(notebook.cells) == 1


def test_every_lesson_stays_under_the_promised_memory():
    peaks = results.read("memory")["peaks"]["beyond_importing_torch"]
    assert set(peaks) == {path.stem for path in memory.tool.lessons()}, "python -m bench.memory"
    for lesson, peak in peaks.items():
        assert peak < memory.NOT_YET_MB.get(lesson, memory.LIMIT_MB), lesson
    assert all(peaks[lesson] >= memory.LIMIT_MB for lesson in memory.NOT_YET_MB), "kept by now"


def test_the_shipped_live_training_is_the_lesson_s_and_keeps_the_promise():
    shipped = results.read("live_training")
    if not shipped:
        pytest.skip("data/bench/live_training.json is not there: python -m bench.live_training")
    assert shipped["settings"] == json.loads(json.dumps(live_training.settings()))
    assert [row["seed"] for row in shipped["rows"]] == list(live_training.SEEDS)
    assert shipped["mean_share"] >= live_training.PROMISED_SHARE
    assert shipped["longest_seconds"] < live_training.PROMISED_SECONDS


def test_one_seed_is_scored_on_fresh_pictures():
    tiny = recipes.GeneratorRecipe(
        seed=9, data="sprites", size=32, channels=3, widths=(8, 8), blocks=(1, 1), patch=4,
        schedule="cosine", kind="x_0", steps=2, batch=4, learning_rate=1e-3, ema_decay=0.9,
        sampler="ddim", sampling_steps=2,
    )  # fmt: skip
    first, second = (live_training.one_seed(tiny, 1, pictures=40) for _ in range(2))
    assert first["seed"] == 1 and first["pictures"] == 40
    times = {"seconds": 0, "cpu_seconds": 0}
    assert first | times == second | times
    assert first[live_training.RIGHT] < 0.3
