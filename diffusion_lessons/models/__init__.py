"""Networks: the two recognisers, the U-Net of the lessons, and a small one for points."""

from .garments import FashionJudge
from .points import PointNet
from .readers import FEATURES, Judge, Reader, Recogniser, count_parameters
from .shipped import load_unet
from .unet import Attention, Down, ResBlock, UNet, Up, time_features

__all__ = [
    "FEATURES",
    "Attention",
    "Down",
    "FashionJudge",
    "Judge",
    "PointNet",
    "Reader",
    "Recogniser",
    "ResBlock",
    "UNet",
    "Up",
    "count_parameters",
    "load_unet",
    "time_features",
]
