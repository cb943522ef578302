"""Text to image: called as a `diffusers` pipeline is, the same seed the same picture, refusals.

With small untrained networks: what is tested is how the parts are put together.
"""

import ast
import importlib.util
import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lessons import conditioning, models, pictures, sampling, schedule, workspace
from diffusion_lessons.models import Autoencoder, CaptionReader, TextUNet
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards import VALUES, PromptError, UnknownWord
from diffusion_lessons.prediction import as_denoiser
from diffusion_lessons.scoring import recognition

CARD = {
    "schedule": "cosine", "kind": "v", "scaling_factor": 0.5,
    "num_inference_steps": 3, "guidance_scale": 2.5,
}  # fmt: skip
HOUSE, CAT = "a red house on snow at night", "a small cat"


def tiny():
    torch.manual_seed(0)
    reader = CaptionReader(
        len(conditioning.WORDS), 32, 1, conditioning.LENGTH, **conditioning.attribute_classes()
    )
    unet = TextUNet(widths=(32, 32), blocks=(1, 1), context_channels=32)
    autoencoder = Autoencoder((8, 16), (1, 1), (16, 8, 8), (1, 1, 1))
    for part in (unet, autoencoder):
        for p in part.parameters():
            torch.nn.init.normal_(p, std=0.1)
    return [part.eval().requires_grad_(False) for part in (reader, unet, autoencoder)]


@pytest.fixture
def pipe():
    return TextToImage(*tiny(), CARD)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def drawn(pipe, prompt=HOUSE, seed=0, **chosen):
    return pipe(prompt, generator=seeded(seed), output_type="pt", **chosen).images


def calls_of(pipe):
    """What the network is asked from now on: a list of batch sizes."""
    calls = []
    pipe.unet.register_forward_hook(lambda layer, said, out: calls.append(len(said[0])))
    return calls


# --- what comes out ---


def test_pt_is_float_in_0_1_and_pil_the_same_as_pictures(pipe):
    images = drawn(pipe, [HOUSE, CAT])
    assert images.shape == (2, 3, 64, 64) and images.dtype == torch.float32
    assert images.min() >= 0 and images.max() <= 1 and images.std() > 0
    shown = pipe([HOUSE, CAT], generator=seeded(0)).images
    assert isinstance(shown, list) and all(isinstance(one, Image.Image) for one in shown)
    assert [(one.size, one.mode) for one in shown] == [((64, 64), "RGB")] * 2
    for one, image in zip(shown, images, strict=True):
        assert one.tobytes() == pictures.to_uint8(image[None] * 2 - 1).tobytes()


def test_its_arguments_are_named_and_ordered_as_the_course_promises():
    named = list(inspect.signature(TextToImage.__call__).parameters)[1:]
    assert named == [
        "prompt", "negative_prompt", "num_inference_steps", "guidance_scale",
        "num_images_per_prompt", "generator", "output_type", "callback_on_step_end",
    ]  # fmt: skip


def test_its_arguments_are_those_of_stable_diffusion():
    """Read from the source: without `transformers`, diffusers gives only a stand-in."""
    folder = Path(importlib.util.find_spec("diffusers").submodule_search_locations[0])
    path = folder / "pipelines" / "stable_diffusion" / "pipeline_stable_diffusion.py"
    theirs = {
        argument.arg
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == "__call__"
        for argument in node.args.args
    }
    assert set(inspect.signature(TextToImage.__call__).parameters) <= theirs


def test_one_text_is_a_list_of_one(pipe):
    assert torch.equal(drawn(pipe, HOUSE), drawn(pipe, [HOUSE]))
    assert torch.equal(drawn(pipe, HOUSE), drawn(pipe, (HOUSE,)))


# --- seeds ---


def test_the_same_seed_makes_the_same_picture_and_another_seed_another(pipe):
    first, again, other = drawn(pipe), drawn(pipe), drawn(pipe, seed=1)
    assert torch.equal(first, again) and not torch.allclose(first, other, atol=1e-3)
    assert not torch.allclose(first, drawn(pipe, CAT), atol=1e-3), "the words matter"


