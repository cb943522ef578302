"""Makes data/pictures/training.png: the live training of lesson 02, as its widget leaves it.

The notebook's own output is not stored there, since it differs a little from machine to machine.
Nobody picks: `recipes.LIVE` with its own seed. Takes a minute or two.
"""

import torch

from diffusion_lessons import pictures, recipes, sampling, schedule, scoring, widgets, workspace
from diffusion_lessons.prediction import as_denoiser

SHOWN = 16


def main() -> None:
    """Train as the lesson does, and write the picture and the list of checksums."""
    live = recipes.LIVE
    fit = live.begin("live", torch.device("cpu"))
    labels = scoring.asked(live.data, SHOWN, seed=0)
    start = torch.randn(SHOWN, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with widgets.watch(live.steps, alt="sprites that the network draws as it learns") as view:
        for done in fit:
            view.step(done.step + 1, done.loss)
            if (done.step + 1) % 100 == 0:
                denoiser = as_denoiser(fit.ema, schedule.cosine, live.kind, labels)
                walk = sampling.dpm_solver(denoiser, schedule.cosine, start, sampling.times(8))
                view.pictures(sampling.finish(walk), f"after {done.step + 1} steps")
    path = workspace.data_path("pictures", "training.png")
    # A text cell shows a picture as large as it is, so this one has the size that it takes there.
    path.write_bytes(pictures.at_page_size(view.still()[1] or b""))
    workspace.write_checksums(workspace.data_path())


if __name__ == "__main__":
    main()
