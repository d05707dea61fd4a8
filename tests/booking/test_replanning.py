"""Planning booked sessions anew: what can stay stays, and demands say what is to become of which sessions."""

import datetime as dt
from typing import Any

import pytest

from clinic.errors import Invalid, PlaceTaken
from clinic.models import Absence
from courses.booking.bookings import book_plan
from courses.booking.disruption import record_absence
from courses.booking.lifecycle import movable_sessions, replan_course
from courses.booking.models import Course, Plan, Session
from courses.booking.proposals import propose_plan
from courses.booking.transitions import Status
from tests import factories
from tests.booking.conftest import Desk, equip
from tests.booking.test_booking import propose
from tests.booking.test_moving import booked, move, reread


def replan(desk: Desk, course: Course, **asked: Any) -> Plan:
    return replan_course(course=course, by=desk.reception, now=desk.now, **asked)


def kinds(plan: Plan) -> dict[int, str]:
    assert plan.changes is not None, plan.explanation
    return {change["session"]: change["change"] for change in plan.changes}


def local(desk: Desk, session: Session) -> dt.datetime:
    return session.time.starts_at.astimezone(desk.clinic.tz)


def therapists(plan: Plan) -> dict[int, int]:
    return {item["session"]: item["therapist"] for item in plan.items}


def test_only_the_session_of_a_day_that_is_out_moves(desk: Desk) -> None:
    first, second, third, fourth = booked(desk, sessions=4)
    out = desk.clinic.local_date(second.time.starts_at)
    plan = replan(desk, first.course, wishes={"excluded_days": [out.isoformat()]})
    assert kinds(plan) == {first.pk: "kept", second.pk: "moved", third.pk: "kept", fourth.pk: "kept"}
    [moved] = [change for change in plan.changes or [] if change["change"] == "moved"]
    assert moved["old"]["start"] == second.time.starts_at.isoformat()
    book_plan(plan=plan, by=desk.reception, now=desk.now)
    after = reread(first.course)
    assert [s.appointment_id for s in after if s.pk != second.pk] == [s.appointment_id for s in (first, third, fourth)]
    assert desk.clinic.local_date(after[1].time.starts_at) != out


def test_none_before_ten_moves_those_that_are_earlier_and_no_others(desk: Desk) -> None:
    sessions = booked(desk, sessions=3)
    late = move(desk, sessions[2], local(desk, sessions[2]).replace(hour=11, minute=0))
    plan = replan(desk, late.course, demands=[{"not_before": "10:00"}])
    assert kinds(plan)[late.pk] == "kept"
    starts = [dt.datetime.fromisoformat(item["start"]).astimezone(desk.clinic.tz) for item in plan.items]
    assert all(start.hour >= 10 for start in starts)


def test_another_therapist_for_two_of_them_leaves_the_others_as_they_are(desk: Desk) -> None:
    sessions = booked(desk, sessions=4)
    before = {s.pk: "kept" for s in sessions}
    mine = {item["session"]: item["therapist"] for item in sessions[0].plan.items}  # type: ignore[union-attr]
    [anyone] = set(mine.values())
    named = [sessions[1].pk, sessions[2].pk]
    plan = replan(desk, sessions[0].course, demands=[{"sessions": named, "excluded_therapists": [anyone]}])
    assert kinds(plan) == before | dict.fromkeys(named, "moved")  # Boris works when Anna does not
    assert {pk for pk, therapist in therapists(plan).items() if therapist != anyone} == set(named)
    days = {item["session"]: item["start"][:10] for item in plan.items}
    assert all(days[s.pk] == f"{local(desk, s).date()}" for s in sessions)


def test_a_demand_for_a_therapist_and_a_weekday_is_kept(desk: Desk) -> None:
    sessions = booked(desk, sessions=3)
    demand = {"sessions": [sessions[1].pk], "therapist": desk.boris.pk, "weekdays": [2, 4]}
    plan = replan(desk, sessions[0].course, demands=[demand])
    item = next(item for item in plan.items if item["session"] == sessions[1].pk)
    assert item["therapist"] == desk.boris.pk
    assert dt.datetime.fromisoformat(item["start"]).isoweekday() in {2, 4}


def test_what_stays_need_not_keep_what_is_asked_of_what_moves(desk: Desk) -> None:
    """Moved by hand outside the wished hours, a session is not dragged back when another one moves."""
    course = desk.course(sessions=3, window_from=dt.time(8), window_until=dt.time(12), window_strength="must")
    book_plan(plan=propose(desk, course), by=desk.reception, now=desk.now)
    first, second, third = reread(course)
    Course.objects.filter(pk=course.pk).update(window_until=dt.time(10))
    course.refresh_from_db()
    late = move(desk, third, local(desk, third).replace(hour=9, minute=0))
    Course.objects.filter(pk=course.pk).update(window_from=dt.time(9, 30), window_until=dt.time(12))
    course.refresh_from_db()
    out = local(desk, second).date().isoformat()
    plan = replan(desk, course, demands=[{"sessions": [second.pk], "excluded_days": [out]}])
    found = kinds(plan)
    assert found[late.pk] == found[first.pk] == "kept"
    moved = next(item for item in plan.items if item["session"] == second.pk)
    start = dt.datetime.fromisoformat(moved["start"]).astimezone(desk.clinic.tz)
    assert start.time() >= dt.time(9, 30)


def test_kept_and_pinned_sessions_are_not_in_the_plan(desk: Desk) -> None:
    sessions = booked(desk, sessions=4)
    Session.objects.filter(pk=sessions[0].pk).update(pinned=True)
    plan = replan(
        desk, sessions[0].course, keep=[sessions[1].pk], wishes={"window_from": "14:00", "window_strength": "must"}
    )
    assert set(kinds(plan)) == {s.pk for s in sessions[2:]}


