"""Lists: only one's own clinics, one page at a time, at a cost that does not grow with the rows."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from clinic.models import Clinic
from clinic.searching import refresh_search_text
from courses.booking.transitions import Status
from notifications.models import Message
from tests import factories
from tests.factories import MONDAY, at, booked_session, class_meeting


def _therapist(clinic: Clinic, number: int) -> Any:
    return factories.ShiftFactory(clinic=clinic).therapist


def _patient(clinic: Clinic, number: int) -> Any:
    patient = factories.PatientPhoneFactory().patient
    factories.ContactPersonFactory(patient=patient)
    return patient


def _absence(clinic: Clinic, number: int) -> Any:
    return factories.AbsenceFactory(therapist=_therapist(clinic, number))


def _procedure(clinic: Clinic, number: int) -> Any:
    procedure = factories.RequirementFactory(procedure__clinic=clinic).procedure
    procedure.not_same_day_with.add(factories.ProcedureFactory(clinic=clinic))
    return procedure


def _programme(clinic: Clinic, number: int) -> Any:
    programme = factories.ProgrammeFactory(clinic=clinic)
    factories.CourseFactory(clinic=clinic, patient=programme.patient, programme=programme)
    return programme


def _session(clinic: Clinic, number: int) -> Any:
    return booked_session(clinic=clinic, starts_at=at("09:00", number % 5))


def _message(clinic: Clinic, number: int) -> Any:
    return Message.objects.create(
        clinic=clinic,
        patient=factories.PatientFactory(),
        subject=f"visit {number}",
        kind=Message.Kind.INVITATION,
        recipient=f"patient:{number}",
        channel=Message.Channel.EMAIL,
        language="en",
        snapshot={"visits": []},
        created_at=factories.NOW,
        due_at=factories.NOW,
        next_attempt_at=factories.NOW,
    )


ROWS: dict[str, Callable[[Clinic, int], Any]] = {
    "therapists": _therapist,
    "rooms": lambda clinic, _n: factories.RoomFactory(clinic=clinic),
    "equipment": lambda clinic, _n: factories.EquipmentFactory(room__clinic=clinic),
    "absences": _absence,
    "patients": _patient,
    "procedures": _procedure,
    "referrals": lambda clinic, _n: factories.ProgrammeFactory(clinic=clinic).referral,
    "programmes": _programme,
    "courses": lambda clinic, _n: factories.CourseFactory(clinic=clinic),
    "sessions": _session,
    "visits": lambda clinic, n: _session(clinic, n).visit,
    "appointments": lambda clinic, n: _session(clinic, n).appointment,
    "classes": lambda clinic, _n: factories.GroupClassFactory(clinic=clinic),
    "tasks": lambda clinic, _n: factories.TaskFactory(clinic=clinic),
    "messages": _message,
    "shifts": lambda clinic, _n: factories.ShiftFactory(clinic=clinic),
    "qualifications": lambda clinic, n: factories.QualificationFactory(procedure=_procedure(clinic, n)),
    "outages": lambda clinic, _n: factories.OutageFactory(resource=factories.RoomFactory(clinic=clinic).resource),
    "closures": lambda clinic, _n: factories.ClosureFactory(clinic=clinic),
    "calendar-days": lambda clinic, n: factories.CalendarDayFactory(
        clinic=clinic, date=factories.MONDAY + dt.timedelta(days=n)
    ),
}
SHARED = {"patients"}  # a patient's card belongs to the whole organisation


def _queries(client: APIClient, noun: str) -> tuple[int, int]:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(f"/api/v1/{noun}/", {"page_size": 200})
    assert answer.status_code == 200, answer.content
    return len(captured), len(answer.json()["results"])


@pytest.mark.parametrize("noun", ROWS)
def test_thirty_rows_cost_the_queries_of_one(manager: APIClient, clinic: Clinic, noun: str) -> None:
    ROWS[noun](clinic, 0)
    for_one, rows = _queries(manager, noun)
    assert rows >= 1
    for number in range(1, 30):
        ROWS[noun](clinic, number)
    for_thirty, rows = _queries(manager, noun)
    assert rows >= 30
    assert for_thirty == for_one


@pytest.mark.parametrize("noun", sorted(ROWS.keys() - SHARED))
def test_another_clinics_rows_do_not_exist(manager: APIClient, colleague: APIClient, clinic: Clinic, noun: str) -> None:
    row = ROWS[noun](clinic, 0)
    assert manager.get(f"/api/v1/{noun}/{row.pk}/").status_code == 200
    assert colleague.get(f"/api/v1/{noun}/{row.pk}/").status_code == 404
    assert colleague.get(f"/api/v1/{noun}/").json()["results"] == []


def test_clinics_are_those_of_ones_roles(manager: APIClient, clinic: Clinic, other_clinic: Clinic) -> None:
    assert [row["id"] for row in manager.get("/api/v1/clinics/").json()["results"]] == [clinic.pk]


def test_pages_follow_one_another(reception: APIClient, clinic: Clinic) -> None:
    rooms = [factories.RoomFactory(clinic=clinic).pk for _ in range(5)]
    found: list[int] = []
    address = "/api/v1/rooms/?page_size=2"
    while address:
        page = reception.get(address).json()
        found += [row["id"] for row in page["results"]]
        address = page["next"]
    assert found == rooms


@pytest.mark.parametrize("cursor", ["x", "cD0nOyBEUk9Q", "cD0tMQ==", "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "bz0xJnA9%00"])
def test_a_forged_cursor_is_refused(reception: APIClient, clinic: Clinic, cursor: str) -> None:
    assert reception.get("/api/v1/rooms/", {"cursor": cursor}).status_code == 404


def test_a_session_shows_what_it_has(reception: APIClient, clinic: Clinic) -> None:
    device = factories.EquipmentFactory(room__clinic=clinic)
    session = booked_session(clinic=clinic, device=device)
    shown = reception.get(f"/api/v1/sessions/{session.pk}/").json()
    assert shown["starts_at"] == "2031-03-03T08:00:00Z"
    assert shown["device"] == device.pk
    assert shown["room"] == device.room_id
    assert shown["therapist"] is not None
    assert shown["patient"] == session.course.patient_id
    assert shown["group_class"] is None


def test_a_seat_shows_its_class(reception: APIClient, clinic: Clinic) -> None:
    meeting = class_meeting(factories.GroupClassFactory(clinic=clinic))
    session = booked_session(meeting=meeting)
    shown = reception.get(f"/api/v1/sessions/{session.pk}/").json()
    assert shown["group_class"] == meeting.group_class_id
    assert shown["therapist"] == meeting.group_class.instructor_id
    assert shown["seat"] == 1
    meetings = reception.get(f"/api/v1/classes/{meeting.group_class_id}/meetings/").json()["results"]
    assert [(row["date"], row["taken"], row["seats"]) for row in meetings] == [("2031-03-03", 1, 8)]


def test_a_session_without_a_time_has_nothing(reception: APIClient, clinic: Clinic) -> None:
    course = factories.CourseFactory(clinic=clinic, sessions=True)
    rows = reception.get("/api/v1/sessions/", {"course": course.pk}).json()["results"]
    assert len(rows) == 3
    assert {(row["status"], row["starts_at"], row["therapist"]) for row in rows} == {("unplaced", None, None)}


def test_filters(reception: APIClient, clinic: Clinic) -> None:
    early = booked_session(clinic=clinic)
    late = booked_session(clinic=clinic, starts_at=at("10:00", 2), status=Status.CONFIRMED)

    def found(**filters: Any) -> list[int]:
        return [row["id"] for row in reception.get("/api/v1/sessions/", filters).json()["results"]]

    assert found(date_from=MONDAY.isoformat(), date_until=MONDAY.isoformat()) == [early.pk]
    assert found(status="confirmed") == [late.pk]
    assert found(patient=early.course.patient_id) == [early.pk]
    assert found(clinic=clinic.pk) == [early.pk, late.pk]


@pytest.mark.parametrize(
    ("noun", "filters"),
    [
        ("sessions", {"status": "perhaps"}),
        ("sessions", {"date_from": "yesterday"}),
        ("sessions", {"date_from": "0000-00-00"}),
        ("sessions", {"patient": "nobody"}),
        ("sessions", {"patient": 2**70}),
        ("patients", {"q": "a\0b"}),
        ("rooms", {"room_type": "x" * 200}),
    ],
)
def test_bad_filters_are_named(reception: APIClient, noun: str, filters: dict[str, Any]) -> None:
    answer = reception.get(f"/api/v1/{noun}/", filters)
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == list(filters)


def test_patients_are_found_by_name_in_another_script(reception: APIClient, clinic: Clinic) -> None:
    patient = factories.PatientFactory(full_name="Нинель Куликова", family_name="Куликова", given_name="Нинель")
    factories.PatientFactory()
    refresh_search_text(patient)
    found = reception.get("/api/v1/patients/", {"q": "kulikova"}).json()["results"]
    assert [row["id"] for row in found] == [patient.pk]
