"""What a picture costs: both sides are of one size, do the same work, and take turns at it."""

import json
import statistics
import sys

import pytest
import torch
from PIL import Image

from bench import results, text_to_image
from bench.text_to_image import BASELINE, Diffusers, Ours
from diffusion_lessons import conditioning
from diffusion_lessons.models import Autoencoder, CaptionReader, TextUNet
from diffusion_lessons.pipeline import TextToImage

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def pipe():
    """Networks of the shipped sizes, untrained."""
    torch.manual_seed(0)
    reader = CaptionReader(
        len(conditioning.WORDS), 128, 2, conditioning.LENGTH, **conditioning.attribute_classes()
    )
    card = {
        "schedule": "cosine", "kind": "x_0", "scaling_factor": 0.5,
        "num_inference_steps": 2, "guidance_scale": 2.5,
    }  # fmt: skip
    return TextToImage(reader.eval(), TextUNet().eval(), Autoencoder().eval(), card)


@pytest.mark.parametrize("side", [Ours, Diffusers])
def test_a_picture_is_so_many_guided_steps(side, pipe):
    who, calls = side(pipe), []
    network = who.pipe.unet if side is Ours else who.unet
    network.register_forward_hook(lambda layer, said, out: calls.append(len(said[0])))
    for steps in (1, 5):
        picture = who.picture(steps)
        assert isinstance(picture, Image.Image) and picture.size == (64, 64)
        assert calls == [2] * steps, "guided: two answers in one batch"
        calls.clear()


@torch.no_grad()
def test_both_sides_take_and_give_the_same_shapes_and_are_of_about_the_same_size(pipe):
    context = pipe.encode_prompt([text_to_image.PROMPT] * 2)
    for who in (Ours(pipe), Diffusers(pipe)):
        assert who.call(torch.zeros(2, 4, 8, 8), context).shape == (2, 4, 8, 8)
        assert who.decode(torch.zeros(1, 4, 8, 8)).shape == (1, 3, 64, 64)
        assert who.sizes == pytest.approx(Ours(pipe).sizes, rel=0.05)
        counted = results.read("text_to_image")["megaflops"][who.name]["decode"]
        assert text_to_image.megaflops(who)["decode"] == counted  # equal parameters, not equal work


def test_what_is_saved_is_what_a_fresh_process_loads(pipe, tmp_path):
    theirs = Diffusers(pipe)
    theirs.save(tmp_path)
    again = Diffusers(pipe, tmp_path)
    assert again.sizes == theirs.sizes
    assert again.picture(2).tobytes() == theirs.picture(2).tobytes()


def test_everything_is_timed_on_both_sides_in_turns(pipe, monkeypatch):
    order = []

    def clock(work, times):
        order.append(work)
        return float(len(order))

    monkeypatch.setattr(results, "milliseconds", clock)
    sides = [Ours(pipe), Diffusers(pipe)]
    threads = torch.get_num_threads()
    found = text_to_image.compare(sides, 1, rounds=3)
    assert torch.get_num_threads() == threads
    works = list(found[Ours.name])
    assert works == list(found[BASELINE])
    assert works[-4:] == [f"picture, {steps} steps" for steps in (5, 10, 20, 50)]
    turn = 2 * len(works)  # a round: all of ours, all of theirs; the first round warms up
    for place, name in enumerate((Ours.name, BASELINE)):
        for index, work in enumerate(works):
            when = 1 + place * len(works) + index
            assert found[name][work] == statistics.median(when + turn * r for r in (1, 2, 3))
    assert text_to_image.table({"1": found}).count("\n") == len(works)


def test_a_fresh_process_tells_what_it_took(monkeypatch, tmp_path):
    told = {"seconds, torch imported": 1.0, "seconds of the second picture": 0.1, "peak_mb": 300.0}
    asked = []

    def run(code):
        asked.append(code)
        return "200000" if "VmHWM" in code else json.dumps(told)

    monkeypatch.setattr(text_to_image, "run", run)
    found = text_to_image.fresh(Ours.name, tmp_path, rounds=3)
    assert found["peak memory beyond importing torch, MB"] == round(300 - 204.8)
    assert found["seconds, torch imported"] == 1.0 and len(asked) == 4
    assert Ours.name in asked[1] and str(tmp_path) in asked[1]


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read as Linux tells them")
def test_a_fresh_python_can_import_what_it_is_asked_to():
    said = text_to_image.run("from bench import results, text_to_image as b; print(b.peak_mb())")
    assert 100 < float(said) < 3000
