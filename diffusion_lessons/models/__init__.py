"""Networks: the two recognisers, the U-Net of the lessons, and a small one for points."""

from .garments import FashionJudge
from .readers import FEATURES, Judge, Reader, Recogniser, count_parameters

__all__ = ["FEATURES", "FashionJudge", "Judge", "Reader", "Recogniser", "count_parameters"]
