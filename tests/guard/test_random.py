"""Whatever is tried in whatever order: the database accepts exactly what a plain model of places and times accepts."""

from dataclasses import dataclass, field

import psycopg
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinic.models import Resource
from tests.factories import AppointmentFactory, ResourceFactory, at
from tests.guard.conftest import Attacker

CAPACITY = 3
DAY = (at("08:00"), at("18:00"))

periods = st.tuples(st.integers(0, 11), st.integers(1, 6)).map(lambda p: (p[0], min(p[0] + p[1], 12)))
places = st.one_of(
    st.tuples(st.integers(1, CAPACITY + 1), st.none()).map(lambda p: (p[0], p[0] + 1)),
    st.just((1, None)),
    st.tuples(st.integers(1, 2), st.integers(2, 3)).map(lambda p: (p[0], p[0] + p[1])),
)
steps = st.one_of(
    st.tuples(st.just("take"), st.integers(0, 1), places, periods),
    st.tuples(st.just("move"), st.integers(0, 9), places, periods),
    st.tuples(st.just("free"), st.integers(0, 9)),
    st.tuples(st.just("revive"), st.integers(0, 9)),
)


@dataclass
class Taken:
    resource: int
    places: tuple[int, int | None]
    period: tuple[int, int]
    live: bool = True

    def clashes(self, other: "Taken") -> bool:
        return (
            self.live
            and other.live
            and self.resource == other.resource
            and self.period[0] < other.period[1]
            and other.period[0] < self.period[1]
            and self.places[0] < (other.places[1] or 99)
            and other.places[0] < (self.places[1] or 99)
        )

    def fits(self) -> bool:
        return not self.live or self.places[1] is None or self.places[1] - 1 <= CAPACITY


@dataclass
class Model:
    """Places and times in plain Python."""

    taken: list[Taken] = field(default_factory=list)

    def accepts(self, wanted: Taken, *, instead_of: Taken | None = None) -> bool:
        others = (other for other in self.taken if other is not instead_of)
        return wanted.fits() and not any(wanted.clashes(other) for other in others)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=25))
def test_any_sequence(sql: Attacker, sequence: list[tuple]) -> None:
    with transaction.atomic():
        appointment = AppointmentFactory(starts_at=DAY[0])
        halls = [ResourceFactory(capacity=CAPACITY) for _ in range(2)]
        model, keys = Model(), []
        for step in sequence:
            play(step, model, keys, appointment.pk, halls)
        transaction.set_rollback(True)


def play(step: tuple, model: Model, keys: list[int], appointment: int, halls: list[Resource]) -> None:
    """Try one step on both, and compare."""
    verb, which, *rest = step
    if verb == "take":
        wanted, current = Taken(which, *rest), None
        statement = """INSERT INTO clinic_reservation (appointment_id, resource_id, places, starts_at, ends_at, live)
                       VALUES (%s, %s, int4range(%s, %s), %s, %s, true) RETURNING id"""
        params = [appointment, halls[which].pk, *wanted.places, *map(moment, wanted.period)]
    else:
        if not keys:
            return
        position = which % len(keys)
        current = model.taken[position]
        if verb == "move":
            wanted = Taken(current.resource, *rest, live=current.live)
            statement = """UPDATE clinic_reservation SET places = int4range(%s, %s), starts_at = %s, ends_at = %s
                           WHERE id = %s RETURNING id"""
            params = [*wanted.places, *map(moment, wanted.period), keys[position]]
        else:
            wanted = Taken(current.resource, current.places, current.period, live=verb == "revive")
            statement = "UPDATE clinic_reservation SET live = %s WHERE id = %s RETURNING id"
            params = [wanted.live, keys[position]]
    accepted, key = attempt(statement, params)
    assert accepted == model.accepts(wanted, instead_of=current), (step, model.taken)
    if not accepted:
        return
    if current is None:
        model.taken.append(wanted)
        keys.append(key)
    else:
        model.taken[position] = wanted


def attempt(statement: str, params: list) -> tuple[bool, int]:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE clinic_app")
            cursor.execute(statement, params)
            key = cursor.fetchone()[0]
            cursor.execute("RESET ROLE")
            return True, key
    except IntegrityError as error:
        if not isinstance(error.__cause__, psycopg.errors.ExclusionViolation | psycopg.errors.CheckViolation):
            raise
        return False, 0


def moment(slot: int) -> object:
    return DAY[0] + (DAY[1] - DAY[0]) / 12 * slot
