"""Stable Diffusion's parts with few random weights, saved in folders where its lines look for them.

`from_pretrained` takes a folder of that name before it asks the network.
"""

import json
from pathlib import Path

import diffusers
import peft
import torch
from torch import nn
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

GROUPS, WIDTH = 8, 32
LEVELS = {
    "block_out_channels": (16, 32), "layers_per_block": 1, "norm_num_groups": GROUPS,
    "cross_attention_dim": WIDTH, "attention_head_dim": 8,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
}  # fmt: skip
READER = {
    "hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 1,
    "num_attention_heads": 2, "projection_dim": WIDTH,
}  # fmt: skip


def save_all(folder: Path) -> None:
    """Save the pipeline, the ControlNet, the LoRA and the IP-Adapter of lesson 06's last lines."""
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(
        sample_size=8, up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), **LEVELS
    )
    autoencoder = diffusers.AutoencoderKL(
        down_block_types=4 * ["DownEncoderBlock2D"], up_block_types=4 * ["UpDecoderBlock2D"],
        block_out_channels=4 * [GROUPS], norm_num_groups=4,
    )  # fmt: skip
    branch = diffusers.ControlNetModel(conditioning_embedding_out_channels=4 * (16,), **LEVELS)
    for weight in branch.parameters():
        nn.init.normal_(weight, std=0.2)  # a fresh one adds nothing
    words = [*map(chr, range(33, 127)), *(f"{chr(code)}</w>" for code in range(33, 127))]
    _save_readers(folder, unet, autoencoder, ["<|startoftext|>", "<|endoftext|>", *words])
    branch.save_pretrained(folder / "lllyasviel" / "sd-controlnet-scribble")
    _save_lora(folder / "a" / "style", unet)
    _save_ip_adapter(folder / "h94" / "IP-Adapter" / "models", unet)


def _save_readers(folder: Path, unet: nn.Module, autoencoder: nn.Module, words: list[str]) -> None:
    """The pipeline with what reads its words: letters, here."""
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    files = (str(folder / name) for name in ("vocab.json", "merges.txt"))
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    diffusers.StableDiffusionPipeline(
        autoencoder,
        CLIPTextModel(CLIPTextConfig(vocab_size=len(words), **ends, **READER)),
        CLIPTokenizer(*files, model_max_length=77),
        unet, diffusers.DDIMScheduler(clip_sample=False, steps_offset=1), None, None,
        requires_safety_checker=False,
    ).save_pretrained(folder / "stable-diffusion-v1-5" / "stable-diffusion-v1-5")  # fmt: skip


def _save_lora(folder: Path, unet: nn.Module) -> None:
    settings = peft.LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False)
    unet.add_adapter(settings)
    weights = peft.get_peft_model_state_dict(unet)
    diffusers.StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=weights)
    unet.delete_adapters("default")


def _save_ip_adapter(folder: Path, unet: nn.Module) -> None:
    """Its encoder of pictures, its tokens, and keys and values for every second attention."""
    reader = CLIPVisionModelWithProjection(CLIPVisionConfig(image_size=32, patch_size=16, **READER))
    reader.save_pretrained(folder / "image_encoder")
    CLIPImageProcessor(size=32, crop_size=32).save_pretrained(folder / "image_encoder")
    looks = [name.removesuffix(".processor") for name in unet.attn_processors if "attn2" in name]
    adapter = {
        f"{2 * n + 1}.{to}_ip.weight": torch.randn(
            unet.get_submodule(name).to_k.out_features, WIDTH
        )
        for n, name in enumerate(looks)
        for to in ("to_k", "to_v")
    }
    tokens = {
        "proj.weight": torch.randn(4 * WIDTH, WIDTH), "proj.bias": torch.zeros(4 * WIDTH),
        "norm.weight": torch.ones(WIDTH), "norm.bias": torch.zeros(WIDTH),
    }  # fmt: skip
    torch.save({"image_proj": tokens, "ip_adapter": adapter}, folder / "ip-adapter_sd15.bin")
