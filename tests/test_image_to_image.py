"""Image to image and inpainting: what is noised, known, repainted and pasted, as in `diffusers`.

With small untrained networks. The pipelines of `diffusers` themselves need `transformers`: of them
the source is read; its scheduler runs.
"""

import ast
import textwrap
from pathlib import Path
from types import SimpleNamespace

import diffusers
import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, RePaintScheduler
from PIL import Image

from diffusion_lessons import sampling, schedule
from diffusion_lessons.pipeline import RIM, latent_mask, paste
from diffusion_lessons.prediction import as_denoiser, keep
from diffusion_lessons.schedule import row_to_t, walk_rates
from tests.small_pipe import normal, seeded, small_pipe

# Theirs alone: numpy 2 asks torch for an argument that it does not know.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HOUSE, CAT = "a red house on snow at night", "a small cat"
PIXELS = (normal(2, 64, 64, 3, seed=7) * 40 + 128).clamp(0, 255).to(torch.uint8).numpy()
ONE, TWO = map(Image.fromarray, PIXELS)
MASK = Image.new("L", (64, 64))
MASK.paste(255, (24, 16, 48, 40))
INSIDE = np.asarray(MASK) > 0
SOURCES = Path(diffusers.__file__).parent / "pipelines" / "stable_diffusion"


@pytest.fixture
def pipe():
    return small_pipe(scaling_factor=0.5, kind="x_0", num_inference_steps=5)


def drawn(pipe, prompt=HOUSE, **chosen):
    return pipe(prompt, **({"generator": seeded(), "output_type": "pt"} | chosen)).images


def latents_of(pipe, *images):
    return pipe.encode(torch.stack([torch.from_numpy(np.array(i)).movedim(2, 0) for i in images])
                       / 127.5 - 1)  # fmt: skip


def source_of(pipeline, name):
    text = (SOURCES / f"pipeline_stable_diffusion_{pipeline}.py").read_text(encoding="utf-8")
    nodes = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef))
    return textwrap.dedent(ast.get_source_segment(text, next(n for n in nodes if n.name == name)))


def scheduler_of(num_steps):
    scheduler = DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="sample", timestep_spacing="trailing"
    )
    scheduler.set_timesteps(num_steps)
    return scheduler


def test_strength_1_is_text_to_image_and_0_what_the_autoencoder_makes_of_the_picture(pipe):
    assert torch.equal(drawn(pipe, image=ONE, strength=1), drawn(pipe))
    made = (pipe.decode(latents_of(pipe, ONE)) + 1) / 2
    for strength in (0, 0.0, 0.19):  # of five steps the first is at 0.2
        assert torch.equal(drawn(pipe, image=ONE, strength=strength), made)
    for usual, chosen in ((0.8, {}), (1.0, {"mask_image": MASK})):
        wanted = drawn(pipe, image=ONE, strength=usual, **chosen)
        assert torch.equal(drawn(pipe, image=ONE, **chosen), wanted)


@pytest.mark.parametrize("pipeline", ["img2img", "inpaint"])
@pytest.mark.parametrize("num_steps", [1, 4, 10, 30, 50])
def test_times_are_those_of_diffusers_at_every_strength(pipe, num_steps, pipeline):
    names = {}
    exec(source_of(pipeline, "get_timesteps"), names)
    scheduler = scheduler_of(num_steps)
    for strength in (0, 0.05, 0.29, 0.3, 0.57, 0.7, 0.999, 1):
        theirs = SimpleNamespace(scheduler=scheduler)
        rows, count = names["get_timesteps"](theirs, num_steps, strength, "cpu")
        ours = pipe.get_timesteps(num_steps, strength)
        assert len(ours) == count + 1 and ours[-1] == 0
        assert torch.equal(ours[:-1], row_to_t(rows)), strength


