"""The checks of lesson 04: right answers pass, however written, and plausible slips are named."""

import pytest
import torch
from torch.nn import functional

from diffusion_lessons import checks, latents
from diffusion_lessons.checks import latents as lists
from diffusion_lessons.models import Autoencoder

# --- right answers ---


def decode_solution(z, net):
    h = net.up(net.from_latent(z))
    return functional.pixel_shuffle(net.head(h), 2)


def decode_by_hand(z, net):
    """Each place's 12 channels laid out as 3 colours of a 2x2 square, without pixel_shuffle."""
    h = net.head(net.up(net.from_latent(z)))
    b, _, height, width = h.shape
    squares = h.view(b, 3, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
    return squares.reshape(b, 3, 2 * height, 2 * width)


def encode_solution(images, net, eps):
    h = net.down(net.stem(functional.pixel_unshuffle(images, 4)))
    mean, log_variance = net.to_latent(h).chunk(2, dim=1)
    return mean + (log_variance / 2).exp() * eps


def encode_by_the_package(images, net, eps):
    mean, log_variance = net.encode(images)
    return mean + log_variance.exp().sqrt() * eps


def kl_solution(mean, log_variance):
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)


def kl_of_torch(mean, log_variance):
    bell = torch.distributions.Normal(mean, (log_variance / 2).exp())
    return torch.distributions.kl_divergence(bell, torch.distributions.Normal(0.0, 1.0))


def noise_solution(z, eps, rates, scaling_factor):
    a, b = rates
    return a * (scaling_factor * z) + b * eps


def back_solution(x_0, decode, scaling_factor):
    return decode(x_0 / scaling_factor)


RIGHT = {
    "decode": [decode_solution, decode_by_hand],
    "encode": [encode_solution, encode_by_the_package],
    "kl": [kl_solution, kl_of_torch],
    "bug_noise": [noise_solution],
    "bug_back": [back_solution],
}
CASES = [(name, function) for name, functions in RIGHT.items() for function in functions]


@pytest.mark.parametrize(("name", "function"), CASES)
def test_a_right_answer_passes(name, function):
    report = getattr(checks, f"check_{name}")(function)
    assert report.passed, repr(report)


def test_the_solutions_are_the_package_s():
    """On an autoencoder of the usual size, so that the lesson may go on with the package's."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Autoencoder().eval().requires_grad_(False)
        for weight in net.parameters():
            torch.nn.init.normal_(weight, std=0.05)
    chance = torch.Generator().manual_seed(1)
    images = torch.rand(2, 3, 32, 32, generator=chance) * 2 - 1
    eps = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(2))
    mean, log_variance = net.encode(images)
    z = latents.sample_latent(mean, log_variance, torch.Generator().manual_seed(2))
    torch.testing.assert_close(encode_solution(images, net, eps), z)
    torch.testing.assert_close(decode_solution(z, net), net.decode(z))
    torch.testing.assert_close(kl_solution(mean, log_variance), latents.kl(mean, log_variance))


# --- slips ---

SLIPS = {
    "decode": lists.DECODE_SLIPS,
    "encode": lists.ENCODE_SLIPS,
    "kl": lists.KL_SLIPS,
    "bug_noise": lists.NOISE_SLIPS,
    "bug_back": lists.BACK_SLIPS,
}
EACH = [(name, slip) for name, slips in SLIPS.items() for slip in slips]


@pytest.mark.parametrize(("name", "slip"), EACH, ids=[slip.words[:40] for _, slip in EACH])
def test_each_slip_is_named_and_not_taken_for_another(name, slip):
    report = getattr(checks, f"check_{name}")(slip.function)
    assert report.verdict == "not yet"
    assert report.words == (slip.words,)


def test_every_exercise_knows_four_slips_or_more():
    assert {name: len(slips) >= 4 for name, slips in SLIPS.items()} == dict.fromkeys(SLIPS, True)


def returns_nothing(z, net):
    net.decode(z)


def forgets_the_last_unfolding(z, net):
    return net.head(net.up(net.from_latent(z)))


def forgets_the_first_layer(z, net):
    return functional.pixel_shuffle(net.head(net.up(z)), 2)


def draws_its_own(images, net, eps):
    return encode_solution(images, net, torch.randn_like(eps))


def root_of_the_logarithm(images, net, eps):
    h = net.down(net.stem(functional.pixel_unshuffle(images, 4)))
    mean, log_variance = net.to_latent(h).chunk(2, dim=1)
    return mean + log_variance.sqrt() * eps


def changes_its_input(z, eps, rates, scaling_factor):
    z *= scaling_factor
    return rates[0] * z + rates[1] * eps


def noise_as_printed(z, eps, rates, scaling_factor):
    a, b = rates
    return scaling_factor * (a * z + b * eps)


def back_as_printed(x_0, decode, scaling_factor):
    return decode(x_0) / scaling_factor


SAID = [
    ("decode", "nothing (None)", returns_nothing),
    ("decode", "expected (2, 3, 24, 24)", forgets_the_last_unfolding),
    ("decode", "it stopped with RuntimeError", forgets_the_first_layer),
    ("encode", "random numbers of its own", draws_its_own),
    ("encode", "nan or infinite", root_of_the_logarithm),
    ("kl", "expected (2, 4, 3, 3)", lambda m, lv: kl_solution(m, lv).mean()),
    ("kl", "the same when `mean` changes", lambda m, lv: lv.exp() - lv),
    ("bug_noise", "changed its input `z`", changes_its_input),
    ("bug_noise", "behaves as printed", noise_as_printed),
    ("bug_back", "behaves as printed", back_as_printed),
]


@pytest.mark.parametrize(("name", "words", "function"), SAID)
def test_what_else_learners_write_is_told(name, words, function):
    report = getattr(checks, f"check_{name}")(function)
    assert report.verdict == "not yet"
    assert words in repr(report)


@pytest.mark.parametrize("name", RIGHT)
def test_a_stub_is_a_friendly_note(name):
    def stub(*given):
        raise NotImplementedError

    assert getattr(checks, f"check_{name}")(stub).verdict == "to do"


def test_checks_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    for name, function in CASES:
        getattr(checks, f"check_{name}")(function)
    assert torch.equal(state, torch.get_rng_state())
