"""The IP-Adapter: what is added by hand and in `diffusers`, nothing at scale 0, and refusals."""

import dataclasses
import json
from functools import partial

import pytest
import torch
from diffusers.models.attention_processor import Attention, IPAdapterAttnProcessor
from diffusers.models.embeddings import ImageProjection
from PIL import Image

from diffusion_lessons import models, postcards, recipes, workspace
from diffusion_lessons.models import CrossAttention, IPAdapter
from diffusion_lessons.models.ip_adapter import words_and_picture
from diffusion_lessons.pipeline import TextToImage
from tests.small_pipe import awake, normal, seeded, small_pipe

PICTURES = (postcards.draw(postcards.sample_scenes(2, 5)) + 1) / 2
ONE, TWO = PICTURES
WIDE = Image.new("RGB", (90, 64), "red")


@pytest.fixture
def pipe():
    """Small networks that have learned nothing, an adapter loaded."""
    pipe = small_pipe()
    pipe.ip_adapter = awake(IPAdapter(192, 32, [32] * 3)).requires_grad_(False)
    return pipe


def drawn(pipe, prompt="a cat", **chosen):
    return pipe(prompt, **({"generator": seeded(), "output_type": "pt"} | chosen)).images


def put(own, *theirs):
    """Copy the numbers of a layer into layers of `diffusers`, which share its rows."""
    for name, weight in own.named_parameters():
        for part, rows in zip(theirs, weight.chunk(len(theirs)), strict=True):
            getattr(part, name).copy_(rows.view(getattr(part, name).shape))


@torch.no_grad()
def test_what_a_second_attention_finds_is_added_to_what_the_words_give():
    layer, to_kv = awake(CrossAttention(64, 32)), torch.nn.Linear(32, 128, bias=False)
    x, words, tokens = normal(2, 64, 3, 3), normal(2, 5, 32, seed=1), normal(2, 4, 32, seed=2)
    q = layer.to_q(layer.norm(x)).flatten(2).transpose(1, 2)  # (2, 9, 64)
    found = torch.zeros_like(q)
    for kv, weight in ((layer.to_kv(words), 1.0), (to_kv(tokens), 0.7)):
        for head in (slice(0, 32), slice(32, 64)):
            k, v = kv[..., :64][..., head], kv[..., 64:][..., head]
            looks = (q[..., head] @ k.transpose(1, 2) / 32**0.5).softmax(dim=-1)
            found[..., head] += weight * (looks @ v)
    wanted = x + layer.to_out(found.transpose(1, 2).reshape(x.shape))
    context = torch.cat([words, tokens], dim=1)
    assert not torch.allclose(layer(x, context), wanted, atol=1e-2), "appended is something else"
    layer.sources = partial(words_and_picture, layer, to_kv, 4, 0.7)
    assert torch.allclose(layer(x, context), wanted, atol=1e-5)

    theirs = Attention(64, 32, heads=2, dim_head=32, bias=True, residual_connection=True)
    theirs.group_norm, theirs.to_out[0] = layer.norm, torch.nn.Linear(64, 64)
    processor = IPAdapterAttnProcessor(64, 32, num_tokens=(4,), scale=0.7)
    put(layer.to_q, theirs.to_q)
    put(layer.to_out, theirs.to_out[0])
    put(layer.to_kv, theirs.to_k, theirs.to_v)
    put(to_kv, processor.to_k_ip[0], processor.to_v_ip[0])
    assert torch.allclose(processor(theirs, x, (words, [tokens])), wanted, atol=1e-5)


@torch.no_grad()
def test_tokens_are_those_of_diffusers_and_nothing_where_there_is_no_picture():
    adapter, features = awake(IPAdapter(192, 32, [32])), normal(2, 192)
    theirs = ImageProjection(192, 32, num_image_text_embeds=4)
    for part, own in ((theirs.image_embeds, adapter.project), (theirs.norm, adapter.norm)):
        put(own, part)
        part.bias.zero_()
    assert torch.allclose(adapter(features), theirs(features), atol=1e-5)
    assert (adapter(torch.zeros(1, 192)) == 0).all()


def test_without_a_picture_and_at_scale_0_it_is_the_frozen_model_bit_for_bit(pipe):
    frozen, shipped = small_pipe(), TextToImage.from_pretrained()
    nothing = torch.zeros(2, 4, 32)
    x_t, t, words = normal(2, 4, 8, 8), torch.tensor([0.3, 0.9]), normal(2, 32, 32, seed=1)
    looking = pipe.ip_adapter.attached(pipe.unet)
    assert torch.equal(looking(x_t, t, torch.cat([words, nothing], 1)), pipe.unet(x_t, t, words))
    without = drawn(shipped)
    shipped.load_ip_adapter()
    assert torch.equal(drawn(shipped), without)
    for each, plain in ((shipped, without), (pipe, drawn(frozen))):
        assert not torch.equal(drawn(each, ip_adapter_image=ONE), plain)
        each.set_ip_adapter_scale(0)
        assert torch.equal(drawn(each, ip_adapter_image=ONE), plain)
        assert torch.equal(drawn(each), plain)


