"""The embedded servers: whom they run as, how they end, and that a folder serves one start at a time."""

import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis
from django.db import connection

from clinic import embedded
from clinic.embedded import EmbeddedServersBusyError, EmbeddedServersError
from clinic.embedded.binaries import find_binaries
from clinic.embedded.folders import Account, give_to, make_state
from clinic.embedded.postgres import postmaster
from clinic.embedded.processes import spawn, wait_until

PROJECT = Path(__file__).resolve().parents[2]
# What another process does with the servers of the folder it is told: says where they are, then waits to be ended.
HOLDER = """
import json, os, sys, time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from clinic import embedded
with embedded.running(Path(sys.argv[1]), durable=False) as environment:
    print(json.dumps(environment), flush=True)
    time.sleep(120)
"""


@dataclass(frozen=True)
class Started:
    state: Path
    environment: dict[str, str]


@pytest.fixture
def state() -> Iterator[Path]:
    folder = _short_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def started() -> Iterator[Started]:
    folder = _short_folder()
    with embedded.running(folder, durable=False) as environment:
        yield Started(folder, environment)
    shutil.rmtree(folder)


def _short_folder() -> Path:
    """Short enough for a socket, and nobody may pass through it."""
    folder = Path(tempfile.mkdtemp(prefix="clinic-", dir="/tmp"))
    folder.chmod(0o711)
    return folder


