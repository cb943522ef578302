"""JupyterLab in a browser, as a learner meets it: a server on a copy, a page, a notebook run."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlparse

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

ROOT = Path(__file__).resolve().parents[2]
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
SHORT_TRAININGS = Path(__file__).parent / "short_trainings"
RUN_LIMIT_S = 900

_SETTINGS = {
    # All cells stay in the page, so that every control can be reached.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "docmanager-extension/plugin": {"autosave": False},
    "apputils-extension/notification": {"checkForUpdates": False},
}
_FLAGS = (
    "--no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-quic "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--force-color-profile=srgb"
).split()


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome on this machine, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    inside = ("Google/Chrome/Application/chrome.exe", "Chromium/Application/chrome.exe")
    apps = (
        "Chromium.app/Contents/MacOS/Chromium",
        "Google Chrome.app/Contents/MacOS/Google Chrome",
    )
    return _find(names, apps, inside)


def find_firefox() -> str | None:
    """Path of a Firefox on this machine, or None. The tests were run with ESR 153."""
    return _find(
        ("firefox-esr", "firefox"),
        ("Firefox.app/Contents/MacOS/firefox",),
        ("Mozilla Firefox/firefox.exe",),
    )


def _find(names: Sequence[str], apps: Sequence[str], inside: Sequence[str]) -> str | None:
    """The first of these commands, or what macOS and Windows keep on no PATH, or None."""
    places = [Path(path) for path in map(shutil.which, names) if path]
    if sys.platform == "darwin":
        for root in (Path("/Applications"), Path.home() / "Applications"):
            places += [root / path for path in apps]
    if sys.platform == "win32":
        named = (os.environ.get(n) for n in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"))
        places += [Path(root) / path for root in named if root for path in inside]
    return next((str(path) for path in places if path.is_file()), None)


def launch(playwright: Playwright) -> Browser:
    """A headless Chromium."""
    return playwright.chromium.launch(
        executable_path=find_chromium(), headless=True, args=list(_FLAGS)
    )


class Firefox:
    """Headless Firefox, used like the browser that `launch` returns.

    Playwright reaches the Firefox that people have by WebDriver BiDi, and silently drops which
    colours and how much motion a context wants. Both are preferences of Firefox too, but of a whole
    browser: one is started for each pair of wishes, when it is first asked for.
    """

    def __init__(self, playwright: Playwright) -> None:
        self._type, self._running = playwright.firefox, {}
        self._home = tempfile.TemporaryDirectory()
        self.saved = Path(self._home.name)

    def new_context(
        self, color_scheme: str = "light", reduced_motion: str = "no-preference", **options: Any
    ) -> BrowserContext:
        """A context as Chromium's, for what the tests of both browsers ask."""
        wishes = (
            ("layout.css.prefers-color-scheme.content-override", int(color_scheme != "dark")),
            ("ui.prefersReducedMotion", int(reduced_motion == "reduce")),
        )
        if wishes not in self._running:
            self._running[wishes] = self._type.launch(
                channel="moz-firefox",
                executable_path=find_firefox(),
                headless=True,
                firefox_user_prefs=dict(wishes),
                downloads_path=self.saved,
            )
        return self._running[wishes].new_context(**options)

    def close(self) -> None:
        """End every Firefox that was started."""
        for browser in self._running.values():
            browser.close()
        self._home.cleanup()


def saved(browser: Browser | Firefox, page: Page, button: str) -> Path:
    """Click a button, and return the file that the page saves, under the name that it proposes.

    Of a file that was made in the page Firefox names no navigation, and Playwright reports no
    download then: the file is there all the same.
    """
    if not isinstance(browser, Firefox):
        with page.expect_download() as download:
            page.click(button)
        file = Path(download.value.path()).with_name(download.value.suggested_filename)
        download.value.save_as(file)
        return file
    before = set(browser.saved.iterdir())
    page.click(button)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        new = set(browser.saved.iterdir()) - before
        if (
            len(new) == 1 and (file := new.pop()).stat().st_size
        ):  # while it is written there are two
            return file
        time.sleep(0.05)
    raise TimeoutError(f"{button} saved no file")


class Server:
    """A JupyterLab server on `folder`; its own settings live in `home`. Close it with `stop`."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.log = folder, home / "server.log"
        self.address = f"http://127.0.0.1:{_free_port()}"
        for name, settings in _SETTINGS.items():
            file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(settings))
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                _command(folder, home, urlparse(self.address).port),
                env=_environment(home),
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.address}/api/status", timeout=5):
                    return
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        """End the server, and with it its kernels."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _command(folder: Path, home: Path, port: int) -> list[str]:
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "ServerApp.terminals_enabled": False,
        "IdentityProvider.token": "",
        "PasswordIdentityProvider.hashed_password": "",
        "LabApp.expose_app_in_browser": True,
        "LabApp.user_settings_dir": home / "settings",
        "LabApp.workspaces_dir": home / "workspaces",
        "LabApp.news_url": None,
        "LabApp.app_settings_dir": ROOT / "diffusion_lessons" / "lab" / "settings",
        "LabApp.extra_labextensions_path": ROOT / "diffusion_lessons" / "lab",
        "FileCheckpoints.checkpoint_dir": home / "checkpoints",
    }
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    given = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "jupyterlab", "--no-browser", *root, *given]


