"""A long training that can be stopped at any moment and resumed, also after a power cut.

Its state is written beside the weights every minute and at Ctrl-C; the next call picks it up. Since
all random numbers follow from the number of the step (see `fit.Fit`), the result is that of a
training that was never stopped.
"""

from __future__ import annotations

import hashlib
import json
import time

from tqdm.auto import tqdm

from diffusion_lessons import workspace

from . import distributed
from .fit import Fit, uninterrupted

KEEP_EVERY = 60.0  # seconds between two writes of an unfinished training


class Paused(Exception):
    """A training was interrupted and is kept; the message says how to resume it."""


def carry_out(name: str, recipe: dict, fit: Fit) -> dict[str, int]:
    """Take the steps of `fit` that earlier calls left, with a progress bar.

    The last state is still kept at the end, at `workspace.partial_path`, so that what follows may
    be interrupted too. Returns its duration over all calls: "CPU seconds" and "GPU seconds", where
    they are not 0. CPU seconds add up over the cores; GPU seconds are by the clock.

    name: of the weights. fit: before its first step. recipe: all that determines the training; if
    an earlier, unfinished training had another, this call starts from scratch and says so.

    Raises:
        Paused: it was interrupted.
        FloatingPointError: the training diverged, see `fit.Fit`.
        workspace.DamagedFile: an earlier, unfinished training cannot be read.
        OSError: the state could not be written.
    """
    shapes = {key: list(tensor.shape) for key, tensor in fit.state().items()}
    text = json.dumps([recipe, shapes], sort_keys=True)
    print_of = hashlib.sha256(text.encode()).hexdigest()[:16]
    seconds, kept = {"CPU": 0.0, "GPU": 0.0}, workspace.load_partial(name)
    if kept and kept[1]["fingerprint"] == print_of:
        fit.restore(kept[0], kept[1]["step"])
        seconds |= kept[1]["seconds"]
        print(f"going on at step {fit.step} of {fit.steps}")
    elif kept:
        print(
            f"A training of {name} was stopped at step {kept[1]['step']}, but its recipe or its "
            "network has changed since: this one starts from scratch, and will replace it."
        )
    on_cpu = next(fit.model.parameters()).device.type == "cpu"
    clock, unit = (time.process_time, "CPU") if on_cpu else (time.monotonic, "GPU")
    started, kept_at = clock() - seconds[unit] / distributed.size(), time.monotonic()

    def keep() -> None:
        with uninterrupted():
            seconds[unit] = (clock() - started) * distributed.size()  # all do the same work
            if distributed.rank():
                return
            notes = {"step": fit.step, "fingerprint": print_of, "seconds": seconds}
            workspace.save_partial(name, fit.state(), notes)

    try:
        first = {"initial": fit.step, "disable": distributed.rank() > 0}
        with tqdm(fit, total=fit.steps, desc=name, unit="step", **first) as bar:
            for done in bar:
                bar.set_postfix(loss=f"{done.loss:.3f}", refresh=False)
                if time.monotonic() - kept_at > KEEP_EVERY:
                    keep()
                    kept_at = time.monotonic()
    except KeyboardInterrupt:
        keep()
        raise Paused(
            f"stopped at step {fit.step} of {fit.steps}; run the same line again to go on"
        ) from None
    keep()
    return {f"{unit} seconds": round(spent) for unit, spent in seconds.items() if spent}
