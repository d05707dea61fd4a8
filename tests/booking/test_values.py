"""What no column holds and what does not exist is refused with a sentence."""

import datetime as dt

import pytest

from clinic.errors import Invalid
from courses.booking.cancelling import cancel_session
from courses.booking.lifecycle import open_course
from courses.booking.models import Course, Plan
from courses.booking.moves import free_starts
from courses.prescribing.referrals import create_referral
from tests import factories
from tests.booking.conftest import Desk
from tests.booking.test_booking import propose
from tests.booking.test_moving import booked, move, reread
from tests.factories import at


def test_a_reason_too_long_or_unwritable_is_refused(desk: Desk) -> None:
    session = booked(desk, sessions=1)[0]
    for reason in ("x" * 301, "a\0b"):
        with pytest.raises(Invalid):
            cancel_session(session=session, by=desk.reception, now=desk.now, reason=reason)
        with pytest.raises(Invalid):
            move(desk, session, at("07:00", day=1), override_reason=reason)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("area", "x" * 101),
        ("side", "le\0ft"),
        ("gap_min", 0),
        ("gap_max", 2**40),
        ("weekdays_strength", "perhaps"),
        ("done_before", 9),
    ],
)
def test_a_course_with_a_value_that_no_column_holds_is_refused(desk: Desk, field: str, value: object) -> None:
    line = {"procedure": desk.massage, "sessions_total": 5, field: value}
    with pytest.raises(Invalid) as refused:
        open_course(patient=desk.patient, clinic=desk.clinic, by=desk.reception, now=desk.now, **line)
    assert set(refused.value.details) == {field}
    with pytest.raises(Invalid) as refused:
        create_referral(
            clinic=desk.clinic, patient=desk.patient, by=desk.reception, now=desk.now, lines=[line], icd10="M54.5" * 9
        )
    assert set(refused.value.details) == {"icd10", f"lines.1.{field}"}
    assert not Course.objects.exists()


def test_a_wish_that_cannot_be_stored_is_refused(desk: Desk) -> None:
    with pytest.raises(Invalid):
        propose(desk, desk.course(), wishes={"therapist_language": "p\0l"})


def test_no_session_starts_in_the_hour_that_clocks_skip(desk: Desk) -> None:
    desk.clinic.opening_weekdays = [1, 2, 3, 4, 5, 6, 7]
    desk.clinic.save()
    heat = factories.ProcedureFactory(clinic=desk.clinic, code="HEAT")
    factories.RequirementFactory(procedure=heat, role="room", type_code="massage")
    course = factories.CourseFactory(
        clinic=desk.clinic, procedure=heat, patient=desk.patient, sessions_total=1, sessions=True
    )
    sunday = dt.date(2031, 3, 30)
    session = reread(course)[0]
    starts = [
        start.starts_at.astimezone(desk.clinic.tz)
        for start in free_starts(session=session, first_day=sunday, days=1, now=desk.now)
    ]
    assert dt.datetime(2031, 3, 30, 3, 0, tzinfo=desk.clinic.tz) in starts
    assert not any(start.hour == 2 for start in starts)
    night = {"window_from": "01:40", "window_until": "03:10", "window_strength": "must"}
    plan = propose(desk, course, wishes=night | {"start_from": f"{sunday}", "finish_by": f"{sunday}"})
    assert plan.status == Plan.Status.IMPOSSIBLE
