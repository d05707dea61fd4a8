"""`manage.py write_instances DIR`: requests of the reference clinic as plain text, with the best plans known."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from courses.benchmarks.instance_sets import SESSIONS, InstanceSet, solved
from courses.demo.progress import Bar
from courses.planning.instances import write_instance


class Command(BaseCommand):
    help = "Write problems of the reference clinic as text files (docs/instances.md), so that planners can be compared."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR")
        parser.add_argument("--courses", type=int, nargs="+", choices=sorted(SESSIONS), default=sorted(SESSIONS))
        parser.add_argument("--load", type=int, nargs="+", default=[80, 90], help="per cent of the therapists' time")
        parser.add_argument("--count", type=int, default=20, help="requests of each number of courses and load")
        parser.add_argument("--days", type=int, default=56)
        parser.add_argument("--seconds", type=float, default=10.0, help="to solve each one; 0 leaves them unsolved")

    def handle(
        self, *, directory: Path, courses: list[int], load: list[int], count: int, days: int, seconds: float, **_: Any
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        sets = [InstanceSet(percent, number, count, days) for percent in load for number in courses]
        written = proven = 0
        with Bar("Instances", len(sets) * count) as bar:
            for one in sets:
                for instance in one.instances():
                    done = solved(instance, seconds=seconds) if seconds else instance
                    path = directory / f"{done.name}.txt"
                    path.write_text(write_instance(done), encoding="utf-8")
                    written += 1
                    proven += done.known is not None and done.known.proven
                    bar.to(written, note=done.name)
        self.stdout.write(f"{written} instances in {directory}, {proven} of them solved with proof.")