@pytest.mark.parametrize("strength", [0.4, 0.8, 1])
@pytest.mark.parametrize("masked", [False, True])
def test_a_walk_is_that_of_diffusers_step_by_step(pipe, masked, strength):
    """From its first step on, of first order; with a mask its blend, noised to the next time."""
    assert "latents = (1 - init_mask) * init_latents_proper + init_mask * latents" in source_of(
        "inpaint", "__call__"
    )
    z, noise = latents_of(pipe, ONE), normal(1, 4, 8, 8)
    repaint = torch.rand(1, 1, 8, 8, generator=seeded(1)) < 0.5
    chosen = {"x_0": z, "strength": strength, "mask": 1 - repaint.float() if masked else None}
    walk = list(pipe.steps(HOUSE, num_inference_steps=10, latents=noise, **chosen))
    scheduler, begin = scheduler_of(10), 10 - len(walk)
    scheduler.set_begin_index(begin)
    rows = scheduler.timesteps[begin:]
    x_t = noise if strength == 1 else scheduler.add_noise(z, noise, rows[:1])
    context = torch.cat([pipe.null_context, pipe.encode_prompt([HOUSE])])
    for i, step in enumerate(walk):
        torch.testing.assert_close(step.x_t, x_t, atol=3e-4, rtol=0)
        t = torch.full((2,), step.t)
        without, told = pipe.unet(torch.cat([x_t, x_t]), t, context).chunk(2)
        x_t = scheduler.step(without + 2.5 * (told - without), rows[i], x_t).prev_sample
        if masked:
            last = i == len(walk) - 1
            known = z if last else scheduler.add_noise(z, noise, rows[i + 1 : i + 2])
            x_t = torch.where(repaint, x_t, known)
    torch.testing.assert_close(walk[-1].x_next, x_t, atol=3e-4, rtol=0)


# --- going back up ---


def test_a_step_back_up_is_that_of_repaint_and_from_clean_it_adds_noise():
    x, theirs = normal(2, 4, 8, 8, seed=3), RePaintScheduler(beta_schedule="squaredcos_cap_v2")
    theirs.set_timesteps(1000)
    noise = torch.randn(x.shape, generator=seeded(5))
    for row in (0, 1, 400, 998):
        rates = walk_rates(torch.tensor([row + 1, row]) / 1000, x, schedule.cosine)
        wanted = theirs.undo_step(x, row, generator=seeded(5))
        torch.testing.assert_close(sampling.renoise(x, noise, *rates), wanted, atol=1e-4, rtol=0)
    rates = walk_rates(torch.tensor([0.6, 0.0]), x, schedule.cosine)
    wanted = schedule.add_noise(x, noise, torch.full((2,), 0.6), schedule.cosine)
    torch.testing.assert_close(sampling.renoise(x, noise, *rates), wanted)


def test_each_step_but_the_last_is_taken_so_often_and_what_is_known_keeps_its_noise():
    """All known: whatever the network says, x_t is the picture with standard normal noise."""
    x_0, times = normal(4, 4, 16, 16, seed=1), sampling.times(5)
    wild = as_denoiser(lambda x_t, t: 9 * x_t, schedule.cosine, "x_0")
    known = keep(wild, schedule.cosine, x_0, torch.ones(()))
    dice, start = seeded(2), (known, schedule.cosine, normal(4, 4, 16, 16), times)
    walk = list(sampling.resampled(*start, 2, lambda: torch.randn(x_0.shape, generator=dice)))
    assert [round(10 * step.t) for step in walk] == [10, 10, 8, 8, 6, 6, 4, 4, 2]
    torch.testing.assert_close(walk[-1].x_next, x_0)
    rates = [schedule.cosine(torch.tensor([step.t])) for step in walk]
    noises = torch.stack([(s.x_t - a * x_0) / b for s, (a, b) in zip(walk, rates, strict=True)])
    assert ((noises.flatten(1).std(1) - 1).abs() < 0.05).all()
    shared = torch.corrcoef(noises.flatten(1))  # a step keeps its noise, going back up draws some
    assert abs(shared[0, 1]) < 0.1 and shared[1, 2] > 0.99 and 0.3 < shared[6, 7] < 0.99
    once, ddim = sampling.resampled(*start, 1, lambda: 1 / 0), sampling.ddim(*start)
    assert all(torch.equal(a.x_next, b.x_next) for a, b in zip(once, ddim, strict=True))


# --- masks ---


