"""The classifier of Fashion-MNIST: like the judge of postcards, it only measures."""

from __future__ import annotations

from torch import Tensor, nn


def convolution(channels: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution, a batch norm and a bend; a stride of 2 halves height and width."""
    return nn.Sequential(
        nn.Conv2d(channels, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class FashionJudge(nn.Module):
    """A plain CNN: pictures (B, 1, 28, 28) in [-1, 1] to logits (B, 10), one for each class."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(1, 32),  # (B, 32, 28, 28)
            convolution(32, 32, stride=2),  # (B, 32, 14, 14)
            convolution(32, 64),
            convolution(64, 64, stride=2),  # (B, 64, 7, 7)
            convolution(64, 96),
            nn.AdaptiveAvgPool2d(3),  # (B, 96, 3, 3)
            nn.Flatten(),
            nn.Linear(96 * 3 * 3, 128),
            nn.ReLU(),
        )
        self.head = nn.Linear(128, 10)

    def features(self, images: Tensor) -> Tensor:
        """What the last layer sees of each picture: (B, 128)."""
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        """Pictures (B, 1, 28, 28) to logits (B, 10)."""
        return self.head(self.features(images))
