"""Pictures to train on: postcards, Fashion-MNIST or the learner's own, as batches in [-1, 1].

sets      `load` and what it returns
fashion   Fashion-MNIST: found or downloaded, and checked
"""

from .fashion import DataUnavailable
from .sets import MAX_SEED, NAMES, Batch, PictureSet, labels, load, sample_scenes

__all__ = [
    "MAX_SEED", "NAMES", "Batch", "DataUnavailable", "PictureSet", "labels", "load",
    "sample_scenes",
]  # fmt: skip
