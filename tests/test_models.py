"""The U-Net keeps shapes, hears what it is told, and refuses what does not fit."""

import pytest
import torch

from diffusion_lessons.models import (
    Attention,
    Down,
    PointNet,
    ResBlock,
    UNet,
    Up,
    load_unet,
    time_features,
)


def awake(model, seed=0):
    """The same network with no layer left at zero, so that everything has an effect."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.1)
    return model


@pytest.mark.parametrize("channels, size", [(3, 32), (1, 28), (3, 64)])
@pytest.mark.parametrize(
    "widths, blocks", [((32, 64), (1, 2)), ((16,), (2,)), ((8, 16, 24), (1, 1, 1))]
)
def test_output_has_the_shape_of_the_picture(channels, size, widths, blocks):
    if size % (2 * 2 ** (len(widths) - 1)):
        pytest.skip("28 cannot be halved that often")
    model = UNet(channels, widths, blocks, factors=(8, 7))
    x_t = torch.randn(2, channels, size, size)
    assert model(x_t, torch.rand(2), torch.zeros(2, 2).long()).shape == x_t.shape


def test_an_untrained_network_says_zero():
    model = UNet(1, factors=(10,))
    assert model(torch.randn(2, 1, 28, 28), torch.rand(2)).abs().max() == 0


def test_time_labels_and_every_pixel_have_an_effect():
    model = awake(UNet(3, (16, 16), (1, 2), factors=(8, 7)))
    x_t, t = torch.randn(1, 3, 16, 16), torch.tensor([0.5])
    said = torch.tensor([[3, 4]])
    out = model(x_t, t, said)
    assert not torch.allclose(out, model(x_t, t + 0.1, said))
    assert not torch.allclose(out, model(x_t, t, torch.tensor([[3, 5]])))
    assert not torch.allclose(out, model(x_t, t, torch.tensor([[2, 4]])))
    changed = x_t.clone()
    changed[0, :, 0, 0] += 1
    far = (model(changed, t, said) - out)[0, :, -1, -1].abs().max()
    assert far > 0, "attention carries news from one corner to the other"


def test_nothing_said_is_the_same_in_three_ways():
    model = awake(UNet(1, (16, 16), (1, 1), factors=(10,)))
    x_t, t = torch.randn(2, 1, 16, 16), torch.rand(2)
    nothing = torch.full((2, 1), -1)
    assert torch.equal(model(x_t, t), model(x_t, t, nothing))
    assert not torch.allclose(model(x_t, t), model(x_t, t, torch.tensor([[0], [0]])))


def test_pictures_of_a_batch_do_not_mix():
    model = awake(UNet(1, (16, 16), (1, 2)))
    x_t, t = torch.randn(3, 1, 16, 16), torch.rand(3)
    alone = model(x_t[1:2], t[1:2])
    assert torch.allclose(model(x_t, t)[1:2], alone, atol=1e-4)


def test_time_features_are_sines_and_cosines():
    features = time_features(torch.tensor([0.0, 0.25]))
    assert features.shape == (2, 64)
    assert torch.equal(features[0], torch.cat([torch.zeros(32), torch.ones(32)]))
    assert features[1, 0] == pytest.approx(torch.sin(torch.tensor(0.25)).item())
    assert features[1, 31] == pytest.approx(torch.sin(torch.tensor(250.0)).item(), abs=1e-3)


def test_attention_is_the_formula():
    block = awake(Attention(64))
    x = torch.randn(1, 64, 3, 3)
    qkv = block.to_qkv(block.norm(x)).flatten(2)[0]  # (192, 9)
    q, k, v = (part.view(2, 32, 9) for part in qkv.chunk(3))
    weights = (torch.einsum("hdi,hdj->hij", q, k) / 32**0.5).softmax(-1)
    found = torch.einsum("hij,hdj->hdi", weights, v).reshape(1, 64, 3, 3)
    assert torch.allclose(block(x), x + block.to_out(found), atol=1e-5)


def test_down_and_up_fold_and_unfold():
    x = torch.randn(2, 8, 6, 6)
    assert Down(8, 16)(x).shape == (2, 16, 3, 3)
    assert Up(16, 8)(torch.randn(2, 16, 3, 3), x).shape == x.shape


def test_a_fresh_block_changes_nothing():
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(ResBlock(16, 32)(x, torch.randn(2, 32)), x)


@pytest.mark.parametrize(
    "x_t, t, labels, says",
    [
        ((2, 1, 16, 16), 2, None, r"give \(B, 3, 4h, 4w\), such as \(1, 3, 32, 32\)"),
        ((2, 3, 18, 18), 2, None, r"\(2, 3, 18, 18\): give .*4h, 4w"),
        ((2, 3, 16, 16), 1, None, r"t has shape \(1,\): give \(2,\), a time for each"),
        ((2, 3, 16, 16), 2, [[0]], r"give \(2, 2\), an index for each factor"),
        (
            (2, 3, 16, 16),
            2,
            [[0, 7], [0, 0]],
            "a label of factor 1 is 7: give a whole number from -1 to 6",
        ),
    ],
)
def test_misfits_are_refused(x_t, t, labels, says):
    model = UNet(3, (16, 16), (1, 1), factors=(8, 7))
    labels = None if labels is None else torch.tensor(labels)
    with pytest.raises(ValueError, match=says):
        model(torch.randn(x_t), torch.rand(t), labels)


@pytest.mark.parametrize("widths, blocks", [((32, 64), (1,)), ((30, 64), (1, 1))])
def test_widths_that_do_not_fit(widths, blocks):
    with pytest.raises(ValueError, match="multiples of 8"):
        UNet(3, widths, blocks)


def test_point_net():
    assert PointNet()(torch.randn(5, 2), torch.rand(5)).shape == (5, 2)


def test_what_ships_but_is_no_unet_is_refused_by_name():
    with pytest.raises(ValueError, match="'judge' is no UNet.*Choose 'fashion' or 'postcards-32'"):
        load_unet("judge")
