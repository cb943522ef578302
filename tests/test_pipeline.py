"""Text to image: called as a `diffusers` pipeline is, the same seed the same picture, refusals.

With small untrained networks: what is tested is how the parts are put together.
"""

import inspect

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lessons import conditioning, models, pictures, sampling, schedule
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards import VALUES, PromptError, UnknownWord
from diffusion_lessons.prediction import as_denoiser
from diffusion_lessons.scoring import recognition
from tests.claims import tables
from tests.small_pipe import CARD, normal, seeded, small_pipe

HOUSE, CAT = "a red house on snow at night", "a small cat"
START = normal(1, 4, 8, 8)


@pytest.fixture
def pipe():
    return small_pipe(scaling_factor=0.5)


def drawn(pipe, prompt=HOUSE, seed=0, **chosen):
    return pipe(prompt, **({"generator": seeded(seed), "output_type": "pt"} | chosen)).images


def calls_of(pipe):
    """What the network is asked from now on: a list of batches of latents."""
    calls = []
    pipe.unet.register_forward_hook(lambda layer, inputs, out: calls.append(inputs[0].clone()))
    return calls


def close(images, others, apart=1e-4):
    return torch.allclose(images, others, atol=apart)


# --- what comes out ---


def test_pt_is_float_in_0_1_and_pil_the_same_as_pictures(pipe):
    images = drawn(pipe, [HOUSE, CAT])
    assert images.shape == (2, 3, 64, 64) and images.dtype == torch.float32
    assert images.min() >= 0 and images.max() <= 1 and images.std() > 0
    found = pipe([HOUSE, CAT], generator=seeded(0)).images
    assert isinstance(found, list) and all(isinstance(image, Image.Image) for image in found)
    assert [(image.size, image.mode) for image in found] == [((64, 64), "RGB")] * 2
    for image, pixels in zip(found, pictures.to_uint8(images * 2 - 1), strict=True):
        assert image.tobytes() == pixels.tobytes()


def test_its_arguments_are_named_and_ordered_as_the_course_promises():
    assert list(inspect.signature(TextToImage.__call__).parameters)[1:] == [
        "prompt", "negative_prompt", "num_inference_steps", "guidance_scale",
        "num_images_per_prompt", "generator", "output_type", "callback_on_step_end",
        "image", "strength", "mask_image", "jump_n_sample", "ip_adapter_image",
        "control_image", "controlnet_conditioning_scale",
    ]  # fmt: skip


def test_its_pictures_are_as_large_as_the_card_makes_the_latents():
    small = small_pipe(sample_size=4)
    assert small.noise(2, seeded(0)).shape == small.noise(2, [seeded(0)] * 2).shape == (2, 4, 4, 4)
    assert drawn(small).shape == (1, 3, 32, 32)
    with pytest.raises(ValueError, match=r"give \(1, 4, h, w\)"):
        small.steps(HOUSE, latents=torch.zeros(2, 4, 4, 4))


def test_an_empty_prompt_leaves_all_open(pipe):
    assert drawn(pipe, "").shape == (1, 3, 64, 64)
    assert torch.equal(pipe.encode_prompt([""]), pipe.null_context)


# --- seeds ---


def test_the_same_seed_draws_the_same_picture_and_another_seed_another(pipe):
    state = torch.get_rng_state()
    first = drawn(pipe)
    for prompt in (HOUSE, [HOUSE], (HOUSE,)):
        assert torch.equal(first, drawn(pipe, prompt))
    assert not close(first, drawn(pipe, seed=1), 1e-3)
    assert not close(first, drawn(pipe, CAT), 1e-3), "the words matter"
    assert torch.equal(torch.get_rng_state(), state), "torch's own generator is left alone"


def test_a_generator_continues_from_call_to_call_and_without_it_does_torch_s_own(pipe):
    dice = seeded(0)
    first, second = (drawn(pipe, generator=dice) for _ in range(2))
    assert torch.equal(first, drawn(pipe)) and not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(first, drawn(pipe, generator=None))
    assert torch.equal(second, drawn(pipe, generator=None))


# --- several pictures ---


