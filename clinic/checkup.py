"""`run.py check`: what can be said about the code without running its tests, each thing with its time."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from clinic.embedded import Environment

# Addresses of the shape that a real installation has, so that `check --deploy` judges those settings.
DEPLOYED = {
    "PUBLIC_URL": "https://clinic.example",
    "EMAIL_URL": "smtp+tls://mail.example:587",
    "DEBUG": "false",
    "LOG_FORMAT": "json",
}


@dataclass(frozen=True)
class Check:
    """A command and what it holds."""

    name: str
    command: list[str]


def checks(project: Path) -> list[Check]:
    """In the order of what fails fastest."""
    python = [sys.executable, "-m"]
    manage = [sys.executable, str(project / "manage.py")]
    scripts = Path(sys.executable).parent
    return [
        Check("lint", [*python, "ruff", "check", "."]),
        Check("format", [*python, "ruff", "format", "--check", "."]),
        Check("layers", [str(scripts / "lint-imports")]),
        Check("templates", [*python, "djlint", "--lint", "--quiet", "clinic", "courses", "notifications"]),
        Check("settings", [*manage, "check", "--deploy", "--fail-level", "WARNING"]),
        Check("migrations", [*manage, "makemigrations", "--check", "--dry-run"]),
        Check("API schema", [*manage, "spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null"]),
        Check("types", [*python, "mypy"]),
    ]


def run_checks(project: Path, environment: Environment) -> int:
    """Run them all, print what fails in full, and return 0 when none does."""
    failed = []
    for check in checks(project):
        started = time.monotonic()
        result = subprocess.run(
            check.command,
            cwd=project,
            env=environment | DEPLOYED,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        took = time.monotonic() - started
        print(f"{'ok    ' if result.returncode == 0 else 'FAILED'}  {check.name:<12}{took:5.1f} s", flush=True)
        if result.returncode:
            failed.append(check.name)
            print(result.stdout, flush=True)
    print(f"Failed: {', '.join(failed)}." if failed else "All is well.")
    return 1 if failed else 0
