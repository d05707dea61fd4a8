"""The manager's verbs over HTTP: the same services, the same refusals."""

from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from clinic.models import Clinic, Resource, Shift
from courses.importing.runs import work_through
from courses.models import Course, Procedure, Qualification, Session
from tests import factories as f

MORNINGS = {"rhythm": "weekly", "weekdays": [1, 2, 3], "start_time": "08:00", "end_time": "12:00"}


@pytest.fixture
def session(course: Course) -> Session:
    therapist = course.procedure.qualifications.get().therapist
    return f.booked_session(course, starts_at=f.at("15:00"), therapist=therapist)


def _outside(answer: Any) -> list[int]:
    assert answer.status_code == 409, answer.content
    assert answer.json()["code"] == "sessions_outside"
    return [row["id"] for row in answer.json()["details"]["sessions"]]


def test_someone_new_with_skills_and_hours(manager: APIClient, clinic: Clinic, course: Course) -> None:
    made = manager.post("/api/v1/therapists/", {"clinic": clinic.pk, "full_name": "Olga Nowak", "languages": ["pl"]})
    assert made.status_code == 201, made.content
    key = made.json()["id"]
    skill = manager.post("/api/v1/qualifications/", {"therapist": key, "procedure": course.procedure_id})
    assert skill.status_code == 201, skill.content
    hours = manager.post(
        "/api/v1/shifts/", {"therapist": key, "clinic": clinic.pk, "starts_on": "2031-03-03", **MORNINGS}
    )
    assert hours.json()["rrule"] == "FREQ=WEEKLY;BYDAY=MO,TU,WE"
    changed = manager.patch(f"/api/v1/therapists/{key}/", {"title": "masseuse", "capacity": 2})
    assert (changed.json()["title"], changed.json()["capacity"]) == ("masseuse", 2)
    assert manager.post(f"/api/v1/therapists/{key}/deactivate/").json()["is_active"] is False
    assert manager.post(f"/api/v1/therapists/{key}/activate/").json()["is_active"] is True
    assert manager.post(f"/api/v1/qualifications/{skill.json()['id']}/withdraw/").status_code == 204


def test_what_is_left_outside_is_named_and_marked_when_accepted(manager: APIClient, session: Session) -> None:
    shift = Shift.objects.get()
    address, body = f"/api/v1/shifts/{shift.pk}/change/", {**MORNINGS, "from_date": "2031-03-03"}
    assert _outside(manager.post(address, body)) == [session.pk]
    assert manager.post(address, body | {"accepted": True}).status_code == 200
    assert Session.objects.get(pk=session.pk).to_replace


def test_every_way_to_strand_asks_first(manager: APIClient, clinic: Clinic, session: Session) -> None:
    skill = Qualification.objects.get()
    therapist, room = skill.therapist_id, session.appointment.reservations.get(resource__kind="room").resource_id
    days = [{"therapist": therapist, "date": "2031-03-03", "hours": []}]
    for address, body in (
        (f"therapists/{therapist}/deactivate", {}),
        (f"qualifications/{skill.pk}/withdraw", {}),
        (f"qualifications/{skill.pk}/change", {"valid_from": None, "valid_until": "2031-03-02"}),
        (f"shifts/{Shift.objects.get().pk}/end", {"last_day": "2031-03-02"}),
        (f"clinics/{clinic.pk}/roster", {"days": days}),
        ("calendar-days", {"clinic": clinic.pk, "date": "2031-03-03", "kind": "closed"}),
    ):
        assert _outside(manager.post(f"/api/v1/{address}/", body)) == [session.pk], address
    assert _outside(manager.patch(f"/api/v1/rooms/{room}/", {"is_active": False})) == [session.pk]
    weekdays = {"opening_weekdays": [2, 3]}
    assert _outside(manager.patch(f"/api/v1/clinics/{clinic.pk}/", weekdays)) == [session.pk]
    assert not Session.objects.get(pk=session.pk).to_replace


def test_the_roster(manager: APIClient, clinic: Clinic, course: Course) -> None:
    key = course.procedure.qualifications.get().therapist_id
    hours = [{"start": "09:00", "end": "12:00"}]
    roster = f"/api/v1/clinics/{clinic.pk}/roster/"
    answer = manager.post(roster, {"days": [{"therapist": key, "date": "2031-03-04", "hours": hours}]})
    assert answer.json() == {"changed": 1}
    copy = {"what": "week", "from_day": "2031-03-04", "onto_day": "2031-03-11"}
    assert manager.post(f"{roster}copy/", copy).json() == {"changed": 1}
    assert manager.post(f"{roster}publish/", {"until": "2031-03-31"}).json()["published_until"] == "2031-03-31"
    stranger = f.ShiftFactory(clinic=f.ClinicFactory(name="Hillside")).therapist_id
    refused = manager.post(roster, {"days": [{"therapist": stranger, "date": "2031-03-04", "hours": hours}]})
    assert refused.status_code == 422


