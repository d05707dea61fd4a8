"""`manage.py bench NAME`: one line of JSON with what was measured. `run.py bench NAME` starts what it needs."""

import argparse
import json
import time
from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from courses.benchmarks import BENCHMARKS


class Command(BaseCommand):
    help = "Measure on the reference clinic, in a database that holds nothing else, and print one line of JSON."
    # Neither models nor servers are needed to say what there is.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", choices=sorted(BENCHMARKS), metavar="NAME")
        parser.add_argument("--list", action="store_true", help="what there is to measure")
        parser.add_argument(
            "--requests", type=_positive, help="how many requests plan, availability and booking time; seeds of repair"
        )
        parser.add_argument("--attempts", type=_positive, help="contention: attempts through services")
        parser.add_argument("--http-attempts", type=_positive, help="contention: attempts over HTTP")
        parser.add_argument("--processes", type=_positive, help="contention: processes that attempt at once")

    def handle(self, *, name: str | None, list: bool, **options: Any) -> None:  # noqa: A002 - the option's name
        if list:
            width = max(map(len, BENCHMARKS))
            self.stdout.write("\n".join(f"{key:<{width}}  {what}" for key, (_, what) in BENCHMARKS.items()))
            return
        if name is None:
            raise CommandError("Name what is to be measured; `bench --list` says what there is.")
        started = time.monotonic()
        module, _what = BENCHMARKS[name]
        figures = import_module(module).measure(options)
        figures = {"bench": name, **figures, "seconds": round(time.monotonic() - started, 1)}
        self.stdout.write(json.dumps(figures))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
