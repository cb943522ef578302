"""Fitting: the steps of AdamW, the running average, stopping and resuming."""

import copy
import math
import os
import signal

import pytest
import torch
from torch import nn
from torch.nn import functional

from diffusion_lessons.training.fit import Fit, TrainStep, in_half, uninterrupted


def network():
    torch.manual_seed(0)
    # A bias before a BatchNorm has no slope but rounding, which AdamW would make as large as any.
    first = nn.Linear(4, 8, bias=False)
    return nn.Sequential(first, nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


def loss_of(model, stop_at=None):
    """A loss whose batch follows from the step alone; it is interrupted once at `stop_at`."""
    stops = [] if stop_at is None else [stop_at]

    def loss(step):
        x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
        error = functional.mse_loss(model(x), x.sum(1, keepdim=True))
        if step in stops:
            stops.remove(step)
            raise KeyboardInterrupt
        return error

    return loss


def fit_of(steps=20, stop_at=None, **settings):
    model = network()
    settings = {"learning_rate": 1e-2, "ema_decay": 0.9} | settings
    return Fit(model, steps, loss=loss_of(model, stop_at), **settings)


def same(one, other):
    one, other = one.state(), other.state()
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def test_the_steps_are_those_of_the_textbook():
    """AdamW, the clipped gradient, the rising and falling rate and the average, spelled out."""
    fit, model = fit_of(steps=10, weight_decay=0.3, warm_up=0.2), network()
    loss, average = loss_of(model), copy.deepcopy(network())
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2, (0.9, 0.99), weight_decay=0.3)
    for step, done in enumerate(fit):
        rate = 1e-2 * min((step + 1) / 2, 0.5 + 0.5 * math.cos(math.pi * step / 10))
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        error = loss(step)
        error.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        decay = min(0.9, (1 + step) / (10 + step))
        for mean, now in zip(average.parameters(), model.parameters(), strict=True):
            mean.data = decay * mean.data + (1 - decay) * now.data
        assert done == TrainStep(step, error.item(), rate)
    assert step == 9
    for mine, theirs in ((fit.model, model), (fit.ema, average)):
        both = (dict(network.named_parameters()) for network in (mine, theirs))
        torch.testing.assert_close(*both, atol=1e-6, rtol=1e-5)
    assert torch.equal(fit.ema[1].running_mean, model[1].running_mean)


def test_it_learns_and_keeps_the_average_apart_or_the_network_itself():
    fit = fit_of(steps=200)
    losses = [done.loss for done in fit]
    assert losses[-1] < 0.3 * losses[0] and len(fit) == 0 and list(fit) == []
    assert fit.model.training and not fit.ema.training
    assert not any(p.requires_grad for p in fit.ema.parameters())


@pytest.mark.parametrize("ema_decay", [None, 0.9])
@pytest.mark.parametrize("at", [0, 1, 7, 20])
def test_going_on_from_a_state_ends_where_an_uninterrupted_run_ends(at, ema_decay):
    whole, first, second = (fit_of(ema_decay=ema_decay) for _ in range(3))
    losses = [done.loss for done in whole]
    before = [done.loss for _, done in zip(range(at), first, strict=False)]
    with torch.no_grad():
        second.model[0].weight.add_(1)  # the weights come from the state, not from here
    state = first.state()
    kept = copy.deepcopy(state)
    assert (first.ema is first.model) == (ema_decay is None)
    parts = {"model", *(["ema"] if ema_decay else []), *(["optimizer"] if at else [])}
    assert {name.split(".")[0] for name in state} == parts
    list(first)
    torch.testing.assert_close(state, kept, rtol=0, atol=0, msg="it does not change afterwards")
    second.restore(state, at)
    assert before + [done.loss for done in second] == losses and same(whole, second)


def test_the_two_ways_to_update_differ_by_rounding_alone():
    for a, b in zip(fit_of(fused=True), fit_of(fused=False), strict=True):
        assert a.loss == pytest.approx(b.loss, rel=1e-3) and a.learning_rate == b.learning_rate


@pytest.mark.parametrize("at", [0, 1, 7, 19])
def test_an_interrupted_step_leaves_no_trace(at):
    whole, stopped = fit_of(), fit_of(stop_at=at)
    list(whole)
    with pytest.raises(KeyboardInterrupt):
        list(stopped)
    assert stopped.step == at and len(stopped) == 20 - at
    list(stopped)
    assert same(whole, stopped)


def test_an_interruption_waits_for_the_end_of_an_update():
    seen = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        seen.append("the rest of the block")
    assert seen and signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("fused", [True, False])
def test_a_network_in_another_order_in_memory_goes_on_as_well(fused):
    """A fused update walks through memory: wherever the order differs, it would mix up numbers."""

    def fit():
        torch.manual_seed(0)
        model = nn.Conv2d(5, 6, 3).to(memory_format=torch.channels_last)
        x = torch.randn(2, 5, 4, 4)
        return Fit(model, 6, 1e-1, lambda step: model(x + step).square().mean(), fused=fused)

    whole, first, second = fit(), fit(), fit()
    losses = [done.loss for done in whole]
    list(zip(range(3), first, strict=False))
    assert all(tensor.is_contiguous() for tensor in first.state().values())
    second.restore(first.state(), 3)
    assert [done.loss for done in second] == pytest.approx(losses[3:], rel=1e-6)
    assert second.model.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("fault", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_it_spoils_the_network(fault):
    fit = fit_of()
    fine = fit._loss
    fit._loss = lambda step: fine(step) * (fault if step == 3 else 1)
    with pytest.raises(FloatingPointError, match=r"at step 3 of 20: .*smaller learning rate"):
        list(fit)
    assert fit.step == 3 and all(t.isfinite().all() for t in fit.state().values())


REFUSED = [
    (lambda: fit_of(steps=0), "steps is 0"),
    (lambda: fit_of(warm_up=1.5), "warm_up is 1.5: .* from 0 to 1, a share"),
    (lambda: fit_of(ema_decay=1.0), "ema_decay is 1.0"),
    (lambda: fit_of().restore({"model.0.weight": torch.ones(9, 4)}, 3), "not one of this network"),
    (lambda: fit_of().restore(fit_of().state(), 21), "step is 21: there are 20 steps"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_numbers_outside_their_range_and_a_state_of_another_network(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_it_follows_the_model_to_the_gpu():
    model = network().cuda()
    fit = Fit(model, 5, 1e-2, lambda step: model(torch.ones(4, 4).cuda()).sum(), ema_decay=0.9)
    state = [fit.state() for _ in fit][-2]
    assert {t.device.type for t in state.values()} == {"cpu"}
    fit.restore(state, 4)
    assert len(list(fit)) == 1 and next(fit.ema.parameters()).is_cuda


@pytest.mark.parametrize(("bf16", "found"), [(True, torch.bfloat16), (False, torch.float32)])
def test_half_precision_is_for_processors_that_have_instructions_for_it(monkeypatch, bf16, found):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": bf16})
    weights = torch.ones(2, 2)
    with in_half(True, torch.device("cpu")):
        assert (weights @ weights).dtype == found
    with in_half(False, torch.device("cpu")):
        assert (weights @ weights).dtype == torch.float32
