"""What a picture costs: `python -m bench.text_to_image`.

The shipped text-to-image model beside objects of `diffusers` with about as many parameters, in one
run on one machine, on one core and on two: milliseconds for a network call, for decoding, and for a
whole picture with guidance; then a fresh process that loads everything from disk and makes its
first picture, with its peak of memory. The weights of the `diffusers` objects are random: only
their time is measured. The two take turns, so that a slower minute hits both.

Equal parameters are not equal work: their decoder, with Stable Diffusion's proportions, computes
more than three times as much. So operations are counted beside the time.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from bench import memory, results
from bench.race import NotInstalled
from diffusion_lessons import pictures
from diffusion_lessons.models import count_parameters
from diffusion_lessons.pipeline import TextToImage

WEIGHTS, PROMPT = "postcards", "a large red house on the left, on snow at night"
STEPS, CORES = (5, 10, 20, 50), (1, 2)
ROUNDS = 5  # each is a turn of both; figures are medians
CALLS = 20  # of the network or the decoder in a turn
FRESH_ROUNDS = 3
BASELINE = "diffusers"

UNET = {
    "sample_size": 8, "in_channels": 4, "out_channels": 4, "block_out_channels": (48, 96),
    "layers_per_block": 2, "cross_attention_dim": 128, "norm_num_groups": 8,
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
}  # fmt: skip
AUTOENCODER = {  # the proportions of Stable Diffusion's own: c, 2 c, 4 c, 4 c
    "sample_size": 64, "in_channels": 3, "out_channels": 3, "latent_channels": 4,
    "block_out_channels": (22, 44, 88, 88), "layers_per_block": 2, "norm_num_groups": 11,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip
SCHEDULER = {
    "algorithm_type": "dpmsolver++", "solver_order": 2, "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "sample", "timestep_spacing": "trailing",
}  # fmt: skip


def settings() -> dict:
    """All that settles the figures, besides the code and the machine."""
    return {
        "weights_sha256": results.weights(WEIGHTS, "captions", "autoencoder"),
        "prompt": PROMPT,
        "steps": list(STEPS),
        "cores": list(CORES),
        "rounds": ROUNDS,
        "calls in a round": CALLS,
        "UNet2DConditionModel": {**UNET},
        "AutoencoderKL": {**AUTOENCODER},
        "DPMSolverMultistepScheduler": {**SCHEDULER},
    }


class Ours:
    """The shipped model, as its pipeline is called."""

    name = "this course"

    def __init__(self, pipe: TextToImage):
        self.pipe = pipe
        self.sizes = {
            "network": count_parameters(pipe.unet),
            "autoencoder": count_parameters(pipe.autoencoder),
        }

    def call(self, x_t: Tensor, context: Tensor) -> Tensor:
        """One call of the network for latents (B, 4, 8, 8)."""
        return self.pipe.unet(x_t, x_t.new_full((len(x_t),), 0.5), context)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (1, 4, 8, 8) to a picture."""
        return self.pipe.decode(latents)

    def picture(self, steps: int) -> Image.Image:
        """From the prompt to the picture."""
        dice = torch.Generator().manual_seed(0)
        made = self.pipe(PROMPT, num_inference_steps=steps, generator=dice).images[0]
        assert isinstance(made, Image.Image)
        return made


