"""What once went wrong, or would: courses paused or unsigned, holds that ran out, two tabs, late finishes."""

import datetime as dt

import pytest

from clinic.errors import Conflict, Invalid, PlaceTaken, RuleBroken
from clinic.models import Absence, Reservation, Task
from courses.booking.attendance import (
    arrive_session,
    complete_session,
    confirm_session,
    mark_no_show,
    mark_not_treated,
)
from courses.booking.bookings import book_plan
from courses.booking.cancelling import cancel_session
from courses.booking.disruption import record_absence
from courses.booking.holds import hold_plan, release_hold
from courses.booking.lifecycle import pause_course, pin_session, replan_course, resume_course
from courses.booking.models import Course, Plan, Session, Visit
from courses.booking.moves import free_starts
from courses.booking.proposals import propose_plan
from courses.booking.transitions import Status
from notifications.models import Message
from tests import factories
from tests.booking.conftest import Desk, equip
from tests.booking.test_booking import propose
from tests.booking.test_course_life import numbers
from tests.booking.test_moving import booked, move, reread
from tests.factories import at

# --- Courses --------------------------------------------------------------------------------------------------------


def test_a_draft_that_needs_no_referral_becomes_active_when_booked(desk: Desk) -> None:
    course = desk.course(sessions=3, status=Course.Status.DRAFT)
    book_plan(plan=propose(desk, course), by=desk.reception, now=desk.now)
    course.refresh_from_db()
    assert course.status == Course.Status.ACTIVE


def test_a_first_time_given_by_hand_needs_the_signature_and_the_consent_too(desk: Desk) -> None:
    desk.massage.requires_referral = True
    desk.massage.save()
    course = desk.course(sessions=1, status=Course.Status.DRAFT)
    with pytest.raises(Conflict) as refused:
        move(desk, reread(course)[0], at("10:00", day=1))
    assert refused.value.code == "referral_missing"
    other = desk.course(sessions=1, patient=factories.PatientFactory(consent_data=False))
    with pytest.raises(Invalid):
        move(desk, reread(other)[0], at("10:00", day=1))
    assert not Reservation.objects.exists()


@pytest.mark.parametrize("verb", ["no_show", "not_treated", "cancel"])
def test_what_ends_on_the_day_of_a_pause_is_still_owed(desk: Desk, verb: str) -> None:
    first, *_rest = booked(desk)
    now = first.time.starts_at + dt.timedelta(minutes=5)
    course = pause_course(course=first.course, until=None, by=desk.reception, now=now)
    match verb:
        case "no_show":
            mark_no_show(session=first, by=desk.reception, now=now)
        case "not_treated":
            arrive_session(session=first, by=desk.reception, now=now)
            mark_not_treated(session=first, reason="fever", by=desk.reception, now=now)
        case "cancel":
            cancel_session(session=first, by=desk.reception, now=now)
    assert numbers(course) == [1, 2, 3]


def test_a_paused_course_gets_no_plan_and_no_hold(desk: Desk) -> None:
    course = desk.course()
    plan = propose(desk, course)
    paused = pause_course(course=course, until=None, by=desk.reception, now=desk.now)
    with pytest.raises(Conflict) as refused:
        hold_plan(plan=plan, by=desk.reception, now=desk.now)
    assert refused.value.code == "course_not_active"
    with pytest.raises(Conflict):
        propose(desk, paused)
    hold_plan(
        plan=propose(desk, resume_course(course=paused, by=desk.reception, now=desk.now)),
        by=desk.reception,
        now=desk.now,
    )


def test_a_paused_course_is_left_out_of_what_is_planned_with_it(desk: Desk) -> None:
    paused = pause_course(course=desk.course(), until=None, by=desk.reception, now=desk.now)
    other = desk.course(sessions=2)
    plan = propose_plan(courses=[paused, other], by=desk.reception, now=desk.now)
    assert {item["course"] for item in plan.items} == {other.pk}
    assert list(plan.courses.all()) == [other]


