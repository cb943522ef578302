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

from diffusion_lessons.data import DataUnavailable, fashion, load

PROJECT = Path(__file__).resolve().parent.parent
CLOSED_PORT = "http://127.0.0.1:9/"


def idx(values: np.ndarray) -> bytes:
    """The bytes of an idx file of uint8."""
    return struct.pack(">BBBB", 0, 0, 8, values.ndim) + struct.pack(
        f">{values.ndim}I", *values.shape
    ) + values.tobytes()  # fmt: skip


def make_stand_in(raw: Path, train: int = 40, test: int = 20) -> dict[str, str]:
    """Four small idx files of so many pictures in `raw`; returns their checksums."""
    raw.mkdir(parents=True)
    random = np.random.default_rng(0)
    for part, count in (("train", train), ("t10k", test)):
        pictures = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(pictures))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in raw.iterdir()}


def originals() -> Path | None:
    """The folder with the four .gz files as published, if this machine has it."""
    places = [PROJECT / "data", PROJECT.parent / "shared" / "data"]
    if "DIFFUSION_LESSONS_DATA" in os.environ:
        places.insert(0, Path(os.environ["DIFFUSION_LESSONS_DATA"]))
    for place in places:
        raw = place / "FashionMNIST" / "raw"
        if all((raw / f"{name}.gz").is_file() for name in fashion.FASHION_SHA256):
            return raw
    return None


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """No test downloads anything: the mirrors answer like a machine without a network."""
    try:
        datasets = fashion.load_torchvision().datasets
    except DataUnavailable as reason:
        pytest.skip(str(reason))
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [CLOSED_PORT])


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


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A copy of the published .gz files."""
    source = originals()
    if source is None:
        pytest.skip("the published Fashion-MNIST files are not on this machine")
    raw = tmp_path_factory.mktemp("published") / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in fashion.FASHION_SHA256:
        shutil.copyfile(source / f"{name}.gz", raw / f"{name}.gz")
    return raw


def test_the_published_files_are_unpacked_checked_and_loaded(monkeypatch, empty, packed):
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
    with pytest.raises(DataUnavailable, match=f"{name} is not the published file"):
        load("fashion-mnist")
    (packed / name).unlink()
    assert load("fashion-mnist", split="test").count == 10_000  # the fix that the message names


def test_fashion_mnist_in_every_shape(stand_in):
    pixels = np.frombuffer((stand_in / "train-images-idx3-ubyte").read_bytes(), np.uint8, offset=16)
    pixels = torch.tensor(pixels.reshape(-1, 28, 28)).float() / 127.5 - 1
    whole = load("fashion-mnist", size=28, channels=1).sample(40, seed=3).x_0[:, 0]
    order = [int((pixels - image).abs().amax((1, 2)).argmin()) for image in whole]
    assert sorted(order) == list(range(40))
    assert torch.allclose(whole, pixels[order], atol=1e-6)

    bordered = load("fashion-mnist", size=32, channels=3).sample(40, seed=3).x_0
    assert bordered.shape == (40, 3, 32, 32)
    assert torch.allclose(bordered[:, :, 2:-2, 2:-2], pixels[order][:, None], atol=1e-6)
    assert (bordered[:, :, :2] == -1).all() and (bordered[..., -2:] == -1).all()

    doubled = load("fashion-mnist").sample(40, seed=3).x_0
    assert doubled.shape == (40, 3, 64, 64)
    assert doubled.min() >= -1 and doubled.max() <= 1
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


def test_test_split_is_not_the_training_split(stand_in):
    train, test = load("fashion-mnist"), load("fashion-mnist", split="test")
    assert (train.count, test.count) == (40, 20)
    assert not torch.equal(train.sample(20, 0).x_0, test.sample(20, 0).x_0)


@pytest.mark.parametrize("part", ["train-images", "train-labels", "t10k-images", "t10k-labels"])
@pytest.mark.parametrize("how", ["one bit", "cut short", "longer"])
def test_an_altered_file_is_refused_by_name(stand_in, part, how):
    (path,) = stand_in.glob(f"{part}*")
    whole = path.read_bytes()
    changed = {"one bit": whole[:-1] + bytes([whole[-1] ^ 1]), "cut short": whole[:-9],
               "longer": whole + b"\0"}  # fmt: skip
    path.write_bytes(changed[how])
    with pytest.raises(DataUnavailable, match="delete") as error:
        load("fashion-mnist")
    assert str(path) in str(error.value)


def test_an_old_copy_that_torchvision_would_prefer_is_refused(stand_in):
    (stand_in.parent / "processed").mkdir()
    with pytest.raises(DataUnavailable, match="processed.*delete"):
        load("fashion-mnist")


def test_without_data_and_network_there_is_a_sentence(empty, capsys):
    with pytest.raises(DataUnavailable) as error:
        load("fashion-mnist")
    for words in (str(empty), "could not be downloaded", "network", "DIFFUSION_LESSONS_DATA"):
        assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert "Downloading (31 MB)" in capsys.readouterr().out


def test_a_broken_download_is_not_used(empty):
    raw = empty / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in fashion.FASHION_SHA256:
        (raw / f"{name}.gz").write_bytes(b"half of a file")
    with pytest.raises(DataUnavailable, match="not whole.*train-images-idx3-ubyte.gz"):
        load("fashion-mnist")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_written(empty, monkeypatch, number):
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number), str(empty))

    monkeypatch.setattr("os.makedirs", refuse)
    with pytest.raises(DataUnavailable) as error:
        load("fashion-mnist")
    assert str(empty) in str(error.value)
    full = number == errno.ENOSPC
    assert ("disk is full" if full else "nothing can be written") in str(error.value)


def test_a_data_folder_that_is_a_file(empty):
    empty.write_text("not a folder")
    with pytest.raises(DataUnavailable, match="nothing can be written"):
        load("fashion-mnist")


def test_a_file_that_cannot_be_read(stand_in, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(fashion, "sha256", refuse)
    with pytest.raises(DataUnavailable, match="cannot be read"):
        load("fashion-mnist")


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


@pytest.fixture
def torchvision_raises(monkeypatch):
    def prepare(error):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [Raises(error), *sys.meta_path])

    return prepare


def test_a_torchvision_of_another_torch_says_how_to_mend_it(stand_in, torchvision_raises):
    torchvision_raises(RuntimeError("operator torchvision::nms does not exist"))
    with pytest.raises(DataUnavailable) as error:
        load("fashion-mnist")
    for words in ("operator torchvision::nms", torch.__version__, "pair", "make setup"):
        assert words in str(error.value)
    assert load("postcards", size=32).sample(2, 0).x_0.shape == (2, 3, 32, 32)


def test_no_torchvision(stand_in, torchvision_raises):
    torchvision_raises(ModuleNotFoundError("No module named 'torchvision'", name="torchvision"))
    with pytest.raises(DataUnavailable, match="torchvision is not installed.*pip install"):
        load("fashion-mnist")
