"""Captions as numbers, captions left out, and guidance against the formula and `diffusers`."""

import hashlib

import pytest
import torch

from diffusion_lessons import conditioning, postcards, sampling, schedule
from diffusion_lessons.conditioning import LENGTH, WORDS, drop_captions, guide, guided, tokenise
from diffusion_lessons.models import TextUNet
from diffusion_lessons.postcards import VALUES, PromptError, UnknownWord
from diffusion_lessons.postcards.lexicon import MEANING_OF
from diffusion_lessons.prediction import as_denoiser


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def words_of(prompt):
    return [WORDS[number] for number in tokenise([prompt])[0] if number]


# --- words ---


def test_tokens_are_the_places_of_words_and_the_rest_is_nothing():
    tokens = tokenise(["a red house on snow at night", "a cat", ""])
    assert tokens.shape == (3, LENGTH) == (3, 32) and tokens.dtype == torch.int64
    assert words_of("a red house on snow at night")[:3] == ["a", "red", "house"]
    assert tokens[2].tolist() == [0] * 32 and tokens[1, 2:].tolist() == [0] * 30
    assert WORDS[0] == "" and len(set(WORDS)) == len(WORDS)


def test_case_and_punctuation_do_not_matter():
    one, two, three = tokenise(
        ["A RED house, at night!", "a red house at night", "  a “red” house at night."]
    )
    assert torch.equal(two, three)
    assert [n for n in one.tolist() if n] == [n for n in two.tolist() if n]


def test_captions_keep_every_word_that_means_something():
    """What the encoder reads of a caption still says all that the caption says."""
    for full in (True, False):
        scenes = postcards.sample_scenes(400, 17)
        written = postcards.described_captions(scenes, 17, full)
        tokens = tokenise([caption.text for caption in written])
        for (caption, description), row in zip(written, tokens, strict=True):
            kept = " ".join(WORDS[n] for n in row if n)
            for word in kept.split():
                assert word in WORDS
            meanings = {MEANING_OF[w] for w in kept.split() if w in MEANING_OF}
            parts = (
                (("sky", "ground"), description),
                *(
                    (("object", "colour", "size", "position"), thing)
                    for thing in description["things"]
                ),
            )
            for names, part in parts:
                for name in names:
                    assert part[name] is None or (name, part[name]) in meanings, caption


def test_captions_have_the_numbers_that_the_shipped_encoder_was_trained_on():
    """Half of them full; the same before prompts were read once, and from either function."""
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


@pytest.mark.parametrize(
    "prompt, same",
    [("a cabin", "a house"), ("two cabins", "two houses")],
)
def test_words_that_no_caption_uses_become_the_ones_they_use(prompt, same):
    assert set(prompt.split()) - set(WORDS), "captions use all of these words"
    assert torch.equal(*tokenise([prompt, same]))


def test_every_word_with_a_meaning_is_read_as_a_word_of_that_meaning():
    for word, (attribute, value) in MEANING_OF.items():
        prompt = word if attribute in ("sky", "ground", "object") else f"{word} house"
        if value is None:
            continue
        try:
            said = postcards.parse(prompt)
        except PromptError:
            continue  # a word that stands for nothing alone
        read = postcards.parse(" ".join(words_of(prompt)))
        if attribute in ("sky", "ground"):
            assert read[attribute] == said[attribute], word
        else:
            assert read["things"][0][attribute] == said["things"][0][attribute], word


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


def test_one_text_where_several_are_expected():
    with pytest.raises(TypeError, match=r"tokenise\(\[prompt\]\)"):
        tokenise("a house")


def test_targets_are_what_parse_says():
    prompts = ["a red house on snow at night", "two small cats", "", "a cat and a tree"]
    rows = conditioning.attribute_targets([postcards.parse(prompt) for prompt in prompts])
    columns = list(conditioning.ATTRIBUTES)

    def word(row, name, slot):
        number = int(rows[row, columns.index((name, slot))])
        return VALUES[name][number - 1] if number else None

    assert (word(0, "sky", None), word(0, "ground", None)) == ("night", "snow")
    assert [word(0, n, 0) for n in ("object", "colour", "size", "count")] == [
        "house",
        "red",
        None,
        "one",
    ]
    assert (word(1, "count", 0), word(1, "size", 0), word(1, "sky", None)) == ("two", "small", None)
    assert rows[2].tolist() == [0] * len(columns)
    assert (word(3, "object", 0), word(3, "object", 1)) == ("cat", "tree")
    answers = conditioning.attribute_classes()
    counts = answers["scene"] + 2 * answers["thing"]
    assert len(counts) == len(columns)
    assert all(0 <= rows[:, i].max() < n for i, n in enumerate(counts))


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


def test_the_share_that_is_left_out_and_that_a_caption_is_left_out_whole():
    context, null = random(4000, 3, 2), random(1, 3, 2, seed=1)
    kept = drop_captions(context, null, 0.15, torch.Generator().manual_seed(0))
    out = (kept == null).flatten(1).all(1)
    same = (kept == context).flatten(1).all(1)
    assert bool((out ^ same).all()) and out.float().mean() == pytest.approx(0.15, abs=0.02)


@pytest.mark.parametrize("p_uncond, left", [(0.0, 0), (1.0, 50)])
def test_none_and_all_are_left_out(p_uncond, left):
    context, null = random(50, 3, 2), random(1, 3, 2, seed=1)
    kept = drop_captions(context, null, p_uncond, torch.Generator().manual_seed(0))
    assert int((kept == null).flatten(1).all(1).sum()) == left


