"""The command that plans all waiting prescriptions together, on the demonstration's sixty."""

import datetime as dt
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from clinic.models import Reservation, Resource, Shift
from courses.booking.bookings import book_as_planned
from courses.booking.caseloads import book_plans, keep_plans, read_caseload, waiting_programmes
from courses.booking.models import Course, Plan, Session
from courses.booking.proposals import propose_plan
from courses.booking.transitions import Status
from courses.demo.clinics import open_demo_clinic
from courses.planning.caseload import SharedCalendar, one_after_another
from courses.prescribing.models import Programme
from tests.booking.conftest import Desk
from tests.factories import NOW, ClinicFactory, PatientFactory, ProgrammeFactory

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("plan_prescriptions", *map(str, arguments), stdout=out, stderr=StringIO(), no_color=True)
    return out.getvalue()


@pytest.mark.slow
def test_the_sixty_of_the_demonstration(tmp_path: Path, settings: LazySettings) -> None:
    clinic, _staff, first_day = open_demo_clinic()
    settings.DEMO_NOW = dt.datetime.combine(first_day - dt.timedelta(days=1), dt.time(12), clinic.tz).isoformat()
    figures = tmp_path / "figures.json"
    printed = run("--not-before", first_day, "--steps", 60, "--seconds", 600, "--json", figures, "--book")
    assert "60 prescriptions, 0 more" in printed
    document: dict[str, Any] = json.loads(figures.read_text())
    *alone, together = document["orders"]
    assert [order["order"] for order in alone][:2] == ["as given", "earliest finish first"]
    assert together["unplaced"] == 5
    assert together["unplaced"] <= min(order["unplaced"] for order in alone)
    assert len(document["without_times"]) == 5
    assert document["booked"] == 55
    assert "Booked 55 of 55 plans." in printed

    waiting = {programme.pk for programme in waiting_programmes(clinic)}
    assert waiting == set(document["without_times"])
    booked = Course.objects.filter(programme__isnull=False).exclude(programme__in=waiting)
    assert booked
    assert not Session.objects.filter(course__in=booked, status=Status.UNPLACED).exists()


def test_it_only_proposes_unless_told_to_book(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    programme = prescribe(desk)
    printed = run("--seconds", 5)
    assert "Every one has its times." in printed
    assert [one.pk for one in waiting_programmes(desk.clinic)] == [programme.pk]
    assert not Plan.objects.exists()
    assert "Booked 1 of 1 plans." in run("--book", "--seconds", 5)
    assert Session.objects.filter(status=Status.BOOKED).count() == 3


def test_nothing_to_plan_is_said() -> None:
    ClinicFactory()
    assert "No prescription waits for times." in run()


def test_the_clinic_must_be_clear() -> None:
    with pytest.raises(CommandError, match="--clinic"):
        run()
    ClinicFactory()
    other = ClinicFactory(name="Elsewhere")
    with pytest.raises(CommandError, match="--clinic"):
        run()
    assert "No prescription waits" in run("--clinic", other.pk)


def prescribe(desk: Desk, **fields: Any) -> Programme:
    patient = fields.pop("patient", None) or PatientFactory(consent_data=True)
    programme = ProgrammeFactory(clinic=desk.clinic, patient=patient)
    desk.course(patient=patient, programme=programme, **fields)
    return programme


def read(desk: Desk) -> Any:
    return read_caseload(clinic=desk.clinic, programmes=waiting_programmes(desk.clinic), now=desk.now)


def test_a_caseload_is_the_calendar_that_each_problem_sees(desk: Desk) -> None:
    plan = propose_plan(courses=[desk.course()], by=None, now=desk.now)
    book_as_planned(plan=plan, now=desk.now)
    prescribe(desk)
    prescribe(desk, sessions=2)
    waiting = read(desk)
    calendar = SharedCalendar(waiting.caseload)
    for one in waiting.caseload.prescriptions:
        assert calendar.problem(one) == one.problem


def test_plans_are_kept_and_booked_two_of_one_patient_too(desk: Desk) -> None:
    twice = desk.patient
    programmes = [prescribe(desk, patient=twice), prescribe(desk), prescribe(desk, patient=twice)]
    waiting = read(desk)
    found = one_after_another(waiting.caseload, waiting.caseload.prescriptions, name="as given")
    assert found.unplaced == ()
    plans = keep_plans(waiting, found, by=None, now=desk.now)
    heard: list[int] = []
    outcome = book_plans(plans, now=desk.now, done=heard.append)
    assert outcome.booked == tuple(programme.pk for programme in programmes)
    assert outcome.refused == {}
    assert heard == [1, 2, 3]
    assert waiting_programmes(desk.clinic) == []
    assert Reservation.objects.filter(resource_id=twice.pk, live=True).count() == 6


def test_what_went_stale_is_told_and_stops_nothing_else(desk: Desk) -> None:
    first, second = prescribe(desk), prescribe(desk)
    waiting = read(desk)
    found = one_after_another(waiting.caseload, waiting.caseload.prescriptions, name="as given")
    plans = keep_plans(waiting, found, by=None, now=desk.now)
    # Somebody else books for the first patient meanwhile.
    Resource.objects.filter(pk=first.patient_id).update(version=99)
    outcome = book_plans(plans, now=desk.now)
    assert outcome.booked == (second.pk,)
    assert list(outcome.refused) == [first.pk]
    assert plans[first.pk].status == Plan.Status.PROPOSED


def test_who_cannot_be_planned_is_named(desk: Desk) -> None:
    silent = prescribe(desk, patient=PatientFactory(consent_data=False))
    asked = prescribe(desk, gap_min=None)
    fine = prescribe(desk)
    waiting = read(desk)
    assert set(waiting.refused) == {silent.pk, asked.pk}
    assert "consent" in waiting.refused[silent.pk]
    assert [one.key for one in waiting.caseload.prescriptions] == [fine.pk]


def test_nobody_works_and_nobody_is_placed(desk: Desk) -> None:
    prescribe(desk)
    Shift.objects.all().delete()
    waiting = read(desk)
    found = one_after_another(waiting.caseload, waiting.caseload.prescriptions, name="as given")
    assert (len(found.plans), found.unplaced_sessions) == (0, 3)
