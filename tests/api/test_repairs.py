"""Disruptions and repairs over the API, as somebody at the desk goes through them."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from clinic.models import Clinic, Task
from courses.booking.repairs import run_repair
from courses.models import Course, Session
from tests import factories as f


@pytest.fixture
def sick(booked: list[dict[str, Any]], course: Course, reception: APIClient) -> dict[str, Any]:
    """The specialist of the booked course is ill until further notice; a colleague is qualified."""
    f.ShiftFactory(therapist=(vera := f.TherapistFactory()), clinic=course.clinic)
    f.QualificationFactory(therapist=vera, procedure=course.procedure)
    therapist = course.procedure.qualifications.exclude(therapist=vera).get().therapist_id
    body = {"therapist": therapist, "kind": "sick", "starts_at": "2031-02-24T00:00:00Z"}
    answer = reception.post("/api/v1/absences/", body)
    assert answer.status_code == 201, answer.content
    row: dict[str, Any] = answer.json()
    return row


@pytest.fixture
def repair(sick: dict[str, Any], course: Course, reception: APIClient) -> dict[str, Any]:
    answer = reception.post("/api/v1/repairs/", {"clinic": course.clinic_id, "absence": sick["id"]})
    assert answer.status_code == 202, answer.content
    row: dict[str, Any] = answer.json()
    assert (row["status"], row["progress"], row["items"]) == ("queued", 0, [])
    run_repair(row["id"])
    proposed: dict[str, Any] = reception.get(f"/api/v1/repairs/{row['id']}/").json()
    return proposed


def test_a_repair_is_looked_at_and_applied(repair: dict[str, Any], reception: APIClient) -> None:
    assert (repair["status"], repair["progress"]) == ("proposed", 1)
    assert repair["counts"] == {"kept": 0, "other_therapist": 3, "moved": 0, "unplaced": 0}
    assert repair["patients"] == {"by_mail": 0, "by_call": 0, "without_mail": []}
    item = repair["items"][0]
    assert set(item["to"]) == {"start", "end", "therapist", "room", "device", "meeting"}
    assert item["to"]["start"] == item["from"]["start"]
    answer = reception.post(f"/api/v1/repairs/{repair['id']}/apply/", {})
    assert answer.status_code == 200, answer.content
    assert answer.json()["status"] == "applied"
    assert not Session.objects.filter(to_replace=True).exists()
    again = reception.post(f"/api/v1/repairs/{repair['id']}/apply/", {})
    assert (again.status_code, again.json()["code"]) == (409, "repair_not_open")


def test_repeated_with_its_key_it_is_applied_once(repair: dict[str, Any], reception: APIClient) -> None:
    answers = [
        reception.post(f"/api/v1/repairs/{repair['id']}/apply/", {}, headers={"Idempotency-Key": "apply-1"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["status"] == answers[1].json()["status"] == "applied"


def test_one_session_of_it(repair: dict[str, Any], reception: APIClient) -> None:
    key = repair["items"][0]["session"]
    answer = reception.post(f"/api/v1/repairs/{repair['id']}/apply/", {"sessions": [key]})
    assert answer.json()["status"] == "partly_applied"
    assert [item["applied"] for item in answer.json()["items"]] == [True, False, False]
    wrong = reception.post(f"/api/v1/repairs/{repair['id']}/apply/", {"sessions": [key]})
    assert wrong.status_code == 422
    assert "sessions" in wrong.json()["fields"]


def test_the_one_that_starts_soon_is_to_be_called(sick: dict[str, Any], course: Course, reception: APIClient) -> None:
    f.PatientPhoneFactory(patient=course.patient, number="+48501234567")
    answer = reception.post("/api/v1/repairs/", {"clinic": course.clinic_id, "absence": sick["id"]})
    assert answer.status_code == 202
    soon = [call for call in answer.json()["call_now"] if call["patient"] == course.patient_id]
    urgent = Task.objects.filter(urgent=True, kind="to_replace").count()
    assert len(soon) == urgent
    assert all(call["phones"] == ["+48501234567"] for call in soon)


def test_stale_is_told_by_session_and_worked_out_anew(
    repair: dict[str, Any], sick: dict[str, Any], reception: APIClient
) -> None:
    key = repair["items"][0]["session"]
    session = reception.post(f"/api/v1/sessions/{key}/cancel/", {})
    assert session.status_code == 200, session.content
    answer = reception.post(f"/api/v1/repairs/{repair['id']}/apply/", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "repair_stale")
    assert key in answer.json()["details"]["taken"]
    assert reception.post(f"/api/v1/repairs/{repair['id']}/retry/").status_code == 202
    run_repair(repair["id"])
    anew = reception.get(f"/api/v1/repairs/{repair['id']}/").json()
    assert key not in [item["session"] for item in anew["items"]]
    assert reception.post(f"/api/v1/repairs/{repair['id']}/apply/", {}).json()["status"] == "applied"


def test_dropped_it_is_over(repair: dict[str, Any], reception: APIClient) -> None:
    assert reception.post(f"/api/v1/repairs/{repair['id']}/drop/").json()["status"] == "dropped"
    assert reception.post(f"/api/v1/repairs/{repair['id']}/apply/", {}).status_code == 409
    assert reception.get("/api/v1/repairs/", {"status": "dropped"}).json()["results"][0]["id"] == repair["id"]


def test_repairs_of_other_clinics_do_not_exist(
    repair: dict[str, Any], sick: dict[str, Any], colleague: APIClient, outsider: APIClient, therapist: APIClient
) -> None:
    address = f"/api/v1/repairs/{repair['id']}/"
    for stranger in (colleague, outsider):
        assert stranger.get(address).status_code == 404
        for verb in ("apply", "drop", "retry"):
            assert stranger.post(f"{address}{verb}/", {}).status_code == 404
    assert therapist.get(address).status_code == 403
    body = {"clinic": repair["clinic"], "absence": sick["id"]}
    assert colleague.post("/api/v1/repairs/", body).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "absence"),
        ({"absence": 10**9}, "absence"),
        ({"absence": 1, "outage": 1}, "absence"),
        ({"kind": "handover", "therapist": 1}, "substitute"),
        ({"therapist": 10**9, "starts_at": "2031-03-03T00:00:00Z"}, "therapist"),
        ({"kind": "exchange"}, "kind"),
    ],
)
def test_what_is_asked_wrongly_is_named(clinic: Clinic, reception: APIClient, body: dict[str, Any], field: str) -> None:
    answer = reception.post("/api/v1/repairs/", {"clinic": clinic.pk, **body})
    assert answer.status_code == 422, answer.content
    assert field in answer.json()["fields"]


def test_an_absence_is_extended_and_ended(sick: dict[str, Any], reception: APIClient) -> None:
    address = f"/api/v1/absences/{sick['id']}"
    assert reception.post(f"{address}/extend/", {"ends_at": None}).status_code == 422
    ended = reception.post(f"{address}/end/", {"ends_at": "2031-02-24T01:00:00Z"})
    assert (ended.status_code, ended.json()["ends_at"]) == (200, "2031-02-24T01:00:00Z")
    assert not Session.objects.filter(to_replace=True).exists()
    extended = reception.post(f"{address}/extend/", {"ends_at": None})
    assert (extended.status_code, extended.json()["ends_at"]) == (200, None)
    assert Session.objects.filter(to_replace=True).count() == 3


def test_rooms_clinics_and_qualifications_fall_out(
    booked: list[dict[str, Any]], course: Course, reception: APIClient, colleague: APIClient
) -> None:
    room = course.clinic.rooms.get().pk
    outage = reception.post("/api/v1/outages/", {"resource": room, "starts_at": "2031-02-24T00:00:00Z"})
    assert outage.status_code == 201, outage.content
    assert Session.objects.filter(to_replace=True).count() == 3
    address = f"/api/v1/outages/{outage.json()['id']}/"
    assert colleague.get(address).status_code == 404
    assert reception.post(f"{address}end/", {"ends_at": "2031-02-24T01:00:00Z"}).status_code == 200
    assert not Session.objects.filter(to_replace=True).exists()
    closure = {
        "clinic": course.clinic_id,
        "starts_at": "2031-02-24T00:00:00Z",
        "ends_at": "2031-04-30T00:00:00Z",
        "reason": "water works",
    }
    assert colleague.post("/api/v1/closures/", closure).status_code == 404
    assert reception.post("/api/v1/closures/", closure).status_code == 201
    assert Session.objects.filter(to_replace=True).count() == 3


def test_only_a_manager_withdraws_a_qualification(
    booked: list[dict[str, Any]], course: Course, reception: APIClient, manager: APIClient
) -> None:
    key = course.procedure.qualifications.get().pk
    address = f"/api/v1/qualifications/{key}/restrict/"
    body = {"valid_until": "2031-02-01"}
    assert reception.post(address, body).status_code == 403
    assert manager.post(address, body).json()["valid_until"] == "2031-02-01"
    assert Session.objects.filter(to_replace=True).count() == 3


def test_the_description_shows_what_to_ask_and_what_is_answered(reception: APIClient) -> None:
    document = json.loads(reception.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"}).content)
    post = document["paths"]["/api/v1/repairs/"]["post"]
    assert len(post["requestBody"]["content"]["application/json"]["examples"]) == 4
    assert post["responses"]["202"]["content"]["application/json"]["examples"]