def test_a_pinned_session_stays_where_it_is_when_the_rest_is_planned_anew(desk: Desk) -> None:
    first, *rest = booked(desk)
    pin_session(session=first, pinned=True, by=desk.reception, now=desk.now)
    plan = replan_course(course=first.course, by=desk.reception, now=desk.now)
    assert {item["session"] for item in plan.items} == {session.pk for session in rest}
    pin_session(session=first, pinned=False, by=desk.reception, now=desk.now)
    plan = replan_course(course=first.course, by=desk.reception, now=desk.now)
    assert first.pk in {item["session"] for item in plan.items}
    cancel_session(session=first, by=desk.reception, now=desk.now)
    with pytest.raises(Conflict):
        pin_session(session=first, pinned=True, by=desk.reception, now=desk.now)


# --- Holds and two tabs ---------------------------------------------------------------------------------------------


def test_a_course_whose_hold_ran_out_is_planned_again_at_once(desk: Desk) -> None:
    course = desk.course(sessions=2)
    hold_plan(plan=propose(desk, course), by=desk.reception, now=desk.now)
    later = desk.now + dt.timedelta(minutes=11)
    again = propose_plan(courses=[course], by=desk.reception, now=later)
    assert len(again.items) == 2
    book_plan(plan=again, by=desk.reception, now=later)


def test_a_hold_that_was_let_go_can_be_booked_after_all(desk: Desk) -> None:
    plan = hold_plan(plan=propose(desk, desk.course(sessions=2)), by=desk.reception, now=desk.now)
    release_hold(plan=plan, by=desk.reception, now=desk.now)
    book_plan(plan=Plan.objects.get(pk=plan.pk), by=desk.reception, now=desk.now)
    assert plan.sessions.filter(status=Status.BOOKED).count() == 2


def test_times_that_have_begun_are_neither_held_nor_booked(desk: Desk) -> None:
    plan = propose(desk, desk.course(sessions=2))
    late = dt.datetime.fromisoformat(plan.items[0]["start"]) + dt.timedelta(minutes=1)
    with pytest.raises(PlaceTaken):
        hold_plan(plan=plan, by=desk.reception, now=late)
    plan = propose(desk, plan.courses.get())
    early = late - dt.timedelta(minutes=5)
    hold_plan(plan=plan, by=desk.reception, now=early)
    with pytest.raises(PlaceTaken) as lost:
        book_plan(plan=plan, by=desk.reception, now=late)
    assert lost.value.details["fresh_plan"] is not None


def test_two_plans_of_one_patient_do_not_break_each_others_rules(desk: Desk) -> None:
    laser = factories.ProcedureFactory(clinic=desk.clinic, code="LASER")
    equip(desk.clinic, laser, desk.anna, desk.boris, room_type="massage")
    laser.not_same_day_with.add(desk.massage)
    first = propose(desk, desk.course(sessions=1))
    other = factories.CourseFactory(
        clinic=desk.clinic,
        procedure=laser,
        patient=desk.patient,
        sessions_total=1,
        sessions=True,
        start_from=factories.MONDAY,
    )
    second = propose(desk, other)
    book_plan(plan=first, by=desk.reception, now=desk.now)
    with pytest.raises(PlaceTaken) as stale:
        book_plan(plan=second, by=desk.reception, now=desk.now)
    assert stale.value.code == "plan_stale"
    fresh = Plan.objects.get(pk=stale.value.details["fresh_plan"])
    book_plan(plan=fresh, by=desk.reception, now=desk.now)
    dates = {desk.clinic.local_date(s.time.starts_at) for s in Session.objects.filter(status=Status.BOOKED)}
    assert len(dates) == 2


def test_a_session_moved_meanwhile_is_not_moved_back_by_an_older_plan(desk: Desk) -> None:
    first, *_ = booked(desk)
    plan = replan_course(course=first.course, by=desk.reception, now=desk.now)
    moved = move(desk, first, first.time.starts_at + dt.timedelta(hours=1))
    with pytest.raises(PlaceTaken):
        book_plan(plan=plan, by=desk.reception, now=desk.now)
    assert Session.objects.get(pk=first.pk).appointment_id == moved.appointment_id


