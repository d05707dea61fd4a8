"""What the commands of `run.py` do once the packages are there: servers, processes, then the command itself."""

import argparse
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from psycopg.conninfo import conninfo_to_dict

from clinic import embedded
from clinic.checkup import run_checks
from clinic.embedded import EmbeddedServersError, Environment, ends_with_parent
from clinic.supervision import (
    Service,
    SupervisionError,
    end_on_signals,
    free_port,
    keep_running,
    supervised,
    wait_for_page,
)

PROJECT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, str(PROJECT / "manage.py")]
GIVEN = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "CELERY_BROKER_URL")


def main(arguments: list[str]) -> int:
    command, *rest = arguments
    end_on_signals()
    # Whoever reads along through a pipe sees each line when it is said.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        return {
            "demo": demo,
            "up": up,
            "test": test,
            "check": check,
            "bench": bench,
            "screenshots": screenshots,
            "manage": manage,
            "psql": psql,
        }[command](rest)
    except (EmbeddedServersError, SupervisionError) as error:
        print(error, file=sys.stderr)
        return 1


# --- The environment a command runs in ------------------------------------------------------------------------------


def _state(name: str) -> Path:
    return embedded.default_state(PROJECT, name)


@contextlib.contextmanager
def _servers(state: Path, *, durable: bool, join: bool = False) -> Iterator[Environment]:
    """The environment with the servers that it names already, and embedded ones in place of those it does not.

    With `join`, servers that run already in `state` are used; else they make it busy.
    """
    database = "DATABASE_URL" not in os.environ
    broker = "REDIS_URL" not in os.environ or "CELERY_BROKER_URL" not in os.environ
    given = {name: os.environ[name] for name in GIVEN if name in os.environ}
    environment = _surroundings(state)
    if not database and not broker:
        yield environment | given
        return
    start = embedded.reached if join else embedded.running
    with start(state, durable=durable, database=database, broker=broker) as started:
        yield environment | started | given


def _surroundings(state: Path) -> Environment:
    """Our environment less what names servers, with defaults for a product that runs on one machine."""
    environment = {name: value for name, value in os.environ.items() if name not in GIVEN}
    environment["DJANGO_SETTINGS_MODULE"] = "clinic.settings"
    environment["PYTHONUNBUFFERED"] = "1"
    environment.setdefault("SECRET_KEY", _secret_key(state))
    environment.setdefault("MAIL_SINK_DIRECTORY", str(state / "mails"))
    environment.setdefault("LOG_FORMAT", "console")
    environment.setdefault("LOG_LEVEL", "WARNING")
    return environment


def _secret_key(state: Path) -> str:
    path = state / "secret-key"
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        embedded.write_private(path, secrets.token_urlsafe(50))
    return path.read_text()


def _call(command: list[str], environment: Environment) -> int:
    """Run a command in the foreground, where it has the terminal; it ends when we do."""
    end = ends_with_parent(signal.SIGTERM)
    return subprocess.run(command, env=environment, cwd=PROJECT, check=False, preexec_fn=end).returncode


def _call_with_terminal(command: list[str], environment: Environment) -> int:
    """`_call` for what reads Ctrl-C itself, as psql and a Python shell do: for us it then means nothing."""
    # A handler that does nothing, for a signal that is ignored would be ignored by the command too.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    return _call(command, environment)


def _tell(text: str) -> None:
    """Say what is going on, apart from what a command answers, which may be read by a program."""
    print(text, file=sys.stderr, flush=True)


def _migrate(environment: Environment) -> None:
    _tell("Preparing the database …")
    command = [*MANAGE, "migrate", "--verbosity", "0"]
    if _call(command, environment):
        raise SupervisionError("The database could not be brought up to date; the reason is above.")


# --- The product's processes ----------------------------------------------------------------------------------------


