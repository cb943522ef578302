"""Text to image: the trained parts in one call, with the names that `diffusers` uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from . import conditioning, models, pictures, sampling, schedule
from .sampling import SampleStep

MOST_STEPS = 1000
AT_ONCE = 16  # pictures that are decoded together: each takes megabytes while it is made

Said = str | Sequence[str]


@dataclass(frozen=True)
class Made:
    """What a call returns: `images`, a list of PIL images or a tensor (N, 3, 64, 64) in [0, 1]."""

    images: list[Image.Image] | Tensor


class TextToImage:
    """A caption encoder, a U-Net that listens and an autoencoder, working together.

    Args:
        reader: the caption encoder with its answers, see `models.CaptionReader`.
        unet: what denoises latents.
        autoencoder: what turns them into pictures.
        card: "schedule" and "kind" of the U-Net, "scaling_factor" of the autoencoder's latents, and
            what to do when a call does not say: "num_inference_steps", "guidance_scale".

    Attributes:
        encoder: words to context.
        null_context: of the empty caption, (1, 32, D).
    """

    def __init__(
        self,
        reader: models.CaptionReader,
        unet: models.TextUNet,
        autoencoder: models.Autoencoder,
        card: dict,
    ):
        self.encoder, self.unet, self.autoencoder, self.card = (
            reader.encoder,
            unet,
            autoencoder,
            card,
        )
        self.schedule, self.kind = getattr(schedule, card["schedule"]), card["kind"]
        self.scaling_factor = card["scaling_factor"]
        self.null_context = self.encode_prompt([""])

    @classmethod
    def from_pretrained(cls, name: str = "postcards") -> TextToImage:
        """The text-to-image model that ships with the course, on the CPU.

        Raises:
            ValueError: weights that ship, but are no such model.
            workspace.DamagedFile: weights that are missing or not whole; the message says which.
        """
        unet, card = models.load_text_unet(name)
        reader, _ = models.load_caption_reader(card["parts"]["captions"])
        autoencoder, about = models.load_autoencoder(card["parts"]["autoencoder"])
        return cls(reader, unet, autoencoder, card | {"scaling_factor": about["scaling_factor"]})

    def to(self, device: torch.device | str) -> TextToImage:
        """Moves all parts to a device, and returns the same model."""
        for part in (self.encoder, self.unet, self.autoencoder):
            part.to(device)
        self.null_context = self.null_context.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """Where it works."""
        return self.null_context.device

    def encode_prompt(self, prompts: Sequence[str]) -> Tensor:
        """Prompts to context (N, 32, D). Errors as in `conditioning.tokenise`."""
        tokens = conditioning.tokenise(prompts)
        with torch.no_grad():
            return self.encoder(tokens.to(next(self.encoder.parameters()).device))

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents (N, 4, 8, 8) to pictures (N, 3, 64, 64) in [-1, 1]."""
        with torch.no_grad():
            parts = (latents / self.scaling_factor).split(AT_ONCE)
            return torch.cat([self.autoencoder.decode(part) for part in parts]).clamp(-1, 1)

    def __call__(
        self,
        prompt: Said,
        negative_prompt: Said | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        num_images_per_prompt: int = 1,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        callback_on_step_end: Callable[[TextToImage, int, float, dict], dict] | None = None,
    ) -> Made:
        """Makes pictures of prompts.

        Args:
            prompt: one or several, such as "a red house on snow at night"; "" leaves all open.
            negative_prompt: what the pictures are to move away from; one for all, or one for each.
            num_inference_steps: how often the noise is lowered, 1 to 1000; None: the card's number.
            guidance_scale: from 0 over 1 (off) to 30, see `conditioning.guided`; None: the card's.
                Unlike in `diffusers`, where a scale of 1 or less just means "off", 0 ignores the
                prompt here, as the formula says.
            num_images_per_prompt: how many pictures each prompt gets, one after the other.
            generator: where the first noise comes from, a torch.Generator or one for each picture;
                None: torch's global one.
            output_type: "pil" for a list of PIL images, "pt" for float (N, 3, 64, 64) in [0, 1].
            callback_on_step_end: called as (pipe, step, t, {"latents": x_t}) after each step; the
                latents of what it returns, if it returns any, are gone on with.

        Raises:
            TypeError, ValueError: an argument that does not fit; a sentence says what would.
            postcards.PromptError (a ValueError): a prompt that cannot be read.
        """
        if output_type not in ("pil", "pt"):
            raise ValueError(f"output_type is {output_type!r}: choose 'pil' or 'pt'")
        each = _whole("num_images_per_prompt", num_images_per_prompt, 1000)
        prompts = [one for one in _several("prompt", prompt) for _ in range(each)]
        if negative_prompt is not None:
            away_from = _several("negative_prompt", negative_prompt)
            one_for_all = len(away_from) == 1
            negative_prompt = [n for n in away_from for _ in range(1 if one_for_all else each)]
        latents = self.noise(len(prompts), generator)
        walk = self.steps(prompts, negative_prompt, num_inference_steps, guidance_scale, latents)
        for number, step in enumerate(walk):
            latents = step.x_next
            if callback_on_step_end is not None:
                changed = callback_on_step_end(self, number, step.t, {"latents": latents})
                latents.copy_((changed or {}).get("latents", latents))
        images = self.decode(latents).cpu()
        if output_type == "pt":
            return Made((images + 1) / 2)
        return Made([Image.fromarray(pixels) for pixels in pictures.to_uint8(images)])

    def noise(
        self, count: int, generator: torch.Generator | Sequence[torch.Generator] | None = None
    ) -> Tensor:
        """Pure noise to start from, (count, 4, 8, 8). Raises TypeError for what is no generator,
        ValueError for a list of them of another length."""
        for one in generator if isinstance(generator, (list, tuple)) else [generator]:
            if one is not None and not isinstance(one, torch.Generator):
                raise TypeError(
                    f"generator is {one!r}: give a torch.Generator; for a seed write "
                    f"torch.Generator().manual_seed({one if isinstance(one, int) else 0})"
                )
        if generator is None or isinstance(generator, torch.Generator):
            return torch.randn(count, self.unet.channels, 8, 8, generator=generator).to(self.device)
        if len(generator) != count:
            raise ValueError(
                f"{len(generator)} generators for {count} pictures: give one for each, "
                "or one for all"
            )
        noise = [torch.randn(self.unet.channels, 8, 8, generator=one) for one in generator]
        return torch.stack(noise).to(self.device)

    def steps(
        self,
        prompt: Said,
        negative_prompt: Said | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        latents: Tensor | None = None,
        interval: tuple[float, float] = (0.0, 1.0),
    ) -> Iterator[SampleStep]:
        """The way from noise to latents, one step at a time, for whoever wants to look on.

        Args:
            latents: noise to start from, (N, 4, 8, 8), one for each prompt; None: of seed 0.
            interval: the times between which guidance acts, see `conditioning.guided`.
            the others: as when the model is called.

        Returns:
            an iterator of DPM-Solver++ steps; all arguments are checked before it is returned.
        """
        prompts = _several("prompt", prompt)
        count = (
            self.card["num_inference_steps"] if num_inference_steps is None else num_inference_steps
        )
        scale = self.card["guidance_scale"] if guidance_scale is None else guidance_scale
        times = sampling.times(_whole("num_inference_steps", count, MOST_STEPS))
        away_from = self.null_context
        if negative_prompt is not None:
            away_from = self.encode_prompt(_several("negative_prompt", negative_prompt))
            if len(away_from) not in (1, len(prompts)):
                raise ValueError(
                    f"{len(away_from)} negative prompts for {len(prompts)} pictures: give one for "
                    "each prompt, or one for all"
                )
        if latents is None:
            latents = self.noise(len(prompts), torch.Generator().manual_seed(0))
        if latents.ndim != 4 or latents.shape[:2] != (len(prompts), self.unet.channels):
            raise ValueError(
                f"latents have shape {tuple(latents.shape)}: for {len(prompts)} prompts give "
                f"({len(prompts)}, {self.unet.channels}, 8, 8), as pipe.noise makes them"
            )
        denoiser = conditioning.guided(
            self.unet, self.schedule, self.kind, self.encode_prompt(prompts), away_from, scale,
            interval,
        )  # fmt: skip
        return sampling.dpm_solver(denoiser, self.schedule, latents, times)


def _several(name: str, prompt: Said) -> list[str]:
    """A prompt or several as a list; raises TypeError or ValueError for what is neither."""
    prompts: list = list(prompt) if isinstance(prompt, (list, tuple)) else [prompt]
    for one in prompts:
        if not isinstance(one, str):
            raise TypeError(
                f"{name} is {one!r}: give a text, such as 'a red house on snow at night', or "
                "several in a list"
            )
    if not prompts:
        raise ValueError(f"{name} is an empty list: give at least one text")
    return prompts


def _whole(name: str, number: int, most: int) -> int:
    """A whole number from 1 to `most`; raises TypeError or ValueError for another."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{name} is {number!r}: give a whole number, from 1 to {most}")
    if not 1 <= number <= most:
        raise ValueError(f"{name} is {number}: it goes from 1 to {most}")
    return number
