"""What happens to sessions, visits and courses, over HTTP."""

import datetime as dt
from typing import Any

import time_machine
from rest_framework.test import APIClient

from courses.models import Course, Session

Rows = list[dict[str, Any]]


def _at(row: dict[str, Any], minutes: int) -> Any:
    return time_machine.travel(dt.datetime.fromisoformat(row["starts_at"]) + dt.timedelta(minutes=minutes), tick=True)


def test_a_session_is_moved_to_a_free_start(reception: APIClient, booked: Rows) -> None:
    session = booked[0]
    free = reception.get(f"/api/v1/sessions/{session['id']}/free-starts/", {"days": 3}).json()
    target = next(start for start in free if start["starts_at"] != session["starts_at"])
    answer = reception.post(
        f"/api/v1/sessions/{session['id']}/move/", {"starts_at": target["starts_at"], "version": session["version"]}
    )
    assert answer.status_code == 200, answer.content
    assert answer.json()["starts_at"] == target["starts_at"]
    assert answer.json()["status"] == "booked"
    stale = reception.post(
        f"/api/v1/sessions/{session['id']}/move/", {"starts_at": session["starts_at"], "version": session["version"]}
    )
    assert (stale.status_code, stale.json()["code"]) == (409, "changed_meanwhile")


def test_outside_hours_is_refused_with_what_may_override_it(reception: APIClient, booked: Rows) -> None:
    late = dt.datetime.fromisoformat(booked[0]["starts_at"]).replace(hour=21, minute=0)
    address = f"/api/v1/sessions/{booked[0]['id']}/move/"
    refused = reception.post(address, {"starts_at": late.isoformat()})
    assert refused.status_code == 409
    assert refused.json()["details"]["overridable"] is True
    forced = reception.post(address, {"starts_at": late.isoformat(), "override_reason": "the only hour she has"})
    assert forced.status_code == 200, forced.content


def test_a_moment_without_offset_is_refused(reception: APIClient, booked: Rows) -> None:
    answer = reception.post(f"/api/v1/sessions/{booked[0]['id']}/move/", {"starts_at": "2031-03-03T09:00"})
    assert answer.status_code == 422
    assert "offset" in answer.json()["fields"]["starts_at"][0]


def test_a_cancelled_session_leaves_one_without_a_time(reception: APIClient, course: Course, booked: Rows) -> None:
    answer = reception.post(f"/api/v1/sessions/{booked[2]['id']}/cancel/", {"reason": "has a cold"})
    assert answer.status_code == 200
    assert answer.json()["status"] == "cancelled"
    [replacing] = Session.objects.filter(course=course, status="unplaced")
    assert replacing.replaces_id == booked[2]["id"]


def test_a_day_in_treatment(reception: APIClient, therapist: APIClient, booked: Rows) -> None:
    first = booked[0]
    address = f"/api/v1/sessions/{first['id']}"
    assert reception.post(f"{address}/confirm/").json()["status"] == "confirmed"
    with _at(first, -10):
        visit = reception.post(f"/api/v1/visits/{first['visit']}/arrive/")
        assert visit.status_code == 200, visit.content
        assert visit.json()["arrived_at"] is not None
    with _at(first, 0):
        assert reception.post(f"{address}/start/").status_code == 403
        assert therapist.post(f"{address}/start/").json()["status"] == "in_treatment"
    with _at(first, 30):
        assert therapist.post(f"{address}/complete/").json()["status"] == "completed"
        again = therapist.post(f"{address}/complete/")
        assert again.status_code == 409
        assert again.json()["detail"]


def test_other_endings(reception: APIClient, therapist: APIClient, booked: Rows) -> None:
    first, second, third = booked
    with _at(first, 1):
        reception.post(f"/api/v1/sessions/{first['id']}/arrive/")
        unsaid = therapist.post(f"/api/v1/sessions/{first['id']}/not-treated/", {})
        assert (unsaid.status_code, list(unsaid.json()["fields"])) == (422, ["reason"])
        said = therapist.post(f"/api/v1/sessions/{first['id']}/not-treated/", {"reason": "fever"})
        assert said.json()["status"] == "not_treated"
    with _at(second, 5):
        reception.post(f"/api/v1/sessions/{second['id']}/arrive/")
        therapist.post(f"/api/v1/sessions/{second['id']}/start/")
        stopped = therapist.post(f"/api/v1/sessions/{second['id']}/stop-early/", {"reason": "dizzy"})
        assert stopped.json()["status"] == "stopped_early"
    with _at(third, 40):
        assert reception.post(f"/api/v1/sessions/{third['id']}/no-show/").json()["status"] == "no_show"


def test_a_visit_is_cancelled_as_a_whole(reception: APIClient, booked: Rows) -> None:
    answer = reception.post(f"/api/v1/visits/{booked[0]['visit']}/cancel/", {"reason": "snow", "by_clinic": True})
    assert answer.status_code == 200
    assert answer.json()["live"] is False
    assert reception.get(f"/api/v1/sessions/{booked[0]['id']}/").json()["status"] == "cancelled_by_clinic"


def test_a_course_is_paused_resumed_and_planned_anew(reception: APIClient, course: Course, booked: Rows) -> None:
    address = f"/api/v1/courses/{course.pk}"
    paused = reception.post(f"{address}/pause/", {"until": None})
    assert paused.status_code == 200, paused.content
    assert paused.json()["status"] == "paused"
    assert Session.objects.filter(course=course, status="unplaced").count() == 3
    assert reception.post(f"{address}/resume/").json()["status"] == "active"
    plan = reception.post(f"{address}/replan/", {})
    assert plan.status_code == 201, plan.content
    assert len(plan.json()["items"]) == 3
    assert reception.post(f"/api/v1/plans/{plan.json()['id']}/book/").status_code == 200


def test_another_clinics_sessions_cannot_be_touched(colleague: APIClient, booked: Rows) -> None:
    for verb in ("move", "cancel", "confirm", "arrive", "no-show"):
        answer = colleague.post(f"/api/v1/sessions/{booked[0]['id']}/{verb}/", {"starts_at": booked[0]["starts_at"]})
        assert answer.status_code in (404, 422)
    assert reception_status(booked[0]["id"]) == "booked"


def reception_status(pk: int) -> str:
    return str(Session.objects.get(pk=pk).status)


def test_free_times(reception: APIClient, course: Course) -> None:
    query = {"clinic": course.clinic_id, "procedure": course.procedure_id, "first_day": "2031-03-03", "days": 2}
    answer = reception.get("/api/v1/availability/", query)
    assert answer.status_code == 200, answer.content
    [monday, tuesday] = answer.json()["results"]
    assert monday["date"] == "2031-03-03"
    assert monday["starts"] == [{"first": "08:00", "last": "19:30"}]
    assert tuesday["starts"] == monday["starts"]
    too_long = reception.get("/api/v1/availability/", query | {"days": 400})
    assert (too_long.status_code, list(too_long.json()["fields"])) == (422, ["days"])


def test_an_absence_marks_the_sessions_it_covers(reception: APIClient, booked: Rows) -> None:
    start = dt.datetime.fromisoformat(booked[0]["starts_at"])
    body = {
        "therapist": booked[0]["therapist"],
        "kind": "sick",
        "starts_at": start.isoformat(),
        "ends_at": (start + dt.timedelta(days=30)).isoformat(),
    }
    answer = reception.post("/api/v1/absences/", body)
    assert answer.status_code == 201, answer.content
    marked = reception.get("/api/v1/sessions/", {"to_replace": "true"}).json()["results"]
    assert {row["id"] for row in marked} == {row["id"] for row in booked}
