"""Widgets in a kernel, in each of its threads: interrupts, what a cell draws, what is let go."""

import os
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from tests.every_widget import EVERY

ROOT = Path(__file__).resolve().parent.parent
SETUP = """
import gc, os, signal, sys, time, weakref
import matplotlib.pyplot as plt, psutil, torch
from comm import get_comm_manager
from diffusion_lessons import widgets
from tests import every_widget

%matplotlib inline
BAD = range(1, 9)

def draw(values, generator):
    if values["seed"] in BAD:
        if (instead := fault()) is not None:
            return instead
    return torch.rand(1, 3, 4, 4, generator=generator), "noise", str(values["seed"])

def wait(is_there):
    end = time.monotonic() + 20
    while not is_there():
        assert time.monotonic() < end
        time.sleep(0.01)
"""
MAKE = "live = widgets.live(draw, [widgets.Slider('seed', 0, 9)])\nlive"
LIMIT_S = 60


class Kernel:
    """A kernel, spoken to as JupyterLab does: cells have an id, widgets a thread of their own."""

    def __init__(self):
        self.manager, self.client = start_new_kernel(
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        self.subshell = self._control("create_subshell_request")["subshell_id"]

    def _control(self, kind):
        message = self.client.session.msg(kind, {})
        self.client.control_channel.send(message)
        return self.client.get_control_msg(timeout=LIMIT_S)["content"]

    def start(self, code, cell="a cell"):
        """Begin to run a cell; `rest` waits for its end."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = self.client.session.msg("execute_request", content, metadata={"cellId": cell})
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def tell(self, model, number, place, subshell=None):
        """Send a widget a request, as its page does."""
        state = {"request": {"id": number, "places": [place]}}
        data = {"method": "update", "state": state, "buffer_paths": []}
        message = self.client.session.msg("comm_msg", {"comm_id": model, "data": data})
        message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def rest(self, *ids):
        """Wait until these messages are worked off; all that the kernel has said meanwhile."""
        said, left = [], set(ids)
        while left:
            message = self.client.get_iopub_msg(timeout=LIMIT_S)
            said.append(message)
            idle = message["content"].get("execution_state") == "idle"
            left -= {message["parent_header"].get("msg_id")} if idle else set()
        return said

    def run(self, code, cell="a cell"):
        """Run a cell; what it prints."""
        said = self.rest(self.start(code, cell))
        assert not [one["content"] for one in said if one["msg_type"] == "error"]
        return "".join(one["content"]["text"] for one in said if one["msg_type"] == "stream")


@pytest.fixture(scope="module")
def kernel():
    kernel = Kernel()
    kernel.run(SETUP)
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


def answers(said, model):
    """What a widget has answered, by the number of the request."""
    states = [
        one["content"]["data"]["state"]
        for one in said
        if one["msg_type"] == "comm_msg" and one["content"]["comm_id"] == model
    ]
    return {state["answer"]["id"]: state["answer"] for state in states if "answer" in state}


def model_of(kernel, name="live"):
    return kernel.run(f"print({name}.model_id)", "asking").strip()


FAULTS = {
    "an error": ("raise KeyError('no <b>three</b>')", "KeyError: 'no <b>three</b>'"),
    "sys.exit": ("sys.exit(1)", "SystemExit: 1"),
    "an interrupt": ("raise KeyboardInterrupt", "interrupted"),
    "a picture of no kind": ("return 3", "draw returned int"),
    "words that cannot be sent": ("return torch.zeros(1, 3, 4, 4), 'a', {1}", "words is {1}"),
}


@pytest.mark.parametrize("route", ["main", "second"])
def test_every_request_is_answered_however_the_drawing_ends(kernel, route):
    subshell = {"main": None, "second": kernel.subshell}[route]
    kernel.run(MAKE)
    model, number = model_of(kernel), 0
    for line, words in FAULTS.values():
        kernel.run(f"def fault():\n    {line}", "faults")
        said = [kernel.rest(kernel.tell(model, number + i, i, subshell)) for i in (1, 9)]
        failed, good = (answers(some, model) for some in said)
        assert words in failed[number + 1]["problem"] and failed[number + 1]["words"]
        assert "problem" not in good[number + 9] and good[number + 9]["words"] == "9"
        number += 9


def test_a_drawing_that_is_stopped_in_the_middle_is_answered(kernel):
    """In the main thread, as in kernels and pages without a thread for widgets."""
    kernel.run("def fault():\n    print('drawing', flush=True)\n    time.sleep(60)", "faults")
    kernel.run(MAKE)
    model = model_of(kernel)
    asked = kernel.tell(model, 1, 1)
    while kernel.client.get_iopub_msg(timeout=LIMIT_S)["msg_type"] != "stream":
        pass
    kernel.manager.interrupt_kernel()
    assert "interrupted" in answers(kernel.rest(asked), model)[1]["problem"]
    assert "problem" not in answers(kernel.rest(kernel.tell(model, 2, 9)), model)[2]
    assert kernel.run("print(live.values)") == "{'seed': 9}\n"


def test_a_new_widget_answers_while_a_cell_runs_and_leaves_the_cell_its_figure(kernel):
    kernel.run(MAKE)
    model = model_of(kernel)
    cell = kernel.start(
        "figure, axes = plt.subplots()\nwait(lambda: live.values['seed'] == 9)\naxes.plot([1, 2])"
        "\nlive.answer = live.answer | {'words': 'said by the cell'}"
        "\nwait(lambda: live.values['seed'] == 0)\naxes.set_title('whole')\nNone"
    )
    said = kernel.rest(kernel.tell(model, 1, 9, kernel.subshell))
    said += kernel.rest(kernel.tell(model, 2, 0, kernel.subshell), cell)
    assert {1, 2} <= set(answers(said, model))
    shown = [
        one["parent_header"]["msg_id"]
        for one in said
        if one["msg_type"] == "display_data" and "image/png" in one["content"]["data"]
    ]
    assert shown == [cell]


def test_a_cell_run_again_keeps_no_earlier_widget(kernel):
    kernel.run("alive = weakref.WeakSet()")
    for name in EVERY:
        for _ in range(4):
            kernel.run(f"one = every_widget.EVERY[{name!r}]()\nalive.add(one)\none", name)
        left = kernel.run("gc.collect()\nprint(len(alive))\nalive.clear()")
        assert int(left) <= 2, name  # the one on show, and one that IPython lets go next


def test_fifty_runs_of_a_cell_leave_at_most_20_mb(kernel):
    make = """
def make(held):
    return widgets.live(lambda values, generator: (held[:48].view(1, 3, 4, 4), 'a', 'b'),
                        [widgets.Slider('seed', 0, 9)])
large = make(torch.rand(10_000_000))
large
"""
    memory = "gc.collect()\nprint(psutil.Process().memory_info().rss)"
    for _ in range(3):
        kernel.run(make, "large")
    before = int(kernel.run(memory))
    for _ in range(50):
        kernel.run(make, "large")
    assert int(kernel.run(memory)) - before < 20e6


KEEP = {
    "in another cell": "",
    "under a name": "kept = live",
    "in a list": "kept = [live]",
    "in a box": "import ipywidgets\nkept = ipywidgets.HBox([live])",
}


@pytest.mark.parametrize("how", KEEP)
def test_a_widget_that_something_has_lives_and_can_be_shown_again(kernel, how):
    kernel.run(MAKE, "first")
    model = model_of(kernel)
    kernel.run(KEEP[how] or "live", "second")
    for _ in range(3):
        kernel.run(MAKE, "first")
    assert 1 in answers(kernel.rest(kernel.tell(model, 1, 9, kernel.subshell)), model)
    if how == "under a name":
        kernel.run("kept", "third")
        listed = f"print(widgets.page.ipywidgets._instances[{model!r}] is kept)"
        assert kernel.run(listed) == "True\n"
    kernel.run("kept = None", "second")
