"""A small network for points in the plane, for the lesson's first steps."""

import torch
from torch import Tensor, nn

from .layers import TIME_FEATURES, time_features


class PointNet(nn.Module):
    """Three hidden layers, `width` wide: a noisy point and its time in, a guess of it out."""

    outer_layers = ("layers.0", "layers.6")  # AdamW trains these, Muon what lies between

    def __init__(self, width: int = 128):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 + TIME_FEATURES, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, 2),
        )  # fmt: skip

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Return (B, 2), from x_t (B, 2) and t (B,) in [0, 1]."""
        return self.layers(torch.cat([x_t, time_features(t)], dim=1))
