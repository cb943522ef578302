"""Data sets in the shape a lesson wants: postcards and a learner's own pictures."""

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lessons import data, postcards
from diffusion_lessons.data import fashion, load
from diffusion_lessons.postcards import VALUES, words

BLACK = torch.zeros(1, 2, 2)


class Pairs(list):
    """A learner's data set: a list of (picture, label), perhaps with `classes`."""


def only(picture, label=0, classes=None):
    pairs = Pairs([(picture, label)])
    if classes:
        pairs.classes = classes
    return pairs


def picture_of(picture, size, channels=3):
    """What becomes of a picture in a learner's data set, (channels, size, size)."""
    return load(only(picture), size, channels).sample(1, seed=0).x_0[0]


def ramp(count):
    """Pictures from black to white, each with its number as the label."""
    return Pairs((BLACK + i / count, i) for i in range(count))


# ---- postcards -------------------------------------------------------------------------------


def test_postcards():
    cards = load("postcards")
    batch, scenes = cards.sample(20, seed=5), postcards.sample_scenes(20, seed=5)
    assert torch.equal(batch.x_0, postcards.draw(scenes, 64))
    assert torch.equal(batch.given[:, 0], scenes.attributes["object"][:, 0])
    assert torch.equal(batch.given[:, 5], scenes.attributes["sky"])
    names = ["object", "colour", "size", "position", "count", "sky", "ground"]
    assert cards.factors == {name: VALUES[name] for name in names}
    assert list(cards.factors) == names and batch.given.shape == (20, 7) and cards.count is None
    assert len(batch.captions) == 20 and all(batch.captions)


def test_postcards_in_grey_are_their_luminance():
    colour, grey = load("postcards", 32).sample(8, 1), load("postcards", 32, 1).sample(8, 1)
    red, green, blue = colour.x_0.unbind(1)
    assert grey.x_0.shape == (8, 1, 32, 32)
    assert torch.allclose(grey.x_0[:, 0], 0.299 * red + 0.587 * green + 0.114 * blue, atol=1e-6)
    assert grey.captions == colour.captions


def test_postcards_of_the_two_splits_share_no_seed():
    train, test = load("postcards", 32), load("postcards", 32, split="test").sample(4, 0).x_0
    for seed in (0, 1, data.MAX_SEED - 1):
        assert not torch.equal(train.sample(4, seed).x_0, test)
    assert torch.equal(test, postcards.draw(postcards.sample_scenes(4, data.MAX_SEED), 32))
    with pytest.raises(ValueError, match="seed"):
        train.sample(4, seed=data.MAX_SEED)  # the first seed of the test split


