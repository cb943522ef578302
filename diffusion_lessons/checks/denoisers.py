"""Building blocks of the checks of lesson 02: formulas right as they stand, wrong where changed."""

from collections.abc import Callable

import torch
from torch import Tensor

from diffusion_lessons import prediction
from diffusion_lessons.schedule import add_noise, cosine


def posterior_mean(
    sign: float = -1.0,
    exponent: Callable = lambda noise_rate: 2 * noise_rate**2,
    shrink: bool = True,
    distance: Callable = lambda difference: (difference**2).sum(-1),
    axis: int = 1,
    answer: float = 0.0,
) -> Callable:
    """(x_t, x_0_set, signal_rate, noise_rate) to the weighted mean of the set."""

    def denoise(x_t: Tensor, x_0_set: Tensor, signal_rate: float, noise_rate: float) -> Tensor:
        members = signal_rate * x_0_set if shrink else x_0_set
        exponents = sign * distance(x_t[:, None] - members[None]) / exponent(noise_rate)
        mean = torch.softmax(exponents, dim=axis) @ x_0_set
        return mean * signal_rate if answer else mean

    return denoise


def most_likely(x_t: Tensor, x_0_set: Tensor, signal_rate: float, noise_rate: float) -> Tensor:
    """The one member that fits best, not the mean."""
    return x_0_set[torch.cdist(x_t, signal_rate * x_0_set).argmin(dim=1)]


def not_normalised(x_t: Tensor, x_0_set: Tensor, signal_rate: float, noise_rate: float) -> Tensor:
    """A weighted sum whose weights do not add up to 1."""
    distance = torch.cdist(x_t, signal_rate * x_0_set) ** 2
    return torch.exp(-distance / (2 * noise_rate**2)) @ x_0_set


def waves(factor: float = 1.0, first: Callable = torch.sin, then: Callable = torch.cos) -> Callable:
    """(t, frequency) to two waves of each angle, one kind after the other."""

    def features(t: Tensor, frequency: Tensor) -> Tensor:
        angle = factor * t[:, None] * frequency
        return torch.cat([first(angle), then(angle)], dim=1)

    return features


def interleaved(t: Tensor, frequency: Tensor) -> Tensor:
    """Sine and cosine of each angle, one beside the other."""
    angle = t[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)


def read_off(
    kind: str, output: Tensor, x_t: Tensor, signal_rate: float, noise_rate: float
) -> Tensor:
    """What `prediction.read_off` finds, as one tensor (2, B, ...)."""
    rates = (torch.full((len(x_t), 1, 1, 1), rate) for rate in (signal_rate, noise_rate))
    found = prediction.read_off(kind, output, x_t, *rates)
    return torch.stack([found.x_0, found.eps])


def only(kind: str, guesses: Callable) -> Callable:
    """A slip in one kind: `guesses(output, x_t, a, b)` for that kind, the truth for the others."""

    def both(said: str, output: Tensor, x_t: Tensor, a: float, b: float) -> Tensor:
        if said != kind:
            raise ValueError(f"this slip is about {kind}")
        return torch.stack(guesses(output, x_t, a, b))

    return both


def loss(
    says: Callable = lambda x_0, x_t, eps: eps,
    shown: Callable = lambda x_0, x_t: x_t,
    error: Callable = lambda difference: (difference**2).mean(),
    schedule: Callable = cosine,
    told: bool = True,
) -> Callable:
    """(model, x_0, t, eps) to the error of the network."""

    def measure(model: Callable, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        x_t = add_noise(x_0, eps, t, schedule)
        output = model(shown(x_0, x_t), t) if told else model(shown(x_0, x_t))
        return error(output - says(x_0, x_t, eps))

    return measure


def plain_mix(model: Callable, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """The loss with noise added without rates."""
    return ((model(x_0 + eps, t) - eps) ** 2).mean()
