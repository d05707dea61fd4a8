"""`run.py` as a person runs it: the commands, what they say, and how they end."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SERVERS = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "CELERY_BROKER_URL", "EMAIL_URL", "SECRET_KEY"}
# What the test run itself set for Django does not belong to a person's environment.
SETTINGS = {
    "PUBLIC_URL",
    "ALLOWED_HOSTS",
    "LOG_LEVEL",
    "CLINIC_TEST_SERVERS",
    "DJANGO_SETTINGS_MODULE",
    "PYTHONUNBUFFERED",
}


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """A person's environment, with a state folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="clinic-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        kept = {name: value for name, value in os.environ.items() if name not in SERVERS | SETTINGS}
        yield kept | {"CLINIC_STATE": folder}


@contextmanager
def _product(environment: dict[str, str], *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`run.py up`, once it says its address."""
    command = [sys.executable, "-m", "clinic.launch", "up", *arguments]
    with subprocess.Popen(
        command, env=environment, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            while not (found := re.search(r"Open (http://\S+)", said)):
                line = process.stdout.readline()
                assert line, f"It ended before it said where it answers:\n{said}"
                said += line
            yield process, found[1]
        finally:
            process.kill()


def _processes_of(environment: dict[str, str]) -> list[int]:
    """All running processes, whoever's, that were started for the state folder."""
    mark = os.fsencode(environment["CLINIC_STATE"])
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            gone = "State:\tZ" in (entry / "status").read_text()
        except OSError:
            continue
        if mark in told and not gone and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def _run(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clinic.launch", *arguments]
    return subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_up_serves_and_lets_others_join_and_ends_with_ctrl_c(environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        with _product(environment, "--port", str(busy)) as (process, address):
            assert int(address.rsplit(":", 1)[1]) > busy
            with urlopen(f"{address}/health/", timeout=20) as answer:  # noqa: S310
                assert answer.status == 200
            again = _run("up", environment=environment)
            assert again.returncode == 1
            assert f"run already (process {process.pid})" in again.stderr
            asked = _run("psql", "-Atc", "SELECT current_user", environment=environment)
            assert asked.stdout == "clinic_app\n", asked.stderr
            process.send_signal(signal.SIGINT)
            # Three seconds on a machine that does nothing else; the tests may share theirs.
            assert process.wait(30) == 0
    assert _processes_of(environment) == []


@pytest.mark.slow
def test_killing_up_leaves_nothing_behind(environment: dict[str, str]) -> None:
    with _product(environment) as (process, _address):
        assert len(_processes_of(environment)) > 6
        process.send_signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 30
        while left := _processes_of(environment):
            assert time.monotonic() < deadline, f"Left behind: {left}"
            time.sleep(0.1)


def test_psql_may_be_the_owner_and_starts_the_servers_it_needs(environment: dict[str, str]) -> None:
    asked = _run("psql", "--owner", "-Atc", "SELECT current_user, current_database()", environment=environment)
    assert asked.stdout == "clinic_owner|clinic\n", asked.stderr
    assert _processes_of(environment) == []


def test_a_demonstration_that_does_not_run_cannot_be_reached(environment: dict[str, str]) -> None:
    refused = _run("psql", "--demo", "-c", "SELECT 1", environment=environment)
    assert refused.returncode == 1
    assert "No demonstration is running" in refused.stderr


def test_servers_that_are_named_are_used_and_none_is_started(environment: dict[str, str]) -> None:
    named = {name: os.environ[name] for name in SERVERS if name in os.environ}
    asked = _run("psql", "-Atc", "SELECT current_user", environment=environment | named)
    assert asked.stdout == "clinic_owner\n", asked.stderr
    assert not (Path(environment["CLINIC_STATE"]) / "clinic" / "postgres").exists()


def test_an_unknown_command_is_answered_with_what_there_is() -> None:
    answer = subprocess.run(
        [sys.executable, PROJECT / "run.py", "dmeo"], capture_output=True, text=True, check=False, cwd="/"
    )
    assert answer.returncode == 2
    assert "run.py demo" in answer.stdout