def test_a_generator_goes_on_from_call_to_call(pipe):
    generator = seeded(0)
    one, two = (pipe(HOUSE, generator=generator, output_type="pt").images for _ in range(2))
    assert torch.equal(one, drawn(pipe)) and not torch.equal(one, two)


def test_without_a_generator_it_is_torch_s_own(pipe):
    torch.manual_seed(5)
    one = pipe(HOUSE, output_type="pt").images
    two = pipe(HOUSE, output_type="pt").images
    torch.manual_seed(5)
    assert torch.equal(one, pipe(HOUSE, output_type="pt").images) and not torch.equal(one, two)


def test_a_generator_for_each_picture_makes_what_each_would_alone(pipe):
    both = pipe([HOUSE, CAT], generator=[seeded(3), seeded(4)], output_type="pt").images
    alone = torch.cat([drawn(pipe, HOUSE, 3), drawn(pipe, CAT, 4)])
    assert torch.allclose(both, alone, atol=1e-4)


def test_asking_does_not_touch_torch_s_own_generator(pipe):
    state = torch.get_rng_state()
    drawn(pipe)
    assert torch.equal(torch.get_rng_state(), state)


# --- several pictures ---


def test_pictures_of_one_prompt_stand_side_by_side(pipe):
    """As in diffusers: all of the first prompt, then all of the second."""
    generators = [seeded(seed) for seed in (1, 2, 1, 2)]
    four = pipe(
        [HOUSE, CAT], num_images_per_prompt=2, generator=generators, output_type="pt"
    ).images
    expected = [drawn(pipe, prompt, seed) for prompt in (HOUSE, CAT) for seed in (1, 2)]
    assert torch.allclose(four, torch.cat(expected), atol=1e-4)


def test_negative_prompts_stay_with_their_prompt(pipe):
    four = pipe(
        [HOUSE, CAT], ["a tree", "a boat"], num_images_per_prompt=2,
        generator=[seeded(1) for _ in range(4)], output_type="pt",
    ).images  # fmt: skip
    house = drawn(pipe, HOUSE, 1, negative_prompt="a tree")
    cat = drawn(pipe, CAT, 1, negative_prompt="a boat")
    assert torch.allclose(four, torch.cat([house, house, cat, cat]), atol=1e-4)


@pytest.mark.parametrize("negative", ["a tree", ["a tree"], ("a tree",)])
@pytest.mark.parametrize("each", [1, 2])
def test_one_negative_prompt_serves_all(pipe, negative, each):
    images = drawn(pipe, [HOUSE, CAT], negative_prompt=negative, num_images_per_prompt=each)
    expected = drawn(pipe, [HOUSE, CAT], negative_prompt=["a tree"] * 2, num_images_per_prompt=each)
    assert torch.allclose(images, expected, atol=1e-5)


def test_an_empty_negative_prompt_is_none_and_another_is_not(pipe):
    assert torch.allclose(drawn(pipe), drawn(pipe, negative_prompt=""), atol=1e-6)
    assert not torch.allclose(drawn(pipe), drawn(pipe, negative_prompt="a tree"), atol=1e-5)


# --- steps and guidance ---


@pytest.mark.parametrize("scale, batch", [(0, 1), (1, 1), (1.0, 1), (2, 2), (0.5, 2)])
@pytest.mark.parametrize("steps", [1, 4])
def test_the_network_is_asked_once_a_step_and_twice_only_for_guidance(pipe, scale, batch, steps):
    calls = calls_of(pipe)
    drawn(pipe, num_inference_steps=steps, guidance_scale=scale)
    assert calls == [batch] * steps


def test_what_is_not_said_is_the_card_s(pipe):
    calls = calls_of(pipe)
    images = drawn(pipe)
    assert calls == [2] * CARD["num_inference_steps"]
    assert torch.equal(images, drawn(pipe, num_inference_steps=3, guidance_scale=2.5))


