"""ONNX Runtime runs the shipped networks as torch does, until a learner changes one of them."""

import copy
import sys

import pytest
import torch
from torch import nn

from diffusion_lessons import models
from diffusion_lessons.models import engine
from diffusion_lessons.pipeline import TextToImage
from tests.small_pipe import seeded

HOUSE = "a red house on snow at night"


@pytest.fixture(autouse=True)
def sessions(monkeypatch):
    """How often sessions of ONNX Runtime were asked, in a list of one number."""
    build, asked = engine._build, [0]

    def counted(*parts):
        built = build(*parts)

        def run(*inputs):
            asked[0] += "onnxruntime" in sys.modules and sys.modules["onnxruntime"] is not None
            return built(*inputs)

        return run

    monkeypatch.setattr(engine, "_build", counted)
    return asked


@pytest.fixture
def pipe():
    return TextToImage.from_pretrained("postcards")


def draw(pipe, **chosen):
    settings = {"num_inference_steps": 2, "generator": seeded(), "output_type": "pt"}
    return pipe(HOUSE, **(settings | chosen)).images


def plain(pipe, **chosen):
    """The same picture, by torch alone."""
    quick, pipe._quick = pipe._quick, {}
    images = draw(pipe, **chosen)
    pipe._quick = quick
    return images


def apart(images, others):
    """The largest difference, of 255."""
    return (images - others).abs().max() * 255


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
    assert apart(found, plain(pipe, **chosen)) < 1


def test_one_session_serves_all_sizes_of_a_batch(pipe, monkeypatch):
    draw(pipe)
    monkeypatch.setattr(engine, "_build", None)
    assert draw(pipe, num_images_per_prompt=3).shape == (3, 3, 64, 64)


WEIGHTS = {
    "data": lambda unet: unet.mid_block[0].resnet.conv_1.weight.data.mul_(-1),
    "in place": lambda unet: nn.init.ones_(unet.head.bias),
    "weight": lambda unet: setattr(unet.stem, "weight", nn.Parameter(0 * unet.stem.weight)),
}
LAYERS = {
    "layer": lambda unet: setattr(unet.mid_block[1], "attn", nn.Identity()),
    "forward": lambda unet: setattr(unet, "forward", lambda x_t, t, context: 0 * x_t),
    "method": lambda unet: setattr(unet, "embed", lambda t: t.new_ones(len(t), 384)),
    "hook": lambda unet: unet.head.register_forward_hook(lambda layer, inputs, out: out + 1),
}


@pytest.mark.parametrize("change", [*WEIGHTS, *LAYERS])
@pytest.mark.parametrize("drawn_before", [False, True])
def test_what_a_learner_changes_in_the_network_counts(pipe, sessions, change, drawn_before):
    before = draw(pipe) if drawn_before else plain(pipe)
    sessions[0] = 0
    (WEIGHTS | LAYERS)[change](pipe.unet)
    after = draw(pipe)
    assert sessions[0] == (3 if change in WEIGHTS else 1), "the decoder always"
    assert apart(after, before) > 1 and apart(after, plain(pipe)) < 1


def test_weights_that_come_back_are_the_packed_ones_again(pipe, sessions):
    before, bias = draw(pipe), pipe.unet.head.bias
    own = bias.data
    bias.data = own + 1
    draw(pipe)
    bias.data = own
    assert torch.equal(draw(pipe), before)


def test_weights_are_summed_up_only_where_somebody_asked_for_their_data(pipe, sessions):
    draw(pipe)
    networks = (pipe.unet, pipe.autoencoder, copy.deepcopy(pipe.unet))
    assert not any(getattr(w, "touched", 0) for part in networks for w in part.parameters())
    held, before = pipe.unet.head.bias.data, draw(pipe)
    assert pipe.unet.head.bias.touched and not pipe.unet.head.weight.touched
    held += 1
    assert apart(draw(pipe), before) > 1 and apart(draw(pipe), plain(pipe)) < 1


def test_other_weights_are_taken_by_name_and_gradients_reach_them(pipe, sessions):
    unet, name = pipe._quick[pipe.unet], "mid_block.0.cross_attn.to_kv.weight"
    inputs = torch.randn(2, 4, 8, 8, generator=seeded()), torch.tensor([0.5, 0.7])
    inputs = *inputs, pipe.encode_prompt([HOUSE, ""])
    turned = -pipe.unet.get_parameter(name)
    with torch.no_grad():
        wanted = torch.func.functional_call(pipe.unet, {name: turned}, inputs)
    with torch.inference_mode():  # as a panel draws
        found, own = unet.with_weights({name: 1.0 * turned})(*inputs), unet(*inputs)
    assert sessions[0] == 2 and (found - wanted).abs().max() < 1e-4 < (own - wanted).abs().max()
    weight = turned.detach().requires_grad_()
    learned = unet.with_weights({name: weight})(*inputs)
    assert torch.equal(learned, wanted) and sessions[0] == 2
    assert torch.autograd.grad(learned.square().mean(), weight)[0].abs().max() > 0
    assert torch.equal(pipe.unet.get_parameter(name), -turned), "the network stays as it is"


def test_a_network_of_the_learner_runs(pipe, sessions):
    class Mine(models.TextUNet):
        def forward(self, x_t, t, context):
            return torch.zeros_like(x_t)

    pipe.unet, pipe.autoencoder = Mine(), models.Autoencoder().eval()
    assert torch.equal(draw(pipe), plain(pipe)) and sessions[0] == 0


@pytest.mark.parametrize("change", [
    lambda network: network.head.bias.data.add_(1),
    lambda network: setattr(network, "decode", lambda z: z.new_zeros(len(z), 3, 64, 64)),
])  # fmt: skip
def test_a_decoder_that_was_changed_counts(pipe, change):
    change(pipe.autoencoder)
    assert apart(draw(pipe), plain(pipe)) < 1


def test_a_copy_draws_with_its_own_network(pipe):
    first, twin = draw(pipe), copy.deepcopy(pipe)
    twin.unet.head.bias.data += 1
    assert apart(draw(twin), plain(twin)) < 1 < apart(draw(twin), first)
    assert apart(draw(pipe), first) == 0


def test_two_walks_may_take_turns(pipe):
    walks = [pipe.steps(prompt, num_inference_steps=3) for prompt in (HOUSE, "a small cat")]
    turns = list(zip(*walks, strict=True))
    for place, prompt in enumerate((HOUSE, "a small cat")):
        *_, last = pipe.steps(prompt, num_inference_steps=3)
        assert torch.allclose(turns[-1][place].x_next, last.x_next, atol=1e-5)


def test_without_onnx_runtime_torch_draws(pipe, monkeypatch, sessions):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert torch.allclose(draw(pipe), plain(pipe), atol=1e-4) and sessions[0] == 0
