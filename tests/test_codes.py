"""Codes: the nearest one and its gradient, dead ones; a writer that never looks ahead."""

import itertools
import math

import pytest
import torch
from diffusers.models.autoencoders.vq_model import VectorQuantizer

from diffusion_lessons import latents, models, pipeline, postcards, recipes
from diffusion_lessons.checks.exercises import EXERCISES
from diffusion_lessons.models import CodeWriter, Tokeniser
from diffusion_lessons.pipeline import PatchByPatch
from diffusion_lessons.pipeline.patch_by_patch import draw_codes

SAID = ["a large red house on snow at night", "two blue boats on the sea by day"]


@pytest.fixture(scope="module")
def pipe() -> PatchByPatch:
    return PatchByPatch.from_pretrained()


@pytest.fixture
def writer() -> CodeWriter:
    """Small, with random weights where training starts at zero."""
    torch.manual_seed(0)
    net = CodeWriter(codes=3, side=2, width=32, depth=2, context_channels=8)
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return net.eval().requires_grad_(False)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- the tokeniser ---


def test_the_nearest_codes_and_the_gradient_are_those_of_diffusers():
    theirs = VectorQuantizer(16, 4, beta=0.25, legacy=False)
    z = torch.randn(2, 4, 3, 3, generator=dice(), requires_grad=True)
    flat = z.permute(0, 2, 3, 1).flatten(0, 2)
    found, _, (_, _, numbers) = theirs(z)
    mine, my_numbers = models.quantise(flat, theirs.embedding.weight)
    assert torch.equal(numbers, my_numbers)
    assert torch.allclose(mine, found.permute(0, 2, 3, 1).flatten(0, 2), atol=1e-6)
    pull = torch.randn(found.shape, generator=dice(1))
    (theirs_z,) = torch.autograd.grad((found * pull).sum(), z, retain_graph=True)
    (my_z,) = torch.autograd.grad((mine * pull.permute(0, 2, 3, 1).flatten(0, 2)).sum(), z)
    assert torch.equal(theirs_z, pull) and torch.equal(my_z, pull)


def test_the_loss_and_its_gradients_are_those_of_diffusers():
    torch.manual_seed(0)
    net = Tokeniser(width=8, blocks=1, codes=16, code_channels=4)
    # Its default, legacy=True, weighs the codes' own part by beta, not the vectors' as eq. 3 does.
    theirs = VectorQuantizer(16, 4, beta=latents.COMMITMENT, legacy=False)
    theirs.embedding.weight = net.codebook
    z, learned = torch.randn(2, 4, 8, 8, generator=dice()), (net.codebook, net.to_code.weight)
    chosen, in_diffusers, _ = theirs(net.vectors(z).view(2, 8, 8, 4).permute(0, 3, 1, 2))
    back = net.from_vectors(chosen.permute(0, 2, 3, 1).flatten(0, 2), 8, 8)
    expected, mine = (back - z).square().mean() + in_diffusers, latents.vq_loss(net, z)[0]
    assert torch.allclose(mine, expected, rtol=1e-5)
    gradients = (torch.autograd.grad(loss, learned) for loss in (mine, expected))
    for ours, other in zip(*gradients, strict=True):
        assert torch.allclose(ours, other, atol=1e-6) and ours.abs().max() > 1e-4


def test_perplexity_counts_codes_that_are_used_alike():
    for used in (1, 4, 16):
        assert math.isclose(models.perplexity(torch.arange(64) % used, 16), used, rel_tol=1e-5)


def test_dead_codes_start_anew_where_vectors_are_and_others_stay():
    net = Tokeniser(width=8, blocks=1, codes=6, code_channels=4)
    net.use[:] = torch.tensor([1.0, 0.0, 5.0, 0.01, 1.0, 1.0])
    before, vectors = net.codebook.detach().clone(), torch.randn(9, 4, generator=dice())
    assert net.restart(vectors, dice()) == 2
    changed = (net.codebook != before).any(dim=1)
    assert changed.tolist() == [False, True, False, True, False, False]
    assert all((vectors == code).all(dim=1).any() for code in net.codebook[changed])
    assert net.restart(vectors, dice()) == 0