def test_the_engine_computes_the_same_at_every_scale_until_a_layer_changes():
    pipe, plain = TextToImage.from_pretrained(), TextToImage.from_pretrained()
    plain._quick = {}
    for each in (pipe, plain):
        each.load_ip_adapter()
    for scale in (0.5, 1.0):
        for each in (pipe, plain):
            each.set_ip_adapter_scale(scale)
        wanted = drawn(plain, ip_adapter_image=ONE)
        assert torch.allclose(drawn(pipe, ip_adapter_image=ONE), wanted, atol=1e-3)
    looking = pipe.ip_adapter.attached(pipe.unet)
    assert pipe._quick[pipe.unet].on(looking) is not looking
    for each in (pipe, plain):
        each.unet.head.bias.data += 1
    wanted = drawn(plain, ip_adapter_image=ONE)
    assert torch.allclose(drawn(pipe, ip_adapter_image=ONE), wanted, atol=1e-3)
    pipe.unet.head.register_forward_hook(lambda *given: None)
    assert pipe._quick[pipe.unet].on(looking) is looking


def test_one_picture_for_all_or_one_for_each_prompt(pipe):
    prompts, two = ["a cat", "a tree"], {"generator": [seeded(), seeded(1)]}
    both = drawn(pipe, prompts, ip_adapter_image=[ONE, TWO], **two)
    for n, picture in enumerate((ONE, TWO)):
        alone = drawn(pipe, prompts[n], ip_adapter_image=picture, generator=seeded(n))
        assert torch.allclose(both[n], alone[0], atol=1e-5)
    four = {"generator": [seeded(n % 2) for n in range(4)], "num_images_per_prompt": 2}
    shown = drawn(pipe, prompts, ip_adapter_image=[ONE, TWO], **four)
    assert torch.allclose(shown[0], both[0], atol=1e-5)
    assert torch.allclose(shown[3], both[1], atol=1e-5)
    with pytest.warns(UserWarning, match="the picture has 90 x 64 pixels: its middle square was"):
        assert drawn(pipe, prompts, ip_adapter_image=WIDE, **two).shape == both.shape


REFUSED = [
    (lambda pipe: drawn(small_pipe(), ip_adapter_image=ONE), ValueError, r"load_ip_adapter\(\)"),
    (lambda pipe: pipe.load_ip_adapter(), ValueError, "an IP-Adapter of another U-Net"),
    (lambda pipe: pipe.load_ip_adapter("postcards"), ValueError, "is no IPAdapter but: Makes"),
    (lambda pipe: pipe.load_ip_adapter("ip"), ValueError, "no weights 'ip'. Choose 'ip-adapter'"),
    (lambda pipe: pipe.set_ip_adapter_scale(2.1), ValueError, "scale is 2.1: give a number from 0"),
    (lambda pipe: pipe.set_ip_adapter_scale("high"), TypeError, "scale is 'high': give a number"),
    (lambda pipe: drawn(pipe, ip_adapter_image="no.png"), OSError, "no.png cannot be opened"),
    (lambda pipe: drawn(pipe, ip_adapter_image=[ONE, TWO]), ValueError, "2 pictures for 1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "says"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_does_not_fit_is_refused_and_nothing_is_lost(pipe, call, error, says):
    before = drawn(pipe, ip_adapter_image=ONE)
    for scale in (1.0, 0.0):
        pipe.set_ip_adapter_scale(scale)
        with pytest.raises(error, match=says):
            call(pipe)
    pipe.set_ip_adapter_scale(1.0)
    assert torch.equal(drawn(pipe, ip_adapter_image=ONE), before)


def test_the_shipped_adapter_is_the_one_that_its_card_describes():
    adapter, card = models.load_ip_adapter()
    recipe = recipes.RECIPES["ip-adapter"]
    assert f"IPAdapter, {models.count_parameters(adapter)} parameters" == card["network"]
    assert card["recipe"] == json.loads(json.dumps(dataclasses.asdict(recipe)))
    assert workspace.data_path("weights", "ip-adapter.safetensors").stat().st_size <= 4_000_000
    score = card["scores"]["single"]
    assert score["things taken over"] >= 0.9 and score["pictures"] == 1024


def test_what_is_drawn_in_training_shares_its_things_with_what_is_looked_at_and_no_more():
    seen, shown = (scenes.attributes for scenes in recipes.RECIPES["ip-adapter"].scenes())
    same = {name: float((seen[name] == shown[name]).float().mean()) for name in seen}
    assert same["object"] == same["colour"] == 1
    assert all(same[name] < 0.8 for name in ("size", "position", "sky", "ground"))
