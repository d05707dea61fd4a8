"""Alternatives, pins, demands and nudges over HTTP, and their description."""

import datetime as dt
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from courses.models import Course, Plan, Session
from tests.factories import MONDAY, CourseFactory

PLANS = "/api/v1/plans/"
Rows = list[dict[str, Any]]


def post(client: APIClient, address: str, body: Any, status: int = 201, **headers: str) -> dict[str, Any]:
    answer = client.post(address, body, format="json", headers=headers)
    assert answer.status_code == status, answer.content
    found: dict[str, Any] = answer.json()
    return found


def kinds(plan: dict[str, Any]) -> dict[int, str]:
    return {change["session"]: change["change"] for change in plan["changes"]}


def test_alternatives_are_compared_and_one_is_booked(reception: APIClient, course: Course) -> None:
    other = CourseFactory(
        clinic=course.clinic, procedure=course.procedure, patient=course.patient, sessions=True, sessions_total=2
    )
    answer = post(reception, f"{PLANS}alternatives/", {"courses": [course.pk, other.pk]})
    assert answer["impossible"] is None
    plans = answer["plans"]
    assert sorted(name for plan in plans for name in plan["comparison"]["profiles"]) == [
        "earliest_finish",
        "fewest_visits",
        "same_therapist",
    ]
    assert len({plan["group"] for plan in plans}) == 1
    for plan in plans:
        assert plan["sentence"].startswith("Starts ")
        others = {other["id"] for other in plans} - {plan["id"]}
        assert {gap["plan"] for gap in plan["comparison"]["against"]} == others
        seen = reception.get(f"{PLANS}{plan['id']}/").json()
        assert seen == plan
    post(reception, f"{PLANS}{plans[0]['id']}/book/", {}, 200)


def test_alternatives_where_there_is_no_plan(reception: APIClient, course: Course) -> None:
    answer = post(reception, f"{PLANS}alternatives/", {"courses": [course.pk], "wishes": {"therapist_gender": "M"}})
    assert answer["plans"] == []
    assert answer["impossible"]["status"] == "impossible"
    assert answer["impossible"]["concessions"]


def test_a_plan_is_read_aloud_in_the_readers_language(reception: APIClient, course: Course) -> None:
    plan = post(reception, PLANS, {"courses": [course.pk]}, **{"accept-language": "ru"})
    assert plan["sentence"].startswith("Начало: ")
    english = reception.get(f"{PLANS}{plan['id']}/", headers={"accept-language": "en"}).json()
    assert english["sentence"].startswith("Starts ")


def test_an_impossible_plan_says_what_fits_and_what_would_open_one(reception: APIClient, course: Course) -> None:
    wishes = {"finish_by": MONDAY.isoformat(), "start_from": MONDAY.isoformat()}
    plan = post(reception, PLANS, {"courses": [course.pk], "wishes": wishes})
    assert plan["status"] == "impossible"
    assert plan["explanation"]["partial"]["placed"] == 1
    [told] = plan["explanation"]["courses"]
    assert told["sentence"] == "The sessions do not fit between the first and the last allowed day."
    assert told["waterfall_sentence"].startswith("Open 1 day → a shift on 1 day → ")
    assert "takes" not in plan["explanation"]["partial"]["items"][0]
    assert plan["sentence"].endswith("Placed 1 of 3. Try a change below.")
    later, *_ = plan["concessions"]
    assert (later["placed"], later["asked"]) == (3, 3)
    assert later["sentence"] == "A later finish → 3 of 3, ends Wed 5 Mar 2031"
    taken = post(reception, PLANS, {"courses": [course.pk], "wishes": wishes | later["wishes"]})
    assert (taken["status"], len(taken["items"])) == ("proposed", 3)


def test_pins_and_excluded_days(reception: APIClient, course: Course, booked: Rows) -> None:
    first, second, third = booked
    out = second["starts_at"][:10]
    body = {"courses": [course.pk], "keep": [first["id"]], "wishes": {"excluded_days": [out]}}
    plan = post(reception, PLANS, body)
    assert kinds(plan) == {second["id"]: "moved", third["id"]: "kept"}
    assert plan["changes_sentence"] == "1 session moves, 1 session stays as it is."
    post(reception, f"{PLANS}{plan['id']}/book/", {}, 200)
    now_at = {
        row["id"]: row["starts_at"]
        for row in reception.get("/api/v1/sessions/", {"course": course.pk}).json()["results"]
    }
    assert now_at[first["id"]] == first["starts_at"]
    assert now_at[third["id"]] == third["starts_at"]
    assert now_at[second["id"]][:10] != out


