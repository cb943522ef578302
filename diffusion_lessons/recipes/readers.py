"""How the networks that look at pictures are trained: the recogniser and the two judges."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from diffusion_lessons import data
from diffusion_lessons.scoring import clothes, recognition
from diffusion_lessons.scoring.networks import FashionJudge, Reader
from diffusion_lessons.training.fit import Fit

from .recipe import FRESH_SEED, Recipe


@dataclass(frozen=True, kw_only=True)
class RecogniserRecipe(Recipe):
    """How a recogniser of postcards is trained, on scenes drawn afresh for every step."""

    def untrained(self, name: str) -> Reader:
        """Return an untrained recogniser or judge."""
        return recognition.NETWORKS[name](recognition.OUTPUTS)

    def fit(self, model: Reader, device: torch.device) -> Fit:
        """Return the training of `model`."""
        evaluator = recognition.PostcardEvaluator(model)
        return evaluator.train(self.steps, self.batch, self.learning_rate, self.seed)

    def describe(self, name: str, model: Reader) -> dict:
        """Return the data and the shares of fresh postcards that are read right."""
        return {
            "data": "postcards of both splits, so that every pair is seen equally often, in the "
            "training mix, drawn afresh for every step; some blurred, noisy or coarse",
            "scores": recognition.PostcardEvaluator(model.cpu()).report(4096, FRESH_SEED),
        }


@dataclass(frozen=True, kw_only=True)
class FashionJudgeRecipe(Recipe):
    """How the judge of Fashion-MNIST is trained."""

    def untrained(self, name: str) -> FashionJudge:
        """Return an untrained judge."""
        return FashionJudge()

    def fit(self, model: FashionJudge, device: torch.device) -> Fit:
        """Return the training of `model` on all training pictures."""
        real = data.load("fashion-mnist", clothes.SIZE, 1).all()
        return clothes.ClothesEvaluator(model).train(
            self.steps, self.batch, self.learning_rate, self.seed,
            real.x_0.to(device), real.given[:, 0].to(device),
        )  # fmt: skip

    def describe(self, name: str, model: FashionJudge) -> dict:
        """Return the data and the share of the test pictures that are named right."""
        fresh = data.load("fashion-mnist", clothes.SIZE, 1, "test").all()
        return {
            "data": "the 60,000 training pictures of Fashion-MNIST, half of them mirrored",
            "scores": clothes.ClothesEvaluator(model.cpu()).report(fresh.x_0, fresh.given[:, 0]),
        }
