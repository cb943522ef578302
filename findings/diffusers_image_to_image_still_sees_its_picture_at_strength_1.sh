#!/usr/bin/env bash
# diffusers 0.42.1: image-to-image at strength 1 still starts from a mixture with the picture;
# inpainting at strength 1 starts from noise alone.
#
# Guess before trying: strength 1 is text to image, in both pipelines: the same seed gives the same
# result whatever the picture is.
# Behaviour: image-to-image noises the picture to the first time of the scheduler, where Stable
# Diffusion's table still has a signal rate of 0.068 (its last step is not pure noise), or 0.08 with
# the default spacing of 50 steps. Inpainting asks `strength == 1.0` first and leaves the picture out.
# Output seen: "share of the picture in what the network sees first: image-to-image 0.068, inpainting 0.000"
# Why it matters: a black and a white picture lead to other results at "ignore the picture", and a
# light or dark cast of the picture survives, since a mean over all pixels is what noise hides least.
# Who compares text to image with strength 1 at one seed compares two different starts.
# Source: diffusers, pipeline_stable_diffusion_img2img.py, prepare_latents (always add_noise);
# pipeline_stable_diffusion_inpaint.py, is_strength_max.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy diffusers==0.42.1 transformers==5.24.0 accelerate==1.15.0
cat > "$folder/trial.py" <<'PYTHON'
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    UNet2DConditionModel,
)

torch.manual_seed(0)
small = {"layers_per_block": 1, "norm_num_groups": 8}
unet = UNet2DConditionModel(
    sample_size=8, in_channels=4, out_channels=4, cross_attention_dim=32, **small,
    block_out_channels=(32, 32),
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
)
vae = AutoencoderKL(
    in_channels=3, out_channels=3, latent_channels=4, **small, block_out_channels=(32,),
)
table = DDIMScheduler(
    beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, timestep_spacing="trailing",
    clip_sample=False, steps_offset=1,
)
parts = {"vae": vae, "unet": unet, "scheduler": table, "text_encoder": None, "tokenizer": None}
parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
words = {"prompt_embeds": torch.zeros(1, 8, 32), "negative_prompt_embeds": torch.zeros(1, 8, 32)}


def first_input(pipe, image, **more):
    seen = []
    hook = unet.register_forward_pre_hook(lambda module, given: seen.append(given[0][:1].clone()))
    pipe.set_progress_bar_config(disable=True)
    pipe(image=image, strength=1.0, num_inference_steps=4, output_type="latent",
         generator=torch.Generator().manual_seed(0), **words, **more)
    hook.remove()
    return seen[0]


zeros, ones = torch.zeros(1, 4, 8, 8), torch.ones(1, 4, 8, 8)  # taken as latents
painted = StableDiffusionImg2ImgPipeline(**parts)
share = (first_input(painted, ones) - first_input(painted, zeros)).mean().item()
filled = StableDiffusionInpaintPipeline(**parts)
mask = {"mask_image": torch.ones(1, 1, 8, 8), "height": 8, "width": 8}
difference = first_input(filled, ones, **mask) - first_input(filled, zeros, **mask)
other = difference.abs().mean().item()
print(f"share of the picture in what the network sees first: image-to-image {share:.3f}, "
      f"inpainting {other:.3f}")
assert abs(share - 0.068) < 0.002 and other == 0, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/trial.py"
