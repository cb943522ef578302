"""The U-Net with cross-attention and the caption encoder: shapes, what reaches what, refusals."""

import pytest
import torch
from torch import nn

from diffusion_lessons.models import (
    CaptionEncoder,
    CaptionReader,
    CrossAttention,
    TextUNet,
    count_parameters,
)


def awake(model, seed=0):
    """The same network with no layer left at zero, so that everything has an effect."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.1)
    return model


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def small(**settings):
    return TextUNet(**({"widths": (32, 64), "blocks": (1, 2), "context_channels": 24} | settings))


# --- one layer of cross-attention ---


def test_cross_attention_is_that_of_torch():
    """With torch's own layer, given the same weights: keys and values from the words."""
    ours, theirs = awake(CrossAttention(64, 24)), nn.MultiheadAttention(64, 2, kdim=24, vdim=24)
    with torch.no_grad():
        q, kv, out = ours.to_q, ours.to_kv, ours.to_out
        theirs.q_proj_weight.copy_(q.weight[:, :, 0, 0])
        theirs.k_proj_weight.copy_(kv.weight[:64])
        theirs.v_proj_weight.copy_(kv.weight[64:])
        theirs.in_proj_bias.copy_(torch.cat([q.bias, kv.bias]))
        theirs.out_proj.weight.copy_(out.weight[:, :, 0, 0])
        theirs.out_proj.bias.copy_(out.bias)
        x, words = random(3, 64, 4, 6), random(3, 7, 24, seed=1)
        places = ours.norm(x).flatten(2).permute(2, 0, 1)  # (places, B, channels)
        found, weights = theirs(places, *[words.transpose(0, 1)] * 2)
        expected = x + found.permute(1, 2, 0).view_as(x)
        assert torch.allclose(ours(x, words), expected, atol=1e-5)
        assert torch.allclose(ours.weights(x, words), weights.view(3, 4, 6, 7), atol=1e-5)


def test_its_weights_are_shares():
    weights = awake(CrossAttention(32, 24)).weights(random(2, 32, 4, 4), random(2, 9, 24))
    assert weights.shape == (2, 4, 4, 9) and weights.min() > 0
    assert torch.allclose(weights.sum(-1), torch.ones(2, 4, 4))


def test_the_order_of_words_does_not_matter_to_it_and_each_word_does():
    layer, x, words = awake(CrossAttention(32, 24)), random(1, 32, 4, 4), random(1, 5, 24, seed=1)
    base = layer(x, words)
    assert torch.allclose(layer(x, words.flip(1)), base, atol=1e-6)
    for place in range(5):
        changed = words.clone()
        changed[0, place] += 1
        assert not torch.allclose(layer(x, changed), base, atol=1e-4)


# --- the whole network ---


@pytest.mark.parametrize("channels, size", [(4, (8, 8)), (4, (4, 6)), (16, (8, 8)), (4, (16, 16))])
@pytest.mark.parametrize("widths, blocks", [((32, 64), (1, 1)), ((64, 32), (2, 3))])
def test_output_has_the_shape_of_the_latents(channels, size, widths, blocks):
    model = TextUNet(channels, widths, blocks, context_channels=24)
    x_t = random(2, channels, *size)
    assert model(x_t, torch.rand(2), random(2, 5, 24)).shape == x_t.shape


def test_an_untrained_network_says_zero():
    assert small()(random(2, 4, 8, 8), torch.rand(2), random(2, 5, 24)).abs().max() == 0


def test_time_words_and_every_place_have_an_effect():
    model, x_t, t, words = awake(small()), random(1, 4, 8, 8), torch.tensor([0.5]), random(1, 5, 24)
    out = model(x_t, t, words)
    assert not torch.allclose(out, model(x_t, t + 0.1, words), atol=1e-4)
    for place in range(5):
        changed = words.clone()
        changed[0, place] += 1
        assert not torch.allclose(out, model(x_t, t, changed), atol=1e-5)
    changed = x_t.clone()
    changed[0, :, 0, 0] += 1
    assert (model(changed, t, words) - out)[0, :, -1, -1].abs().max() > 0


def test_what_one_picture_is_told_does_not_reach_another():
    """Guidance asks for both answers in one batch: each must come out as if asked alone."""
    model = awake(small())
    x_t, t, words = random(3, 4, 8, 8), torch.tensor([0.2, 0.5, 0.9]), random(3, 5, 24)
    together = model(x_t, t, words)
    for i in range(3):
        alone = model(x_t[i : i + 1], t[i : i + 1], words[i : i + 1])
        assert torch.allclose(together[i : i + 1], alone, atol=1e-4)


def test_gradients_reach_every_weight_and_the_words():
    model, words = awake(small()), random(2, 5, 24).requires_grad_()
    model(random(2, 4, 8, 8), torch.rand(2), words).square().mean().backward()
    assert [
        name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()
    ] == []
    assert words.grad.abs().amin() > 0


def test_every_block_listens():
    for blocks in ((1, 1), (2, 3)):
        layers = [m for m in small(blocks=blocks).modules() if isinstance(m, CrossAttention)]
        assert len(layers) == 2 * blocks[0] + blocks[1]


