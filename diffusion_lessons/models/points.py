"""A small network for points in the plane, for the lesson's first steps."""

import math

import torch
from torch import Tensor, nn

from diffusion_lessons import arguments

from .layers import TIME_FEATURES, time_features

_WAVES = 4  # for x and for y; each is twice as fast as the one before


class PointNet(nn.Module):
    """Three hidden layers, `width` wide: a noisy point and its time in, a guess of it out.

    Waves of the place tell near points apart, as waves of the time do for times: thin lines
    are learned much sooner. Tancik et al. 2020, section 4.
    """

    outer_layers = ("layers.0", "layers.6")  # AdamW trains these, Muon what lies between

    def __init__(self, width: int = 64):
        super().__init__()
        arguments.sizes(locals())
        self.layers = nn.Sequential(
            nn.Linear(2 + 4 * _WAVES + TIME_FEATURES, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, 2),
        )  # fmt: skip

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Return (B, 2), from x_t (B, 2) and t (B,) in [0, 1]."""
        like = next(self.parameters()).dtype
        arguments.shape("x_t", x_t, ("B", 2), holds=like)
        arguments.shape("t", t, x_t.shape[:1], ", one each", like)
        waves = torch.cat([math.pi * 2 ** (k - 1) * x_t for k in range(_WAVES)], dim=1)  # (B, 8)
        return self.layers(torch.cat([x_t, waves.sin(), waves.cos(), time_features(t)], dim=1))
