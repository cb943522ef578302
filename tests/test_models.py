"""The U-Nets keep shapes, hear what is given to them, and refuse what does not fit."""

import pytest
import torch
from torch import nn

from diffusion_lessons import models
from tests.claims import tables
from tests.small_pipe import awake, normal

TIMES = torch.tensor([0.2, 0.5, 0.9])
UNETS = {  # how each is built, three noisy pictures or latents, and their labels or captions
    "labels": (
        lambda: models.UNet(3, (16, 16), (1, 2), factors=(8, 7)),
        normal(3, 3, 16, 16), torch.tensor([[3, 4], [7, 1], [2, 6]]),
    ),
    "captions": (
        lambda: models.TextUNet(4, (32, 64), (1, 2), context_channels=24),
        normal(3, 4, 8, 8), normal(3, 5, 24),
    ),
    "transformer": (
        lambda: models.Transformer(width=64, depth=2, context_channels=24),
        normal(3, 4, 8, 8), normal(3, 5, 24),
    ),
}  # fmt: skip
each_unet = pytest.mark.parametrize("build, x_t, given", UNETS.values(), ids=UNETS)

PICTURES = [(3, 32, 32), (1, 28, 28), (3, 64, 64)]
LATENTS = [(4, 8, 8), (4, 4, 6), (16, 8, 8), (4, 16, 16)]
SHAPES = [
    *(
        (models.UNet, *sizes, shape)
        for shape in PICTURES
        for sizes in (((32, 64), (1, 2)), ((16,), (2,)))
    ),
    *((models.UNet, (8, 16, 24), (1, 1, 1), shape) for shape in PICTURES if shape[1] % 8 == 0),
    *((models.TextUNet, (32, 64), (1, 1), shape) for shape in LATENTS),
    *((models.TextUNet, (64, 32), (2, 3), shape) for shape in LATENTS),
]


@pytest.mark.parametrize("network, widths, blocks, shape", SHAPES)
def test_output_has_the_shape_of_the_input(network, widths, blocks, shape):
    settings = {models.UNet: {"factors": (8, 7)}, models.TextUNet: {"context_channels": 24}}[
        network
    ]
    given = {models.UNet: torch.zeros(2, 2).long(), models.TextUNet: normal(2, 5, 24)}[network]
    out = network(shape[0], widths, blocks, **settings)(normal(2, *shape), TIMES[:2], given)
    assert out.shape == (2, *shape)


@each_unet
def test_an_untrained_network_says_zero(build, x_t, given):
    assert build()(x_t, TIMES, given).abs().max() == 0


@each_unet
def test_time_labels_or_words_and_every_place_have_an_effect(build, x_t, given):
    model, x_t, t, given = awake(build()), x_t[:1], TIMES[:1], given[:1]
    out = model(x_t, t, given)
    assert not torch.allclose(out, model(x_t, t + 0.1, given), atol=1e-4)
    for place in range(given.shape[1]):
        changed = given.clone()
        changed[0, place] -= 1
        assert not torch.allclose(out, model(x_t, t, changed), atol=1e-5)
    changed = x_t.clone()
    changed[0, :, 0, 0] += 1
    far = (model(changed, t, given) - out)[0, :, -1, -1].abs().max()
    assert far > 0, "attention carries news from one corner to the other"


@each_unet
def test_what_a_batch_holds_does_not_mix(build, x_t, given):
    """Guidance asks for both answers in one batch: each must come out as if asked alone."""
    model = awake(build())
    together = model(x_t, TIMES, given).split(1)
    for found, *alone in zip(together, x_t.split(1), TIMES.split(1), given.split(1), strict=True):
        assert torch.allclose(found, model(*alone), atol=1e-4)


@each_unet
def test_gradients_reach_every_weight_and_the_words(build, x_t, given):
    model, given = awake(build()), given.clone().requires_grad_(given.is_floating_point())
    model(x_t, TIMES, given).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())
    assert given.grad is None or given.grad.abs().amin() > 0


def test_nothing_said_is_the_same_in_two_ways():
    model, x_t = awake(models.UNet(1, (16, 16), (1, 1), factors=(10,))), normal(2, 1, 16, 16)
    nothing = model(x_t, TIMES[:2])
    assert torch.equal(nothing, model(x_t, TIMES[:2], torch.full((2, 1), -1)))
    assert not torch.allclose(nothing, model(x_t, TIMES[:2], torch.zeros(2, 1).long()))


def test_every_block_of_a_text_unet_listens():
    for blocks in ((1, 1), (2, 3)):
        layers = models.TextUNet(widths=(32, 64), blocks=blocks).modules()
        count = sum(isinstance(layer, models.CrossAttention) for layer in layers)
        assert count == 2 * blocks[0] + blocks[1]


