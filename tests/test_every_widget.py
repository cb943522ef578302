"""Every widget opens with its whole state, and what it sends can be stored in a notebook."""

import comm
import matplotlib.pyplot as plt
import pytest
import torch
from comm import DummyComm
from ipywidgets.widgets.widget import _remove_buffers

from diffusion_lessons import widgets
from diffusion_lessons.widgets.watch import MOST_STAGES
from tests.every_widget import EVERY, live, marking, studio


@pytest.mark.parametrize(
    "name",
    ["scrub", "live", "guess", "plane", "mark", "choose", "watch at first", "studio", "quiz"],
)
def test_the_message_that_opens_a_widget_has_its_state(name, monkeypatch):
    """A page that is shown before later messages arrive would find empty traits."""
    opened = []

    def create_comm(**message):
        opened.append(message["data"]["state"])
        return DummyComm(**message)

    monkeypatch.setattr(comm, "create_comm", create_comm)
    widget = EVERY[name]()
    sent, _, _ = _remove_buffers(widget.get_state(widget.keys))
    (state,) = [state for state in opened if "_esm" in state]
    assert {key: value for key, value in state.items() if key in sent} == sent


def _train(view):
    for step in range(1, MOST_STAGES + 2):
        view.step(step, 1.0)
        if step % 2:
            view.pictures(torch.zeros(1, 3, 2, 2), f"{step}")
        else:
            view.points(torch.zeros(3, 2), f"{step}")


def _fail(widget):
    widget.request = {"id": 1, "places": ["no such place"]}


def _save_and_delete(widget):
    for number in range(1, 4):
        widget.keep = {"id": number, "of": 1}
    for file in widget._gallery.folder.iterdir():
        file.unlink()
    widget.keep = {"id": 4, "of": 1}


@pytest.mark.parametrize(
    ("make", "use"),
    [
        (lambda: widgets.watch(total=MOST_STAGES + 1, alt="sprites"), _train),
        (live, _fail),
        (marking, _fail),
        (studio, _fail),
        (studio, _save_and_delete),
    ],
    ids=[
        "a strip that thins out",
        "a drawing that fails",
        "no marks",
        "no picture",
        "an emptied gallery",
    ],
)
def test_bytes_sent_once_have_a_place_in_every_later_state(make, use):
    """nbclient stores the bytes of every message and hands all of them to the page at the end,
    which shows no widget where the last state has no dict or list to put one into."""
    widget, paths = make(), set()

    def note(change):
        paths.update(map(tuple, _remove_buffers(widget.get_state())[1]))

    note(None)
    widget.observe(note)
    use(widget)
    assert paths
    for *way, last in paths:
        place = widget.get_state()
        for key in way:
            place = place[key]
        assert isinstance(place, dict), (way, last)


def test_a_still_version_is_the_same_each_time_and_leaves_the_figure_of_a_running_cell_alone():
    cell = plt.figure()
    for make in EVERY.values():
        assert make().still() == make().still()
    assert plt.get_fignums() == [cell.number] and plt.gcf() is cell
    plt.close(cell)
