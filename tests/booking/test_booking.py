"""From a course to booked sessions: proposal, hold, booking, lost races."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.errors import Conflict, PlaceTaken
from clinic.models import Appointment, Reservation
from courses.booking.bookings import book_plan
from courses.booking.holds import hold_plan, release_expired_holds, release_hold, renew_hold
from courses.booking.models import Course, Plan, Session, Visit
from courses.booking.proposals import propose_plan
from courses.booking.transitions import Status
from notifications.models import Message
from tests import factories
from tests.booking.conftest import Desk


def propose(desk: Desk, *courses: Course, **fields: object) -> Plan:
    return propose_plan(courses=courses, by=desk.reception, now=desk.now, **fields)


def test_a_course_is_planned_within_its_rules_and_booked_whole(desk: Desk) -> None:
    course = desk.course(sessions=10)
    plan = propose(desk, course)
    assert plan.status == Plan.Status.PROPOSED
    assert plan.proven
    assert len(plan.items) == 10
    book_plan(plan=plan, by=desk.reception, now=desk.now)
    sessions = list(course.sessions.order_by("number").select_related("appointment", "visit"))
    assert [s.status for s in sessions] == [Status.BOOKED] * 10
    assert [s.number for s in sessions] == list(range(1, 11))
    starts = [s.time.starts_at for s in sessions]
    assert starts == sorted(starts)
    assert Reservation.objects.filter(live=True, resource_id=desk.patient.pk).count() == 10
    assert Visit.objects.filter(patient=desk.patient, live=True).count() == 10
    assert {s.visit.date for s in sessions} == {desk.clinic.local_date(start) for start in starts}
    assert Message.objects.filter(patient=desk.patient).exists()


def test_booking_takes_at_most_twelve_statements_whatever_the_number_of_sessions(desk: Desk) -> None:
    for sessions in (2, 10):
        plan = propose(desk, desk.course(sessions=sessions, patient=factories.PatientFactory(consent_data=True)))
        plan = Plan.objects.select_related("clinic", "patient").get(pk=plan.pk)
        with CaptureQueriesContext(connection) as statements:
            book_plan(plan=plan, by=desk.reception, now=desk.now)
        spoken = [q["sql"] for q in statements if not q["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))]
        assert len(spoken) <= 12, "\n".join(sql[:150] for sql in spoken)


def test_a_held_plan_is_visible_to_others_and_booked_later(desk: Desk) -> None:
    first = propose(desk, desk.course(sessions=2))
    hold_plan(plan=first, by=desk.reception, now=desk.now)
    assert first.held_until == desk.now + dt.timedelta(minutes=10)
    other = propose(desk, desk.course(sessions=2, patient=factories.PatientFactory(consent_data=True)))
    held = {(i["start"], i["therapist"]) for i in first.items}
    assert not held & {(i["start"], i["therapist"]) for i in other.items}
    book_plan(plan=first, by=desk.reception, now=desk.now + dt.timedelta(minutes=5))
    assert Session.objects.filter(status=Status.BOOKED).count() == 2
    assert not Reservation.objects.filter(live=True).exclude(held_until=None).exists()


def test_a_hold_can_be_kept_and_let_go(desk: Desk) -> None:
    plan = propose(desk, desk.course(sessions=2))
    hold_plan(plan=plan, by=desk.reception, now=desk.now)
    later = desk.now + dt.timedelta(minutes=8)
    renew_hold(plan=plan, by=desk.reception, now=later)
    assert plan.held_until == later + dt.timedelta(minutes=10)
    assert set(Reservation.objects.filter(live=True).values_list("held_until", flat=True)) == {plan.held_until}
    release_hold(plan=plan, by=desk.reception, now=later)
    assert not Reservation.objects.filter(live=True).exists()
    assert set(Session.objects.values_list("status", flat=True)) == {Status.UNPLACED}


def test_an_expired_hold_frees_itself_for_the_next_taker(desk: Desk) -> None:
    first = propose(desk, desk.course(sessions=2))
    hold_plan(plan=first, by=desk.reception, now=desk.now)
    later = desk.now + dt.timedelta(minutes=11)
    other_course = desk.course(sessions=2, patient=factories.PatientFactory(consent_data=True))
    second = propose_plan(courses=[other_course], by=desk.reception, now=later)
    assert [i["start"] for i in second.items] == [i["start"] for i in first.items]
    book_plan(plan=second, by=desk.reception, now=later)
    first.refresh_from_db()
    assert first.status == Plan.Status.EXPIRED
    with pytest.raises(Conflict):
        book_plan(plan=first, by=desk.reception, now=later)


def test_the_sweeper_frees_expired_holds(desk: Desk) -> None:
    plan = propose(desk, desk.course(sessions=2))
    hold_plan(plan=plan, by=desk.reception, now=desk.now)
    assert release_expired_holds(now=desk.now + dt.timedelta(minutes=9)) == 0
    assert release_expired_holds(now=desk.now + dt.timedelta(minutes=10)) == 1
    assert not Reservation.objects.filter(live=True).exists()
    assert not Appointment.objects.filter(live=True).exists()


def test_a_lost_race_says_what_was_taken_and_brings_a_fresh_plan(desk: Desk) -> None:
    first = propose(desk, desk.course(sessions=3))
    second = propose(desk, desk.course(sessions=3, patient=factories.PatientFactory(consent_data=True)))
    assert first.items[0]["start"] == second.items[0]["start"]
    book_plan(plan=first, by=desk.reception, now=desk.now)
    with pytest.raises(PlaceTaken) as lost:
        book_plan(plan=second, by=desk.reception, now=desk.now)
    assert [item["start"] for item in lost.value.details["taken"]] == [item["start"] for item in first.items]
    fresh = Plan.objects.get(pk=lost.value.details["fresh_plan"])
    assert not Session.objects.filter(course__in=second.courses.all()).exclude(status=Status.UNPLACED).exists()
    book_plan(plan=fresh, by=desk.reception, now=desk.now)


def test_hours_changed_since_the_plan_make_it_stale(desk: Desk) -> None:
    plan = propose(desk, desk.course(sessions=2))
    desk.anna.shifts.update(start_time=dt.time(9))
    with pytest.raises(PlaceTaken) as stale:
        book_plan(plan=plan, by=desk.reception, now=desk.now)
    assert stale.value.code == "plan_stale"
    assert stale.value.details["fresh_plan"] is not None


def test_the_same_plan_is_booked_once(desk: Desk) -> None:
    plan = propose(desk, desk.course(sessions=2))
    twin = Plan.objects.get(pk=plan.pk)
    book_plan(plan=plan, by=desk.reception, now=desk.now)
    with pytest.raises(Conflict):
        book_plan(plan=twin, by=desk.reception, now=desk.now)
    assert Reservation.objects.filter(live=True, resource_id=desk.patient.pk).count() == 2


def test_an_unsigned_referral_keeps_a_course_from_being_booked(desk: Desk) -> None:
    desk.massage.requires_referral = True
    desk.massage.save()
    plan = propose(desk, desk.course(sessions=2, status=Course.Status.DRAFT))
    with pytest.raises(Conflict) as refused:
        book_plan(plan=plan, by=desk.reception, now=desk.now)
    assert refused.value.code == "referral_missing"
    assert not Reservation.objects.exists()


def test_a_patient_without_consent_is_not_planned(desk: Desk) -> None:
    from clinic.errors import Invalid

    with pytest.raises(Invalid) as refused:
        propose(desk, desk.course(patient=factories.PatientFactory(consent_data=False)))
    assert refused.value.code == "no_consent"


def test_an_impossible_course_comes_with_reasons_and_a_concession_that_works(desk: Desk) -> None:
    start = factories.MONDAY
    course = desk.course(sessions=10, start_from=start, finish_by=start + dt.timedelta(days=4))
    plan = propose(desk, course)
    assert plan.status == Plan.Status.IMPOSSIBLE
    assert plan.explanation["reason"] == "window_too_short"
    concession = next(c for c in plan.explanation["concessions"] if c["wishes"])
    opened = propose(desk, course, wishes=concession["wishes"])
    assert opened.status == Plan.Status.PROPOSED
