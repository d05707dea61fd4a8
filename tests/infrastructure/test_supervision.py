"""The supervisor's loop: started, started again, ended together, and nothing left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic.supervision import (
    RESTARTS_A_MINUTE,
    Service,
    SupervisionError,
    free_port,
    restart_ended,
    supervised,
    wait_for_page,
)

PROJECT = Path(__file__).resolve().parents[2]


def _service(folder: Path, script: str, name: str = "thing") -> Service:
    return Service(name, ["sh", "-c", script], folder / f"{name}.log")


def _ended(service: Service) -> None:
    assert service.process is not None
    service.process.wait(20)


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(process_id: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return False


def test_what_ends_is_started_again_with_its_own_environment(tmp_path: Path) -> None:
    service = Service("thing", ["sh", "-c", 'echo "$A $B"'], tmp_path / "log", {"B": "own"})
    with supervised([service], {"A": "shared", "PATH": os.environ["PATH"]}):
        _ended(service)
        restart_ended([service], {"A": "again", "PATH": os.environ["PATH"]}, now=0.0)
        _ended(service)
    assert service.log.read_text() == "shared own\nagain own\n"


def test_what_runs_is_left_alone(tmp_path: Path) -> None:
    service = _service(tmp_path, "sleep 60")
    with supervised([service], os.environ):
        before = service.process
        restart_ended([service], os.environ, now=0.0)
        assert service.process is before


def test_what_keeps_ending_is_given_up_with_the_reason(tmp_path: Path) -> None:
    service = _service(tmp_path, "echo no such table; exit 1")
    with supervised([service], os.environ):
        for second in range(RESTARTS_A_MINUTE):
            _ended(service)
            restart_ended([service], os.environ, now=float(second))
        _ended(service)
        with pytest.raises(SupervisionError, match=r"(?s)thing keeps ending.*no such table"):
            restart_ended([service], os.environ, now=59.0)
        restart_ended([service], os.environ, now=61.0)
        assert service.process is not None


def test_all_end_soon_however_stubborn_with_their_children(tmp_path: Path) -> None:
    stubborn = _service(tmp_path, "trap '' TERM; sleep 60 & echo $!; wait; sleep 60", "stubborn")
    obliging = _service(tmp_path, "sleep 60", "obliging")
    with supervised([stubborn, obliging], os.environ):
        child = int(stubborn.first_line())
        began = time.monotonic()
    assert time.monotonic() - began < 20  # not the minute that they would take
    assert stubborn.has_ended()
    assert obliging.has_ended()
    _wait(lambda: not _runs(child))


def test_killing_the_supervisor_ends_what_it_started(tmp_path: Path) -> None:
    program = """
import os, sys, time
from pathlib import Path
from clinic.supervision import Service, supervised
service = Service("thing", ["sleep", "60"], Path(sys.argv[1]) / "log")
with supervised([service], os.environ):
    print(service.process.pid, flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        assert _runs(child)
        supervisor.send_signal(signal.SIGKILL)
        supervisor.wait()
        _wait(lambda: not _runs(child))


def test_a_busy_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < free_port("127.0.0.1", port) < port + 100


def test_a_page_that_never_comes_is_explained(tmp_path: Path) -> None:
    service = _service(tmp_path, "echo cannot import wsgi; exit 3", "web")
    port = free_port("127.0.0.1", 20000)
    with (
        supervised([service], os.environ),
        pytest.raises(SupervisionError, match=r"(?s)web did not start.*cannot import"),
    ):
        wait_for_page(f"http://127.0.0.1:{port}/health/", service)
