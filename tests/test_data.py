"""Data sets in the shape a lesson wants: postcards and a learner's own pictures."""

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lessons import data, postcards
from diffusion_lessons.data import fashion, load
from diffusion_lessons.postcards import VALUES, words


class Pairs(list):
    """A learner's data set: a list of (picture, label), perhaps with `classes`."""


def one(picture, label=0):
    return Pairs([(picture, label)])


# ---- postcards -------------------------------------------------------------------------------


def test_postcards():
    cards = load("postcards")
    batch = cards.sample(20, seed=5)
    scenes = postcards.sample_scenes(20, seed=5)
    assert torch.equal(batch.x_0, postcards.draw(scenes, 64))
    assert torch.equal(batch.given[:, 0], scenes.attributes["object"][:, 0])
    assert torch.equal(batch.given[:, 5], scenes.attributes["sky"])
    names = ["object", "colour", "size", "position", "count", "sky", "ground"]
    assert cards.factors == {name: postcards.VALUES[name] for name in names}
    assert list(cards.factors) == names and batch.given.shape == (20, 7) and cards.count is None
    assert len(batch.captions) == 20 and all(batch.captions)


def test_postcards_in_grey_are_their_luminance():
    colour, grey = load("postcards", 32).sample(8, 1), load("postcards", 32, 1).sample(8, 1)
    red, green, blue = colour.x_0.unbind(1)
    assert grey.x_0.shape == (8, 1, 32, 32)
    assert torch.allclose(grey.x_0[:, 0], 0.299 * red + 0.587 * green + 0.114 * blue, atol=1e-6)
    assert grey.captions == colour.captions


def test_postcards_of_the_two_splits_share_no_seed():
    train, test = load("postcards", 32), load("postcards", 32, split="test")
    for seed in (0, 1, data.MAX_SEED - 1):
        assert not torch.equal(train.sample(4, seed).x_0, test.sample(4, 0).x_0)
    assert torch.equal(
        test.sample(4, 0).x_0, postcards.draw(postcards.sample_scenes(4, data.MAX_SEED), 32)
    )
    with pytest.raises(ValueError, match="seed"):
        train.sample(4, seed=data.MAX_SEED)  # the first seed of the test split


# ---- a learner's own data set ----------------------------------------------------------------


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("L", (6, 6), 255),
        Image.new("1", (6, 6), 1),
        Image.new("RGB", (9, 6), (255, 255, 255)),
        Image.new("P", (6, 6), 0),
        np.full((6, 7), 255, np.uint8),
        np.full((6, 6, 3), 1.0),
        torch.full((3, 6, 6), 255, dtype=torch.uint8),
        torch.ones(1, 9, 6),
        torch.ones(6, 6, dtype=torch.float64),
        torch.ones(28, 28),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_every_kind_are_read(picture, channels):
    if isinstance(picture, Image.Image) and picture.mode == "P":
        picture.putpalette([255, 255, 255])
    batch = load(one(picture), size=12, channels=channels).sample(1, seed=0)
    assert batch.x_0.shape == (1, channels, 12, 12) and batch.x_0.dtype == torch.float32
    assert torch.allclose(batch.x_0, torch.ones(()), atol=1e-6)


def test_black_is_minus_one_and_colours_keep_their_places():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[..., 0] = 255
    for red in (picture, Image.fromarray(picture)):
        assert load(one(red), 4).sample(1, 0).x_0[0, :, 0, 0].tolist() == [1, -1, -1]
    assert load(one(picture), 4, 1).sample(1, 0).x_0[0, 0, 0, 0] == pytest.approx(2 * 0.299 - 1)


def test_the_longer_side_loses_its_ends():
    picture = torch.zeros(1, 4, 8)
    picture[:, :, 2:6] = 1
    assert (load(one(picture), 4).sample(1, 0).x_0 == 1).all()