def test_what_a_new_plan_leaves_where_it_is_stays_confirmed(desk: Desk) -> None:
    first, second, third = booked(desk)
    confirm_session(session=first, by=desk.reception, now=desk.now)
    plan = replan_course(course=first.course, by=desk.reception, now=desk.now)
    assert [item["start"] for item in plan.items] == [
        s.time.starts_at.astimezone(dt.UTC).isoformat() for s in (first, second, third)
    ]
    book_plan(plan=plan, by=desk.reception, now=desk.now)
    assert [(s.status, s.appointment_id) for s in reread(first.course)] == [
        (Status.CONFIRMED, first.appointment_id),
        (Status.BOOKED, second.appointment_id),
        (Status.BOOKED, third.appointment_id),
    ]


def test_a_held_time_is_let_go_not_cancelled(desk: Desk) -> None:
    plan = hold_plan(plan=propose(desk, desk.course(sessions=1)), by=desk.reception, now=desk.now)
    with pytest.raises(Conflict) as refused:
        cancel_session(session=plan.sessions.get(), by=desk.reception, now=desk.now)
    assert refused.value.code == "session_held"


def test_a_no_show_is_judged_by_the_time_the_session_has_now(desk: Desk) -> None:
    first, *_ = booked(desk, sessions=1)
    stale = Session.objects.select_related("course__clinic", "appointment").get(pk=first.pk)
    now = first.time.starts_at
    move(desk, first, now + dt.timedelta(days=1))
    with pytest.raises(Conflict) as refused:
        mark_no_show(session=stale, by=desk.reception, now=now)
    assert refused.value.code == "too_early"


# --- On the day -----------------------------------------------------------------------------------------------------


def test_whoever_has_arrived_is_not_reminded(desk: Desk) -> None:
    first, *_ = booked(desk, sessions=1)
    reminders = Message.objects.filter(kind=Message.Kind.REMINDER, status=Message.Status.PENDING)
    assert reminders.exists()
    confirm_session(session=first, by=desk.reception, now=desk.now)
    arrive_session(session=first, by=desk.reception, now=desk.now)
    assert not reminders.exists()
    assert Visit.objects.get(pk=first.visit_id).arrived_at == desk.now


def test_a_visit_booked_for_later_on_the_day_of_a_no_show_begins_then(desk: Desk) -> None:
    first, *_ = booked(desk, sessions=1)
    now = first.time.ends_at
    mark_no_show(session=first, by=desk.reception, now=now)
    successor = Session.objects.select_related("course__clinic", "appointment").get(replaces=first)
    later = first.time.starts_at + dt.timedelta(hours=8)
    plan = propose_plan(
        courses=[first.course],
        by=desk.reception,
        now=now,
        wishes={
            "window_from": "16:00",
            "window_until": "17:00",
            "window_strength": "must",
            "finish_by": f"{factories.MONDAY}",
        },
    )
    book_plan(plan=plan, by=desk.reception, now=now)
    successor.refresh_from_db()
    assert successor.visit.starts_at == successor.time.starts_at
    assert successor.time.starts_at >= later


def test_tasks_to_replace_are_settled_with_the_session(desk: Desk) -> None:
    sessions = booked(desk)
    for session in sessions:
        session.refresh_from_db()
    first = sessions[0].time.starts_at
    therapist = desk.anna if sessions[0].time.reservations.filter(resource=desk.anna.pk).exists() else desk.boris
    record_absence(
        therapist=therapist,
        kind=Absence.Kind.SICK,
        starts_at=first - dt.timedelta(hours=1),
        ends_at=None,
        by=desk.reception,
        now=desk.now,
    )
    waiting = Task.objects.filter(kind=Task.Kind.TO_REPLACE, done_at=None)
    open_before = waiting.count()
    assert open_before == 3
    cancel_session(session=sessions[0], by=desk.reception, now=desk.now)
    start = free_starts(session=sessions[1], first_day=factories.MONDAY, days=5, now=desk.now)[0]
    move(desk, sessions[1], start.starts_at)
    complete_session(session=sessions[2], by=desk.reception, now=sessions[2].time.ends_at)
    assert not waiting.exists()
    assert not Session.objects.filter(to_replace=True).exists()


