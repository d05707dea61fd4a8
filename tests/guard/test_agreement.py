"""2. Appointments and reservations agree, at commit."""

import pytest

from clinic.models import Reservation
from courses.models import Session
from tests.factories import (
    AppointmentFactory,
    ClinicFactory,
    CourseFactory,
    PatientFactory,
    ResourceFactory,
    SessionFactory,
    at,
    booked_session,
    class_meeting,
)
from tests.guard.conftest import Attacker

LONGER = "UPDATE clinic_appointment SET ends_at = %s WHERE id = %s"
KILL = "UPDATE clinic_appointment SET live = false WHERE id = %s"
FREE = "UPDATE clinic_reservation SET live = false WHERE appointment_id = %s"


@pytest.fixture
def booked(db: None) -> Session:
    return booked_session()


def reservation(session: Session, kind: str) -> Reservation:
    return session.appointment.reservations.get(resource__kind=kind)


def test_an_appointment_takes_something(sql: Attacker) -> None:
    insert = """
        WITH made AS (
            INSERT INTO clinic_appointment (clinic_id, kind, starts_at, ends_at, live, version, created_at)
            VALUES (%s, 'treatment', %s, %s, %s, 1, now()) RETURNING id, starts_at, ends_at, live)
    """
    times = (ClinicFactory().pk, at("09:00"), at("09:30"))
    sql.refused("reservations_cover_appointment", insert + "SELECT 1", *times, True)
    sql.write(insert + "SELECT 1", *times, False)
    with_patient = (
        insert
        + """INSERT INTO clinic_reservation (appointment_id, resource_id, places, starts_at, ends_at, live)
        SELECT id, %s, '[1,2)'::int4range, starts_at, ends_at, live FROM made"""
    )
    sql.refused("treatment_has_its_patient", with_patient, *times, True, ResourceFactory().pk)
    sql.write(with_patient, *times, True, PatientFactory().pk)


def test_a_treatment_has_one_patient(sql: Attacker, booked: Session) -> None:
    second, params = sql.reservation(booked.appointment, PatientFactory())
    sql.refused("treatment_has_its_patient", second, *params)
    many, params = sql.reservation(class_meeting().appointment, PatientFactory())
    sql.write(many, *params)


@pytest.mark.parametrize("kind", ["therapist", "room", "patient"])
def test_reservations_cover_the_appointment(sql: Attacker, booked: Session, kind: str) -> None:
    shorter = "UPDATE clinic_reservation SET starts_at = starts_at + %s::interval WHERE id = %s"
    sql.write(shorter, "-5 minutes", reservation(booked, kind).pk)
    sql.refused("reservations_cover_appointment", shorter, "10 minutes", reservation(booked, kind).pk)


def test_an_appointment_does_not_outgrow_its_reservations(sql: Attacker, booked: Session) -> None:
    sql.refused("reservations_cover_appointment", LONGER, at("09:35"), booked.appointment_id)
    sql.write(
        "UPDATE clinic_reservation SET ends_at = %s WHERE appointment_id = %s", at("09:35"), booked.appointment_id
    )
    sql.write(LONGER, at("09:35"), booked.appointment_id)
    sql.refused("appointment_ends_after_start", LONGER, at("09:00"), booked.appointment_id)


def test_hands_may_be_taken_for_a_part_only(sql: Attacker, booked: Session) -> None:
    hands, room = ResourceFactory(kind="hands"), ResourceFactory()
    for resource, by in ((room, "reservations_cover_appointment"), (hands, None)):
        insert, params = sql.reservation(booked.appointment, resource, ends_at=at("09:05"))
        if by:
            sql.refused(by, insert, *params)
        else:
            sql.write(insert, *params)


def test_a_cancelled_appointment_holds_nothing(sql: Attacker) -> None:
    appointment = AppointmentFactory()
    sql.refused("dead_appointment_holds_nothing", KILL, appointment.pk)
    sql.refused("reservations_cover_appointment", FREE, appointment.pk)
    both = "WITH freed AS (UPDATE clinic_reservation SET live = false WHERE appointment_id = %s) " + KILL
    sql.write(both, appointment.pk, appointment.pk)
    sql.refused(
        "dead_appointment_holds_nothing",
        "UPDATE clinic_reservation SET live = true WHERE appointment_id = %s",
        appointment.pk,
    )
    insert, params = sql.reservation(appointment, ResourceFactory())
    sql.refused("dead_appointment_holds_nothing", insert, *params)


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE clinic_reservation SET live = false WHERE id = %s",
        "DELETE FROM clinic_reservation WHERE id = %s",
        "UPDATE clinic_reservation SET appointment_id = {elsewhere} WHERE id = %s",
        "UPDATE clinic_reservation SET resource_id = {stranger} WHERE id = %s",
    ],
)
@pytest.mark.parametrize("in_class", [False, True])
def test_a_placed_session_keeps_its_patients_place(sql: Attacker, attack: str, in_class: bool) -> None:
    booked = booked_session(meeting=class_meeting()) if in_class else booked_session()
    attack = attack.format(elsewhere=class_meeting().appointment.pk, stranger=PatientFactory().pk)
    # A treatment is also refused for having no patient or two, whichever is noticed first.
    by = {"placed_session_reserves_its_patient"} | (set() if in_class else {"treatment_has_its_patient"})
    sql.refused(by, attack, reservation(booked, "patient").pk)
    stranger, params = sql.reservation(class_meeting().appointment, PatientFactory())
    [(free,)] = sql.write(stranger, *params)
    sql.write(attack, free)


@pytest.mark.parametrize("in_class", [False, True])
def test_a_session_has_its_own_courses_patient(sql: Attacker, in_class: bool) -> None:
    booked = booked_session(meeting=class_meeting()) if in_class else booked_session()
    change = "UPDATE courses_course SET patient_id = %s WHERE id = %s"
    sql.refused("placed_session_reserves_its_patient", change, PatientFactory().pk, booked.course_id)
    sql.write(change, PatientFactory().pk, CourseFactory(sessions=True).pk)


def test_a_session_stands_on_a_live_appointment_of_its_patient(sql: Attacker, booked: Session) -> None:
    place = "UPDATE courses_session SET status = 'booked', appointment_id = %s WHERE id = %s"
    waiting = SessionFactory()
    own = AppointmentFactory(reserved=[waiting.course.patient])
    cancelled = booked_session(
        status="cancelled", course=CourseFactory(patient=waiting.course.patient), starts_at=at("12:00")
    )
    for appointment in (AppointmentFactory(), cancelled.appointment, class_meeting().appointment):
        sql.refused("placed_session_reserves_its_patient", place, appointment.pk, waiting.pk)
    sql.write(place, own.pk, waiting.pk)
