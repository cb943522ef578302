"""A learner's own pictures: every kind of file, folders with a broken one, sets in other sets."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, Subset, random_split

from diffusion_lessons.data import load, read_image
from diffusion_lessons.data.pixels import read_pixels

SIZE = 16
RAMP = np.arange(SIZE * SIZE, dtype=np.uint8).reshape(SIZE, SIZE)
COLOURS = np.stack([RAMP, RAMP.T, 255 - RAMP], axis=-1)
GREY, COLOURED = Image.fromarray(RAMP), Image.fromarray(COLOURS)


class Folder:
    """Pictures in the files of a folder, as torchvision's `ImageFolder` has them."""

    def __init__(self, folder, transform=None, classes=("boat", "cat")):
        files = sorted(folder.iterdir())
        self.samples = [(str(file), i % len(classes)) for i, file in enumerate(files)]
        self.classes, self.transform = list(classes), transform

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        path, label = self.samples[index]
        with Image.open(path) as picture:
            picture.load()
        return (self.transform(picture) if self.transform else picture), label


@pytest.fixture
def folder(tmp_path):
    for i in range(6):
        Image.fromarray(COLOURS // (i + 1)).save(tmp_path / f"{i}.png")
    return tmp_path


def in_file(picture, path, **settings):
    picture.save(path, **settings)
    return path


def turned(orientation):
    """A picture that a camera stored lying on its side, with the note how to turn it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    back = {1: None, 3: 3, 6: 2, 8: 4}[orientation]  # Image.Transpose: 90, 180 or 270 degrees
    return (COLOURED if back is None else COLOURED.transpose(back)), exif


# Each as it is to be seen: name, picture, array (H, W) or (H, W, 3), largest difference.
FILES = {
    "grey": (GREY, RAMP, 0),
    "colour": (COLOURED, COLOURS, 0),
    "palette": (COLOURED.quantize(256), COLOURS, 40),
    "black and white": (GREY.convert("1"), np.asarray(GREY.convert("1")) * 255, 0),
    "16 bits": (Image.fromarray(RAMP.astype(np.uint16) * 257), RAMP, 0),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_every_kind_is_read_as_it_is_seen(name, tmp_path):
    picture, seen, off = FILES[name]
    found = read_image(in_file(picture, tmp_path / "picture.png"), SIZE)
    expected = torch.from_numpy(np.array(np.broadcast_to(seen.T, (3, SIZE, SIZE)))).mT
    assert (
        found.shape == (3, SIZE, SIZE) and ((found + 1) * 127.5 - expected).abs().max() < off + 0.01
    )


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LAB", "RGBX", "PA"])
def test_other_ways_to_hold_colours_are_read(mode):
    made = COLOURED.convert("P").convert("PA") if mode == "PA" else Image.new(mode, (SIZE, SIZE))
    found = read_pixels(made)
    assert found.shape == (3, SIZE, SIZE) and 0 <= found.min() <= found.max() <= 1
    if mode in ("CMYK", "YCbCr", "HSV"):
        found = read_pixels(COLOURED.convert(mode))
        assert (found * 255 - torch.from_numpy(COLOURS).movedim(2, 0)).abs().max() < 12


@pytest.mark.parametrize("mode", ["F", "I"])
def test_what_has_no_range_is_refused_with_the_fix(mode):
    with pytest.raises(ValueError, match=f"mode '{mode}': convert it to 'L' or 'RGB'"):
        read_pixels(Image.new(mode, (SIZE, SIZE)))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white_whatever_colour_hides_there(mode, tmp_path):
    clear = Image.new("RGBA", (SIZE, SIZE), (9, 200, 30, 0))
    clear.paste((40, 40, 40, 255), (0, 0, SIZE // 2, SIZE))
    made = clear.quantize(8) if mode == "P" else clear.convert(mode)
    found = read_image(in_file(made, tmp_path / "clear.png"), SIZE)
    assert (found[:, :, SIZE // 2 :] == 1).all()
    assert ((found[:, :, : SIZE // 2] + 1) * 127.5 - 40).abs().max() < 2


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_photograph_stands_as_it_was_taken(orientation, tmp_path):
    picture, exif = turned(orientation)
    found = read_image(in_file(picture, tmp_path / "photo.png", exif=exif), SIZE)
    assert torch.equal(found, read_image(COLOURED, SIZE))


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 2), (500, 7)])
def test_tiny_and_long_pictures_fill_the_square(shape):
    images = load([(Image.new("RGB", shape, (255, 0, 0)), 0)], SIZE).all().x_0
    assert images.shape == (1, 3, SIZE, SIZE)
    assert torch.equal(images, torch.tensor([1.0, -1, -1]).view(1, 3, 1, 1).expand_as(images))


BREAKS = {
    "not a picture": lambda whole: b"these are words",
    "empty": lambda whole: b"",
    "cut in the middle": lambda whole: whole[: len(whole) // 2],
    "cut in its head": lambda whole: whole[:20],
    "a bit of its pixels is turned": lambda whole: (
        whole[:60] + bytes([whole[60] ^ 255]) + whole[61:]
    ),
}


@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize("place", [0, 4])
@pytest.mark.parametrize("wrap", ["none", "subset", "subset of a subset"])
def test_a_broken_file_is_named(folder, name, place, wrap):
    path = folder / f"{place}.png"
    path.write_bytes(BREAKS[name](path.read_bytes()))
    pairs = Folder(folder)
    if wrap != "none":
        pairs = Subset(pairs, [5, 4, 3, 2, 1, 0])
    if wrap == "subset of a subset":
        pairs = Subset(pairs, [1, 5, 0])
    with pytest.raises(ValueError, match=rf"item \d of (Folder|Subset) \(.*{place}\.png\): \S"):
        load(pairs, SIZE).all()


def test_an_error_of_the_learner_s_own_set_is_told_with_the_item(folder):
    def transform(picture):
        return {}["size"]

    with pytest.raises(ValueError, match=r"item 0 of Folder \(.*0.png\): 'size'") as caught:
        load(Folder(folder, transform), SIZE)
    assert isinstance(caught.value.__cause__, KeyError)


def to_tensor(picture):
    return torch.from_numpy(np.array(picture)).movedim(2, 0).float() / 255


def cut(pairs, transform=None):
    first, rest = random_split(pairs, [2, 4], torch.Generator().manual_seed(0))
    return ConcatDataset([first, rest])


WRAPS = {
    "as it is": lambda pairs: pairs,
    "a part": lambda pairs: Subset(pairs, range(6)),
    "a part of a part": lambda pairs: Subset(Subset(pairs, range(6)), range(6)),
    "joined": lambda pairs: ConcatDataset([Subset(pairs, [0, 1]), Subset(pairs, [2, 3, 4, 5])]),
    "split and joined": cut,
}


@pytest.mark.parametrize("transform", [None, to_tensor])
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_set_in_another_keeps_the_names_of_its_classes(folder, wrap, transform):
    pictures = load(WRAPS[wrap](Folder(folder, transform)), SIZE)
    assert pictures.factors == {"class": ("boat", "cat")} and pictures.count == 6
    batch, plain = pictures.all(), load(Folder(folder), SIZE).all()
    assert sorted(batch.captions) == ["boat"] * 3 + ["cat"] * 3
    if wrap != "split and joined":
        assert torch.equal(batch.x_0, plain.x_0) and batch.captions == plain.captions


def test_sets_of_other_classes_are_joined_without_names(folder):
    other = Folder(folder, classes=("shoe", "hat"))
    pictures = load(ConcatDataset([Folder(folder), other]), SIZE)
    assert pictures.factors == {"class": ()} and pictures.all().captions[:2] == [
        "class 0",
        "class 1",
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_tensors_that_want_gradients_give_pictures_that_do_not(dtype):
    images = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)).to(dtype)
    pairs = [(image.requires_grad_(), i) for i, image in enumerate(images.unbind())]
    batch = load(pairs, SIZE).all()
    assert batch.x_0.dtype == torch.float32 and not batch.x_0.requires_grad
    assert torch.equal(batch.x_0, images.detach().float() * 2 - 1)


def test_every_kind_of_number_in_an_array_is_read_or_refused():
    kinds = itertools.product("uif", (1, 2, 4, 8))
    for kind, size in kinds:
        if (kind, size) == ("f", 1):
            continue
        picture = np.ones((SIZE, SIZE, 3), np.dtype(f"{kind}{size}"))
        if kind == "f" or (kind, size) == ("u", 1):
            assert read_pixels(picture).dtype == torch.float32
        else:
            with pytest.raises(TypeError, match=f"picture of torch.{kind_name(kind)}.*give uint8"):
                read_pixels(picture)


def kind_name(kind):
    return {"u": "uint", "i": "int"}[kind]