def _environment(home: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    paths = [str(ROOT), str(SHORT_TRAININGS), env.get("PYTHONPATH", "")]
    env["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        env[name] = str(home / name.lower())
    env["XDG_DATA_HOME"] = str(home / "data")  # what a test keeps is no learner's picture
    return env


class Notebook:
    """A notebook open in JupyterLab. What goes wrong while it is open is collected in `faults`."""

    def __init__(self, page: Page, server: Server, name: str) -> None:
        self.page, self.faults = page, []
        self._heard = {"request": self._on_request, "pageerror": self._on_error}
        for event, hear in self._heard.items():
            page.on(event, hear)
        if page.url == "about:blank":
            page.goto(f"{server.address}/lab/tree/{quote(name)}?reset")
        else:
            page.evaluate("path => window.probe.open(path)", name)
        page.wait_for_function("path => window.probe.ready(path)", arg=name, timeout=120_000)
        if page.locator(".jp-Dialog").count():
            raise RuntimeError(f"{name}: {page.locator('.jp-Dialog').first.inner_text()}")
        page.evaluate("() => window.probe.listen()")

    def _on_request(self, request) -> None:
        host = urlparse(request.url).hostname
        if host not in (None, "127.0.0.1", "localhost"):
            self.faults.append(f"a request left the machine: {request.url[:120]}")

    def _on_error(self, error) -> None:
        self.faults.append(f"error in the page: {error}")

    def close(self) -> None:
        """End the kernel and close the notebook; JupyterLab stays."""
        self.page.evaluate("() => window.probe.close()")
        for event, hear in self._heard.items():
            self.page.remove_listener(event, hear)

    def run_all(self) -> None:
        """Run every cell, and wait until the outputs rest."""
        self.page.set_default_timeout(RUN_LIMIT_S * 1000)
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.wait_idle()
        self.page.set_default_timeout(60_000)

    def start_cell(self, index: int) -> None:
        """Start one cell and do not wait for it."""
        self.page.evaluate("index => window.probe.startCell(index)", index)

    def run_up_to(self, index: int) -> None:
        """Run the cells before one, start that, and wait until the kernel is busy with it."""
        for before in range(index):
            self.start_cell(before)
            self.wait_idle()
        self.start_cell(index)
        self.page.wait_for_function("() => !window.probe.idle()")

    def wait_idle(self) -> None:
        """Wait until no cell runs, the kernel has heard all that was moved, and nothing in the
        outputs has changed for a moment."""
        limit = RUN_LIMIT_S * 1000
        rests = "() => window.probe.idle() && window.probe.heard()"
        self.page.wait_for_function(rests, timeout=limit, polling=100)
        before, since = None, time.monotonic()
        while time.monotonic() - since < 0.7:
            now = self.page.evaluate("() => window.probe.heard() && window.probe.movement()")
            if now != before:
                before, since = now, time.monotonic()
            time.sleep(0.1)

    def cell_count(self) -> int:
        """Number of cells in the notebook, which a stray key must not change."""
        return self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.model.cells.length"
        )

    def cell_errors(self) -> list[str]:
        """Errors in outputs, and errors of callbacks that no cell shows."""
        return self.page.evaluate("() => window.probe.errors()")

    def use_theme(self, name: str) -> None:
        """Switch JupyterLab's theme and wait until it is there."""
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        light = "false" if "Dark" in name else "true"
        self.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")

    def photograph(self, file: Path, width: int = 1280) -> None:
        """A screenshot of the whole notebook, `width` pixels wide."""
        before = self.page.viewport_size
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        self.page.wait_for_timeout(500)
        height = self.page.evaluate("() => window.probe.cellsHeight()")
        self.page.set_viewport_size({"width": width, "height": min(round(height) + 160, 15000)})
        self.page.locator(f"{PANEL} .jp-Cell").first.scroll_into_view_if_needed()
        self.page.wait_for_timeout(500)
        self.page.screenshot(path=file)
        self.page.set_viewport_size(before)


def write_notebook(folder: Path, name: str, *cells: str | nbformat.NotebookNode) -> str:
    """Write a notebook of these cells (texts of code, or ready cells); its file name."""
    ready = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    notebook = new_notebook(cells=ready)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata.kernelspec = kernel
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return f"{name}.ipynb"


_contexts: dict[str, BrowserContext] = {}
_idle: dict[str, Page] = {}


def _browsing(browser: Browser | Firefox, **options: Any) -> BrowserContext:
    """The browser's context with these options, made when it is first asked for."""
    key = f"{id(browser)} {options}"
    if key not in _contexts:
        _contexts[key] = browser.new_context(**options)
        _contexts[key].add_init_script(path=Path(__file__).with_name("probe.js"))
    return _contexts[key]


@contextmanager
def opened(
    browser: Browser | Firefox, server: Server, name: str, **context: object
) -> Iterator[Notebook]:
    """A notebook with a fresh kernel, which is shut down at the end.

    The tab and its JupyterLab serve the next notebook with the same options, if nothing went wrong
    in them: to start JupyterLab costs three times as much as to open a notebook in it.
    """
    options = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | context
    key = f"{id(browser)} {server.address} {options}"
    page = _idle.pop(key, None) or _browsing(browser, **options).new_page()
    try:
        notebook = Notebook(page, server, name)
        yield notebook
        notebook.close()
    except BaseException:
        page.close()
        raise
    _idle[key] = page
