"""One PostgreSQL cluster: made, run, and given its two roles and its database."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from clinic.embedded.binaries import Binaries
from clinic.embedded.errors import EmbeddedServersError
from clinic.embedded.folders import Account, Environment, give_to, write_private
from clinic.embedded.processes import STOP_SECONDS, as_account, spawn, stop, wait_until

DATABASE = "clinic"
OWNER_ROLE = "clinic_owner"
APP_ROLE = "clinic_app"


@contextmanager
def postgres_running(
    binaries: Binaries, state: Path, sockets: Path, account: Account, password: str, *, durable: bool
) -> Iterator[None]:
    """The cluster in `state`, made when missing, running for as long as the block does."""
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
    process = spawn(command, log=log, account=account, on_orphaned=signal.SIGINT)
    try:
        wait_until(lambda: postmaster(data)[1] == "ready", process, name="PostgreSQL", log=log)
        yield
    finally:
        # SIGINT is PostgreSQL's "fast" shutdown, SIGQUIT the "immediate" one: no need to tidy up what is thrown away.
        stop(process, *([signal.SIGINT, signal.SIGQUIT] if durable else [signal.SIGQUIT]))


def _init_postgres(binaries: Binaries, state: Path, data: Path, account: Account, password: str) -> None:
    """Make the cluster beside its final place, so that one cut short is never taken for a whole one."""
    draft = state / "postgres.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    give_to(draft, account)
    secret = state / "initdb-password"
    write_private(secret, password + "\n")
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
    result = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **as_account(account))
    secret.unlink()
    if result.returncode:
        raise EmbeddedServersError(f"PostgreSQL's initdb failed:\n{result.stderr.strip() or result.stdout.strip()}")
    draft.rename(data)


def postmaster(data: Path) -> tuple[int, str]:
    """The process id and status ("starting", "ready", …) that PostgreSQL notes for itself; (0, "") where it has not."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return 0, ""
    return (int(lines[0]) if lines else 0), (lines[7].strip() if len(lines) > 7 else "")


def _end_left_over(data: Path) -> None:
    """End a server that outlived its supervisor (where the kernel does not see to it), and clear the note it left."""
    process_id, _status = postmaster(data)
    deadline = time.monotonic() + STOP_SECONDS
    # The lock is ours, so whoever still runs on this data was left behind. The file goes when the server has ended.
    while process_id and _runs_postgres(process_id, data):
        os.kill(process_id, signal.SIGQUIT)
        if time.monotonic() > deadline:
            raise EmbeddedServersError(f"A PostgreSQL left over (process {process_id}) does not end. End it.")
        time.sleep(0.1)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _runs_postgres(process_id: int, data: Path) -> bool:
    # A bare id is not proof: after a restart of the machine it may belong to another program.
    arguments = Path(f"/proc/{process_id}/cmdline")
    if arguments.parent.parent.joinpath("self").exists():
        return arguments.exists() and os.fsencode(data) in arguments.read_bytes()
    shown = subprocess.run(["ps", "-p", str(process_id), "-o", "args="], capture_output=True, text=True, check=False)
    return str(data) in shown.stdout


def ensure_roles(sockets: Path, passwords: dict[str, str], *, durable: bool) -> None:
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


def database_environment(sockets: Path, passwords: dict[str, str]) -> Environment:
    """How the application and the owner reach the database."""

    def url(role: str) -> str:
        return f"postgresql://{role}:{passwords[role]}@/{DATABASE}?host={sockets}"

    return {"DATABASE_URL": url(APP_ROLE), "DATABASE_OWNER_URL": url(OWNER_ROLE)}