def test_demands_of_some_sessions(reception: APIClient, course: Course, booked: Rows) -> None:
    named = [booked[0]["id"]]
    demand = {"sessions": named, "not_before": "15:00"}
    plan = post(reception, f"/api/v1/courses/{course.pk}/replan/", {"demands": [demand]})
    assert kinds(plan) == {row["id"]: "moved" if row["id"] in named else "kept" for row in booked}
    both = post(reception, PLANS, {"courses": [course.pk], "demands": [demand]})
    assert kinds(both) == kinds(plan)
    anew = post(reception, f"/api/v1/courses/{course.pk}/replan/", {"least_movement": False})
    assert anew["changes"] is None


def test_a_demand_that_nothing_keeps_is_explained(reception: APIClient, course: Course, booked: Rows) -> None:
    alone = booked[0]["therapist"]
    plan = post(reception, f"/api/v1/courses/{course.pk}/replan/", {"demands": [{"excluded_therapists": [alone]}]})
    assert plan["status"] == "impossible"
    assert plan["explanation"]["reason"] == "no_other_therapist"
    [concession] = plan["concessions"]
    assert concession["drops_demands"] is True
    assert [change["relaxation"] for change in concession["changes"]] == ["therapist"]


def test_a_proposal_is_nudged(reception: APIClient, course: Course) -> None:
    plan = post(reception, PLANS, {"courses": [course.pk]})
    session = plan["items"][1]["session"]
    later = post(reception, f"{PLANS}{plan['id']}/nudge/", {"session": session, "to": "later"})
    assert later["based_on"] == plan["id"]
    assert sorted(kinds(later).values()) == ["kept", "kept", "moved"]
    slots = reception.get(f"{PLANS}{plan['id']}/slots/", {"session": session}).json()
    assert 0 < len(slots) <= 6
    target = {"session": session, "starts_at": slots[-1]["starts_at"], "therapist": slots[-1]["therapist"]}
    there = post(reception, f"{PLANS}{plan['id']}/nudge/", target | {"keep_others": slots[-1]["keeps_others"]})
    moved = next(item for item in there["items"] if item["session"] == session)
    assert dt.datetime.fromisoformat(moved["start"]) == dt.datetime.fromisoformat(slots[-1]["starts_at"])
    night = post(
        reception, f"{PLANS}{plan['id']}/nudge/", {"session": session, "starts_at": "2031-03-04T03:00:00+01:00"}, 409
    )
    assert night["code"] == "time_not_free"
    post(reception, f"{PLANS}{there['id']}/book/", {}, 200)
    assert Session.objects.filter(course=course, status="booked").count() == 3
    assert reception.get(f"{PLANS}{there['id']}/slots/", {"session": session}).status_code == 409
    assert post(reception, f"{PLANS}{there['id']}/nudge/", {"session": session, "to": "later"}, 409)["code"] == (
        "plan_not_proposed"
    )


def test_others_see_no_plan_of_ours(
    colleague: APIClient, therapist: APIClient, reception: APIClient, course: Course
) -> None:
    plan = post(reception, PLANS, {"courses": [course.pk]})
    body = {"session": plan["items"][0]["session"], "to": "later"}
    assert colleague.post(f"{PLANS}{plan['id']}/nudge/", body).status_code == 404
    assert colleague.get(f"{PLANS}{plan['id']}/slots/", {"session": body["session"]}).status_code == 404
    assert therapist.post(f"{PLANS}{plan['id']}/nudge/", body).status_code == 403
    assert therapist.post(f"{PLANS}alternatives/", {"courses": [course.pk]}).status_code == 403
    assert Plan.objects.count() == 1


