"""The state folder: whose it is, who holds it, and the secrets and sockets in it."""

import fcntl
import json
import os
import pwd
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from clinic.embedded.errors import EmbeddedServersBusyError, EmbeddedServersError

Environment = dict[str, str]

# Linux takes 107 bytes and a zero; macOS 103 and a zero.
SOCKET_PATH_BYTES = 103


@dataclass(frozen=True)
class Account:
    """Whom the servers run as: nobody under root (`switch`), else whoever runs this."""

    uid: int
    gid: int
    switch: bool

    @classmethod
    def chosen(cls) -> "Account":
        if os.geteuid() != 0:
            return cls(uid=os.geteuid(), gid=os.getegid(), switch=False)
        nobody = pwd.getpwnam("nobody")
        return cls(uid=nobody.pw_uid, gid=nobody.pw_gid, switch=True)


def default_state(project: Path, name: str) -> Path:
    """The state folder called `name` of the project that lies in `project`.

    Within CLINIC_STATE where that is set. Else in the project's own `.local/`, except under root, whose servers run as
    nobody and so rarely reach that folder.
    """
    if chosen := os.environ.get("CLINIC_STATE"):
        return Path(chosen).resolve() / name
    if os.geteuid() != 0:
        return project / ".local" / name
    key = quote(str(project.resolve()).strip("/").replace("/", "-"), safe="-")
    return Path("/var/lib/clinic-courses") / key / name


def make_state(state: Path, account: Account) -> None:
    """Make the folder such that the servers reach it. Raises EmbeddedServersError where a folder bars the way."""
    # Under root nobody must pass through (x) to what is his; without it the folder is the user's alone.
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o711 if account.switch else 0o700)
    if account.switch and (barred := first_barred(state)):
        raise EmbeddedServersError(
            f"The servers run as nobody, who may not enter {barred}. "
            f"Use a state folder elsewhere or `chmod o+x {barred}`."
        )


def first_barred(path: Path) -> Path | None:
    """The first folder on the way down to `path` that others may not pass through."""
    way = [*reversed(path.parents), path]
    return next((folder for folder in way if not folder.stat().st_mode & stat.S_IXOTH), None)


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """The folder for ourselves alone, for as long as the block runs. Raises EmbeddedServersBusyError."""
    with (state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise EmbeddedServersBusyError(
                f"The servers of {state} run already (process {holder}). Stop that one first, or choose another folder."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def role_passwords(state: Path) -> dict[str, str]:
    """The password of each database role, made at the first start."""
    path = state / "passwords.json"
    if not path.exists():
        made = {role: secrets.token_urlsafe(24) for role in ("postgres", "clinic_owner", "clinic_app")}
        write_private(path, json.dumps(made))
    passwords: dict[str, str] = json.loads(path.read_text())
    return passwords


def write_private(path: Path, text: str) -> None:
    """Write `text` so that no other user can read it at any moment, and no reader sees half of it."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.rename(path)


@contextmanager
def announced(state: Path, environment: Environment) -> Iterator[None]:
    """Tell other processes of this user where the servers are, for as long as the block runs."""
    path = state / "environment.json"
    write_private(path, json.dumps(environment))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def announcement(state: Path) -> Environment:
    """What the process that runs the servers of `state` has announced; empty where none runs."""
    path = state / "environment.json"
    return json.loads(path.read_text()) if path.exists() else {}


@contextmanager
def socket_folder(state: Path, account: Account) -> Iterator[Path]:
    """A folder for the sockets that is only ours: in `state`, or in a short place when its path will not do.

    It will not do when it is too long for a socket, or has characters that libpq and kombu unquote differently.
    """
    inside = state / "sockets"
    longest = str(inside.resolve() / ".s.PGSQL.5432.lock")
    if len(longest) <= SOCKET_PATH_BYTES and re.fullmatch(r"[A-Za-z0-9_./-]+", longest):
        inside.mkdir(exist_ok=True)
        folder = inside.resolve()
    else:
        folder = Path(tempfile.mkdtemp(prefix="clinic-", dir="/tmp"))
    give_to(folder, account)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give_to(path: Path, account: Account) -> None:
    """Make `path` the servers' own, closed to all others."""
    path.chmod(0o700)
    if account.switch:
        os.chown(path, account.uid, account.gid)