def test_its_outer_layers_are_layers_of_it():
    for model in (small(), CaptionReader(9, 32, 1, 6, [2, 3], [4])):
        names = [name for name, _ in model.named_parameters()]
        for outer in model.outer_layers:
            assert any(name.startswith(outer) for name in names), outer


@pytest.mark.parametrize(
    "x_t, t, words, message",
    [
        ((4, 8, 8), (1,), (1, 5, 24), r"x_t has shape \(4, 8, 8\).*such as \(1, 4, 16, 16\)"),
        ((1, 3, 8, 8), (1,), (1, 5, 24), r"give \(B, 4, 2h, 2w\)"),
        ((1, 4, 7, 8), (1,), (1, 5, 24), "4, 2h, 2w"),
        ((1, 4, 8, 7), (1,), (1, 5, 24), "4, 2h, 2w"),
        ((2, 4, 8, 8), (1,), (2, 5, 24), r"t has shape \(1,\): give \(2,\)"),
        ((2, 4, 8, 8), (), (2, 5, 24), r"t has shape \(\): give \(2,\), a time for each"),
        ((2, 4, 8, 8), (2,), (1, 5, 24), r"context has shape \(1, 5, 24\): give \(2, L, 24\)"),
        ((2, 4, 8, 8), (2,), (2, 5, 25), r"\(2, 5, 25\): give \(2, L, 24\)"),
        ((2, 4, 8, 8), (2,), (2, 24), r"a caption for each of the latents"),
    ],
)
def test_what_does_not_fit_is_refused(x_t, t, words, message):
    with pytest.raises(ValueError, match=message):
        small()(torch.zeros(x_t), torch.zeros(t), torch.zeros(words))


# --- the caption encoder ---


def encoder(seed=0, **settings):
    torch.manual_seed(seed)
    return CaptionEncoder(**({"words": 20, "width": 32, "layers": 2, "length": 6} | settings))


TOKENS = torch.tensor([[3, 7, 2, 0, 0, 0], [7, 3, 2, 0, 0, 0]])


@pytest.mark.parametrize("width, layers, length", [(32, 1, 4), (64, 3, 32), (128, 2, 10)])
def test_a_context_has_a_vector_for_each_place(width, layers, length):
    model = encoder(width=width, layers=layers, length=length)
    tokens = torch.randint(20, (3, length), generator=torch.Generator().manual_seed(0))
    assert model(tokens).shape == (3, length, width)


def test_a_context_knows_where_a_word_stands_and_what_stands_around_it():
    context = encoder()(TOKENS)
    assert not torch.allclose(context[0, 0], context[1, 1], atol=1e-3), "another place"
    assert not torch.allclose(context[0, 2], context[1, 2], atol=1e-3), "other neighbours"


def test_captions_of_a_batch_do_not_mix():
    model = encoder()
    assert torch.allclose(model(TOKENS)[1:], model(TOKENS[1:]), atol=1e-6)


def test_a_word_block_attends_as_torch_does():
    block = awake(encoder()).blocks[0]
    theirs = nn.MultiheadAttention(32, 1, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(block.to_qkv.weight)
        theirs.in_proj_bias.copy_(block.to_qkv.bias)
        theirs.out_proj.weight.copy_(block.to_out.weight)
        theirs.out_proj.bias.copy_(block.to_out.bias)
        words = random(2, 6, 32)
        middle = words + theirs(*[block.norm_1(words)] * 3)[0]
        expected = middle + block.mlp(block.norm_2(middle))
        assert torch.allclose(block(words), expected, atol=1e-5)


@pytest.mark.parametrize(
    "tokens, message",
    [
        (torch.zeros(6, dtype=torch.int64), r"shape \(6,\).*give \(B, 6\).*tokenise"),
        (torch.zeros(2, 7, dtype=torch.int64), r"shape \(2, 7\)"),
        (torch.full((1, 6), 20), "a token is 20: give a whole number from 0 to 19"),
        (torch.full((1, 6), -1), "a token is -1"),
    ],
)
def test_tokens_that_it_does_not_know_are_refused(tokens, message):
    with pytest.raises(ValueError, match=message):
        encoder()(tokens)


def test_no_captions_at_all_are_no_trouble():
    assert encoder()(torch.zeros(0, 6, dtype=torch.int64)).shape == (0, 6, 32)


def test_a_reader_answers_every_question():
    reader = CaptionReader(20, 32, 1, 6, [3, 5], [2])
    answers = reader(TOKENS, torch.tensor([[1, 2], [0, -1]]))
    assert [tuple(a.shape) for a in answers] == [(2, 3), (2, 5), (2, 2), (2, 2)]
    heads = count_parameters(reader.scene) + count_parameters(reader.thing)
    assert count_parameters(reader) - heads == count_parameters(reader.encoder)


def test_a_reader_looks_at_the_noun_for_a_thing_and_at_all_words_for_the_scene():
    reader, nouns = CaptionReader(20, 32, 1, 6, [3], [2]), torch.tensor([[1, 2], [0, 2]])
    words = reader.encoder(TOKENS)
    scene, first, second = reader(TOKENS, nouns)
    assert torch.equal(scene, reader.scene(words.mean(dim=1)))
    assert torch.equal(first, reader.thing(torch.stack([words[0, 1], words[1, 0]])))
    assert torch.equal(second, reader.thing(words[:, 2]))
