"""One JupyterLab and one of each browser for all tests; a plain sentence where one is missing.

A test runs in Chromium. With the mark `both_browsers` (for a whole file: `pytestmark =
pytest.mark.both_browsers`) it runs once more in Firefox.
"""

from __future__ import annotations

import http.server
import os
import re
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from diffusion_lessons import workspace
from tests.browser.lab import (
    ROOT,
    Firefox,
    Server,
    find_chromium,
    find_firefox,
    launch,
    opened,
    write_notebook,
)
from web.build import build

MISSING = {
    "chromium": "no Chromium found. Install one (Debian, Ubuntu: apt install chromium; elsewhere: "
    "Chrome or Chromium on the PATH)",
    "firefox": "no Firefox found. Install one (Debian: apt install firefox-esr; elsewhere: Firefox "
    "on the PATH)",
}


def require(name: str, path: str | None) -> None:
    """Skip without this browser, saying so plainly; in CI its absence is a failure."""
    if path is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop(f"the browser tests did not run: {MISSING[name]} and run them again")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What starts the browsers: one for both, since a process can have one only."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """A headless Chromium."""
    require("chromium", find_chromium())
    chromium = launch(playwright)
    yield chromium
    chromium.close()


@pytest.fixture(scope="session")
def firefox(playwright: Playwright) -> Iterator[Firefox]:
    """A headless Firefox."""
    require("firefox", find_firefox())
    firefox = Firefox(playwright)
    yield firefox
    firefox.close()


@pytest.fixture
def browser(request: pytest.FixtureRequest) -> Browser | Firefox:
    """The browser of this run of a test."""
    return request.getfixturevalue(getattr(request, "param", "chromium"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for it in both browsers."""
    both = metafunc.definition.get_closest_marker("both_browsers")
    if both and "browser" in metafunc.fixturenames:
        metafunc.parametrize("browser", MISSING, indirect=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the files of which tests were skipped for want of a browser."""
    skipped = terminalreporter.stats.get("skipped", [])
    files = Counter(
        one.nodeid.split("::")[0] for one in skipped if "no Firefox" in str(one.longrepr)
    )
    for file, count in files.items():
        terminalreporter.write_line(f"not run in Firefox: {file}, {count} tests")


@pytest.fixture
def page(browser: Browser | Firefox) -> Iterator[Page]:
    """An empty page whose reader asked for less motion."""
    with empty_page(browser, reduced_motion="reduce") as page:
        yield page


@pytest.fixture
def moving_page(browser: Browser | Firefox) -> Iterator[Page]:
    """An empty page where things may move."""
    with empty_page(browser, reduced_motion="no-preference") as page:
        yield page


@contextmanager
def empty_page(browser: Browser | Firefox, **options: Any) -> Iterator[Page]:
    """A page in a context of its own."""
    context = browser.new_context(viewport={"width": 1000, "height": 900}, **options)
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once for all processes of this run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "site"
    with workspace.only_one(folder):
        if not (folder / "index.html").is_file():
            build(folder)
    return folder


@pytest.fixture(scope="session")
def site(site_folder: Path) -> Iterator[str]:
    """The address of the site."""
    serve = partial(_Quiet, directory=site_folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on a copy of the notebooks, so that no test touches those in the project."""
    folder = tmp_path_factory.mktemp("course")
    if (ROOT / "notebooks").is_dir():
        shutil.copytree(ROOT / "notebooks", folder, dirs_exist_ok=True)
    server = Server(folder, tmp_path_factory.mktemp("jupyter"))
    yield server
    server.stop()


@pytest.fixture
def open_cells(browser: Browser | Firefox, lab: Server, request: pytest.FixtureRequest) -> Callable:
    """Open a notebook of the given cells in JupyterLab."""
    name = re.sub(r"\W", "-", request.node.name)[:40]
    return lambda *cells: opened(browser, lab, write_notebook(lab.folder, name, *cells))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the lessons, which take longest, come first."""
    items.sort(key=lambda item: item.path.stem != "test_lessons_in_browser")
