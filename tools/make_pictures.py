"""Makes the pictures that README and data/ ship. Nobody picks: the first seeds only."""

import io

import torch
from PIL import Image

from diffusion_lessons import pictures, postcards, workspace
from diffusion_lessons.pipeline import TextToImage

CAPTIONS = (
    "a red house on snow at night",
    "three large blue boats on the sea at sunset",
    "a large pink cat on the right, on grass, on a sunny day",
    "a purple rocket on sand under the northern lights",
    "a yellow hot-air balloon on the left and a green tree on the right, on snow at dawn",
    "two orange mushrooms on grass at night",
    "a large red mushroom on sand at dawn",
    "a green cactus on the right and a small purple house on the left, on sand at sunset",
)
_STEP_MS = 300  # the whole way takes less than five seconds, and is shown once: nothing blinks on


def steps_from_noise(pipe: TextToImage) -> list[Image.Image]:
    """Eight captions, seeds 0 to 7: pure noise, then what there is after each step."""
    seeds = range(len(CAPTIONS))
    noise = pipe.noise(len(CAPTIONS), [torch.Generator().manual_seed(seed) for seed in seeds])
    places = [noise, *(step.x_next for step in pipe.steps(CAPTIONS, latents=noise))]
    return [pictures.grid(pipe.decode(x_t), CAPTIONS, columns=4, zoom=3) for x_t in places]


def from_noise(frames: list[Image.Image]) -> None:
    """README's first picture: the frames one after the other, once.

    Programs that do not show moving PNGs show the last one.
    """
    moving = [*(frame.point(_coarse) for frame in frames[:-1]), frames[-1]]
    file = io.BytesIO()
    frames[-1].save(
        file, "PNG", save_all=True, append_images=moving, default_image=True,
        duration=_STEP_MS, loop=1, optimize=True,
    )  # fmt: skip
    save(file.getvalue(), "from-noise.png")


def _coarse(value: int) -> int:
    """A colour in steps of 8: noise in fewer colours is a smaller file, and white stays white."""
    return min(255, (value + 4) // 8 * 8)


def first_seeds(count: int = 96) -> None:
    """The first `count` seeds of the training mix, one picture each, in order."""
    scenes = [postcards.sample_scenes(1, seed) for seed in range(count)]
    sheet = pictures.grid(postcards.draw(postcards.concatenate(scenes)), columns=12, zoom=1)
    save(pictures.png(sheet), "first-seeds.png")


def save(content: bytes, name: str) -> None:
    """Write a picture to data/pictures."""
    path = workspace.data_path("pictures", name)
    workspace.write_whole(path, content)
    print(f"data/pictures/{name}: {len(content) / 1000:.0f} kB")


if __name__ == "__main__":
    from_noise(steps_from_noise(TextToImage.from_pretrained()))
    first_seeds()
    workspace.write_checksums(workspace.data_path())