def test_a_sick_therapists_sessions_move_and_nothing_else(desk: Desk) -> None:
    sessions = booked(desk, sessions=4)
    start = sessions[1].time.starts_at
    record_absence(
        therapist=desk.anna,
        kind=Absence.Kind.SICK,
        starts_at=start,
        ends_at=start + dt.timedelta(hours=3),
        by=None,
        now=desk.now,
    )
    plan = replan(desk, sessions[0].course)
    found = kinds(plan)
    assert [pk for pk, kind in found.items() if kind != "kept"] == [sessions[1].pk]
    book_plan(plan=plan, by=desk.reception, now=desk.now)
    assert not Session.objects.filter(course=sessions[0].course, to_replace=True).exists()


def test_an_unplaced_session_gets_a_time_beside_those_that_stay(desk: Desk) -> None:
    sessions = booked(desk, sessions=3)
    course = sessions[0].course
    extra = factories.SessionFactory(course=course, number=4)
    Course.objects.filter(pk=course.pk).update(sessions_total=4)
    plan = replan(desk, course)
    assert kinds(plan) == {s.pk: "kept" for s in sessions} | {extra.pk: "new"}


def test_from_scratch_nothing_is_said_of_changes(desk: Desk) -> None:
    sessions = booked(desk)
    assert replan(desk, sessions[0].course, least_movement=False).changes is None


def test_courses_of_a_patient_are_planned_anew_together(desk: Desk) -> None:
    laser = factories.ProcedureFactory(clinic=desk.clinic, code="LASER")
    equip(desk.clinic, laser, desk.anna, desk.boris, room_type="massage")
    other = factories.CourseFactory(
        clinic=desk.clinic,
        procedure=laser,
        patient=desk.patient,
        sessions_total=3,
        sessions=True,
        start_from=factories.MONDAY,
    )
    courses = [desk.course(), other]
    book_plan(plan=propose_plan(courses=courses, by=desk.reception, now=desk.now), by=desk.reception, now=desk.now)
    before = {s.pk: s for course in courses for s in reread(course)}
    out = min(local(desk, s).date() for s in before.values())
    plan = propose_plan(
        courses=courses,
        by=desk.reception,
        now=desk.now,
        moving=movable_sessions(courses, now=desk.now),
        least_movement=True,
        demands=[{"excluded_days": [out.isoformat()]}],
    )
    found = kinds(plan)
    assert {pk for pk, kind in found.items() if kind == "moved"} == {
        pk for pk, s in before.items() if local(desk, s).date() == out
    }
    book_plan(plan=plan, by=desk.reception, now=desk.now)
    assert Session.objects.filter(status=Status.BOOKED).count() == 6


def test_the_loser_of_a_race_is_asked_anew_with_the_same_demands(desk: Desk) -> None:
    sessions = booked(desk, sessions=2)
    out = local(desk, sessions[0]).date()
    plan = replan(desk, sessions[0].course, demands=[{"excluded_days": [out.isoformat()]}])
    moved = next(item for item in plan.items if item["session"] == sessions[0].pk)
    day, start, end = moved["start"][:10], *(_clock(desk, moved[name]) for name in ("start", "end"))
    wishes = {"start_from": day, "finish_by": day, "window_from": start, "window_until": end, "window_strength": "must"}
    wishes |= {"preferred_therapist": moved["therapist"], "therapist_strength": "must"}
    rival = desk.course(sessions=1, patient=factories.PatientFactory(consent_data=True))
    taking = propose_plan(courses=[rival], by=desk.reception, now=desk.now, wishes=wishes)
    book_plan(plan=taking, by=desk.reception, now=desk.now)
    with pytest.raises(PlaceTaken) as lost:
        book_plan(plan=plan, by=desk.reception, now=desk.now)
    fresh = Plan.objects.get(pk=lost.value.details["fresh_plan"])
    assert kinds(fresh) == {sessions[0].pk: "moved", sessions[1].pk: "kept"}
    assert all(item["start"][:10] != f"{out}" for item in fresh.items)


def _clock(desk: Desk, moment: str) -> str:
    return f"{dt.datetime.fromisoformat(moment).astimezone(desk.clinic.tz):%H:%M}"


@pytest.mark.parametrize(
    ("demand", "field"),
    [
        ({}, "not_before"),
        ({"sessions": [1]}, "not_before"),
        ({"not_before": "25:00"}, "not_before"),
        ({"not_before": "12:00", "not_after": "11:00"}, "not_after"),
        ({"not_before": "12:00", "not_after": "12:10"}, "not_after"),
        ({"weekdays": [9]}, "weekdays"),
        ({"therapist": 10**9}, "therapist"),
        ({"excluded_therapists": [10**9]}, "excluded_therapists"),
        ({"excluded_days": ["2001-01-01"]}, "excluded_days"),
        ({"mornings": True}, "mornings"),
        ({"sessions": [10**9], "not_before": "10:00"}, "sessions"),
    ],
)
def test_demands_that_say_nothing_or_nonsense_are_named(desk: Desk, demand: dict[str, Any], field: str) -> None:
    course = booked(desk)[0].course
    with pytest.raises(Invalid) as refused:
        replan(desk, course, demands=[{"not_before": "09:00"}, demand])
    assert set(refused.value.details) == {f"demands.2.{field}"}


def test_demands_that_leave_no_time_of_the_day_are_refused(desk: Desk) -> None:
    course = booked(desk)[0].course
    with pytest.raises(Invalid) as refused:
        replan(desk, course, demands=[{"not_before": "15:00"}, {"not_after": "12:00"}])
    assert set(refused.value.details) == {"demands"}
