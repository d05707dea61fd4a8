"""4. No seat is sold twice, and none beyond the class's seats."""

import pytest

from courses.models import ClassMeeting, Session
from tests.factories import (
    AppointmentFactory,
    GroupClassFactory,
    SessionFactory,
    booked_session,
    class_meeting,
    reserve,
)
from tests.guard.conftest import Attacker

SIT = "UPDATE courses_session SET status = 'booked', appointment_id = %s, seat = %s WHERE id = %s"


@pytest.fixture
def meeting(db: None) -> ClassMeeting:
    """Three seats, the first of them sold."""
    made = class_meeting(GroupClassFactory(capacity=3))
    booked_session(meeting=made)
    return made


@pytest.fixture
def waiting(meeting: ClassMeeting) -> Session:
    """Unplaced, with its patient's time reserved."""
    session = SessionFactory()
    reserve(meeting.appointment, session.course.patient)
    return session


@pytest.mark.parametrize(
    ("seat", "by"),
    [(1, "seat_sold_once"), (4, "seat_within_class"), (None, "seat_within_class"), (0, "seats_from_one")],
)
def test_a_seat(sql: Attacker, meeting: ClassMeeting, waiting: Session, seat: int | None, by: str) -> None:
    sql.refused(by, SIT, meeting.pk, seat, waiting.pk)
    sql.write(SIT, meeting.pk, 3, waiting.pk)
    sql.refused(by, "UPDATE courses_session SET seat = %s WHERE id = %s", seat, waiting.pk)


def test_a_seat_that_was_given_back(sql: Attacker, meeting: ClassMeeting, waiting: Session) -> None:
    sold = meeting.appointment.sessions.get()
    sql.write("UPDATE courses_session SET status = 'cancelled' WHERE id = %s", sold.pk)
    sql.write(SIT, meeting.pk, 1, waiting.pk)


def test_a_held_seat_is_sold(sql: Attacker, meeting: ClassMeeting, waiting: Session) -> None:
    sold = meeting.appointment.sessions.get()
    sql.write("UPDATE courses_session SET status = 'held', held_until = now() WHERE id = %s", sold.pk)
    sql.refused("seat_sold_once", SIT, meeting.pk, 1, waiting.pk)


def test_a_class_keeps_the_seats_it_sold(sql: Attacker, meeting: ClassMeeting, waiting: Session) -> None:
    sql.write(SIT, meeting.pk, 3, waiting.pk)
    fewer = "UPDATE clinic_appointment SET seats = %s WHERE id = %s"
    sql.refused("seat_within_class", fewer, 2, meeting.pk)
    sql.refused(
        {"seat_within_class", "treatment_has_its_patient"},
        "UPDATE clinic_appointment SET kind = 'treatment', seats = NULL WHERE id = %s",
        meeting.pk,
    )
    sql.refused("class_meeting_has_seats", fewer, None, class_meeting().pk)
    sql.write("UPDATE courses_session SET seat = 2 WHERE id = %s", waiting.pk)
    sql.write(fewer, 2, meeting.pk)


def test_a_treatment_is_one_session_without_a_seat(sql: Attacker) -> None:
    waiting = SessionFactory()
    treatment = AppointmentFactory(reserved=[waiting.course.patient])
    sql.refused("seat_within_class", SIT, treatment.pk, 1, waiting.pk)
    sql.write(SIT, treatment.pk, None, waiting.pk)
    second = SessionFactory(course=waiting.course)
    sql.refused("treatment_is_one_session", SIT, treatment.pk, None, second.pk)
