"""Seats in group classes: sold, given back, moved, held, and not sold where no class is held."""

import datetime as dt

import pytest
from django.db import transaction

from clinic.errors import Invalid, PlaceTaken
from clinic.models import Absence, Reservation
from courses.booking.bookings import book_plan
from courses.booking.disruption import record_absence
from courses.booking.holds import hold_plan
from courses.booking.lifecycle import replan_course
from courses.booking.models import Course, Plan, Visit
from courses.booking.moves import free_starts
from courses.booking.proposals import propose_plan
from courses.booking.transitions import Status
from courses.groups.models import ClassMeeting
from tests import factories
from tests.booking.conftest import Desk
from tests.booking.test_booking import propose
from tests.booking.test_moving import move, reread


def class_course(desk: Desk, *, sessions: int = 3, capacity: int = 2, meetings: int = 6) -> tuple[Course, list]:
    group = factories.GroupClassFactory(clinic=desk.clinic, capacity=capacity, instructor=desk.anna)
    dates = [factories.MONDAY + dt.timedelta(days=7 * (n // 3) + 2 * (n % 3)) for n in range(meetings)]
    with transaction.atomic():  # a meeting and its reservations are held to each other at commit
        held = [factories.class_meeting(group, date=date) for date in dates]
    course = factories.CourseFactory(
        clinic=desk.clinic,
        procedure=group.procedure,
        patient=desk.patient,
        sessions_total=sessions,
        sessions=True,
        start_from=factories.MONDAY,
    )
    return course, held


def test_a_place_in_a_full_class_is_free_for_whoever_has_it(desk: Desk) -> None:
    course, held = class_course(desk, capacity=1, meetings=3)
    book_plan(plan=propose(desk, course), by=desk.reception, now=desk.now)
    plan = replan_course(course=course, by=desk.reception, now=desk.now)
    assert [item["meeting"] for item in plan.items] == [meeting.pk for meeting in held]
    book_plan(plan=plan, by=desk.reception, now=desk.now)
    assert [s.appointment_id for s in reread(course)] == [meeting.pk for meeting in held]


def test_sessions_of_a_class_may_follow_each_other_by_one_meeting(desk: Desk) -> None:
    course, held = class_course(desk, capacity=1, meetings=4)
    book_plan(plan=propose(desk, course), by=desk.reception, now=desk.now)
    later = f"{held[1].date}"
    wishes = {"start_from": later}
    plan = replan_course(course=course, by=desk.reception, now=desk.now, wishes=wishes, least_movement=False)
    book_plan(plan=plan, by=desk.reception, now=desk.now)
    assert [s.appointment_id for s in reread(course)] == [meeting.pk for meeting in held[1:]]
    assert Visit.objects.filter(patient=desk.patient, live=True).count() == 3
    assert not Reservation.objects.filter(appointment_id=held[0].pk, resource_id=desk.patient.pk, live=True).exists()


def test_a_meeting_without_its_instructor_is_neither_offered_nor_sold(desk: Desk) -> None:
    course, held = class_course(desk)
    plan = propose(desk, course)
    start = held[1].appointment.starts_at
    record_absence(
        therapist=desk.anna,
        kind=Absence.Kind.SICK,
        starts_at=start,
        ends_at=start + dt.timedelta(hours=1),
        by=None,
        now=desk.now,
    )
    with pytest.raises(PlaceTaken) as lost:
        book_plan(plan=plan, by=desk.reception, now=desk.now)
    fresh = Plan.objects.get(pk=lost.value.details["fresh_plan"])
    assert held[1].pk not in {item["meeting"] for item in fresh.items}
    book_plan(plan=fresh, by=desk.reception, now=desk.now)


def test_a_class_session_moves_to_the_meeting_that_is_named_at_its_time_only(desk: Desk) -> None:
    course, held = class_course(desk)
    book_plan(plan=propose(desk, course), by=desk.reception, now=desk.now)
    last = reread(course)[-1]
    offered = free_starts(session=last, first_day=factories.MONDAY, days=14, now=desk.now)
    assert held[4].appointment.starts_at in {start.starts_at for start in offered}
    with pytest.raises(Invalid):
        move(desk, last, held[3].appointment.starts_at, meeting=held[4].pk)
    moved = move(desk, last, held[4].appointment.starts_at, meeting=held[4].pk)
    assert ClassMeeting.objects.get(pk=moved.appointment_id) == held[4]


def test_an_expired_hold_of_a_seat_is_a_free_seat(desk: Desk) -> None:
    course, _meetings = class_course(desk, capacity=1, meetings=3)
    hold_plan(plan=propose(desk, course), by=desk.reception, now=desk.now)
    other = factories.CourseFactory(
        clinic=desk.clinic,
        procedure=course.procedure,
        patient=factories.PatientFactory(),
        sessions_total=3,
        sessions=True,
    )
    later = desk.now + dt.timedelta(minutes=11)
    assert propose(desk, other).status == Plan.Status.IMPOSSIBLE
    plan = propose_plan(courses=[other], by=desk.reception, now=later)
    book_plan(plan=plan, by=desk.reception, now=later)
    assert other.sessions.filter(status=Status.BOOKED).count() == 3
