"""Training in several processes: shares of a batch, one mean gradient, one file; like one process.

The processes are real ones, started by torchrun's own module, on small networks.
"""

import dataclasses
import json
import subprocess
import sys

import pytest
import torch

from diffusion_lessons import recipes, workspace
from diffusion_lessons.training import distributed, resume

SMALL = recipes.GeneratorRecipe(
    seed=2, data="sprites", size=16, channels=3, widths=(8, 16), blocks=(1, 1), patch=2,
    schedule="cosine", kind="x_0", steps=40, batch=16, learning_rate=1e-2, ema_decay=0.9,
    sampler="ddim", sampling_steps=2,
)  # fmt: skip
LAST = slice(-10, None)


def train_and_tell(folder: str) -> None:
    """Take the steps of `SMALL` as `train` does; write losses and the sum of the weights."""
    workspace.own_path = lambda *parts: workspace.Path(folder, *parts)
    with distributed.processes():
        fit = SMALL.begin("small", torch.device("cpu"))
        losses, advance = [], fit._advance

        def step():
            losses.append(advance())
            return losses[-1]

        fit._advance = step
        seconds = resume.carry_out("small", dataclasses.asdict(SMALL), fit)
        weights = sum(float(w.double().abs().sum()) for w in fit.ema.parameters())
        found = {"losses": [done.loss for done in losses], "weights": weights, "seconds": seconds}
        rank = distributed.rank()
    workspace.Path(folder, f"{rank}.json").write_text(json.dumps(found))


def run(folder, processes):
    folder.mkdir(exist_ok=True)
    start = [sys.executable, "-m"]
    if processes > 1:
        start += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    subprocess.run([*start, "tests.test_distributed", str(folder)], check=True, timeout=300)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(processes)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return run(folder / "one", 1), run(folder / "two", 2), folder


def test_two_processes_learn_as_one_does(trained):
    (one,), (first, second), _ = trained
    assert first["losses"] == second["losses"] and first["weights"] == second["weights"]
    means = [sum(found["losses"][LAST]) / 10 for found in (one, first)]
    assert means[1] == pytest.approx(means[0], rel=0.1), "the same curve, but for the noise"
    assert one["losses"][0] > 2 * means[0], "it has learned something"
    assert first["losses"] != one["losses"], "each process has data of its own"


def test_the_first_process_alone_keeps_what_was_learned(trained):
    *_, folder = trained
    for name in ("one", "two"):
        files = {path.name for path in (folder / name).glob(".*")}
        assert files == {".small.partial.safetensors"}


def test_a_mean_over_processes_is_the_whole_batchs_gradient(monkeypatch):
    """Of two halves of a batch the mean gradient is that of the batch: all_reduce by hand."""
    weight, x = torch.ones(3, requires_grad=True), torch.arange(12.0).view(4, 3)
    (whole,) = torch.autograd.grad((x @ weight).square().mean(), weight)
    halves = [torch.autograd.grad((p @ weight).square().mean(), weight)[0] for p in x.split(2)]
    monkeypatch.setattr(distributed, "size", lambda: 2)
    monkeypatch.setattr(distributed.distributed, "all_reduce", lambda flat: flat.add_(halves[1]))
    mean = halves[0].clone()
    distributed.average([mean])
    assert torch.allclose(mean, whole)


@pytest.mark.parametrize(("count", "rank"), [(0, 0), (2, 1), (2, 2), (5, 0), (5, 2)])
def test_a_list_is_completed_from_every_share_also_from_an_empty_one(count, rank, monkeypatch):
    whole = [torch.arange(6.0).view(2, 3) + 10 * n for n in range(count)]
    own = [tensor.clone() if n % 3 == rank else 0 * tensor for n, tensor in enumerate(whole)]

    def gather(found, mine):
        shares = [torch.cat([mine[:0], *(t.flatten() for t in whole[n::3])]) for n in range(3)]
        assert torch.equal(mine[: len(shares[rank])], shares[rank])
        for part, share in zip(found.split(len(mine)), shares, strict=True):
            part[: len(share)] = share

    monkeypatch.setattr(distributed, "size", lambda: 3)
    monkeypatch.setattr(distributed, "rank", lambda: rank)
    monkeypatch.setattr(distributed.distributed, "all_gather_into_tensor", gather)
    distributed.exchange(own)
    assert all(torch.equal(mine, tensor) for mine, tensor in zip(own, whole, strict=True))


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "size", lambda: 3)
    with pytest.raises(ValueError, match=r"a batch of 16 in 3 processes: choose .* divide it"):
        SMALL.begin("small", torch.device("cpu"))


if __name__ == "__main__":
    train_and_tell(sys.argv[1])