def test_scale_0_ignores_the_prompt_and_scale_1_the_negative_one(pipe):
    assert torch.allclose(
        drawn(pipe, HOUSE, guidance_scale=0), drawn(pipe, CAT, guidance_scale=0), atol=1e-6
    )
    assert torch.allclose(
        drawn(pipe, guidance_scale=1), drawn(pipe, guidance_scale=1, negative_prompt=CAT), atol=1e-6
    )
    assert torch.allclose(
        drawn(pipe, "", guidance_scale=5), drawn(pipe, CAT, guidance_scale=0), atol=1e-4
    )


def test_the_walk_is_that_of_the_parts_by_hand(pipe):
    """Tokens, context, noise, guided DPM-Solver++ steps, scaling, decoding: nothing else."""
    context = pipe.encoder(conditioning.tokenise([HOUSE]))
    nothing = pipe.encoder(torch.zeros(1, conditioning.LENGTH, dtype=torch.int64))

    def answer(x_t, t):
        without, told = pipe.unet(x_t, t, nothing), pipe.unet(x_t, t, context)
        return without + 2.5 * (told - without)

    denoiser = as_denoiser(answer, schedule.cosine, "v")
    x_t = torch.randn(1, 4, 8, 8, generator=seeded(0))
    x_0 = sampling.finish(sampling.dpm_solver(denoiser, schedule.cosine, x_t, sampling.times(3)))
    expected = (pipe.autoencoder.decode(x_0 / 0.5).clamp(-1, 1) + 1) / 2
    assert torch.allclose(drawn(pipe), expected, atol=1e-4)


def test_pictures_leave_the_autoencoder_and_come_back_at_its_scale(pipe):
    z = torch.randn(2, 4, 8, 8, generator=seeded(0))
    assert torch.equal(pipe.decode(z), pipe.autoencoder.decode(z / 0.5).clamp(-1, 1))


# --- looking on ---


def test_steps_can_be_watched_and_end_in_the_picture_of_the_call(pipe):
    noise = pipe.noise(1, seeded(0))
    walk = list(pipe.steps(HOUSE, num_inference_steps=5, guidance_scale=2, latents=noise.clone()))
    assert len(walk) == 5 and (walk[0].t, walk[-1].t_next) == (1.0, 0.0)
    assert torch.equal(walk[0].x_t, noise)
    picture = pipe.decode(walk[-1].x_next)
    assert torch.allclose(
        (picture + 1) / 2, drawn(pipe, num_inference_steps=5, guidance_scale=2), atol=1e-6
    )


def test_steps_without_latents_begin_at_seed_0(pipe):
    (first, *_), (again, *_) = pipe.steps(HOUSE), pipe.steps(HOUSE)
    assert torch.equal(first.x_t, again.x_t) and torch.equal(first.x_t, pipe.noise(1, seeded(0)))


def test_an_interval_is_guidance_for_some_steps_only(pipe):
    calls = calls_of(pipe)
    list(pipe.steps(HOUSE, num_inference_steps=10, guidance_scale=3, interval=(0.25, 0.65)))
    assert calls == [1] * 4 + [2] * 4 + [1] * 2


def test_a_callback_sees_every_step(pipe):
    seen = []

    def look(asked, step, t, kept):
        seen.append((asked is pipe, step, t, kept["latents"].clone()))
        return kept

    images = drawn(pipe, callback_on_step_end=look)
    walk = list(pipe.steps(HOUSE, latents=pipe.noise(1, seeded(0))))
    assert [one[:2] for one in seen] == [(True, 0), (True, 1), (True, 2)]
    assert [one[2] for one in seen] == [step.t for step in walk]
    for (*_, latents), step in zip(seen, walk, strict=True):
        assert torch.allclose(latents, step.x_next, atol=1e-6)
    assert torch.equal(images, drawn(pipe)), "who only looks changes nothing"


def test_a_callback_may_return_nothing(pipe):
    assert torch.equal(drawn(pipe, callback_on_step_end=lambda *seen: None), drawn(pipe))


