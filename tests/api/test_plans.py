"""Propose, hold, book, over HTTP."""

import datetime as dt

import time_machine
from pytest_django import Settings
from rest_framework.test import APIClient

from courses.models import Course, Plan, Session
from tests.factories import MONDAY, NOW, CourseFactory


def _propose(client: APIClient, course: Course, **wishes: object) -> dict[str, object]:
    answer = client.post("/api/v1/plans/", {"courses": [course.pk], "wishes": wishes})
    assert answer.status_code == 201, answer.content
    plan: dict[str, object] = answer.json()
    return plan


def test_a_plan_is_proposed_and_booked(reception: APIClient, course: Course) -> None:
    plan = _propose(reception, course)
    assert plan["status"] == "proposed"
    assert plan["proven"] is True
    assert plan["gap"] == 0
    items = plan["items"]
    assert isinstance(items, list)
    assert len(items) == 3
    assert set(items[0]) == {"session", "course", "start", "end", "therapist", "room", "device", "meeting"}

    answer = reception.post(f"/api/v1/plans/{plan['id']}/book/")
    assert answer.status_code == 200
    assert answer.json()["status"] == "booked"
    rows = reception.get("/api/v1/sessions/", {"plan": plan["id"]}).json()["results"]
    booked = {row["id"]: dt.datetime.fromisoformat(row["starts_at"]) for row in rows}
    assert booked == {item["session"]: dt.datetime.fromisoformat(item["start"]) for item in items}
    assert {row["status"] for row in rows} == {"booked"}
    visits = reception.get("/api/v1/visits/", {"patient": course.patient_id}).json()["results"]
    assert len(visits) == 3


def test_a_plan_keeps_to_its_wishes(reception: APIClient, course: Course) -> None:
    plan = _propose(reception, course, window_from="13:00", window_until="15:00", window_strength="must")
    starts = [dt.datetime.fromisoformat(item["start"]).astimezone(course.clinic.tz) for item in plan["items"]]  # type: ignore[union-attr]
    assert all(dt.time(13) <= start.time() <= dt.time(14, 30) for start in starts)


def test_nothing_is_planned_before_the_day_asked_for(reception: APIClient, course: Course) -> None:
    plan = reception.post("/api/v1/plans/", {"courses": [course.pk], "not_before": MONDAY.isoformat()}).json()
    assert min(item["start"] for item in plan["items"]) >= MONDAY.isoformat()


def test_no_plan_says_why_and_what_would_open_one(reception: APIClient, course: Course) -> None:
    plan = _propose(reception, course, therapist_gender="M")
    assert plan["status"] == "impossible"
    assert plan["explanation"]["reason"] == "no_therapist_of_requested_gender"  # type: ignore[index]
    assert plan["sentence"]
    [concession, *_] = plan["concessions"]  # type: ignore[misc]
    assert concession["sentence"]
    opened = reception.post("/api/v1/plans/", {"courses": [course.pk], "wishes": concession["wishes"]}).json()
    assert opened["status"] == "proposed"
    refused = reception.post(f"/api/v1/plans/{plan['id']}/book/")
    assert refused.status_code == 409
    assert refused.json()["code"] == "plan_not_open"


def test_a_hold_is_kept_renewed_and_released(reception: APIClient, course: Course) -> None:
    plan = _propose(reception, course)
    held = reception.post(f"/api/v1/plans/{plan['id']}/hold/").json()
    assert held["status"] == "held"
    renewed = reception.post(f"/api/v1/plans/{plan['id']}/renew/").json()
    assert renewed["held_until"] > held["held_until"]
    released = reception.post(f"/api/v1/plans/{plan['id']}/release/").json()
    assert (released["status"], released["held_until"]) == ("proposed", None)


def test_a_held_plan_is_booked(reception: APIClient, course: Course) -> None:
    plan = _propose(reception, course)
    reception.post(f"/api/v1/plans/{plan['id']}/hold/")
    assert reception.post(f"/api/v1/plans/{plan['id']}/book/").json()["status"] == "booked"
    again = reception.post(f"/api/v1/plans/{plan['id']}/book/")
    assert again.status_code == 409


