"""What several tests share: the project's folder, and a user without special rights."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534


@pytest.fixture(scope="session")
def project() -> Path:
    """The folder of the project."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder that this process may not write to, also where the tests run as root.

    Root may write anywhere, so for the length of the test the process becomes another user.
    """
    if not hasattr(os, "geteuid"):
        pytest.skip("Windows has no read-only folders of this kind")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(PermissionError):
            (folder / "probe").touch()
        yield folder
    finally:
        if was_root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


SLOW = {
    "bench_fashion", "bench_guidance", "bench_measures", "bench_text_to_image", "distributed",
    "every_public_name", "factors", "half_solved", "hub_start", "lesson_data",
    "mutants_of_solutions", "no_home", "quiz_questions", "recipes", "recognition", "same_pictures",
    "scoring", "setup", "wheel",
    "widgets_in_a_kernel", "words",
}  # fmt: skip
"""Files, by what follows test_, in which a test takes more than five seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make test-fast` leaves out."""
    for item in items:
        if item.path.stem.removeprefix("test_") in SLOW:
            item.add_marker(pytest.mark.slow)