@pytest.mark.parametrize("p_uncond", [-0.1, 1.1, 10, float("nan")])
def test_a_chance_that_is_none(p_uncond):
    context, null = random(2, 3, 2), random(1, 3, 2, seed=1)
    with pytest.raises(ValueError, match="p_uncond is .*: give a number from 0 to 1"):
        drop_captions(context, null, p_uncond, torch.Generator())


def test_dropping_is_settled_by_its_generator_and_changes_a_copy():
    context, null = random(50, 3, 2), random(1, 3, 2, seed=1)
    before = context.clone()
    first, again, other = (
        drop_captions(context, null, 0.5, torch.Generator().manual_seed(s)) for s in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(context, before)


# --- guidance ---


@pytest.mark.parametrize("scale", [0, 0.5, 1, 1.5, 3, 7.5])
def test_guide_is_the_line_of_diffusers_and_the_paper(scale):
    without, text = random(2, 4, 8, 8), random(2, 4, 8, 8, seed=1)
    # diffusers: noise_pred_uncond + guidance_scale * (noise_pred_text - noise_pred_uncond)
    assert torch.equal(guide(without, text, scale), without + scale * (text - without))
    w = scale - 1  # Ho & Salimans 2021, equation 6
    assert torch.allclose(guide(without, text, scale), (1 + w) * text - w * without, atol=1e-5)


def test_scale_0_is_without_and_1_is_with():
    without, text = random(5), random(5, seed=1)
    assert torch.equal(guide(without, text, 0), without)
    assert torch.allclose(guide(without, text, 1), text)
    assert torch.allclose(guide(text, text, 9), text)


class Asked:
    """Stands in for the network: answers with what it was told, and counts."""

    def __init__(self):
        self.calls = []

    def __call__(self, x_t, t, context):
        self.calls.append((x_t.shape[0], float(t[0])))
        return context.mean((1, 2))[:, None, None, None] + 0 * x_t


def asked(scale, t=0.5, interval=(0.0, 1.0), kind="eps", null=None):
    """The stand-in and what the guided denoiser said: captions say 3, nothing said says 1."""
    model, x_t = Asked(), torch.zeros(2, 4, 8, 8)
    null = torch.ones(1, 5, 6) if null is None else null
    denoiser = guided(
        model, schedule.cosine, kind, torch.full((2, 5, 6), 3.0), null, scale, interval
    )
    return model, denoiser(x_t, torch.full((2,), t))


@pytest.mark.parametrize(
    "scale, batch, eps", [(0, 2, 1), (1, 2, 3), (2, 4, 5), (0.5, 4, 2), (7.5, 4, 16)]
)
def test_the_network_is_asked_once_in_all(scale, batch, eps):
    """At 0 and 1 for one answer, else for both in one batch."""
    model, said = asked(scale)
    assert model.calls == [(batch, 0.5)]
    assert said.eps.unique().tolist() == [eps]


@pytest.mark.parametrize(
    "t, guides", [(0.1, False), (0.3, True), (0.5, True), (0.7, True), (0.71, False), (1.0, False)]
)
def test_outside_the_interval_the_caption_is_followed_and_no_more(t, guides):
    model, said = asked(5.0, t, interval=(0.3, 0.7))
    assert said.eps.mean() == pytest.approx(11 if guides else 3)
    assert model.calls[0][0] == (4 if guides else 2)


def test_scale_0_holds_inside_the_interval_only():
    assert asked(0, 0.5, (0.4, 0.6))[1].eps.mean() == 1
    assert asked(0, 0.2, (0.4, 0.6))[1].eps.mean() == 3


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


@pytest.mark.parametrize(
    "scale, error, message",
    [
        ("high", TypeError, "guidance_scale is 'high': give a number"),
        (None, TypeError, "give a number"),
        (True, TypeError, "give a number"),
        (-1, ValueError, "guidance_scale is -1: give a number from 0 to 30"),
        (31, ValueError, "to 30"),
        (float("nan"), ValueError, "guidance_scale is nan"),
        (float("inf"), ValueError, "guidance_scale is inf"),
    ],
)
def test_scales_that_are_none(scale, error, message):
    with pytest.raises(error, match=message):
        asked(scale)


@pytest.mark.parametrize("interval", [(0.7, 0.3), (-0.1, 0.5), (0.5, 1.1), (float("nan"), 1.0)])
def test_intervals_that_are_none(interval):
    with pytest.raises(ValueError, match="give two times, 0 <= low <= high <= 1"):
        asked(2.0, interval=interval)


# --- attention maps ---


def test_attention_maps_are_shares_one_for_each_layer_and_leave_no_trace():
    torch.manual_seed(0)
    model = TextUNet(widths=(32, 64), blocks=(2, 1), context_channels=24).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    x_t, t, context = random(3, 4, 8, 8), torch.full((3,), 0.5), random(3, 7, 24)
    before = model(x_t, t, context)
    maps = conditioning.attention_maps(model, x_t, t, context)
    assert [tuple(m.shape) for m in maps] == [(3, 8, 8, 7)] * 2 + [(3, 4, 4, 7)] + [
        (3, 8, 8, 7)
    ] * 2
    for one in maps:
        assert torch.allclose(one.sum(-1), torch.ones(one.shape[:3]), atol=1e-5)
    assert torch.equal(model(x_t, t, context), before)
    assert not any(m._forward_hooks for m in model.modules())


def test_attention_maps_clean_up_after_a_misfit():
    model = TextUNet(widths=(32, 32), blocks=(1, 1), context_channels=24)
    with pytest.raises(ValueError, match="context has shape"):
        conditioning.attention_maps(model, random(1, 4, 8, 8), torch.zeros(1), random(1, 7, 5))
    assert not any(m._forward_hooks for m in model.modules())