class Product:
    """Web, Celery's worker and beat, and a place for mails when no mail server is named; their logs in `state`/logs."""

    def __init__(self, state: Path, environment: Environment, *, host: str, port: int) -> None:
        self.state = state
        self.logs = state / "logs"
        self.port = free_port(host, port)
        self.url = f"http://{'localhost' if host == '127.0.0.1' else host}:{self.port}"
        self.environment = environment | {"PUBLIC_URL": os.environ.get("PUBLIC_URL", self.url)}
        hosts = os.environ.get("ALLOWED_HOSTS", f"localhost,127.0.0.1,{host}")
        self.environment["ALLOWED_HOSTS"] = hosts
        self.host = host
        self.services: list[Service] = []

    @contextlib.contextmanager
    def running(self, *, background: bool = True) -> Iterator[None]:
        """Started in order for as long as the block runs, the web answering; without `background`, the web alone."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            if background and "EMAIL_URL" not in self.environment:
                stack.enter_context(self._mail_sink())
            web = self._web()
            self.services.append(web)
            if background:
                self.services += [self._worker(), self._beat()]
            stack.enter_context(supervised(self.services, self.environment))
            wait_for_page(f"http://{self.host}:{self.port}/health/", web)
            yield

    def keep_running(self) -> None:
        keep_running(self.services, self.environment)

    def _web(self) -> Service:
        command = [sys.executable, "-m", "gunicorn", "clinic.wsgi", "--bind", f"{self.host}:{self.port}"]
        command += ["--workers", "2", "--threads", "4", "--graceful-timeout", "1", "--no-control-socket"]
        command += ["--log-level", "warning", "--chdir", str(PROJECT)]
        if Path("/dev/shm").is_dir():  # noqa: S108 - a heartbeat file must never wait for a disk
            command += ["--worker-tmp-dir", "/dev/shm"]  # noqa: S108
        return Service("web", command, self.logs / "web.log", {"DATABASE_POOL": "true"})

    def _worker(self) -> Service:
        command = [*self._celery(), "worker", "--concurrency", "2", "--without-gossip", "--without-mingle"]
        return Service("worker", command, self.logs / "worker.log")

    def _beat(self) -> Service:
        command = [*self._celery(), "beat", "--schedule", str(self.state / "beat-schedule"), "--pidfile="]
        return Service("beat", command, self.logs / "beat.log")

    def _celery(self) -> list[str]:
        return [sys.executable, "-m", "celery", "--workdir", str(PROJECT), "--app", "clinic", "--quiet"]

    @contextlib.contextmanager
    def _mail_sink(self) -> Iterator[None]:
        """A local SMTP server that keeps each mail as a file. The first line it prints is the port it picked."""
        folder = Path(self.environment["MAIL_SINK_DIRECTORY"])
        folder.mkdir(parents=True, exist_ok=True)
        log = self.logs / "sink.log"
        log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "notifications.sink", "--port", "0", "--directory", str(folder)]
        sink = Service("mail sink", command, log)
        with supervised([sink], self.environment | {"PYTHONPATH": str(PROJECT)}):
            self.environment["EMAIL_URL"] = f"smtp://127.0.0.1:{sink.first_line()}"
            yield


# --- The commands ---------------------------------------------------------------------------------------------------


def demo(arguments: list[str]) -> int:
    """Import, plan, book and invite on a clinic of its own, started from nothing each time."""
    parser = argparse.ArgumentParser(prog="run.py demo", description=demo.__doc__)
    parser.add_argument("--exit", action="store_true", help="end when the job is done, also on a terminal")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was booked as JSON")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    for name in GIVEN:
        # The demonstration must never write into somebody's real database, nor feed their workers.
        if os.environ.pop(name, None):
            _tell(f"The demonstration has servers of its own and leaves {name} alone.")
    os.environ.pop("EMAIL_URL", None)
    state = _state("demo")
    _empty(state)
    stays = sys.stdout.isatty() and not options.exit
    with _servers(state, durable=False) as environment:  # nothing of it is kept
        _migrate(environment)
        product = Product(state, environment | {"DEMO_NOW": _demo_now()}, host="127.0.0.1", port=options.port)
        _tell("Starting web, worker, beat and mail sink …")
        with product.running():
            command = [*MANAGE, "demo", "--url", product.url]
            if options.json:
                command += ["--json", str(options.json.resolve())]
            code = _call(command, product.environment)
            if code or not stays:
                return code
            print(f"\nOpen {product.url} — Ctrl-C ends it.")
            with contextlib.suppress(KeyboardInterrupt):
                product.keep_running()
    return 0


def _demo_now() -> str:
    """The moment the demo clinic's files were made for: an aware moment in ISO 8601."""
    settings = tomllib.loads((PROJECT / "courses" / "importing" / "demo_clinic" / "clinic.toml").read_text())
    moment = datetime.fromisoformat(settings["demo_now"])
    return moment.replace(tzinfo=ZoneInfo(settings["zone"])).isoformat()