def test_a_short_training_collapses_and_one_with_restarts_does_not():
    z = torch.randn(64, 4, 8, 8, generator=dice()).cumsum(dim=3)
    z, in_use = z / z.std(), []
    for restarts in (0.0, 0.9):
        torch.manual_seed(0)
        net = Tokeniser(width=16, blocks=1, codes=64, code_channels=4)
        torch.nn.init.uniform_(net.codebook, -1 / 64, 1 / 64)
        fit = latents.train_tokeniser(net, lambda step: z[:16], 120, 1e-2, restarts=restarts)
        assert [done.step for done in fit][-1] == 119
        in_use.append(models.perplexity(net.encode(z), 64))
    assert in_use[1] > 2 * in_use[0], in_use


def test_wrong_codes_and_shapes_are_refused_in_a_sentence():
    net = Tokeniser(width=8, blocks=1, codes=6)
    with pytest.raises(ValueError, match="give a whole number from 0 to 5"):
        net.decode(torch.full((1, 8, 8), 6))
    with pytest.raises(ValueError, match="give a whole number from 0 to 5"):
        net.decode(torch.full((1, 8, 8), -1))
    with pytest.raises(ValueError, match="z"):
        net.encode(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="width is 40"):
        CodeWriter(width=40)


# --- the network that writes ---


def test_no_place_sees_its_own_code_or_a_later_one(writer):
    codes, context = torch.tensor([[0, 1, 2, 0]]), torch.randn(1, 5, 8, generator=dice())
    before = writer(codes, context)
    for place in range(4):
        changed = codes.clone()
        changed[0, place] = (changed[0, place] + 1) % 3
        after = writer(changed, context)
        assert torch.equal(before[:, : place + 1], after[:, : place + 1])
        assert place == 3 or not torch.allclose(before[:, place + 1], after[:, place + 1])


def test_the_probabilities_of_all_pictures_add_up_to_1(writer):
    every = torch.tensor([*itertools.product(range(3), repeat=4)])
    logits = writer(every, torch.randn(1, 5, 8, generator=dice()).expand(len(every), -1, -1))
    each = logits.log_softmax(dim=2).gather(2, every[:, :, None]).sum(dim=(1, 2))
    assert math.isclose(float(each.double().exp().sum()), 1, rel_tol=1e-5)


def test_one_step_after_another_says_what_the_whole_pass_says(writer):
    codes, context = torch.tensor([[0, 1, 2, 0], [2, 2, 1, 0]]), torch.randn(2, 5, 8)
    whole, cache, code = writer(codes, context), writer.begin(context), None
    for place in range(4):
        logits, cache = writer.step(code, cache)
        assert torch.allclose(logits, whole[:, place], atol=1e-5)
        code = codes[:, place]


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_with_and_without_the_cache_the_same_codes_are_written(pipe, scale):
    ways = (
        [*pipe.steps(SAID, guidance_scale=scale, generator=dice(), use_cache=use_cache)]
        for use_cache in (True, False)
    )
    for cached, anew in zip(*ways, strict=True):
        assert torch.equal(cached, anew)


def test_the_exercises_are_the_functions_of_the_package(pipe):
    theirs = {name: EXERCISES[name].function for name in ("quantise", "causal_mask", "write")}
    z, codebook = torch.randn(9, 4, generator=dice()), torch.randn(5, 4, generator=dice(1))
    mine = models.quantise(z, codebook)
    assert all(map(torch.equal, theirs["quantise"](z, codebook), mine))
    assert torch.equal(theirs["causal_mask"](7), models.causal_mask(7))
    ways = (
        write(pipe.step(SAID), 9, 0.8, 2.0, dice()) for write in (theirs["write"], pipeline.write)
    )
    assert torch.equal(*ways)


# --- the pipeline ---