def test_pictures_of_a_prompt_stand_side_by_side_each_as_its_generator_alone_draws_it(pipe):
    """As in diffusers: all of the first prompt, then all of the second."""
    for seeds in ((3,), (1, 2)):
        dice = [seeded(seed) for _ in (HOUSE, CAT) for seed in seeds]
        found = drawn(pipe, [HOUSE, CAT], num_images_per_prompt=len(seeds), generator=dice)
        alone = [drawn(pipe, prompt, seed) for prompt in (HOUSE, CAT) for seed in seeds]
        assert close(found, torch.cat(alone))


def test_negative_prompts_stay_with_their_prompt(pipe):
    dice, negative = [seeded(1) for _ in range(4)], ["a tree", "a boat"]
    four = drawn(pipe, [HOUSE, CAT], negative_prompt=negative, num_images_per_prompt=2,
                 generator=dice)  # fmt: skip
    house = drawn(pipe, HOUSE, 1, negative_prompt="a tree")
    cat = drawn(pipe, CAT, 1, negative_prompt="a boat")
    assert close(four, torch.cat([house, house, cat, cat]))


@pytest.mark.parametrize("each", [1, 2])
def test_one_negative_prompt_serves_all(pipe, each):
    wanted = drawn(pipe, [HOUSE, CAT], negative_prompt=["a tree"] * 2, num_images_per_prompt=each)
    for negative in ("a tree", ["a tree"], ("a tree",)):
        found = drawn(pipe, [HOUSE, CAT], negative_prompt=negative, num_images_per_prompt=each)
        assert close(found, wanted, 1e-5)


# --- steps and guidance ---


@pytest.mark.parametrize("scale, batch", [(0, 1), (1, 1), (1.0, 1), (2, 2), (0.5, 2)])
@pytest.mark.parametrize("steps", [1, 4])
def test_the_network_is_asked_once_a_step_and_twice_only_for_guidance(pipe, scale, batch, steps):
    calls = calls_of(pipe)
    drawn(pipe, num_inference_steps=steps, guidance_scale=scale)
    assert list(map(len, calls)) == [batch] * steps


def test_an_interval_is_guidance_for_some_steps_only(pipe):
    calls = calls_of(pipe)
    list(pipe.steps(HOUSE, num_inference_steps=10, guidance_scale=3, interval=(0.25, 0.65)))
    assert list(map(len, calls)) == [1] * 4 + [2] * 4 + [1] * 2


def test_what_is_not_chosen_is_the_card_s(pipe):
    calls = calls_of(pipe)
    images = drawn(pipe)
    assert list(map(len, calls)) == [2] * CARD["num_inference_steps"]
    assert torch.equal(images, drawn(pipe, num_inference_steps=3, guidance_scale=2.5))


@pytest.mark.parametrize(
    "first, second, same",
    [
        ({"guidance_scale": 0}, {"guidance_scale": 0, "prompt": CAT}, True),
        ({"guidance_scale": 1}, {"guidance_scale": 1, "negative_prompt": CAT}, True),
        ({"guidance_scale": 5, "prompt": ""}, {"guidance_scale": 0}, True),
        ({}, {"negative_prompt": ""}, True),
        ({}, {"negative_prompt": "a tree"}, False),
    ],
)
def test_scale_0_ignores_the_prompt_and_scale_1_the_negative_one(pipe, first, second, same):
    assert close(drawn(pipe, **first), drawn(pipe, **second), 1e-5) == same


def test_the_walk_is_that_of_the_parts_by_hand(pipe):
    """Tokens, context, noise, guided DPM-Solver++ steps, scaling, decoding: nothing else."""
    context = pipe.encoder(conditioning.tokenise([HOUSE]))
    nothing = pipe.encoder(torch.zeros(1, conditioning.LENGTH, dtype=torch.int64))

    def answer(x_t, t):
        without, with_caption = pipe.unet(x_t, t, nothing), pipe.unet(x_t, t, context)
        return without + 2.5 * (with_caption - without)

    denoiser = as_denoiser(answer, schedule.cosine, "v")
    x_0 = sampling.finish(sampling.dpm_solver(denoiser, schedule.cosine, START, sampling.times(3)))
    expected = pipe.autoencoder.decode(x_0 / 0.5).clamp(-1, 1)
    assert torch.equal(pipe.decode(x_0), expected)
    assert close(drawn(pipe), (expected + 1) / 2)


