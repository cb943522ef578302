"""Networks: autoencoder, caption encoder, the U-Nets, a transformer, LoRAs, one for points."""

from .autoencoder import Autoencoder
from .caption_encoder import CaptionEncoder, CaptionReader
from .controlnet import ControlledUNet, ControlNet, zero_conv
from .engine import QuickDecoder, QuickTransformer, QuickUNet, QuickUpsampler
from .ip_adapter import IPAdapter
from .layers import Attention, CrossAttention, Down, ResBlock, Up, count_parameters, time_features
from .lora import LoRA
from .points import PointNet
from .shipped import (
    load_autoencoder,
    load_caption_reader,
    load_controlnet,
    load_decoder,
    load_denoiser,
    load_ip_adapter,
    load_lora,
    load_text_unet,
    load_unet,
)  # fmt: skip
from .transformer import Transformer
from .unet import TextUNet, UNet
from .upsampler import Upsampler, augment, details, shrink, with_details

__all__ = [
    "Attention", "Autoencoder", "CaptionEncoder", "CaptionReader", "ControlNet", "ControlledUNet",
    "CrossAttention", "Down", "IPAdapter", "LoRA", "PointNet", "QuickDecoder", "QuickTransformer",
    "QuickUNet", "QuickUpsampler", "ResBlock", "TextUNet", "Transformer", "UNet", "Up",
    "Upsampler", "augment", "count_parameters", "details", "load_autoencoder",
    "load_caption_reader", "load_controlnet", "load_decoder", "load_denoiser", "load_ip_adapter",
    "load_lora", "load_text_unet", "load_unet", "shrink", "time_features", "with_details",
    "zero_conv",
]  # fmt: skip
