"""A manager, a specialist with hours and a skill, a room, and sessions booked with them on the Monday."""

import datetime as dt
from dataclasses import dataclass

import pytest

from clinic.models import Clinic, Room, Shift, Therapist, User
from clinic.permissions import Role
from courses.models import Procedure, Qualification, Session
from tests import factories as f

NOW = f.at("07:00")


@dataclass
class House:
    clinic: Clinic
    manager: User
    therapist: Therapist
    shift: Shift
    room: Room
    procedure: Procedure
    qualification: Qualification

    def book(self, start: str, *, day: int = 0, **fields: object) -> Session:
        course = f.CourseFactory(clinic=self.clinic, procedure=self.procedure)
        return f.booked_session(
            course, starts_at=f.at(start, day=day), therapist=self.therapist, room=self.room, **fields
        )


@pytest.fixture
def house(db: None) -> House:
    clinic = f.ClinicFactory()
    shift = f.ShiftFactory(clinic=clinic, start_time=dt.time(9), end_time=dt.time(17))
    shift.refresh_from_db()
    procedure = f.ProcedureFactory(clinic=clinic, minutes=30)
    qualification = f.QualificationFactory(therapist=shift.therapist, procedure=procedure)
    room = f.RoomFactory(clinic=clinic, capacity=3)
    manager = f.user_with_role(Role.MANAGER, clinic)
    return House(clinic, manager, shift.therapist, shift, room, procedure, qualification)
