"""Every public name is called with other kinds of numbers: the right result, or a sentence of ours.

`tests/every_call.py` has a call that is right; here each of its arguments in turn becomes a tensor
of another dtype or shape, an array, a scalar of numpy or torch, nan, an infinity, a text, nothing.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import inspect
import io
import math
import traceback
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.every_call import NO_ROW, ROWS, Row, public_names

TOLERANCE = {torch.float16: 4e-3, torch.bfloat16: 4e-2}
SAME, ANY, REFUSED = "the same result", "any finite result", "a refusal"
DOCUMENTED = "what the documentation says"
"""What may come of a variant besides a refusal. A tensor with nan in it may give nan."""


def of_tensor(x: Tensor) -> Iterator[tuple[str, Any, str]]:
    """What a learner may give in the place of a tensor: (name, value, what may come of it)."""
    yield "not contiguous", torch.stack([x, x], dim=-1)[..., 0], SAME
    yield "numpy", x.numpy(), SAME
    yield "list", x.tolist(), SAME
    yield "one axis more", x[None], ANY
    if x.ndim:
        yield "one axis less", x[0], ANY
        yield "empty", x[:0], ANY
    for name, value in {"None": None, "a text": "noise", "a number": 3, "nan": math.nan}.items():
        yield name, value, REFUSED
    if x.is_floating_point():
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            yield str(dtype), x.to(dtype), SAME
        for dtype in (torch.uint8, torch.int64, torch.bool, torch.complex64):
            yield str(dtype), (x * 100).to(dtype), REFUSED
        yield "requires grad", x.clone().requires_grad_(), SAME
        for name, number in {"holds nan": math.nan, "holds inf": math.inf}.items():
            changed = x.clone()
            changed.view(-1)[0] = number
            yield name, changed, ANY
    elif x.dtype == torch.bool:
        for dtype in (torch.uint8, torch.int64, torch.float32):
            yield str(dtype), x.to(dtype), SAME
    else:
        for dtype in (torch.uint8, torch.int32, torch.float32):
            yield str(dtype), x.clamp(min=0).to(dtype), SAME if x.min() >= 0 else ANY
        yield "out of range", x + 10**6, REFUSED
        yield "negative", x - 10**6, REFUSED


def of_number(x: float, whole: bool) -> Iterator[tuple[str, Any, str]]:
    """What a learner may give in the place of a number."""
    kinds = [np.float32, np.float64, torch.tensor, np.array, *([np.int64, np.uint8] * whole)]
    for kind in kinds:
        yield f"{kind.__module__}.{kind.__name__}", kind(x), SAME
    bad = (math.nan, math.inf, -math.inf, "3", "0,5", [x], 2j, -(10**9), 10**40, np.nan)
    for value in (*bad, torch.tensor([1.0, 2.0]), torch.tensor(math.nan), None, True, False):
        yield repr(value), value, REFUSED


def of_choice(x: str) -> Iterator[tuple[str, Any, str]]:
    """What a learner may give in the place of a word."""
    yield "numpy", np.str_(x), SAME
    for value in ("nonsense", 3, math.nan, None, [x], "", b"v"):
        yield repr(value), value, ANY


def variants(value: Any) -> Iterator[tuple[str, Any, str]]:
    """All that may be given in the place of a value."""
    if isinstance(value, np.ndarray):
        for name, changed, may in of_tensor(torch.tensor(value)):
            yield name, changed.numpy() if name in ("empty", "one axis less") else changed, may
    elif isinstance(value, Tensor):
        yield from of_tensor(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from of_number(value, isinstance(value, int))
    elif isinstance(value, str):
        yield from of_choice(value)


def plain(result: Any) -> list[Any]:
    """A result as a flat list of tensors and other things, to compare."""
    if isinstance(result, (Tensor, np.ndarray, float)):
        return [torch.as_tensor(result).detach().double()]
    if dataclasses.is_dataclass(result):
        return plain(vars(result))
    if isinstance(result, dict):
        return plain(list(result.values()))
    if isinstance(result, (list, tuple)):
        return [part for one in result for part in plain(one)]
    return [result]


def same(found: list[Any], wanted: list[Any], tolerance: float) -> bool:
    """Whether two results agree."""

    def alike(a: Any, b: Any) -> bool:
        if isinstance(b, bytes):  # pixels, which half precision may round to the next level
            return isinstance(a, bytes) and (a == b or tolerance > 1e-3)
        if not isinstance(b, Tensor):
            return a == b
        near = tolerance * max(1.0, float(b[b.isfinite()].abs().max()) if b.isfinite().any() else 1)
        close = {"rtol": tolerance, "atol": near, "equal_nan": True}
        return isinstance(a, Tensor) and a.shape == b.shape and torch.allclose(a, b, **close)

    return len(found) == len(wanted) and all(map(alike, found, wanted))


def is_ours(error: Exception, value: Any) -> bool:
    """Whether an error is a sentence of the package, about this value."""
    *_, last = traceback.extract_tb(error.__traceback__)
    while isinstance(error.__cause__, Exception):  # said again with where it was
        error = error.__cause__
        *_, last = traceback.extract_tb(error.__traceback__)
    described = [
        repr(value)[:40],
        str(value)[:40],
        type(value).__name__,
        "nan",
        "not finite",
        "inf",
    ]
    described += ["has shape ()"]
    if isinstance(value, list):
        described.append(repr(value[0])[:40])
    if isinstance(value, (Tensor, np.ndarray)):
        if value.ndim == 0:
            described.append(repr(value.item()))
        if 0 in value.shape:
            described += ["is 0:", "0 rows", "0 images", "0 masks", "0 pictures"]
        elif "int" in str(value.dtype):
            described += [str(int(value.min())), str(int(value.max()))]
        described += [str(value.dtype).removeprefix("torch."), "has shape", "may be empty"]
        described += [str(tuple(value.shape)), str(tuple(value.shape[1:])), "N = 0"]
    words = str(error)
    inside = "diffusion_lessons" in last.filename
    return inside and len(words.split()) > 5 and any(part in words for part in described)


def called(name: str, given: dict[str, Any]) -> list[Any]:
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return plain(ROWS[name].read(ROWS[name].call(**given)))


def fault_of(name: str, argument: str, changed: Any, may: str, wanted: list[Any]) -> str:
    """What is wrong with what comes of a call; "" if nothing is."""
    default = inspect.Parameter.empty
    with suppress(KeyError, ValueError, TypeError):
        default = inspect.signature(ROWS[name].call).parameters[argument].default
    try:
        found = called(name, ROWS[name].given() | {argument: changed})
    except (ValueError, TypeError, OSError) as error:
        return (
            ""
            if is_ours(error, "" if may == DOCUMENTED else changed)
            else f"{type(error).__name__}: {error}"
        )
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if may == SAME:
        tolerance = TOLERANCE.get(getattr(changed, "dtype", None), 1e-4)
        return "" if same(found, wanted, tolerance) else f"another result: {found}"[:300]
    if may == REFUSED and not (changed is None and default is None):
        return f"taken, and {found} came of it"[:300]
    return ""


def faults(name: str) -> tuple[int, list[str]]:
    """The number of calls tried of a row, and what is wrong with which."""
    wanted, tried, found = called(name, ROWS[name].given()), 0, []
    for argument, value in ROWS[name].given().items():
        for what, changed, may in variants(value):
            tried += 1
            if any(fnmatch.fnmatch(f"{argument} = {what}", one) for one in ROWS[name].taken):
                may = DOCUMENTED
            if fault := fault_of(name, argument, changed, may, wanted):
                found.append(f"{argument} = {what}: {fault}")
    return tried, found


@pytest.mark.parametrize("name", ROWS)
def test_right_result_or_sentence(name):
    tried, found = faults(name)
    assert not found, f"{len(found)} of {tried} calls:\n" + "\n".join(found)


def test_every_public_name_has_a_row_or_a_reason():
    rows = {name.split()[0] for name in ROWS}
    names = public_names()
    assert NO_ROW.keys() <= names.keys(), "a reason for a name that is gone"
    for name in names:
        has = any(name == row or row.startswith(f"{name}.") for row in rows)
        assert has != (name in NO_ROW), f"{name}: give it a row, or a reason in NO_ROW"


def raw_from_torch(x):
    return torch.ones(3) + x


def said_too_shortly(x):
    raise ValueError(f"bad {x}")


@pytest.mark.parametrize("call", [raw_from_torch, said_too_shortly])
def test_an_error_that_is_none_of_ours_is_found(call):
    x = torch.ones(2)
    with pytest.raises((ValueError, RuntimeError)) as caught:
        call(x)
    assert not is_ours(caught.value, x)


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        (lambda x: (x * 0.5).to(x.dtype), "x = torch.uint8: taken, and"),  # all zeros
        (raw_from_torch, "x = a text: TypeError: "),
        (lambda x: x.flatten()[:3] * 2 if x.dtype == torch.float64 else x, "another result"),
    ],
)
def test_a_function_that_refuses_nothing_is_found(call, fault, monkeypatch):
    monkeypatch.setitem(ROWS, "none", Row(call, lambda: {"x": torch.arange(6.0).view(2, 3) / 7}))
    assert fault in " ".join(faults("none")[1])
