"""1. Nothing is in two places."""

import psycopg
import pytest
from django.db import connection, transaction

from clinic.models import Appointment, Reservation
from courses.models import Session
from tests.factories import (
    AppointmentFactory,
    EquipmentFactory,
    PatientFactory,
    RoomFactory,
    TherapistFactory,
    at,
    booked_session,
    place,
    reserve,
    whole,
)
from tests.guard.conftest import Attacker

KINDS = ["therapist", "room", "device", "patient"]


@pytest.fixture
def booked(db: None) -> Session:
    """Booked 09:00–09:30 with all four kinds of resource."""
    return booked_session(device=EquipmentFactory(), therapist=TherapistFactory())


@pytest.fixture
def other(db: None) -> Appointment:
    """Another appointment, 09:30–10:00, that may take whatever it likes: a class."""
    room = RoomFactory()
    return AppointmentFactory(
        kind="class_meeting", seats=8, starts_at=at("09:30"), ends_at=at("10:00"), reserved=[room]
    )


def resource_of(booked: Session, kind: str) -> Reservation:
    wanted = {"device": "equipment"}.get(kind, kind)
    return booked.appointment.reservations.get(resource__kind=wanted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "times",
    [("09:00", "10:00"), ("09:29", "10:00"), ("08:00", "11:00"), ("09:00", "10:30"), ("08:30", "10:00")],
)
def test_times_that_overlap(
    sql: Attacker, booked: Session, other: Appointment, kind: str, times: tuple[str, str]
) -> None:
    resource = resource_of(booked, kind).resource
    starts, ends = map(at, times)
    overlapping, params = sql.reservation(other, resource, starts_at=starts, ends_at=ends)
    sql.refused("nothing_is_in_two_places", overlapping, *params)
    touching, params = sql.reservation(other, resource)
    sql.write(touching, *params)


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_that_makes_times_overlap(sql: Attacker, booked: Session, other: Appointment, kind: str) -> None:
    resource = resource_of(booked, kind).resource
    insert, params = sql.reservation(other, resource)
    [(mine,)] = sql.write(insert, *params)
    move = "UPDATE clinic_reservation SET starts_at = %s WHERE id = %s"
    sql.write(move, at("09:30"), mine)
    sql.refused("nothing_is_in_two_places", move, at("09:25"), mine)


def test_a_change_of_resource(sql: Attacker, booked: Session) -> None:
    other = booked_session()
    therapist = other.appointment.reservations.get(resource__kind="therapist")
    change = "UPDATE clinic_reservation SET resource_id = %s WHERE id = %s"
    sql.write(change, TherapistFactory().pk, therapist.pk)
    sql.refused("nothing_is_in_two_places", change, resource_of(booked, "therapist").resource_id, therapist.pk)


def test_a_cancelled_place_may_be_taken_and_not_taken_back(sql: Attacker, booked: Session) -> None:
    therapist, room = resource_of(booked, "therapist").resource, RoomFactory()
    cancelled = booked_session(
        therapist=therapist.therapist, room=room, starts_at=at("09:00", day=1), status="cancelled"
    )
    again = booked_session(therapist=therapist.therapist, room=room, starts_at=at("09:00", day=1))
    assert again.appointment_id != cancelled.appointment_id
    sql.refused(
        "nothing_is_in_two_places",
        "UPDATE clinic_reservation SET live = true WHERE appointment_id = %s",
        cancelled.appointment_id,
    )


def test_a_hold_holds(sql: Attacker, other: Appointment) -> None:
    held = booked_session(status="held", held_until=at("09:10"), starts_at=at("09:40"))
    therapist = held.appointment.reservations.get(resource__kind="therapist").resource
    insert, params = sql.reservation(other, therapist)
    sql.refused("nothing_is_in_two_places", insert, *params)


