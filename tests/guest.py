"""A kernel that may write nowhere and reach nothing, as a guest on somebody's offline computer.

The rights of the process stay as they are: Python is asked before it opens a file or an address,
and says no. So it works on every system, and where the tests run as root.
"""

import os
import sys
import tempfile

CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.link"}
HERE = ("localhost", "127.0.0.1", "::1")


def become(solved: tuple[str, ...] = ()) -> None:
    """From now on nothing can be written but temporary files, and no other machine is reached.

    The exercises named in `solved`, of other lessons, pass their checks, as if solved before.
    """
    tempfile.tempdir = tempfile.mkdtemp()
    free = tuple(os.path.realpath(place) for place in (tempfile.tempdir, "/dev", "/proc"))
    os.environ.update(HOME="/a-home-that-is-not-there", MPLCONFIGDIR=tempfile.tempdir)
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        os.environ.pop(name, None)

    def guard(event: str, given: tuple) -> None:
        writes = event == "open" and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if (writes or event in CHANGES) and isinstance(given[0], (str, bytes)):
            place = os.path.realpath(os.fsdecode(given[0]))
            if not place.startswith(free):
                raise PermissionError(13, "Permission denied", place)
        asked = given[0] if event == "socket.getaddrinfo" else None
        if event == "socket.connect" and isinstance(given[1], tuple):
            asked = given[1][0]
        if asked and asked not in HERE:
            raise OSError(101, f"Network is unreachable: {asked}")

    sys.addaudithook(guard)
    if solved:
        from diffusion_lessons.checks import EXERCISES, kept

        assert all(kept.check(name, EXERCISES[name].function).passed for name in solved)
