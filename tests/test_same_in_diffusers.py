"""The lines that end each lesson, "The same in `diffusers`": they run, and say the same as ours."""

import inspect
import re

import diffusers
import nbformat
import numpy as np
import pytest
import torch
from diffusers.pipelines.deprecated.repaint import RePaintPipeline
from torchvision.transforms.functional import to_pil_image

from diffusion_lessons import latents, sampling, schedule
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.prediction import as_denoiser
from tests import tiny_diffusers
from tests.small_pipe import normal
from tools import notebooks as tool

LESSONS = {path.name[:2]: path for path in tool.lessons()}


def lines_of(lesson: str) -> str:
    """The code below "The same in `diffusers`" of a lesson."""
    cells = nbformat.read(LESSONS[lesson], as_version=4).cells
    text = next(c.source for c in reversed(cells) if "**The same in `diffusers`" in c.source)
    return re.search(r"```python\n(.*?)```", text.partition("**The same in")[2], re.S)[1]


@pytest.mark.parametrize(
    "lesson, rates_at, rows, tolerance",
    [("01", schedule.linear, [0, 9, 500, 999], 1e-5), ("02", schedule.cosine, [9, 999], 1e-4)],
)
def test_lessons_01_and_02_add_the_same_noise(lesson, rates_at, rows, tolerance):
    x_0, eps = normal(len(rows), 3, 32, 32), normal(len(rows), 3, 32, 32, seed=1)
    names = {"x_0": x_0, "eps": eps, "row": torch.tensor(rows)}
    exec(lines_of(lesson), names)
    ours = schedule.add_noise(x_0, eps, schedule.row_to_t(names["row"]), rates_at)
    torch.testing.assert_close(names["x_t"], ours, rtol=tolerance, atol=tolerance)
    assert lesson == "01" or names["x_0_hat"].shape == x_0.shape, "it has a network of this kind"


def test_lesson_03_walks_the_same_way():
    def model(x_t, row):  # looks at x_t and at the row
        return torch.tanh(1.3 * x_t + torch.cos(row / 300))

    def network(x_t, t):
        return model(x_t, 1000 * t[0] - 1)

    start = normal(4, 3, 8, 8)
    names = {"x_t": start, "model": model}
    exec(lines_of("03"), names)
    times = sampling.times(names["scheduler"].num_inference_steps)
    denoiser = as_denoiser(network, schedule.cosine, "x_0")
    ours = sampling.finish(sampling.ddim(denoiser, schedule.cosine, start, times))
    assert ((names["x_t"] - ours).abs().max() / ours.abs().max()).item() < 1e-5
    for name in re.findall(r"diffusers\.(\w+Scheduler)", lines_of("03")):
        assert hasattr(diffusers, name)


def test_lesson_04_encodes_scales_and_decodes(monkeypatch):
    small = diffusers.AutoencoderKL(block_out_channels=(8,), norm_num_groups=4)
    monkeypatch.setattr(diffusers.AutoencoderKL, "from_pretrained", lambda *a, **k: small)
    names = {"images": normal(2, 3, 16, 16)}
    with torch.no_grad():
        exec(lines_of("04"), names)
    bell = names["bell"]
    ours = latents.kl(bell.mean, bell.logvar).sum(dim=(1, 2, 3))
    torch.testing.assert_close(bell.kl(), ours)
    assert names["images"].shape == (2, 3, 16, 16)
    assert small.config.scaling_factor == 0.18215


def test_the_pipeline_takes_the_arguments_of_ours_and_lesson_05_and_guides_by_its_line():
    def parameters(pipeline):
        return set(inspect.signature(pipeline.__call__).parameters)

    theirs, inpaint = map(
        parameters, (diffusers.StableDiffusionPipeline, diffusers.StableDiffusionInpaintPipeline)
    )
    control = parameters(diffusers.StableDiffusionControlNetInpaintPipeline)
    ours, outline = parameters(TextToImage), {"control_image", "controlnet_conditioning_scale"}
    assert ours - theirs - outline == {"image", "strength", "mask_image", "jump_n_sample"}
    assert ours - inpaint - outline == {"jump_n_sample"} <= parameters(RePaintPipeline)
    assert outline <= control
    named = re.findall(r"(\w+)=", lines_of("05").partition("= pipe(")[2])
    assert named and set(named) <= theirs
    source = inspect.getsource(diffusers.StableDiffusionPipeline)
    assert "guidance_scale * (noise_pred_text - noise_pred_uncond)" in source
    assert "self._guidance_scale > 1" in source, "1 or less: off"


def test_lesson_06_runs_as_printed_and_each_scale_counts(tmp_path, monkeypatch):
    """On tiny random parts in folders of the names that are printed: nothing is downloaded."""
    tiny_diffusers.save_all(tmp_path)
    monkeypatch.chdir(tmp_path)
    diffusers.utils.logging.disable_progress_bar()
    mask = torch.zeros(64, 64)
    mask[20:50, 10:40] = 1
    shown = {"day": normal(3, 64, 64), "outline": normal(3, 64, 64, seed=1), "mask": mask[None]}
    shown = {name: to_pil_image(part.clamp(0, 1)) for name, part in shown.items()}

    def painted(lines: str) -> dict:
        names = dict(shown)
        torch.manual_seed(0)
        exec(lines, names)
        return {name: np.asarray(names[name]) for name in ("night", "tree", "alike", "house")}

    lines = lines_of("06")
    printed = painted(lines)
    assert {picture.shape for picture in printed.values()} == {(64, 64, 3)}
    for scales in (["=0.7)"], ["(0.6)", "scale=1.0"]):  # LoRA; IP-Adapter and ControlNet
        without = lines
        for scale in scales:
            assert lines.count(scale) == 1
            without = without.replace(scale, re.sub(r"\d\.\d", "0.0", scale))
        others = painted(without)
        changed = {name for name in printed if (others[name] != printed[name]).any()}
        assert changed == {"alike", "house"} - ({"house"} if len(scales) == 1 else set())


def test_lesson_07_walks_the_same_straight_way_with_its_times_shifted_once():
    def model(x_t, t):
        return torch.tanh(1.3 * x_t + torch.cos(3 * t.view(-1, 1, 1, 1)))

    start = normal(4, 4, 8, 8)
    names = {"torch": torch, "x_t": start, "model": model}
    exec(lines_of("07"), names)
    denoiser = as_denoiser(model, schedule.flow, "velocity")
    ours = sampling.finish(
        sampling.euler(denoiser, schedule.flow, start, sampling.times(10, shift=3.0))
    )
    torch.testing.assert_close(names["x_t"], ours, rtol=1e-4, atol=1e-4)
    comment = re.search(r"# (\d+), ([\d.]+), ", lines_of("07"))
    assert names["scheduler"].timesteps[:2].tolist() == pytest.approx(
        [*map(float, comment.groups())], abs=0.05
    )