@contextmanager
def _held(state: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Another process that runs the servers of `state`, and what it says of them."""
    command = [sys.executable, "-c", HOLDER, str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as holder:
        assert holder.stdout is not None
        try:
            yield holder, json.loads(holder.stdout.readline())
        finally:
            holder.kill()
            holder.wait()
            _wait_until_ended(state)


def _runs(process_id: int) -> bool:
    try:
        # A process whose parent has not yet asked after it still has an id, but runs no more.
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return False
    return "State:\tZ" not in status


def _server_ids(state: Path) -> list[int]:
    """The ids of all processes, PostgreSQL's children included, whose arguments name the folder or whose parents do."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(state) in arguments and b"embedded.running" not in arguments:
            found.append(int(entry.name))
    return found


def _wait_until_ended(state: Path) -> None:
    deadline = time.monotonic() + 30
    while left := [number for number in _server_ids(state) if _runs(number)]:
        assert time.monotonic() < deadline, f"These outlived the process that started them: {left}"
        time.sleep(0.05)


@pytest.mark.django_db
def test_the_server_is_the_version_that_production_runs() -> None:
    assert connection.pg_version // 10000 == 18


def test_both_roles_and_both_servers_answer(started: Started) -> None:
    for name, role in [("DATABASE_URL", "clinic_app"), ("DATABASE_OWNER_URL", "clinic_owner")]:
        with psycopg.connect(started.environment[name]) as database:
            assert database.execute("SELECT current_user, current_database()").fetchone() == (role, "clinic")
    with redis.Redis.from_url(started.environment["REDIS_URL"]) as cache:
        assert cache.ping()


def test_the_application_may_neither_alter_tables_nor_create_databases(started: Started) -> None:
    with psycopg.connect(started.environment["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("CREATE TABLE visit (id int)")
        owner.execute("CREATE EXTENSION btree_gist")
    with psycopg.connect(started.environment["DATABASE_URL"], autocommit=True) as application:
        for statement in ["CREATE TABLE other (id int)", "DROP TABLE visit", "CREATE DATABASE other"]:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(statement)


def test_durable_servers_find_their_data_again_and_their_owner_creates_no_databases(state: Path) -> None:
    with embedded.running(state, durable=True) as environment:
        with psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as owner:
            owner.execute("CREATE TABLE kept AS SELECT 7 AS number")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                owner.execute("CREATE DATABASE other")
            assert owner.execute("SHOW fsync").fetchone() == ("on",)
        with redis.Redis.from_url(environment["REDIS_URL"]) as cache:
            cache.set("kept", "7")
    with embedded.running(state, durable=True) as environment:
        with psycopg.connect(environment["DATABASE_OWNER_URL"]) as owner:
            assert owner.execute("SELECT number FROM kept").fetchone() == (7,)
        with redis.Redis.from_url(environment["REDIS_URL"]) as cache:
            assert cache.get("kept") == b"7"


def test_letters_of_any_script_fold_and_count_as_letters(started: Started) -> None:
    with psycopg.connect(started.environment["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("CREATE EXTENSION pg_trgm")
        query = "SELECT lower('ИВАНОВА'), similarity('Иванова', 'Ивановна') > 0.5, show_trgm('Щ') <> '{}'"
        assert owner.execute(query).fetchone() == ("иванова", True, True)


def test_only_unix_sockets_are_listened_on_and_only_ours_may_use_them(started: Started) -> None:
    with psycopg.connect(started.environment["DATABASE_OWNER_URL"]) as owner:
        assert owner.execute("SHOW listen_addresses").fetchone() == ("",)
        folder = Path(owner.info.host)
    with redis.Redis.from_url(started.environment["REDIS_URL"]) as cache:
        assert cache.config_get("port") == {"port": "0"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ["passwords.json", "environment.json"]:
        assert stat.S_IMODE((started.state / name).stat().st_mode) == 0o600
    wrong = started.environment["DATABASE_URL"].replace("clinic_app:", "clinic_app:x")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_roots_servers_run_as_nobody_and_a_users_as_the_user(started: Started) -> None:
    owners = {Path(f"/proc/{number}").stat().st_uid for number in _server_ids(started.state)}
    assert owners == {os.geteuid() or pwd.getpwnam("nobody").pw_uid}


def test_a_second_start_is_refused_with_a_sentence_and_may_join_instead(state: Path) -> None:
    with _held(state) as (holder, environment):
        refused = embedded.running(state, durable=False)
        with pytest.raises(EmbeddedServersBusyError, match=rf"run already \(process {holder.pid}\)"):
            refused.__enter__()
        with embedded.reached(state, durable=False) as joined:
            assert joined == environment


def test_killing_the_process_that_started_them_leaves_nothing_behind(state: Path) -> None:
    with _held(state) as (holder, _environment):
        assert len(_server_ids(state)) >= 2
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        _wait_until_ended(state)
    with embedded.running(state, durable=False):
        assert len(_server_ids(state)) >= 2


def test_a_server_that_was_left_over_is_ended_by_the_next_start(state: Path) -> None:
    """As where the kernel does not end children with their parent."""
    with embedded.running(state, durable=False, broker=False):
        pass
    data, log, account = state / "postgres", state / "left.log", Account.chosen()
    sockets = state / "left"
    sockets.mkdir()
    give_to(sockets, account)
    command = [str(find_binaries(state, account).postgres / "postgres"), "-D", str(data), "-k", str(sockets), "-h", ""]
    left = spawn(command, log=log, account=account, on_orphaned=signal.SIGINT)
    wait_until(lambda: postmaster(data)[1] == "ready", left, name="PostgreSQL", log=log)
    reaper = threading.Thread(target=left.wait)
    reaper.start()
    with embedded.running(state, durable=False, broker=False) as environment:
        reaper.join(10)
        assert left.returncode is not None
        with psycopg.connect(environment["DATABASE_URL"]) as database:
            assert database.execute("SELECT 1").fetchone() == (1,)


def test_a_start_cut_short_is_made_good(state: Path) -> None:
    (state / "postgres.new").mkdir()
    (state / "postgres.new" / "PG_VERSION").write_text("18\n")
    with (
        embedded.running(state, durable=False, broker=False) as environment,
        psycopg.connect(environment["DATABASE_URL"]) as database,
    ):
        assert database.execute("SELECT 1").fetchone() == (1,)


def test_a_folder_whose_path_no_socket_may_have_gets_its_sockets_elsewhere(state: Path) -> None:
    deep = state / ("a folder " * 12).strip()
    with embedded.running(deep, durable=False) as environment:
        with psycopg.connect(environment["DATABASE_URL"]) as database:
            host = Path(database.info.host)
        assert not host.is_relative_to(state)
        with redis.Redis.from_url(environment["REDIS_URL"]) as cache:
            assert cache.ping()
    assert not host.exists()


def test_what_keeps_a_server_from_starting_is_said(state: Path) -> None:
    with embedded.running(state, durable=False, broker=False):
        pass
    (state / "postgres" / "PG_VERSION").write_text("17\n")
    with (
        pytest.raises(
            EmbeddedServersError, match=r"(?s)PostgreSQL did not start.*initialized by PostgreSQL version 17"
        ),
        embedded.running(state, durable=False, broker=False),
    ):
        pass


def test_root_is_told_which_folder_bars_the_way(state: Path) -> None:
    state.chmod(0o700)
    with pytest.raises(EmbeddedServersError, match=f"may not enter {state}"):
        make_state(state / "inner", Account(uid=65534, gid=65534, switch=True))


def test_programs_out_of_nobodys_reach_are_copied_to_where_he_reaches_them(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.chmod(0o711)
    monkeypatch.setattr("clinic.embedded.binaries._open_to_others", lambda _path: False)
    binaries = find_binaries(state, Account(uid=65534, gid=65534, switch=True))
    for program in [binaries.postgres / "postgres", binaries.postgres / "initdb", binaries.valkey]:
        assert program.is_relative_to(state)
        assert stat.S_IMODE(program.stat().st_mode) == 0o755
        assert subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0


def test_the_tests_reach_no_other_machine() -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match=r"tried to reach 192\.0\.2\.1"):
        client.connect(("192.0.2.1", 80))