class Diffusers:
    """Objects of `diffusers`, put together as its Stable Diffusion pipeline does. The context comes
    from our caption encoder, which both ask once a picture."""

    name = BASELINE

    def __init__(self, pipe: TextToImage, folder: Path | None = None):
        try:
            import diffusers
        except ModuleNotFoundError as error:
            raise NotInstalled(self.name) from error
        if folder is None:
            self.unet = diffusers.UNet2DConditionModel(**UNET).eval()
            self.autoencoder = diffusers.AutoencoderKL(**AUTOENCODER).eval()
            self.scheduler = diffusers.DPMSolverMultistepScheduler(**SCHEDULER)
        else:
            load = {"local_files_only": True, "low_cpu_mem_usage": False}
            self.unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet", **load)
            self.autoencoder = diffusers.AutoencoderKL.from_pretrained(folder / "vae", **load)
            self.scheduler = diffusers.DPMSolverMultistepScheduler(**SCHEDULER)
        self.pipe = pipe
        self.sizes = {
            "network": count_parameters(self.unet),
            "autoencoder": count_parameters(self.autoencoder),
        }

    def save(self, folder: Path) -> None:
        """Write the two networks, for a fresh process to load."""
        self.unet.save_pretrained(folder / "unet")
        self.autoencoder.save_pretrained(folder / "vae")

    def call(self, x_t: Tensor, context: Tensor) -> Tensor:
        """As `Ours.call`."""
        return self.unet(x_t, 500, encoder_hidden_states=context, return_dict=False)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """As `Ours.decode`."""
        return self.autoencoder.decode(latents, return_dict=False)[0].clamp(-1, 1)

    @torch.no_grad()
    def picture(self, steps: int) -> Image.Image:
        """As `Ours.picture`: the loop of StableDiffusionPipeline, with guidance."""
        context = torch.cat([self.pipe.null_context, self.pipe.encode_prompt([PROMPT])])
        self.scheduler.set_timesteps(steps)
        latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        latents = latents * self.scheduler.init_noise_sigma
        for t in self.scheduler.timesteps:
            both = self.scheduler.scale_model_input(torch.cat([latents, latents]), t)
            said = self.unet(both, t, encoder_hidden_states=context, return_dict=False)[0]
            without, told = said.chunk(2)
            guided = without + self.pipe.card["guidance_scale"] * (told - without)
            latents = self.scheduler.step(guided, t, latents, return_dict=False)[0]
        images = self.decode(latents / self.pipe.scaling_factor)
        return Image.fromarray(pictures.to_uint8(images)[0])


Contestant = Ours | Diffusers


def works(who: Contestant) -> dict[str, tuple[Callable[[], object], int]]:
    """All that is timed, by name: what to call, and how often in a turn."""
    x_t = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    context = who.pipe.encode_prompt([PROMPT]).expand(2, -1, -1)
    timed: dict[str, tuple[Callable[[], object], int]] = {
        "network call, batch 1": (lambda: who.call(x_t[:1], context[:1]), CALLS),
        "network call, batch 2": (lambda: who.call(x_t, context), CALLS),
        "decode": (lambda: who.decode(x_t[:1]), CALLS),
    }
    return timed | {f"picture, {steps} steps": (partial(who.picture, steps), 1) for steps in STEPS}


@torch.no_grad()
def compare(contestants: list[Contestant], cores: int, rounds: int = ROUNDS) -> dict:
    """Milliseconds on so many cores, by contestant and work: the median of the rounds."""
    before = torch.get_num_threads()
    torch.set_num_threads(cores)
    try:
        jobs = {who.name: works(who) for who in contestants}
        took: dict[str, dict[str, list[float]]] = {
            name: {work: [] for work in timed} for name, timed in jobs.items()
        }
        for turn in range(rounds + 1):  # the first one only warms up
            for name, timed in jobs.items():
                for work, (call, times) in timed.items():
                    spent = results.milliseconds(call, times)
                    took[name][work] += [spent] if turn else []
    finally:
        torch.set_num_threads(before)
    return {
        name: {work: round(statistics.median(spent), 3) for work, spent in works_.items()}
        for name, works_ in took.items()
    }


@torch.no_grad()
def megaflops(who: Contestant) -> dict[str, float]:
    """Millions of operations of a network call and of decoding, both run and counted by torch."""
    call, _ = works(who)["network call, batch 1"]
    decoder = who.pipe.autoencoder if isinstance(who, Ours) else who.autoencoder
    decode = partial(decoder.decode, torch.zeros(1, 4, 8, 8))
    found = {}
    for work, job in (("network call, batch 1", call), ("decode", decode)):
        with FlopCounterMode(display=False) as counter:
            job()
        found[work] = round(counter.get_total_flops() / 1e6, 1)
    return found


# --- a fresh process ---