def test_the_picture_given_is_not_changed():
    picture = torch.rand(3, 5, 5)
    before = picture.clone()
    load(one(picture), 5).sample(1, 0).x_0.mul_(0)
    assert torch.equal(picture, before)


def test_labels_and_captions():
    grey = torch.zeros(1, 4, 4)
    numbers = load(Pairs([(grey, 7), (grey, np.int64(2)), (grey, torch.tensor(5))])).sample(3, 0)
    assert sorted(numbers.given.flatten().tolist()) == [2, 5, 7]
    assert numbers.captions == [f"class {label}" for label in numbers.given.flatten()]
    assert numbers.given.shape == (3, 1)

    named = one(grey, 1)
    named.classes = ["cat", "dog"]
    assert load(named).sample(1, 0).captions == ["dog"]
    assert load(named).factors == {"class": ("cat", "dog")}

    told = load(one(grey, "a grey square")).sample(1, 0)
    assert told.captions == ["a grey square"] and told.given.tolist() == [[-1]]


def test_samples_are_random_without_repeats_and_reproducible():
    pairs = Pairs((torch.full((1, 2, 2), i / 100), i) for i in range(100))
    pictures = load(pairs, 2)
    batch = pictures.sample(100, seed=4)
    labels = batch.given[:, 0]
    assert sorted(labels.tolist()) == list(range(100)) != labels.tolist()
    assert torch.allclose(batch.x_0[:, 0, 0, 0], labels / 50 - 1, atol=1e-6)
    assert torch.equal(pictures.sample(10, seed=4).given, batch.given[:10])
    assert not torch.equal(pictures.sample(10, seed=5).given, batch.given[:10])
    assert pictures.sample(0, seed=4).x_0.shape == (0, 3, 2, 2)
    state = torch.get_rng_state()
    pictures.sample(5, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    for count in (-1, 101):
        with pytest.raises(ValueError, match=f"count is {count}.*0 to 100"):
            pictures.sample(count, seed=0)


@pytest.mark.parametrize(
    "name", ["fashion-mnist", "fashion_mnist", "Fashion-MNIST", "FASHION_MNIST", "Postcards"]
)
def test_capitals_and_underscores_in_a_name_do_not_matter(monkeypatch, name):
    clothes = torch.zeros(1, 28, 28, dtype=torch.uint8), torch.zeros(1).long(), ("shirt",)
    monkeypatch.setattr(fashion, "fashion_mnist", lambda split: clothes)
    assert load(name, size=32).name == name.lower().replace("_", "-")


# ---- what does not fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(data="fashion_mnits"), "'fashion_mnits': did you mean 'fashion-mnist'"),
        (dict(data="Postcard"), "did you mean 'postcards'"),
        (dict(data="zzz"), "There are postcards, single-postcards, sprites, fashion-mnist"),
        (dict(data="postcards", size=0), "size is 0"),
        (dict(data="postcards", size=4), "4"),
        (dict(data="postcards", size=-3), "size is -3"),
        (dict(data="postcards", size=32.0), "size is 32.0"),
        (dict(data="postcards", channels=2), "channels is 2: choose 3 .* or 1"),
        (dict(data="postcards", split="validation"), "split is 'validation': choose"),
        (dict(data=Pairs()), "Pairs is empty"),
        (dict(data=one(torch.zeros(1, 2, 2)), split="test"), "pass the test part"),
    ],
)
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        load(**arguments)


@pytest.mark.parametrize("thing", [None, 3, {1, 2}, torch.zeros(4, 3, 8, 8), iter([])])
def test_things_that_are_no_data_set(thing):
    with pytest.raises(TypeError, match="is no data set"):
        load(thing)


