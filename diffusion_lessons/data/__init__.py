"""Pictures to train on: postcards, Fashion-MNIST or the learner's own, as batches in [-1, 1].

sets      `load` and what it returns
pixels    one picture from outside: any size and mode to a square in [-1, 1]
fashion   Fashion-MNIST: found or downloaded, and checked
"""

from .fashion import DataUnavailable
from .pixels import read_image, read_mask
from .sets import MAX_SEED, NAMES, Batch, PictureSet, labels, load, sample_scenes

__all__ = [
    "MAX_SEED", "NAMES", "Batch", "DataUnavailable", "PictureSet", "labels", "load",
    "read_image", "read_mask", "sample_scenes",
]  # fmt: skip