@pytest.mark.parametrize("name", ["single-postcards", "sprites"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_part_of_the_postcards_shows_what_its_labels_tell(name, split):
    part = load(name, 32, split=split)
    batch, shown = part.sample(300, 3), data.sample_scenes(name, 300, 3, split)
    assert torch.equal(batch.x_0, postcards.draw(shown, 32))
    assert torch.equal(part.sample(300, 3).x_0, batch.x_0)
    for column, (factor, names) in enumerate(part.factors.items()):
        truth = shown.attributes[factor].view(300, -1)[:, 0]
        assert torch.equal(batch.given[:, column], truth) and names == VALUES[factor]
        assert set(truth.tolist()) == set(range(len(names)))
    assert (postcards.kinds(shown) == 0).all() and part.count is None
    thing = postcards.parse(batch.captions[0])["things"][0]
    assert thing["object"] in (None, VALUES["object"][batch.given[0, 0]])


def test_sprites_are_large_in_the_middle_on_grass_by_day():
    for scene in words.describe(data.sample_scenes("sprites", 50, 0)):
        (thing,) = scene["things"]
        assert (scene["sky"], scene["ground"]) == ("day", "grass")
        assert thing.items() >= dict(size="large", position="middle", count="one").items()
    sprites = load("sprites", 32)
    pictures = sprites.sample(2, 0).x_0
    assert list(sprites.factors) == ["object", "colour"]
    assert not torch.equal(pictures[0], pictures[1])


@pytest.mark.parametrize("name", ["postcards", "single-postcards", "sprites"])
def test_held_out_pairs_are_in_no_split_and_all_of_an_endless_set_is_refused(name):
    for split in ("train", "test"):
        a = data.sample_scenes(name, 3000, 8, split).attributes
        objects, colours = a["object"].flatten().tolist(), a["colour"].flatten().tolist()
        pairs = {
            (VALUES["object"][o], VALUES["colour"][c])
            for o, c in zip(objects, colours, strict=True)
            if o >= 0
        }
        assert not pairs & postcards.HELD_OUT and len(pairs) == 56 - 8
    with pytest.raises(ValueError, match=f"{name} has no end.*sample"):
        load(name, 32).all()


# ---- a learner's own data set ----------------------------------------------------------------

WHITE = [
    Image.new("L", (6, 6), 255),
    Image.new("1", (6, 6), 1),
    Image.new("RGB", (9, 6), (255, 255, 255)),
    Image.new("L", (6, 6), 0).convert("P"),
    np.full((6, 7), 255, np.uint8),
    np.full((6, 6, 3), 1.0),
    torch.full((3, 6, 6), 255, dtype=torch.uint8),
    torch.ones(1, 9, 6),
    torch.ones(6, 6, dtype=torch.float64),
    torch.ones(28, 28),
    # Black below, and wholly transparent: what a picture hides is white.
    *(Image.new("RGBA", (6, 6), (0, 0, 0, 0)).convert(mode) for mode in ("RGBA", "LA")),
    Image.new("RGBA", (6, 6), (0, 0, 0, 0)).quantize(4),
]
WHITE[3].putpalette([255, 255, 255])


@pytest.mark.parametrize("picture", WHITE)
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_every_kind_are_read(picture, channels):
    x_0 = picture_of(picture, 12, channels)
    assert x_0.shape == (channels, 12, 12) and x_0.dtype == torch.float32
    assert torch.allclose(x_0, torch.ones(()), atol=1e-6)


def test_black_is_minus_one_and_colours_keep_their_places():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[..., 0] = 255
    for red in (picture, Image.fromarray(picture)):
        assert picture_of(red, 4)[:, 0, 0].tolist() == [1, -1, -1]
    assert picture_of(picture, 4, 1)[0, 0, 0] == pytest.approx(2 * 0.299 - 1)


def test_the_longer_side_loses_its_ends_and_the_picture_given_is_not_changed():
    picture = torch.zeros(1, 4, 8)
    picture[:, :, 2:6] = 1
    before, x_0 = picture.clone(), picture_of(picture, 4)
    assert (x_0.clone() == 1).all() and not x_0.mul_(0).any() and torch.equal(picture, before)


def test_a_photograph_that_lies_on_its_side_in_the_file_is_turned(tmp_path):
    picture = Image.new("RGB", (8, 8), "black")
    picture.paste("white", (0, 0, 8, 4))  # the upper half
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    picture.save(tmp_path / "turned.png", exif=exif)
    x_0 = picture_of(Image.open(tmp_path / "turned.png"), 8)
    assert x_0[:, :, 4:].min() > 0.9 and x_0[:, :, :4].max() < -0.9  # the right half


def test_pictures_are_float32_whatever_torch_s_default_is():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        pictures = picture_of(torch.ones(3, 8, 8), 8), load("sprites", 16).sample(1, seed=0).x_0
        assert {picture.dtype for picture in pictures} == {torch.float32}
    finally:
        torch.set_default_dtype(before)


def test_labels_and_captions():
    numbers = load(Pairs([(BLACK, 7), (BLACK, np.int64(2)), (BLACK, torch.tensor(5))])).sample(3, 0)
    assert sorted(numbers.given.flatten().tolist()) == [2, 5, 7] and numbers.given.shape == (3, 1)
    assert numbers.captions == [f"class {label}" for label in numbers.given.flatten()]
    named = load(only(BLACK, 1, ["cat", "dog"]))
    assert named.sample(1, 0).captions == ["dog"] and named.factors == {"class": ("cat", "dog")}
    captioned = load(only(BLACK, "a grey square")).sample(1, 0)
    assert captioned.captions == ["a grey square"] and captioned.given.tolist() == [[-1]]


def test_samples_are_random_without_repeats_and_reproducible_and_all_is_in_order():
    pictures, state = load(ramp(100), 2), torch.get_rng_state()
    batch, whole = pictures.sample(100, seed=4), pictures.all()
    labels = batch.given[:, 0]
    assert sorted(labels.tolist()) == whole.given[:, 0].tolist() == list(range(100))
    assert labels.tolist() != list(range(100)) and whole.captions[3] == "class 3"
    for found in (batch, whole):
        assert torch.allclose(found.x_0[:, 0, 0, 0], found.given[:, 0] / 50 - 1, atol=1e-6)
    assert torch.equal(pictures.sample(10, seed=4).given, batch.given[:10])
    assert not torch.equal(pictures.sample(10, seed=5).given, batch.given[:10])
    assert pictures.sample(0, seed=4).x_0.shape == (0, 3, 2, 2)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "name", ["fashion-mnist", "fashion_mnist", "Fashion-MNIST", "FASHION_MNIST", "Postcards"]
)
def test_capitals_and_underscores_in_a_name_do_not_matter(monkeypatch, name):
    clothes = torch.zeros(1, 28, 28, dtype=torch.uint8), torch.zeros(1).long(), ("shirt",)
    monkeypatch.setattr(fashion, "fashion_mnist", lambda split: clothes)
    assert load(name, size=32).name == name.lower().replace("_", "-")


# ---- a training's batches --------------------------------------------------------------------


def test_every_picture_comes_once_before_any_comes_again():
    pictures = load(ramp(10), 2)
    batch = pictures.batches(3, seed=1)
    rounds = [[batch(3 * turn + i).given[:, 0].tolist() for i in range(3)] for turn in range(4)]
    flat = [sum(parts, []) for parts in rounds]
    assert all(len(set(seen)) == 9 for seen in flat) and len(set(map(tuple, flat))) == 4
    assert batch(4).given[:, 0].tolist() == rounds[1][1]  # whatever was asked for before
    assert pictures.batches(3, seed=2)(0).given[:, 0].tolist() != rounds[0][0]
    assert pictures.batches(10, seed=1)(7).x_0.shape == (10, 3, 2, 2)

    sprites = load("sprites", 32)  # which has no end: each step is fresh
    batch = sprites.batches(4, seed=3)
    assert torch.equal(batch(5).x_0, sprites.sample(4, 3_000_014).x_0)
    assert not torch.equal(batch(5).x_0, batch(6).x_0)


# ---- what does not fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fashion_mnits",), "'fashion_mnits': did you mean 'fashion-mnist'"),
        (("Postcard",), "did you mean 'postcards'"),
        (("zzz",), "There are postcards, single-postcards, sprites, fashion-mnist"),
        (("postcards", 0), "size is 0"),
        (("postcards", 4), "4"),
        (("postcards", -3), "size is -3"),
        (("postcards", 32.0), "size is 32.0"),
        (("postcards", 64, 2), "channels is 2: choose one of 3, 1"),
        (("postcards", 64, 3, "validation"), "split is 'validation': choose"),
        ((Pairs(),), "Pairs is empty"),
        ((only(BLACK), 64, 3, "test"), "pass the test part"),
        ((only(BLACK, 2, ["cat", "dog"]),), "label 2 has no name: there are 2 classes"),
        *(((thing,), "is no data set") for thing in (None, 3, {1}, BLACK, iter(""))),
    ],
)
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        load(*arguments)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda hundred: hundred.sample(-1, 0), "count is -1.*0 to 100"),
        (lambda hundred: hundred.sample(101, 0), "count is 101.*0 to 100"),
        (lambda hundred: hundred.batches(0, 0), "count is 0: .* from 1 to 100, all that Pairs has"),
        (lambda hundred: hundred.batches(101, 0), "count is 101"),
        (lambda hundred: hundred.batches(1, 2001), "seed is 2001"),
        (lambda hundred: hundred.batches(1, -1), "seed is -1"),
    ],
)
def test_numbers_that_do_not_fit(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(load(ramp(100), 2))


@pytest.mark.parametrize(
    "item, error, message",
    [
        (BLACK, TypeError, r"pair \(picture, label\), and this one is Tensor"),
        ((BLACK, 0, 0), TypeError, "3 parts"),
        (("path/to.png", 0), TypeError, "this is 'path/to.png'"),
        ((torch.zeros(2, 4, 4), 0), ValueError, r"shape \(2, 4, 4\)"),
        ((np.zeros((3, 4, 4), np.uint8), 0), ValueError, r"shape \(3, 4, 4\).*\(H, W, C\)"),
        ((torch.zeros(1, 0, 4), 0), ValueError, "shape"),
        ((BLACK - 1, 0), ValueError, r"from -1 to -1: give \[0, 1\].*Normalize"),
        ((BLACK + 255, 0), ValueError, "from 255 to 255"),
        ((BLACK + torch.nan, 0), ValueError, "nan"),
        ((BLACK.long(), 0), TypeError, "int64"),
        ((Image.new("I", (4, 4)), 0), ValueError, "mode 'I'"),
        ((BLACK, 1.5), TypeError, "an int or a caption, not float"),
        ((BLACK, None), TypeError, "not NoneType"),
    ],
)
def test_items_that_do_not_fit_are_named(item, error, message):
    with pytest.raises(error, match="item 0 of Pairs: .*" + message):
        load(Pairs([item]))


def test_a_broken_file_further_on_is_named_by_its_number():
    class Folder(Pairs):
        def __getitem__(self, index):
            if index == 2:
                raise OSError("image file is truncated")
            return super().__getitem__(index)

    with pytest.raises(ValueError, match="item 2 of Folder: image file is truncated"):
        load(Folder(ramp(3))).sample(3, seed=0)


# ---- one picture from outside ----------------------------------------------------------------

SQUARE = torch.linspace(0, 1, 64).expand(3, 64, 64)
WIDE = torch.nn.functional.pad(SQUARE, (32, 32))


def test_a_picture_in_a_file_or_a_sentence_that_says_what_is_wrong(tmp_path):
    pixels = (SQUARE * 255).round().byte().movedim(0, 2).numpy()
    for mode in ("RGB", "RGBA", "L", "CMYK"):
        Image.fromarray(pixels).convert(mode).save(tmp_path / "one.tiff")
        for path in (tmp_path / "one.tiff", str(tmp_path / "one.tiff")):
            found = data.read_image(path, 64)
            torch.testing.assert_close(found, SQUARE * 2 - 1, atol=0.03, rtol=0)
    half = (tmp_path / "one.tiff").read_bytes()[:3000]
    for name, content in (("text.png", b"not one"), ("half.tiff", half)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(OSError, match=name):
            data.read_image(tmp_path / name, 64)
    with pytest.raises(FileNotFoundError, match="check its name and its folder"):
        data.read_image(tmp_path / "none.png", 64)


def test_a_picture_of_another_size_is_cut_never_stretched_and_a_warning_says_so():
    with pytest.warns(UserWarning, match="128 x 64 pixels: its middle square was cut out and"):
        torch.testing.assert_close(data.read_image(WIDE, 64), SQUARE * 2 - 1)
    with pytest.warns(UserWarning, match="32 x 32 pixels: it was resized to 64 x 64"):
        found = data.read_image(SQUARE[:, ::2, ::2], 64)
    torch.testing.assert_close(found, SQUARE * 2 - 1, atol=0.04, rtol=0)


def test_a_mask_is_white_where_it_marks_and_is_cut_as_its_picture(recwarn):
    mask, wanted = torch.zeros(64, 128), torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[10:20, 40:50], mask[40:50, 40:50], mask[:, :30] = 0.5, 0.49, 1
    wanted[:, 10:20, 8:18] = True
    for given in (mask, mask >= 0.5, Image.fromarray((mask >= 0.5).numpy())):
        assert torch.equal(data.read_mask(given, WIDE, 64), wanted)
    with pytest.raises(ValueError, match="128 x 64 pixels, its picture 64 x 64: give a mask as"):
        data.read_mask(mask, SQUARE, 64)
    assert not recwarn.list