@pytest.mark.parametrize(
    "item, error, message",
    [
        (torch.zeros(1, 2, 2), TypeError, r"pair \(picture, label\), and this one is Tensor"),
        ((torch.zeros(1, 2, 2), 0, 0), TypeError, "3 parts"),
        (("path/to.png", 0), TypeError, "not str"),
        ((torch.zeros(2, 4, 4), 0), ValueError, r"shape \(2, 4, 4\)"),
        ((np.zeros((3, 4, 4), np.uint8), 0), ValueError, r"shape \(4, 3, 4\).*\(H, W, C\)"),
        ((torch.zeros(1, 0, 4), 0), ValueError, "shape"),
        ((torch.zeros(1, 4, 4) - 1, 0), ValueError, r"from -1 to -1: give \[0, 1\].*Normalize"),
        ((torch.full((1, 4, 4), 255.0), 0), ValueError, "from 255 to 255"),
        ((torch.full((1, 4, 4), torch.nan), 0), ValueError, "nan"),
        ((torch.zeros(1, 4, 4, dtype=torch.int64), 0), TypeError, "int64"),
        ((Image.new("I;16", (4, 4)), 0), ValueError, "mode 'I;16'"),
        ((torch.zeros(1, 4, 4), 1.5), TypeError, "an int or a caption, not float"),
        ((torch.zeros(1, 4, 4), None), TypeError, "not NoneType"),
    ],
)
def test_items_that_do_not_fit_are_named(item, error, message):
    with pytest.raises(error, match="item 0 of Pairs: .*" + message):
        load(Pairs([item]))


def test_a_bad_item_further_on_is_named():
    with pytest.raises(ValueError, match="item 1 of Pairs"):
        load(Pairs([(torch.zeros(1, 2, 2), 0), (torch.zeros(5, 2, 2), 0)])).sample(2, seed=0)


def test_a_label_without_a_name():
    named = one(torch.zeros(1, 2, 2), 2)
    named.classes = ["cat", "dog"]
    with pytest.raises(ValueError, match="label 2 has no name: there are 2 classes"):
        load(named)


# ---- parts of the postcards ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["single-postcards", "sprites"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_part_of_the_postcards_shows_what_its_labels_tell(name, split):
    part = load(name, 32, split=split)
    batch, shown = part.sample(300, 3), data.sample_scenes(name, 300, 3, split)
    assert torch.equal(batch.x_0, postcards.draw(shown, 32))
    assert torch.equal(part.sample(300, 3).x_0, batch.x_0)
    for column, factor in enumerate(part.factors):
        told = shown.attributes[factor].view(300, -1)[:, 0]
        assert torch.equal(batch.given[:, column], told)
        assert part.factors[factor] == VALUES[factor]
        assert set(told.tolist()) == set(range(len(VALUES[factor])))
    assert (postcards.kinds(shown) == 0).all() and part.count is None
    said = postcards.parse(batch.captions[0])
    assert said["things"][0]["object"] in (None, VALUES["object"][batch.given[0, 0]])


def test_sprites_are_large_in_the_middle_on_grass_by_day():
    shown = words.describe(data.sample_scenes("sprites", 50, 0))
    fixed = dict(size="large", position="middle", count="one")
    for scene in shown:
        (thing,) = scene["things"]
        assert (scene["sky"], scene["ground"]) == ("day", "grass")
        assert {name: thing[name] for name in fixed} == fixed
    pictures = load("sprites", 32).sample(2, 0).x_0
    assert list(load("sprites", 32).factors) == ["object", "colour"]
    assert not torch.equal(pictures[0], pictures[1])


