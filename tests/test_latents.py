"""Latents: closed forms against torch's own, what each part of the loss sees, and training."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from diffusion_lessons import latents
from diffusion_lessons.models import Autoencoder
from diffusion_lessons.training.fit import inner_weights


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tiny(seed=0):
    torch.manual_seed(seed)
    return Autoencoder((8, 16), (1, 1), (16, 8, 8), (1, 1, 1))


def batches(step):
    """Four pictures of 2x2 squares of one colour each."""
    images = random(4, 3, 2, 2, seed=step).clamp(-1, 1)
    images = images.repeat_interleave(8, 2).repeat_interleave(8, 3)
    mask = torch.zeros(4, 1, 16, 16, dtype=torch.bool)
    mask[:, :, 4:8, 4:8] = True
    return images, mask


def sample(mean, log_variance, seed=0):
    return latents.sample_latent(mean, log_variance, torch.Generator().manual_seed(seed))


# --- the KL term, and drawing from a latent ---


def test_kl_is_that_of_torch_and_zero_for_plain_noise_alone():
    mean, log_variance = random(2, 4, 8, 8), random(2, 4, 8, 8, seed=1) * 3
    found = latents.kl(mean, log_variance)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    assert found.shape == mean.shape and found.min() >= 0
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)
    means, variances = torch.tensor([0, 2.0, 0]), torch.tensor([1, 1, 0.01])
    by_hand = [0, 2, 0.5 * (0.01 - 1 - math.log(0.01))]
    assert latents.kl(means, variances.log()).tolist() == pytest.approx(by_hand)


def test_samples_have_the_mean_and_the_variance_and_are_settled_by_their_generator():
    mean, variance = torch.tensor([-1.0, 0.0, 3.0]), torch.tensor([0.01, 1.0, 4.0])
    many = mean.expand(40_000, 3), variance.log().expand(40_000, 3)
    first, again, other = (sample(*many, seed) for seed in (5, 5, 6))
    assert torch.allclose(first.mean(0), mean, atol=0.03)
    assert torch.allclose(first.var(0), variance, rtol=0.03)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.allclose(sample(mean, mean * 0 - 20), mean, atol=3e-4)


def test_gradients_go_through_a_sample():
    mean, log_variance = random(4).requires_grad_(), random(4, seed=1).requires_grad_()
    z = sample(mean, log_variance)
    z.sum().backward()
    assert mean.grad.tolist() == [1, 1, 1, 1]
    assert torch.allclose(log_variance.grad, (z - mean).detach() / 2)


# --- what the loss sees ---


def test_whoever_is_right_has_no_loss_and_an_even_shift_costs_its_size_and_more_inside():
    images, mask = batches(0)
    assert latents.reconstruction_loss(images, images, mask) == 0
    assert latents.perceptual_loss(images, images, lambda x: x) == 0
    loss = latents.reconstruction_loss(images + 0.1, images, mask)
    assert loss == pytest.approx(0.1 * (1 + latents.MASK_WEIGHT), rel=1e-4)


def test_the_same_error_costs_more_inside_the_things():
    images, mask = torch.zeros(4, 3, 16, 16), batches(0)[1]
    inside, outside = images + 0.1 * mask, images + 0.1 * mask.roll((4, 4), dims=(2, 3))
    more, less = (float(latents.reconstruction_loss(x, images, mask)) for x in (inside, outside))
    assert more - less == pytest.approx(0.1 * latents.MASK_WEIGHT, rel=1e-4)


def test_one_step_of_brightness_costs_by_its_slope():
    images, mask = torch.zeros(1, 3, 4, 6), torch.zeros(1, 1, 4, 6, dtype=torch.bool)
    assert latents.reconstruction_loss(images + 1, images, mask) == pytest.approx(1)
    decoded = images.clone()
    decoded[..., 3:] = 0.5  # one step of 0.5 among five differences along a row
    expected = 0.25 + latents.SLOPE_WEIGHT * 0.5 / 5
    assert latents.reconstruction_loss(decoded, images, mask) == pytest.approx(expected)


def test_the_perceptual_loss_is_a_share_of_the_features():
    images = random(2, 3, 8, 8)
    for scale in (1.0, 50.0):
        loss = latents.perceptual_loss(images * 1.2, images, lambda x, scale=scale: scale * x)
        assert loss == pytest.approx(0.2, rel=1e-4)


def test_the_features_of_real_pictures_take_no_gradient():
    images, decoded = random(2, 3, 8, 8).requires_grad_(), random(2, 3, 8, 8, seed=1)
    decoded.requires_grad_()
    latents.perceptual_loss(decoded, images, lambda x: x.square()).backward()
    assert images.grad is None and decoded.grad.abs().max() > 0


# --- training ---


def train(steps=4, seed=0, shown=batches, **chosen):
    settings = {"learning_rate": 3e-3, "kl_weight": 1e-3, "ema_decay": 0.9} | chosen
    return latents.train_autoencoder(tiny(), shown, steps, seed=seed, **settings)


def test_training_learns_and_repeats_itself():
    chosen = {"learning_rate": 2e-2, "shown": lambda step: batches(0)}
    first, again = ([done.loss for done in train(30, **chosen)] for _ in range(2))
    assert first == again
    assert sum(first[-5:]) < 0.8 * sum(first[:5])


def test_the_seed_settles_the_noise_and_the_global_generator_nothing():
    losses = []
    for seed, global_seed in ((0, 1), (0, 2), (1, 1)):
        fit = train(seed=seed)
        torch.manual_seed(global_seed)
        losses.append([done.loss for done in fit])
    assert losses[0] == losses[1] != losses[2]


def test_the_loss_of_the_first_step_is_the_sum_of_its_parts():
    features = lambda x: x.mean((2, 3))  # noqa: E731
    fit = train(kl_weight=0.25, features=features, seed=3)
    model, (images, mask) = tiny(), batches(0)
    with torch.no_grad():
        mean, log_variance = model.encode(images)
        noise = torch.Generator().manual_seed(2**31 + 3 * 1_000_003)
        decoded = model.decode(latents.sample_latent(mean, log_variance, noise))
        expected = (
            latents.reconstruction_loss(decoded, images, mask)
            + 0.25 * latents.kl(mean, log_variance).mean()
            + latents.PERCEPTUAL_WEIGHT * latents.perceptual_loss(decoded, images, features)
        )
    assert next(iter(fit)).loss == pytest.approx(float(expected), rel=1e-5)


def test_more_kl_brings_the_latents_nearer_to_noise():
    def distance(kl_weight):
        fit = train(30, kl_weight=kl_weight, learning_rate=5e-3)
        list(fit)
        with torch.no_grad():
            return float(latents.kl(*fit.model.encode(batches(999)[0])).mean())

    assert distance(1.0) < 0.5 * distance(0.0)


def test_muon_steps_the_inner_weights_and_a_plain_average_is_kept():
    fit = train()
    inner = inner_weights(fit.model)
    assert inner and not [n for n in inner if n.startswith(Autoencoder.outer_layers)]
    list(fit)
    assert fit.ema is not fit.model
    without = train(ema_decay=None)
    assert without.ema is without.model


def test_half_precision_learns_too_and_keeps_whole_weights(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    fit = train(20, half=True)
    losses = [done.loss for done in fit]
    assert sum(losses[-5:]) < sum(losses[:5]) and losses != [done.loss for done in train(20)]
    assert {p.dtype for p in fit.model.parameters()} == {torch.float32}


def test_pictures_of_another_size_are_refused_by_name():
    fit = train(shown=lambda _: (torch.zeros(1, 3, 12, 12), torch.ones(1, 1, 12, 12).bool()))
    with pytest.raises(ValueError, match=r"\(1, 3, 12, 12\).*8h, 8w"):
        list(fit)