def test_each_picture_has_its_own_dice(pipe):
    both = pipe(SAID, generator=[dice(3), dice(4)], output_type="pt").images
    alone = pipe(SAID[1], generator=dice(4), output_type="pt").images
    assert torch.allclose(both[1:], alone, atol=1e-5)
    assert not torch.allclose(pipe(SAID[1], generator=dice(5), output_type="pt").images, alone)


def test_cold_dice_take_the_likeliest_code():
    logits = torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 1.9]])
    assert draw_codes(logits, 0, [None]).tolist() == [1, 0]
    many = draw_codes(logits[1:].expand(4000, -1), 0.5, [dice()])
    shares = torch.bincount(many, minlength=3) / 4000
    assert torch.allclose(shares, (logits[1] / 0.5).softmax(dim=0), atol=0.03)


def test_all_its_parts_move_together_and_stay_in_float32(pipe):
    moved = PatchByPatch.from_pretrained().to("meta")
    for part in (moved.encoder, moved.writer, moved.tokeniser, moved.autoencoder):
        assert {weight.device.type for weight in part.parameters()} == {"meta"}
    with pytest.raises(TypeError, match="computes in float32"):
        pipe.to(torch.bfloat16)


def test_known_codes_stay_and_the_others_are_written(pipe):
    known = pipe.to_codes(postcards.draw(postcards.sample_scenes(1, 5)))
    hole = torch.zeros(64, dtype=torch.bool)
    hole[20:30] = True
    *_, codes = pipe.steps(SAID[0], generator=dice(), known=known.masked_fill(hole, -1))
    assert torch.equal(codes[0, ~hole], known[0, ~hole])
    assert not torch.equal(codes[0, hole], known[0, hole])


def test_what_is_not_written_yet_is_grey(pipe):
    codes = pipe.to_codes(postcards.draw(postcards.sample_scenes(1, 5)))
    half = pipe.to_pictures(codes[:, :28])  # three rows and a half
    assert (half[:, :, 24:32, 32:] == 0).all() and (half[:, :, 32:] == 0).all()
    assert (half[:, :, :24] != 0).any(1).float().mean() > 0.99
    assert (pipe.to_pictures(codes[:, :0]) == 0).all()


def test_the_likelihood_is_the_sum_over_the_places(pipe):
    codes = pipe.to_codes(postcards.draw(postcards.sample_scenes(2, 5)))
    step, total, cache, code = pipe.step(SAID, guided=False), 0.0, None, None
    for place in range(64):
        logits, _, cache = step(code, cache)
        code = codes[:, place]
        total = total + logits.log_softmax(dim=1).gather(1, code[:, None])[:, 0]
    assert torch.allclose(pipe.log_likelihood(codes, SAID), total, rtol=1e-4)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"temperature": -1}, ValueError, "temperature is -1"),
        ({"temperature": "hot"}, TypeError, "temperature"),
        ({"guidance_scale": 31}, ValueError, "guidance_scale is 31"),
        ({"generator": 7}, TypeError, "manual_seed\\(7\\)"),
        ({"generator": [dice(), dice()]}, ValueError, "generators"),
        ({"output_type": "np"}, ValueError, "output_type"),
        ({"num_images_per_prompt": 0}, ValueError, "num_images_per_prompt"),
        ({"prompt": "a red dragon"}, postcards.PromptError, "dragon"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(pipe, wrong, error, words):
    with pytest.raises(error, match=words):
        pipe(**{"prompt": SAID[0]} | wrong)


def test_the_live_trainings_of_the_lesson_are_the_shipped_ones_made_small():
    live, shipped = recipes.LIVE_WRITER, recipes.RECIPES["postcards-codes"]
    assert live.autoencoder == shipped.autoencoder and live.tokeniser == shipped.tokeniser
    assert live.pictures == recipes.LIVE_TOKENISER.pictures
    assert live.kinds == recipes.LIVE_TOKENISER.kinds and live.seed == recipes.LIVE_TOKENISER.seed
