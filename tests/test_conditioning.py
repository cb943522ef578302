"""Captions as numbers, captions left out, and guidance against the formula and `diffusers`."""

import hashlib

import pytest
import torch

from diffusion_lessons import conditioning, postcards, sampling, schedule
from diffusion_lessons.checks import EXERCISES
from diffusion_lessons.conditioning import LENGTH, WORDS, drop_captions, guide, guided, tokenise
from diffusion_lessons.models import ResBlock, TextUNet
from diffusion_lessons.postcards import VALUES, PromptError, UnknownWord
from diffusion_lessons.postcards.lexicon import MEANING_OF
from diffusion_lessons.prediction import as_denoiser


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def words_of(prompt):
    return [WORDS[number] for number in tokenise([prompt])[0] if number]


# --- words ---


def test_tokens_are_the_places_of_words_whatever_the_case_and_the_signs_and_the_rest_is_nothing():
    tokens = tokenise(["a red house at night", "a cat", "", "  A “RED” house, at night!"])
    assert tokens.shape == (4, LENGTH) == (4, 32) and tokens.dtype == torch.int64
    assert words_of("a red house on snow at night")[:3] == ["a", "red", "house"]
    assert tokens[2].tolist() == [0] * 32 and tokens[1, 2:].tolist() == [0] * 30
    assert WORDS[0] == "" and len(set(WORDS)) == len(WORDS)
    assert torch.equal(tokens[0], tokens[3])


@pytest.mark.parametrize("full", [True, False])
def test_captions_keep_every_word_that_means_something(full):
    """What the encoder reads of a caption still says all that the caption says."""
    written = postcards.described_captions(postcards.sample_scenes(400, 17), 17, full)
    tokens = tokenise([caption.text for caption in written])
    for (caption, description), row in zip(written, tokens, strict=True):
        meanings = {MEANING_OF[WORDS[n]] for n in row if WORDS[n] in MEANING_OF}
        for part in (description, *description["things"]):
            said = {(name, part[name]) for name in part.keys() - {"things", "count"} if part[name]}
            assert said <= meanings, caption


def test_captions_have_the_numbers_that_the_shipped_encoder_was_trained_on():
    """Half of them full; the same from either function."""
    scenes = postcards.sample_scenes(600, 31)
    written = [text for full in (True, False) for text in postcards.captions(scenes, 31, full)]
    tokens = tokenise(written)
    assert torch.equal(tokens, conditioning.word_numbers(written))
    digest = hashlib.sha256(tokens.to(torch.int16).numpy().tobytes()).hexdigest()
    assert digest == "ed78b261f15e46d59b75538fee83c447a3906117c1c348633a2cdec999c7c840"


def test_the_longest_captions_fit():
    scenes = postcards.sample_scenes(3000, 23, kind="pair")
    tokens = conditioning.word_numbers(postcards.captions(scenes, 23, full=True))
    assert (tokens > 0).sum(1).max() < LENGTH


@pytest.mark.parametrize(("prompt", "same"), [("a cabin", "a house"), ("two cabins", "two houses")])
def test_words_that_no_caption_uses_become_the_ones_they_use(prompt, same):
    assert set(prompt.split()) - set(WORDS), "captions use all of these words"
    assert torch.equal(*tokenise([prompt, same]))


def test_every_word_with_a_meaning_is_read_as_a_word_of_that_meaning():
    for word in MEANING_OF:
        assert postcards.parse(" ".join(words_of(word))) == postcards.parse(word), word


@pytest.mark.parametrize(
    "prompt, error, message",
    [
        ("a red dragon", UnknownWord, "dragon"),
        ("a huose", UnknownWord, "did you mean 'house'"),
        ("no house", PromptError, "negation"),
        ("a red blue house", PromptError, "both said for the colour"),
        ("a house " * 1250, PromptError, "10,000 characters and at most 1,000"),
        ("<script>alert(1)</script>", UnknownWord, "script"),
        ("the " * 40 + "house", PromptError, "41 words that count, and at most 32"),
        (5, TypeError, "was given int"),
        (None, TypeError, "was given NoneType"),
    ],
)
def test_prompts_that_cannot_be_read(prompt, error, message):
    with pytest.raises(error, match=message):
        tokenise(["a house", prompt])
    with pytest.raises(TypeError, match=r"tokenise\(\[prompt\]\)"):
        tokenise("a house")


def test_targets_are_what_parse_says():
    prompts = ["a red house on snow at night", "two small cats", "", "a cat and a tree"]
    rows = conditioning.attribute_targets([postcards.parse(prompt) for prompt in prompts])
    columns, answers = conditioning.ATTRIBUTES, conditioning.attribute_classes()
    assert rows.shape == (4, 12) and rows.dtype == torch.int64
    found = [set(), set(), set(), set()]
    for row, column in rows.nonzero().tolist():
        name, slot = columns[column]
        found[row].add((VALUES[name][rows[row, column] - 1], slot))
    house = {("night", None), ("snow", None), ("house", 0), ("red", 0), ("one", 0)}
    cats, none = {("two", 0), ("small", 0), ("cat", 0)}, set()
    assert found == [house, cats, none, {("cat", 0), ("one", 0), ("tree", 1), ("one", 1)}]
    counts = answers["scene"] + 2 * answers["thing"]
    assert len(counts) == len(columns) and (rows < torch.tensor(counts)).all()


