#!/usr/bin/env python3
"""Sets the project up and starts it. Needs nothing but Python 3.11 or later; the standard library only.

    python3 run.py demo [--exit] [--json FILE]   the whole job on a demonstration clinic, before your eyes
    python3 run.py up                            the product, on a clinic of your own
    python3 run.py test [pytest's arguments]     all tests, or those you name
    python3 run.py check                         linters, types, layers, migrations, settings, templates, API schema
    python3 run.py bench NAME                    measure (`bench --list` says what there is)
    python3 run.py screenshots                   the pictures of docs/, of the demonstration that is running
    python3 run.py manage COMMAND ...            Django's command line
    python3 run.py psql                          the database's own, as the application's role (--owner: as its owner)

`manage` and `psql` take --demo first to reach the demonstration that is running instead of your clinic.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Before the first annotation that an older Python cannot read.
if sys.version_info < (3, 11):  # noqa: UP036 - the very case that this is for
    raise SystemExit("This needs Python 3.11 or later; this one is " + sys.version.split()[0] + ".")

PROJECT = Path(__file__).resolve().parent
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
# Which locked set each command needs; each set contains the one before it.
COMMANDS = {
    "demo": "run",
    "up": "run",
    "manage": "run",
    "psql": "run",
    "bench": "run",
    "screenshots": "dev",
    "test": "dev",
    "check": "dev",
}
SETS = ("run", "dev")


def main(arguments: list[str]) -> None:
    if os.name != "posix":
        raise SystemExit("This runs on Linux and macOS. On Windows use WSL, or Docker with docker-compose.yml.")
    if not arguments or arguments[0] not in COMMANDS:
        print(__doc__)
        raise SystemExit(0 if arguments[:1] in ([], ["--help"], ["-h"], ["help"]) else 2)
    with _one_at_a_time():
        prepare(COMMANDS[arguments[0]])
    os.chdir(PROJECT)
    os.execv(PYTHON, [str(PYTHON), "-m", "clinic.launch", *arguments])  # noqa: S606


def prepare(wanted: str) -> None:
    """Make `.venv` hold the locked set `wanted`, doing nothing when it already does."""
    mark = VENV / "installed.json"
    locks = {name: _digest(PROJECT / "requirements" / f"{name}.txt") for name in SETS}
    installed = json.loads(mark.read_text()) if mark.exists() else {}
    usable = _works(PYTHON)
    if usable and installed.get(wanted) == locks[wanted]:
        return
    # What was once set up for tests stays so when its lock changes.
    chosen = "dev" if "dev" in installed or wanted == "dev" else "run"
    mark.unlink(missing_ok=True)
    lock = PROJECT / "requirements" / f"{chosen}.txt"
    if not (_install_with_uv(lock, fresh=not usable) or _install_with_pip(lock, fresh=not usable)):
        raise SystemExit("The packages could not be installed; the reason is above. Nothing was started.")
    mark.write_text(json.dumps({name: locks[name] for name in SETS[: SETS.index(chosen) + 1]}))


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two set-ups at once would install into each other's folder."""
    import fcntl  # absent on Windows, which main() has refused by now

    folder = PROJECT / ".local"
    try:
        folder.mkdir(exist_ok=True)
        file = (folder / "setup.lock").open("w")
    except PermissionError as error:
        message = f"You may not write to {error.filename}. Use a copy of the project that belongs to you."
        raise SystemExit(message) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _works(python: Path) -> bool:
    """Whether this interpreter starts and is new enough: a `.venv` breaks when the Python it came from goes away."""
    if not python.exists():
        return False
    question = "import sys; raise SystemExit(sys.version_info < (3, 11))"
    return subprocess.run([str(python), "-c", question], capture_output=True, check=False).returncode == 0


def _install_with_uv(lock: Path, *, fresh: bool) -> bool:
    uv = shutil.which("uv")
    if not uv:
        return False
    # Never another Python than the one at hand; and certificates as the machine has them, which may be a company's own.
    environment = os.environ | {"UV_PYTHON_DOWNLOADS": "never", "UV_SYSTEM_CERTS": "1", "VIRTUAL_ENV": str(VENV)}
    quietly = [] if sys.stderr.isatty() else ["--quiet"]
    commands = [[uv, "pip", "install", *quietly, "--python", str(PYTHON), "--require-hashes", "-r", str(lock)]]
    if fresh:
        commands.insert(0, [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)])
    print(f"Installing {_count(lock)} packages into .venv (once) …", file=sys.stderr)
    for command in commands:
        if subprocess.run(command, env=environment, cwd=PROJECT, check=False, stdout=sys.stderr).returncode:
            print("uv did not manage; trying pip.", file=sys.stderr)
            return False
    return True


def _install_with_pip(lock: Path, *, fresh: bool) -> bool:
    pip = [str(PYTHON), "-m", "pip"]
    if fresh or subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        pip = _make_venv()
    # The lock is complete. Without --no-deps pip before 23.3 resolves anew what a package asks for with an extra, as in
    # coverage[toml], and fails on the day that a newer version of it comes out.
    options = ["--no-deps", "--require-hashes", "--no-input", "--disable-pip-version-check"]
    command = [*pip, "install", *options, "-r", str(lock)]
    return _show_progress(command, total=_count(lock))


def _make_venv() -> list[str]:
    """Make `.venv` anew and return the pip that installs into it."""
    shutil.rmtree(VENV, ignore_errors=True)
    if _has("ensurepip"):
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        return [str(PYTHON), "-m", "pip"]
    if _has("pip") and _has("venv"):
        # Debian keeps ensurepip in a package of its own, but its pip can install into another environment.
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(VENV)], check=True)
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    raise SystemExit(
        "This Python comes without ensurepip, so no environment can be made for the packages.\n"
        f"On Debian and Ubuntu install it with: apt-get install python{version}-venv"
    )


def _has(module: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def _count(lock: Path) -> int:
    return sum("==" in line for line in lock.read_text().splitlines())


def _show_progress(command: list[str], *, total: int) -> bool:
    """Run pip with one line of progress; what it says is shown only if it fails."""
    said: list[str] = []
    collected = 0
    shown = sys.stderr.isatty()
    print(f"Installing up to {total} packages into .venv (once; half a minute to two) …", file=sys.stderr)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            said.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                collected += 1
                if shown:
                    filled = min(30, 30 * collected // total)
                    print(f"\r[{'#' * filled}{'.' * (30 - filled)}] {collected}", end="", file=sys.stderr)
    if shown:
        print("\r" + " " * 50 + "\r", end="", file=sys.stderr)
    if process.returncode:
        print("".join(said[-30:]), file=sys.stderr)
    return process.returncode == 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1:])