def test_the_card_names_the_sampler():
    flow = small_pipe(schedule="flow", kind="velocity", sampler="euler")
    context = flow.encode_prompt([HOUSE])
    denoiser = as_denoiser(lambda x_t, t: flow.unet(x_t, t, context), schedule.flow, "velocity")
    found = sampling.finish(flow.steps(HOUSE, None, 8, 1.0, latents=START))
    for walk, same in ((sampling.euler, True), (sampling.dpm_solver, False)):
        by_hand = sampling.finish(walk(denoiser, schedule.flow, START, sampling.times(8)))
        assert close(found, by_hand) == same, walk.__name__


# --- looking on ---


def test_steps_can_be_watched_and_end_in_the_picture_of_the_call(pipe):
    chosen = {"num_inference_steps": 5, "guidance_scale": 2}
    walk = list(pipe.steps(HOUSE, **chosen, latents=START.clone()))
    assert len(walk) == 5 and (walk[0].t, walk[-1].t_next) == (1.0, 0.0)
    assert torch.equal(walk[0].x_t, START) and torch.equal(pipe.noise(1, seeded(0)), START)
    assert close((pipe.decode(walk[-1].x_next) + 1) / 2, drawn(pipe, **chosen), 1e-6)
    for _ in range(2):
        assert torch.equal(next(pipe.steps(HOUSE)).x_t, START), "without latents: seed 0"


def test_a_callback_sees_every_step(pipe):
    seen = []

    def look(asked, step, t, kept):
        seen.append((asked is pipe, step, t, kept["latents"].clone()))
        return kept

    images, walk = drawn(pipe, callback_on_step_end=look), list(pipe.steps(HOUSE))
    assert [call[:3] for call in seen] == [(True, n, step.t) for n, step in enumerate(walk)]
    for (*_, latents), step in zip(seen, walk, strict=True):
        assert close(latents, step.x_next, 1e-6)
    assert torch.equal(images, drawn(pipe)), "who only looks changes nothing"
    assert torch.equal(images, drawn(pipe, callback_on_step_end=lambda *seen: None))


def test_a_callback_may_end_the_walk_as_in_diffusers(pipe):
    called = []

    def stop(pipe, number, t, tensors):
        called.append(number)
        pipe._interrupt = number == 1

    images, walk = drawn(pipe, callback_on_step_end=stop), list(pipe.steps(HOUSE))
    assert called == [0, 1] and len(walk) > 2
    assert torch.equal(images, (pipe.decode(walk[1].x_next) + 1) / 2)
    assert torch.equal(drawn(pipe), (pipe.decode(walk[-1].x_next) + 1) / 2)  # it is forgotten


def test_a_callback_may_want_gradients(pipe):
    plain = drawn(pipe)
    wanting = drawn(
        pipe, callback_on_step_end=lambda *seen: {"latents": seen[3]["latents"].requires_grad_()}
    )
    assert torch.equal(wanting, plain) and not wanting.requires_grad


def test_another_precision_is_refused_and_another_default_changes_nothing():
    shipped = TextToImage.from_pretrained()
    for wrong in ((torch.float16,), ("cpu", torch.float16), (torch.float64,)):
        with pytest.raises(TypeError, match="computes in float32"):
            shipped.to(*wrong)
    dice = torch.Generator().manual_seed(3)
    usual = shipped.to("cpu", torch.float32)("a red house", generator=dice, output_type="pt").images
    torch.set_default_dtype(torch.float64)
    try:
        other = TextToImage.from_pretrained()
        found = other("a red house", generator=dice.manual_seed(3), output_type="pt").images
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.allclose(found, usual, atol=0.02)


