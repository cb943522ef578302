"""How each shipped weight was made: `python -m diffusion_lessons train NAME` repeats it.

A recipe is data; the method it follows lies in the rooms below. What is made goes to
`data/weights/NAME.safetensors`, with a card beside it that says how, for how long, and how good.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import torch
from tqdm.auto import tqdm

from . import recognition, workspace
from .models import count_parameters


@dataclass(frozen=True)
class RecogniserRecipe:
    """What settles a recogniser's training, besides the code: the same on the same machine.

    Attributes:
        seed: for the first weights and, with the step's number, for each batch of scenes.
        steps, batch, learning_rate: of AdamW; the rate warms up and falls to 0 along a cosine.
    """

    seed: int
    steps: int
    batch: int
    learning_rate: float


RECIPES = {
    "recogniser": RecogniserRecipe(seed=1, steps=2100, batch=56, learning_rate=2e-3),
    "judge": RecogniserRecipe(seed=2, steps=2600, batch=56, learning_rate=1.5e-3),
}
NAMES = tuple(RECIPES)
FRESH_SEED = 1_000_000_000  # scores use this and the two after it; no training seed is among them
_PURPOSE = {
    "recogniser": "Reads what a postcard shows. May serve in losses and in lessons.",
    "judge": "Reads what a postcard shows, for measuring only: no loss and no choice of weights "
    "ever uses it. Every reported figure is the judge's.",
}


def train(name: str) -> None:
    """Makes the weights `name` anew, with a progress bar, and writes them and their card.

    Raises:
        ValueError: no such name.
        OSError: the folder of the weights cannot be written.
    """
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}: choose one of {', '.join(NAMES)}")
    recipe = RECIPES[name]
    path = workspace.data_path("weights", f"{name}.safetensors")
    workspace.check_writable(path)
    torch.manual_seed(recipe.seed)
    model = recognition.NETWORKS[name](recognition.OUTPUTS)
    started = time.process_time()
    settings = asdict(recipe) | {"model": model}
    steps = recognition.train(**settings)
    with tqdm(steps, total=recipe.steps, desc=f"training {name}", unit="step") as bar:
        for done in bar:
            bar.set_postfix(loss=f"{done.loss:.3f}", refresh=False)
    seconds = time.process_time() - started
    model = model.half().float().eval()  # scored as shipped: half precision on disk
    print("scoring on fresh pictures ...")
    card = {
        "name": name,
        "purpose": _PURPOSE[name],
        "network": f"{type(model).__name__}, {count_parameters(model)} parameters",
        "data": "postcards of both splits, so that every pair is seen equally often, in the "
        "training mix, drawn afresh for every step; some blurred, noisy or coarse",
        "recipe": asdict(recipe),
        "pictures seen": recipe.steps * recipe.batch,
        "CPU seconds of training": round(seconds),
        "torch": torch.__version__,
        "scores": recognition.report(model, count=4096, seed=FRESH_SEED),
    }
    tensors = {key: _half(value) for key, value in model.state_dict().items()}
    workspace.save_weights(path, tensors, card)


def _half(tensor: torch.Tensor) -> torch.Tensor:
    """Half precision for numbers with a fraction; whole numbers stay as they are."""
    return tensor.half() if tensor.is_floating_point() else tensor
