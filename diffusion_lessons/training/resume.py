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

from .fit import Fit, uninterrupted

KEEP_EVERY = 60.0  # seconds between two writes of an unfinished training


class Paused(Exception):
    """A training was interrupted and is kept; the message says how to resume it."""


def carry_out(name: str, recipe: dict, fit: Fit) -> dict[str, int]:
    """Take the steps of `fit` that earlier calls left, with a progress bar.

    At the end the last state is still kept, so that what follows may be interrupted too: remove it
    with `forget`. Returns its duration over all calls: "CPU seconds" and "GPU seconds", where they
    are not 0. CPU seconds add up over the cores; GPU seconds are by the clock.

    name: of the weights. fit: before its first step. recipe: all that determines the training; if
    an earlier, unfinished training had another, this call starts from scratch and says so.

    Raises:
        Paused: it was interrupted.
        FloatingPointError: the training diverged, see `fit.Fit`.
        workspace.DamagedFile: an earlier, unfinished training cannot be read.
        OSError: the state could not be written.
    """
    print_of = _fingerprint(recipe, fit)
    seconds = {"CPU": 0.0, "GPU": 0.0} | _pick_up(name, print_of, fit)
    on_cpu = next(fit.model.parameters()).device.type == "cpu"
    clock, unit = (time.process_time, "CPU") if on_cpu else (time.monotonic, "GPU")
    started, kept_at = clock() - seconds[unit], time.monotonic()

    def keep() -> None:
        with uninterrupted():
            seconds[unit] = clock() - started
            notes = {"step": fit.step, "fingerprint": print_of, "seconds": seconds}
            workspace.save_partial(name, fit.state(), notes)

    try:
        with tqdm(fit, total=fit.steps, initial=fit.step, desc=name, unit="step") as bar:
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


def forget(name: str) -> None:
    """Remove the kept state of an unfinished training of `name`."""
    workspace.partial_path(name).unlink(missing_ok=True)


def _pick_up(name: str, print_of: str, fit: Fit) -> dict[str, float]:
    """Restore `fit` to where an earlier call stopped; return the seconds it took until then."""
    kept = workspace.load_partial(name)
    if kept is None:
        return {}
    tensors, notes = kept
    if notes["fingerprint"] != print_of:
        print(
            f"A training of {name} was stopped at step {notes['step']}, but its recipe or its "
            "network has changed since: this one starts from scratch, and will replace it."
        )
        return {}
    fit.restore(tensors, notes["step"])
    print(f"going on at step {fit.step} of {fit.steps}")
    return notes["seconds"]


def _fingerprint(recipe: dict, fit: Fit) -> str:
    """Return a hash of the recipe and of the shape of the network."""
    shapes = {key: list(tensor.shape) for key, tensor in fit.state().items()}
    text = json.dumps([recipe, shapes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
