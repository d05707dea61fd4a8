"""One Valkey: Celery's broker and the cache."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clinic.embedded.binaries import Binaries
from clinic.embedded.folders import Account, Environment, give_to
from clinic.embedded.processes import spawn, stop, wait_until


@contextmanager
def valkey_running(
    binaries: Binaries, state: Path, sockets: Path, account: Account, *, durable: bool
) -> Iterator[None]:
    """The server, running for as long as the block does; with `durable` it finds its keys again at the next start."""
    data = state / "valkey"
    data.mkdir(exist_ok=True)
    give_to(data, account)
    address = sockets / "valkey.sock"
    command = [str(binaries.valkey), "--port", "0", "--unixsocket", str(address)]
    command += ["--unixsocketperm", "700", "--dir", str(data), "--databases", "64", "--save", ""]
    command += ["--appendonly", "yes" if durable else "no", "--maxmemory-policy", "noeviction", "--daemonize", "no"]
    log = state / "valkey.log"
    process = spawn(command, log=log, account=account, on_orphaned=signal.SIGTERM)
    try:
        wait_until(lambda: _answers_ping(address), process, name="Valkey", log=log)
        yield
    finally:
        stop(process, signal.SIGTERM)


def _answers_ping(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(address))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def broker_environment(sockets: Path) -> Environment:
    """How the cache and Celery reach the server, each in a numbered database of its own."""
    address = sockets / "valkey.sock"
    return {
        "REDIS_URL": f"unix://{address}?db=0",
        "CELERY_BROKER_URL": f"redis+socket://{address}?virtual_host=1",
    }
