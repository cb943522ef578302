"""The diffusion transformer starts as the identity, agrees with diffusers, and knows its places."""

import contextlib

import pytest
import torch
from diffusers.models.attention import JointTransformerBlock
from diffusers.models.normalization import AdaLayerNormContinuous

from diffusion_lessons.checks import lesson_07
from diffusion_lessons.models import QuickTransformer, Transformer, transformer
from diffusion_lessons.models.transformer import JointBlock, adapted, positions
from diffusion_lessons.training.fit import inner_weights
from tests.mutants import mutants
from tests.small_pipe import awake, normal

PLACES, WORDS, EMB = normal(2, 16, 64, seed=1), normal(2, 5, 64, seed=2), normal(2, 64, seed=3)
X_T, T, CONTEXT = normal(2, 4, 8, 8, seed=4), torch.tensor([0.3, 0.8]), normal(2, 5, 24, seed=5)


def small(patch=2):
    return Transformer(width=64, depth=2, patch=patch, context_channels=24)


# --- what starts at zero ---


@pytest.mark.parametrize("last", [False, True])
def test_an_untrained_block_changes_nothing(last):
    places, words = JointBlock(64, last)(PLACES, WORDS, EMB)
    assert torch.equal(places, PLACES) and torch.equal(words, WORDS)


def test_only_modulation_and_head_start_at_zero_and_all_weights_learn():
    model = small()
    zero = {name for name, p in model.named_parameters() if not p.any() and p.ndim > 1}
    assert zero and all("modulation" in name or name == "head.weight" for name in zero)
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    for _ in range(4):  # zero, but not stuck: head, then gates, then what is behind them
        optimizer.zero_grad()
        (model(X_T, T, CONTEXT) - X_T).square().mean().backward()
        optimizer.step()
    assert all(p.grad.any() for p in model.parameters())


def test_muon_trains_what_is_inside_the_blocks():
    inner = inner_weights(small())
    assert {"blocks.0.places.to_qkv.weight", "blocks.1.words.modulation.weight"} <= {*inner}
    assert not any(name.startswith(Transformer.outer_layers) for name in inner)


# --- against diffusers ---


def copied(ours, last):
    """Their block with our weights."""
    heads = ours.places.heads
    theirs = JointTransformerBlock(32 * heads, heads, 32, context_pre_only=last, qk_norm="rms_norm")
    attn = theirs.attn
    pairs = [(ours.places.modulation, theirs.norm1.linear)]
    ends = [(ours.places, attn.to_out[0], theirs.ff)]
    if last:  # theirs takes the scale first
        swapped = {
            k: torch.cat(w.chunk(2)[::-1]) for k, w in ours.words.modulation.state_dict().items()
        }
        theirs.norm1_context.linear.load_state_dict(swapped)
    else:
        pairs += [(ours.words.modulation, theirs.norm1_context.linear)]
        ends += [(ours.words, attn.to_add_out, theirs.ff_context)]
    for stream, out, ff in ends:
        pairs += [(stream.to_out, out), (stream.mlp[0], ff.net[0].proj), (stream.mlp[2], ff.net[2])]
    for stream, to, norm in (
        (ours.places, "to_{}", "norm_{}"),
        (ours.words, "add_{}_proj", "norm_added_{}"),
    ):
        letters = "qkv" if hasattr(stream, "norm_q") else "kv"
        weights, biases = (part.chunk(len(letters)) for part in stream.to_qkv.parameters())
        for letter, weight, bias in zip(letters, weights, biases, strict=True):
            state = {"weight": weight, "bias": bias}
            attn.get_submodule(to.format(letter)).load_state_dict(state)
        for letter in letters[:-1]:
            pairs += [(getattr(stream, f"norm_{letter}"), attn.get_submodule(norm.format(letter)))]
    for own, their in pairs:
        their.load_state_dict(own.state_dict())
    return theirs


@torch.no_grad()
@pytest.mark.parametrize("last", [False, True])
def test_a_block_is_that_of_stable_diffusion_3_in_diffusers(last):
    ours = awake(JointBlock(64, last))
    theirs = copied(ours, last)
    # their block takes the SiLU of the embedding itself, ours is given it
    words, places = theirs(PLACES, WORDS, EMB)
    found, found_words = ours(PLACES, WORDS, torch.nn.functional.silu(EMB))
    assert torch.allclose(found, places, atol=1e-5)
    assert (
        torch.equal(found_words, WORDS) if last else torch.allclose(found_words, words, atol=1e-5)
    )


@torch.no_grad()
def test_what_comes_before_the_head_is_their_continuous_norm():
    theirs = AdaLayerNormContinuous(64, 64, elementwise_affine=False, eps=1e-6)
    scale, shift = theirs.linear(torch.nn.functional.silu(EMB))[:, None].chunk(2, dim=2)
    assert torch.allclose(adapted(PLACES, shift, scale), theirs(PLACES, EMB), atol=1e-6)


# --- places ---


@torch.no_grad()
@pytest.mark.parametrize("patch", [1, 2])
def test_places_are_told_apart_by_their_positions_alone(patch, monkeypatch):
    model, side = awake(small(patch)), 8 // patch
    order = torch.randperm(side**2, generator=torch.Generator().manual_seed(0))

    def shuffled(x):  # squares of the patch, in another order
        squares = torch.nn.functional.unfold(x, patch, stride=patch)[:, :, order]
        return torch.nn.functional.fold(squares, x.shape[2:], patch, stride=patch)

    usual = model(X_T, T, CONTEXT)
    assert not torch.allclose(model(shuffled(X_T), T, CONTEXT), shuffled(usual), atol=1e-3)
    monkeypatch.setattr(transformer, "positions", lambda *sizes: positions(*sizes)[order])
    assert torch.allclose(model(shuffled(X_T), T, CONTEXT), shuffled(usual), atol=1e-4)


