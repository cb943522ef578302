"""Two libraries from the registry, as contestants of `bench.fashion`, with their own settings.

Each is set up as the text that teaches it does: the settings say which. Nothing of theirs is tuned
here, and nothing of ours is given to them. They draw from torch's global generator, seeded before.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.race import Clock, NotInstalled

SAMPLING_STEPS = 50
SAMPLED_AT_ONCE = 100


class Diffusers:
    """`diffusers` as in unit 1 of the Hugging Face course on diffusion models.

    The network is that of its notebook "from scratch" for 28x28 grey pictures; schedule, optimizer
    and batch are those of its notebook "introduction to diffusers".
    """

    name = "diffusers"
    packages: tuple[str, ...] = ("diffusers",)
    settings = {
        "network": "UNet2DModel, block_out_channels (32, 64, 64), layers_per_block 2, "
        "down DownBlock2D, AttnDownBlock2D, AttnDownBlock2D, up the same in reverse",
        "size": 28,
        "conditioning": "none",
        "schedule": "DDPMScheduler, 1000 steps, squaredcos_cap_v2, predicts noise",
        "optimizer": "AdamW, learning rate 4e-4, constant",
        "batch": 64,
        "average of weights": "none",
        "sampler": f"DDIMScheduler, {SAMPLING_STEPS} steps, its defaults",
    }

    def __init__(self) -> None:
        try:
            from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
        except ModuleNotFoundError as error:
            raise NotInstalled(self.name) from error
        self.model: Any = UNet2DModel(
            sample_size=28,
            in_channels=1,
            out_channels=1,
            layers_per_block=2,
            block_out_channels=(32, 64, 64),
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        )
        self.noising = DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2")
        self.sampler = DDIMScheduler.from_config(self.noising.config)

    def train(self, images: Tensor, labels: Tensor, clock: Clock, seed: int) -> int:
        """Train until the clock says stop; see `race.Contestant`."""
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=4e-4)
        steps = 0
        while clock.runs():
            clean = images[torch.randint(len(images), (64,))]
            noise = torch.randn_like(clean)
            t = torch.randint(0, 1000, (64,))
            noisy = self.noising.add_noise(clean, noise, t)
            loss = functional.mse_loss(self.model(noisy, t, return_dict=False)[0], noise)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            steps += 1
        return steps

    @torch.inference_mode()
    def sample(self, count: int, seed: int) -> Tensor:
        """`count` pictures (count, 1, 28, 28) in [-1, 1]."""
        self.model.eval()
        self.sampler.set_timesteps(SAMPLING_STEPS)
        drawn = []
        for start in range(0, count, SAMPLED_AT_ONCE):
            x = torch.randn(min(SAMPLED_AT_ONCE, count - start), 1, 28, 28)
            for t in self.sampler.timesteps:
                x = self.sampler.step(self.model(x, t).sample, t, x).prev_sample
            drawn.append(x)
        return torch.cat(drawn).clamp(-1, 1)


class DenoisingDiffusionPytorch:
    """`denoising-diffusion-pytorch`, sized as in "The Annotated Diffusion Model".

    That text explains this library's code on Fashion-MNIST: its network, batch and learning rate
    are used here. (The README's own network, dim 64 and four levels, is made for colour pictures
    of 128x128: 36 million parameters, which make a dozen steps in 60 CPU-seconds.) Schedule,
    prediction, clipping and average of the weights are the library's defaults. Its Trainer reads
    a folder of files and computes another score, so its loop is repeated here.
    """

    name = "denoising-diffusion-pytorch"
    packages: tuple[str, ...] = ("denoising-diffusion-pytorch", "ema-pytorch")
    settings = {
        "network": "Unet, dim 28, dim_mults (1, 2, 4), channels 1",
        "size": 28,
        "conditioning": "none",
        "schedule": "GaussianDiffusion, 1000 steps, its defaults (sigmoid, predicts v)",
        "optimizer": "Adam, learning rate 1e-3, constant, betas (0.9, 0.99), gradients cut at 1",
        "batch": 128,
        "average of weights": "ema-pytorch, decay 0.995, every 10 steps; it is what samples",
        "sampler": f"DDIM, {SAMPLING_STEPS} steps, eta 0",
    }

    def __init__(self) -> None:
        try:
            from denoising_diffusion_pytorch import GaussianDiffusion, Unet
            from ema_pytorch import EMA
        except ModuleNotFoundError as error:
            raise NotInstalled(self.name) from error
        self.model = Unet(dim=28, dim_mults=(1, 2, 4), channels=1)
        self.diffusion = GaussianDiffusion(
            self.model, image_size=28, timesteps=1000, sampling_timesteps=SAMPLING_STEPS
        )
        self.ema = EMA(self.diffusion, beta=0.995, update_every=10)

    def train(self, images: Tensor, labels: Tensor, clock: Clock, seed: int) -> int:
        """Train until the clock says stop; see `race.Contestant`."""
        optimizer = torch.optim.Adam(self.diffusion.parameters(), lr=1e-3, betas=(0.9, 0.99))
        steps = 0
        while clock.runs():
            clean = images[torch.randint(len(images), (128,))]
            self.diffusion((clean + 1) / 2).backward()  # it takes pictures in [0, 1]
            nn.utils.clip_grad_norm_(self.diffusion.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            self.ema.update()
            steps += 1
        return steps

    def sample(self, count: int, seed: int) -> Tensor:
        """`count` pictures (count, 1, 28, 28) in [-1, 1]."""
        drawn = []
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bars
            for start in range(0, count, SAMPLED_AT_ONCE):
                batch = min(SAMPLED_AT_ONCE, count - start)
                drawn.append(self.ema.ema_model.sample(batch_size=batch))
        return torch.cat(drawn).clamp(0, 1) * 2 - 1
