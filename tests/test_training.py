"""The loss is right for each kind of prediction; training depends on nothing but its arguments."""

import pytest
import torch

from diffusion_lessons import data, prediction, schedule, training
from diffusion_lessons.data import Batch
from diffusion_lessons.models import PointNet, UNet


def mix(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x_0, eps = torch.randn(2, 6, 1, 4, 4, generator=generator)
    return x_0, eps, torch.rand(6, generator=generator).clamp(0.35, 0.85)


def loss_of(output, kind, road=schedule.cosine, t=None):
    """The loss of a network that says the same whatever it is shown."""
    x_0, eps, at = mix()
    return training.diffusion_loss(lambda *_: output, x_0, at if t is None else t, eps, road, kind)


@pytest.mark.parametrize("kind", prediction.KINDS)
@pytest.mark.parametrize("road", [schedule.cosine, schedule.linear, schedule.flow])
def test_whoever_is_right_has_no_loss(kind, road):
    x_0, eps, t = mix()
    answer = prediction.target(kind, x_0, eps, *road(t))
    assert loss_of(answer, kind, road) == 0 and loss_of(answer + 1, kind, road) > 0.5


def test_the_loss_of_noise_is_the_mean_squared_error_and_little_noise_does_not_blow_it_up():
    x_0, eps, _ = mix()
    assert loss_of(0 * x_0, "eps") == pytest.approx((eps**2).mean().item())
    nearly_clean = loss_of(0 * x_0, "x_0", t=torch.full((6,), 1e-6))
    assert nearly_clean == pytest.approx(10 * (x_0**2).mean().item(), rel=1e-3)


@pytest.mark.parametrize("road", [schedule.cosine, schedule.flow])
def test_the_weights_make_an_error_in_x_0_one_in_v(road):
    """The same wrong guess costs the same, whether it is predicted as x_0, as v or as velocity."""
    x_0, eps, t = mix()
    wrong = x_0 + 0.3 * torch.sin(7 * x_0)
    rates = road(t)
    x_t = schedule.add_noise(x_0, eps, t, road)
    eps_of_wrong = prediction.read_off("x_0", wrong, x_t, *rates).eps
    same = "v" if road is schedule.cosine else "velocity"
    output = prediction.target(same, wrong, eps_of_wrong, *rates)
    as_other = loss_of(output, same, road).item()
    assert loss_of(wrong, "x_0", road) == pytest.approx(as_other, rel=1e-4)


def test_labels_reach_the_network():
    x_0, eps, t = mix()
    labels = eps * torch.arange(6).view(6, 1, 1, 1)
    model = lambda x_t, t, given: given  # noqa: E731
    told = training.diffusion_loss(model, x_0, t, eps, schedule.cosine, "eps", labels)
    assert told == loss_of(labels, "eps") > 0


def test_a_weight_is_of_each_number():
    x_0, eps, t = mix()
    weight = torch.arange(x_0.numel()).view_as(x_0) % 3 * 4.0
    given = (lambda x_t, t: 0 * x_t, x_0, t, eps, schedule.cosine, "eps", None, weight)
    assert training.diffusion_loss(*given) == pytest.approx((weight * eps**2).mean().item())
    network, points, none = PointNet(), torch.ones(4, 2), torch.zeros(4, 0)
    fits = [
        training.train(
            network, lambda _, w=w: Batch(points, none, [], w), schedule.flow, "velocity", 1, 0.0
        )
        for w in (None, torch.full((4, 2), 3.0))
    ]
    plain, thrice = (next(iter(fit)).loss for fit in fits)
    assert thrice == pytest.approx(3 * plain)


def test_times_are_spread_evenly():
    dice, least = torch.Generator().manual_seed(1), training.LEAST_TIME
    t = training.spread_times(8, dice)
    assert t.shape == (8,) and t.min() >= least and t.max() <= 1
    assert sorted(((t - least) / (1 - least) * 8).int().tolist()) == list(range(8))
    many = torch.cat([training.spread_times(4, dice) for _ in range(2000)])
    assert many.mean() == pytest.approx(0.5, abs=0.01)


def run(fit, until):
    return [done.loss for _, done in zip(range(until), fit, strict=False)]


def start():
    torch.manual_seed(0)
    model, batches = UNet(3, (8, 8), (1, 1), factors=(8, 7)), data.load("sprites", 16).batches(4, 1)
    return training.train(model, batches, schedule.cosine, "x_0", 6, 1e-2, seed=1)


def test_the_same_seed_trains_the_same_network_also_when_it_is_stopped():
    whole, part, again = start(), start(), start()
    losses = run(whole, 6)
    torch.manual_seed(5)  # training does not look at torch's own dice
    assert run(part, 3) == losses[:3]
    again.restore(part.state(), part.step)
    assert run(part, 3) == losses[3:] == pytest.approx(run(again, 3), rel=1e-5)
    assert all(map(torch.equal, whole.ema.parameters(), part.ema.parameters()))
    ends = (dict(fit.ema.named_parameters()) for fit in (whole, again))
    torch.testing.assert_close(*ends, rtol=1e-4, atol=1e-6)


def test_points_without_labels_are_learned():
    corners = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])

    def batches(step):
        return Batch(corners.repeat(32, 1), torch.zeros(64, 0).long(), [""] * 64)

    torch.manual_seed(0)
    fit = training.train(PointNet(64), batches, schedule.cosine, "x_0", 400, 1e-2)
    losses = run(fit, 400)
    assert sum(losses[-20:]) < 0.3 * sum(losses[:20])
    denoise = prediction.as_denoiser(fit.ema, schedule.cosine, "x_0")
    x_t = 0.6 * corners
    with torch.no_grad():
        guess = denoise(x_t, torch.full((2,), 0.5)).x_0
    assert (guess - corners).abs().max() < 0.2
