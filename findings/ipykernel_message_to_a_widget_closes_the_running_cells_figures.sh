#!/usr/bin/env bash
# ipykernel 7.4.0 with matplotlib's inline backend: a message to any comm that is answered while a
# cell runs shows and closes the figures that the cell is still drawing on.
#
# Guess before trying: a comm may have a thread of its own (a subshell) in ipykernel 7. Its handler
# may race with the cell where both touch one object, but one that only answers harms nobody.
# Behaviour: handling a comm message triggers IPython's events pre_execute and post_execute, as if it
# were a cell. The inline backend shows and closes all open figures at post_execute, whoever made
# them. The cell's `ax.plot` then draws on a figure that nobody will show, without an error.
# Output seen: "open figures in the cell before: [1], after a message to a comm: []"
# Why it matters: a slider that is moved while a cell draws takes the cell's plot away, now and then.
# Source: comm/base_comm.py (BaseComm.handle_msg), matplotlib_inline/backend_inline.py
# (flush_figures); open as issue 1564 of ipython/ipykernel.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q ipykernel==7.4.0 comm==0.2.3 ipython==9.18.1 \
    matplotlib==3.11.2 matplotlib-inline==0.2.2 jupyter_client==8.10.0
cat > "$folder/trial.py" <<'PYTHON'
import time

from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python3")


def said(message_id):
    """What a cell prints."""
    text = ""
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != message_id:
            continue
        content = message["content"]
        text += content.get("text", "") if message["msg_type"] == "stream" else ""
        if content.get("execution_state") == "idle":
            return text.strip()


opened = client.execute("""
%matplotlib inline
import time, matplotlib.pyplot as plt
from comm import create_comm
line = create_comm("line")
heard = []
line.on_msg(lambda message: (heard.append(message), line.send({})))
print(line.comm_id)
""")
comm_id = said(opened)
subshell = client.session.msg("create_subshell_request")
client.control_channel.send(subshell)
subshell_id = client.get_control_msg(timeout=60)["content"]["subshell_id"]


def move():
    """What a page sends when a slider moves."""
    moved = client.session.msg("comm_msg", {"comm_id": comm_id, "data": {}})
    moved["header"]["subshell_id"] = subshell_id
    client.shell_channel.send(moved)


move()  # while nothing runs: from now on the subshell is where this comm is answered
time.sleep(2)
running = client.execute("""
fig, ax = plt.subplots()
before = plt.get_fignums()
time.sleep(4)
after = plt.get_fignums()
print(f"{len(heard)} answered; open figures in the cell before: {before}, "
      f"after a message to a comm: {after}")
""")
time.sleep(2)
move()
text = said(running)
print(text)
client.stop_channels()
manager.shutdown_kernel(now=True)
assert text.endswith("before: [1], after a message to a comm: []"), "the behaviour has changed"
PYTHON
PATH="$folder/venv/bin:$PATH" "$folder/venv/bin/python" "$folder/trial.py"
