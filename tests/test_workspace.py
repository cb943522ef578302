"""The workspace: seeds, files under data/, and weights that are refused when they are not whole."""

import json
import os
from functools import partial
from pathlib import Path

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from diffusion_lessons import quiz, workspace
from diffusion_lessons.widgets import gallery

CARD = {"what": "a network for this test"}
SHIPPED = torch.arange(6.0).reshape(2, 3)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with one set of weights, "tiny", in place of the course's."""
    monkeypatch.setattr(workspace, "data_path", (tmp_path / "data").joinpath)
    save("tiny", SHIPPED)
    return tmp_path / "data"


def save(name, tensor, **more):
    path = workspace.data_path("weights", f"{name}.safetensors")
    workspace.save_weights(path, {"weight": tensor}, CARD | more)
    workspace.write_checksums(workspace.data_path())


def keep_own(tensor, **more):
    workspace.save_weights(workspace.own_path("tiny.safetensors"), {"weight": tensor}, CARD | more)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(words, load=workspace.load_weights, *given):
    """That a file is refused, in one line with what to do."""
    with pytest.raises(workspace.DamagedFile, match=words) as error:
        load(*given or ("tiny",))
    assert "Fix: " in str(error.value) and "\n" not in str(error.value)


def test_start_seeds_torch_and_gives_a_device_that_works():
    device = workspace.start(seed=3)
    first = torch.randn(4)
    workspace.start(seed=3)
    assert torch.equal(first, torch.randn(4))
    assert torch.ones(2, device=device).sum().item() == 2


def test_in_a_notebook_what_a_cell_freed_is_returned_after_it_however_often_start_is_called():
    shell = InteractiveShell.instance()
    try:
        for _ in range(2):
            workspace.start()
        hooks = [
            f for f in shell.events.callbacks["post_run_cell"] if f.__module__ == workspace.__name__
        ]
        assert len(hooks) == 1
        assert shell.run_cell("1").success
    finally:
        InteractiveShell.clear_instance()


# ---- weights that are saved and loaded -------------------------------------------------------


def test_weights_come_back_as_they_were_saved(data):
    tensors, card = workspace.load_weights("tiny")
    assert torch.equal(tensors["weight"], SHIPPED) and card == CARD
    save("turned", SHIPPED.clone().requires_grad_().T)  # not contiguous, and needs gradients
    assert workspace.load_weights("turned")[0]["weight"].shape == (3, 2)


def test_saving_again_replaces_file_card_and_checksum(data):
    save("tiny", torch.ones(2), format=workspace.FORMAT)
    assert torch.equal(workspace.load_weights("tiny")[0]["weight"], torch.ones(2))
    files = {path.name for path in (data / "weights").iterdir() if path.suffix != ".lock"}
    assert files == {"tiny.json", "tiny.safetensors"}


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
    refused(f"{name} is {word}")


def test_a_foreign_file_is_refused(data):
    for ending in ("safetensors", "json"):
        own = data / "weights" / f"tiny.{ending}"
        own.with_stem("foreign").write_bytes(own.read_bytes())
    refused("foreign.json is not one of the course's", workspace.load_weights, "foreign")


def test_without_the_list_of_checksums_nothing_is_trusted(data):
    (data / "checksums.json").write_text("{")
    refused("checksums.json is missing or unreadable")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (2, "newer than the package. Fix: update the course"),
        (0, "older than the package. Fix: download the course again"),
        ("two", "'two', and this package reads format 1"),
    ],
)
def test_a_card_of_another_version_is_refused(data, version, words):
    for keep in (partial(save, "tiny"), keep_own):
        keep(torch.zeros(1), format=version)
        refused(f"tiny.json is of format.*{words}")


def test_an_interrupted_save_leaves_the_old_file_and_no_draft(data, monkeypatch):
    before = contents(data)

    def no_room(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_room)
    with pytest.raises(OSError, match="could not be written .No space left.*Fix: ") as error:
        save("tiny", torch.zeros(9))
    assert error.value.errno == 28 and contents(data) == before
    assert torch.equal(workspace.load_weights("tiny")[0]["weight"], SHIPPED)


def test_a_read_only_folder_gives_a_sentence(read_only_folder):
    path = read_only_folder / "mine.safetensors"
    save_it = partial(workspace.save_weights, tensors={"weight": torch.zeros(1)}, card=CARD)
    for write in (save_it, workspace.check_writable):
        with pytest.raises(PermissionError, match="mine.safetensors.* could not be written.*Fix: "):
            write(path)


def test_a_place_for_weights_is_tried_out_before_the_work(tmp_path):
    place = tmp_path / "new" / "folder" / "net.safetensors"
    workspace.check_writable(place)
    assert list(place.parent.iterdir()) == []