# --- Moves ----------------------------------------------------------------------------------------------------------


def test_a_session_can_be_moved_after_the_courses_finish_has_passed(desk: Desk) -> None:
    *_, last = booked(desk)
    Course.objects.filter(pk=last.course_id).update(finish_by=desk.clinic.local_date(desk.now) - dt.timedelta(days=1))
    last = reread(last.course)[-1]
    later = last.time.starts_at + dt.timedelta(hours=1)
    with pytest.raises(RuleBroken) as refused:
        move(desk, last, later)
    assert {v["code"] for v in refused.value.details["violations"]} == {"after_finish"}
    assert move(desk, last, later, override_reason="agreed with the doctor").time.starts_at == later


def test_what_was_conceded_in_the_plan_holds_for_moves(desk: Desk) -> None:
    course = desk.course(gap_min=None, gap_max=None)
    with pytest.raises(Invalid):
        propose(desk, course)
    book_plan(
        plan=propose(desk, course, wishes={"courses": {str(course.pk): {"gap_min": 1, "gap_max": 5}}}),
        by=desk.reception,
        now=desk.now,
    )
    last = reread(course)[-1]
    found = free_starts(session=last, first_day=factories.MONDAY, days=9, now=desk.now)
    assert found
    assert move(desk, last, found[-1].starts_at).time.starts_at == found[-1].starts_at
    assert move(desk, reread(course)[-1], found[0].starts_at).time.starts_at == found[0].starts_at


def test_a_rule_broken_with_a_reason_does_not_stop_other_moves(desk: Desk) -> None:
    sessions = booked(desk)
    move(desk, sessions[-1], at("10:00", day=21), override_reason="on holiday")
    first = reread(sessions[0].course)[0]
    later = first.time.starts_at + dt.timedelta(hours=1)
    assert move(desk, first, later).time.starts_at == later


def test_a_session_moved_beyond_the_horizon_does_not_stop_the_others(desk: Desk) -> None:
    sessions = booked(desk, finish_by=factories.MONDAY + dt.timedelta(days=7))
    desk.clinic.book_until = None
    desk.clinic.save()
    far = at("10:00", day=45)
    sessions = reread(sessions[0].course)
    move(desk, sessions[-1], far, override_reason="on holiday")
    Course.objects.filter(pk=sessions[0].course_id).update(finish_by=desk.clinic.local_date(desk.now))
    first = reread(sessions[0].course)[0]
    later = first.time.starts_at + dt.timedelta(hours=1)
    assert move(desk, first, later, override_reason="late").time.starts_at == later


def test_a_finish_in_the_next_century_is_planned_like_one_far_away(desk: Desk) -> None:
    desk.clinic.book_until = None
    desk.clinic.save()
    plan = propose(desk, desk.course(sessions=2, finish_by=dt.date(2150, 1, 1)))
    assert plan.status == Plan.Status.PROPOSED


def test_a_named_room_gets_its_device(desk: Desk) -> None:
    laser = factories.ProcedureFactory(clinic=desk.clinic, code="LASER")
    equip(desk.clinic, laser, desk.anna, room_type="physio")
    factories.RequirementFactory(procedure=laser, role="equipment", type_code="laser")
    devices = [factories.EquipmentFactory(room__clinic=desk.clinic) for _ in range(2)]
    course = factories.CourseFactory(
        clinic=desk.clinic, procedure=laser, patient=desk.patient, sessions_total=1, sessions=True
    )
    moved = move(desk, reread(course)[0], at("10:00", day=1), therapist=desk.anna.pk, room=devices[1].room.pk)
    assert moved.time.reservations.filter(resource_id=devices[1].pk, live=True).exists()
    with pytest.raises((PlaceTaken, RuleBroken)):
        move(desk, moved, at("11:00", day=1), therapist=desk.anna.pk, room=desk.rooms[0].pk)
    with pytest.raises((PlaceTaken, RuleBroken)):
        move(desk, moved, at("11:00", day=1), therapist=2**40, room=2**40, device=2**40)
