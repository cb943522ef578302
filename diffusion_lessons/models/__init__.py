"""Networks: autoencoder, tokeniser, caption encoder, U-Nets, transformers, LoRAs, for points."""

from .autoencoder import Autoencoder
from .caption_encoder import CaptionEncoder, CaptionReader
from .code_writer import Cache, CodeWriter, causal_mask
from .controlnet import ControlledUNet, ControlNet, zero_conv
from .engine import QuickDecoder, QuickTransformer, QuickUNet, QuickUpsampler
from .ip_adapter import IPAdapter
from .layers import Attention, CrossAttention, Down, ResBlock, Up, count_parameters, time_features
from .lora import LoRA
from .points import PointNet
from .shipped import (
    load_autoencoder,
    load_caption_reader,
    load_code_writer,
    load_controlnet,
    load_decoder,
    load_denoiser,
    load_ip_adapter,
    load_lora,
    load_text_unet,
    load_tokeniser,
    load_unet,
)  # fmt: skip
from .tokeniser import TokenisedAutoencoder, Tokeniser, perplexity, quantise
from .transformer import Transformer
from .unet import TextUNet, UNet
from .upsampler import Upsampler, augment, details, shrink, with_details

__all__ = [
    "Attention", "Autoencoder", "Cache", "CaptionEncoder", "CaptionReader", "CodeWriter",
    "ControlNet", "ControlledUNet", "CrossAttention", "Down", "IPAdapter", "LoRA", "PointNet",
    "QuickDecoder", "QuickTransformer", "QuickUNet", "QuickUpsampler", "ResBlock", "TextUNet",
    "TokenisedAutoencoder", "Tokeniser", "Transformer", "UNet", "Up", "Upsampler",
    "augment", "causal_mask",
    "count_parameters", "details", "load_autoencoder", "load_caption_reader", "load_code_writer",
    "load_controlnet", "load_decoder", "load_denoiser", "load_ip_adapter", "load_lora",
    "load_text_unet", "load_tokeniser", "load_unet", "perplexity", "quantise", "shrink",
    "time_features", "with_details", "zero_conv",
]  # fmt: skip
