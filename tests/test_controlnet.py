"""ControlNet follows outlines, at scale 0 nothing changes; outlines and their reader measure."""

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lessons import models, postcards, workspace
from diffusion_lessons.models import ControlledUNet, ControlNet
from diffusion_lessons.pipeline import TextToImage, repaint
from diffusion_lessons.postcards.outline import horizon_line, outline, sketch, trace
from diffusion_lessons.scoring import outlines
from tests.small_pipe import awake, normal, seeded, small_pipe

RING = torch.zeros(64, 64)
RING[20:44, 16:40], RING[21:43, 17:39] = 1, 0
X_T, T, CONTEXT, LINES = normal(2, 4, 8, 8), normal(2), normal(2, 32, 32), RING.expand(2, 1, 64, 64)
SCENES = postcards.sample_scenes(200, 4)
MASKS = postcards.thing_masks(SCENES)
HORIZON = horizon_line(SCENES, MASKS)


@pytest.fixture
def pipe():
    pipe = small_pipe()
    pipe.controlnet = awake(ControlNet.from_unet(pipe.unet)).requires_grad_(False)
    return pipe


def drawn(pipe, **chosen):
    return pipe("a red house", generator=seeded(), output_type="pt", **chosen).images


def modules(network, holds):
    return {name.rpartition(".")[0] for name, p in network.named_parameters() if holds(name, p)}


def test_at_first_it_is_a_copy_that_changes_nothing_and_it_learns(pipe):
    branch, unet = ControlNet.from_unet(pipe.unet), pipe.unet
    weights, own = unet.state_dict(), ("read_outline", "zero_convs")
    for name, each in branch.state_dict().items():
        assert name.startswith(own) or torch.equal(each, weights[name])
    residuals = branch(X_T, T, CONTEXT, LINES)
    assert [part.shape for part in residuals] == [(2, 32, 8, 8), (2, 32, 4, 4)]
    assert torch.equal(unet(X_T, T, CONTEXT, residuals), unet(X_T, T, CONTEXT))
    optimizer, reached = torch.optim.SGD(branch.parameters(), 0.1), []
    for _ in range(3):  # zero, but not stuck: what leaves moves first, then what enters, then all
        optimizer.zero_grad()
        unet(X_T, T, CONTEXT, branch(X_T, T, CONTEXT, LINES)).square().mean().backward()
        reached.append(modules(branch, lambda _, p: p.grad.any()))
        optimizer.step()
    assert reached[0] == {"zero_convs.0", "zero_convs.1"}
    assert reached[2] - reached[1] and reached[2] == modules(branch, lambda *_: True)


def test_what_starts_at_zero_is_what_does_in_diffusers():
    kinds = {"down_block_types": ("DownBlock2D", "DownBlock2D"), "block_out_channels": (32, 32)}
    theirs = diffusers.ControlNetModel(**kinds, norm_num_groups=8, attention_head_dim=8)
    ends = ("controlnet_down_blocks", "controlnet_mid_block", "controlnet_cond_embedding.conv_out")
    zero = modules(theirs, lambda name, p: name.endswith("weight") and not p.any())
    assert {end for end in ends if any(name.startswith(end) for name in zero)} == set(ends)
    assert all(name.startswith(ends) for name in zero)
    ours = ControlNet.from_unet(awake(models.TextUNet(context_channels=32)))
    zero = modules(ours, lambda _, p: not p.any())
    assert zero == {"zero_convs.0", "zero_convs.1", "read_outline.3"}


def test_a_scale_and_a_pictures_tokens_behind_the_words(pipe):
    residuals = [0.5 * part for part in pipe.controlnet(X_T, T, CONTEXT, LINES)]
    longer, scale = torch.cat([CONTEXT, normal(2, 4, 32)], dim=1), torch.full((2, 1, 1, 1), 0.5)
    seen = pipe.controlnet.read_outline(LINES)
    for context in (CONTEXT, longer):
        steered = ControlledUNet(pipe.unet, pipe.controlnet, 32)(X_T, T, context, seen, scale)
        assert torch.equal(steered, pipe.unet(X_T, T, context, residuals))
    with pytest.raises(ValueError, match=r"outline has shape \(1, 1, 64, 64\): give \(2, 1, 64"):
        pipe.controlnet(X_T, T, CONTEXT, LINES[:1])


