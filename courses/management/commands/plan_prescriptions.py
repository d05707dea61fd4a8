"""`manage.py plan_prescriptions`: all prescriptions of a clinic that wait for times, planned together."""

import argparse
import datetime as dt
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from clinic.models import Clinic
from courses.booking.caseloads import Waiting, book_plans, keep_plans, read_caseload, waiting_programmes
from courses.demo.progress import Bar
from courses.planning.caseload import CaseloadPlan, Prescription, one_after_another, orders
from courses.planning.ejecting import plan_caseload
from courses.planning.types import Budget

Row = tuple[CaseloadPlan, float]


class Command(BaseCommand):
    help = (
        "Plan all waiting prescriptions of a clinic together, so that the fewest stay without times, and compare with "
        "booking them one after another. Proposes only, unless told to book."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--clinic", type=int, metavar="ID", help="where there is more than one")
        parser.add_argument("--not-before", type=dt.date.fromisoformat, metavar="DATE", help="the first day to book")
        parser.add_argument("--seconds", type=float, default=60.0, help="how long to improve (60)")
        parser.add_argument("--steps", type=int, help="plans to try at most, the same on every machine")
        parser.add_argument("--book", action="store_true", help="book the plans, and tell the patients")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures and who stays without times")

    def handle(self, *, clinic: int | None, not_before: dt.date | None, book: bool, **options: Any) -> None:
        now = timezone.now()
        if settings.DEMO_NOW:
            now = min(now, dt.datetime.fromisoformat(settings.DEMO_NOW))
        chosen = _clinic(clinic)
        programmes = waiting_programmes(chosen)
        if not programmes:
            self.stdout.write("No prescription waits for times.")
            return
        with Bar("Reading", len(programmes)) as bar:
            waiting = read_caseload(clinic=chosen, programmes=programmes, now=now, not_before=not_before, done=bar.to)
        rows = [_in_order(waiting, name, order) for name, order in orders(waiting.caseload).items()]
        start = min((row[0] for row in rows), key=lambda found: found.rank)
        together = _together(waiting, start, options["seconds"], options["steps"])
        rows.append(together)
        for line in _table(waiting, rows):
            self.stdout.write(line)
        booked = None
        if book:
            plans = keep_plans(waiting, together[0], by=None, now=now)
            with Bar("Booking", len(plans)) as bar:
                outcome = book_plans(plans, now=now, done=bar.to)
            booked = len(outcome.booked)
            self.stdout.write(f"Booked {booked} of {len(plans)} plans.")
            for programme, reason in outcome.refused.items():
                self.stdout.write(f"  programme {programme}: {reason}")
        if options["json"] is not None:
            document = _document(waiting, rows) | {"booked": booked}
            options["json"].write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _clinic(key: int | None) -> Clinic:
    clinics = list(Clinic.objects.filter(pk=key) if key is not None else Clinic.objects.all()[:2])
    if len(clinics) != 1:
        raise CommandError("Name the clinic with --clinic; there is none of that number, or more than one.")
    return clinics[0]


def _in_order(waiting: Waiting, name: str, order: Sequence[Prescription]) -> Row:
    began = time.monotonic()
    with Bar(name.capitalize(), len(order)) as bar:
        found = one_after_another(waiting.caseload, order, name=name, done=bar.to)
    return found, time.monotonic() - began


def _together(waiting: Waiting, start: CaseloadPlan, seconds: float, steps: int | None) -> Row:
    began = time.monotonic()
    with Bar("Together, seconds", round(seconds)) as bar:

        def progress(_steps: int, unplaced: int) -> None:
            bar.to(min(round(time.monotonic() - began), bar.total), note=f"{unplaced} unplaced")

        budget = Budget(steps=steps, seconds=seconds, clock=time.monotonic)
        found = plan_caseload(waiting.caseload, budget=budget, start=start, progress=progress)
    return found, time.monotonic() - began


def _table(waiting: Waiting, rows: list[Row]) -> list[str]:
    count = len(waiting.caseload.prescriptions)
    lines = [f"{count} prescriptions, {len(waiting.refused)} more that cannot be planned as they are", ""]
    lines.append(f"{'':<24} {'unplaced':>8} {'sessions':>8} {'cost':>8} {'seconds':>8}")
    lines += [
        f"{found.order:<24} {len(found.unplaced):>8} {found.unplaced_sessions:>8} {found.cost:>8} {seconds:>8.1f}"
        for found, seconds in rows
    ]
    left = ", ".join(str(key) for key in rows[-1][0].unplaced)
    lines += ["", f"Without times: programmes {left}." if left else "Every one has its times."]
    return lines + [f"Programme {key}: {reason}" for key, reason in waiting.refused.items()]


def _document(waiting: Waiting, rows: list[Row]) -> dict[str, Any]:
    return {
        "prescriptions": len(waiting.caseload.prescriptions),
        "orders": [
            {
                "order": found.order,
                "unplaced": len(found.unplaced),
                "unplaced_sessions": found.unplaced_sessions,
                "cost": found.cost,
                "seconds": round(seconds, 2),
            }
            for found, seconds in rows
        ],
        "without_times": list(rows[-1][0].unplaced),
        "refused": dict(waiting.refused),
    }