def test_a_place_of_a_larger_picture_is_where_it_is_in_a_smaller_one():
    coarse, fine = positions(3, 2, 32), positions(9, 6, 32)
    assert len({tuple(place) for place in fine.tolist()}) == 9 * 6
    middles = fine.unflatten(0, (9, 6))[1::3, 1::3]  # of the squares of 3x3 that a place becomes
    assert torch.allclose(middles.flatten(0, 1), coarse, atol=1e-5)


@pytest.mark.parametrize("h, w", [(8, 8), (16, 16), (4, 6)])
def test_it_takes_latents_of_every_size(h, w):
    assert awake(small())(normal(2, 4, h, w), T, CONTEXT).shape == (2, 4, h, w)


# --- the engine ---


@torch.no_grad()
def test_onnx_runtime_computes_the_same_for_all_sizes_of_a_batch_and_after_a_change():
    model = awake(small()).eval().requires_grad_(False)
    quick = QuickTransformer(model)
    for batch in ((X_T, T, CONTEXT), (X_T[:1], T[:1], CONTEXT[:1])):
        assert torch.allclose(quick(*batch), model(*batch), atol=1e-4)
    assert len(quick._built) == 1
    model.head.bias.data += 1  # a second session takes the weights at each call
    assert torch.allclose(quick(X_T, T, CONTEXT), model(X_T, T, CONTEXT), atol=1e-4)
    assert len(quick._built) == 2
    model.head.register_forward_hook(lambda *given: None)
    assert torch.equal(quick(X_T, T, CONTEXT), model(X_T, T, CONTEXT))


# --- refusals ---

REFUSED = {
    "x_t has shape (4, 8, 8)": (X_T[0], T, CONTEXT),
    "x_t has shape (2, 3, 8, 8)": (normal(2, 3, 8, 8), T, CONTEXT),
    "x_t has shape (2, 4, 7, 8)": (normal(2, 4, 7, 8), T, CONTEXT),
    "t has shape (1,)": (X_T, T[:1], CONTEXT),
    "context has shape (1, 5, 24)": (X_T, T, CONTEXT[:1]),
    "context has shape (2, 5, 25)": (X_T, T, normal(2, 5, 25)),
}


@pytest.mark.parametrize("message, given", REFUSED.items(), ids=REFUSED)
def test_what_does_not_fit_is_refused(message, given):
    with pytest.raises(ValueError) as refused:
        small()(*given)
    assert str(refused.value).startswith(message) and "give (" in str(refused.value)


@pytest.mark.parametrize("width", [0, 48, -32])
def test_a_width_without_whole_heads_is_refused(width):
    with pytest.raises(
        ValueError, match=f"width is {width}: give a (multiple of 32|whole number from 1)"
    ):
        Transformer(width=width)


# --- what lesson 07 builds ---

MADE = {name: getattr(lesson_07, name) for name in ("adaln", "joint")}
SLIPS = [(name, key) for name, one in MADE.items() for key in one.slips]


@torch.no_grad()
def test_the_two_pieces_together_are_the_block():
    block, shape = awake(JointBlock(64)), (PLACES, WORDS)
    adaln, joint = (MADE[name].function for name in ("adaln", "joint"))
    streams = block.places, block.words
    modulation = [stream.modulate(EMB) for stream in streams]

    def norm(x):
        return torch.nn.functional.layer_norm(x, (64,), eps=transformer.EPSILON)

    def asked(number, adapted_x):
        qkv = streams[number].to_qkv(adapted_x).unflatten(2, (3, 2, 32)).permute(2, 0, 3, 1, 4)
        q, k, v = qkv
        return torch.stack([streams[number].norm_q(q), streams[number].norm_k(k), v])

    adapted_x = [adapted(x, *of[:2]) for x, of in zip(shape, modulation, strict=True)]
    found = joint(*(asked(number, x) for number, x in enumerate(adapted_x))).split([16, 5], dim=2)
    mine = []
    for x, stream, of, each in zip(shape, streams, modulation, found, strict=True):
        looked = stream.to_out(each.transpose(1, 2).flatten(2))
        x = adaln(x, norm, lambda _, looked=looked: looked, *of[:3])
        mine.append(adaln(x, norm, stream.mlp, *of[3:5], of[5]))
    for one, theirs in zip(mine, block(*shape, EMB), strict=True):
        assert torch.allclose(one, theirs, atol=1e-5)


@pytest.mark.parametrize(("name", "key"), SLIPS)
def test_each_slip_is_named(name, key):
    exercise = MADE[name]
    assert exercise(exercise.function).verdict == "right"
    found = exercise(exercise.compiled(exercise.wrong(key)))
    assert found.verdict == "not yet" and exercise.slips[key][1:] in found.words[-1]


@pytest.mark.parametrize("name", MADE)
def test_no_small_fault_passes(name):
    exercise = MADE[name]
    inputs = [*next(iter(exercise.trials.values())).values()]
    for source in mutants(exercise.source):
        faulty = exercise.compiled(source)
        with contextlib.suppress(Exception):
            if torch.equal(faulty(*inputs), exercise.function(*inputs)):
                continue  # written otherwise, such as dim=(-1)
        assert exercise(faulty).verdict != "right", source
