"""What measures the lessons, the samplers, the sizes, the page and this build: by hand, small."""

import sys
from math import inf

import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from bench import (
    builds,
    growth,
    ip_adapter,
    keys,
    live_slider,
    live_training,
    memory,
    page,
    results,
    samplers,
)  # fmt: skip
from diffusion_lessons import models, pipeline, postcards, recipes, sampling
from diffusion_lessons.scoring.statistics import wilson
from diffusion_lessons.widgets import Slider, Text, live
from tests.claims import Between

RIGHT, ALL = "object and colour right", "everything right"


class Stand:
    """A build whose jobs take so many seconds; `log` holds who ran which job."""

    def __init__(self, name, seconds, log):
        self.name, self.took, self.log = name, seconds, log

    def seconds(self, job):
        self.log.append((self.name, job))
        return self.took * (1 if self.log.count((self.name, job)) > 1 else 100)  # 100: warming up


def test_builds_take_turns_and_the_first_round_only_warms_up():
    log = []
    rows = builds.compare(Stand("earlier", 0.2, log), Stand("now", 0.1, log))
    assert [name for name, _ in log] == ["earlier", "now"] * (len(log) // 2)
    for row in rows.values():
        assert row == {"earlier, ms": 200, "now, ms": 100, "ratio": 2}


def test_without_the_earlier_commit_a_sentence_says_so(monkeypatch, capsys):
    monkeypatch.setattr(builds, "EARLIER", "0" * 40)
    builds.main()
    assert "git does not have 0000" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read as Linux tells them")
def test_a_kernel_that_holds_more_has_the_higher_peak(tmp_path):
    bare, greedy = (
        memory.peak_mb(new_notebook(cells=[new_code_cell(cell)]), tmp_path)
        for cell in (memory.BARE, "import torch\nmany = torch.ones(30_000_000)")  # 120 MB
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


def test_both_networks_have_the_same_blocks():
    nets = growth.networks()
    inner = {
        name: {key: weight.shape for key, weight in net.state_dict().items() if "blocks" in key}
        for name, net in nets.items()
    }
    assert inner["pixels"] == inner["latents"] != {}
    counts = [models.count_parameters(nets[name]) for name in ("pixels", "latents")]
    assert counts[0] == pytest.approx(counts[1], rel=0.1)


def test_a_row_times_everything_on_the_right_sizes_and_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    nets, seen = growth.networks(), []
    assert torch.equal(state, torch.get_rng_state())
    for name in ("pixels", "latents"):
        nets[name].register_forward_pre_hook(
            lambda net, given, name=name: seen.append((name, tuple(given[0].shape)))
        )
    row = growth.row(32, nets, repeats=1)
    assert row.keys() == results.read("growth")["rows"][0].keys() and row["side"] == 32
    assert list(row.values()) == Between(1e-9, inf)
    assert set(seen) == {("pixels", (1, 3, 32, 32)), ("latents", (1, 4, 4, 4))}
    assert growth.table([row, row]).count("\n") == 2


def test_milliseconds_leave_out_the_call_that_warms_up_and_are_medians_and_means(monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 13.0, 20.0, 20.5])
    monkeypatch.setattr(results.time, "perf_counter", lambda: next(clock))
    calls = []
    assert growth.milliseconds(lambda: calls.append(1), repeats=2) == 2000
    assert results.milliseconds(lambda: calls.append(1), times=4) == 125, "the mean of all four"
    assert len(calls) == 3 + 4


class Grey(torch.nn.Module):
    """Stands in for the shipped network: says that the clean picture is grey."""

    def forward(self, x_t, t, labels):
        return torch.zeros_like(x_t)


@pytest.fixture
def grey(monkeypatch):
    card = {
        "channels": 3, "size": 32, "schedule": "cosine", "kind": "x_0", "data": "single-postcards",
    }  # fmt: skip
    monkeypatch.setattr(models, "load_unet", lambda name: (Grey(), card), raising=False)


def test_every_sampler_is_measured_from_the_same_noise_and_asked_the_same(grey, monkeypatch):
    starts, calls = {}, []

    def watch(name, usual):
        def sampler(denoiser, schedule, x_t, times, **chosen):
            starts.setdefault(name, []).append(x_t.clone())
            calls.append(len(times) - 1)
            return usual(denoiser, schedule, x_t, times, **chosen)

        return sampler

    assert set(samplers.STEPS) == set(sampling.SAMPLERS)
    for name, usual in sampling.SAMPLERS.items():
        monkeypatch.setitem(sampling.SAMPLERS, name, watch(name, usual))
    painter = samplers.Painter(130)
    painted = [painter.paint(name, 2) for name in samplers.STEPS]
    assert all(picture.shape == (130, 3, 32, 32) for picture in painted)
    assert [len(x) for x in starts["ddim"]] == [100, 30] and set(calls) == {2}
    for name in samplers.STEPS:
        assert torch.equal(torch.cat(starts[name]), torch.cat(starts["ddim"])), name
    assert torch.equal(painter.labels, samplers.Painter(130).labels)


def test_a_row_repeats_itself_and_holds_what_the_lesson_reads(grey):
    painter = samplers.Painter(40)
    first, second = (samplers.row(painter, "ddpm", 2) for _ in range(2))
    taken = "cpu_seconds_per_picture"
    assert first | {taken: 0} == second | {taken: 0}
    assert first["pictures"] == 40 and first["network_calls"] == 2
    assert first[RIGHT] < 0.2, "a grey picture shows nothing"
    assert first["Frechet distance"] > first["Frechet distance of real pictures"]
    assert samplers.table([first]).count("\n") == 1


def test_a_row_measured_again_agrees():
    """At fewer pictures, so within the interval of those (99.9 %)."""
    (row,) = (r for r in results.read("samplers")["rows"]
              if (r["sampler"], r["steps"]) == ("dpm-solver++", 8))  # fmt: skip
    again = samplers.row(samplers.Painter(120), "dpm-solver++", 8)
    for share in (RIGHT, ALL):
        assert row[share] == Between(*wilson(round(again[share] * 120), 120, confidence=0.999))


def test_median_and_percentile_by_hand():
    assert keys.summary([10.0, 30.0, 20.0]) == {"presses": 3, "median_ms": 20, "p95_ms": 29}
    assert keys.summary(list(range(101)))["p95_ms"] == 95


def test_the_cell_shows_a_slider_that_paints_by_its_value(monkeypatch):
    """The notebook of the measurement, with a stand-in for the model."""
    asked = []

    def pipe(prompt, guidance_scale, generator, output_type, num_inference_steps):
        asked.append((prompt, guidance_scale, output_type, num_inference_steps))
        return pipeline.Output(torch.full((1, 3, 64, 64), 0.5))

    monkeypatch.setattr(pipeline.TextToImage, "from_pretrained", lambda name: pipe)
    names = {}
    exec(live_slider.CELL.replace("\nlive(", "\nwidget = live("), names)
    slider, answer = names["widget"].controls[0], names["widget"].answer["words"]
    prompt = "a large red house on the left, on snow at night"
    assert asked == [(prompt, 2.5, "pt", live_slider.STEPS)]
    stops = slider["words"]
    assert (slider["name"], stops[0], stops[-1]) == ("guidance scale", "0.0", "10.0")
    assert answer == "guidance scale 2.5" and stops[10] == "2.5"
    assert len(stops) - 11 >= max(keys.PRESSES, live_slider.BURST)


def test_the_students_cell_shows_a_slider_of_seeds(monkeypatch):
    def student(prompt, generator, output_type):
        return pipeline.Output(torch.rand(1, 3, 64, 64, generator=generator))

    monkeypatch.setattr(pipeline.TextToImage, "from_pretrained", lambda name: student)
    names = {"TextToImage": pipeline.TextToImage, "Slider": Slider, "Text": Text, "live": live}
    exec(live_slider.STUDENT_CELL.replace("\nlive(", "\nwidget = live("), names)
    slider, shown = names["widget"].controls[0], names["widget"].answer["words"]
    start = slider["start"]
    assert slider["name"] == "seed" and shown == f"seed {slider['words'][start]}"
    assert len(slider["words"]) - start > max(keys.PRESSES, live_slider.BURST)


@pytest.mark.parametrize("name", ip_adapter.CONFLICTS)
def test_words_contradict_a_picture_in_one_attribute(name):
    scenes = postcards.sample_scenes(60, 5, kind="single")
    said, shown = ip_adapter.other(name, scenes), ip_adapter.values(scenes)
    assert (said != shown[name]).all() and len(said.unique()) == len(postcards.VALUES[name])
    for row, text in enumerate(ip_adapter.against(name, said, scenes)):
        read = postcards.parse(text)
        thing = read["things"][0] if read["things"] else {}
        found = {"sky": read["sky"], "object": thing.get("object"), "colour": thing.get("colour")}
        wanted = dict.fromkeys(found) | {name: postcards.VALUES[name][said[row]]}
        if name == "colour":
            wanted["object"] = postcards.VALUES["object"][shown["object"][row]]
        assert found == wanted


def test_medians_of_the_page_leave_out_the_rounds_that_warm_up():
    rounds = [1000] * page.WARMING_UP + [3, 1, 2]
    assert page.medians([{"ms": ms, "bytes": 7} for ms in rounds]) == {"ms": 2, "bytes": 7}


def test_files_that_the_page_is_sent_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(page.Serving, "sent", [])
    (tmp_path / "file").write_bytes(b"12345")
    serving = page.Serving.__new__(page.Serving)
    with (tmp_path / "file").open("rb") as source, (tmp_path / "copy").open("wb") as copy:
        serving.copyfile(source, copy)
    assert page.Serving.sent == [5] and (tmp_path / "copy").read_bytes() == b"12345"
