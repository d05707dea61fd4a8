"""Many buyers of the same times and seats: each is sold once, and whoever loses gets another plan."""

import datetime as dt
from functools import partial

from django.db import transaction

from clinic.errors import Busy, Conflict, PlaceTaken
from clinic.models import Reservation
from courses.booking.bookings import book_plan
from courses.booking.holds import hold_plan, release_expired_holds
from courses.booking.models import Plan, Session
from courses.booking.proposals import propose_plan
from courses.booking.transitions import Status
from tests import factories
from tests.booking.conftest import Desk
from tests.concurrency.conftest import failures, race

BUYERS = 16


def propose_for_another(desk: Desk, *, sessions: int = 2, now: dt.datetime | None = None, **fields: object) -> Plan:
    course = desk.course(sessions, patient=factories.PatientFactory(), **fields)
    plan = propose_plan(courses=[course], by=desk.reception, now=now or desk.now)
    return Plan.objects.select_related("clinic", "patient").get(pk=plan.pk)


def times(plan: Plan) -> set[tuple[str, int]]:
    return {(item["start"], item["therapist"]) for item in plan.items}


def test_sixteen_buyers_of_the_same_times_sell_them_once(desk: Desk) -> None:
    plans = [propose_for_another(desk) for _ in range(BUYERS)]
    assert all(times(plan) == times(plans[0]) for plan in plans)
    outcomes = race(*[partial(book_plan, plan=plan, by=None, now=desk.now) for plan in plans])
    assert failures(outcomes) == []
    assert sum(isinstance(outcome, Plan) for outcome in outcomes) == 1
    for outcome in outcomes:
        if isinstance(outcome, PlaceTaken):
            assert outcome.details["taken"]
            fresh = Plan.objects.get(pk=outcome.details["fresh_plan"])
            assert fresh.status == Plan.Status.PROPOSED
    assert Session.objects.filter(status=Status.BOOKED).count() == 2
    assert Reservation.objects.filter(live=True).count() == 2 * 3  # patient, therapist, room


def test_those_who_lose_take_their_fresh_plans_until_everyone_is_booked(desk: Desk) -> None:
    open_plans = [propose_for_another(desk) for _ in range(5)]
    rounds = 0
    while open_plans:
        rounds += 1
        assert rounds <= 5, "in every round at least one buyer must win"
        outcomes = race(*[partial(book_plan, plan=plan, by=None, now=desk.now) for plan in open_plans])
        assert failures(outcomes) == []
        lost = [outcome.details["fresh_plan"] for outcome in outcomes if isinstance(outcome, PlaceTaken)]
        again = [plan for plan, o in zip(open_plans, outcomes, strict=True) if isinstance(o, Busy)]
        open_plans = again + list(Plan.objects.select_related("clinic", "patient").filter(pk__in=lost))
    assert set(Session.objects.values_list("status", flat=True)) == {Status.BOOKED}


def test_one_plan_booked_by_two_requests_at_once_is_booked_once(desk: Desk) -> None:
    plan = propose_for_another(desk)
    twins = [Plan.objects.select_related("clinic", "patient").get(pk=plan.pk) for _ in range(2)]
    outcomes = race(*[partial(book_plan, plan=twin, by=None, now=desk.now) for twin in twins])
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [Conflict]
    assert Reservation.objects.filter(live=True, resource_id=plan.patient_id).count() == 2


def test_an_expired_hold_its_own_booking_another_buyer_and_the_sweeper_agree_on_one_owner(desk: Desk) -> None:
    later = desk.now + dt.timedelta(minutes=11)
    for week in range(4):
        start = factories.MONDAY + dt.timedelta(days=7 * week)
        held = propose_for_another(desk, start_from=start)
        hold_plan(plan=held, by=None, now=desk.now)
        rival = propose_for_another(desk, now=later, start_from=start)
        assert times(rival) == times(held)
        own, other, swept = race(
            partial(book_plan, plan=held, by=None, now=later),
            partial(book_plan, plan=rival, by=None, now=later),
            partial(release_expired_holds, now=later),
        )
        assert failures([own, other, swept]) == []
        assert not (isinstance(own, Plan) and isinstance(other, Plan))
        for plan, outcome in ((held, own), (rival, other)):
            booked = Session.objects.filter(course__plans=plan, status=Status.BOOKED).count()
            assert booked == (2 if isinstance(outcome, Plan) else 0)
        release_expired_holds(now=later)
        assert not Reservation.objects.filter(live=True).exclude(held_until=None).exists()


def test_a_hold_and_a_booking_of_the_same_times_have_one_winner(desk: Desk) -> None:
    first, second = propose_for_another(desk), propose_for_another(desk)
    outcomes = race(
        partial(hold_plan, plan=first, by=None, now=desk.now), partial(book_plan, plan=second, by=None, now=desk.now)
    )
    assert failures(outcomes) == []
    assert sum(isinstance(outcome, Plan) for outcome in outcomes) == 1
    assert Session.objects.filter(status__in=[Status.HELD, Status.BOOKED]).count() == 2


def test_thirty_takers_of_eight_seats_fill_exactly_eight(desk: Desk) -> None:
    group = factories.GroupClassFactory(clinic=desk.clinic, capacity=8)
    with transaction.atomic():
        meeting = factories.class_meeting(group)
    plans = []
    for _ in range(30):
        course = factories.CourseFactory(
            clinic=desk.clinic,
            procedure=group.procedure,
            patient=factories.PatientFactory(),
            sessions_total=1,
            sessions=True,
            start_from=factories.MONDAY,
        )
        plan = propose_plan(courses=[course], by=desk.reception, now=desk.now)
        assert [item["meeting"] for item in plan.items] == [meeting.pk]
        plans.append(Plan.objects.select_related("clinic", "patient").get(pk=plan.pk))
    outcomes = race(*[partial(book_plan, plan=plan, by=None, now=desk.now) for plan in plans])
    assert failures(outcomes) == []
    sold = Session.objects.filter(appointment_id=meeting.pk).order_by("seat").values_list("seat", flat=True)
    assert list(sold) == list(range(1, 9))
    assert sum(isinstance(outcome, Plan) for outcome in outcomes) == 8
