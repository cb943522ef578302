"""A learner's right function is kept, handed to later cells, shown, and deleted on demand."""

import pytest

from diffusion_lessons import checks
from diffusion_lessons.checks import EXERCISES, kept

RIGHT = "def snr(alpha_bar: Tensor) -> Tensor:\n    return alpha_bar / (1 - alpha_bar)\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The learner's folder; what passed in this process before is forgotten."""
    monkeypatch.setattr(kept, "user_path", lambda *parts: tmp_path.joinpath(*parts))
    monkeypatch.setattr(kept, "_passed", {})
    return tmp_path / "my_code"


@pytest.fixture
def mine(folder, tmp_path):
    """A right function, typed into a file, that has passed its check."""
    file = tmp_path / "typed.py"
    file.write_text(RIGHT)
    scope = {"Tensor": object}
    exec(compile(RIGHT, str(file), "exec"), scope)
    assert checks.check_snr(scope["snr"]).passed
    return scope["snr"]


def next_day(monkeypatch):
    """Another kernel: what passed before is known from the folder alone."""
    monkeypatch.setattr(kept, "_passed", {})


def test_what_passed_takes_the_place_of_the_courses_function(mine, capsys):
    assert checks.yours("snr") is mine and capsys.readouterr().out == "snr: yours\n"


def test_a_wrong_function_is_not_kept_and_the_courses_stands_in(folder, capsys):
    assert not checks.check_snr(lambda alpha_bar: alpha_bar).passed
    assert checks.yours("snr") is EXERCISES["snr"].function and not folder.exists()
    assert capsys.readouterr().out.startswith("snr: the course")


def test_a_later_lesson_takes_the_kept_text_if_it_passes_again(folder, mine, monkeypatch, capsys):
    assert (folder / "snr.py").read_text() == RIGHT
    next_day(monkeypatch)
    assert EXERCISES["snr"](checks.yours("snr")).passed
    for changed in (RIGHT.replace("1 - ", ""), "def snr(", "raise SystemError", "# caf\xe9"):
        (folder / "snr.py").write_bytes(changed.encode("latin-1"))
        next_day(monkeypatch)
        assert checks.yours("snr") is EXERCISES["snr"].function
    assert capsys.readouterr().out.split("\n")[0] == "snr: yours"


def test_what_was_written_is_shown_as_text_and_deleted_in_one_line(folder, mine):
    table = checks.MadeByYou({"signal <to> noise": "snr", "one step": "noising_step"})
    assert repr(table) == "signal <to> noise: yours\none step: the course’s"
    shown = table._repr_html_()
    assert "signal &lt;to&gt; noise" in shown and "-&gt; Tensor" in shown and str(folder) in shown
    assert "1 of 2 parts are yours" in shown
    checks.forget()
    assert not list(folder.iterdir()) and checks.yours("snr") is not mine


def test_where_nothing_can_be_written_this_kernel_still_has_it(folder, mine):
    checks.forget()
    folder.rmdir()
    folder.write_text("a file in the place of the folder")
    assert checks.check_snr(mine).passed and checks.yours("snr") is mine


def test_an_exercise_that_is_not_there_is_named():
    for wrong in (lambda: checks.yours("sn"), lambda: checks.forget("sn")):
        with pytest.raises(ValueError, match=r"no exercise 'sn': choose one of noising_step"):
            wrong()
