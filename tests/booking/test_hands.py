"""A nurse attends several patients at once, but has one pair of hands where a procedure asks for them."""

import datetime as dt

from clinic.models import ResourceKind
from courses.booking.bookings import book_plan
from courses.booking.models import Plan
from courses.booking.proposals import propose_plan
from courses.catalogue.models import Requirement
from tests import factories
from tests.booking.conftest import Desk, equip


def starts_of_two_patients(desk: Desk, *, hands_on: int) -> list[str]:
    procedure = factories.ProcedureFactory(clinic=desk.clinic, code="CURRENT", minutes=20)
    nurse = factories.TherapistFactory(resource__capacity=3)
    factories.ShiftFactory(
        therapist=nurse,
        clinic=desk.clinic,
        starts_on=factories.MONDAY,
        start_time=dt.time(9),
        end_time=dt.time(12),
        rrule="FREQ=WEEKLY;BYDAY=MO",
    )
    equip(desk.clinic, procedure, nurse, room_type="hall")
    factories.RoomFactory(clinic=desk.clinic, room_type="hall", resource__capacity=6)
    Requirement.objects.filter(procedure=procedure, role=ResourceKind.THERAPIST).update(hands_on_start=hands_on)
    found = []
    for _ in range(2):
        course = factories.CourseFactory(
            clinic=desk.clinic,
            procedure=procedure,
            patient=factories.PatientFactory(consent_data=True),
            sessions_total=1,
            sessions=True,
            window_from=dt.time(9),
            window_until=dt.time(9, 25),
            window_strength="must",
            start_from=factories.MONDAY,
            finish_by=factories.MONDAY,
        )
        plan = propose_plan(courses=[course], by=desk.reception, now=desk.now)
        assert plan.status == Plan.Status.PROPOSED
        book_plan(plan=plan, by=desk.reception, now=desk.now)
        found.append(plan.items[0]["start"])
    return found


def test_without_hands_on_minutes_two_patients_start_together(desk: Desk) -> None:
    first, second = starts_of_two_patients(desk, hands_on=0)
    assert first == second


def test_with_hands_on_minutes_their_starts_are_apart(desk: Desk) -> None:
    first, second = starts_of_two_patients(desk, hands_on=5)
    assert first != second
