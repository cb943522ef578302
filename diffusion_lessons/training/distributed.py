"""One training in several processes, as torchrun starts them: each takes a share of every batch.

All begin with the same weights and take the same steps, for each step follows the mean of their
gradients. So the processes never differ, and the first one alone keeps, scores and writes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, distributed


@contextlib.contextmanager
def processes() -> Iterator[None]:
    """Join the processes that torchrun started with this one; alone, do nothing.

    They talk through NCCL where there are GPUs, of which each takes its own, else through gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    gpus = torch.cuda.is_available()
    if gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if gpus else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """Return the number of this process, from 0."""
    return distributed.get_rank() if _together() else 0


def size() -> int:
    """Return how many processes there are."""
    return distributed.get_world_size() if _together() else 1


def add(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its sum over all processes, in one message."""
    if size() == 1:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def average(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its mean over all processes."""
    add(tensors)
    for tensor in tensors:
        tensor.div_(size())


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()
