"""Networks: the two recognisers, the U-Net of the lessons, and a small one for points."""

from .readers import FEATURES, Judge, Reader, Recogniser, count_parameters

__all__ = ["FEATURES", "Judge", "Reader", "Recogniser", "count_parameters"]
