"""A class on a real JupyterHub: `make hub-check` serves three learners at once and measures them.

It installs jupyterhub, nbgitpuller and configurable-http-proxy (npm) into a temporary folder, makes
an upstream repository from this checkout, and lets each server start with `tools/hub_start.sh`, as
README tells a teacher. Each learner runs the lessons 00, 01 and 09 and writes into 01; then the
course changes upstream, and all log in again. Where it runs as root the learners are three users.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import websocket

ROOT = Path(__file__).resolve().parent.parent
LEARNERS = ("ada", "emmy", "grace")
LESSONS = ("00_start_here", "01_forward_noising", "09_quiz")
FIRST_UID = 20_001
TOKEN = secrets.token_hex(16)
CONFIG = """
import os, pwd
from jupyterhub.spawner import SimpleLocalProcessSpawner

uids = {uids!r}

class Learner(SimpleLocalProcessSpawner):
    home_dir_template = {homes!r} + "/{{username}}"

    def make_preexec_fn(self, name):
        whole = super().make_preexec_fn(name)
        def become():
            os.makedirs(self.home_dir, exist_ok=True)
            if uids:
                os.chown(self.home_dir, uids[name], uids[name])
                os.setgroups([]), os.setgid(uids[name]), os.setuid(uids[name])
            whole()
        return become

    def user_env(self, env):
        return dict(super().user_env(env), **self.user_options.get("env", {{}}))

c.JupyterHub.spawner_class = Learner
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.bind_url = {address!r}
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = {proxy_api!r}
c.ConfigurableHTTPProxy.command = {proxy!r}
c.Spawner.cmd = {start!r}
c.Spawner.args = {args!r}
c.Spawner.environment = {environment!r}
c.Spawner.start_timeout = 300
c.Spawner.http_timeout = 300
c.JupyterHub.services = [dict(name="check", api_token={token!r})]
c.JupyterHub.load_roles = [dict(
    name="check", services=["check"], scopes=["admin:users", "admin:servers", "access:servers"])]
