"""ONNX Runtime runs the shipped networks as torch does, until a learner changes one of them."""

import copy
import sys

import pytest
import torch
from torch import nn

from diffusion_lessons import models
from diffusion_lessons.models import engine
from diffusion_lessons.pipeline import TextToImage

HOUSE = "a red house on snow at night"


@pytest.fixture(scope="module")
def sessions():
    """How many sessions of ONNX Runtime were asked, in a list of one number."""
    return [0]


@pytest.fixture(autouse=True)
def counted(monkeypatch, sessions):
    build, sessions[0] = engine._session, 0

    def session(*parts):
        built = build(*parts)

        class Counted:
            def run(self, *inputs):
                sessions[0] += 1
                return built.run(*inputs)

        return built and Counted()

    monkeypatch.setattr(engine, "_session", session)


@pytest.fixture
def pipe():
    return TextToImage.from_pretrained("postcards")


def draw(pipe, **chosen):
    dice = torch.Generator().manual_seed(0)
    settings = {"num_inference_steps": 2, "generator": dice, "output_type": "pt"}
    return pipe(HOUSE, **(settings | chosen)).images


def plain(pipe, **chosen):
    """The same picture, by torch alone."""
    quick, pipe._quick = pipe._quick, {}
    images = draw(pipe, **chosen)
    pipe._quick = quick
    return images


@pytest.mark.parametrize(
    "chosen, calls",
    [
        ({}, 3),
        ({"guidance_scale": 1}, 3),
        ({"negative_prompt": "a cat"}, 3),
        ({"num_images_per_prompt": 3}, 3),
        ({"num_images_per_prompt": 17}, 4),
    ],
)
def test_pictures_are_those_of_torch(pipe, sessions, chosen, calls):
    found = draw(pipe, **chosen)
    assert sessions[0] == calls, "two steps, and the decoder for each 16 pictures"
    assert (found - plain(pipe, **chosen)).abs().max() < 1 / 255


def test_one_session_serves_all_sizes_of_a_batch(pipe, monkeypatch):
    draw(pipe)
    monkeypatch.setattr(engine, "_session", None)
    assert draw(pipe, num_images_per_prompt=3).shape == (3, 3, 64, 64)


def write_data(unet):
    unet.mid_block[0].resnet.conv_1.weight.data *= -1


def write_in_place(unet):
    with torch.no_grad():
        unet.head.bias.add_(1)


def exchange_weight(unet):
    unet.stem.weight = nn.Parameter(torch.zeros_like(unet.stem.weight))


def exchange_layer(unet):
    unet.mid_block[1].attn = nn.Identity()


def override_forward(unet):
    unet.forward = lambda x_t, t, context: torch.zeros_like(x_t)


def hook(unet):
    unet.head.register_forward_hook(lambda layer, inputs, output: output + 1)


CHANGES = [write_data, write_in_place, exchange_weight, exchange_layer, override_forward, hook]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("drawn_before", [False, True])
def test_what_a_learner_changes_in_the_network_counts(pipe, sessions, change, drawn_before):
    before = draw(pipe) if drawn_before else plain(pipe)
    sessions[0] = 0
    change(pipe.unet)
    after = draw(pipe)
    assert sessions[0] == 1, "the decoder alone"
    assert (after - before).abs().max() > 1 / 255
    assert (after - plain(pipe)).abs().max() < 1 / 255


def test_a_network_of_the_learner_runs(pipe, sessions):
    class Mine(models.TextUNet):
        def forward(self, x_t, t, context):
            return torch.zeros_like(x_t)

    pipe.unet, pipe.autoencoder = Mine(), models.Autoencoder().eval()
    assert torch.equal(draw(pipe), plain(pipe)) and sessions[0] == 0


def test_a_decoder_that_was_changed_counts(pipe, sessions):
    pipe.autoencoder.head.bias.data += 1
    assert (draw(pipe) - plain(pipe)).abs().max() < 1 / 255 and sessions[0] == 2


def test_a_copy_draws_with_its_own_network(pipe, sessions):
    draw(pipe)
    twin = copy.deepcopy(pipe)
    twin.unet.head.bias.data += 1
    assert (draw(twin) - plain(twin)).abs().max() < 1 / 255
    assert (draw(twin) - draw(pipe)).abs().max() > 1 / 255


def test_two_walks_may_take_turns(pipe):
    walks = [pipe.steps(prompt, num_inference_steps=3) for prompt in (HOUSE, "a small cat")]
    turns = list(zip(*walks, strict=True))
    for place, prompt in enumerate((HOUSE, "a small cat")):
        *_, last = pipe.steps(prompt, num_inference_steps=3)
        assert torch.allclose(turns[-1][place].x_next, last.x_next, atol=1e-5)


def test_without_onnx_runtime_torch_draws(pipe, monkeypatch, sessions):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert torch.allclose(draw(pipe), plain(pipe), atol=1e-5) and sessions[0] == 0