def test_a_noun_place_holds_the_word_that_names_the_thing():
    scenes = postcards.sample_scenes(200, 24)
    said = [*postcards.captions(scenes, 24), "", "at night", "a kitten beside two cacti"]
    tokens = conditioning.word_numbers(said)
    places = conditioning.noun_places(tokens)
    assert places.shape == (203, 2) and places.dtype == torch.int64
    for caption, row, at in zip(said, tokens, places.tolist(), strict=True):
        named = [MEANING_OF[WORDS[row[place]]] for place in at if place >= 0]
        assert named == [("object", one["object"]) for one in postcards.parse(caption)["things"]]
    assert places[-3:].tolist() == [[-1, -1], [-1, -1], [1, 4]]


# --- leaving captions out ---

CONTEXT, NULL = random(4000, 3, 2), random(1, 3, 2, seed=1)


def dropped(p_uncond, seed=0):
    dice = torch.rand(len(CONTEXT), generator=torch.Generator().manual_seed(seed))
    return drop_captions(CONTEXT, NULL, p_uncond, dice)


@pytest.mark.parametrize(("p_uncond", "near"), [(0.0, 0), (0.15, 0.02), (1.0, 0)])
def test_the_share_that_is_left_out_and_that_a_caption_is_left_out_whole(p_uncond, near):
    before = CONTEXT.clone()
    kept = dropped(p_uncond)
    out, same = ((kept == whole).flatten(1).all(1) for whole in (NULL, CONTEXT))
    assert bool((out ^ same).all()) and out.float().mean() == pytest.approx(p_uncond, abs=near)
    assert torch.equal(kept, dropped(p_uncond)) and torch.equal(CONTEXT, before)
    assert torch.equal(kept, dropped(p_uncond, seed=1)) == (near == 0)


@pytest.mark.parametrize("p_uncond", [-0.1, 1.1, 10, float("nan")])
def test_a_chance_that_is_none(p_uncond):
    with pytest.raises(ValueError, match="p_uncond is .*: give a number from 0 to 1"):
        dropped(p_uncond)


# --- guidance ---


@pytest.mark.parametrize("scale", [0, 0.5, 1, 1.5, 3, 7.5])
def test_guide_is_the_line_of_diffusers_and_the_paper(scale):
    without, text = random(2, 4, 8, 8), random(2, 4, 8, 8, seed=1)
    # diffusers: noise_pred_uncond + guidance_scale * (noise_pred_text - noise_pred_uncond)
    assert torch.equal(guide(without, text, scale), without + scale * (text - without))
    w = scale - 1  # Ho & Salimans 2021, equation 6
    assert torch.allclose(guide(without, text, scale), (1 + w) * text - w * without, atol=1e-5)


class Asked:
    """Stands in for the network: answers with what it was told, and counts."""

    def __init__(self):
        self.calls = []

    def __call__(self, x_t, t, context):
        self.calls.append((x_t.shape[0], float(t[0])))
        return context.mean((1, 2))[:, None, None, None] + 0 * x_t


WHOLE = (0.0, 1.0)


def asked(scale, t=0.5, interval=WHOLE, kind="eps", null=None):
    """The stand-in and what the guided denoiser said: captions say 3, nothing said says 1."""
    model, context = Asked(), torch.full((2, 5, 6), 3.0)
    null = torch.ones(1, 5, 6) if null is None else null
    denoiser = guided(model, schedule.cosine, kind, context, null, scale, interval)
    return model, denoiser(torch.zeros(2, 4, 8, 8), torch.full((2,), t))


@pytest.mark.parametrize(
    ("scale", "interval", "t", "batch", "eps"),
    [
        (0, WHOLE, 0.5, 2, 1), (1, WHOLE, 0.5, 2, 3), (2, WHOLE, 0.5, 4, 5),
        (0.5, WHOLE, 0.5, 4, 2), (7.5, WHOLE, 0.5, 4, 16),
        *((5.0, (0.3, 0.7), t, 4, 11) for t in (0.3, 0.5, 0.7)),
        *((5.0, (0.3, 0.7), t, 2, 3) for t in (0.1, 0.71, 1.0)),
        (0, (0.4, 0.6), 0.5, 2, 1), (0, (0.4, 0.6), 0.2, 2, 3),
    ],
)  # fmt: skip
def test_the_network_is_asked_once_in_all_and_outside_the_interval_follows_the_caption(
    scale, interval, t, batch, eps
):
    """At 0 and 1 for one answer, else for both in one batch."""
    model, said = asked(scale, t, interval)
    assert model.calls == [(batch, pytest.approx(t))]
    assert said.eps.unique().tolist() == [eps]


