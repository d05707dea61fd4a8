"""pytest plugin (`-p tests.servers`): the servers and the environment that the tests run against.

One throw-away PostgreSQL and Valkey per run, also with xdist, whose workers inherit the controller's environment. They
are started before Django's settings are read, which pytest-django does before any conftest. Where DATABASE_URL is set
nothing is started: the tests then run on that server, as a role that may create databases.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from clinic import embedded

_OURS = "CLINIC_TEST_SERVERS"
_servers = ExitStack()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(args: list[str]) -> Iterator[None]:
    if "DATABASE_URL" not in os.environ:
        _start()
    if _OURS in os.environ:
        args.append("--reuse-db")  # the whole cluster is thrown away: dropping its databases first is lost time
    os.environ["DJANGO_SETTINGS_MODULE"] = "clinic.settings"
    os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "0" * 40)
    os.environ["PUBLIC_URL"] = "http://testserver"
    os.environ["ALLOWED_HOSTS"] = "testserver,localhost,127.0.0.1"
    os.environ["EMAIL_URL"] = "memorymail://"
    os.environ["LOG_LEVEL"] = "WARNING"
    _separate_caches()
    try:
        yield
    except BaseException:
        _servers.close()
        raise


def pytest_unconfigure() -> None:
    _servers.close()


def _start() -> None:
    # So that a run that is told to end also takes its servers' folder away.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    # Short and reachable for nobody under root, whatever TMPDIR is; removed at the end.
    state = Path(tempfile.mkdtemp(prefix="clinic-tests-", dir="/tmp"))
    _servers.callback(shutil.rmtree, state, ignore_errors=True)
    environment = _servers.enter_context(embedded.running(state, durable=False))
    # The owner makes the test databases; the application's role is there to be attacked with.
    os.environ.update(environment | {"DATABASE_URL": environment["DATABASE_OWNER_URL"], _OURS: str(state)})


def _separate_caches() -> None:
    """Each xdist worker counts and caches in a numbered database of its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and _OURS in os.environ:
        number = 2 * (int(worker.removeprefix("gw")) + 1)
        os.environ["REDIS_URL"] = os.environ["REDIS_URL"].replace("?db=0", f"?db={number}")
        os.environ["CELERY_BROKER_URL"] = os.environ["CELERY_BROKER_URL"].replace("host=1", f"host={number + 1}")
