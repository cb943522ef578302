"""Fashion-MNIST: found, unpacked and checked, or a sentence that says what to do.

The published files are used where they are at hand, and a tiny stand-in everywhere.
"""

import errno
import hashlib
import importlib.abc
import os
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion_lessons import doctor
from diffusion_lessons.data import DataUnavailable, fashion, load

PROJECT = Path(__file__).resolve().parent.parent


def make_stand_in(raw: Path, train: int = 40, test: int = 20) -> dict[str, str]:
    """Four small idx files of so many pictures in `raw`; returns their checksums."""
    raw.mkdir(parents=True)
    random = np.random.default_rng(0)
    for part, count in (("train", train), ("t10k", test)):
        pictures = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, values in (("images-idx3", pictures), ("labels-idx1", labels)):
            head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
            (raw / f"{part}-{name}-ubyte").write_bytes(head + values.tobytes())
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in raw.iterdir()}


def refused(*words: str) -> str:
    """That Fashion-MNIST cannot be had, in one line with all of these words."""
    with pytest.raises(DataUnavailable) as error:
        load("fashion-mnist")
    message = str(error.value)
    assert all(part in message for part in words) and "\n" not in message, message
    return message


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """No test downloads anything: the mirrors answer like a machine without a network."""
    try:
        datasets = fashion.load_torchvision().datasets
    except DataUnavailable as reason:
        pytest.skip(str(reason))
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])


@pytest.fixture
def empty(monkeypatch, tmp_path):
    """No Fashion-MNIST anywhere; returns the data folder that the learner names."""
    monkeypatch.setenv("DIFFUSION_LESSONS_DATA", str(tmp_path / "mine"))
    clone = tmp_path / "clone" / "data"
    monkeypatch.setattr(fashion, "data_path", lambda *parts: clone.joinpath(*parts))
    monkeypatch.setattr(fashion, "user_path", (tmp_path / "home").joinpath)
    return tmp_path / "mine"


@pytest.fixture
def stand_in(monkeypatch, empty):
    """A small Fashion-MNIST; returns the folder of its four files."""
    raw = empty / "FashionMNIST" / "raw"
    monkeypatch.setattr(fashion, "FASHION_SHA256", make_stand_in(raw))
    return raw


@pytest.fixture
def packed(tmp_path):
    """A copy of the four .gz files as published, if this machine has them."""
    named = os.environ.get("DIFFUSION_LESSONS_DATA")
    places = [named or PROJECT / "data", PROJECT / "data", PROJECT.parent / "shared" / "data"]
    for place in places:
        files = [Path(place, "FashionMNIST", "raw", f"{n}.gz") for n in fashion.FASHION_SHA256]
        if all(path.is_file() for path in files):
            raw = tmp_path / "published" / "FashionMNIST" / "raw"
            raw.mkdir(parents=True)
            for path in files:
                shutil.copy(path, raw)
            return raw
    pytest.skip("the published Fashion-MNIST files are not on this machine")


def test_the_published_files_are_unpacked_checked_and_loaded(packed, monkeypatch, empty):
    monkeypatch.setenv("DIFFUSION_LESSONS_DATA", str(packed.parent.parent))
    train, test = load("fashion-mnist", size=32, channels=1), load("fashion-mnist", split="test")
    assert (train.count, test.count) == (60_000, 10_000)
    assert train.factors["class"][9] == "Ankle boot"
    batch = train.sample(64, seed=0)
    assert batch.x_0.shape == (64, 1, 32, 32) and batch.x_0.dtype == torch.float32
    assert batch.captions == [train.factors["class"][label] for label in batch.given[:, 0]]
    assert len(set(batch.captions)) > 5
    # Mean and spread of the 28x28 pixels as published: 0.286 and 0.353 in [0, 1].
    inner = (train.sample(2000, seed=1).x_0[:, :, 2:-2, 2:-2] + 1) / 2
    assert abs(inner.mean() - 0.286) < 0.01 and abs(inner.std() - 0.353) < 0.01

    name = "t10k-labels-idx1-ubyte"
    whole = (packed / name).read_bytes()
    (packed / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(f"{name} is not the published file")
    (packed / name).unlink()
    assert load("fashion-mnist", split="test").count == 10_000  # the fix that the message names


def test_fashion_mnist_in_every_shape(stand_in):
    pixels = np.frombuffer((stand_in / "train-images-idx3-ubyte").read_bytes(), np.uint8, offset=16)
    pixels = torch.tensor(pixels.reshape(-1, 28, 28)).float() / 127.5 - 1
    train, test = load("fashion-mnist", size=28, channels=1), load("fashion-mnist", 28, 1, "test")
    assert (train.count, test.count) == (40, 20)
    whole = train.sample(40, seed=3).x_0[:, 0]
    assert not torch.equal(whole[:20], test.sample(20, seed=3).x_0[:, 0])
    order = [int((pixels - image).abs().amax((1, 2)).argmin()) for image in whole]
    assert sorted(order) == list(range(40))
    assert torch.allclose(whole, pixels[order], atol=1e-6)

    bordered = load("fashion-mnist", size=32, channels=3).sample(40, seed=3).x_0
    assert bordered.shape == (40, 3, 32, 32)
    assert torch.allclose(bordered[:, :, 2:-2, 2:-2], pixels[order][:, None], atol=1e-6)
    assert (bordered[:, :, :2] == -1).all() and (bordered[..., -2:] == -1).all()

    doubled = load("fashion-mnist").sample(40, seed=3).x_0
    assert doubled.shape == (40, 3, 64, 64) and doubled.min() >= -1 and doubled.max() <= 1
    assert torch.allclose(doubled.mean((1, 2, 3)), bordered.mean((1, 2, 3)), atol=0.01)


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3), (64, 1), (20, 1)])
def test_many_at_a_time_are_the_same_as_one_by_one(stand_in, size, channels):
    """The pairs of torchvision, read one by one as a learner's own set is."""
    pairs = fashion.load_torchvision().datasets.FashionMNIST(str(stand_in.parent.parent))
    fast, slow = load("fashion-mnist", size, channels), load(pairs, size, channels)
    assert fast.factors == slow.factors and fast.factors["class"][9] == "Ankle boot"
    for mine, theirs in ((fast.all(), slow.all()), (fast.sample(9, 4), slow.sample(9, 4))):
        assert torch.equal(mine.x_0, theirs.x_0) and torch.equal(mine.given, theirs.given)
        assert mine.captions == theirs.captions
    assert len(fast.all().x_0) == 40 and fast.sample(0, 0).x_0.shape[0] == 0


