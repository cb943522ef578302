"""One training in several processes, as torchrun starts them: each takes a share of every batch.

All begin with the same weights and take the same steps, for each step follows the mean of their
gradients. So the processes never differ, and the first one alone keeps, scores and writes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor, distributed
from torch.nn import functional

T = TypeVar("T")


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


def average(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its mean over all processes, in one message."""
    if size() == 1:
        return
    flat = _flat(tensors)
    distributed.all_reduce(flat)
    torch._foreach_copy_(list(map(_line, tensors)), _parts(flat.div_(size()), tensors))


def exchange(tensors: Sequence[Tensor]) -> None:
    """Complete a list of which each process has its `share` alone, in one message."""
    if size() == 1 or not tensors:
        return
    shares = [tensors[n :: size()] for n in range(size())]
    room = max(sum(tensor.numel() for tensor in share) for share in shares)
    flat = _flat([*shares[rank()], tensors[0].new_empty(0)])  # a share may be empty
    own = functional.pad(flat, (0, room - len(flat)))
    distributed.all_gather_into_tensor(found := own.new_empty(size() * room), own)
    for share, part in zip(shares, found.split(room), strict=True):
        if share:
            torch._foreach_copy_(list(map(_line, share)), _parts(part, share))


def share(items: Sequence[T]) -> Sequence[T]:
    """Return those items of a list that are this process's."""
    return items[rank() :: size()]


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat(list(map(_line, tensors)))


def _line(tensor: Tensor) -> Tensor:
    """A tensor's numbers as they lie in memory, which costs no copy."""
    return tensor.as_strided((tensor.numel(),), (1,))


def _parts(flat: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    sizes = [tensor.numel() for tensor in tensors]
    return list(flat[: sum(sizes)].split(sizes))


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()