def test_places(manager: APIClient, clinic: Clinic) -> None:
    room = manager.post("/api/v1/rooms/", {"clinic": clinic.pk, "name": "Pool", "room_type": "water", "capacity": 4})
    key = room.json()["id"]
    device = manager.post("/api/v1/equipment/", {"room": key, "name": "Jet", "equipment_type": "jet"})
    assert device.status_code == 201, device.content
    assert manager.patch(f"/api/v1/rooms/{key}/", {"capacity": 2}).json()["capacity"] == 2
    assert Resource.objects.get(pk=key).capacity == 2
    outage = manager.post("/api/v1/outages/", {"resource": device.json()["id"], "starts_at": "2031-03-03T10:00Z"})
    assert outage.status_code == 201, outage.content
    assert (
        manager.post(f"/api/v1/outages/{outage.json()['id']}/end/", {"ends_at": "2031-03-03T12:00Z"}).status_code == 200
    )
    body = {"clinic": clinic.pk, "starts_at": "2031-04-01T00:00Z", "ends_at": "2031-04-02T00:00Z"}
    closure = manager.post("/api/v1/closures/", body)
    assert manager.post(f"/api/v1/closures/{closure.json()['id']}/take_back/").status_code == 204


def test_the_calendar(manager: APIClient, clinic: Clinic) -> None:
    accepted = manager.post("/api/v1/calendar-days/accept/", {"clinic": clinic.pk, "dates": ["2031-11-11"]})
    assert accepted.json() == {"changed": 1}
    (day,) = manager.get("/api/v1/calendar-days/").json()["results"]
    assert (day["date"], day["kind"]) == ("2031-11-11", "closed")
    assert manager.post(f"/api/v1/calendar-days/{day['id']}/clear/").status_code == 204


def test_the_catalogue(manager: APIClient, clinic: Clinic) -> None:
    made = manager.post("/api/v1/procedures/", {"clinic": clinic.pk, "code": "sauna", "name_en": "Sauna"})
    address = f"/api/v1/procedures/{made.json()['id']}/"
    assert made.json()["code"] == "SAUNA"
    refused = manager.post(f"{address}activate/")
    assert (refused.status_code, refused.json()["code"]) == (409, "minutes_to_be_confirmed")
    assert manager.patch(address, {"minutes": 20}).json()["minutes"] == 20
    needs = [{"role": "therapist"}, {"role": "room", "type_code": "hot"}]
    assert len(manager.post(f"{address}requirements/", {"requirements": needs}).json()["requirements"]) == 2
    assert manager.post(f"{address}variants/", {"variants": [{"area": "back", "minutes": 30}]}).status_code == 200
    other = f.ProcedureFactory(clinic=clinic)
    apart = manager.post(f"{address}not-same-day-with/", {"procedures": [other.pk]})
    assert apart.json()["not_same_day_with"] == [other.pk]
    assert manager.post(f"{address}activate/").json()["is_active"] is True
    assert manager.post(f"{address}deactivate/").json()["is_active"] is False
    assert Procedure.objects.get(code="SAUNA").variants.count() == 1


def test_accounts(manager: APIClient, clinic: Clinic) -> None:
    made = manager.post("/api/v1/users/", {"clinic": clinic.pk, "email": "new@clinic.example", "roles": ["doctor"]})
    address = f"/api/v1/users/{made.json()['id']}/"
    assert made.json()["roles"] == [{"clinic": clinic.pk, "role": "doctor"}]
    assert "/invitations/" in manager.post(f"{address}invite/").json()["link"]
    body = {"clinic": clinic.pk, "roles": ["reception"]}
    assert manager.post(f"{address}roles/", body).json()["roles"] == [{"clinic": clinic.pk, "role": "reception"}]
    assert manager.post(f"{address}switch/", {"is_active": False}).json()["is_active"] is False
    (me,) = [u for u in manager.get("/api/v1/users/").json()["results"] if u["roles"][0]["role"] == "manager"]
    last = manager.post(f"/api/v1/users/{me['id']}/roles/", body)
    assert (last.status_code, last.json()["code"]) == (409, "last_manager")


def test_an_import(manager: APIClient, clinic: Clinic) -> None:
    table = "room_id,room_type,name,capacity\nR2,massage,Room 42,2\n"
    files = [{"name": "rooms.csv", "content": table}]
    run = manager.post("/api/v1/imports/", {"clinic": clinic.pk, "files": files})
    address = f"/api/v1/imports/{run.json()['id']}/"
    work_through(now=timezone.now())
    assert manager.get(address).json()["accepted"] == {"rooms": 1}
    assert manager.post(f"{address}confirm/").json()["status"] == "queued"
    work_through(now=timezone.now())
    assert manager.get(address).json()["created"] == {"room": 1}
    assert manager.post(f"{address}discard/").status_code == 204


def test_others_may_not(reception: APIClient, colleague: APIClient, clinic: Clinic, session: Session) -> None:
    shift = Shift.objects.get()
    body = {**MORNINGS, "from_date": "2031-03-03"}
    assert reception.post(f"/api/v1/shifts/{shift.pk}/change/", body).status_code == 403
    assert colleague.post(f"/api/v1/shifts/{shift.pk}/change/", body).status_code == 403
    assert reception.get("/api/v1/users/").status_code == 403
    hillside = f.user_with_role("manager", f.ClinicFactory(name="Hillside"))
    from tests.api.conftest import signed_in

    stranger = signed_in(hillside)
    assert stranger.post(f"/api/v1/shifts/{shift.pk}/change/", body).status_code == 404
    assert stranger.patch(f"/api/v1/clinics/{clinic.pk}/", {"name": "Mine"}).status_code == 404