def test_a_callback_may_change_the_latents(pipe):
    def restart(asked, step, t, kept):
        return {"latents": torch.zeros_like(kept["latents"]) if step == 2 else kept["latents"]}

    images = drawn(pipe, callback_on_step_end=restart)
    assert torch.allclose(images, (pipe.decode(torch.zeros(1, 4, 8, 8)) + 1) / 2, atol=1e-6)

    def nudge(asked, step, t, kept):
        kept["latents"] = kept["latents"] + 0.1
        return kept

    first = next(pipe.steps(HOUSE, latents=pipe.noise(1, seeded(0)))).x_next + 0.1
    seen = []
    pipe.unet.register_forward_hook(lambda layer, said, out: seen.append(said[0][:1].clone()))
    drawn(pipe, callback_on_step_end=nudge)
    assert torch.allclose(seen[1], first, atol=1e-6), "the next step goes on from what it was given"


def test_pictures_and_steps_can_be_used_like_any_tensor(pipe):
    """No gradient gets out, and no tensor of inference mode, which could not be changed."""
    for part in (pipe.unet, pipe.encoder, pipe.autoencoder):
        part.requires_grad_(True)
    walk = list(pipe.steps(HOUSE))
    for found in (
        drawn(pipe),
        walk[-1].x_next,
        pipe.decode(walk[-1].x_next),
        pipe.encode_prompt([CAT]),
    ):
        assert not found.requires_grad
        with torch.no_grad():
            found.add_(1)
        (found * torch.ones(1, requires_grad=True)).sum().backward()


# --- what is refused, before anything is computed ---


