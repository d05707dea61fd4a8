"""Starting a server so that it ends with us, waiting for it, and ending it."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clinic.embedded.errors import EmbeddedServersError
from clinic.embedded.folders import Account

START_SECONDS = 60
STOP_SECONDS = 15
_PR_SET_PDEATHSIG = 1


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


def spawn(command: list[str], *, log: Path, account: Account, on_orphaned: signal.Signals) -> subprocess.Popen[bytes]:
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
            **as_account(account),
        )


def as_account(account: Account) -> dict[str, Any]:
    """subprocess's arguments for running as `account`."""
    if not account.switch:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def wait_until(is_ready: Callable[[], bool], process: subprocess.Popen[bytes], *, name: str, log: Path) -> None:
    """Wait for a server. Raises EmbeddedServersError with the end of its log when it ends before, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
            raise EmbeddedServersError(f"{name} did not start; the end of {log}:\n{tail}")
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes], *numbers: signal.Signals) -> None:
    """Ask in growing earnest until it has ended."""
    for number in (*numbers, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
