"""Sets the course up and opens it: `python3 tools/setup_course.py setup` (or `lab`).

`make setup`, `make lab` and `make test` call this file; on Windows it is called directly. It uses
the standard library only, and no syntax newer than Python 3.6, because it must still be able to say
that a Python is too old. Everything is installed into the folder `.venv`, nothing outside it. The
stamp that says "complete" is written last, so an interrupted set-up is simply taken up again.
"""

import argparse
import hashlib
import importlib.util
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 14)
GIGABYTE = 1024**3
FIRST_IMPORT = "import torch, matplotlib, anywidget, jupyterlab, ipykernel, diffusion_lessons"


def line(command: str, windows: bool = os.name == "nt", **options: object) -> str:
    """Return what a learner types for `command`: with make, or on Windows, which has none, without.

    options: of the command, such as torch="cpu" or port=8889; python: which one runs the tool.
    """
    if not windows:
        return " ".join(["make", command] + [f"{k.upper()}={v}" for k, v in options.items()])
    python = options.pop("python", "py -3.12")
    words = [f"--{name} {value}" for name, value in options.items()]
    return " ".join([str(python), "tools\\setup_course.py", command] + words)


NO_NETWORK = f"""The packages could not be downloaded: there is no way to the package registry,
without internet or through a firewall. (For TORCH=cpu torch comes from a registry of its own.)
What to do: connect to the internet and run the same command again (finished downloads are kept).
Without internet: bring the wheels in a folder and run  {line("setup", torch="that/folder")}
(README, "Offline and in classrooms")."""
NO_SPACE = """The disk is full.
What to do: free some space and run the same command again (it goes on where it stopped)."""
NO_PERMISSION = """A file could not be written: this user may not write there.
What to do: copy the course to a folder of your own, for example in your home, and run the same
command there."""
NOT_FOUND = """A package was not found where it was looked for.
What to do: run the same command again; without internet see README, "Offline and in classrooms"."""
UNKNOWN = """The installation stopped.
What to do: if what follows speaks of a connection, there is no network: connect and run the same
command again. Else remove the folder .venv and run the same command again."""
NOT_STARTED = """The course could not be started; the lines above say why.
What to do: remove the folder .venv and run the same command again."""
STOPPED = """
Stopped. Nothing is broken: run the same command again and it goes on where it stopped."""


class Stop(Exception):
    """A reason why the course cannot be set up or opened, as a sentence with what to do."""


def venv_python() -> Path:
    """Return the path of the Python inside `.venv`, which may not exist yet."""
    where = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return ROOT.joinpath(".venv", *where)


def check_python(version: tuple) -> None:
    """Raise Stop unless `version`, such as (3, 12), is one that the pinned packages support."""
    if OLDEST <= version[:2] <= NEWEST:
        return
    names = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    found = [name for name in names if runs(name)]
    if found:
        advice = "You have a fitting one. Run the same command with it:  "
        advice += line("lab", python=found[0])
    else:
        advice = f"Install Python 3.12 (python.org), then:  {line('lab', python='python3.12')}"
        advice = advice.replace("python3.12 tools", "py -3.12 tools")  # its name on Windows
    raise Stop(
        f"This is Python {version[0]}.{version[1]}, and the course needs one from "
        f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}.\nWhat to do: {advice}"
    )