def test_a_pixel_frees_its_place_and_for_half_of_the_way_those_beside_it(pipe):
    mask = torch.zeros(2, 1, 64, 64, dtype=torch.bool)
    mask[0, 0, 20, 37] = mask[1, 0, 63, 0] = True
    until = torch.ones(2, 1, 8, 8)
    until[0, 0, 1:4, 3:6] = until[1, 0, 6:, :2] = 0.5
    until[0, 0, 2, 4] = until[1, 0, 7, 0] = 0
    assert torch.equal(latent_mask(mask), until)
    z = latents_of(pipe, ONE, TWO)
    walk = list(pipe.steps([HOUSE, CAT], num_inference_steps=10, x_0=z, mask=until))
    for step in walk:
        known = (step.prediction.x_0 == z).all(dim=1, keepdim=True)
        assert torch.equal(known, until >= torch.tensor(step.t)), step.t
    assert torch.equal((walk[-1].x_next == z).all(dim=1, keepdim=True), until > 0)


def test_outside_every_pixel_is_the_old_one_and_inside_it_is_painted(pipe):
    for chosen in ({}, {"jump_n_sample": 3}, {"strength": 0.5}):
        (image,) = pipe(HOUSE, image=ONE, mask_image=MASK, generator=seeded(), **chosen).images
        changed = (np.asarray(image) != np.asarray(ONE)).any(axis=2)
        assert not changed[~INSIDE].any() and changed[INSIDE].mean() > 0.9
    again, other = (drawn(pipe, image=ONE, mask_image=MASK, jump_n_sample=3) for _ in range(2))
    assert torch.equal(again, other)


def test_the_rim_gives_way_in_even_steps_but_not_at_the_picture_s_own_edge():
    mask = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    mask[..., :20] = True
    share = paste(torch.ones(1, 3, 64, 64), torch.zeros(1, 3, 64, 64), mask)
    wanted = torch.zeros(64)
    wanted[: 20 - RIM], wanted[20 - RIM : 20] = 1, torch.arange(RIM, 0, -1) / (RIM + 1)
    torch.testing.assert_close(share, wanted.expand(1, 3, 64, 64))


# --- several pictures, and what is refused ---


def test_a_picture_and_a_mask_serve_all_prompts_or_each_its_own(pipe):
    seeds, images = (1, 2, 1, 2), torch.from_numpy(PIXELS).movedim(3, 1).float() / 255
    chosen = {"image": [ONE, TWO], "mask_image": MASK, "num_images_per_prompt": 2}
    four = drawn(pipe, [HOUSE, CAT], generator=list(map(seeded, seeds)), **chosen)
    chosen = {"mask_image": [MASK] * 4, "image": images[[0, 0, 1, 1]]}
    same = drawn(pipe, [HOUSE, HOUSE, CAT, CAT], generator=list(map(seeded, seeds)), **chosen)
    assert torch.equal(four, same)
    alone = drawn(pipe, CAT, image=TWO, mask_image=[MASK], generator=[seeded(2)])
    torch.testing.assert_close(four[3:], alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "chosen, error, message",
    [
        ({"strength": "high"}, TypeError, "strength is 'high': give a number from 0 to 1"),
        ({"strength": 1.5}, ValueError, r"strength is 1.5.*\(0 keeps the picture, 1 ignores it\)"),
        ({"image": None, "strength": 0.5}, ValueError, "give image as well"),
        ({"image": None, "mask_image": MASK}, ValueError, "give image as well"),
        ({"image": "mine.png"}, FileNotFoundError, "mine.png cannot be opened .*check its name"),
        ({"image": [ONE, TWO]}, ValueError, "2 images for 1 picture:"),
        ({"image": []}, ValueError, "0 images for 1 picture:"),
        ({"mask_image": [MASK, MASK]}, ValueError, "2 masks for 1 picture:"),
        ({"mask_image": Image.new("L", (64, 64))}, ValueError, "marks no pixel"),
        ({"mask_image": Image.new("L", (64, 64), 255)}, ValueError, "marks every pixel"),
        ({"mask_image": MASK, "jump_n_sample": 0}, ValueError, "jump_n_sample is 0"),
        ({"mask_image": MASK, "jump_n_sample": "x"}, TypeError, "jump_n_sample is 'x'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_the_first_step(pipe, chosen, error, message):
    calls = []
    pipe.unet.register_forward_hook(lambda *given: calls.append(1))
    with pytest.raises(error, match=message):
        pipe(HOUSE, **({"image": ONE} | chosen))
    with pytest.raises(ValueError, match="x_0"):
        pipe.steps(HOUSE, x_0=torch.zeros(2, 4, 8, 8))
    assert calls == []
