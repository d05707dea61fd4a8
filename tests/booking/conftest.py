"""A small clinic that really plans: two masseuses, a room each, early and late shifts, massage ×3."""

import datetime as dt
from dataclasses import dataclass, field

import pytest

from clinic.models import Clinic, Patient, ResourceKind, Room, Therapist
from clinic.permissions import Role
from courses.booking.models import Course
from courses.catalogue.models import Procedure
from tests import factories


@dataclass
class Desk:
    """What a test of booking needs at hand."""

    clinic: Clinic
    massage: Procedure
    anna: Therapist
    boris: Therapist
    rooms: list[Room]
    patient: Patient
    reception: object = None
    now: dt.datetime = field(default_factory=lambda: factories.NOW)

    def course(self, sessions: int = 3, **fields: object) -> Course:
        fields = {"patient": self.patient, "start_from": factories.MONDAY} | fields
        return factories.CourseFactory(
            clinic=self.clinic, procedure=self.massage, sessions_total=sessions, sessions=True, **fields
        )


def equip(clinic: Clinic, procedure: Procedure, *therapists: Therapist, room_type: str) -> None:
    """The procedure needs a therapist and a room of the type; these therapists are qualified for it."""
    factories.RequirementFactory(procedure=procedure, role=ResourceKind.THERAPIST)
    factories.RequirementFactory(procedure=procedure, role=ResourceKind.ROOM, type_code=room_type)
    for therapist in therapists:
        factories.QualificationFactory(therapist=therapist, procedure=procedure)


@pytest.fixture
def desk(transactional_db: None) -> Desk:
    clinic = factories.ClinicFactory(book_until=factories.MONDAY + dt.timedelta(days=60))
    massage = factories.ProcedureFactory(clinic=clinic, code="MASSAGE")
    anna = factories.TherapistFactory(full_name="Anna P.", gender="F")
    boris = factories.TherapistFactory(full_name="Boris K.", gender="M")
    weekdays = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
    start = factories.MONDAY - dt.timedelta(days=28)
    for therapist, hours in ((anna, (8, 14)), (boris, (14, 20))):
        factories.ShiftFactory(
            therapist=therapist,
            clinic=clinic,
            starts_on=start,
            start_time=dt.time(hours[0]),
            end_time=dt.time(hours[1]),
            rrule=weekdays,
        )
    equip(clinic, massage, anna, boris, room_type="massage")
    rooms = [factories.RoomFactory(clinic=clinic, room_type="massage") for _ in range(2)]
    patient = factories.PatientFactory(consent_data=True, consent_email=True)
    reception = factories.user_with_role(Role.RECEPTION, clinic)
    return Desk(clinic, massage, anna, boris, rooms, patient, reception)
