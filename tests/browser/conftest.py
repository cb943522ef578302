"""One JupyterLab and one Chromium for all browser tests; a plain sentence where there is none."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from diffusion_lessons import workspace
from tests.browser.lab import ROOT, Server, find_chromium, launch, opened, write_notebook
from web.build import build

NO_CHROMIUM = (
    "the browser tests did not run: no Chromium found. Install one (Debian, Ubuntu: "
    "apt install chromium; elsewhere: Chrome or Chromium on the PATH) and run them again"
)


def require_chromium() -> None:
    """Skip without a Chromium, saying so plainly; in CI its absence is a failure."""
    if find_chromium() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_CHROMIUM)


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A headless Chromium."""
    require_chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page whose reader asked for less motion."""
    with empty_page(browser, reduced_motion="reduce") as page:
        yield page


@pytest.fixture
def moving_page(browser: Browser) -> Iterator[Page]:
    """An empty page where things may move."""
    with empty_page(browser, reduced_motion="no-preference") as page:
        yield page


@contextmanager
def empty_page(browser: Browser, **options: Any) -> Iterator[Page]:
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
def lab(browser: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on a copy of the notebooks, so that no test touches those in the project."""
    folder = tmp_path_factory.mktemp("course")
    if (ROOT / "notebooks").is_dir():
        shutil.copytree(ROOT / "notebooks", folder, dirs_exist_ok=True)
    server = Server(folder, tmp_path_factory.mktemp("jupyter"))
    yield server
    server.stop()


@pytest.fixture
def open_cells(browser: Browser, lab: Server, request: pytest.FixtureRequest) -> Callable:
    """Open a notebook of the given cells in JupyterLab."""
    name = re.sub(r"\W", "-", request.node.name)[:40]
    return lambda *cells: opened(browser, lab, write_notebook(lab.folder, name, *cells))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the lessons, which take longest, come first."""
    items.sort(key=lambda item: item.path.stem != "test_lessons_in_browser")
