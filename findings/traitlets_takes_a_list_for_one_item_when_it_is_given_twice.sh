#!/usr/bin/env bash
# traitlets 5.16.1: on the command line a Python list fills a List trait, but two of them become two
# texts.
#
# Guess before trying: `--App.folders="['/a']"` gives ['/a'], so giving it twice appends, as giving
# two plain values does, or is refused.
# Behaviour: a single value that looks like a list is read as one. As soon as there are two values
# each is taken as it is written, brackets and quotes included, without a word. (For a single list
# there is a DeprecationWarning, which Python does not show by default.)
# Output seen: "once ['/a']; twice, plain ['/a', '/b']; twice, as lists [\"['/a']\", \"['/b']\"]"
# Why it matters: a second --LabApp.extra_labextensions_path="['...']", added by a script to those
# that are there, turns both into folders that do not exist. JupyterLab passes over such folders, so
# the extensions are gone, and nothing says so. Give each folder plainly, in an option of its own.
# Source: traitlets/traitlets.py: Container.from_string_list evaluates the text only if it is the
# only one (the way of traitlets 4), and calls item_from_string for each otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q traitlets==5.16.1
cat > "$folder/trial.py" <<'PYTHON'
from traitlets import List, Unicode
from traitlets.config import Application


class App(Application):
    folders = List(Unicode(), help="where extensions are").tag(config=True)


def given(*values):
    app = App()
    app.parse_command_line([f"--App.folders={value}" for value in values])
    return app.folders


once, plain, lists = given("['/a']"), given("/a", "/b"), given("['/a']", "['/b']")
print(f"once {once}; twice, plain {plain}; twice, as lists {lists}")
assert (once, plain) == (["/a"], ["/a", "/b"])
assert lists == ["['/a']", "['/b']"], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/trial.py"
