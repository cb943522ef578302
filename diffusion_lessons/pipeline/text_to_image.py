"""Text to image, image to image, inpainting: in one call, with the names that `diffusers` uses."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn

from diffusion_lessons import arguments, conditioning, models, sampling, schedule
from diffusion_lessons.models import Autoencoder, CaptionReader, TextUNet, Transformer
from diffusion_lessons.prediction import Denoiser, keep
from diffusion_lessons.sampling import SampleStep
from diffusion_lessons.schedule import NUM_TRAIN_TIMESTEPS, Schedule, add_noise

from . import repaint
from .adapters import Adapters
from .cascade import Cascade, load_autoencoder
from .latent import (
    EXAMPLE,
    OUTPUT_TYPES,
    Generators,
    LatentPipeline,
    Output,
    Prompt,
    as_output,
    checked_generators,
    quick_decoder,
    repeated,
)
from .lora import LoRALoader


class TextToImage(LatentPipeline, Adapters, LoRALoader):
    """A caption encoder, a network that denoises and an autoencoder, working together.

    reader: the caption encoder with its training heads. unet: denoises latents; a transformer may
    take its place. autoencoder: decodes them into pictures; or a `Cascade`. card: "schedule" and
    "kind" of the denoiser, the "sampler" (a function of `sampling`; "dpm_solver" where the card has
    none), the "sample_size" of its latents (8 where the card has none), their "scaling_factor", the
    defaults of a call, "num_inference_steps" and "guidance_scale".

    Attributes:
        latent_shape: of the latents of one picture, (C, h, w).
    """

    def __init__(
        self, reader: CaptionReader, unet: TextUNet | Transformer,
        autoencoder: Autoencoder | Cascade, card: dict,
    ):  # fmt: skip
        super().__init__(reader, autoencoder, card)
        self.unet, size = unet, card.get("sample_size", 8)
        self.latent_shape = (unet.channels, size, size)
        self.schedule, self.kind = getattr(schedule, card["schedule"]), card["kind"]
        self.sampler = getattr(sampling, card.get("sampler", "dpm_solver"))

    @classmethod
    def from_pretrained(cls, name: str = "postcards", controlnet: str | None = None) -> Self:
        """Load the text-to-image model that ships with the course, on the CPU.

        controlnet: the name of a branch that follows an outline, such as "controlnet-outline".

        Raises:
            ValueError: no such model or branch; the message lists those that there are.
            workspace.DamagedFile: weights that are missing or not whole; the message says which.
        """
        unet, card = models.load_denoiser(name)
        reader, _ = models.load_caption_reader(card["parts"]["captions"])
        autoencoder, about = load_autoencoder(card["parts"]["autoencoder"])
        pipe = cls(reader, unet, autoencoder, card | {"scaling_factor": about["scaling_factor"]})
        quick = models.QuickUNet if isinstance(unet, TextUNet) else models.QuickTransformer
        pipe._quick = {unet: quick(unet)}
        pipe._quick |= quick_decoder(autoencoder)
        if controlnet is not None:
            pipe.load_controlnet(controlnet)
        return pipe

    def parts(self) -> list[nn.Module | None]:
        """Return the networks that it is made of."""
        return [self.encoder, self.unet, self.autoencoder, self.controlnet]

    def __call__(
        self,
        prompt: Prompt,
        negative_prompt: Prompt | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        num_images_per_prompt: int = 1,
        generator: Generators = None,
        output_type: str = "pil",
        callback_on_step_end: Callable[..., dict | None] | None = None,
        image: Any = None,
        strength: float | None = None,
        mask_image: Any = None,
        jump_n_sample: int = 1,
        ip_adapter_image: Any = None,
        control_image: Any = None,
        controlnet_conditioning_scale: float = 1.0,
    ) -> Output:
        """Draw pictures of prompts, from noise alone, from a picture, or into a part of it.

        Args:
            prompt: one or several, such as "a red house on snow at night"; "" leaves all open.
            negative_prompt: what guidance leads away from; one for all, or one for each.
            num_inference_steps: steps of the sampler, 1 to 1000; None: the card's number.
            guidance_scale: from 0 over 1 (off) to 30, see `conditioning.guided`; None: the card's.
                Unlike in the pipelines of `diffusers`, where a scale of 1 or less just means
                "off", 0 ignores the prompt here, as the formula says.
            num_images_per_prompt: how many pictures each prompt gets, one after the other.
            generator: draws the first noise, a torch.Generator or one for each picture; None:
                torch's global one.
            output_type: "pil" for a list of PIL images, "pt" for float (N, 3, H, W) in [0, 1].
            callback_on_step_end: called as (pipe, step, t, {"latents": x_t}) after each step; if it
                returns a dict with "latents", the next step starts from these. Where it sets
                `pipe._interrupt` to True, as in `diffusers`, this step is the last.
            image: to begin with (SDEdit, Meng et al. 2022, algorithm 1), as `data.read_image` takes
                it; one for all prompts, or a list of one for each.
            strength: t_0, how far the picture is noised, from 0 to 1; None: 0.8, with a mask 1.
                The last int(num_inference_steps * strength) steps are taken. 0 gives what the
                autoencoder makes of the picture; at 1 all begins as without one.
            mask_image: as `image` and as large: white where to repaint, with some room around what
                is to go. The rest stays, to the pixel. The prompt is of the whole picture.
            jump_n_sample: how often a step is taken with a mask, see `sampling.resampled`.
            ip_adapter_image: a prompt as well, for which `load_ip_adapter` has to be called first;
                as `image`, one for all prompts, or a list of one for each.
            control_image: outlines of the things, and the horizon where that matters, to be
                followed by the ControlNet; read as `image`, dark lines on light or light on dark.
            controlnet_conditioning_scale: how closely, from 0 (not at all) over 1 to 2.

        Raises:
            TypeError, ValueError: an argument that does not fit; the message says what would.
            OSError: a picture that cannot be opened.
            postcards.PromptError (a ValueError): a prompt that cannot be read.
        """
        arguments.choice("output_type", output_type, OUTPUT_TYPES)
        prompts, each = repeated(prompt, num_images_per_prompt)
        if negative_prompt is not None:
            negative = arguments.texts("negative_prompt", negative_prompt, EXAMPLE)
            copies = 1 if len(negative) == 1 else each
            negative_prompt = [text for text in negative for _ in range(copies)]
        latents = self.noise(len(prompts), generator)
        begin: dict[str, Any] = {}
        if ip_adapter_image is not None:
            ip_adapter_image = repaint.one_each("pictures", ip_adapter_image, len(prompts), each)
            begin["ip_adapter_image"] = ip_adapter_image
        if control_image is not None:
            drawings = repaint.one_each("outlines", control_image, len(prompts), each)
            begin["control_image"] = drawings
            begin["controlnet_conditioning_scale"] = controlnet_conditioning_scale
        mask = None
        if image is not None:
            size = 8 * self.latent_shape[-1]
            images, mask = repaint.read(image, mask_image, size, len(prompts), each)
            begin |= {"x_0": self.encode(images), "strength": strength, "generator": generator}
            if mask is not None:
                begin |= {"mask": repaint.latent_mask(mask), "jump_n_sample": jump_n_sample}
        elif strength is not None or mask_image is not None:
            raise ValueError("strength and mask_image are for a picture: give image as well")
        steps, scale = num_inference_steps, guidance_scale
        walk = self.steps(prompts, negative_prompt, steps, scale, latents, **begin)
        latents = begin.get("x_0", latents)  # for a walk without steps
        self._interrupt = False
        for number, step in enumerate(walk):
            latents = step.x_next
            if callback_on_step_end is not None:
                changed = callback_on_step_end(self, number, step.t, {"latents": latents})
                latents.requires_grad_(False)  # a callback may have wanted gradients
                latents.copy_((changed or {}).get("latents", latents).detach())
            if self._interrupt:
                break
        drawn = self.decode(latents).cpu()
        if mask is not None:
            drawn = repaint.paste(drawn, images, mask)
        return as_output(drawn, output_type)

    def noise(self, count: int, generator: Generators = None) -> Tensor:
        """Draw pure noise to start from, (count, C, h, w).

        Raises TypeError for what is no generator, ValueError for a list of them of another length.
        """
        count = arguments.number("count", count, 1, 10_000)
        sources = checked_generators(generator, count)
        each = 1 if isinstance(generator, (list, tuple)) else count
        noise = [
            torch.randn(each, *self.latent_shape, generator=source, dtype=torch.float32)
            for source in sources
        ]
        return torch.cat(noise).to(self.device)

    def steps(
        self,
        prompt: Prompt,
        negative_prompt: Prompt | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        latents: Tensor | None = None,
        interval: tuple[float, float] = (0.0, 1.0),
        x_0: Tensor | None = None,
        strength: float | None = None,
        mask: Tensor | None = None,
        jump_n_sample: int = 1,
        generator: Generators = None,
        ip_adapter_image: Any = None,
        control_image: Any = None,
        controlnet_conditioning_scale: float = 1.0,
    ) -> Iterator[SampleStep]:
        """Walk from noise to latents with the card's sampler, yielding each step.

        latents: noise to start from, (N, C, h, w), one for each prompt; None: of seed 0. interval:
        the times between which guidance acts, see `conditioning.guided`. x_0: latents to begin
        with, as `encode` returns them; no steps at strength 0. mask: as `latent_mask` of `repaint`
        returns it. generator: draws what `jump_n_sample` needs. The others, and errors: as in a
        call; all arguments are checked before the walk is returned.
        """
        prompts = arguments.texts("prompt", prompt, EXAMPLE)
        steps, scale = num_inference_steps, guidance_scale
        steps = self.card["num_inference_steps"] if steps is None else steps
        scale = self.card["guidance_scale"] if scale is None else scale
        steps = arguments.number("num_inference_steps", steps, 1, NUM_TRAIN_TIMESTEPS)
        null_context = self.null_context
        if negative_prompt is not None:
            negative = arguments.texts("negative_prompt", negative_prompt, EXAMPLE)
            if len(negative) > 1:
                repaint.refuse_other_number("negative prompts", len(negative), len(prompts))
            null_context = self.encode_prompt(negative)
        if latents is None:
            latents = self.noise(len(prompts), torch.Generator().manual_seed(0))
        sizes = (len(prompts), self.unet.channels, "h", "w")
        arguments.shape("latents", latents, sizes, ", as pipe.noise draws them", torch.float32)
        unet, context = self._quick.get(self.unet, self.unet), self.encode_prompt(prompts)
        if ip_adapter_image is not None:
            images, _ = repaint.read(ip_adapter_image, None, 8 * latents.shape[-1], len(prompts), 1)
            unet, context, null_context = self.with_pictures(images, unet, context, null_context)
        if control_image is not None:
            size = 8 * latents.shape[-1]
            lines = repaint.read_outlines(control_image, size, len(prompts), 1)
            unet = self.with_outlines(lines, controlnet_conditioning_scale, unet)
        denoiser = conditioning.guided(
            unet, self.schedule, self.kind, context, null_context, scale, interval
        )
        if x_0 is None:
            return self.sampler(denoiser, self.schedule, latents, sampling.times(steps))
        start = self._from_picture(denoiser, latents, x_0, steps, strength, mask)
        rounds = arguments.number("jump_n_sample", jump_n_sample, 1, 100)
        if len(start[-1]) == 1:
            return iter(())
        if rounds == 1:
            return self.sampler(*start)
        return sampling.resampled(*start, rounds, partial(self.noise, len(prompts), generator))

    def _from_picture(
        self, denoiser: Denoiser, noise: Tensor, x_0: Tensor, num_inference_steps: int,
        strength: float | None, mask: Tensor | None,
    ) -> tuple[Denoiser, Schedule, Tensor, Tensor]:  # fmt: skip
        """Return what a sampler walks with, from x_0 under noise; its last is the times, t_0 to 0,
        only 0 where nothing is to be done. For arguments and errors see `steps`."""
        arguments.shape("x_0", x_0, noise.shape, ", as pipe.encode returns them")
        usual = 0.8 if mask is None else 1.0
        times = self.get_timesteps(num_inference_steps, usual if strength is None else strength)
        if mask is not None:
            denoiser = keep(denoiser, self.schedule, x_0, mask.to(x_0.device))
        if 0 < times[0] < 1:  # at 1 noise alone, so that nothing of the picture is left
            noise = add_noise(x_0, noise, times[:1].to(x_0).expand(len(x_0)), self.schedule)
        return denoiser, self.schedule, noise, times

    def get_timesteps(self, num_inference_steps: int, strength: float) -> Tensor:
        """Return the times of a walk from a picture, t_0 to 0; a method of `diffusers`."""
        most, hint = NUM_TRAIN_TIMESTEPS, " (0 keeps the picture, 1 ignores it)"
        steps = arguments.number("num_inference_steps", num_inference_steps, 1, most)
        strength = arguments.number("strength", strength, 0, 1, hint, real=True)
        return sampling.times(steps)[steps - int(steps * strength) :]