def test_weights_need_the_right_ending(tmp_path):
    with pytest.raises(ValueError, match="must end in .safetensors, not '.pt'"):
        workspace.save_weights(tmp_path / "mine.pt", {}, CARD)


def test_the_committed_checksums_are_true(project):
    listed = json.loads((project / "data" / "checksums.json").read_text())
    assert listed == workspace.list_shipped(project / "data"), "run: make checksums"


def test_every_shipped_network_loads_and_has_a_card():
    for name in workspace.checksums():
        if name.endswith(".safetensors"):
            assert all(workspace.load_weights(Path(name).stem))


# ---- networks that do not fit ----------------------------------------------------------------


def small_network(channels):
    return torch.nn.Sequential(torch.nn.Conv2d(channels, 4, 3), torch.nn.BatchNorm2d(4))


def test_half_precision_fits_a_network():
    network, tensors = small_network(3), small_network(3).half().state_dict()
    workspace.fit_weights(network, tensors, "tiny")
    assert network[0].weight.dtype == torch.float32
    assert torch.equal(network[0].weight, tensors["0.weight"].float())


def without(tensors, *keys):
    return {key: tensor for key, tensor in tensors.items() if key not in keys}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda _: small_network(1).state_dict(),
            r"'0.weight' has the shape \(4, 1, 3, 3\), and the network has \(4, 3, 3, 3\)",
        ),
        (lambda t: without(t, "1.bias"), "'1.bias' is missing"),
        (lambda t: without(t, "1.bias", "0.bias"), "'0.bias' and 1 more are missing"),
        (lambda t: {}, "'0.weight' and 6 more are missing"),
        (lambda t: t | {"2.scale": t["0.bias"]}, "'2.scale' is not part of the network"),
    ],
)
def test_tensors_that_do_not_fit_are_named_and_change_nothing(change, words):
    network, tensors = small_network(3), change(small_network(3).state_dict())
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    words = f"'tiny' do not fit.*{words}.*Fix: .*tiny.json"
    refused(words, workspace.fit_weights, network, tensors, "tiny")
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())


# ---- what belongs to the learner -------------------------------------------------------------


def test_a_stopped_training_is_kept_and_is_not_a_weight(data):
    assert workspace.load_partial("tiny") is None
    workspace.save_partial("tiny", {"a": torch.arange(3)}, {"step": 7, "words": "ä"})
    tensors, notes = workspace.load_partial("tiny")
    assert tensors["a"].tolist() == [0, 1, 2] and notes == {"step": 7, "words": "ä"}
    assert workspace.partial_path("tiny").parent == data.parent / "my_weights"
    assert torch.equal(workspace.load_weights("tiny")[0]["weight"], SHIPPED)


@pytest.mark.parametrize("content", [b"", b"no safetensors", "half"])
def test_a_stopped_training_that_is_damaged_says_what_to_delete(data, content):
    workspace.save_partial("tiny", {"a": torch.zeros(99)}, {})
    path = workspace.partial_path("tiny")
    path.write_bytes(path.read_bytes()[:-40] if content == "half" else content)
    refused("tiny.partial.* cannot be read.*delete it", workspace.load_partial)


def test_git_does_not_look_at_what_was_trained_here(project):
    ignored = (project / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert workspace.own_path() == project / "my_weights" and "/my_weights/" in ignored


def test_weights_trained_here_go_first_and_leave_the_course_as_it_is(data):
    before = contents(data)
    keep_own(torch.ones(3))
    assert torch.equal(workspace.load_weights("tiny")[0]["weight"], torch.ones(3))
    assert contents(data) == before
    workspace.own_path("tiny.safetensors").unlink()
    assert torch.equal(workspace.load_weights("tiny")[0]["weight"], SHIPPED)


@pytest.mark.parametrize("name", ["tiny.safetensors", "tiny.json"])
def test_own_weights_that_are_damaged_say_what_to_delete(data, name):
    keep_own(torch.ones(3))
    workspace.own_path(name).write_bytes(b"{")
    refused("trained here.*delete tiny.safetensors")


@pytest.mark.parametrize("answer", [RuntimeError("no home"), Path("~/.local/share/x")])
def test_without_a_home_folder_what_a_learner_keeps_has_a_place(monkeypatch, answer):
    def user_data_path(*_, **__):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(workspace.platformdirs, "user_data_path", user_data_path)
    assert workspace.user_path("gallery").is_absolute()
    assert workspace.user_path("gallery").name == "gallery"
    quiz.start(), gallery.Gallery()  # neither raises
