"""Makes the pictures that README and data/ ship. Nobody picks: the first seeds only."""

from diffusion_lessons import pictures, postcards, workspace

CAPTIONS = (
    "a red house on snow at night",
    "three large blue boats on the sea at sunset",
    "a large pink cat on the right, on grass, on a sunny day",
    "a purple rocket on sand under the northern lights",
    "a yellow hot-air balloon and a green tree on snow at dawn",
    "two orange mushrooms on grass at night",
    "a large red mushroom on sand at dawn",
    "a green cactus and a small purple house on sand at sunset",
)


def poster(seed: int = 0) -> None:
    """README's first picture: eight captions, each drawn with the same seed."""
    scenes = [postcards.compose(postcards.parse(caption), seed) for caption in CAPTIONS]
    images = postcards.draw(postcards.concatenate(scenes), size=208)
    save(pictures.grid(images, CAPTIONS, columns=4, zoom=1), "postcards.png")


def first_seeds(count: int = 96) -> None:
    """The first `count` seeds of the training mix, one picture each, in order."""
    scenes = [postcards.sample_scenes(1, seed) for seed in range(count)]
    save(
        pictures.grid(postcards.draw(postcards.concatenate(scenes)), columns=12, zoom=1),
        "first-seeds.png",
    )


def save(image, name: str) -> None:
    path = workspace.data_path("pictures", name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pictures.png(image))
    print(f"{path.relative_to(workspace.data_path().parent)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    poster()
    first_seeds()
    workspace.write_checksums(workspace.data_path())
