"""Where a learner's progress is kept: one file in the user's own folder, see `workspace.user_path`.

It is not in the clone, so it survives getting the course again. Whatever is wrong with disk or
file, the quiz goes on, in memory if need be, and `notice` says what happened.
"""

from __future__ import annotations

from pathlib import Path

import filelock

from diffusion_lessons.workspace import user_path, write_whole

from .progress import NewerProgress, Progress, from_json

FILE = "quiz-progress.json"
_PATIENCE_S = 3  # for another tab that is writing just now


class Store:
    """A progress file, `path`, that several tabs may write to."""

    def __init__(self, folder: Path | str | None = None) -> None:
        """`folder` is made when something is saved; None: the user's data folder."""
        self.path = (user_path() if folder is None else Path(folder)) / FILE
        self._found = self._trouble = ""

    @property
    def notice(self) -> str:
        """What the learner should know about the file, in sentences, or ""."""
        return " ".join(filter(None, [self._found, self._trouble]))

    def load(self) -> Progress:
        """What the file holds; nothing where there is none. A file that cannot be read is kept
        aside under another name, one of a newer version stays as it is. Never raises."""
        try:
            return self._read()
        except (OSError, NewerProgress) as error:
            self._trouble = (
                f"Earlier answers could not be read from {self.path}: {_reason(error)}. They are "
                "left as they are."
            )
            return Progress()

    def save(self, progress: Progress) -> Progress:
        """Add `progress` to what the file holds, and return both together.

        What cannot be written stays in memory, and `notice` says so. Never raises.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.path.with_suffix(".lock"), timeout=_PATIENCE_S):
                progress = self._read().merged(progress)
                write_whole(self.path, progress.to_json().encode())
                self._trouble = ""
        except (OSError, NotImplementedError, NewerProgress) as error:  # the second: no locks here
            self._trouble = (
                f"Your answers cannot be kept on disk: {_reason(error)}. The quiz goes on, and "
                "forgets them when the kernel of this notebook stops."
            )
        return progress

    def _read(self) -> Progress:
        """Raises OSError where the file may not be read or moved, NewerProgress."""
        try:
            return from_json(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Progress()
        except NewerProgress:
            raise
        except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, not ours, too old
            aside = self._aside()
            self.path.replace(aside)
            self._found = (
                f"Earlier answers could not be read: {error}. Their file is kept as {aside}, and "
                "you start anew."
            )
        return Progress()

    def _aside(self) -> Path:
        """A name that is not taken."""
        number = 1
        while (path := self.path.with_name(f"{self.path.stem}.unread-{number}.json")).exists():
            number += 1
        return path


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
