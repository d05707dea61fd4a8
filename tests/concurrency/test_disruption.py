"""Cancelling, moving and absences against booking, all at once: no deadlock, nothing unnoticed."""

import datetime as dt
from collections.abc import Callable
from functools import partial

import pytest

from clinic.errors import PlaceTaken
from clinic.models import Absence
from courses.booking.bookings import book_plan
from courses.booking.cancelling import cancel_session
from courses.booking.disruption import record_absence
from courses.booking.holds import hold_plan
from courses.booking.models import Plan, Session
from courses.booking.moves import move_session
from courses.booking.transitions import PLANNED, Status
from tests import factories
from tests.booking.conftest import Desk
from tests.concurrency.conftest import failures, race
from tests.concurrency.test_selling import propose_for_another


def whole_day(desk: Desk, date: dt.date) -> Callable[[], Absence]:
    start = dt.datetime.combine(date, dt.time(), tzinfo=desk.clinic.tz)
    return lambda: record_absence(
        therapist=desk.anna, kind="sick", starts_at=start, ends_at=start + dt.timedelta(days=1), by=None, now=desk.now
    )


def annas_first(plan: Plan, desk: Desk) -> dt.date:
    item = next(item for item in plan.items if item["therapist"] == desk.anna.pk)
    return desk.clinic.local_date(dt.datetime.fromisoformat(item["start"]))


def fully_loaded(pk: int) -> Session:
    return Session.objects.select_related(
        "course__clinic", "course__patient", "course__procedure", "course__programme", "appointment", "visit"
    ).get(pk=pk)


def test_cancel_move_and_book_of_the_same_time_never_deadlock(desk: Desk) -> None:
    for week in range(4):
        start = factories.MONDAY + dt.timedelta(days=7 * week)
        booked, wanted = (propose_for_another(desk, sessions=2, start_from=start) for _ in range(2))
        book_plan(plan=booked, by=None, now=desk.now)
        pks = [item["session"] for item in booked.items]
        to = dt.datetime.fromisoformat(booked.items[0]["start"]) + dt.timedelta(hours=1)
        cancelled, moved, other = race(
            lambda pk=pks[0]: cancel_session(session=fully_loaded(pk), by=None, now=desk.now),
            lambda pk=pks[0], to=to: move_session(session=fully_loaded(pk), starts_at=to, by=None, now=desk.now),
            partial(book_plan, plan=wanted, by=None, now=desk.now),
        )
        assert failures([cancelled, moved, other]) == []
        # The move comes first or is too late; either way the cancellation has the last word.
        assert isinstance(cancelled, Session)
        assert Session.objects.get(pk=pks[0]).status == Status.CANCELLED
        assert Session.objects.get(pk=pks[1]).status == Status.BOOKED


def test_two_moves_into_each_others_time_do_not_deadlock(desk: Desk) -> None:
    first, second = (propose_for_another(desk, sessions=1) for _ in range(2))
    book_plan(plan=first, by=None, now=desk.now)
    second = propose_for_another(desk, sessions=1)
    book_plan(plan=second, by=None, now=desk.now)
    pairs = [(plan.items[0], other.items[0]) for plan, other in ((first, second), (second, first))]
    outcomes = race(
        *[
            lambda own=own, other=other: move_session(
                session=fully_loaded(own["session"]),
                starts_at=dt.datetime.fromisoformat(other["start"]),
                by=None,
                now=desk.now,
            )
            for own, other in pairs
        ]
    )
    assert failures(outcomes) == []
    assert Session.objects.filter(status=Status.BOOKED).count() == 2


def test_an_absence_recorded_while_its_time_is_booked_is_refused_or_noticed(desk: Desk) -> None:
    for week in range(6):
        plan = propose_for_another(desk, sessions=2, start_from=factories.MONDAY + dt.timedelta(days=7 * week))
        date = annas_first(plan, desk)
        booked, absence = race(partial(book_plan, plan=plan, by=None, now=desk.now), whole_day(desk, date))
        assert failures([booked]) == []
        assert isinstance(absence, Absence)
        sessions = Session.objects.filter(
            course__plans=plan, status__in=PLANNED, appointment__reservations__resource=desk.anna.pk
        )
        inside = [s for s in sessions.select_related("appointment") if desk.clinic.local_date(s.time.starts_at) == date]
        assert all(session.to_replace for session in inside)
        assert bool(inside) == isinstance(booked, Plan)


def test_an_absence_over_a_hold_refuses_the_booking_and_brings_a_fresh_plan(desk: Desk) -> None:
    plan = propose_for_another(desk, sessions=2)
    hold_plan(plan=plan, by=None, now=desk.now)
    date = annas_first(plan, desk)
    whole_day(desk, date)()
    with pytest.raises(PlaceTaken) as refused:
        book_plan(plan=plan, by=desk.reception, now=desk.now)
    assert refused.value.code == "plan_stale"
    fresh = Plan.objects.select_related("clinic", "patient").get(pk=refused.value.details["fresh_plan"])
    book_plan(plan=fresh, by=desk.reception, now=desk.now)
    assert not Session.objects.filter(course__plans=fresh, to_replace=True).exists()
    for item in fresh.items:
        on_that_day = desk.clinic.local_date(dt.datetime.fromisoformat(item["start"])) == date
        assert not (on_that_day and item["therapist"] == desk.anna.pk)


def test_an_absence_racing_with_the_booking_of_a_hold_is_refused_or_noticed(desk: Desk) -> None:
    for week in range(4):
        plan = propose_for_another(desk, sessions=1, start_from=factories.MONDAY + dt.timedelta(days=7 * week))
        hold_plan(plan=plan, by=None, now=desk.now)
        date = annas_first(plan, desk)
        booked, absence = race(partial(book_plan, plan=plan, by=None, now=desk.now), whole_day(desk, date))
        assert failures([booked]) == []
        assert isinstance(absence, Absence)
        session = Session.objects.get(pk=plan.items[0]["session"])
        assert session.to_replace == (session.status == Status.BOOKED)
