"""5. A number is one live session's; no appointment exactly when unplaced; what ended stays ended."""

import pytest

from courses.booking.transitions import ENDED, LIVE, PLACED, Status
from courses.models import Session
from tests.factories import CourseFactory, SessionFactory, at, booked_session
from tests.guard.conftest import Attacker

INSERT = """
    INSERT INTO courses_session (course_id, number, status, version, to_replace, pinned, reason)
    VALUES (%s, %s, %s, 1, false, false, '')
"""


def fields_of(status: Status) -> dict[str, object]:
    return {"held_until": at("08:00")} if status == Status.HELD else {}


@pytest.mark.parametrize("status", sorted(LIVE))
def test_a_number_of_a_live_session(sql: Attacker, status: Status) -> None:
    session = SessionFactory() if status == Status.UNPLACED else booked_session(status=status, **fields_of(status))
    sql.refused("session_number_once", INSERT, session.course_id, session.number, "unplaced")
    sql.write(INSERT, session.course_id, session.number + 1, "unplaced")
    sql.write(INSERT, CourseFactory().pk, session.number, "unplaced")


@pytest.mark.parametrize("status", sorted(ENDED))
def test_a_number_of_an_ended_session_is_free(sql: Attacker, status: Status) -> None:
    session = booked_session(status=status)
    sql.write(INSERT, session.course_id, session.number, "unplaced")
    sql.refused("session_number_once", INSERT, session.course_id, session.number, "unplaced")


@pytest.mark.parametrize("status", sorted(PLACED | {Status.NO_SHOW, Status.LATE_CANCELLED, Status.NOT_TREATED}))
def test_without_an_appointment(sql: Attacker, status: Status) -> None:
    session = booked_session(status=status, **fields_of(status))
    sql.refused(
        "unplaced_has_no_appointment", "UPDATE courses_session SET appointment_id = NULL WHERE id = %s", session.pk
    )


def test_unplaced_with_an_appointment(sql: Attacker) -> None:
    session = booked_session()
    unplace = "UPDATE courses_session SET status = 'unplaced' WHERE id = %s"
    sql.refused("unplaced_has_no_appointment", unplace, session.pk)
    sql.refused("unplaced_has_no_appointment", INSERT, session.course_id, 2, "booked")
    sql.write("UPDATE courses_session SET status = 'unplaced', appointment_id = NULL WHERE id = %s", session.pk)


@pytest.mark.parametrize("status", ["nonsense", "Booked", ""])
def test_a_status_that_nobody_knows(sql: Attacker, status: str) -> None:
    session = booked_session()
    sql.refused("session_status_is_known", "UPDATE courses_session SET status = %s WHERE id = %s", status, session.pk)


def test_a_hold_ends(sql: Attacker) -> None:
    session = booked_session()
    sql.refused("hold_has_an_end", "UPDATE courses_session SET status = 'held' WHERE id = %s", session.pk)
    sql.refused("hold_has_an_end", "UPDATE courses_session SET held_until = now() WHERE id = %s", session.pk)
    sql.write("UPDATE courses_session SET status = 'held', held_until = now() WHERE id = %s", session.pk)


@pytest.mark.parametrize("status", sorted(ENDED))
def test_booked_again_it_is_a_new_row(sql: Attacker, status: Status) -> None:
    session = booked_session(status=status)
    again = "UPDATE courses_session SET status = %s WHERE id = %s"
    for wanted in ("booked", "completed", "unplaced", *sorted(ENDED - {status})):
        sql.refused("ended_session_stays_ended", again, wanted, session.pk)
    sql.write("UPDATE courses_session SET status = status, reason = 'by telephone' WHERE id = %s", session.pk)
    new = booked_session(session.course, number=session.number, starts_at=at("09:00", day=1))
    sql.write("UPDATE courses_session SET replaces_id = %s WHERE id = %s", session.pk, new.pk)
    assert Session.objects.get(pk=session.pk).replaced_by == new


def test_numbers_begin_at_one_and_a_course_has_sessions(sql: Attacker) -> None:
    course = CourseFactory()
    sql.refused("session_numbers_from_one", INSERT, course.pk, 0, "unplaced")
    sql.refused("course_has_sessions", "UPDATE courses_course SET sessions_total = 0 WHERE id = %s", course.pk)
    sql.refused("course_has_sessions", "UPDATE courses_course SET done_before = 4 WHERE id = %s", course.pk)
    sql.write("UPDATE courses_course SET done_before = 3 WHERE id = %s", course.pk)