def test_the_loser_of_a_race_gets_a_fresh_plan(reception: APIClient, course: Course) -> None:
    rival = CourseFactory(clinic=course.clinic, procedure=course.procedure, sessions=True)
    first, second = _propose(reception, course), _propose(reception, rival)
    assert reception.post(f"/api/v1/plans/{first['id']}/book/").status_code == 200
    lost = reception.post(f"/api/v1/plans/{second['id']}/book/")
    assert lost.status_code == 409
    problem = lost.json()
    assert problem["code"] == "place_taken"
    assert problem["details"]["taken"]
    fresh = problem["details"]["fresh_plan"]
    assert not Session.objects.filter(course=rival).exclude(status="unplaced").exists()
    assert reception.post(f"/api/v1/plans/{fresh}/book/").status_code == 200


def test_a_demonstration_plans_as_of_its_own_moment(reception: APIClient, course: Course, settings: Settings) -> None:
    settings.DEMO_NOW = NOW.isoformat()
    with time_machine.travel(NOW + dt.timedelta(days=400), tick=True):
        plan = reception.post("/api/v1/plans/", {"courses": [course.pk], "not_before": MONDAY.isoformat()}).json()
        assert MONDAY.isoformat() <= plan["items"][0]["start"] < (MONDAY + dt.timedelta(days=5)).isoformat()
        assert reception.post(f"/api/v1/plans/{plan['id']}/book/").status_code == 200
    with time_machine.travel(NOW - dt.timedelta(days=3), tick=True):
        plan = reception.post("/api/v1/plans/", {"courses": [course.pk]}).json()
        assert plan["code"] == "nothing_to_plan"


def test_only_those_who_book_may_plan(therapist: APIClient, colleague: APIClient, course: Course) -> None:
    body = {"courses": [course.pk]}
    assert therapist.post("/api/v1/plans/", body).status_code == 403
    assert colleague.post("/api/v1/plans/", body).status_code == 404
    assert not Plan.objects.exists()


def test_bad_requests_are_named(reception: APIClient, course: Course) -> None:
    def fields(body: object) -> set[str]:
        answer = reception.post("/api/v1/plans/", body, format="json")
        assert answer.status_code == 422, answer.content
        return set(answer.json()["fields"])

    assert fields({}) == {"courses"}
    assert fields({"courses": []}) == {"courses"}
    assert fields({"courses": [course.pk], "profile": "cheapest"}) == {"profile"}
    assert fields({"courses": ["x"]}) == {"courses.1"}
    assert fields({"courses": [course.pk], "wishes": {"gap_max": 0}}) == {"wishes.gap_max"}
    assert fields({"courses": [course.pk], "wishes": {"mornings": True}}) == {"wishes.mornings"}
    assert fields({"courses": [course.pk], "not_before": "31.12.2026"}) == {"not_before"}
    assert fields({"courses": [course.pk], "programm": 1}) == {"programm"}
    assert fields([1]) == {"body"}


def test_rules_between_procedures_are_taken_and_checked(reception: APIClient, course: Course) -> None:
    limit = {"kind": "day_limit", "selector": course.procedure.code, "most": 1}
    answer = reception.post("/api/v1/plans/", {"courses": [course.pk], "rules": [limit]})
    assert answer.status_code == 201
    answer = reception.post("/api/v1/plans/", {"courses": [course.pk], "rules": [{"kind": "apart", "one": "A"}]})
    assert answer.status_code == 422
    assert answer.json()["fields"]["rules"] == ["Rule 1 cannot be read."]
    unknown = {"kind": "opens_after", "course": course.pk, "after": 10**9, "sessions": 1}
    answer = reception.post("/api/v1/plans/alternatives/", {"courses": [course.pk], "rules": [unknown]})
    assert answer.status_code == 422
    assert "rules" in answer.json()["fields"]
