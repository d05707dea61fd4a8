"""Cancelled, paused, resumed, attended, missed: what a course still owes is always right."""

import datetime as dt

import pytest

from clinic.errors import Conflict, Invalid
from clinic.models import Absence, Reservation, Task
from courses.booking.attendance import (
    arrive_session,
    arrive_visit,
    complete_session,
    confirm_session,
    mark_no_show,
    mark_not_treated,
    start_session,
    stop_session_early,
)
from courses.booking.bookings import book_plan
from courses.booking.cancelling import cancel_session, cancel_visit
from courses.booking.disruption import record_absence
from courses.booking.lifecycle import open_course, pause_course, resume_course
from courses.booking.models import Course, Session, Visit
from courses.booking.proposals import propose_plan
from courses.booking.transitions import LIVE, TRANSITIONS, Status, may_become
from courses.prescribing.referrals import create_referral, sign_referral
from notifications.models import Message
from tests import factories
from tests.booking.conftest import Desk
from tests.booking.test_moving import booked, reread


def numbers(course: Course) -> list[int]:
    return sorted(course.sessions.filter(status__in=LIVE).values_list("number", flat=True))


def test_a_cancelled_session_is_followed_by_one_without_a_time(desk: Desk) -> None:
    session = booked(desk)[1]
    ended = cancel_session(session=session, by=desk.reception, now=desk.now, reason="has a cold")
    assert ended.status == Status.CANCELLED
    successor = Session.objects.get(replaces=session)
    assert (successor.status, successor.number) == (Status.UNPLACED, session.number)
    assert numbers(session.course) == [1, 2, 3]
    assert not Reservation.objects.filter(appointment=session.appointment, live=True).exists()
    assert not Visit.objects.get(pk=session.visit_id).live


@pytest.mark.parametrize(
    ("hours_before", "by_clinic", "status"),
    [
        (25, False, Status.CANCELLED),
        (23, False, Status.LATE_CANCELLED),
        (1, True, Status.CANCELLED_BY_CLINIC),
    ],
)
def test_late_is_inside_the_clinics_window(desk: Desk, hours_before: int, by_clinic: bool, status: Status) -> None:
    session = booked(desk, sessions=1)[0]
    now = session.time.starts_at - dt.timedelta(hours=hours_before)
    ended = cancel_session(session=session, by=desk.reception, now=now, by_clinic=by_clinic)
    assert ended.status == status


def test_a_cancelled_session_is_not_cancelled_again(desk: Desk) -> None:
    session = booked(desk, sessions=1)[0]
    cancel_session(session=session, by=desk.reception, now=desk.now)
    with pytest.raises(Conflict):
        cancel_session(session=session, by=desk.reception, now=desk.now)


def test_a_visit_is_cancelled_and_arrived_whole(desk: Desk) -> None:
    session = booked(desk, sessions=1)[0]
    arrived = arrive_visit(visit=session.visit, by=desk.reception, now=desk.now)
    assert [s.status for s in arrived] == [Status.ARRIVED]
    with pytest.raises(Conflict):
        arrive_visit(visit=session.visit, by=desk.reception, now=desk.now)
    cancel_visit(visit=session.visit, by=desk.reception, now=desk.now)
    assert not Visit.objects.get(pk=session.visit_id).live


def test_a_pause_frees_the_future_and_resuming_leaves_it_to_be_planned(desk: Desk) -> None:
    sessions = booked(desk)
    course = pause_course(course=sessions[0].course, until=None, by=desk.reception, now=desk.now)
    assert course.status == Course.Status.PAUSED
    assert not Reservation.objects.filter(live=True).exists()
    assert numbers(course) == [1, 2, 3]
    with pytest.raises(Conflict):
        pause_course(course=course, until=None, by=desk.reception, now=desk.now)
    resume_course(course=course, by=desk.reception, now=desk.now)
    course.refresh_from_db()
    plan = propose_plan(courses=[course], by=desk.reception, now=desk.now)
    book_plan(plan=plan, by=desk.reception, now=desk.now)
    assert Reservation.objects.filter(live=True, resource_id=desk.patient.pk).count() == 3


def test_a_paused_course_is_not_booked(desk: Desk) -> None:
    course = desk.course()
    plan = propose_plan(courses=[course], by=desk.reception, now=desk.now)
    pause_course(course=course, until=None, by=desk.reception, now=desk.now)
    with pytest.raises(Conflict) as refused:
        book_plan(plan=plan, by=desk.reception, now=desk.now)
    assert refused.value.code == "course_not_active"


def test_a_day_in_order_finishes_the_course_with_its_last_session(desk: Desk) -> None:
    session = booked(desk, sessions=1)[0]
    start = session.time.starts_at
    for verb in (confirm_session, arrive_session, start_session, complete_session):
        session = verb(session=session, by=desk.reception, now=start)
    assert session.status == Status.COMPLETED
    assert (session.arrived_at, session.started_at, session.ended_at) == (start, start, start)
    assert Course.objects.get(pk=session.course_id).status == Course.Status.FINISHED
    assert Reservation.objects.filter(appointment=session.appointment, live=True).exists()


