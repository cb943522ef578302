"""Training: one loss for every kind of prediction, and a loop that can be stopped and resumed.

loss         the diffusion loss, and `train`, which fits a denoiser to it
preference   the loss of choices between two pictures, by which a denoiser learns a taste
fit          the loop that fits any network to any loss
muon         the optimizer: Muon for a network's inner weights, AdamW for the others
distributed  one training in several processes, each with a share of every batch
resume       a long training kept on disk: stopped at any moment, resumed by the next call
"""

from .fit import Fit, fit_seeded
from .loss import (
    LARGEST_WEIGHT,
    LEAST_TIME,
    Batches,
    diffusion_loss,
    loss_of_each,
    spread_times,
    train,
)
from .preference import dpo_loss

__all__ = [
    "LARGEST_WEIGHT", "LEAST_TIME", "Batches", "Fit", "diffusion_loss", "dpo_loss", "fit_seeded",
    "loss_of_each", "spread_times", "train",
]  # fmt: skip
