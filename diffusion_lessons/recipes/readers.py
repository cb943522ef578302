"""How the networks that read pictures are made: the recogniser and the two judges."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from diffusion_lessons import data
from diffusion_lessons.models import count_parameters
from diffusion_lessons.scoring import clothes, recognition
from diffusion_lessons.scoring.networks import FashionJudge, Reader
from diffusion_lessons.training.fit import Fit

from .recipe import FRESH_SEED


@dataclass(frozen=True)
class RecogniserRecipe:
    """How a recogniser of postcards is made.

    Attributes:
        seed: for the first weights and, with the step's number, for each batch of scenes.
        steps, batch, learning_rate: of AdamW; the rate warms up and falls to 0 along a cosine.
    """

    seed: int
    steps: int
    batch: int
    learning_rate: float

    def begin(self, name: str, device: torch.device) -> Fit:
        """See `Recipe.begin`."""
        torch.manual_seed(self.seed)
        model = recognition.NETWORKS[name](recognition.OUTPUTS).to(device)
        return recognition.PostcardEvaluator(model).train(**asdict(self))

    def tell(self, name: str, model: Reader) -> dict:
        """See `Recipe.tell`."""
        return {
            "network": f"{type(model).__name__}, {count_parameters(model)} parameters",
            "data": "postcards of both splits, so that every pair is seen equally often, in the "
            "training mix, drawn afresh for every step; some blurred, noisy or coarse",
            "scores": recognition.PostcardEvaluator(model.cpu()).report(4096, FRESH_SEED),
        }


@dataclass(frozen=True)
class FashionJudgeRecipe:
    """How the judge of Fashion-MNIST is made; attributes as in `RecogniserRecipe`."""

    seed: int
    steps: int
    batch: int
    learning_rate: float

    def begin(self, name: str, device: torch.device) -> Fit:
        """See `Recipe.begin`."""
        torch.manual_seed(self.seed)
        model = FashionJudge().to(device)
        real = data.load("fashion-mnist", clothes.SIZE, 1).all()
        images, labels = real.x_0.to(device), real.given[:, 0].to(device)
        evaluator = clothes.ClothesEvaluator(model)
        return evaluator.train(
            self.steps, self.batch, self.learning_rate, self.seed, images, labels
        )

    def tell(self, name: str, model: FashionJudge) -> dict:
        """See `Recipe.tell`."""
        fresh = data.load("fashion-mnist", clothes.SIZE, 1, "test").all()
        return {
            "network": f"{type(model).__name__}, {count_parameters(model)} parameters",
            "data": "the 60,000 training pictures of Fashion-MNIST, half of them mirrored",
            "scores": clothes.ClothesEvaluator(model.cpu()).report(fresh.x_0, fresh.given[:, 0]),
        }
