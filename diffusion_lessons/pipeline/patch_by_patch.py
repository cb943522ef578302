"""Text to image by autoregression: a picture is written code by code, in reading order."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion_lessons import arguments, conditioning, models
from diffusion_lessons.models import Autoencoder, CaptionReader, CodeWriter, Tokeniser
from diffusion_lessons.models.code_writer import Cache

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

SIDE = 8  # a postcard has 8 x 8 places

#: From the last code (B,), or None, and a cache, or None, to the next code's logits with and
#: without the caption, (B, K) each, and a cache with one more place.
Step = Callable[[Tensor | None, Any], tuple[Tensor, Tensor, Any]]


def draw_codes(
    logits: Tensor, temperature: float, dice: Sequence[torch.Generator | None]
) -> Tensor:
    """Draw a code for each row of logits (B, K), int64 (B,): the colder, the more likely ones; at
    temperature 0 the likeliest. dice: one for all rows, or one for each."""
    if temperature == 0:
        return logits.argmax(dim=1)
    shares = (logits / temperature).softmax(dim=1).cpu()  # where the dice are
    parts = shares.split(1 if len(dice) > 1 else len(logits))
    drawn = [torch.multinomial(p, 1, generator=each) for p, each in zip(parts, dice, strict=True)]
    return torch.cat(drawn)[:, 0].to(logits.device)


def written(
    step: Step, places: int, temperature: float, scale: float,
    dice: Sequence[torch.Generator | None], known: Tensor | None = None,
) -> Iterator[Tensor]:  # fmt: skip
    """Write codes one after another, yielding those so far, int64 (B, n), for n = 1 to `places`.

    scale: of the guidance, on the logits, see `conditioning.guide`. known: (B, places), codes that
    stay as they are, and -1 where to write.
    """
    code, cache, codes = None, None, []
    for place in range(places):
        with_caption, without, cache = step(code, cache)
        code = draw_codes(conditioning.guide(without, with_caption, scale), temperature, dice)
        if known is not None:
            code = torch.where(known[:, place] < 0, code, known[:, place])
        codes.append(code)
        yield torch.stack(codes, dim=1)


def write(
    step: Step, places: int, temperature: float, scale: float, dice: torch.Generator
) -> Tensor:
    """Write `places` codes one after another, int64 (B, places). See `written`."""
    *_, codes = written(step, places, temperature, scale, [dice])
    return codes


class PatchByPatch(LatentPipeline):
    """A caption encoder, a network that writes codes, a tokeniser and an autoencoder together.

    card: "scaling_factor" of the latents, and the defaults of a call, "temperature" and
    "guidance_scale".
    """

    def __init__(
        self, reader: CaptionReader, writer: CodeWriter, tokeniser: Tokeniser,
        autoencoder: Autoencoder | Cascade, card: dict,
    ):  # fmt: skip
        super().__init__(reader, autoencoder, card)
        self.writer, self.tokeniser = writer, tokeniser

    @classmethod
    def from_pretrained(cls, name: str = "postcards-codes") -> Self:
        """Load the model that ships with the course, on the CPU. Errors as in `TextToImage`."""
        writer, card = models.load_code_writer(name)
        reader, _ = models.load_caption_reader(card["parts"]["captions"])
        tokeniser, _ = models.load_tokeniser(card["parts"]["tokeniser"])
        autoencoder, _ = load_autoencoder(card["parts"]["autoencoder"])
        pipe = cls(reader, writer, tokeniser, autoencoder, card)
        pipe._quick = quick_decoder(autoencoder)
        return pipe

    def parts(self) -> list[nn.Module | None]:
        """Return the networks that it is made of."""
        return [self.encoder, self.writer, self.tokeniser, self.autoencoder]

    def to_codes(self, images: Tensor) -> Tensor:
        """Turn pictures (N, 3, 64, 64) in [-1, 1] into codes in reading order, int64 (N, 64)."""
        with torch.no_grad():
            return self.tokeniser.encode(self.encode(images)).flatten(1)

    def to_pictures(self, codes: Tensor) -> Tensor:
        """Turn codes (N, n) into pictures (N, 3, 64, 64) in [-1, 1], grey from place n on."""
        hint = ", at most 64, in reading order"
        arguments.shape("codes", codes, ("N", "n"), hint, arguments.WHOLE)
        written = codes.shape[1]
        codes = functional.pad(codes, (0, SIDE**2 - written))
        with torch.no_grad():
            drawn = self.decode(self.tokeniser.decode(codes.unflatten(1, (SIDE, SIDE))))
        ahead = torch.arange(SIDE**2, device=codes.device).view(SIDE, SIDE) >= written
        size = drawn.shape[-1] // SIDE
        return drawn.masked_fill(ahead.repeat_interleave(size, 0).repeat_interleave(size, 1), 0)

    def __call__(
        self,
        prompt: Prompt,
        temperature: float | None = None,
        guidance_scale: float | None = None,
        num_images_per_prompt: int = 1,
        generator: Generators = None,
        output_type: str = "pil",
    ) -> Output:
        """Write pictures of prompts. All but `temperature` is as in `TextToImage`.

        temperature: 0 takes the likeliest code each time, 1 draws as the network says; None: the
        card's. Raises TypeError or ValueError for an argument that does not fit.
        """
        arguments.choice("output_type", output_type, OUTPUT_TYPES)
        prompts, _ = repeated(prompt, num_images_per_prompt)
        *_, codes = self.steps(prompts, temperature, guidance_scale, generator)
        return as_output(self.to_pictures(codes).cpu(), output_type)

    def steps(
        self,
        prompt: Prompt,
        temperature: float | None = None,
        guidance_scale: float | None = None,
        generator: Generators = None,
        known: Tensor | None = None,
        use_cache: bool = True,
    ) -> Iterator[Tensor]:
        """Write codes, yielding those so far, int64 (N, n), for n = 1 to 64.

        known: (N, 64), codes that stay, -1 where to write. use_cache: whether keys and values of
        earlier places are kept or computed anew each time. The others, and errors: as in a call.
        """
        prompts = arguments.texts("prompt", prompt, EXAMPLE)
        warm = self.card["temperature"] if temperature is None else temperature
        hint = " (0 takes the likeliest code, 1 draws as the network says)"
        warm = arguments.number("temperature", warm, 0, 2, hint, real=True)
        scale = self.card["guidance_scale"] if guidance_scale is None else guidance_scale
        most = conditioning.LARGEST_SCALE
        scale = arguments.number("guidance_scale", scale, 0, most, " (1 is off)", real=True)
        if known is not None:
            arguments.shape("known", known, (len(prompts), SIDE**2), ", codes, -1 where to write")
            arguments.indices("known", known, -1, self.writer.codes.num_embeddings - 1)
        step = self.step(prompts, scale != 1, use_cache)
        dice = checked_generators(generator, len(prompts))
        return written(step, SIDE**2, warm, scale, dice, known)

    def step(self, prompts: Sequence[str], guided: bool = True, use_cache: bool = True) -> Step:
        """Return what computes the next code's logits, after each caption and, if `guided`, after
        the empty one too."""
        contexts = self.encode_prompt(prompts)
        if guided:
            contexts = torch.cat([contexts, self.null_context.expand_as(contexts)])
        copies = 1 + guided

        @torch.inference_mode()
        def cached(code: Tensor | None, cache: Cache | None) -> tuple[Tensor, Tensor, Cache]:
            last = None if code is None else code.repeat(copies)
            logits, cache = self.writer.step(last, cache or self.writer.begin(contexts))
            return logits[: len(prompts)], logits[-len(prompts) :], cache

        @torch.inference_mode()
        def anew(code: Tensor | None, before: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
            blank = torch.zeros(len(contexts), 1, dtype=torch.int64, device=contexts.device)
            codes = blank[:, :0] if before is None else before
            if code is not None:
                codes = torch.cat([codes, code.repeat(copies)[:, None]], dim=1)
            logits = self.writer(torch.cat([codes, blank], dim=1), contexts)[:, -1]
            return logits[: len(prompts)], logits[-len(prompts) :], codes

        return cached if use_cache else anew

    def log_likelihood(self, codes: Tensor, prompts: Sequence[str]) -> Tensor:
        """Return how likely codes (N, 64) are after N prompts, in nats, (N,): exactly, for the
        chain rule says that the logarithms at all places add up. Without guidance."""
        arguments.shape("codes", codes, (len(prompts), SIDE**2), ", one row for each prompt")
        with torch.inference_mode():
            logits = self.writer(codes, self.encode_prompt(prompts)).log_softmax(dim=2)
        return logits.gather(2, codes[:, :, None]).sum(dim=(1, 2))
