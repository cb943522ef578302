"""The command line: `python -m diffusion_lessons` with `doctor`, `lessons FOLDER`, `train NAME`."""

from __future__ import annotations

import argparse
import subprocess
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 1 if a lesson could not run."""
    parser = argparse.ArgumentParser(prog="python -m diffusion_lessons", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("doctor", help="say whether this machine is ready for the lessons")
    bring = commands.add_parser(
        "lessons", help="copy the lessons into a folder, or renew them there"
    )
    bring.add_argument("folder", help="what you changed in it stays")
    train = commands.add_parser(
        "train", help="make one of the shipped weights again; Ctrl-C stops, the same line goes on"
    )
    train.add_argument("name", help="which weights, for example recogniser")
    parsed = parser.parse_args(arguments)
    if parsed.command == "lessons":
        return bring_lessons(parsed.folder)
    return examine_machine() if parsed.command == "doctor" else train_weights(parsed.name)


def examine_machine() -> int:
    """Print the doctor's report; return 1 if a lesson could not run."""
    from . import doctor

    findings = doctor.report()
    doctor.show(findings)
    return int(any(finding.state == "fault" for finding in findings))


def bring_lessons(folder: str) -> int:
    """Copy the lessons into `folder`, and renew those there that nobody changed; 0 if it could."""
    from . import workspace

    root = workspace.data_path().parent  # of a clone; in a wheel all lies in the folder itself
    root = root if (root / "tools").is_dir() else workspace.data_path()
    tool = str(root / "tools" / "my_lessons.py")
    return subprocess.call([sys.executable, tool, "fill", "--into", folder])


def train_weights(name: str) -> int:
    """Make the weights `name` again by their recipe, or go on where that was interrupted.

    Returns 0; 1 with a sentence if something is missing or went wrong; 2 for a name without a
    recipe; 130, as for every interrupted program, if it was stopped.
    """
    from . import data, recipes, workspace
    from .training import distributed, resume

    if name not in recipes.NAMES:
        print(
            f"{name!r} has no recipe. These have one: {', '.join(recipes.NAMES)}.", file=sys.stderr
        )
        return 2
    try:
        with distributed.processes():
            recipes.train(name)
            if distributed.rank():
                return 0
        path = workspace.own_path(f"{name}.safetensors")
        print(f"Done: {path}. The lessons use these weights from now on.")
        print("To go back to those of the course, delete that file.")
    except resume.Paused as paused:
        print(paused)
        return 130
    except KeyboardInterrupt:
        print("stopped before the first step")
        return 130
    except (data.DataUnavailable, workspace.DamagedFile, OSError, FloatingPointError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
