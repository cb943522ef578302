"""The live slider measured: the figures that ship keep what was promised."""

import pytest
import torch

from bench import live_slider, results
from diffusion_lessons import pipeline


def test_median_and_percentile_by_hand():
    assert live_slider.summary([10.0, 30.0, 20.0]) == {"presses": 3, "median_ms": 20, "p95_ms": 29}
    assert live_slider.summary(list(range(101)))["p95_ms"] == 95


def test_the_cell_shows_a_slider_that_paints_by_its_value(monkeypatch):
    """The notebook of the measurement, with a stand-in for the model."""
    asked = []

    class Pipe:
        def __call__(self, prompt, guidance_scale, generator, output_type, num_inference_steps):
            assert num_inference_steps == live_slider.STEPS
            asked.append((prompt, guidance_scale, output_type))
            return pipeline.Output(torch.full((1, 3, 64, 64), 0.5))

    monkeypatch.setattr(pipeline.TextToImage, "from_pretrained", lambda name: Pipe())
    names = {}
    exec(live_slider.CELL.replace("\nlive(", "\nwidget = live("), names)
    widget = names["widget"]
    assert asked == [("a large red house on the left, on snow at night", 2.5, "pt")]
    stops = widget.controls[0]["words"]
    assert widget.controls[0]["name"] == "guidance scale" and (stops[0], stops[-1]) == (
        "0.0",
        "10.0",
    )
    assert widget.answer["words"] == "guidance scale 2.5" and stops[10] == "2.5"
    room = len(stops) - 1 - stops.index("2.5")
    assert room >= live_slider.PRESSES and room >= live_slider.BURST


@pytest.fixture(scope="module")
def shipped():
    found = results.read("live_slider")
    if not found:
        pytest.skip("data/bench/live_slider.json is not there: python -m bench.live_slider")
    return found


def test_its_settings_and_weights_are_those_of_this_code(shipped):
    assert shipped["settings"] == live_slider.settings()
    assert shipped["settings_sha256"] == results.fingerprint(live_slider.settings())


def test_a_new_picture_comes_as_fast_as_promised(shipped):
    assert shipped["one by one"]["presses"] >= 40
    assert shipped["one by one"]["median_ms"] < live_slider.PROMISED_MS


def test_one_request_at_a_time_and_the_last_position_wins(shipped):
    burst = shipped["in a burst"]
    assert burst["presses"] == 20 and burst["presses a second"] == pytest.approx(30, abs=3)
    assert burst["most requests on their way"] == 1 and burst["requests left open"] == 0
    assert burst["the last position is shown"] is True
    assert burst["shown"] == f"guidance scale {burst['last position']}"
