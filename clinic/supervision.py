"""Runs the product's processes together: started in order, started again when one dies, ended together."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from clinic.embedded import ends_with_parent

# Ctrl-C ends all within three seconds: what the processes have not finished by then is in the database or the broker.
GRACE_SECONDS = 1.0
START_SECONDS = 60
RESTARTS_A_MINUTE = 5


class SupervisionError(Exception):
    """A process did not start or keeps dying; the message holds the end of its log."""


@dataclass
class Service:
    """One process: what it is called, its command, and where its output goes."""

    name: str
    command: Sequence[str]
    log: Path
    extra: Mapping[str, str] = field(default_factory=dict)  # its own part of the environment
    process: subprocess.Popen[bytes] | None = None
    restarts: deque[float] = field(default_factory=deque)

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it in a session of its own, so that the terminal's Ctrl-C reaches only the supervisor."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env={**environment, **self.extra},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=ends_with_parent(signal.SIGTERM),  # noqa: PLW1509 - no thread of ours exists
            )

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def first_line(self) -> str:
        """Wait for the first line it prints. Raises SupervisionError when it ends before, or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while not (said := self.log.read_text(errors="replace") if self.log.exists() else "").count("\n"):
            if self.has_ended() or time.monotonic() > deadline:
                raise SupervisionError(f"{self.name} did not start. The end of {self.log}:\n{self.tail()}")
            time.sleep(0.05)
        return said.splitlines()[0].strip()

    def tail(self) -> str:
        """The last lines of its log, to be shown with an error."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])


@contextlib.contextmanager
def supervised(services: Sequence[Service], environment: Mapping[str, str]) -> Iterator[None]:
    """All `services` for as long as the block runs. Call `keep_running` in the block to have the dead started again."""
    try:
        for service in services:
            service.start(environment)
        yield
    finally:
        _end(services)


def keep_running(services: Sequence[Service], environment: Mapping[str, str]) -> None:
    """Watch until a signal raises KeyboardInterrupt. Raises SupervisionError when one dies again and again."""
    while True:
        restart_ended(services, environment, now=time.monotonic())
        time.sleep(0.25)


def restart_ended(services: Sequence[Service], environment: Mapping[str, str], *, now: float) -> None:
    """Start again what has ended by `now`, a monotonic time. Raises SupervisionError at one too many."""
    for service in services:
        if not service.has_ended():
            continue
        while service.restarts and service.restarts[0] < now - 60:
            service.restarts.popleft()
        if len(service.restarts) >= RESTARTS_A_MINUTE:
            raise SupervisionError(f"{service.name} keeps ending. The end of {service.log}:\n{service.tail()}")
        service.restarts.append(now)
        service.start(environment)


def wait_for_page(url: str, service: Service) -> None:
    """Wait until `url` is answered at all. Raises SupervisionError when `service` ends before, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(URLError, ConnectionError, TimeoutError):
            try:
                with urlopen(url, timeout=5):  # noqa: S310 - our own address
                    return
            except HTTPError:
                return
        if service.has_ended() or time.monotonic() > deadline:
            raise SupervisionError(f"{service.name} did not start. The end of {service.log}:\n{service.tail()}")
        time.sleep(0.1)


def free_port(host: str, first: int) -> int:
    """`first`, or the next port after it that nobody listens on."""
    for port in range(first, first + 100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As a server would bind: a port whose last connections still linger is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                return port
    raise SupervisionError(f"None of the ports {first} to {first + 99} is free on {host}.")


def end_on_signals() -> None:
    """SIGTERM and a closed terminal end us as Ctrl-C does, so that everything is put down in order."""
    # A second Ctrl-C while everything is being put down must not leave half of it running.
    interrupted = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _end(services: Sequence[Service]) -> None:
    started = [service.process for service in reversed(services) if service.process is not None]
    for process in started:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        # The whole group, whether or not its leader has gone: a worker's children must not stay behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
