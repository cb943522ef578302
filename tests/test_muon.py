"""Muon steps the inner weights, AdamW the outer ones, and both remember across a restart."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from diffusion_lessons.models import UNet
from diffusion_lessons.training.fit import Fit, inner_weights
from diffusion_lessons.training.muon import ADAMW_SHARE, Muon, orthogonalised

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("shape", [(8, 32), (32, 8), (16, 16), (8, 4, 3, 3)])
def test_singular_values_are_pulled_towards_one(shape):
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    result = orthogonalised(gradient)
    assert result.shape == gradient.shape
    values = torch.linalg.svdvals(result.flatten(1))
    assert values.max() < 1.3 and values.quantile(0.2) > 0.5
    u, _, v = torch.linalg.svd(gradient.flatten(1), full_matrices=False)
    towards = (result.flatten(1) * (u @ v)).sum() / len(values)
    assert towards == pytest.approx(1, abs=0.25), "the directions of the gradient are kept"
    assert torch.allclose(result, orthogonalised(1000 * gradient), atol=1e-4), "not its size"


def test_outer_weights_move_as_with_adamw_and_inner_ones_by_the_stated_size():
    inner, outer = nn.Parameter(torch.zeros(8, 4, 3, 3)), nn.Parameter(torch.ones(4))
    alone = nn.Parameter(outer.detach().clone())
    both = Muon({"outer": outer, "inner": inner}, ["inner"], (0.9, 0.99), weight_decay=0.01)
    plain = torch.optim.AdamW([alone], 0.1 * ADAMW_SHARE, (0.9, 0.99), weight_decay=0.01)
    for step in range(3):
        inner.grad = torch.randn(inner.shape, generator=torch.Generator().manual_seed(step))
        outer.grad, alone.grad = (torch.arange(4.0) + step for _ in range(2))
        both.step(0.1)
        plain.step()
        if step == 0:  # 8 singular values near 1 over 8 * 36 entries, times 0.2 * sqrt(36) * 0.1
            size = inner.detach().square().mean().sqrt()
            assert size == pytest.approx(0.1 * 0.2 * 6 / 36**0.5, rel=0.3)
    assert torch.allclose(outer, alone)
    assert "momentum.inner" in both.state and inner.grad is not None


def test_the_unet_says_what_lies_between():
    names = inner_weights(UNet(factors=(10,)))
    assert "down_blocks.0.0.conv_1.weight" in names and "time_embedding.0.weight" in names
    assert not [name for name in names if name.startswith(("stem", "head", "label_embeddings"))]
    assert not [name for name in names if name.endswith("bias") or "norm" in name]
    assert inner_weights(nn.Linear(2, 2)) == []


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel])
def test_a_wrapped_network_has_the_same_inner_weights(wrap):
    """Both wrappers put a prefix before each name; nothing is compiled until the first call."""
    model = UNet(factors=(10,))
    networks = (wrap(model), model)
    inner = [{id(one.get_parameter(name)) for name in inner_weights(one)} for one in networks]
    assert inner[0] == inner[1]


def test_muon_goes_on_where_it_was():
    def start():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.Linear(8, 1))
        model.outer_layers = ("0", "3")
        x = torch.randn(16, 3)
        loss = lambda _: (model(x) - x.sum(1, keepdim=True)).square().mean()  # noqa: E731
        return Fit(model, 8, 0.02, loss, ema_decay=0.9)

    whole = start()
    losses = [done.loss for done in whole]
    assert losses[-1] < losses[0]
    part, again = start(), start()
    list(zip(range(4), part, strict=False))
    again.restore(part.state(), part.step)
    assert [done.loss for done in again] == pytest.approx(losses[4:], rel=1e-5)


def test_a_fit_leaves_out_torch_s_compiler_which_costs_150_mb():
    code = """
import sys
from torch import nn
from diffusion_lessons.training.fit import Fit
model = nn.Linear(2, 2)
list(Fit(model, 2, 0.01, lambda _: model.weight.square().sum()))
print("torch._dynamo" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert ended.stdout.strip() == "False", ended.stderr
