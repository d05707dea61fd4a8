"""Without the guard two takers who look at the same moment both get the place; with it exactly one does."""

import threading
from functools import partial

from django.db import IntegrityError, connection, transaction
from psycopg.types.range import Range

from clinic.locking import refusal_of
from clinic.models import Appointment, Patient, Reservation, Room
from tests import factories
from tests.concurrency.conftest import one, race

COPY = "reservations_without_guard"
SAME_PLACE = """
    SELECT count(*) FROM {table} WHERE resource_id = %s AND live AND places && int4range(1, 2)
    AND tstzrange(starts_at, ends_at) && tstzrange(%s, %s)
"""


def test_look_then_write_sells_a_place_twice_where_nothing_guards_it(transactional_db: None) -> None:
    room, start, end = factories.RoomFactory(), factories.at("09:00"), factories.at("09:30")
    looked = threading.Barrier(2, timeout=30)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {COPY} (LIKE clinic_reservation INCLUDING DEFAULTS)")

    def take(appointment: int) -> None:
        found = one(SAME_PLACE.format(table=COPY), room.pk, start, end)
        looked.wait()
        if not found:
            with connection.cursor() as cursor:
                cursor.execute(
                    f"INSERT INTO {COPY} (id, appointment_id, resource_id, places, starts_at, ends_at, live) "
                    "VALUES (%s, %s, %s, '[1,2)', %s, %s, true)",
                    [appointment, appointment, room.pk, start, end],
                )

    try:
        assert race(partial(take, 1), partial(take, 2)) == [None, None]
        assert one(SAME_PLACE.format(table=COPY), room.pk, start, end) == 2
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {COPY}")


def test_the_guard_refuses_the_second_of_two_who_looked_at_the_same_moment(transactional_db: None) -> None:
    room, start, end = factories.RoomFactory(), factories.at("09:00"), factories.at("09:30")
    patients = [factories.PatientFactory(), factories.PatientFactory()]
    looked = threading.Barrier(2, timeout=30)
    # Who writes at the very same moment may find the other's row while the other finds theirs: a deadlock, broken by
    # refusing one. The product's locks come before any row; here the first row is in before the second is written.
    written = threading.Event()

    def take(patient: Patient, room: Room, *, first: bool) -> None:
        found = one(SAME_PLACE.format(table="clinic_reservation"), room.pk, start, end)
        looked.wait()
        if found:
            return
        if not first:
            assert written.wait(timeout=30)
        with transaction.atomic():
            appointment = Appointment.objects.create(clinic=room.clinic, starts_at=start, ends_at=end)
            for resource in (patient, room):
                Reservation.objects.create(
                    appointment=appointment, resource_id=resource.pk, places=Range(1, 2), starts_at=start, ends_at=end
                )
            written.set()

    earlier, later = patients
    served, refused = race(partial(take, earlier, room, first=True), partial(take, later, room, first=False))
    assert served is None
    assert isinstance(refused, IntegrityError)
    refusal = refusal_of(refused)
    assert refusal is not None
    assert refusal.code == "place_taken"
    assert one(SAME_PLACE.format(table="clinic_reservation"), room.pk, start, end) == 1
    assert Appointment.objects.count() == 1