@pytest.mark.parametrize(
    ("taken", "free", "attack"),
    [
        (place(1), "[2,3)", ("[1,2)", "nothing_is_in_two_places")),
        (place(1), "[3,4)", ("[1,)", "nothing_is_in_two_places")),
        (place(3), "[1,3)", ("[2,4)", "nothing_is_in_two_places")),
        (place(1), "[2,4)", ("[4,5)", "reservation_within_capacity")),
        (place(1), "[3,4)", ("[3,5)", "reservation_within_capacity")),
        (place(2), "[1,2)", ("[0,2)", "reservation_within_capacity")),
        (place(2), "[1,2)", ("(,2)", "reservation_within_capacity")),
        (place(1), "[2,3)", ("[2,)", "reservation_within_capacity")),
        (place(1), "[2,3)", ("empty", "reservation_has_places")),
    ],
)
def test_places_of_a_hall_with_three(
    sql: Attacker, other: Appointment, taken: object, free: str, attack: tuple[str, str]
) -> None:
    hall = RoomFactory(capacity=3)
    reserve(AppointmentFactory(starts_at=other.starts_at, reserved=[PatientFactory()]), hall, places=taken)
    places, by = attack
    insert, params = sql.reservation(other, hall, places=places)
    sql.refused(by, insert, *params)
    insert, params = sql.reservation(other, hall, places=free)
    sql.write(insert, *params)


def test_the_whole_covers_places_added_later(sql: Attacker, other: Appointment) -> None:
    hall = RoomFactory(capacity=1)
    reserve(AppointmentFactory(starts_at=other.starts_at, reserved=[PatientFactory()]), hall, places=whole())
    sql.write("UPDATE clinic_resource SET capacity = 5 WHERE id = %s", hall.pk)
    insert, params = sql.reservation(other, hall, places="[5,6)")
    sql.refused("nothing_is_in_two_places", insert, *params)
    insert, params = sql.reservation(other, hall, places="[5,6)", starts_at=at("10:00"), ends_at=at("10:30"))
    sql.refused("reservations_cover_appointment", insert, *params)  # free, but not at the appointment's time
    later = AppointmentFactory(starts_at=at("10:00"))
    insert, params = sql.reservation(later, hall, places="[5,6)")
    sql.write(insert, *params)


def test_a_lower_capacity_keeps_what_is_booked(sql: Attacker) -> None:
    hall = RoomFactory(capacity=3)
    reserve(AppointmentFactory(), hall, places=place(2))
    past = AppointmentFactory(starts_at=at("09:00", day=-3650))
    reserve(past, hall, places=place(3))
    lower = "UPDATE clinic_resource SET capacity = %s WHERE id = %s"
    sql.write(lower, 2, hall.pk)
    sql.refused("capacity_holds_bookings", lower, 1, hall.pk)
    sql.refused("resource_has_a_place", lower, 0, RoomFactory().pk)


def test_a_person_stays_one_and_a_kind_stays_itself(sql: Attacker) -> None:
    patient, therapist = PatientFactory(), TherapistFactory()
    grow = "UPDATE clinic_resource SET capacity = 2 WHERE id = %s"
    sql.write(grow, therapist.pk)
    sql.refused("patient_and_hands_are_single", grow, patient.pk)
    sql.refused("kind_never_changes", "UPDATE clinic_resource SET kind = 'hands' WHERE id = %s", patient.pk)


def test_a_period_has_a_length(sql: Attacker, other: Appointment) -> None:
    insert, params = sql.reservation(other, TherapistFactory(), ends_at=other.starts_at)
    sql.refused("reservation_ends_after_start", insert, *params)
    insert, params = sql.reservation(other, TherapistFactory())
    sql.write(insert, *params)


def test_a_new_place_waits_for_a_change_of_capacity(transactional_db: None) -> None:
    """Without waiting, place 3 could be taken while the three places become two."""
    with transaction.atomic():
        hall, appointment = RoomFactory(capacity=3), AppointmentFactory()
    insert, params = Attacker().reservation(appointment, hall, places="[3,4)")
    settings = connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}
    with psycopg.connect(**settings) as lowering, psycopg.connect(**settings) as taking:
        lowering.execute("UPDATE clinic_resource SET capacity = 2 WHERE id = %s", [hall.pk])
        taking.execute("SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            taking.execute(insert, params)
        taking.rollback()
        lowering.commit()
        with pytest.raises(psycopg.errors.CheckViolation, match="reservation_within_capacity"):
            taking.execute(insert, params)
        taking.rollback()


def test_a_table_of_ones_own_does_not_hide_the_real_one(sql: Attacker, other: Appointment) -> None:
    therapist = TherapistFactory()
    hide = "CREATE TEMP TABLE clinic_resource ON COMMIT DROP AS SELECT id, kind, 9 AS capacity FROM clinic_resource"
    insert, params = sql.reservation(other, therapist, places="[5,6)")
    insert = insert.replace("INTO clinic_reservation", "INTO public.clinic_reservation")
    sql.write(hide)
    sql.refused("reservation_within_capacity", insert, *params)
