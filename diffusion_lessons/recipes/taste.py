"""How the text-to-image model learns a taste, while the learner looks on: a LoRA, from choices."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion_lessons import arguments, postcards, training
from diffusion_lessons.models import LoRA
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards import VALUES
from diffusion_lessons.postcards.lexicon import PHRASES
from diffusion_lessons.schedule import add_noise
from diffusion_lessons.scoring.recognition import PostcardEvaluator
from diffusion_lessons.training.fit import Fit

_DRAWN = 32  # pictures that are drawn together
_SCENERY = ("ground", "sky")
DARKNESS = ("day", "dawn", "sunset", "aurora", "night")


def night_skies(images: Tensor, reader: PostcardEvaluator) -> Tensor:
    """Return how dark the sky is that a reader sees, (N,): a night is 4, a day 0."""
    ranks = torch.tensor([DARKNESS.index(sky) for sky in VALUES["sky"]])
    return ranks[reader.read(images)["sky"]]


def warm_colours(images: Tensor, reader: PostcardEvaluator | None = None) -> Tensor:
    """Return how warm pictures (N, 3, H, W) are, (N,): red minus blue, a mean over all pixels."""
    return (images[:, 0] - images[:, 2]).mean((1, 2))


#: Rules that stand in for a person: each gives more to a picture that is liked better.
RULES: dict[str, Callable[[Tensor, PostcardEvaluator], Tensor]] = {
    "prefers night skies": night_skies,
    "prefers warm colours": warm_colours,
}


def choices(rule: str, images: Tensor, reader: PostcardEvaluator) -> list[int]:
    """Return what a rule of `RULES` chooses of pairs (N, 2, 3, 64, 64): 0 the left one, 1 the right
    one, -1 where it likes both as much. Raises ValueError for another rule."""
    arguments.choice("rule", rule, [*RULES])
    left, right = (RULES[rule](side, reader) for side in images.unbind(1))
    return torch.where(left == right, -1, (right > left).long()).tolist()


def seen(images: Tensor, reader: PostcardEvaluator) -> list[tuple[str, str]]:
    """Return what a reader sees of the scenery of pairs (N, 2, 3, 64, 64): ("on grass, at night",
    "on sand, by day"); a prompt says the rest."""
    reading = reader.read(images.flatten(0, 1))
    grounds, skies = ([PHRASES[name][value][0] for value in VALUES[name]] for name in _SCENERY)
    rows = zip(*(reading[name].tolist() for name in _SCENERY), strict=True)
    words = [f"{grounds[ground]}, {skies[sky]}" for ground, sky in rows]
    return list(zip(words[::2], words[1::2], strict=True))


@dataclass(frozen=True)
class Pairs:
    """N prompts, and two pictures of each: scaled `latents` (N, 2, 4, 8, 8), and `images`
    (N, 2, 3, 64, 64) in [-1, 1]. `said`: the prompts that say what these leave open, as it is in
    the left and in the right picture."""

    prompts: list[str]
    said: list[tuple[str, ...]]
    latents: Tensor
    images: Tensor


@dataclass(frozen=True, kw_only=True)
class Taste:
    """How a LoRA learns from choices between two pictures of the frozen model, by `dpo_loss`."""

    seed: int
    pairs: int
    left_open: str  # what the prompts do not say, so that there is something to choose
    since: float  # times are drawn from here to 1: early on, where it is settled
    within: str  # the names of the layers that are changed contain this
    rank: int
    alpha: float
    beta: float  # see `training.dpo_loss`
    keep: float  # how dear a change is where nothing is to change
    steps: int
    batch: int  # pictures: half of them in pairs, half where nothing is to change
    learning_rate: float

    def prompts(self, count: int, seed: int) -> list[postcards.Caption]:
        """Return captions of one thing, in which `left_open` is left out; none is the other's."""
        scenes = postcards.sample_scenes(4 * count + 40, seed, kind="single")
        written = postcards.described_captions(scenes, seed)
        return [one for one in written if one.description[self.left_open] is None][:count]  # type: ignore[literal-required]

    def draw(self, pipe: TextToImage, reader: PostcardEvaluator) -> Pairs:
        """Draw half as many pairs again, and return the first in which a reader sees a difference
        in what was left open: two that look alike teach nothing."""
        drawn = [caption.text for caption in self.prompts(self.pairs * 3 // 2, self.seed)]
        twice = [text for text in drawn for _ in range(2)]
        latents, images = (made.unflatten(0, (-1, 2)) for made in paint(pipe, twice, self.seed))
        open_ = torch.stack([reader.read(side)[self.left_open] for side in images.unbind(1)], 1)
        rows = (open_[:, 0] != open_[:, 1]).nonzero()[: self.pairs, 0]
        phrases = [PHRASES[self.left_open][value] for value in VALUES[self.left_open]]
        prompts = [drawn[row] for row in rows.tolist()]
        said = [  # in all words that there are for it, in turn
            tuple(f"{text} {phrases[value][n % len(phrases[value])]}" for value in both)
            for n, (text, both) in enumerate(zip(prompts, open_[rows].tolist(), strict=True))
        ]
        return Pairs(prompts, said, latents[rows], images[rows])

    def begin(
        self,
        pipe: TextToImage,
        pairs: Pairs,
        chosen: Sequence[int],
        loss: Callable[..., Tensor] = training.dpo_loss,
    ) -> Fit:
        """Return the training of a new LoRA of the pipeline's U-Net, before its first step.

        Half of each batch are choices. In the other half nothing is to change: there the prompts
        say what was left open, for whoever likes night best still wants day where they ask for it,
        or are empty, since guidance leads away from what those paint. The mean squared distance
        from the frozen network's answers to them is added to the loss, `keep` times.

        chosen: of the first pairs, as `widgets.choose` has it: 0, 1, or -1 for no difference.
        loss: called as `training.dpo_loss`. Raises ValueError where nothing is chosen.
        """
        context, winners, losers = _choices(pipe, pairs, chosen)
        said, painted = _kept(pipe, pairs, len(chosen))

        def batch(step: int) -> tuple[Tensor, Tensor]:
            dice = torch.Generator().manual_seed(2**30 + self.seed * 1_000_003 + step)
            sizes = (len(context), self.batch // 4), (len(said), self.batch // 2)
            return tuple(torch.randint(n, (rows,), generator=dice) for n, rows in sizes)  # type: ignore[return-value]

        def noise(x_0: Tensor, dice: torch.Generator) -> tuple[Tensor, Tensor]:
            t = self.since + (1 - self.since) * training.spread_times(len(x_0), dice)
            return t, torch.randn(x_0.shape, generator=dice)

        def loss_of(rows: tuple[Tensor, Tensor], dice: torch.Generator) -> Tensor:
            networks, (pair, same) = (lora.on(pipe.unet), pipe.unet), rows
            sides = [losses(pipe, network, context[pair]) for network in networks]
            t, eps = noise(winners[pair], dice)
            by_taste = loss(winners[pair], losers[pair], t, eps, *sides, self.beta)
            t, eps = noise(painted[same], dice)
            x_t = add_noise(painted[same], eps, t, pipe.schedule)
            now, before = (network(x_t, t, said[same]) for network in networks)
            return by_taste + self.keep * (now - before).square().mean()

        torch.manual_seed(self.seed)
        lora = LoRA.of(pipe.unet, self.rank, self.alpha, self.within)
        return training.fit_seeded(
            lora, batch, loss_of, self.steps, self.learning_rate, self.seed, ema_decay=None
        )


def losses(
    pipe: TextToImage, network: Callable[..., Tensor], context: Tensor
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Return a function from x_0, t and eps to the loss of each, where `network` is told the
    context (B, L, D)."""
    return lambda x_0, t, eps: training.loss_of_each(
        network, x_0, t, eps, pipe.schedule, pipe.kind, context
    )


def change(
    pipe: TextToImage, lora: LoRA, pairs: Pairs, chosen: Sequence[int], weight: float = 1.0
) -> dict[str, float]:
    """Return the mean loss of the frozen network in what was chosen, "frozen", and by how much a
    LoRA, at a weight, changes it for the "winners" and the "losers": each pair once, times spread
    evenly."""
    lora = copy.deepcopy(lora)
    lora.settings["alpha"] *= weight
    context, *sides = _choices(pipe, pairs, chosen)
    dice = torch.Generator().manual_seed(0)
    t, eps = training.spread_times(len(context), dice), torch.randn(sides[0].shape, generator=dice)
    with torch.no_grad():
        frozen, tuned = (
            [losses(pipe, call, context)(x_0, t, eps).mean().item() for x_0 in sides]
            for call in (pipe.unet, lora.on(pipe.unet))
        )
    winners, losers = (after - before for before, after in zip(frozen, tuned, strict=True))
    return {"frozen": frozen[0], "winners": winners, "losers": losers}


def _choices(pipe: TextToImage, pairs: Pairs, chosen: Sequence[int]) -> tuple[Tensor, ...]:
    """Return context, winners and losers of the pairs in which one was chosen."""
    rows = [n for n, which in enumerate(chosen) if which >= 0]
    if not rows:
        raise ValueError("there is no choice to learn from: choose in some pairs first")
    which = torch.tensor([chosen[n] for n in rows])
    context = pipe.encode_prompt([pairs.prompts[n] for n in rows])
    return context, pairs.latents[rows, which], pairs.latents[rows, 1 - which]


def _kept(pipe: TextToImage, pairs: Pairs, count: int) -> tuple[Tensor, Tensor]:
    """Return context and latents of the first pairs where nothing is to change: the left picture
    and the right one under the prompts that say what they show, and the left one without a word."""
    texts = [text for both in pairs.said[:count] for text in (*both, "")]
    return pipe.encode_prompt(texts), pairs.latents[:count, [0, 1, 0]].flatten(0, 1)


def paint(pipe: TextToImage, prompts: list[str], seed: int) -> tuple[Tensor, Tensor]:
    """Return latents (N, 4, 8, 8) and pictures (N, 3, 64, 64) of prompts; number i from noise of
    seed + i."""
    latents = []
    for start in range(0, len(prompts), _DRAWN):
        part = prompts[start : start + _DRAWN]
        dice = [torch.Generator().manual_seed(seed + start + i) for i in range(len(part))]
        *_, last = pipe.steps(part, latents=pipe.noise(len(part), dice))
        latents.append(last.x_next)
    return torch.cat(latents), pipe.decode(torch.cat(latents))