@pytest.mark.parametrize(
    "chosen, error, message",
    [
        ({"prompt": "a red dragon"}, UnknownWord, "dragon"),
        ({"prompt": "<script>alert(1)</script>"}, UnknownWord, "script"),
        ({"prompt": "x" * 10_000}, PromptError, "10,000 characters"),
        ({"prompt": 5}, TypeError, "prompt is 5: give a text"),
        ({"prompt": None}, TypeError, "prompt is None"),
        ({"prompt": [HOUSE, 7]}, TypeError, "prompt is 7"),
        ({"prompt": []}, ValueError, r"prompt is \[\]: give a text"),
        ({"negative_prompt": "a dragon"}, UnknownWord, "dragon"),
        ({"negative_prompt": 5}, TypeError, "negative_prompt is 5"),
        ({"negative_prompt": [5]}, TypeError, "negative_prompt is 5"),
        ({"negative_prompt": []}, ValueError, r"negative_prompt is \[\]"),
        ({"negative_prompt": [CAT, CAT]}, ValueError, "2 negative prompts for 1"),
        (
            {"num_inference_steps": 0},
            ValueError,
            "num_inference_steps is 0: give a whole number from 1 to 1000",
        ),
        ({"num_inference_steps": -3}, ValueError, "num_inference_steps is -3"),
        ({"num_inference_steps": 100_000}, ValueError, "num_inference_steps is 100000"),
        (
            {"num_inference_steps": 2.5},
            TypeError,
            "num_inference_steps is 2.5: give a whole number",
        ),
        ({"num_inference_steps": "many"}, TypeError, "num_inference_steps is 'many'"),
        ({"guidance_scale": "high"}, TypeError, "guidance_scale is 'high': give a number"),
        ({"guidance_scale": -1}, ValueError, "guidance_scale is -1"),
        ({"guidance_scale": float("nan")}, ValueError, "guidance_scale is nan"),
        ({"num_images_per_prompt": 0}, ValueError, "num_images_per_prompt is 0"),
        ({"num_images_per_prompt": "2"}, TypeError, "num_images_per_prompt is '2'"),
        ({"output_type": "np"}, ValueError, "output_type is 'np': choose 'pil' or 'pt'"),
        ({"generator": []}, ValueError, "0 generators for 1 pictures"),
        ({"generator": [seeded(0), seeded(1)]}, ValueError, "2 generators for 1 pictures"),
        ({"generator": 42}, TypeError, r"generator is 42.*torch.Generator\(\).manual_seed\(42\)"),
        ({"generator": [42]}, TypeError, "generator is 42"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(pipe, chosen, error, message):
    calls = calls_of(pipe)
    with pytest.raises(error, match=message):
        pipe(**({"prompt": HOUSE} | chosen))
    assert calls == []


@pytest.mark.parametrize("shape", [(2, 4, 8, 8), (4, 8, 8), (1, 3, 64, 64)])
def test_noise_that_does_not_fit_is_refused_before_the_first_step(pipe, shape):
    with pytest.raises(ValueError, match="latents"):
        pipe.steps(HOUSE, latents=torch.zeros(shape))


def test_an_empty_prompt_leaves_all_open(pipe):
    assert drawn(pipe, "").shape == (1, 3, 64, 64)
    assert torch.equal(pipe.encode_prompt([""]), pipe.null_context)


# --- weights ---


def test_a_model_that_is_none_is_refused_by_name():
    with pytest.raises(ValueError, match="'postcards-32' is no TextUNet.*'postcards'"):
        TextToImage.from_pretrained("postcards-32")
    with pytest.raises(ValueError, match="there are no weights 'postcard'. Choose 'postcards'"):
        TextToImage.from_pretrained("postcard")


@pytest.mark.parametrize("number", [np.int64(2), np.int32(2), np.uint8(2)])
def test_whole_numbers_and_scales_may_be_numpy_s(pipe, number):
    plain = drawn(pipe, num_inference_steps=2, num_images_per_prompt=2, guidance_scale=2)
    for scale in (number, np.float64(2), np.float32(2)):
        chosen = dict.fromkeys(("num_inference_steps", "num_images_per_prompt"), number)
        assert torch.equal(drawn(pipe, guidance_scale=scale, **chosen), plain)


def test_its_pictures_are_as_large_as_the_card_makes_the_latents():
    small = TextToImage(*tiny(), CARD | {"sample_size": 4})
    assert small.noise(2, seeded(0)).shape == small.noise(2, [seeded(0)] * 2).shape == (2, 4, 4, 4)
    assert drawn(small).shape == (1, 3, 32, 32)
    with pytest.raises(ValueError, match=r"give \(1, 4, h, w\)"):
        small.steps(HOUSE, latents=torch.zeros(2, 4, 4, 4))


@pytest.fixture(scope="module")
def shipped():
    if not workspace.data_path("weights", "postcards.safetensors").is_file():
        pytest.skip("the weights are not there: python -m diffusion_lessons train postcards")
    return TextToImage.from_pretrained("postcards")


def test_what_ships_is_small_and_ready(shipped):
    parts = ("postcards", *shipped.card["parts"].values())
    files = [workspace.data_path("weights", f"{name}.safetensors") for name in parts]
    assert sum(file.stat().st_size for file in files) < 20_000_000
    for part in (shipped.unet, shipped.encoder, shipped.autoencoder):
        assert not part.training and not any(p.requires_grad for p in part.parameters())


def test_what_ships_paints_what_was_said(shipped):
    images = shipped([HOUSE] * 8, generator=seeded(0), output_type="pt").images
    seen = recognition.load("judge").read(images * 2 - 1)
    asked = {"sky": "night", "ground": "snow"}
    for name, word in asked.items():
        assert (seen[name] == VALUES[name].index(word)).sum() >= 7
    assert ((seen["object"] == VALUES["object"].index("house")).any(1)).sum() >= 7
    assert ((seen["colour"] == VALUES["colour"].index("red")).any(1)).sum() >= 7


def test_what_ships_is_the_same_for_the_same_seed(shipped):
    one, two = (shipped(HOUSE, generator=seeded(3), output_type="pt").images for _ in range(2))
    assert torch.equal(one, two)
    cached = models.load_text_unet("postcards")[1]
    assert {"schedule", "kind", "parts", "num_inference_steps", "guidance_scale"} <= set(cached)
