"""The factories make things that the database accepts, whole and alone."""

import pytest
from django.db import connection

from courses.booking.transitions import Status
from tests import factories

ALL = [
    factory
    for factory in vars(factories).values()
    if isinstance(factory, type) and factory.__name__.endswith("Factory") and factory._meta.model is not None
]


@pytest.mark.parametrize("factory", ALL, ids=lambda factory: factory.__name__)
def test_a_factory_makes_something_that_commits(db: None, factory: type) -> None:
    made = factory()
    connection.check_constraints()
    made.refresh_from_db()


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.UNPLACED, Status.HELD}))
def test_a_session_stands_in_every_status_that_has_a_time(db: None, status: Status) -> None:
    session = factories.booked_session(status=status)
    connection.check_constraints()
    assert session.visit.date == factories.MONDAY
    assert session.appointment.reservations.count() == 3


def test_sessions_fill_a_course_and_a_class(db: None) -> None:
    course = factories.CourseFactory(sessions=True)
    first = factories.booked_session(course)
    second = factories.booked_session(course, starts_at=factories.at("09:00", day=2))
    meeting = factories.class_meeting()
    seats = [factories.booked_session(meeting=meeting).seat for _ in range(2)]
    held = factories.booked_session(status=Status.HELD, held_until=factories.NOW)
    connection.check_constraints()
    assert [first.number, second.number] == [1, 2]
    assert course.sessions.filter(status=Status.UNPLACED).count() == 1
    assert seats == [1, 2]
    assert held.appointment.reservations.filter(held_until=factories.NOW).count() == 3