@pytest.mark.parametrize("kind", ["eps", "x_0", "v", "velocity"])
def test_guiding_any_kind_is_guiding_both_guesses(kind):
    """x_0 and eps of the guided answer are the guided x_0 and eps: all kinds are linear."""
    model, context, null = Asked(), torch.full((2, 5, 6), 0.6), torch.full((1, 5, 6), -0.2)
    x_t, t = random(2, 4, 8, 8), torch.full((2,), 0.4)
    said = guided(model, schedule.cosine, kind, context, null, 2.5)(x_t, t)

    def plain(told):
        told = told.expand_as(context)
        return as_denoiser(lambda x, t: model(x, t, told), schedule.cosine, kind)(x_t, t)

    for part in ("x_0", "eps"):
        expected = guide(getattr(plain(null), part), getattr(plain(context), part), 2.5)
        assert torch.allclose(getattr(said, part), expected, atol=1e-5), part


def test_a_negative_prompt_for_each_picture():
    null = torch.stack([torch.zeros(5, 6), torch.full((5, 6), 2.0)])
    assert asked(2.0, null=null)[1].eps.mean((1, 2, 3)).tolist() == [6, 4]


def test_guiding_a_real_network_is_two_answers_and_the_formula():
    torch.manual_seed(0)
    model = TextUNet(widths=(32, 32), blocks=(1, 1), context_channels=24)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.1)
    x_t, t = random(3, 4, 8, 8), torch.full((3,), 0.6)
    context, null = random(3, 5, 24, seed=1), random(1, 5, 24, seed=2)
    with torch.no_grad():
        said = guided(model, schedule.cosine, "v", context, null, 4.0)(x_t, t)
        by_hand = guide(model(x_t, t, null.expand(3, -1, -1)), model(x_t, t, context), 4.0)
    expected = as_denoiser(lambda x, t: by_hand, schedule.cosine, "v")(x_t, t)
    assert torch.allclose(said.x_0, expected.x_0, atol=1e-4)


def test_a_constant_network_paints_what_it_says():
    """Captions say 3 as the clean guess, nothing said 1: guided at 2 the walk ends at 5."""
    denoiser = guided(
        Asked(), schedule.cosine, "x_0", torch.full((2, 5, 6), 3.0), torch.ones(1, 5, 6), 2.0
    )
    walk = sampling.dpm_solver(denoiser, schedule.cosine, random(2, 4, 8, 8), sampling.times(8))
    assert torch.allclose(sampling.finish(walk), torch.full((2, 4, 8, 8), 5.0), atol=1e-4)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (("high",), TypeError, "guidance_scale is 'high': give a number"),
        *(((scale,), TypeError, "give a number") for scale in (None, True)),
        ((-1,), ValueError, "guidance_scale is -1: give a number from 0 to 30"),
        ((31,), ValueError, "to 30"),
        *(((scale,), ValueError, f"guidance_scale is {scale}") for scale in (NAN, INF)),
        *(
            ((2.0, 0.5, interval), ValueError, "give two times, 0 <= low <= high <= 1")
            for interval in ((0.7, 0.3), (-0.1, 0.5), (0.5, 1.1), (NAN, 1.0))
        ),
    ],
)
def test_scales_and_intervals_that_are_none(given, error, message):
    with pytest.raises(error, match=message):
        asked(*given)


# --- a function in the place of cross-attention ---


def test_the_solution_in_every_cross_attention_answers_as_the_network_and_its_weights_are_shares():
    torch.manual_seed(0)
    model = TextUNet(widths=(32, 64), blocks=(2, 1), context_channels=24).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    asked, attention = (random(3, 4, 8, 8), torch.full((3,), 0.5), random(3, 7, 24)), []

    def ask(places, words, to_q, to_k, to_v):
        solution = EXERCISES["cross_attention"].function
        attention.append(solution(places, words, to_q, to_k, lambda words: torch.eye(len(words))))
        return solution(places, words, to_q, to_k, to_v)

    before = model(*asked)
    assert torch.allclose(conditioning.with_attention(model, ask)(*asked), before, atol=1e-4)
    large, small = 3 * [(64, 7)], 3 * 2 * [(16, 7)]  # for 3 pictures, and each head
    assert [m.shape for m in attention] == [*large, *large, *small, *large, *large]
    for one in attention:
        assert one.min() > 0 and torch.allclose(one.sum(-1), torch.ones(len(one)), atol=1e-5)
    deaf = conditioning.with_attention(model, lambda places, *_: torch.zeros(len(places), 32))
    solution = EXERCISES["res_block"].function
    blocks = conditioning.with_forward(model, ResBlock, solution)
    blind = conditioning.with_forward(model, ResBlock, lambda block, x, emb: x)
    assert torch.allclose(blocks(*asked), before, atol=1e-4)
    assert not any(torch.allclose(one(*asked), before, atol=1e-2) for one in (deaf, blind))
    assert torch.equal(model(*asked), before), "the network itself is as it was"
