"""`manage.py demo`: the demonstration, against a product that runs already (`run.py demo` starts one)."""

import argparse
import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import translation

from clinic.models import Clinic
from courses.demo.bookings import book_prescriptions, waiting_prescriptions
from courses.demo.client import Client, ProblemError
from courses.demo.clinics import DemoClinicExistsError, open_demo_clinic
from courses.demo.messages import DeliveryStoppedError, patients_to_call, wait_for_mails
from courses.demo.outcomes import Outcome, totals
from courses.demo.people import Staff
from courses.demo.progress import Bar
from courses.demo.tables import outcome_table, total_lines
from courses.importing.loading import GROUPS


class Command(BaseCommand):
    help = "Import the demo clinic, plan and book its prescriptions through the HTTP API, and invite the patients."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--url", "--base-url", dest="url", required=True, help="where the product answers")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write what was booked as JSON")

    def handle(self, *, url: str, json: Path | None, **_options: Any) -> None:
        started = time.monotonic()
        with translation.override("en"):
            clinic, staff, first_day = self._open()
            outcomes = self._book(clinic, staff, first_day, url)
            mails = self._deliver(clinic)
            calls = patients_to_call(clinic)
            seconds = round(time.monotonic() - started, 1)
            sums = totals(outcomes, mails=mails.sent, mails_refused=mails.refused, to_call=len(calls), seconds=seconds)
            self._show(["", *outcome_table(outcomes), "", f"To call, since no mail reaches them ({len(calls)}):"])
            self._show([*(f"  {call}" for call in calls), "", *total_lines(sums)])
            self._show(["", f"Sign in at {url} with the password {staff.password} as"])
            self._show(f"  {role.label:<12} {user.email}" for role, user in staff.users.items())
        if json is not None:
            write_outcome(json, outcomes, sums)

    def _open(self) -> tuple[Clinic, Staff, dt.date]:
        try:
            with Bar("Importing the clinic", len(GROUPS)) as bar:
                opened = open_demo_clinic(done=lambda group: bar.to(bar.done + 1, note=group))
        except DemoClinicExistsError as error:
            raise CommandError(str(error)) from error
        return opened

    def _book(self, clinic: Clinic, staff: Staff, first_day: dt.date, url: str) -> list[Outcome]:
        waiting = waiting_prescriptions(clinic)
        try:
            with Client(url, staff.token) as client, Bar("Planning and booking", len(waiting)) as bar:
                return book_prescriptions(
                    client=client,
                    clinic=clinic,
                    waiting=waiting,
                    not_before=first_day,
                    done=lambda number, outcome: bar.to(number, note=outcome.prescription),
                )
        except (ProblemError, ConnectionError) as error:
            raise CommandError(f"Booking through the API failed: {error}") from error

    def _deliver(self, clinic: Clinic) -> Any:
        try:
            with Bar("Delivering mails", 1) as bar:
                return wait_for_mails(
                    clinic, progress=lambda mails: bar.to(mails.sent, total=mails.sent + mails.waiting)
                )
        except DeliveryStoppedError as error:
            raise CommandError(str(error)) from error

    def _show(self, lines: Any) -> None:
        for line in lines:
            self.stdout.write(line)


def write_outcome(path: Path, outcomes: list[Outcome], sums: dict[str, Any]) -> None:
    """The whole outcome as one JSON document, prescriptions in order of their id."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.prescription)
    document = {"prescriptions": [outcome.as_json() for outcome in ordered], "totals": sums}
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