def test_not_treated_and_no_show_stay_owed(desk: Desk) -> None:
    first, second, third = booked(desk)
    arrive_session(session=first, by=desk.reception, now=first.time.starts_at)
    with pytest.raises(Invalid):
        mark_not_treated(session=first, reason=" ", by=desk.reception, now=first.time.starts_at)
    mark_not_treated(session=first, reason="fever", by=desk.reception, now=first.time.starts_at)
    with pytest.raises(Conflict):
        mark_no_show(session=second, by=desk.reception, now=second.time.starts_at - dt.timedelta(minutes=1))
    mark_no_show(session=second, by=desk.reception, now=second.time.ends_at)
    assert [s.status for s in reread(first.course)].count(Status.UNPLACED) == 2
    start_session(session=third, by=desk.reception, now=third.time.starts_at)
    stop_session_early(session=third, reason="dizzy", by=desk.reception, now=third.time.ends_at)
    assert Course.objects.get(pk=first.course_id).status == Course.Status.ACTIVE


def test_the_transition_table_is_closed() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert not may_become(Status.COMPLETED, Status.BOOKED)
    assert not may_become(Status.CANCELLED, Status.BOOKED)


def test_an_absence_marks_what_it_covers_and_refuses_new_bookings(desk: Desk) -> None:
    sessions = booked(desk)
    first = sessions[0].time
    absence = record_absence(
        therapist=desk.anna,
        kind=Absence.Kind.SICK,
        starts_at=first.starts_at - dt.timedelta(hours=1),
        ends_at=None,
        by=desk.reception,
        now=first.starts_at - dt.timedelta(hours=1),
    )
    assert absence.ends_at is None
    anna = Reservation.objects.filter(resource_id=desk.anna.pk, live=True).values("appointment")
    assert all(s.to_replace for s in Session.objects.filter(appointment__in=anna))
    assert Task.objects.filter(kind=Task.Kind.TO_REPLACE, urgent=True).exists()
    plan = propose_plan(
        courses=[desk.course(patient=factories.PatientFactory(consent_data=True))], by=desk.reception, now=desk.now
    )
    assert desk.anna.pk not in {
        item["therapist"] for item in plan.items if dt.datetime.fromisoformat(item["start"]) >= absence.starts_at
    }


def test_a_course_opens_with_the_catalogues_figures(desk: Desk) -> None:
    course = open_course(
        patient=desk.patient,
        clinic=desk.clinic,
        procedure=desk.massage,
        sessions_total=5,
        by=desk.reception,
        now=desk.now,
    )
    assert (course.minutes, course.gap_min, course.gap_max) == (30, 1, 3)
    assert course.status == Course.Status.ACTIVE
    assert numbers(course) == [1, 2, 3, 4, 5]
    with pytest.raises(Invalid):
        open_course(
            patient=desk.patient,
            clinic=desk.clinic,
            procedure=desk.massage,
            sessions_total=0,
            by=desk.reception,
            now=desk.now,
        )


def test_a_prescription_becomes_bookable_with_the_doctors_signature(desk: Desk) -> None:
    desk.massage.requires_referral = True
    desk.massage.save()
    doctor = factories.user_with_role("doctor", desk.clinic)
    referral = create_referral(
        clinic=desk.clinic,
        patient=desk.patient,
        lines=[{"procedure": desk.massage, "sessions_total": 4}],
        icd10="M54.5",
        by=doctor,
        now=desk.now,
    )
    course = Course.objects.get(programme__referral=referral)
    assert course.status == Course.Status.DRAFT
    assert referral.expires_on == desk.clinic.local_date(desk.now) + dt.timedelta(days=30)
    sign_referral(referral=referral, by=doctor, now=desk.now)
    course.refresh_from_db()
    assert course.status == Course.Status.ACTIVE


def test_messages_follow_what_happens(desk: Desk) -> None:
    session = booked(desk, sessions=1)[0]
    waiting = Message.objects.filter(patient=desk.patient, status=Message.Status.PENDING)
    assert waiting.exists()
    cancel_session(session=session, by=desk.reception, now=desk.now)
    assert not waiting.filter(kind=Message.Kind.REMINDER).exists()
    assert not waiting.filter(kind=Message.Kind.INVITATION).exists()


def test_a_course_that_lay_idle_for_longer_than_its_gap_can_go_on(desk: Desk) -> None:
    sessions = booked(desk)
    first = sessions[0].time
    complete_session(session=sessions[0], by=desk.reception, now=first.ends_at)
    pause_course(course=sessions[0].course, until=None, by=desk.reception, now=first.ends_at)
    later = first.ends_at + dt.timedelta(days=14)
    course = resume_course(course=sessions[0].course, by=desk.reception, now=later)
    plan = propose_plan(courses=[course], by=desk.reception, now=later)
    assert len(plan.items) == 2


def test_a_finish_that_has_passed_is_named(desk: Desk) -> None:
    course = desk.course(start_from=None, finish_by=factories.NOW.date() - dt.timedelta(days=1))
    with pytest.raises(Invalid) as refused:
        propose_plan(courses=[course], by=desk.reception, now=desk.now)
    assert "finish_by" in refused.value.details
