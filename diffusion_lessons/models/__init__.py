"""Networks: autoencoder, caption encoder, the U-Nets, a transformer, LoRAs, one for points."""

from .autoencoder import Autoencoder
from .caption_encoder import CaptionEncoder, CaptionReader
from .controlnet import ControlledUNet, ControlNet, zero_conv
from .engine import QuickDecoder, QuickTransformer, QuickUNet
from .ip_adapter import IPAdapter
from .layers import Attention, CrossAttention, Down, ResBlock, Up, count_parameters, time_features
from .lora import LoRA
from .points import PointNet
from .shipped import (
    load_autoencoder,
    load_caption_reader,
    load_controlnet,
    load_denoiser,
    load_ip_adapter,
    load_lora,
    load_text_unet,
    load_unet,
)  # fmt: skip
from .transformer import Transformer
from .unet import TextUNet, UNet

__all__ = [
    "Attention", "Autoencoder", "CaptionEncoder", "CaptionReader", "ControlNet", "ControlledUNet",
    "CrossAttention", "Down", "IPAdapter", "LoRA", "PointNet", "QuickDecoder", "QuickTransformer",
    "QuickUNet", "ResBlock", "TextUNet", "Transformer", "UNet", "Up", "count_parameters",
    "load_autoencoder", "load_caption_reader", "load_controlnet", "load_denoiser",
    "load_ip_adapter", "load_lora", "load_text_unet", "load_unet", "time_features", "zero_conv",
]  # fmt: skip