def test_at_scale_0_and_without_an_outline_nothing_changes(pipe):
    without, followed = drawn(small_pipe()), drawn(pipe, control_image=RING)
    assert torch.equal(drawn(pipe), without) and not torch.equal(followed, without)
    off = drawn(pipe, control_image=RING, controlnet_conditioning_scale=0)
    assert torch.equal(off, without)


def test_lines_are_read_from_what_people_draw():
    ink, faint = (Image.fromarray((250 - k * RING.numpy()).astype(np.uint8)) for k in (250, 60))
    for drawing in (RING, RING > 0, RING[None, None] > 0, ink, faint, ink.convert("RGB"), [ink]):
        assert torch.equal(repaint.read_outlines(drawing, 64, 1, 1)[0, 0], RING)
    with pytest.warns(UserWarning, match="256 x 256 pixels: it was resized to 64 x 64"):
        large = repaint.read_outlines(ink.resize((256, 256), 0), 64, 1, 1)
    assert torch.equal(large[0, 0], RING)


@pytest.mark.parametrize(
    "image, scale, says",
    [(0 * RING, 1, "the outline is empty: draw a line"), (0 * RING + 1, 1, "outline is empty"),
     ([RING, RING], 1, "2 outlines for 1 picture:"), ("nowhere.png", 1, "nowhere.png"),
     (RING, 2.5, "is 2.5: give a number from 0 to 2"), (RING, "high", "is 'high': give a number"),
     (None, 1, "ControlNet.*pipe.load_controlnet")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(pipe, image, scale, says):
    if image is None:
        image, pipe.controlnet = RING, None
    with pytest.raises((ValueError, TypeError, OSError), match=says):
        drawn(pipe, control_image=image, controlnet_conditioning_scale=scale)


def test_an_outline_is_a_closed_line_a_pixel_wide_and_a_sketch_stays_near_it():
    square = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    square[..., 20:44, 16:40] = True
    assert torch.equal(trace(square)[0, 0], RING > 0)
    lines, sketches = outline(SCENES), sketch(MASKS, HORIZON, seeded())
    assert torch.equal(lines, trace(MASKS) | HORIZON)
    assert (HORIZON.any(3).sum((1, 2)) == 1).all() and not (HORIZON & MASKS.any(1, True)).any()
    assert not (sketches & (torch.nn.functional.max_pool2d(lines.float(), 11, 1, 5) == 0)).any()
    kept = (sketches & HORIZON).flatten(1).sum(1) > 0.9 * HORIZON.flatten(1).sum(1)
    wider = sketches.flatten(1).sum(1) / lines.flatten(1).sum(1)
    assert 60 < int(kept.sum()) < 140 and wider.min() < 0.9 and wider.max() > 2


def test_overlap_by_hand():
    one, other = torch.zeros(2, 3, 1, 4, 4, dtype=torch.bool)
    one[0, 0, 0], other[0, 0, :2], one[1, 0, 0] = True, True, True
    assert outlines.iou(one, other).tolist() == [0.5, 0.0, 1.0]
    found = outlines.overlap(postcards.object_mask(SCENES[:5]).roll(1, 0), SCENES[:5])
    values = outlines.iou(postcards.object_mask(SCENES[:5]).roll(1, 0), MASKS[:5].any(1, True))
    assert found["median overlap"] == round(values.median().item(), 4) and found["pictures"] == 5
    assert found["median overlap, 95 % interval"] == [
        round(v, 4) for v in values.sort()[0][[0, 4]].tolist()
    ]


def test_what_ships_keeps_its_promises_and_the_engine_draws_what_torch_draws():
    for name, largest in (("controlnet-outline", 8e6), ("outline-judge", 1e6)):
        assert workspace.data_path("weights", f"{name}.safetensors").stat().st_size <= largest
    rows = models.load_controlnet()[1]["scores"]
    assert rows["single"]["median overlap"] >= 0.85
    assert all(rows[name]["caption obeyed"] >= 0.95 for name in rows if "single" in name)
    ceiling = workspace.load_weights("outline-judge")[1]["scores"]
    assert all(ceiling[name]["median overlap"] > rows[name]["median overlap"] for name in rows)
    pipe = TextToImage.from_pretrained(controlnet="controlnet-outline")
    quick, pipe._quick = drawn(pipe, control_image=RING, num_inference_steps=3), {}
    torch_s = drawn(pipe, control_image=RING, num_inference_steps=3)
    assert (quick - torch_s).abs().max() < 0.5 / 255
