"""The autoencoder: shapes both ways, what each place of a latent sees, and refusals."""

import json

import pytest
import torch

from diffusion_lessons import postcards, workspace
from diffusion_lessons.models import Autoencoder, load_autoencoder
from diffusion_lessons.models.autoencoder import spread
from diffusion_lessons.models.layers import Down, ResBlock
from diffusion_lessons.scoring.statistics import psnr

TINY = {"encoder": (8, 16), "encoder_blocks": (1, 1), "decoder": (16, 8, 8)}


def network(seed=0, **settings):
    torch.manual_seed(seed)
    return Autoencoder(**(TINY | {"decoder_blocks": (1, 1, 1)} | settings))


def awake(model, seed=0):
    """The same network with no layer left at zero, so that everything has an effect."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.1)
    return model


def pictures(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("height, width", [(64, 64), (32, 32), (64, 96), (8, 8), (256, 256)])
def test_an_eighth_of_the_side_and_four_channels(height, width):
    model = network()
    mean, log_variance = model.encode(pictures(2, 3, height, width))
    assert mean.shape == log_variance.shape == (2, 4, height // 8, width // 8)
    assert model.decode(mean).shape == (2, 3, height, width)


def test_a_latent_has_48_times_fewer_numbers():
    x = pictures(1, 3, 64, 64)
    assert x.numel() == 48 * network().encode(x)[0].numel()


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


def test_an_untrained_block_changes_nothing_and_spread_mirrors_down():
    x = pictures(2, 16, 6, 6)
    assert torch.equal(ResBlock(16)(x), x)
    down, up = Down(16, 64), spread(64, 16)
    with torch.no_grad():
        for layer in (down.mix, up.mix):
            layer.weight.copy_(torch.eye(64).view(64, 64, 1, 1))
            layer.bias.zero_()
    assert torch.equal(up(down(x)), x)


def test_gradients_reach_every_weight():
    model = awake(network())
    mean, log_variance = model.encode(pictures(2, 3, 16, 16))
    (model.decode(mean).square().mean() + log_variance.square().mean()).backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_its_outer_layers_are_layers_of_it():
    names = [name for name, _ in Autoencoder().named_parameters()]
    for outer in Autoencoder.outer_layers:
        assert any(name.startswith(outer) for name in names), outer


@pytest.mark.parametrize(
    "shape", [(3, 64, 64), (1, 1, 64, 64), (1, 4, 64, 64), (1, 3, 60, 64), (1, 3, 64, 65)]
)
def test_pictures_of_another_shape_are_refused(shape):
    with pytest.raises(
        ValueError, match=r"give \(B, 3, 8h, 8w\), such as \(1, 3, 64, 64\)"
    ) as refused:
        network().encode(torch.zeros(shape))
    assert str(shape) in str(refused.value)


@pytest.mark.parametrize("shape", [(4, 8, 8), (1, 3, 64, 64), (2, 8, 8, 8), (1, 16, 8, 8)])
def test_latents_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"such as \(1, 4, 8, 8\)") as refused:
        network().decode(torch.zeros(shape))
    assert str(shape) in str(refused.value)


# --- what ships ---


def card_that_ships():
    path = workspace.data_path("weights", "autoencoder.json")
    return json.loads(path.read_text(encoding="utf-8"))


def test_what_ships_keeps_what_was_promised():
    single = card_that_ships()["scores"]["single"]
    assert single["pictures"] >= 1024
    assert single["PSNR inside the things"] >= 24 and single["everything right"] >= 0.98


def test_what_ships_gives_fresh_pictures_back_at_its_scale():
    model, card = load_autoencoder()
    images = postcards.draw(postcards.sample_scenes(128, 55_555, kind="single"))
    with torch.inference_mode():
        mean, log_variance = model.encode(images)
        back = model.decode(mean)
    assert psnr(back, images) == pytest.approx(card["scores"]["single"]["PSNR"], abs=0.7)
    assert float(mean.std()) * card["scaling_factor"] == pytest.approx(1, abs=0.05)
    assert (log_variance / 2).exp().mean() < 0.5 * mean.std(), "the latent says more than noise"


def table_of_scores():
    """The table in data/README.md, from the card."""
    lines = [
        "| shown | PSNR | PSNR inside the things | all read right by the judge |",
        "|---|---|---|---|",
    ]
    for shown, row in card_that_ships()["scores"].items():
        inside = right = ""
        if "everything right" in row:
            low, high = row["everything right, 95 % interval"]
            inside = f"{row['PSNR inside the things']:.2f} dB"
            right = f"{row['everything right']:.2%} ({low:.2%} to {high:.2%})"
        lines.append(f"| {shown} | {row['PSNR']:.2f} dB | {inside} | {right} |")
    return "\n".join(lines)


def test_the_table_of_scores_is_the_card_s(project):
    assert table_of_scores() in (project / "data" / "README.md").read_text(encoding="utf-8")
