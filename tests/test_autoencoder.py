"""The autoencoder: shapes both ways, what each place of a latent sees, and refusals."""

import re

import pytest
import torch

from diffusion_lessons import postcards
from diffusion_lessons.models import Autoencoder, load_autoencoder
from diffusion_lessons.models.autoencoder import spread
from diffusion_lessons.models.layers import Down
from diffusion_lessons.scoring.statistics import psnr
from tests.small_pipe import awake, seeded


def network():
    torch.manual_seed(0)
    return Autoencoder((8, 16), (1, 1), (16, 8, 8), (1, 1, 1))


def pictures(*shape):
    return torch.rand(shape, generator=seeded()) * 2 - 1


@pytest.mark.parametrize("height, width", [(64, 64), (32, 32), (64, 96), (8, 8), (256, 256)])
def test_an_eighth_of_the_side_and_four_channels(height, width):
    model = network()
    mean, log_variance = model.encode(pictures(2, 3, height, width))
    assert mean.shape == log_variance.shape == (2, 4, height // 8, width // 8)
    assert model.decode(mean).shape == (2, 3, height, width)
    assert 2 * 3 * height * width == 48 * mean.numel()


def test_mean_and_variance_are_halves_of_one_layer():
    """The first four channels of the last layer are the means, the others log variances."""
    model = network()
    with torch.no_grad():
        model.to_latent.weight.zero_()
        model.to_latent.bias.copy_(torch.tensor([1.0, 2, 3, 4, -30, -5, 1, 30]))
    mean, log_variance = model.encode(pictures(1, 3, 8, 8))
    assert mean.flatten().tolist() == [1, 2, 3, 4]
    assert log_variance.flatten().tolist() == [-20, -5, 1, 2], "kept where exp is no trouble"


def test_any_variance_can_be_sampled_from():
    model = awake(network())
    with torch.no_grad():
        model.to_latent.weight *= 1000
    _, log_variance = model.encode(pictures(4, 3, 64, 64))
    std = (log_variance / 2).exp()
    assert std.isfinite().all() and std.min() > 0 and std.max() < 3


def without_norms(model):
    """A norm sees the whole map; without it, only what lies near reaches a place."""
    for module in list(model.modules()):
        for name, part in module.named_children():
            if isinstance(part, torch.nn.GroupNorm):
                setattr(module, name, torch.nn.Identity())
    return model


@pytest.mark.parametrize("row, column", [(64, 64), (71, 71), (64, 71), (67, 68)])
def test_every_pixel_of_a_square_reaches_its_latent_and_a_far_one_does_not(row, column):
    model, x = without_norms(awake(network())), pictures(1, 3, 128, 128)
    changed = x.clone()
    changed[0, :, row, column] += 1
    change = (model.encode(changed)[0] - model.encode(x)[0]).abs()[0].amax(0)
    assert change[8, 8] > 0 and change[7:10, 7:10].sum() > 0.5 * change.sum()
    assert change[:3].max() == change[:, 14:].max() == 0


def test_a_latent_is_drawn_where_its_square_was():
    model, z = without_norms(awake(network())), pictures(1, 4, 16, 16)
    changed = z.clone()
    changed[0, :, 8, 8] += 1
    change = (model.decode(changed) - model.decode(z)).abs()[0].amax(0)
    assert change[64:72, 64:72].min() > 0
    assert change[:24].max() == change[:, 112:].max() == 0


def test_pictures_of_a_batch_do_not_mix():
    model = awake(network())
    x, z = pictures(3, 3, 32, 32), pictures(3, 4, 4, 4)
    assert torch.allclose(model.encode(x)[0][1:2], model.encode(x[1:2])[0], atol=1e-5)
    assert torch.allclose(model.decode(z)[1:2], model.decode(z[1:2]), atol=1e-5)


def test_it_learns_to_give_a_picture_back():
    """Two pictures by heart: the path from picture through latent to picture carries news."""
    model = network()
    x = pictures(2, 3, 2, 2).repeat_interleave(8, 2).repeat_interleave(8, 3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(40):
        error = (model.decode(model.encode(x)[0]) - x).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert error < 0.1 * x.var()


def test_spread_mirrors_down():
    x, down, up = pictures(2, 16, 6, 6), Down(16, 64), spread(64, 16)
    with torch.no_grad():
        for layer in (down.mix, up.mix):
            layer.weight.copy_(torch.eye(64).view(64, 64, 1, 1))
            layer.bias.zero_()
    assert torch.equal(up(down(x)), x)


def test_gradients_reach_every_weight():
    model = awake(network())
    mean, log_variance = model.encode(pictures(2, 3, 16, 16))
    (model.decode(mean).square().mean() + log_variance.square().mean()).backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("way, shape, wanted", [
    *(("encode", shape, r"give \(B, 3, 8h, 8w\), such as \(1, 3, 64, 64\)") for shape in
      [(3, 64, 64), (1, 1, 64, 64), (1, 4, 64, 64), (1, 3, 60, 64), (1, 3, 64, 65)]),
    *(("decode", shape, r"such as \(1, 4, 8, 8\)") for shape in
      [(4, 8, 8), (1, 3, 64, 64), (2, 8, 8, 8), (1, 16, 8, 8)]),
])  # fmt: skip
def test_other_shapes_are_refused(way, shape, wanted):
    with pytest.raises(ValueError, match=re.escape(str(shape)) + ".*" + wanted):
        getattr(network(), way)(torch.zeros(shape))


# --- what ships ---


def test_what_ships_gives_fresh_pictures_back_at_its_scale():
    model, card = load_autoencoder()
    images = postcards.draw(postcards.sample_scenes(128, 55_555, kind="single"))
    with torch.inference_mode():
        mean, log_variance = model.encode(images)
        back = model.decode(mean)
    assert psnr(back, images) == pytest.approx(card["scores"]["single"]["PSNR"], abs=0.7)
    assert float(mean.std()) * card["scaling_factor"] == pytest.approx(1, abs=0.05)
    assert (log_variance / 2).exp().mean() < 0.5 * mean.std(), "the latent says more than noise"


def test_the_table_of_scores_in_data_is_the_card_s(project):
    lines = [
        "| shown | PSNR | PSNR inside the things | all read right by the judge |",
        "|---|---|---|---|",
    ]
    for kind, row in load_autoencoder()[1]["scores"].items():
        inside = right = ""
        if "everything right" in row:
            low, high = row["everything right, 95 % interval"]
            inside = f"{row['PSNR inside the things']:.2f} dB"
            right = f"{row['everything right']:.2%} ({low:.2%} to {high:.2%})"
        lines.append(f"| {kind} | {row['PSNR']:.2f} dB | {inside} | {right} |")
    page = (project / "data" / "README.md").read_text(encoding="utf-8")
    assert "\n".join(lines) in page