def runs(python: str) -> bool:
    """Say whether a Python of this name runs: a manager of versions may have but a sign of it."""
    try:
        return subprocess.call([python, "-c", ""], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def check_writable() -> None:
    """Raise Stop if the course's folder cannot be written to."""
    try:
        try_writing(ROOT)
    except OSError as error:
        raise Stop(f"{NO_PERMISSION}\n({ROOT}: {error.strerror})") from error


def try_writing(folder: Path) -> None:
    """Raise OSError if `folder` cannot be written to."""
    with tempfile.TemporaryFile(dir=str(folder)):
        pass


def check_disk(choice: str) -> None:
    """Raise Stop if the disk has too little room for what is still to be installed.

    While pip works it needs the finished packages and their archives at the same time.
    """
    total = 9.0 if takes_the_big_torch(choice) else 2.5
    installed = sum(p.lstat().st_size for p in (ROOT / ".venv").rglob("*") if not p.is_dir())
    need = max(0.5, total - installed / GIGABYTE)
    free = shutil.disk_usage(str(ROOT)).free / GIGABYTE
    if free < need:
        raise Stop(
            f"There is too little room on the disk of {ROOT}:\n"
            f"{math.floor(10 * free) / 10} GB are free, setting up takes about "
            f"{math.ceil(10 * need) / 10} GB.\nWhat to do: free some space"
            + (f", or take the small way:  {line('setup', torch='cpu')}" if total > 4 else ".")
        )


def check_port(port: int) -> None:
    """Raise Stop if another program on this machine already listens on `port`."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.settimeout(1)
                taken = probe.connect_ex((address, port)) == 0
        except OSError:
            continue  # this machine has no such network family
        if taken:
            raise Stop(
                f"Port {port} is already in use, perhaps by a JupyterLab that you opened earlier.\n"
                "What to do: go on in that one, or close it, or choose another port:  "
                + line("lab", port=port + 1)
            )


def takes_the_big_torch(choice: str) -> bool:
    """Say whether torch comes with CUDA's libraries, about 3 GB to download."""
    return choice == "default" and sys.platform.startswith("linux")


def has_graphics_card() -> bool:
    """Say whether NVIDIA's driver is here: the torch of the registry uses no other cards."""
    return shutil.which("nvidia-smi") is not None or Path("/dev/nvidiactl").exists()


def wheel_versions(folder: Path, name: str) -> list:
    """Return the versions of the package `name` for which `folder` holds wheels, sorted."""
    return sorted({wheel.name.split("-")[1] for wheel in folder.glob(name + "-*.whl")})


def torch_choice(asked: str) -> str:
    """Return "default", "cpu" or the full path of a folder of wheels; empty means as last time."""
    memory = ROOT / ".venv" / "course-torch.txt"
    if not asked:
        asked = memory.read_text(encoding="utf-8").strip() if memory.is_file() else "default"
    if asked in ("default", "cpu"):
        return asked
    folder = Path(asked).expanduser().resolve()
    versions = wheel_versions(folder, "torch")
    if len(versions) != 1:
        raise Stop(
            f"TORCH={asked} is neither  default  nor  cpu  nor a folder with one version of torch "
            f"(versions found there: {', '.join(versions) or 'none'}).\n"
            "What to do: check the path, or choose  TORCH=default  or  TORCH=cpu"
        )
    return str(folder)


def write_constraints(choice: str) -> Path:
    """Write the pins that hold for this choice into `.venv` and return the file.

    They are those of constraints.txt, but a folder of wheels brings its own torch and torchvision.
    """
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if choice not in ("default", "cpu"):
        lines = [line for line in lines if line.split("==")[0] not in ("torch", "torchvision")]
        for name in ("torch", "torchvision"):
            lines += [f"{name}=={version}" for version in wheel_versions(Path(choice), name)]
    path = ROOT / ".venv" / "course-constraints.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def stamp(choice: str) -> str:
    """Return what `.venv/course-stamp.txt` holds when `.venv` is complete for this choice."""
    seal = hashlib.sha256()
    for name in ("constraints.txt", "pyproject.toml"):
        seal.update((ROOT / name).read_bytes())
    return f"{seal.hexdigest()} {choice} {ROOT}"


def venv_state() -> str:
    """Return "good", "no pip" (half made) or "unusable" for the `.venv` as it is."""
    asks = "import sys, importlib.util as u; print(*sys.version_info[:2], bool(u.find_spec('pip')))"
    try:
        answer = subprocess.run(
            [str(venv_python()), "-c", asks], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return "unusable"
    words = answer.stdout.decode().split()
    if answer.returncode or not OLDEST <= (int(words[0]), int(words[1])) <= NEWEST:
        return "unusable"
    return "good" if words[2] == "True" else "no pip"


def make_venv() -> None:
    """Make `.venv`, or mend it where it was left half made."""
    state = venv_state()
    if state == "good":
        return
    if importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise Stop(
            "This Python cannot make virtual environments.\n"
            f"What to do (Debian, Ubuntu):  sudo apt install {package}"
        )
    print("Making the folder .venv (seconds) ...", flush=True)
    clear = ["--clear"] if state == "unusable" else []
    if subprocess.call([sys.executable, "-m", "venv"] + clear + [str(ROOT / ".venv")]):
        raise Stop(NOT_STARTED)


def clear_half_installed() -> None:
    """Remove what an interrupted installation left, so that pip installs those packages again.

    pip and uv write INSTALLER into a package's .dist-info only after all of its files, but pip
    believes any .dist-info: without this step a half-written package would count as installed.
    """
    temporary = ROOT / ".venv" / "tmp"
    shutil.rmtree(str(temporary), ignore_errors=True)
    temporary.mkdir()
    for packages in (ROOT / ".venv").glob("[Ll]ib/**/site-packages"):
        torn = [p for p in packages.glob("*.dist-info") if not (p / "INSTALLER").is_file()]
        for path in torn + list(packages.glob("~*")):
            shutil.rmtree(str(path), ignore_errors=True)


def run_installer(*arguments: str) -> None:
    """Run `python -m ARGUMENTS` in `.venv`; raise Stop with the likely reason if it fails.

    What it prints goes into a log. Where it takes long the last line of it is shown, ever more
    seldom.
    """
    log = ROOT / ".venv" / "course-setup.log"
    log.write_text("")
    temporary = str(ROOT / ".venv" / "tmp")  # the system's own is often too small for 3 GB
    environment = dict(os.environ, PIP_LOG=str(log), PIP_USER="0", PIP_NO_INPUT="1")
    environment.update(PIP_DISABLE_PIP_VERSION_CHECK="1")
    environment.update(TMPDIR=temporary, TEMP=temporary, TMP=temporary)
    command, begin, patience = [str(venv_python()), "-m"] + list(arguments), time.time(), 15.0
    with open(str(log), "ab") as file:
        places = {"cwd": str(ROOT), "env": environment, "stdout": file}  # type: dict
        installer = subprocess.Popen(command, stderr=subprocess.STDOUT, close_fds=False, **places)
    while installer.poll() is None:
        try:
            installer.wait(patience)
        except subprocess.TimeoutExpired:
            patience *= 2
            minutes, last = (time.time() - begin) / 60, last_lines(log, 1)
            print(f"  after {minutes:.1f} minutes: {last.strip()[:70]}", flush=True)
    if installer.returncode:
        reason = reason_of_failure(log.read_text(encoding="utf-8", errors="replace"))
        raise Stop(f"{reason}\nThe end of {log}:\n{last_lines(log, 4)}")


def last_lines(log: Path, most: int) -> str:
    """Return the last lines of a log that say something, without the time before each."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [re.sub(r"^\d{4}-\d\d-\d\dT[\d:,]+ *", "", line) for line in lines]
    return "\n".join("  " + line.strip()[:200] for line in [s for s in said if s.strip()][-most:])


def reason_of_failure(log: str) -> str:
    """Return the sentence for what pip or uv wrote into the log."""
    network = (
        "NewConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "Max retries",
        "Failed to fetch", "error sending request", "Could not connect", "tunnel error",
    )  # fmt: skip
    if "No space left" in log or shutil.disk_usage(str(ROOT)).free < GIGABYTE / 10:
        return NO_SPACE
    if "Permission denied" in log:
        return NO_PERMISSION
    if any(sign in log for sign in network):
        return NO_NETWORK
    return NOT_FOUND if "No matching distribution" in log else UNKNOWN


def install(choice: str) -> None:
    """Install the course and the pinned packages into `.venv`."""
    print("Downloading and installing (what happens: .venv/course-setup.log) ...", flush=True)
    pins = ("-c", str(write_constraints(choice)))
    course = ("--no-build-isolation", "-e", ".[lab,test]")
    if choice == "cpu":
        run_installer("pip", "install", *pins, "uv", "hatchling")
        uv = ("uv", "pip", "install", "--python", str(venv_python()), "--torch-backend", "cpu")
        run_installer(*uv, *pins, *course)
        return
    source = [] if choice == "default" else ["--find-links", choice]
    if source and wheel_versions(Path(choice), "hatchling"):
        source += ["--no-index"]  # a folder with the build tool too is a complete one
    run_installer("pip", "install", *source, *pins, "hatchling")
    run_installer("pip", "install", *source, *pins, *course)


def announce(choice: str) -> None:
    """Print what will be downloaded and how long that may take."""
    print("Setting up the course in the folder .venv; this happens once.", flush=True)
    if takes_the_big_torch(choice):
        if not has_graphics_card():
            print(
                "This computer has no graphics card that torch could use: take the small way below."
            )
        print(
            "On Linux torch brings its graphics card libraries: about 3 GB to download, 6.5 GB on\n"
            "disk, 2 to 30 minutes depending on your line. The small way, for computers without\n"
            "such a card, is 0.5 GB: stop this with Ctrl-C and run  " + line("lab", torch="cpu")
        )
    elif choice in ("default", "cpu"):
        print("About 0.5 GB to download, 1 to 10 minutes depending on your line.")
    if choice not in ("default", "cpu"):
        print(f"torch comes from the folder {choice}.")
        if not wheel_versions(Path(choice), "torchvision"):
            print("It holds no torchvision: Fashion-MNIST may not work, postcards will.")
    print("You can stop with Ctrl-C; the same command then goes on where it stopped.", flush=True)


def setup(asked: str) -> None:
    """Bring `.venv` to the state that this choice of torch asks for; do nothing if it is there."""
    if not is_complete(torch_choice(asked)):
        check_python(sys.version_info)
        check_writable()
        with open(str(ROOT / "tools" / "setup_course.py"), "r+b") as file:
            lock(file)
            if not is_complete(torch_choice(asked)):  # else another set-up has just done it
                set_up(torch_choice(asked))
    print("The course is set up (.venv).", flush=True)


def is_complete(choice: str) -> bool:
    """Say whether `.venv` holds all that the course needs with this choice of torch."""
    done = ROOT / ".venv" / "course-stamp.txt"
    complete = done.is_file() and done.read_text(encoding="utf-8") == stamp(choice)
    return complete and venv_state() == "good"


def lock(file: IO[bytes]) -> None:
    """Wait until no other set-up of this course runs, nor what it started. The lock is on this very
    tool, so nothing is left behind; the system gives it back when its holders have ended."""
    os.set_inheritable(file.fileno(), True)  # a pip whose set-up was killed still holds it
    for patient in (False, True):
        try:
            if os.name == "nt":
                import msvcrt

                file.seek(10**6)  # a byte that nobody reads
                getattr(msvcrt, "locking")(file.fileno(), 1 if patient else 2, 1)  # noqa: B009
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | (0 if patient else fcntl.LOCK_NB))
            return
        except BlockingIOError:
            print("Another set-up of this course is running: waiting for it ...", flush=True)
        except OSError:
            if os.name != "nt":
                return  # a disk without locks


def set_up(choice: str) -> None:
    """Install everything that this choice of torch asks for, and write the stamp last."""
    done, memory = ROOT / ".venv" / "course-stamp.txt", ROOT / ".venv" / "course-torch.txt"
    check_disk(choice)
    announce(choice)
    make_venv()
    if done.exists():
        done.unlink()
    clear_half_installed()
    if memory.is_file() and memory.read_text(encoding="utf-8") != choice:
        run_installer("pip", "uninstall", "--yes", "torch", "torchvision")
    memory.write_text(choice, encoding="utf-8")
    install(choice)
    print("Starting it for the first time (up to a minute) ...", flush=True)
    if subprocess.call([str(venv_python()), "-c", FIRST_IMPORT], cwd=str(ROOT)):
        raise Stop(NOT_STARTED)
    shutil.rmtree(str(ROOT / ".venv" / "tmp"), ignore_errors=True)
    done.write_text(stamp(choice), encoding="utf-8")


def another_home() -> dict:
    """Return the variable of the home folder for JupyterLab if it cannot be written to, else {}.

    Without a home JupyterLab does not start, and gallery and quiz answers have no place.
    """
    home, instead = Path(os.path.expanduser("~")), ROOT / "my_lessons" / ".home"
    try:
        try_writing(home)
    except OSError:
        instead.mkdir(parents=True, exist_ok=True)
        print(f"Your home folder {home} cannot be written to, so your gallery, your answers to the")
        print(f"quiz and JupyterLab's settings are kept in {instead}.")
        return {"USERPROFILE" if os.name == "nt" else "HOME": str(instead)}
    return {}


def forwarded(port: int) -> list:
    """Return JupyterLab's options where GitHub Codespaces shows its port under another address.

    Without them JupyterLab takes its own page for a stranger's, and the address lacks the token.
    """
    name = os.environ.get("CODESPACE_NAME")
    if not name:
        return []
    domain = os.environ.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN", "app.github.dev")
    address = f"https://{name}-{port}.{domain}"
    shown = f"{address}/lab/tree/my_lessons/00_start_here.ipynb"
    return [
        f"--ServerApp.allow_origin={address}",
        f"--ServerApp.custom_display_url={shown}",
        "--ServerApp.use_redirect_file=False",
    ]


def lab(port: int) -> int:
    """Open JupyterLab on the learner's copy of the first lesson; return its exit code."""
    check_port(port)
    if subprocess.call([str(venv_python()), str(ROOT / "tools" / "my_lessons.py"), "fill"]):
        return 1
    print(f"Opening JupyterLab on port {port} (about ten seconds). To close it: Ctrl-C, then y.")
    print("No window opens? Copy the address that starts with http:// below into your browser.")
    command = [str(venv_python()), "-m", "jupyterlab"]
    command += ["--LabApp.default_url=/lab/tree/my_lessons/00_start_here.ipynb"]
    command += [f"--ServerApp.root_dir={ROOT}", f"--ServerApp.port={port}"]
    command += ["--ServerApp.port_retries=0", "--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    ours = ROOT / "diffusion_lessons" / "lab"
    command += [f"--LabApp.extra_labextensions_path={ours}"]
    command += [f"--LabApp.app_settings_dir={ours / 'settings'}"]  # without the question about news
    command += forwarded(port)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["--allow-root"]  # in containers everybody is root
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    environment.update(another_home())
    sys.stdout.flush()
    jupyter = subprocess.Popen(command, cwd=str(ROOT), env=environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is JupyterLab's own business now
    code = jupyter.wait()
    if code:
        check_port(port)  # did another program take it in the very moment?
    return code


def main() -> int:
    """Read the command line and do what it says; return the exit code."""
    parser = argparse.ArgumentParser(description="Set the course up, or set it up and open it.")
    parser.add_argument("command", choices=("setup", "lab"))
    parser.add_argument("--torch", default="", help="default, cpu, or a folder of wheels")
    parser.add_argument("--port", type=int, default=8888, help="port of JupyterLab")
    arguments = parser.parse_args()
    try:
        setup(arguments.torch)
        return lab(arguments.port) if arguments.command == "lab" else 0
    except Stop as reason:
        print(f"\n{reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
