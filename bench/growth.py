"""What a step costs as pictures grow, in pixels and in latents: `python -m bench.growth`.

One U-Net of the lessons' kind works on pictures of 32 to 256 pixels, and the same blocks work on
latents of an eighth of that side; only the first and the last layer differ. For both: milliseconds
of a network call (a sampling step) and of a training step, one picture each, on one core. The
latents' training step includes encoding the picture; encoding and decoding stand beside, as a
sampler decodes once, after its last step. Weights are untrained: what they are costs no time.
Lesson 04 reads the table from data/bench/growth.json.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from bench import results
from diffusion_lessons.models import Autoencoder, UNet

SIDES = (32, 64, 128, 256)
WIDTHS, BLOCKS = (48, 96), (1, 2)
PATCHES = {"pixels": 2, "latents": 1}
REPEATS = 7


def settings() -> dict:
    """All that settles the table, besides the code."""
    return {
        "sides": list(SIDES),
        "widths": list(WIDTHS),
        "blocks": list(BLOCKS),
        "patches": PATCHES,
        "batch": 1,
        "repeats": REPEATS,
        "cores": 1,
    }


def networks() -> dict[str, nn.Module]:
    """The U-Net on pixels, the one on latents, and the autoencoder, all untrained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {
            "pixels": UNet(3, WIDTHS, BLOCKS, PATCHES["pixels"]),
            "latents": UNet(4, WIDTHS, BLOCKS, PATCHES["latents"]),
            "autoencoder": Autoencoder().requires_grad_(False),
        }


def milliseconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The median time of `work`, after one call that does not count."""
    work()
    return statistics.median(results.milliseconds(work) for _ in range(repeats))


def row(side: int, nets: dict[str, nn.Module], repeats: int = REPEATS) -> dict:
    """One line of the table: the times of one picture of this side, in milliseconds."""
    chance = torch.Generator().manual_seed(0)
    picture = torch.randn(1, 3, side, side, generator=chance)
    latent = torch.randn(1, 4, side // 8, side // 8, generator=chance)
    pixels, small, autoencoder = nets["pixels"], nets["latents"], nets["autoencoder"]
    assert isinstance(autoencoder, Autoencoder)
    t = torch.full((1,), 0.5)

    @torch.inference_mode()
    def ask(net: Callable, *inputs: Tensor) -> None:
        net(*inputs)

    def learn(net: nn.Module, x_t: Tensor) -> None:
        net(x_t, t).square().mean().backward()

    def learn_latent() -> None:
        ask(autoencoder.encode, picture)
        learn(small, latent)

    timed = {
        "pixels, call": lambda: ask(pixels, picture, t),
        "pixels, training step": lambda: learn(pixels, picture),
        "latents, call": lambda: ask(small, latent, t),
        "latents, training step": learn_latent,
        "encode": lambda: ask(autoencoder.encode, picture),
        "decode": lambda: ask(autoencoder.decode, latent),
    }
    return {"side": side} | {
        name: round(milliseconds(work, repeats), 3) for name, work in timed.items()
    }


def table(rows: list[dict]) -> str:
    """The figures as a table to print."""
    names = [name for name in rows[0] if name != "side"]
    lines = [f"{'ms':>4}" + "".join(f"{name:>24}" for name in names)]
    lines += [
        f"{line['side']:4}" + "".join(f"{line[name]:24.2f}" for name in names) for line in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table and write data/bench/growth.json."""
    results.on_one_core()
    nets = networks()
    rows = [row(side, nets) for side in SIDES]
    what = "milliseconds of a sampling step and a training step for one picture, by its side"
    results.write(Path(__file__).stem, what, {"rows": rows}, settings())
    print(table(rows))


if __name__ == "__main__":
    main()