@pytest.mark.parametrize("name", ["postcards", "single-postcards", "sprites"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_held_out_pairs_are_in_no_split(name, split):
    a = data.sample_scenes(name, 3000, 8, split).attributes
    pairs = {
        (VALUES["object"][o], VALUES["colour"][c])
        for o, c in zip(a["object"].flatten().tolist(), a["colour"].flatten().tolist(), strict=True)
        if o >= 0
    }
    assert not pairs & postcards.HELD_OUT and len(pairs) == 56 - 8


# ---- everything at once ----------------------------------------------------------------------


def test_all_is_every_picture_in_order():
    pairs = Pairs((torch.full((1, 2, 2), i / 10), i) for i in range(10))
    batch = load(pairs, 2, 1).all()
    assert batch.given[:, 0].tolist() == list(range(10))
    assert torch.allclose(batch.x_0[:, 0, 0, 0], torch.arange(10) / 5 - 1, atol=1e-6)
    assert batch.captions[3] == "class 3"


@pytest.mark.parametrize("name", ["postcards", "single-postcards", "sprites"])
def test_all_of_an_endless_set_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} has no end.*sample"):
        load(name, 32).all()


# ---- a training's batches --------------------------------------------------------------------


def test_every_picture_comes_once_before_any_comes_again():
    pictures = load(Pairs((torch.full((1, 2, 2), i / 10), i) for i in range(10)), 2)
    batch = pictures.batches(3, seed=1)
    rounds = [[batch(3 * turn + i).given[:, 0].tolist() for i in range(3)] for turn in range(4)]
    flat = [sum(parts, []) for parts in rounds]
    assert all(len(set(seen)) == 9 for seen in flat) and len(set(map(tuple, flat))) == 4
    assert batch(4).given[:, 0].tolist() == rounds[1][1]  # whatever was asked for before
    assert pictures.batches(3, seed=2)(0).given[:, 0].tolist() != rounds[0][0]
    assert pictures.batches(10, seed=1)(7).x_0.shape == (10, 3, 2, 2)


def test_batches_of_an_endless_set_are_fresh_at_each_step():
    sprites = load("sprites", 32)
    batch = sprites.batches(4, seed=3)
    assert torch.equal(batch(5).x_0, sprites.sample(4, 3_000_014).x_0)
    assert not torch.equal(batch(5).x_0, batch(6).x_0)


@pytest.mark.parametrize(
    ("count", "seed", "message"),
    [
        (0, 0, "count is 0: give a whole number from 1 to 1, all"),
        (2, 0, "count is 2"),
        (1, 2001, "seed is 2001"),
        (1, -1, "seed is -1"),
    ],
)
def test_batches_that_cannot_be_had(count, seed, message):
    with pytest.raises(ValueError, match=message):
        load(one(torch.zeros(1, 2, 2)), 2).batches(count, seed)


def photograph(mode, *shape):
    """A picture of 6x6 in `mode` that is black where nothing hides it, and hidden everywhere."""
    picture = Image.new("RGBA", (6, 6), (0, 0, 0, 0))
    return picture.convert(mode) if mode != "P" else picture.quantize(4)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_a_picture_hides_is_white(mode):
    batch = load(one(photograph(mode)), size=12, channels=3).sample(1, seed=0)
    assert batch.x_0.min() > 0.99


def test_a_photograph_that_lies_on_its_side_in_the_file_is_turned(tmp_path):
    picture = Image.new("RGB", (8, 8), "black")
    picture.paste("white", (0, 0, 8, 4))  # the upper half
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    picture.save(tmp_path / "turned.png", exif=exif)
    x_0 = load(one(Image.open(tmp_path / "turned.png")), size=8, channels=3).sample(1, 0).x_0[0]
    assert x_0[:, :, 4:].min() > 0.9 and x_0[:, :, :4].max() < -0.9  # the right half


def test_a_broken_file_is_named_by_its_number(tmp_path):
    class Folder:
        classes = ("a",)

        def __len__(self):
            return 3

        def __getitem__(self, index):
            if index == 2:
                raise OSError("image file is truncated")
            return Image.new("RGB", (8, 8)), 0

    pictures = load(Folder(), size=8, channels=3)
    with pytest.raises(ValueError, match="item 2 of Folder: image file is truncated"):
        pictures.sample(3, seed=0)


def test_pictures_are_float32_whatever_torch_s_default_is():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        own = load(one(torch.ones(3, 8, 8)), size=8, channels=3).sample(1, seed=0)
        assert {own.x_0.dtype, load("sprites", 16).sample(1, seed=0).x_0.dtype} == {torch.float32}
    finally:
        torch.set_default_dtype(before)