def test_outer_layers_are_layers_of_their_network():
    reader = models.CaptionReader(9, 32, 1, 6, [2, 3], [4])
    for model in (models.UNet(factors=(10,)), models.Autoencoder(), models.PointNet(), reader):
        names = [name for name, _ in model.named_parameters()]
        for outer in model.outer_layers:
            assert any(name.startswith(outer) for name in names), outer
    assert models.TextUNet.outer_layers == models.UNet.outer_layers


MISFITS = tables(__file__)["misfits"]


@pytest.mark.parametrize("of, row", [(of, row) for of in MISFITS for row in MISFITS[of]])
def test_misfits_are_refused(of, row):
    x_t, t, given, says = row
    if given is not None:
        given = torch.zeros(given) if of == "captions" else torch.tensor(given)
    with pytest.raises(ValueError, match=says):
        UNETS[of][0]()(torch.zeros(x_t), torch.zeros(t), given)


@pytest.mark.parametrize("widths, blocks", [((32, 64), (1,)), ((30, 64), (1, 1))])
def test_widths_that_do_not_fit(widths, blocks):
    with pytest.raises(ValueError, match="multiples of 8"):
        models.UNet(3, widths, blocks)


def test_point_net():
    assert models.PointNet()(torch.randn(5, 2), torch.rand(5)).shape == (5, 2)


def test_what_ships_but_is_no_unet_is_refused_by_name():
    with pytest.raises(ValueError, match="'judge' is no UNet.*Choose 'fashion' or 'postcards-32'"):
        models.load_unet("judge")


# --- layers ---


def test_time_features_are_sines_and_cosines():
    features = models.time_features(torch.tensor([0.0, 0.25]))
    assert features.shape == (2, 64)
    assert torch.equal(features[0], torch.cat([torch.zeros(32), torch.ones(32)]))
    assert features[1, 0] == pytest.approx(torch.sin(torch.tensor(0.25)).item())
    assert features[1, 31] == pytest.approx(torch.sin(torch.tensor(250.0)).item(), abs=1e-3)


def test_down_and_up_fold_and_unfold_and_a_fresh_block_changes_nothing():
    x = normal(2, 8, 6, 6)
    assert models.Down(8, 16)(x).shape == (2, 16, 3, 3)
    assert models.Up(16, 8)(torch.randn(2, 16, 3, 3), x).shape == x.shape
    assert torch.equal(models.ResBlock(8, 32)(x, torch.randn(2, 32)), x)
    assert torch.equal(models.ResBlock(8)(x), x)


def test_attention_is_the_formula():
    block, x = awake(models.Attention(64)), normal(1, 64, 3, 3)
    qkv = block.to_qkv(block.norm(x)).flatten(2)[0]  # (192, 9)
    q, k, v = (part.view(2, 32, 9) for part in qkv.chunk(3))
    weights = (torch.einsum("hdi,hdj->hij", q, k) / 32**0.5).softmax(-1)
    found = torch.einsum("hij,hdj->hdi", weights, v).reshape(1, 64, 3, 3)
    assert torch.allclose(block(x), x + block.to_out(found), atol=1e-5)


def test_cross_attention_is_that_of_torch():
    """With torch's own layer, given the same weights: keys and values from the words."""
    ours, theirs = (
        awake(models.CrossAttention(64, 24)),
        nn.MultiheadAttention(64, 2, kdim=24, vdim=24),
    )
    with torch.no_grad():
        q, kv, out = ours.to_q, ours.to_kv, ours.to_out
        theirs.q_proj_weight.copy_(q.weight[:, :, 0, 0])
        theirs.k_proj_weight.copy_(kv.weight[:64])
        theirs.v_proj_weight.copy_(kv.weight[64:])
        theirs.in_proj_bias.copy_(torch.cat([q.bias, kv.bias]))
        theirs.out_proj.weight.copy_(out.weight[:, :, 0, 0])
        theirs.out_proj.bias.copy_(out.bias)
        x, words = normal(3, 64, 4, 6), normal(3, 7, 24, seed=1)
        places = ours.norm(x).flatten(2).permute(2, 0, 1)  # (places, B, channels)
        found, _ = theirs(places, *[words.transpose(0, 1)] * 2)
        expected = x + found.permute(1, 2, 0).view_as(x)
        assert torch.allclose(ours(x, words), expected, atol=1e-5)


def test_the_order_of_words_does_not_matter_to_it_and_each_word_does():
    layer, x, words = (
        awake(models.CrossAttention(32, 24)),
        normal(1, 32, 4, 4),
        normal(1, 5, 24, seed=1),
    )
    base = layer(x, words)
    assert torch.allclose(layer(x, words.flip(1)), base, atol=1e-6)
    for place in range(5):
        changed = words.clone()
        changed[0, place] += 1
        assert not torch.allclose(layer(x, changed), base, atol=1e-4)
