"""The caption encoder: shapes, what reaches a word's vector, what its reader looks at, refusals."""

import pytest
import torch
from torch import nn

from diffusion_lessons.models import CaptionEncoder, CaptionReader, count_parameters
from tests.small_pipe import awake, normal

TOKENS = torch.tensor([[3, 7, 2, 0, 0, 0], [7, 3, 2, 0, 0, 0]])


def encoder(width=32, layers=2, length=6):
    torch.manual_seed(0)
    return CaptionEncoder(20, width, layers, length)


@pytest.mark.parametrize("width, layers, length", [(32, 1, 4), (64, 3, 32), (128, 2, 10)])
def test_a_context_has_a_vector_for_each_place(width, layers, length):
    for count in (3, 0):  # no captions at all are no trouble
        tokens = torch.randint(20, (count, length))
        assert encoder(width, layers, length)(tokens).shape == (count, length, width)


def test_a_context_knows_where_a_word_stands_and_what_stands_around_it():
    context = encoder()(TOKENS)
    assert not torch.allclose(context[0, 0], context[1, 1], atol=1e-3), "another place"
    assert not torch.allclose(context[0, 2], context[1, 2], atol=1e-3), "other neighbours"
    assert torch.allclose(context[1:], encoder()(TOKENS[1:]), atol=1e-6), "captions do not mix"


def test_a_word_block_attends_as_torch_does():
    block, theirs = awake(encoder()).blocks[0], nn.MultiheadAttention(32, 1, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(block.to_qkv.weight)
        theirs.in_proj_bias.copy_(block.to_qkv.bias)
        theirs.out_proj.weight.copy_(block.to_out.weight)
        theirs.out_proj.bias.copy_(block.to_out.bias)
        words = normal(2, 6, 32)
        middle = words + theirs(*[block.norm_1(words)] * 3)[0]
        expected = middle + block.mlp(block.norm_2(middle))
        assert torch.allclose(block(words), expected, atol=1e-5)


@pytest.mark.parametrize(
    "tokens, message",
    [
        (torch.zeros(6, dtype=torch.int64), r"shape \(6,\).*give \(N, 6\).*tokenise"),
        (torch.zeros(2, 7, dtype=torch.int64), r"shape \(2, 7\)"),
        (torch.full((1, 6), 20), "a number of tokens is 20: give a whole number from 0 to 19"),
        (torch.full((1, 6), -1), "a number of tokens is -1"),
    ],
)
def test_tokens_that_it_does_not_know_are_refused(tokens, message):
    with pytest.raises(ValueError, match=message):
        encoder()(tokens)


def test_a_reader_looks_at_the_noun_for_a_thing_and_at_all_words_for_the_scene():
    reader, nouns = CaptionReader(20, 32, 1, 6, [3, 5], [2]), torch.tensor([[1, 2], [0, -1]])
    answers, words = reader(TOKENS, nouns), reader.encoder(TOKENS)
    assert [tuple(a.shape) for a in answers] == [(2, 3), (2, 5), (2, 2), (2, 2)]
    assert torch.equal(torch.cat(answers[:2], dim=1), reader.scene(words.mean(dim=1)))
    assert torch.equal(answers[2], reader.thing(torch.stack([words[0, 1], words[1, 0]])))
    assert torch.equal(answers[3], reader.thing(torch.stack([words[0, 2], words[1, -1]])))
    heads = count_parameters(reader.scene) + count_parameters(reader.thing)
    assert count_parameters(reader) - heads == count_parameters(reader.encoder)