"""


def run(*command: object, cwd: Path = ROOT, **more: Any) -> str:
    """Return what a command prints; raise SystemExit with it if the command fails."""
    ended = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, **more
    )
    if ended.returncode:
        raise SystemExit(f"{command} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return ended.stdout.strip()


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def install(place: Path) -> Path:
    """Install the hub into `place`, beside the packages of this Python; return the bin folder."""
    run(sys.executable, "-m", "venv", place / "hub")
    (packages,) = (place / "hub").glob("lib/*/site-packages")
    torch = importlib.util.find_spec("torch")
    assert torch and torch.origin
    (packages / "course.pth").write_text(str(Path(torch.origin).parent.parent))
    pip = (place / "hub" / "bin" / "python", "-m", "pip", "install", "-q")
    run(*pip, "-c", ROOT / "constraints.txt", "jupyterhub", "nbgitpuller")
    run("npm", "install", "--silent", "--prefix", place / "npm", "configurable-http-proxy")
    return place / "hub" / "bin"


def upstream(place: Path) -> Path:
    """Make a bare repository of what git knows of this checkout, changes included."""
    bare = place / "course.git"
    run("git", "init", "-q", "--bare", "-b", "main", bare)
    now = run("git", "stash", "create") or run("git", "rev-parse", "HEAD")
    run("git", "push", "-q", bare, f"{now}:refs/heads/main")
    return bare


def change_upstream(place: Path, bare: Path) -> None:
    """Change two lessons and the package, as an update during the term does."""
    teacher = place / "teacher"
    run("git", "clone", "-q", bare, teacher)
    for lesson in ("01_forward_noising", "02_tiny_unet"):
        path = teacher / "notebooks" / f"{lesson}.ipynb"
        notebook = json.loads(path.read_text("utf-8"))
        notebook["cells"][0]["source"] = "# Changed upstream"
        path.write_text(json.dumps(notebook), "utf-8")
    with open(teacher / "diffusion_lessons" / "__init__.py", "a") as package:
        package.write("\nUPSTREAM = 2\n")
    me = ("-c", "user.name=teacher", "-c", "user.email=teacher@example.org")
    run("git", *me, "commit", "-qam", "An update during the term", cwd=teacher)
    run("git", "push", "-q", cwd=teacher)


def strangers() -> dict[str, int]:
    """Return a user number for each learner where this process may become another user, else {}."""
    if os.geteuid() != 0:
        return {}
    try:
        subprocess.run([sys.executable, "-c", ""], user=FIRST_UID, group=FIRST_UID, check=True)
    except (OSError, subprocess.CalledProcessError):
        print(f"{sys.executable} is readable for root alone: the learners run as root.")
        return {}
    return {name: FIRST_UID + number for number, name in enumerate(LEARNERS)}


class Hub:
    """A running hub; its REST interface, and that of the learners' servers behind it."""

    def __init__(self, place: Path, programs: Path, bare: Path) -> None:
        self.address, self.homes = f"http://127.0.0.1:{free_port()}", place / "homes"
        self.homes.mkdir()
        uids = strangers()
        port = free_port()  # git itself serves the repository: on a disk it must be one's own
        self.upstream = subprocess.Popen(
            ["git", "daemon", "--export-all", f"--base-path={place}", f"--port={port}",
             "--listen=127.0.0.1", str(place)], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        address = f"git://127.0.0.1:{port}/{bare.name}"
        start = [str(ROOT / "tools" / "hub_start.sh"), address, "main"]
        text = CONFIG.format(
            uids=uids, homes=str(self.homes), address=self.address, hub_port=free_port(),
            proxy_api=f"http://127.0.0.1:{free_port()}", start=start, token=TOKEN,
            proxy=[str(place / "npm" / "node_modules" / ".bin" / "configurable-http-proxy")],
            args=[] if uids or os.geteuid() else ["--allow-root"],
            environment={"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        )  # fmt: skip
        (place / "jupyterhub_config.py").write_text(text)
        self.log = place / "hub.log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [str(programs / "jupyterhub"), "-f", "jupyterhub_config.py"],
                cwd=place, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.wait(lambda: self.ask("GET", "/hub/api/"), "the hub")

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return what the hub, or a learner's server, answers."""
        asked = urllib.request.Request(
            self.address + path, method=method, data=json.dumps(body or {}).encode(),
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(asked, timeout=300) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def wait(self, done: Callable[[], object], what: str) -> None:
        """Wait until `done` answers something that is true."""
        for _ in range(600):
            try:
                if done():
                    return
            except OSError:
                pass
            time.sleep(0.5)
        raise SystemExit(f"{what} did not come up:\n{self.log.read_text()[-6000:]}")

    def log_in(self, name: str, **environment: str) -> None:
        """Start a learner's server, and wait until it is there."""
        if not self._user(name):
            self.ask("POST", f"/hub/api/users/{name}")
        self.ask("POST", f"/hub/api/users/{name}/server", {"env": environment})
        self.wait(lambda: self._user(name)["servers"].get("", {}).get("ready"), name)

    def log_out(self, name: str) -> None:
        """Stop a learner's server."""
        self.ask("DELETE", f"/hub/api/users/{name}/server")
        self.wait(lambda: not self._user(name)["servers"], f"the end of {name}")

    def _user(self, name: str) -> Any:
        try:
            return self.ask("GET", f"/hub/api/users/{name}")
        except urllib.error.HTTPError:
            return None

    def tree(self, name: str) -> list[psutil.Process]:
        """Return the processes of a learner: the server and its kernels."""
        server = psutil.Process(self._user(name)["servers"][""]["state"]["pid"])
        return [server, *server.children(recursive=True)]

    def stop(self) -> None:
        """Stop the hub, its proxy and every server."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        self.process.terminate()
        self.process.wait(30)
        self.upstream.terminate()
        for process in psutil.wait_procs(below, 10)[1]:
            process.kill()


class Lesson:
    """A lesson that a learner has open: its cells and its kernel, through the hub."""

    def __init__(self, hub: Hub, learner: str, name: str) -> None:
        self.base, self.hub = f"/user/{learner}", hub
        self.path = f"course/my_lessons/{name}.ipynb"
        asked = {"path": self.path, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
        self.kernel = hub.ask("POST", f"{self.base}/api/sessions", asked)["kernel"]["id"]
        self.socket = websocket.create_connection(
            f"{hub.address.replace('http', 'ws')}{self.base}/api/kernels/{self.kernel}/channels",
            header=[f"Authorization: token {TOKEN}"], timeout=600,
        )  # fmt: skip

    def contents(self) -> Any:
        """Return the notebook."""
        return self.hub.ask("GET", f"{self.base}/api/contents/{self.path}")["content"]

    def save(self, notebook: Any) -> None:
        """Save the notebook, as JupyterLab does."""
        kept = {"type": "notebook", "format": "json", "content": notebook}
        self.hub.ask("PUT", f"{self.base}/api/contents/{self.path}", kept)

    def execute(self, code: str) -> tuple[str, str]:
        """Run code; return what it printed, and its error or ""."""
        asked, printed, error = uuid.uuid4().hex, "", ""
        header = {"msg_id": asked, "msg_type": "execute_request", "session": asked,
                  "username": "", "version": "5.3"}  # fmt: skip
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = {"header": header, "content": content, "channel": "shell",
                   "parent_header": {}, "metadata": {}}  # fmt: skip
        self.socket.send(json.dumps(message))
        while True:
            got = self.socket.recv()
            if isinstance(got, bytes):
                continue  # the state of a widget
            said = json.loads(got)
            if said["parent_header"].get("msg_id") != asked:
                continue
            kind, content = said["msg_type"], said["content"]
            if kind == "stream":
                printed += str(content["text"])
            elif kind == "error":
                error = f"{content['ename']}: {content['evalue']}"
            elif kind == "status" and content["execution_state"] == "idle":
                return printed, error

    def run_all(self) -> list[str]:
        """Run every cell; return the errors."""
        cells = [cell for cell in self.contents()["cells"] if cell["cell_type"] == "code"]
        answers = [self.execute("".join(cell["source"]))[1] for cell in cells]
        return [error for error in answers if error]

    def close(self) -> None:
        """Shut the kernel down."""
        self.socket.close()
        self.hub.ask("DELETE", f"{self.base}/api/kernels/{self.kernel}")


def at_once(work: Callable[[str], Any]) -> dict[str, Any]:
    """Do something for all learners at the same time; return what it gives for each."""
    with ThreadPoolExecutor(len(LEARNERS)) as pool:
        return dict(zip(LEARNERS, pool.map(work, LEARNERS), strict=True))


def used(processes: list[psutil.Process]) -> tuple[float, float]:
    """Return the MB that processes take (shared pages by their share) and their CPU seconds."""
    size = sum(process.memory_full_info().pss for process in processes) / 1e6
    times = [process.cpu_times() for process in processes]
    return size, sum(one.user + one.system for one in times)


def say(what: str, of_each: dict[str, tuple[float, float]]) -> None:
    """Print what learners take: the mean MB and CPU seconds."""
    sizes, seconds = zip(*of_each.values(), strict=True)
    print(f"{what:<44} {sum(sizes) / 3:6.0f} MB {sum(seconds) / 3:6.1f} CPU s per learner")


def first_day(hub: Hub, name: str) -> dict[str, Any]:
    """Run the three lessons one after another, none closed, and write into lesson 01."""
    server = used(hub.tree(name))
    lessons, errors = [], []
    for title in LESSONS:
        lessons.append(Lesson(hub, name, title))
        errors += [f"{name}, {title}: {error}" for error in lessons[-1].run_all()]
    notebook = lessons[1].contents()
    notebook["cells"][1]["source"] = f"written by {name}"
    lessons[1].save(notebook)
    everything = used(hub.tree(name))
    for lesson in lessons:
        lesson.close()
    return {"errors": errors, "server": server, "open": everything, "closed": used(hub.tree(name))}


def next_day(hub: Hub, name: str) -> list[str]:
    """Log in again; return what is not as it should be after the update."""
    hub.log_in(name)
    home, faults = hub.homes / name, []
    lesson = Lesson(hub, name, "02_tiny_unet")
    course = home / "course"
    wanted = f"2 {course / 'diffusion_lessons'} {course / 'data'} {course / 'my_weights'} 1"
    code = (
        "import os, diffusion_lessons as d; from diffusion_lessons import workspace as w; print("
        "d.UPSTREAM, os.path.dirname(d.__file__), w.data_path(), w.own_path(), "
        "os.environ['OMP_NUM_THREADS'])"
    )
    printed, error = lesson.execute(code)
    if printed.strip() != wanted:
        faults.append(f"{name}: package and weights are {printed.strip()} {error}, not {wanted}")
    cells = {path: json.loads((course / "my_lessons" / path).read_text("utf-8"))["cells"]
             for path in ("01_forward_noising.ipynb", "02_tiny_unet.ipynb")}  # fmt: skip
    mine, theirs = cells.values()
    if "".join(mine[1]["source"]) != f"written by {name}":
        faults.append(f"{name}: what was written into lesson 01 is lost")
    if "".join(theirs[0]["source"]) != "# Changed upstream":
        faults.append(f"{name}: the new lesson 02 did not arrive")
    news = course / "my_lessons" / "NEWS.txt"
    if not news.is_file() or "01_forward_noising" not in news.read_text("utf-8"):
        faults.append(f"{name}: nobody tells of the new lesson 01")
    lesson.close()
    return faults


def one_lesson(hub: Hub, threads: int) -> dict[str, tuple[float, float]]:
    """Run lesson 00 for all at once with so many threads each; return wall and CPU seconds."""

    def take(name: str) -> tuple[float, float]:
        hub.log_in(name, OMP_NUM_THREADS=str(threads))
        lesson, begin = Lesson(hub, name, LESSONS[0]), time.monotonic()
        lesson.run_all()
        taken = time.monotonic() - begin, used(hub.tree(name)[1:])[1]
        lesson.close()
        hub.log_out(name)
        return taken

    return at_once(take)


@contextmanager
def class_room() -> Iterator[tuple[Path, Path, Hub]]:
    """Yield a folder, the upstream repository and a hub in it; all are gone in the end."""
    place = Path(tempfile.mkdtemp(prefix="hub-check-"))
    place.chmod(0o755)
    try:
        print("Installing the hub (a minute or two) ...", flush=True)
        programs, bare = install(place), upstream(place)
        hub = Hub(place, programs, bare)
        try:
            yield place, bare, hub
        except Exception:
            print(f"What the hub and the servers said last:\n{hub.log.read_text()[-6000:]}")
            raise
        finally:
            hub.stop()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def main() -> int:
    """Serve the class, print what it takes; return 1 if something is not as README says."""
    with class_room() as (place, bare, hub):
        at_once(hub.log_in)
        print(
            f"{len(LEARNERS)} learners are logged in; they run {', '.join(LESSONS)} ...", flush=True
        )
        begin, days = time.monotonic(), at_once(lambda name: first_day(hub, name))
        print(f"All three were through after {time.monotonic() - begin:.0f} s.")
        sizes = [run("du", "-sm", hub.homes / name).split()[0] for name in LEARNERS]
        print(f"A learner's home takes {max(map(int, sizes))} MB.")
        say("the server alone", {name: day["server"] for name, day in days.items()})
        say("with the three lessons open", {name: day["open"] for name, day in days.items()})
        say(
            "after their kernels were shut down",
            {name: day["closed"] for name, day in days.items()},
        )
        faults = [error for day in days.values() for error in day["errors"]]
        at_once(hub.log_out)
        change_upstream(place, bare)
        for more in at_once(lambda name: next_day(hub, name)).values():
            faults += more
        at_once(hub.log_out)
        for threads in (1, 2):
            of_each = one_lesson(hub, threads).values()
            wall, cpu = (max(one[i] for one in of_each) for i in (0, 1))
            print(
                f"lesson 00 with OMP_NUM_THREADS={threads}: {wall:.0f} s, {cpu:.0f} CPU s at most"
            )
        for fault in faults:
            print(fault)
    print(f"{len(faults)} faults" if faults else "Nothing was lost, and all is of one copy.")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