def test_a_callback_may_change_the_latents(pipe):
    def restart(asked, step, t, kept):
        return {"latents": torch.zeros_like(kept["latents"]) if step == 2 else kept["latents"]}

    def nudge(asked, step, t, kept):
        kept["latents"] = kept["latents"] + 0.1
        return kept

    images = drawn(pipe, callback_on_step_end=restart)
    assert close(images, (pipe.decode(torch.zeros(1, 4, 8, 8)) + 1) / 2, 1e-6)
    first, calls = next(pipe.steps(HOUSE)).x_next + 0.1, calls_of(pipe)
    drawn(pipe, callback_on_step_end=nudge)
    assert close(calls[1][:1], first, 1e-6), "the next step starts from what it was given"


def test_pictures_and_steps_can_be_used_like_any_tensor(pipe):
    """No gradient gets out, and no tensor of inference mode, which could not be changed."""
    for part in (pipe.unet, pipe.encoder, pipe.autoencoder):
        part.requires_grad_(True)
    *_, last = pipe.steps(HOUSE)
    results = drawn(pipe), last.x_next, pipe.decode(last.x_next), pipe.encode_prompt([CAT])
    for found in results:
        assert not found.requires_grad
        with torch.no_grad():
            found.add_(1)
        (found * torch.ones(1, requires_grad=True)).sum().backward()


# --- what is refused, before anything is computed ---


ERRORS = {kind.__name__: kind for kind in (UnknownWord, TypeError, ValueError)}
REFUSED = [
    *((chosen, ERRORS[name], message)
      for name, rows in tables(__file__)["refused"].items() for chosen, message in rows),
    ({"prompt": "x" * 10_000}, PromptError, "10,000 characters"),
    ({"guidance_scale": float("nan")}, ValueError, "guidance_scale is nan"),
    ({"generator": [seeded(0), seeded(1)]}, ValueError, "2 generators for 1 picture:"),
]  # fmt: skip


@pytest.mark.parametrize("chosen, error, message", REFUSED)
def test_what_does_not_fit_is_refused_in_a_sentence(pipe, chosen, error, message):
    calls = calls_of(pipe)
    with pytest.raises(error, match=message):
        pipe(**({"prompt": HOUSE} | chosen))
    assert calls == []


@pytest.mark.parametrize("shape", [(2, 4, 8, 8), (4, 8, 8), (1, 3, 64, 64)])
def test_noise_that_does_not_fit_is_refused_before_the_first_step(pipe, shape):
    with pytest.raises(ValueError, match="latents"):
        pipe.steps(HOUSE, latents=torch.zeros(shape))


@pytest.mark.parametrize("number", [np.int64(2), np.int32(2), np.uint8(2)])
def test_whole_numbers_and_scales_may_be_numpy_s(pipe, number):
    plain = drawn(pipe, num_inference_steps=2, num_images_per_prompt=2, guidance_scale=2)
    for scale in (number, np.float64(2), np.float32(2)):
        chosen = dict.fromkeys(("num_inference_steps", "num_images_per_prompt"), number)
        assert torch.equal(drawn(pipe, guidance_scale=scale, **chosen), plain)


# --- weights ---


def test_a_model_that_is_none_is_refused_by_name():
    with pytest.raises(
        ValueError, match="'postcards-32' is no TextUNet or Transformer but.*'postcards'"
    ):
        TextToImage.from_pretrained("postcards-32")
    with pytest.raises(ValueError, match="there are no weights 'postcard'. Choose 'postcards'"):
        TextToImage.from_pretrained("postcard")


def test_what_ships_is_ready_and_draws_what_is_asked_for():
    pipe = TextToImage.from_pretrained("postcards")
    for part in (pipe.unet, pipe.encoder, pipe.autoencoder):
        assert not part.training and not any(p.requires_grad for p in part.parameters())
    images = drawn(pipe, [HOUSE] * 8)
    first, again = (drawn(pipe, num_inference_steps=2) for _ in range(2))
    assert torch.equal(first, again)
    seen = recognition.load("judge").read(images * 2 - 1)
    for name, word in {
        "sky": "night",
        "ground": "snow",
        "object": "house",
        "colour": "red",
    }.items():
        right = seen[name] == VALUES[name].index(word)
        assert right.view(8, -1).any(dim=1).sum() >= 7, name
    card = models.load_text_unet("postcards")[1]
    assert {"schedule", "kind", "parts", "num_inference_steps", "guidance_scale"} <= set(card)