@pytest.mark.parametrize(
    ("address", "body", "fields"),
    [
        ("plans/", {"wishes": {"finish_by": "2001-01-01"}}, {"wishes.finish_by"}),
        ("plans/", {"not_before": "2001-01-01"}, {"not_before"}),
        ("plans/", {"wishes": {"gap_min": 5, "gap_max": 2}}, {"wishes.gap_max"}),
        ("plans/", {"wishes": {"preferred_therapist": 10**9}}, {"wishes.preferred_therapist"}),
        (
            "plans/",
            {"wishes": {"window_from": "10:00", "window_until": "10:10", "window_strength": "must"}},
            {"wishes.window_until"},
        ),
        (
            "plans/",
            {"not_before": "2001-01-01", "wishes": {"finish_by": "2001-01-02", "preferred_therapist": 10**9}},
            {"not_before", "wishes.finish_by", "wishes.preferred_therapist"},
        ),
        ("plans/", {"demands": [{}]}, {"demands.1.not_before"}),
        ("plans/", {"demands": [{"not_before": "26:00"}]}, {"demands.1.not_before"}),
        ("plans/", {"demands": [{"not_before": "09:00", "therapist": 10**9}]}, {"demands.1.therapist"}),
        ("plans/", {"demands": [{"not_before": "09:00", "sessions": [10**9]}]}, {"demands.1.sessions"}),
        ("plans/alternatives/", {"profiles": []}, {"profiles"}),
        ("plans/alternatives/", {"profiles": ["cheapest"]}, {"profiles.1"}),
        ("plans/alternatives/", {"profiles": ["balanced", "balanced"]}, {"profiles"}),
        ("plans/alternatives/", {"profile": "balanced"}, {"profile"}),
        ("plans/alternatives/", {"wishes": {"finish_by": "2001-01-01"}}, {"wishes.finish_by"}),
    ],
)
def test_each_wrong_field_is_named(
    reception: APIClient, course: Course, address: str, body: dict[str, Any], fields: set[str]
) -> None:
    answer = reception.post(f"/api/v1/{address}", {"courses": [course.pk], **body}, format="json")
    assert answer.status_code == 422, answer.content
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert set(answer.json()["fields"]) == fields
    assert not Plan.objects.exists()


def test_one_courses_own_wrong_wish_names_the_course(reception: APIClient, course: Course) -> None:
    wishes = {"courses": {str(course.pk): {"gap_min": 9}}}
    answer = post(reception, PLANS, {"courses": [course.pk], "wishes": wishes}, 422)
    assert set(answer["fields"]) == {f"wishes.courses.{course.pk}.gap_min"}


def test_pins_that_are_not_of_the_course_are_named(reception: APIClient, course: Course, booked: Rows) -> None:
    for address, body in ((PLANS, {"courses": [course.pk]}), (f"/api/v1/courses/{course.pk}/replan/", {})):
        answer = post(reception, address, {**body, "keep": [booked[0]["id"], 10**9]}, 422)
        assert set(answer["fields"]) == {"keep"}


def test_a_course_that_is_planned_already_is_named(reception: APIClient, course: Course, booked: Rows) -> None:
    answer = post(reception, PLANS, {"courses": [course.pk]}, 422)
    assert (answer["code"], set(answer["fields"])) == ("nothing_to_plan", {"courses"})


def test_the_description_shows_examples_of_plans() -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)

    def examples(path: str) -> set[str]:
        operation = schema["paths"][path]["post"]
        asked = operation["requestBody"]["content"]["application/json"].get("examples", {})
        told = operation["responses"]["201"]["content"]["application/json"].get("examples", {})
        return {*asked, *told}

    assert {"SeveralCourses", "Pins", "Demands", "APlan", "NoPlan"} <= examples("/api/v1/plans/")
    problem = schema["paths"]["/api/v1/plans/{id}/slots/"]["get"]["responses"]["409"]["content"]
    assert problem["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert {"ThreeProfiles", "TwoPlans"} <= examples("/api/v1/plans/alternatives/")
    assert {"Later", "ThatTime", "Nudged"} <= examples("/api/v1/plans/{id}/nudge/")
    assert {"NotThisDay", "OtherTherapistForThese", "Replanned"} <= examples("/api/v1/courses/{id}/replan/")