@pytest.mark.parametrize("part", ["train-images", "train-labels", "t10k-images", "t10k-labels"])
@pytest.mark.parametrize("how", ["one bit", "cut short", "longer"])
def test_an_altered_file_is_refused_by_name(stand_in, part, how):
    (path,) = stand_in.glob(f"{part}*")
    whole = path.read_bytes()
    changed = {"one bit": whole[:-1] + bytes([whole[-1] ^ 1]), "cut short": whole[:-9],
               "longer": whole + b"\0"}  # fmt: skip
    path.write_bytes(changed[how])
    refused(str(path), "delete")


def test_without_data_and_network_there_is_a_sentence_each_time(empty, capsys):
    refused(str(empty), "could not be downloaded", "network", "DIFFUSION_LESSONS_DATA")
    assert "Downloading (31 MB)" in capsys.readouterr().out
    raw = empty / "FashionMNIST" / "raw"
    for name in fashion.FASHION_SHA256:
        (raw / f"{name}.gz").write_bytes(b"half of a file")
    refused("not whole", "train-images-idx3-ubyte.gz")
    (raw.parent / "processed").mkdir()  # as torchvision left it long ago, and would prefer
    refused("processed", "delete")
    shutil.rmtree(empty)
    empty.write_text("not a folder")
    refused("nothing can be written")


def fails_with(number):
    def refuse(path, *_, **__):
        raise OSError(number, os.strerror(number), str(path))

    return refuse


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_written(empty, monkeypatch, number):
    monkeypatch.setattr("os.makedirs", fails_with(number))
    full = number == errno.ENOSPC
    refused(str(empty), "disk is full" if full else "nothing can be written")


def test_a_file_that_cannot_be_read(stand_in, monkeypatch):
    monkeypatch.setattr(fashion, "sha256", fails_with(errno.EACCES))
    refused("cannot be read", "make it readable", "delete")


def test_where_it_is_looked_for_and_where_it_would_go(empty, monkeypatch, tmp_path):
    clone, home = tmp_path / "clone" / "data", tmp_path / "home" / "data"
    assert fashion._root() == empty
    for root in (home, clone, empty):  # each found before the one that was made before it
        make_stand_in(root / "FashionMNIST" / "raw")
        assert fashion._root() == root
    monkeypatch.delenv("DIFFUSION_LESSONS_DATA")
    assert fashion._root() == clone
    shutil.rmtree(clone)
    shutil.rmtree(home)
    assert fashion._root() == clone
    inside = Path(fashion.__file__).parent
    monkeypatch.setattr(fashion, "data_path", lambda *parts: inside.joinpath("data", *parts))
    assert fashion._root() == home  # nothing is downloaded into an installed package


class Raises(importlib.abc.MetaPathFinder):
    """Makes `import torchvision` fail with an error of one's choice."""

    def __init__(self, error):
        self.error = error

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torchvision":
            raise self.error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            RuntimeError("operator torchvision::nms does not exist\nand a long story"),
            ("operator torchvision::nms", f"work with torch {torch.__version__}"),
        ),
        (ModuleNotFoundError("No module", name="torchvision"), ("torchvision is not installed",)),
        (ModuleNotFoundError("No module named 'x'", name="x"), ("does not work", "'x'")),
    ],
)
def test_a_torchvision_that_does_not_load_says_how_to_mend_it(monkeypatch, error, words):
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Raises(error), *sys.meta_path])
    message = refused(
        "pair", "postcards", "same place", "Fix: ", "set the course up again", "pip install", *words
    )
    finding = doctor.examine("torchvision")
    assert finding.state == "note" and f"{finding.text}. Fix: {finding.fix}." == message
    assert load("postcards", size=32).sample(2, 0).x_0.shape == (2, 3, 32, 32)
