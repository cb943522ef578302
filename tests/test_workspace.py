"""The workspace: seeds, files under data/, and weights that are refused when they are not whole."""

import json
import os

import pytest
import torch

from diffusion_lessons import workspace

CARD = {"what": "a network for this test"}


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with one set of weights, "tiny", in place of the course's."""
    monkeypatch.setattr(workspace, "data_path", lambda *parts: tmp_path.joinpath(*parts))
    (tmp_path / "weights").mkdir()
    save("tiny", torch.arange(6.0).reshape(2, 3))
    return tmp_path


def save(name, tensor):
    path = workspace.data_path("weights", f"{name}.safetensors")
    workspace.save_weights(path, {"weight": tensor}, CARD)


def test_start_seeds_torch_and_gives_a_device_that_works():
    device = workspace.start(seed=3)
    first = torch.randn(4)
    workspace.start(seed=3)
    assert torch.equal(first, torch.randn(4))
    assert torch.ones(2, device=device).sum().item() == 2


def test_weights_come_back_as_they_were_saved(data):
    tensors, card = workspace.load_weights("tiny")
    assert torch.equal(tensors["weight"], torch.arange(6.0).reshape(2, 3))
    assert card == CARD


def test_tensors_that_are_not_contiguous_or_need_gradients_are_saved(data):
    save("turned", torch.arange(6.0).reshape(2, 3).requires_grad_().T)
    assert workspace.load_weights("turned")[0]["weight"].shape == (3, 2)


def test_saving_again_replaces_file_card_and_checksum(data):
    save("tiny", torch.zeros(2))
    assert workspace.load_weights("tiny")[0]["weight"].shape == (2,)
    assert sorted(path.name for path in (data / "weights").iterdir()) == [
        "tiny.json",
        "tiny.safetensors",
    ]


@pytest.mark.parametrize("name", ["tiny.safetensors", "tiny.json"])
@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-5]), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
    ],
)
def test_a_damaged_file_is_refused_by_name_with_the_fix(data, name, damage, word):
    damage(data / "weights" / name)
    with pytest.raises(workspace.DamagedFile, match=rf"{name} is {word}.*Fix: ") as error:
        workspace.load_weights("tiny")
    assert "\n" not in str(error.value)


def test_a_foreign_file_is_refused(data):
    for ending in ("safetensors", "json"):
        own = data / "weights" / f"tiny.{ending}"
        own.with_stem("foreign").write_bytes(own.read_bytes())
    with pytest.raises(workspace.DamagedFile, match="foreign.json is not one of the course's"):
        workspace.load_weights("foreign")


def test_without_the_list_of_checksums_nothing_is_trusted(data):
    (data / "checksums.json").write_text("{")
    with pytest.raises(workspace.DamagedFile, match="checksums.json is missing or unreadable"):
        workspace.load_weights("tiny")


def test_an_interrupted_save_leaves_the_old_file_and_no_draft(data, monkeypatch):
    before = (data / "weights" / "tiny.safetensors").read_bytes()

    def no_room(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_room)
    with pytest.raises(OSError, match="could not be written .No space left.*Fix: ") as error:
        save("tiny", torch.zeros(9))
    assert error.value.errno == 28
    assert (data / "weights" / "tiny.safetensors").read_bytes() == before
    assert len(list((data / "weights").iterdir())) == 2
    assert torch.equal(workspace.load_weights("tiny")[0]["weight"], torch.arange(6.0).reshape(2, 3))


def test_a_read_only_folder_gives_a_sentence(read_only_folder):
    path = read_only_folder / "mine.safetensors"
    with pytest.raises(PermissionError, match="mine.safetensors could not be written.*Fix: "):
        workspace.save_weights(path, {"weight": torch.zeros(1)}, CARD)


def test_weights_need_the_right_ending(tmp_path):
    with pytest.raises(ValueError, match="must end in .safetensors, not '.pt'"):
        workspace.save_weights(tmp_path / "mine.pt", {}, CARD)


def test_weights_saved_elsewhere_do_not_touch_the_course(data, tmp_path_factory):
    before = (data / "checksums.json").read_bytes()
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "mine.safetensors"
    workspace.save_weights(elsewhere, {"weight": torch.zeros(1)}, CARD)
    assert elsewhere.with_suffix(".json").is_file()
    assert (data / "checksums.json").read_bytes() == before


def test_the_committed_checksums_are_true(project):
    listed = json.loads((project / "data" / "checksums.json").read_text())
    assert listed == workspace.list_shipped(project / "data"), "run: make checksums"


def test_every_shipped_network_loads_and_has_a_card():
    for name in workspace.checksums():
        folder, _, file = name.partition("/")
        if folder == "weights" and file.endswith(".safetensors"):
            tensors, card = workspace.load_weights(file.removesuffix(".safetensors"))
            assert tensors and card


def test_a_place_for_weights_is_tried_out_before_the_work(tmp_path):
    place = tmp_path / "new" / "folder" / "net.safetensors"
    workspace.check_writable(place)
    assert list(place.parent.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused_before_the_work(read_only_folder):
    with pytest.raises(PermissionError, match="could not be written"):
        workspace.check_writable(read_only_folder / "net.safetensors")
