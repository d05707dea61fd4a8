"""Places are a matter of counting: where fixed places block what counts allow, the others make way."""

import datetime as dt
import itertools
from collections import defaultdict
from functools import partial

from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.range import Range

from clinic.errors import PlaceTaken
from clinic.models import Reservation, Room
from clinic.reserving import Taken, Want, deal_places
from courses.booking.bookings import book_plan
from courses.booking.models import Plan
from tests import factories
from tests.booking.conftest import Desk
from tests.concurrency.conftest import race

BASE = factories.at("10:00")


def minutes(count: int) -> dt.datetime:
    return BASE + dt.timedelta(minutes=count)


def take_place(room: Room, place: int, start: int, end: int) -> Reservation:
    """A session in the room at this place, from and until these minutes after ten."""
    procedure = factories.ProcedureFactory(clinic=room.clinic, minutes=end - start)
    with transaction.atomic():
        session = factories.booked_session(starts_at=minutes(start), room=room, procedure=procedure, clinic=room.clinic)
        # The factory takes the lowest place that is free.
        Reservation.objects.filter(appointment=session.appointment, resource_id=room.pk).update(
            places=Range(place, place + 1)
        )
    return Reservation.objects.get(appointment=session.appointment, resource_id=room.pk)


def plan_for(desk: Desk, room: Room, start: int, end: int) -> Plan:
    """A stored plan that puts one session of a new patient into the room."""
    course = desk.course(1, patient=factories.PatientFactory())
    begin, until = minutes(start).isoformat(), minutes(end).isoformat()
    item = {
        "session": course.sessions.get().pk,
        "course": course.pk,
        "start": begin,
        "end": until,
        "therapist": None,
        "room": room.pk,
        "device": None,
        "meeting": None,
        "takes": [[course.patient_id, begin, until], [room.pk, begin, until]],
    }
    plan = factories.PlanFactory(clinic=desk.clinic, patient=course.patient, items=[item])
    plan.courses.add(course)
    return plan


def place_of(reservation: Reservation) -> int:
    reservation.refresh_from_db()
    return reservation.places.lower


def blocked_room(desk: Desk) -> tuple[Room, list[Reservation]]:
    """Three places, never more than two taken, and yet none that is free from ten to eleven."""
    room = factories.RoomFactory(clinic=desk.clinic, capacity=3)
    return room, [take_place(room, 1, 0, 60), take_place(room, 2, 0, 30), take_place(room, 3, 30, 60)]


def test_others_make_way_where_counts_allow_it(desk: Desk) -> None:
    room, others = blocked_room(desk)
    book_plan(plan=plan_for(desk, room, 0, 60), by=None, now=desk.now)
    assert Reservation.objects.filter(resource_id=room.pk, live=True).count() == 4
    assert all(1 <= place_of(other) <= 3 for other in others)


def test_patients_already_on_a_couch_stay_there(desk: Desk) -> None:
    room, (first, second, third) = blocked_room(desk)
    book_plan(plan=plan_for(desk, room, 15, 60), by=None, now=minutes(10))
    assert (place_of(first), place_of(second)) == (1, 2)
    assert place_of(third) == 2


def test_buyers_of_the_last_place_that_needs_recolouring_have_one_winner(desk: Desk) -> None:
    room, _others = blocked_room(desk)
    plans = [plan_for(desk, room, 0, 60) for _ in range(6)]
    outcomes = race(*[partial(book_plan, plan=plan, by=None, now=desk.now) for plan in plans])
    assert sum(isinstance(outcome, Plan) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, PlaceTaken) for outcome in outcomes) == 5


def test_a_plans_own_sessions_make_way_for_each_other(desk: Desk) -> None:
    room = factories.RoomFactory(clinic=desk.clinic, capacity=2)
    take_place(room, 1, 0, 30)
    take_place(room, 2, 90, 120)
    # The first takes place 1 from 10:30, the second then finds place 1 taken until 11:00 and place 2 from 11:30.
    plans = [plan_for(desk, room, 30, 60), plan_for(desk, room, 45, 105)]
    wants = [Want(n, room.pk, minutes(s), minutes(e)) for n, (s, e) in enumerate([(30, 60), (45, 105), (60, 90)])]
    held = Reservation.objects.filter(resource_id=room.pk)
    taken = {room.pk: [Taken(r.pk, r.places.lower, r.starts_at, r.ends_at) for r in held]}
    chosen, _moved = deal_places(wants, taken, capacities={room.pk: 2}, now=desk.now)
    assert None not in chosen
    assert no_two_meet(taken[room.pk])
    for plan in plans:
        book_plan(plan=plan, by=None, now=desk.now)


def no_two_meet(taken: list[Taken]) -> bool:
    return not any(a.place == b.place and a.meets(b.starts_at, b.ends_at) for a, b in itertools.combinations(taken, 2))


def fits(fixed: list[Taken], movable: list[tuple[dt.datetime, dt.datetime]], capacity: int) -> bool:
    """Whether places can be dealt to all, tried out one by one."""
    for places in itertools.product(range(1, capacity + 1), repeat=len(movable)):
        dealt = [Taken(None, place, start, end) for place, (start, end) in zip(places, movable, strict=True)]
        if no_two_meet(fixed + dealt):
            return True
    return False


periods = st.tuples(st.integers(-6, 10), st.integers(1, 6)).map(
    lambda p: (minutes(5 * p[0]), minutes(5 * (p[0] + p[1])))
)


@settings(max_examples=300, deadline=None)
@given(
    capacity=st.integers(2, 3),
    given_periods=st.lists(st.tuples(periods, st.integers(0, 2)), max_size=6),
    wanted=st.tuples(st.integers(1, 8), st.integers(1, 6)),
)
def test_a_place_is_found_exactly_where_one_can_be_dealt(
    capacity: int,
    given_periods: list[tuple[tuple[dt.datetime, dt.datetime], int]],
    wanted: tuple[int, int],
) -> None:
    now = BASE
    held: list[Taken] = []
    for number, ((start, end), preferred) in enumerate(given_periods, start=1):
        order = sorted(
            range(1, capacity + 1), key=lambda place, preferred=preferred: (place - 1 - preferred) % capacity
        )
        for place in order:
            one = Taken(number, place, start, end)
            if no_two_meet([*held, one]):
                held.append(one)
                break
    begun = {one.reservation_id: one.place for one in held if one.starts_at <= now}
    start, end = minutes(5 * wanted[0]), minutes(5 * sum(wanted))
    movable = [(one.starts_at, one.ends_at) for one in held if one.starts_at > now]
    possible = fits([one for one in held if one.starts_at <= now], [*movable, (start, end)], capacity)
    before = {one.reservation_id: one.place for one in held}
    taken: dict[int, list[Taken]] = defaultdict(list, {7: held})
    (own,), moved = deal_places([Want(1, 7, start, end)], taken, capacities={7: capacity}, now=now)
    assert (own is not None) == possible
    assert no_two_meet(held)
    after = {one.reservation_id: one.place for one in held if one.reservation_id}
    assert all(after[pk] == place for pk, place in begun.items())
    assert {pk: place for pk, place in after.items() if before[pk] != place} == moved