def _empty(state: Path) -> None:
    """Forget the last demonstration. Raises EmbeddedServersBusyError while it runs."""
    if state.exists():
        with embedded.locked(state):
            for path in state.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name != "lock":
                    path.unlink()


def up(arguments: list[str]) -> int:
    """Run the product on a clinic of one's own until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="run.py up", description=up.__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for the whole network")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    state = _state("clinic")
    with contextlib.suppress(KeyboardInterrupt), _servers(state, durable=True) as environment:
        _migrate(environment)
        _call([*MANAGE, "setup_clinic", "--if-empty"], environment)
        product = Product(state, environment, host=options.host, port=options.port)
        with product.running():
            print(f"Open {product.url} — Ctrl-C ends it. Data and logs: {state}")
            if "EMAIL_URL" not in os.environ:
                print(f"Mails are kept in {state / 'mails'}; name a mail server in EMAIL_URL to have them sent.")
            product.keep_running()
    return 0


def manage(arguments: list[str]) -> int:
    """Django's command line, on the clinic's database (or the running demonstration's with --demo first)."""
    demonstration, arguments = _takes_demo(arguments)
    with _servers(_state("demo" if demonstration else "clinic"), durable=True, join=True) as environment:
        return _call_with_terminal([*MANAGE, *arguments], environment)


def psql(arguments: list[str]) -> int:
    """PostgreSQL's own client, as the application's role; as its owner with --owner."""
    demonstration, arguments = _takes_demo(arguments)
    as_owner = arguments[:1] == ["--owner"]
    with _servers(_state("demo" if demonstration else "clinic"), durable=True, join=True) as environment:
        url = environment["DATABASE_OWNER_URL" if as_owner else "DATABASE_URL"]
        # By environment, not by argument: the process list is for all to read.
        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
        where = {names[key]: str(value) for key, value in conninfo_to_dict(url).items() if key in names}
        program = shutil.which("psql") or str(embedded.pg_binary("psql"))
        return _call_with_terminal([program, *arguments[as_owner:]], environment | where)


def _takes_demo(arguments: list[str]) -> tuple[bool, list[str]]:
    if arguments[:1] != ["--demo"]:
        return False, arguments
    if not (_state("demo") / "environment.json").exists():
        raise EmbeddedServersError("No demonstration is running. Start one in another terminal: python3 run.py demo")
    return True, arguments[1:]


def bench(arguments: list[str]) -> int:
    """Measure on servers that write as durably as in production, with the web on two workers."""
    if not arguments or arguments[0].startswith("-"):
        # Nothing to measure: what there is, or how it is called.
        return _call([*MANAGE, "bench", *arguments], _surroundings(_state("bench")))
    # A measurement asks more often than any person or machine should.
    os.environ.setdefault("API_REQUESTS_PER_MINUTE", "1000000")
    state = _state("bench")
    with _servers(state, durable=True) as environment:
        _migrate(environment)
        product = Product(state, environment, host="127.0.0.1", port=8100)
        with product.running(background=False):
            return _call([*MANAGE, "bench", *arguments], product.environment)


def screenshots(arguments: list[str]) -> int:
    """Take the pictures of docs/ of the demonstration that is running."""
    _takes_demo(["--demo"])
    with _servers(_state("demo"), durable=False, join=True) as environment:
        return _call([sys.executable, "-m", "tests.browser.pictures", *arguments], environment)


def test(arguments: list[str]) -> int:
    """All tests over all processors, or pytest with the arguments given."""
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *(arguments or ["-n", "auto"])])  # noqa: S606


def check(arguments: list[str]) -> int:
    """Everything that can be said about the code without running its tests."""
    argparse.ArgumentParser(prog="run.py check", description=check.__doc__).parse_args(arguments)
    state = _state("check")
    with embedded.running(state, durable=False) as servers:
        return run_checks(PROJECT, _surroundings(state) | servers)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