FRESH = """
import time
started = time.perf_counter()
import torch
with_torch = time.perf_counter()
torch.set_num_threads({cores})
from bench import text_to_image as bench
print(bench.json.dumps(bench.first_picture({who!r}, {folder!r}, started, with_torch)))
"""


def first_picture(who: str, folder: str, started: float, with_torch: float) -> dict:
    """In a fresh process: seconds until the first picture, then seconds for the second one."""
    pipe = TextToImage.from_pretrained(WEIGHTS)
    model = Ours(pipe) if who == Ours.name else Diffusers(pipe, Path(folder))
    steps = pipe.card["num_inference_steps"]
    model.picture(steps)
    first = time.perf_counter()
    model.picture(steps)
    return {
        "seconds, with importing torch": first - started,
        "seconds, torch imported": first - with_torch,
        "seconds of the second picture": time.perf_counter() - first,
        "peak_mb": peak_mb(),
    }


def peak_mb() -> float:
    """The most memory that this process ever held, in MB of 10**6 bytes, as Linux counts it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def fresh(who: str, folder: Path, rounds: int = FRESH_ROUNDS) -> dict:
    """Medians of `first_picture` over fresh processes on all cores of `CORES`."""
    code = FRESH.format(cores=max(CORES), who=who, folder=str(folder))
    bare = int(run(f"import torch\n{memory.PROBE}")) * 1024 / 1e6
    found = [json.loads(run(code)) for _ in range(rounds)]
    medians = {name: statistics.median(one[name] for one in found) for name in found[0]}
    peak = medians.pop("peak_mb")
    return {name: round(seconds, 3) for name, seconds in medians.items()} | {
        "peak memory beyond importing torch, MB": round(peak - bare)
    }


def run(code: str) -> str:
    """What a fresh Python prints last."""
    environment = dict(os.environ, PYTHONPATH=str(results.ROOT), PYTHONWARNINGS="ignore")
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return ended.stdout.strip().splitlines()[-1]


def table(cores: dict[str, dict]) -> str:
    """The milliseconds as a table to print."""
    heads = "".join(f"{f'ours, {count}':>16}{'theirs':>9}{'ratio':>7}" for count in cores)
    lines = [f"{'milliseconds, cores':24}{heads}"]
    for work in next(iter(cores.values()))[Ours.name]:
        line = f"{work:24}"
        for by_name in cores.values():
            ours, theirs = by_name[Ours.name][work], by_name[BASELINE][work]
            line += f"{ours:16.2f}{theirs:9.2f}{theirs / ours:6.1f}x"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    """Measure, print the tables and write data/bench/text_to_image.json."""
    if sys.platform != "linux":
        print("Text to image: measured on Linux only; its data file stays as it is.")
        return
    warnings.filterwarnings("ignore", module="diffusers")
    pipe = TextToImage.from_pretrained(WEIGHTS)
    ours, theirs = Ours(pipe), Diffusers(pipe)
    load = results.load()
    cores = {str(count): compare([ours, theirs], count) for count in CORES}
    counted = {who.name: megaflops(who) for who in (ours, theirs)}
    print(table(cores), f"\nmillions of operations: {json.dumps(counted)}")
    with tempfile.TemporaryDirectory() as folder:
        theirs.save(Path(folder))
        first = {who.name: fresh(who.name, Path(folder)) for who in (ours, theirs)}
    print(json.dumps(first, indent=2))
    what = "what a picture costs, beside diffusers objects with about as many parameters"
    figures = {
        "parameters": {who.name: who.sizes for who in (ours, theirs)},
        "default": {name: pipe.card[name] for name in ("num_inference_steps", "guidance_scale")},
        "megaflops": counted,
        "milliseconds": cores,
        "diffusers_over_ours": {
            count: {
                work: round(by_name[BASELINE][work] / spent, 2)
                for work, spent in by_name[Ours.name].items()
            }
            for count, by_name in cores.items()
        },
        "first picture of a fresh process": first,
        "load_before": load,
    }
    results.write(Path(__file__).stem, what, figures, settings(), packages=("diffusers",))


if __name__ == "__main__":
    main()
