"""Runs every test, as `make test` does, and says at the end what ran and what did not.

    python -m tools.run_tests

Three groups, one after the other, each in its own process: the package, the notebooks as a learner
runs them, and the browser. Without a Chromium the third cannot run; that is said plainly, and where
the environment variable CI is set it is a failure.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.browser.lab import find_chromium
from tools import notebooks

ROOT = Path(__file__).resolve().parent.parent
PYTEST = [sys.executable, "-m", "pytest"]
PACKAGE = [*PYTEST, "-q", "tests", "--ignore=tests/browser"]
NOTEBOOKS = [*PYTEST, "-q", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300"]
BROWSER = [*PYTEST, "-q", "tests/browser"]

NO_BROWSER = """THE BROWSER TESTS DID NOT RUN: there is no Chromium on this machine.
How to get it: on Debian or Ubuntu  sudo apt install chromium ; elsewhere install Chromium or Chrome
and put it on the PATH. Then run  make test  again."""


def run(name: str, command: list[str], environment: dict[str, str]) -> str:
    """Run one group and return how it ended: "passed" or "FAILED"."""
    print(f"\n== {name}", flush=True)
    return "FAILED" if subprocess.call(command, cwd=ROOT, env=environment) else "passed"


def main() -> int:
    """Run the three groups, print a summary, and return 0 only if nothing failed."""
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    lessons = [str(path) for path in notebooks.lessons()]
    ends = {
        "the package": run("the package (minutes)", PACKAGE, environment),
        "the notebooks": run("the notebooks (minutes)", [*NOTEBOOKS, *lessons], environment),
    }
    browser = find_chromium()
    if browser:
        ends["the browser"] = run(f"the browser, {browser} (minutes)", BROWSER, environment)
    else:
        ends["the browser"] = "FAILED, it did not run" if os.environ.get("CI") else "DID NOT RUN"
        print("\n" + NO_BROWSER)
    print("\n" + "\n".join(f"{group}: {end}" for group, end in ends.items()))
    return int(any(end.startswith("FAILED") for end in ends.values()))


if __name__ == "__main__":
    sys.exit(main())
