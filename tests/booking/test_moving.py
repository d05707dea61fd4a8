"""Moving one session: free times, rules, reasons that override, and what the patient hears."""

import datetime as dt

import pytest

from clinic.errors import Conflict, Invalid, NotAllowed, OutsideAvailability, PlaceTaken, RuleBroken
from clinic.models import Appointment, Reservation
from courses.booking.bookings import book_plan
from courses.booking.lifecycle import replan_course
from courses.booking.models import Course, Plan, Session
from courses.booking.moves import free_starts, move_session
from courses.booking.proposals import propose_plan
from courses.booking.transitions import Status
from tests import factories
from tests.booking.conftest import Desk
from tests.factories import at


def booked(desk: Desk, sessions: int = 3, **fields: object) -> list[Session]:
    course = desk.course(sessions=sessions, **fields)
    plan = propose_plan(courses=[course], by=desk.reception, now=desk.now)
    book_plan(plan=plan, by=desk.reception, now=desk.now)
    return reread(course)


def reread(course: Course) -> list[Session]:
    return list(course.sessions.select_related("course__clinic", "appointment", "visit").order_by("number", "pk"))


def move(desk: Desk, session: Session, to: dt.datetime, **fields: object) -> Session:
    return move_session(session=session, starts_at=to, by=desk.reception, now=desk.now, **fields)


def test_a_moved_session_keeps_its_row_and_its_visit_goes_with_it(desk: Desk) -> None:
    last = booked(desk)[-1]
    old_time, uid, sequence = last.time, last.visit.uid, last.visit.sequence
    day = desk.clinic.local_date(old_time.starts_at) + dt.timedelta(days=1)
    moved = move(desk, last, dt.datetime.combine(day, dt.time(10), tzinfo=desk.clinic.tz))
    assert moved.pk == last.pk
    assert moved.status == Status.BOOKED
    assert moved.visit.uid == uid
    assert moved.visit.date == day
    assert moved.visit.sequence == sequence + 1
    assert not Appointment.objects.get(pk=old_time.pk).live
    assert not Reservation.objects.filter(appointment=old_time, live=True).exists()


def test_the_therapist_of_that_hour_takes_over(desk: Desk) -> None:
    first = booked(desk, sessions=1)[0]
    moved = move(desk, first, at("15:00", day=1))
    assert moved.time.reservations.filter(resource_id=desk.boris.pk, live=True).exists()


def test_a_taken_time_is_refused(desk: Desk) -> None:
    other = booked(desk, sessions=1, patient=factories.PatientFactory(consent_data=True))[0]
    desk.rooms[1].is_active = False
    desk.rooms[1].save()
    mine = booked(desk, sessions=1)[0]
    with pytest.raises(PlaceTaken):
        move(desk, mine, other.time.starts_at)


def test_outside_hours_needs_a_reason_which_is_kept(desk: Desk) -> None:
    session = booked(desk, sessions=1)[0]
    early = at("07:00", day=1)
    with pytest.raises(OutsideAvailability) as refused:
        move(desk, session, early, therapist=desk.anna.pk)
    assert refused.value.details["overridable"]
    moved = move(desk, session, early, therapist=desk.anna.pk, override_reason="asked by the doctor")
    assert moved.time.override_reason == "asked by the doctor"


def test_not_everyone_may_override(desk: Desk) -> None:
    session = booked(desk, sessions=1)[0]
    therapist = factories.user_with_role("therapist", desk.clinic)
    with pytest.raises(NotAllowed):
        move_session(
            session=session, starts_at=at("07:00", day=1), override_reason="please", by=therapist, now=desk.now
        )


def test_the_rhythm_of_the_course_needs_a_reason_to_break(desk: Desk) -> None:
    sessions = booked(desk)
    far = at("10:00", day=21)
    with pytest.raises(RuleBroken) as refused:
        move(desk, sessions[-1], far)
    assert {v["code"] for v in refused.value.details["violations"]} == {"gap_too_long"}
    assert move(desk, sessions[-1], far, override_reason="on holiday").time.starts_at == far


def test_two_sessions_of_a_course_never_share_a_day(desk: Desk) -> None:
    sessions = booked(desk)
    same_day = sessions[0].time.starts_at + dt.timedelta(hours=3)
    with pytest.raises(RuleBroken) as refused:
        move(desk, sessions[1], same_day, override_reason="please")
    assert not refused.value.details["overridable"]


@pytest.mark.parametrize("wrong", [at("10:03", day=1), factories.NOW - dt.timedelta(days=1)])
def test_times_off_the_grid_or_in_the_past_are_refused(desk: Desk, wrong: dt.datetime) -> None:
    with pytest.raises(Invalid):
        move(desk, booked(desk, sessions=1)[0], wrong)


def test_what_changed_meanwhile_is_not_overwritten(desk: Desk) -> None:
    session = booked(desk, sessions=1)[0]
    seen = session.version
    moved = move(desk, session, at("10:00", day=1), version=seen)
    with pytest.raises(Conflict) as refused:
        move(desk, moved, at("11:00", day=1), version=seen)
    assert refused.value.code == "changed_meanwhile"


def test_free_starts_are_exactly_the_times_to_which_a_move_succeeds(desk: Desk) -> None:
    sessions = booked(desk)
    day = desk.clinic.local_date(sessions[-1].time.starts_at)
    found = free_starts(session=sessions[-1], first_day=day, days=1, now=desk.now)
    assert found
    offered = {start.starts_at for start in found}
    assert all(desk.clinic.local_date(moment) == day for moment in offered)
    moved = move(desk, sessions[-1], found[-1].starts_at)
    assert moved.time.starts_at == found[-1].starts_at
    beyond = found[-1].starts_at + dt.timedelta(minutes=5)
    with pytest.raises((OutsideAvailability, PlaceTaken, RuleBroken)):
        move(desk, moved, beyond)


def test_the_rest_of_a_course_is_planned_anew_around_what_is_kept(desk: Desk) -> None:
    sessions = booked(desk, sessions=4)
    plan = replan_course(
        course=sessions[0].course,
        keep=[sessions[0].pk],
        by=desk.reception,
        now=desk.now,
        wishes={"window_from": "15:00", "window_strength": "must"},
    )
    assert plan.status == Plan.Status.PROPOSED
    assert {item["session"] for item in plan.items} == {s.pk for s in sessions[1:]}
    book_plan(plan=plan, by=desk.reception, now=desk.now)
    after = reread(sessions[0].course)
    assert after[0].time.pk == sessions[0].time.pk
    assert all(s.time.starts_at.astimezone(desk.clinic.tz).hour >= 15 for s in after[1:])
    assert {s.status for s in after} == {Status.BOOKED}
    live = Reservation.objects.filter(live=True, resource_id=desk.patient.pk)
    assert live.count() == 4


def test_a_course_of_unknown_frequency_gives_up_one_day_for_another(desk: Desk) -> None:
    sessions = booked(desk)
    Course.objects.filter(pk=sessions[0].course_id).update(gap_min=None, gap_max=None, per_week=None)
    Session.objects.update(plan=None)
    last = reread(sessions[0].course)[-1]
    first_day = desk.clinic.local_date(last.time.starts_at)
    free = free_starts(session=last, first_day=first_day, days=5, now=desk.now)
    assert {desk.clinic.local_date(start.starts_at) for start in free} > {first_day}
    assert move(desk, last, free[-1].starts_at).time.starts_at == free[-1].starts_at
    with pytest.raises(RuleBroken):
        move(desk, reread(sessions[0].course)[0], free[-1].starts_at + dt.timedelta(hours=1))
