"""Without a home folder, or with one that cannot be written to: every way in still works."""

import subprocess
import sys

import pytest

HOMES = {
    "neither HOME nor a user of this number": "del os.environ['HOME']; pwd.getpwuid = nobody",
    "a home that nobody can write to": "os.environ['HOME'] = '/proc/no-home'",
}
BEGIN = """
import os, pwd, sys
def nobody(number):
    raise KeyError(number)
os.environ["HOME"] = "/"
{home}
for name in [name for name in os.environ if name.startswith(("XDG_", "JUPYTER_", "MPLCONFIG"))]:
    del os.environ[name]
"""
WAYS = {
    "the quiz": (
        "from diffusion_lessons import quiz\nquiz.start()",
        "quiz.start().answers is not None",
    ),
    "the gallery": (
        "import numpy as np\nfrom diffusion_lessons.widgets import gallery\n"
        "kept, one = gallery.Gallery(), gallery.Settings('a', '', 1, 1, 1.0)\n"
        "try:\n    kept.keep(np.zeros((8, 8, 3), np.uint8), one)\n"
        "except OSError as error:\n    assert 'The picture stays' in str(error), error\n",
        "len(kept.pictures()) >= 1",
    ),
    "a kept exercise": (
        "from diffusion_lessons import checks\ndef snr(a):\n    return a / (1 - a)\n"
        "assert checks.check_snr(snr).passed",
        "checks.yours('snr') is snr",
    ),
    "choices": (
        "import torch\nfrom diffusion_lessons.widgets.choose import choose\n"
        "asked = choose(torch.zeros(1, 2, 3, 8, 8), ['a'], [['b', 'c']])\nasked.chosen = [1]",
        "asked.chosen == [1]",
    ),
    "Fashion-MNIST in a named folder": (
        "from diffusion_lessons import data\nfrom diffusion_lessons.data import fashion\n"
        "os.environ['DIFFUSION_LESSONS_DATA'] = os.getcwd()\n"
        "reader = fashion.load_torchvision().datasets.FashionMNIST\n"
        "reader.mirrors = ['http://127.0.0.1:9/']\n"
        "try:\n    data.load('fashion-mnist')\n"
        "except data.DataUnavailable as error:\n    said = str(error)",
        "os.getcwd() in said",
    ),
    "the doctor": (
        "from diffusion_lessons import doctor\nfound = doctor.report()",
        "not [one for one in found if one.state == 'fault' and one.name != 'memory']",
    ),
    "the learner's copies, and JupyterLab's home": (
        "from pathlib import Path\nfrom tools import my_lessons, setup_course\n"
        "lessons = my_lessons.ROOT / 'notebooks'\n"
        "my_lessons.INTO = Path('mine').resolve()\nmy_lessons.fill()\n"
        "setup_course.ROOT = Path.cwd()\nhome = setup_course.another_home()",
        "Path(home['HOME']).is_dir() and len([*Path('mine').glob('*.ipynb')]) >= 10",
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a home is found in other ways")
@pytest.mark.parametrize("home", HOMES)
def test_every_way_in_works(home, project, tmp_path):
    lines = [BEGIN.format(home=HOMES[home]), f"sys.path.insert(0, {str(project)!r})"]
    lines += ["import tempfile", f"tempfile.tempdir = {str(tmp_path)!r}"]
    for way, (code, holds) in WAYS.items():
        lines += [code, f"assert {holds}, {way!r}", f"print({way!r})"]
    ended = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}"
    assert set(ended.stdout.splitlines()) >= WAYS.keys()
