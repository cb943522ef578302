"""A learner's server on a JupyterHub: the first login, an update, a day without a network.

Here two small programs stand in for nbgitpuller and for the server, so that it runs anywhere;
`make hub-check` has the real ones.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_my_lessons import notebook

PULLS = '#!/bin/sh\n[ -d "$1" ] || exit 1\nmkdir -p "$3"\ncp -R "$1"/. "$3"\n'
SERVES = (
    f"#!{sys.executable}\nimport json, os, sys\n"
    "print(json.dumps([sys.argv[1:], os.getcwd(), os.environ['PYTHONPATH'],"
    " os.environ['OMP_NUM_THREADS']]))\n"
)


@pytest.fixture
def log_in(project, tmp_path):
    """Starts the server of one learner; returns its arguments, folder and variables."""
    if os.name == "nt":
        pytest.skip("JupyterHub does not run on Windows")
    upstream, home, programs = (tmp_path / name for name in ("upstream", "home", "bin"))
    for folder in (upstream / "notebooks", upstream / "tools", home, programs):
        folder.mkdir(parents=True)
    shutil.copy(project / "tools" / "my_lessons.py", upstream / "tools")
    (upstream / "notebooks" / "00_lesson.ipynb").write_text(notebook("old"))
    for name, text in (("gitpuller", PULLS), ("jupyterhub-singleuser", SERVES)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    data = str(home / "jupyter")
    environment = {"HOME": str(home), "PATH": path, "JUPYTER_DATA_DIR": data}
    environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)

    def start(*more):
        command = [str(project / "tools" / "hub_start.sh"), str(upstream), "main", *more]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return json.loads(ended.stdout.splitlines()[-1])

    start.upstream, start.course = upstream, home / "course"
    return start


def test_lessons_package_and_weights_are_of_one_copy_from_the_first_login_on(log_in):
    arguments, folder, path, threads = log_in("--port=1234")
    assert arguments[-1] == "--port=1234" and Path(folder) == log_in.course.parent
    assert path.split(os.pathsep)[0] == str(log_in.course) and threads == "1"
    assert (log_in.course / "my_lessons" / "00_lesson.ipynb").is_file()
    asked = dict(word.removeprefix("--").split("=", 1) for word in arguments)
    lesson = asked["LabApp.default_url"].removeprefix("/lab/tree/")
    assert lesson == "course/my_lessons/00_start_here.ipynb"


def test_an_update_keeps_what_was_written_and_says_so_where_the_learner_looks(log_in):
    log_in()
    mine, news = (log_in.course / "my_lessons" / n for n in ("00_lesson.ipynb", "NEWS.txt"))
    assert not news.exists()
    mine.write_text(notebook("mine"))
    (log_in.upstream / "notebooks" / "00_lesson.ipynb").write_text(notebook("new"))
    log_in()
    assert mine.read_text() == notebook("mine")
    assert "00_lesson.ipynb" in news.read_text() and "reset 00" in news.read_text()
    advice = news.read_text().partition(":  ")[2]
    subprocess.run(advice, shell=True, cwd=log_in.course.parent, check=True)  # as it stands
    assert mine.read_text() == notebook("new")
    log_in()
    assert not news.exists()


def test_without_a_network_the_learner_goes_on_with_the_copy_that_is_there(log_in):
    log_in()
    log_in.upstream.rename(log_in.upstream.with_name("away"))
    assert log_in()[0] and (log_in.course / "my_lessons" / "00_lesson.ipynb").is_file()


def test_readme_names_the_script_and_the_link_that_the_hub_uses(project):
    readme = (project / "README.md").read_text("utf-8")
    script = (project / "tools" / "hub_start.sh").read_text("utf-8")
    assert "/tools/hub_start.sh" in readme and "make hub-check" in readme
    link = "/lab/tree/course/my_lessons/00_start_here.ipynb"
    assert f"/hub/user-redirect{link}" in readme and f"default_url={link}" in script
