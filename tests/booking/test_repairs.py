"""A repair from the absence to the new times: proposed, looked at, applied."""

import datetime as dt

import pytest

from clinic.models import Task
from courses.booking.bookings import book_plan
from courses.booking.disruption import record_absence
from courses.booking.models import Session
from courses.booking.proposals import propose_plan
from courses.booking.repair_applying import apply_repair
from courses.booking.repair_models import Repair
from courses.booking.repairs import propose_repair, run_repair
from tests import factories as f
from tests.booking.conftest import Desk


def test_an_absence_is_repaired_and_applied(desk: Desk) -> None:
    f.QualificationFactory
    plan = propose_plan(courses=[desk.course(3)], by=None, now=desk.now)
    book_plan(plan=plan, by=None, now=desk.now)
    therapist = desk.anna if plan.items[0]["therapist"] == desk.anna.pk else desk.boris
    absence = record_absence(
        therapist=therapist, kind="sick", starts_at=f.at("00:00"), ends_at=None, by=None, now=desk.now
    )
    repair = propose_repair(clinic=desk.clinic, cause=absence, by=desk.reception, now=desk.now)
    assert repair.status == Repair.Status.QUEUED
    assert run_repair(repair.pk)
    repair.refresh_from_db()
    assert repair.status == Repair.Status.PROPOSED
    assert [item["change"] for item in repair.items] == ["moved"] * 3
    apply_repair(repair=repair, by=desk.reception, now=desk.now)
    repair.refresh_from_db()
    assert repair.status == Repair.Status.APPLIED
    assert not Session.objects.filter(to_replace=True).exists()
    assert not Task.objects.filter(done_at=None).exists()
